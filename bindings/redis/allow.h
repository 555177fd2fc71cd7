/* What redis.ask may send: what the server itself calls read-only, and a table of harmless questions to a
 * server. */
#ifndef RB_BINDINGS_REDIS_ALLOW_H
#define RB_BINDINGS_REDIS_ALLOW_H

#include <stdbool.h>

#include "redis/command.h"

enum rb_redis_verdict { RB_REDIS_YES, RB_REDIS_NO, RB_REDIS_ASK_SERVER };

/* By our own table. */
enum rb_redis_verdict rb_redis_judge(const struct rb_redis_name *name);
/* By the reply to COMMAND INFO name name|sub. */
bool rb_redis_is_readonly(const json_t *info);
/* May call send it? Not what would change the connection, which other calls use, too: NULL, or the better
 * way. */
bool rb_redis_keeps_link(const struct rb_redis_name *name);
/* Secrets in the reply to CONFIG GET become "***". */
void rb_redis_mask(const struct rb_redis_name *name, json_t *reply);

#endif
