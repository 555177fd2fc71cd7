/* One call of a redis verb: its link, and its end. */
#ifndef RB_BINDINGS_REDIS_OP_H
#define RB_BINDINGS_REDIS_OP_H

#include "bind.h"
#include "redis/command.h"
#include "redis/link.h"

struct rb_redis_op {
    struct rb_call *call;
    struct rb_redis_link *link;
    json_t *args; /* real secrets may be in it */
    void (*ready)(struct rb_redis_op *op);
    struct rb_redis_name name;
    /* of scan and unlink */
    json_t *keys;
    json_int_t seen, kept, removed;
    size_t at;    /* the next of keys */
    size_t bytes; /* of keys, as they will be sent */
    char cursor[32], page[32];
    char key[80]; /* of probe */
    int64_t since, told;
};

/* Borrows a link and calls ready on it. op is taken. */
int rb_redis_op_start(struct rb_redis_op *op, struct rb_err *err);
struct rb_redis_op *rb_redis_op_new(struct rb_call *call, const json_t *args, void (*ready)(struct rb_redis_op *op));
void rb_redis_op_free(struct rb_redis_op *op);
/* The end: the link goes back; value is taken, op freed. */
void rb_redis_op_done(struct rb_redis_op *op, json_t *value);
/* The same, failed; the link is given back, or gone already. */
void rb_redis_op_fail(struct rb_redis_op *op, const struct rb_err *err);
/* An error to the server's own words; reply is taken. */
void rb_redis_op_refused(struct rb_redis_op *op, json_t *reply);
/* reply or err as a callback got them: true when it may go on; else the op is over, and the reply taken. */
bool rb_redis_op_heard(struct rb_redis_op *op, json_t *reply, const struct rb_err *err);
/* Sends one command of NULL-terminated words. */
void rb_redis_op_send(struct rb_redis_op *op, const char *const *words, rb_redis_replied *replied);
/* verb->cancel */
void rb_redis_cancel(struct rb_call *call);

#endif
