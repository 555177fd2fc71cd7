#include "rpc/message.h"

#include <stdlib.h>
#include <string.h>

static json_t *one_request(const json_t *call, json_int_t id)
{
    const char *method = json_string_value(json_array_get(call, 0));
    json_t *params = json_array();
    if (!method || !*method) {
        json_decref(params);
        return NULL;
    }
    for (size_t i = 1; i < json_array_size(call); i++) {
        json_array_append(params, json_array_get(call, i));
    }
    return json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", id, "method", method, "params", params);
}

int rb_rpc_request(struct rb_buf *out, const json_t *calls, json_int_t first_id, bool batch, struct rb_err *err)
{
    size_t count = json_array_size(calls);
    json_t *all = json_array();
    if (count == 0 || count > RB_RPC_CALLS_MAX) {
        json_decref(all);
        return rb_err_set(err, RB_EUSAGE, RB_T_rpc_calls, RB_RPC_CALLS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        json_t *one = one_request(json_array_get(calls, i), first_id + (json_int_t)i);
        if (!one) {
            json_decref(all);
            return rb_err_set(err, RB_EUSAGE, RB_T_rpc_call_form, (int)i + 1);
        }
        json_array_append_new(all, one);
    }
    char *text = json_dumps(batch ? all : json_array_get(all, 0), JSON_COMPACT);
    int rc = text ? rb_buf_adds(out, text) : RB_EMEMORY;
    free(text);
    json_decref(all);
    return rc ? rb_err_set(err, RB_ETOO_LARGE, RB_T_rpc_request_large) : 0;
}

void rb_rpc_batch_init(struct rb_rpc_batch *batch, json_int_t first_id, size_t count)
{
    *batch = (struct rb_rpc_batch){.first_id = first_id, .count = count, .missing = count, .answers = json_array()};
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(batch->answers, json_null());
    }
}

void rb_rpc_batch_deinit(struct rb_rpc_batch *batch)
{
    json_decref(batch->answers);
    memset(batch, 0, sizeof *batch);
}

/* {code, message, data?}; servers that send less are many. */
static json_t *error_of(const json_t *error)
{
    const json_t *code = json_object_get(error, "code"), *data = json_object_get(error, "data");
    json_t *out =
        json_pack("{s:I, s:s}", "code", (json_int_t)(json_is_integer(code) ? json_integer_value(code) : 0), "message",
                  rb_json_str(error, "message", json_is_string(error) ? json_string_value(error) : ""));
    if (data) {
        json_object_set(out, "data", (json_t *)data);
    }
    return out;
}

/* An answer without a number is to all that was asked: a server that could not read it cannot know the number. */
static int to_all(struct rb_rpc_batch *batch, const json_t *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        json_array_set_new(batch->answers, i, json_pack("{s:o}", "error", error_of(error)));
    }
    batch->missing = 0;
    return 0;
}

static int take_one(struct rb_rpc_batch *batch, const json_t *answer, struct rb_err *err)
{
    const json_t *id = json_object_get(answer, "id"), *error = json_object_get(answer, "error");
    const json_t *result = json_object_get(answer, "result");
    bool failed = error && !json_is_null(error);
    if (!json_is_object(answer)) {
        return rb_err_set(err, RB_EPROTOCOL, RB_T_rpc_no_answer);
    }
    if (json_is_string(json_object_get(answer, "method")) && (!id || json_is_null(id))) {
        return 0; /* a notification */
    }
    if (failed && (!id || json_is_null(id)) && batch->missing == batch->count) {
        return to_all(batch, error);
    }
    if (!failed && !result) {
        return rb_err_set(err, RB_EPROTOCOL, RB_T_rpc_no_answer);
    }
    json_int_t number = json_is_integer(id) ? json_integer_value(id) - batch->first_id : -1;
    if (number < 0 || number >= (json_int_t)batch->count) {
        return rb_err_set(err, RB_EPROTOCOL, RB_T_rpc_not_asked);
    }
    if (!json_is_null(json_array_get(batch->answers, (size_t)number))) {
        return rb_err_set(err, RB_EPROTOCOL, RB_T_rpc_twice);
    }
    json_t *value = failed ? json_pack("{s:o}", "error", error_of(error)) : json_pack("{s:O}", "result", result);
    json_array_set_new(batch->answers, (size_t)number, value);
    batch->missing--;
    return 0;
}

int rb_rpc_take(struct rb_rpc_batch *batch, const char *text, size_t len, struct rb_err *err)
{
    struct rb_err why = {0};
    json_t *value = rb_json_parse(text, len, &why);
    const json_t *one;
    size_t i;
    int rc = 0;
    if (!value) {
        return rb_err_set(err, RB_EPROTOCOL, RB_T_rpc_bad_json, why.text);
    }
    if (!json_is_array(value)) {
        rc = take_one(batch, value, err);
    }
    json_array_foreach(value, i, one) {
        rc = rc ? rc : take_one(batch, one, err);
    }
    json_decref(value);
    return rc;
}

long rb_rpc_value_end(const char *data, size_t len)
{
    size_t start = 0;
    long depth = 0;
    bool string = false;
    while (start < len && strchr(" \t\r\n", data[start]) && data[start]) {
        start++;
    }
    if (start < len && data[start] != '{' && data[start] != '[') {
        return RB_EPROTOCOL;
    }
    for (size_t i = start; i < len; i++) {
        char c = data[i];
        if (string) {
            i += c == '\\';
            string = c != '"';
        } else if (c == '"') {
            string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return (long)i + 1;
        }
    }
    return 0;
}
