/* One connection to a Redis server. It is borrowed by one call at a time: found idle or made, greeted (AUTH,
 * SELECT, PING) so that a command is sent only to a server that has just answered, and returned for the next
 * call, which finds it ready if it comes soon. */
#ifndef RB_BINDINGS_REDIS_LINK_H
#define RB_BINDINGS_REDIS_LINK_H

#include <stdbool.h>

#include <jansson.h>
#include <uv.h>

#include "base/buf.h"

struct rb_redis_link;

/* One reply, taken by the callee; or NULL and err: the link is gone, nothing more comes from it. */
typedef void rb_redis_replied(void *user, json_t *reply, const struct rb_err *err);

/* Asks for a link. If it is not ready at once, replied comes once from the loop: a reply when it is, or why
 * there is none. Until then it may be dropped. state: rb_call_state. NULL for a connection that cannot be one.
 */
struct rb_redis_link *rb_redis_borrow(void **state, uv_loop_t *loop, const json_t *connection,
                                      rb_redis_replied *replied, void *user, struct rb_err *err);
bool rb_redis_ready(const struct rb_redis_link *link);
/* Sends count commands; replied comes once for each, from the loop. */
void rb_redis_send(struct rb_redis_link *link, const struct rb_buf *bytes, size_t count, rb_redis_replied *replied);
/* All replies are here: it may serve another call. */
void rb_redis_return(struct rb_redis_link *link);
/* Closes it; replied is not called any more. */
void rb_redis_drop(struct rb_redis_link *link);
/* "redis 127.0.0.1:6379", for messages. */
const char *rb_redis_where(const struct rb_redis_link *link);
/* What is known of this server's commands: { "get" = true }. Borrowed; lives as long as the module's state.
 */
json_t *rb_redis_known(const struct rb_redis_link *link);
/* module->close */
void rb_redis_close(void *state);

#endif
