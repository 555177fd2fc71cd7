/* redis.scan, redis.unlink, redis.probe: many keys, and one of our own. */
#ifndef RB_BINDINGS_REDIS_KEY_VERBS_H
#define RB_BINDINGS_REDIS_KEY_VERBS_H

#include "binding.h"

int rb_redis_scan(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_redis_unlink(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_redis_probe(struct rb_call *call, const json_t *args, struct rb_err *err);

#endif
