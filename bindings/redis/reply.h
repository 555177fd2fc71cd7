/* What a Redis server answers, as JSON: bulk and status strings, integers, null, lists, and { error = "…" }.
 */
#ifndef RB_BINDINGS_REDIS_REPLY_H
#define RB_BINDINGS_REDIS_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct redisReader;

/* The parser of the client library, building JSON. Freed by redisReaderFree. */
struct redisReader *rb_redis_reader(void);
/* "WRONGTYPE Operation …" when the reply is an error, else NULL. Borrowed. */
const char *rb_redis_error_of(const json_t *reply);

#endif
