/* probe: a key of our own, written and deleted. */
#include "redis/key_verbs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/clock.h"
#include "redis/errors.h"
#include "redis/op.h"
#include "redis/reply.h"

#define TTL_MS "10000"

static json_t *probe_answer(const struct rb_redis_op *op, const struct rb_err *err)
{
    json_int_t ms = (rb_clock_mono_ns() - op->since) / 1000000;
    return err ? json_pack("{s:b, s:I, s:s, s:s}", "ok", 0, "ms", ms, "code", rb_err_name(err->code), "message",
                           err->text)
               : json_pack("{s:b, s:I}", "ok", 1, "ms", ms);
}

/* The server's no is the answer; only silence raises. True: it may go on. */
static bool probe_heard(struct rb_redis_op *op, json_t *reply, const struct rb_err *err)
{
    const char *error = reply ? rb_redis_error_of(reply) : NULL;
    struct rb_err why = {0};
    if (!error) {
        return rb_redis_op_heard(op, reply, err);
    }
    rb_redis_error(&why, rb_redis_where(op->link), error);
    json_decref(reply);
    rb_redis_op_done(op, probe_answer(op, &why));
    return false;
}

static void on_deleted(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    if (probe_heard(op, reply, err)) {
        json_decref(reply);
        rb_redis_op_done(op, probe_answer(op, NULL));
    }
}

static void on_written(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    if (probe_heard(op, reply, err)) {
        json_decref(reply);
        rb_redis_op_send(op, (const char *const[]){"DEL", op->key, NULL}, on_deleted);
    }
}

static void write_key(struct rb_redis_op *op)
{
    const char *const words[] = {"SET", op->key, "runbook", "NX", "PX", TTL_MS, NULL};
    rb_redis_op_send(op, words, on_written);
}

int rb_redis_probe(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    unsigned char random[16];
    struct rb_redis_op *op = rb_redis_op_new(call, args, write_key);
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        rb_redis_op_free(op);
        return rb_err_errno(err, errno, "getrandom");
    }
    int n = snprintf(op->key, sizeof op->key, "runbook:probe:");
    for (size_t i = 0; i < sizeof random; i++) {
        n += snprintf(op->key + n, sizeof op->key - (size_t)n, "%02x", random[i]);
    }
    return rb_redis_op_start(op, err);
}
