/* ask and call: one command. */
#include "redis/command_verbs.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "redis/allow.h"
#include "redis/op.h"
#include "redis/reply.h"

static void on_answer(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    if (rb_redis_op_heard(op, reply, err)) {
        rb_redis_mask(&op->name, reply);
        rb_redis_op_done(op, reply);
    }
}

static void send_command(struct rb_redis_op *op)
{
    struct rb_buf out;
    struct rb_err err = {0};
    rb_buf_init(&out, RB_REDIS_COMMAND_MAX);
    if (rb_redis_encode(json_object_get(op->args, "command"), &out, &err) == 0) {
        rb_redis_send(op->link, &out, 1, on_answer);
    } else {
        rb_redis_op_fail(op, &err);
    }
    rb_buf_deinit(&out);
}

static int refuse(const struct rb_redis_name *name, struct rb_err *err)
{
    rb_err_set(err, RB_EFORBIDDEN, RB_T_servers_redis_not_reading, name->name, name->sub[0] ? " " : "", name->sub);
    rb_err_hint(err, RB_T_servers_redis_not_reading_hint);
    return RB_EFORBIDDEN;
}

/* "object encoding" and "get" as a name in what is known of the server. */
static void known_name(const struct rb_redis_name *name, char out[2 * RB_REDIS_NAME_MAX + 1])
{
    (void)snprintf(out, 2 * RB_REDIS_NAME_MAX + 1, "%s|%s", name->name, name->sub);
}

static void go_by(struct rb_redis_op *op, bool readonly)
{
    struct rb_err err = {0};
    if (readonly) {
        send_command(op);
    } else {
        refuse(&op->name, &err);
        rb_redis_op_fail(op, &err);
    }
}

static void on_info(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    char name[2 * RB_REDIS_NAME_MAX + 1];
    struct rb_err why = {0};
    const char *error = reply ? rb_redis_error_of(reply) : NULL;
    if (error && strncmp(error, "NOPERM", 6) == 0) {
        rb_err_set(&why, RB_EDENIED, RB_T_servers_redis_no_command, rb_redis_where(op->link));
        rb_err_hint(&why, RB_T_servers_redis_no_command_hint);
        json_decref(reply);
        rb_redis_op_fail(op, &why);
    } else if (rb_redis_op_heard(op, reply, err)) {
        bool readonly = rb_redis_is_readonly(reply);
        known_name(&op->name, name);
        json_object_set_new(rb_redis_known(op->link), name, json_boolean(readonly));
        json_decref(reply);
        go_by(op, readonly);
    }
}

static void look_at_command(struct rb_redis_op *op)
{
    char full[2 * RB_REDIS_NAME_MAX + 1];
    known_name(&op->name, full);
    const json_t *known = json_object_get(rb_redis_known(op->link), full);
    if (rb_redis_judge(&op->name) == RB_REDIS_YES) {
        send_command(op);
    } else if (known) {
        go_by(op, json_is_true(known));
    } else {
        const char *const words[] = {"COMMAND", "INFO", op->name.name, full, NULL};
        rb_redis_op_send(op, words, on_info);
    }
}

int rb_redis_ask(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    struct rb_redis_op *op = rb_redis_op_new(call, args, look_at_command);
    int rc = rb_redis_name(json_object_get(args, "command"), &op->name, err);
    if (rc == 0 && rb_redis_judge(&op->name) == RB_REDIS_NO) {
        rc = refuse(&op->name, err);
    }
    if (rc != 0) {
        rb_redis_op_free(op);
        return rc;
    }
    return rb_redis_op_start(op, err);
}

int rb_redis_call(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    struct rb_redis_op *op = rb_redis_op_new(call, args, send_command);
    int rc = rb_redis_name(json_object_get(args, "command"), &op->name, err);
    if (rc == 0 && !rb_redis_keeps_link(&op->name)) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_changes_link, op->name.name);
    }
    if (rc != 0) {
        rb_redis_op_free(op);
        return rc;
    }
    return rb_redis_op_start(op, err);
}
