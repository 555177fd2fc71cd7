#include "redis/reply.h"

#include <hiredis/read.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"

/* The reader keeps a borrowed pointer; what has a parent belongs to it. */
static void *attach(const redisReadTask *task, json_t *value)
{
    if (value && task->parent && json_array_append_new(task->parent->obj, value) != 0) {
        return NULL;
    }
    return value;
}

static json_t *error_of(const char *text, size_t len)
{
    struct rb_buf clean;
    rb_buf_init(&clean, 4 * len + 1);
    (void)rb_utf8_clean(&clean, text, len, false);
    json_t *value = json_pack("{s:s}", "error", rb_buf_str(&clean));
    rb_buf_deinit(&clean);
    return value;
}

static void *make_string(const redisReadTask *task, char *text, size_t len)
{
    return attach(task, task->type == REDIS_REPLY_ERROR ? error_of(text, len) : rb_json_bytes(text, len));
}

static void *make_array(const redisReadTask *task, int elements)
{
    (void)elements; /* a number the other side says; memory follows what really arrives */
    return attach(task, json_array());
}

static void *make_integer(const redisReadTask *task, long long value)
{
    return attach(task, json_integer(value));
}

static void *make_nil(const redisReadTask *task)
{
    return attach(task, json_null());
}

static void drop(void *value)
{
    json_decref(value);
}

redisReader *rb_redis_reader(void)
{
    static redisReplyObjectFunctions functions = {make_string, make_array, make_integer, make_nil, drop};
    return redisReaderCreateWithFunctions(&functions);
}

const char *rb_redis_error_of(const json_t *reply)
{
    return json_string_value(json_object_get(reply, "error"));
}
