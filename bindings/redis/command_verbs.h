/* redis.ask, redis.call: one command. */
#ifndef RB_BINDINGS_REDIS_COMMAND_VERBS_H
#define RB_BINDINGS_REDIS_COMMAND_VERBS_H

#include "binding.h"

int rb_redis_ask(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_redis_call(struct rb_call *call, const json_t *args, struct rb_err *err);

#endif
