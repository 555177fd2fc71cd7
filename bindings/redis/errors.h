/* The error codes of what a Redis server refuses. */
#ifndef RB_BINDINGS_REDIS_ERRORS_H
#define RB_BINDINGS_REDIS_ERRORS_H

#include "base/err.h"

/* where: "redis 127.0.0.1:6379". text: an error reply. Returns the code. */
int rb_redis_error(struct rb_err *err, const char *where, const char *text);

#endif
