/* Inside of links: what link.c (replies, sending, ends), secure.c (TLS), connect.c (connecting, greeting) and
 * pool.c share.
 */
#ifndef RB_BINDINGS_REDIS_LINK_PRIVATE_H
#define RB_BINDINGS_REDIS_LINK_PRIVATE_H

#include <stdbool.h>

#include <hiredis/read.h>

#include "redis/link.h"
#include "resolve.h"
#include "tls/stream.h"

#define RB_REDIS_PORT 6379
#define RB_REDIS_GREET_MS 5000 /* connecting and greeting: nothing was asked yet, so this is no unknown outcome */

enum rb_redis_phase { CONNECTING, SECURING, GREETING, LENT, IDLE, CLOSING };

struct rb_redis_pool {
    uv_loop_t *loop;
    struct rb_resolver *resolver; /* NULL until a name must be found */
    struct rb_redis_link *links;
    json_t *known; /* where -> what is known of its commands */
    bool closing;
    char room[65536]; /* what a read brings, until its callback returns */
};

struct rb_redis_link {
    struct rb_redis_pool *pool;
    struct rb_redis_link *next;
    char where[320];
    json_t *connection; /* whole: only the same may share */
    enum rb_redis_phase phase;

    struct rb_lookup *lookup;
    struct rb_addresses addresses;
    size_t tried;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    bool io_open, reused;
    struct rb_tls *tls; /* NULL: none */
    uv_connect_t connecting;
    uv_timer_t timer;
    int handles; /* open; at 0 a closing link is freed */

    redisReader *reader;
    size_t unanswered;  /* bytes since the last whole reply */
    size_t waiting;     /* replies to come */
    struct rb_err gone; /* it went while nobody waited */
    int64_t idle_since_ns;
    rb_redis_replied *replied;
    void *user;
};

/* Of pool.c: gone from its pool, and freed. */
void rb_redis_link_free(struct rb_redis_link *link);
/* Of link.c. */
void rb_redis_link_closed(uv_handle_t *handle);
void rb_redis_link_fail(struct rb_redis_link *link, const struct rb_err *err);
void rb_redis_link_fail_uv(struct rb_redis_link *link, int status);
void rb_redis_link_lose(struct rb_redis_link *link); /* nothing can be sent on it: told from the loop */
int rb_redis_link_write(struct rb_redis_link *link, const struct rb_buf *bytes);
int rb_redis_link_write_raw(struct rb_redis_link *link, const char *bytes, size_t len);
void rb_redis_link_take(struct rb_redis_link *link, const char *data, size_t len);
void rb_redis_link_read(struct rb_redis_link *link);
/* Of secure.c. */
bool rb_redis_link_wants_tls(const struct rb_redis_link *link);
void rb_redis_link_secure(struct rb_redis_link *link); /* greets when it is done */
void rb_redis_link_decrypt(struct rb_redis_link *link, const char *data, size_t len);
int rb_redis_link_encrypt(struct rb_redis_link *link, const struct rb_buf *bytes);
/* Of connect.c. */
int rb_redis_link_connect(struct rb_redis_link *link, struct rb_err *err);
void rb_redis_link_connect_again(struct rb_redis_link *link);
void rb_redis_link_greet(struct rb_redis_link *link, bool fresh);
/* The reply to a greeting; taken. */
void rb_redis_link_greeted(struct rb_redis_link *link, json_t *reply);

#endif
