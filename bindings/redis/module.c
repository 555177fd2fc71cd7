#include "binding.h"
#include "redis/command_verbs.h"
#include "redis/key_verbs.h"
#include "redis/link.h"
#include "redis/op.h"

static const struct rb_module_verb verbs[] = {
    {"redis.ask", rb_redis_ask, rb_redis_cancel},     {"redis.call", rb_redis_call, rb_redis_cancel},
    {"redis.scan", rb_redis_scan, rb_redis_cancel},   {"redis.unlink", rb_redis_unlink, rb_redis_cancel},
    {"redis.probe", rb_redis_probe, rb_redis_cancel}, {0}};

RB_MODULE = {.abi = RB_MODULE_ABI, .verbs = verbs, .close = rb_redis_close};
