#include "redis/op.h"

#include <stdlib.h>

#include "base/clock.h"
#include "redis/errors.h"
#include "redis/reply.h"

static void on_ready(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    json_decref(reply); /* of PING: also an error to it means that the server is there */
    if (err) {
        op->link = NULL;
        rb_redis_op_fail(op, err);
    } else {
        op->ready(op);
    }
}

struct rb_redis_op *rb_redis_op_new(struct rb_call *call, const json_t *args, void (*ready)(struct rb_redis_op *op))
{
    struct rb_redis_op *op = rb_xcalloc(1, sizeof *op);
    op->call = call;
    op->args = json_incref((json_t *)args);
    op->ready = ready;
    op->since = rb_clock_mono_ns();
    return op;
}

void rb_redis_op_free(struct rb_redis_op *op)
{
    json_decref(op->args);
    json_decref(op->keys);
    free(op);
}

int rb_redis_op_start(struct rb_redis_op *op, struct rb_err *err)
{
    struct rb_err why = {.code = RB_EINTERNAL};
    op->link = rb_redis_borrow(rb_call_state(op->call), rb_call_loop(op->call), json_object_get(op->args, "connection"),
                               on_ready, op, &why);
    if (op->link) {
        rb_call_data_set(op->call, op);
        if (rb_redis_ready(op->link)) {
            op->ready(op);
        }
        return 0;
    }
    rb_redis_op_free(op);
    if (err) {
        *err = why;
    }
    return why.code;
}

static struct rb_call *take_call(struct rb_redis_op *op)
{
    struct rb_call *call = op->call;
    rb_call_data_set(call, NULL);
    if (op->link) {
        rb_redis_return(op->link);
    }
    rb_redis_op_free(op);
    return call;
}

void rb_redis_op_done(struct rb_redis_op *op, json_t *value)
{
    rb_call_done(take_call(op), value);
}

void rb_redis_op_fail(struct rb_redis_op *op, const struct rb_err *err)
{
    rb_call_fail(take_call(op), err);
}

void rb_redis_op_refused(struct rb_redis_op *op, json_t *reply)
{
    struct rb_err err = {0};
    rb_redis_error(&err, rb_redis_where(op->link), rb_redis_error_of(reply));
    json_decref(reply);
    rb_redis_op_fail(op, &err);
}

bool rb_redis_op_heard(struct rb_redis_op *op, json_t *reply, const struct rb_err *err)
{
    if (err) {
        op->link = NULL;
        rb_redis_op_fail(op, err);
    } else if (rb_redis_error_of(reply)) {
        rb_redis_op_refused(op, reply);
    } else {
        return true;
    }
    return false;
}

void rb_redis_op_send(struct rb_redis_op *op, const char *const *words, rb_redis_replied *replied)
{
    struct rb_buf out;
    rb_buf_init(&out, RB_REDIS_COMMAND_MAX);
    rb_redis_encode_words(&out, words);
    rb_redis_send(op->link, &out, 1, replied);
    rb_buf_deinit(&out);
}

void rb_redis_cancel(struct rb_call *call)
{
    struct rb_redis_op *op = rb_call_data(call);
    struct rb_err err = {0};
    if (op) {
        rb_err_set(&err, RB_ECANCELLED, RB_T_servers_redis_cancelled, rb_redis_where(op->link));
        rb_redis_drop(op->link);
        op->link = NULL;
        rb_redis_op_fail(op, &err);
    }
}
