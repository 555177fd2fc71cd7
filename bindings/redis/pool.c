#include "redis/link_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/json.h"
#include "redis/reply.h"

#define IDLE_MAX 8         /* a server */
#define FRESH_NS 250000000 /* since it answered: nobody asks again so soon whether it is there */

static void pool_free_if_empty(struct rb_redis_pool *pool)
{
    if (pool->closing && !pool->links) {
        json_decref(pool->known);
        free(pool);
    }
}

void rb_redis_link_free(struct rb_redis_link *link)
{
    struct rb_redis_pool *pool = link->pool;
    struct rb_redis_link **at = &pool->links;
    while (*at != link) {
        at = &(*at)->next;
    }
    *at = link->next;
    redisReaderFree(link->reader);
    rb_tls_free(link->tls);
    json_decref(link->connection);
    free(link);
    pool_free_if_empty(pool);
}

static struct rb_redis_pool *pool_of(void **state, uv_loop_t *loop)
{
    struct rb_redis_pool *pool = *state;
    if (!pool) {
        *state = pool = rb_xcalloc(1, sizeof *pool);
        pool->loop = loop;
        pool->known = json_object();
    }
    return pool;
}

static int check(const json_t *connection, struct rb_err *err)
{
    const char *driver = rb_json_str(connection, "driver", "redis");
    json_int_t port = rb_json_int(connection, "port", RB_REDIS_PORT);
    if (!json_is_object(connection) || strcmp(driver, "redis") != 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_connection);
    }
    if (strlen(rb_json_str(connection, "socket", "")) >= sizeof(((struct sockaddr_un *)0)->sun_path) || port < 1 ||
        port > 65535) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_address);
    }
    return 0;
}

static struct rb_redis_link *link_new(struct rb_redis_pool *pool, const json_t *connection)
{
    struct rb_redis_link *link = rb_xcalloc(1, sizeof *link);
    const char *path = rb_json_str(connection, "socket", "");
    link->pool = pool;
    link->next = pool->links;
    pool->links = link;
    link->connection = json_deep_copy(connection);
    link->reader = rb_redis_reader();
    if (*path) {
        (void)snprintf(link->where, sizeof link->where, "redis %s", path);
    } else {
        (void)snprintf(link->where, sizeof link->where, "redis %s:%d", rb_json_str(connection, "host", "127.0.0.1"),
                       (int)rb_json_int(connection, "port", RB_REDIS_PORT));
    }
    (void)uv_timer_init(pool->loop, &link->timer);
    link->timer.data = link;
    link->handles = 1;
    return link;
}

static struct rb_redis_link *find_idle(struct rb_redis_pool *pool, const json_t *connection)
{
    struct rb_redis_link *link = pool->links;
    while (link && (link->phase != IDLE || !json_equal(link->connection, connection))) {
        link = link->next;
    }
    return link;
}

/* It answered a moment ago, and neither its end nor anything else came since. */
static bool is_fresh(const struct rb_redis_link *link)
{
    char byte;
    int fd;
    return rb_clock_mono_ns() - link->idle_since_ns < FRESH_NS && uv_fileno(&link->io.handle, &fd) == 0 &&
           recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void too_slow(uv_timer_t *timer)
{
    struct rb_redis_link *link = timer->data;
    struct rb_err err = {0};
    bool securing = link->phase == SECURING;
    rb_err_set(&err,
               link->phase == CONNECTING ? RB_EUNREACHABLE
               : securing                ? RB_ETLS
                                         : RB_ETIMEOUT,
               securing ? RB_T_servers_redis_tls_silent : RB_T_servers_redis_silent, link->where,
               RB_REDIS_GREET_MS / 1000);
    rb_redis_link_fail(link, &err);
}

struct rb_redis_link *rb_redis_borrow(void **state, uv_loop_t *loop, const json_t *connection,
                                      rb_redis_replied *replied, void *user, struct rb_err *err)
{
    if (check(connection, err) != 0) {
        return NULL;
    }
    struct rb_redis_pool *pool = pool_of(state, loop);
    struct rb_redis_link *link = find_idle(pool, connection);
    if (link) {
        link->reused = true;
        uv_ref(&link->io.handle);
    } else {
        link = link_new(pool, connection);
        if (rb_redis_link_connect(link, err) != 0) {
            rb_redis_drop(link);
            return NULL;
        }
    }
    link->replied = replied;
    link->user = user;
    if (link->phase == IDLE && is_fresh(link)) {
        link->phase = LENT;
        return link;
    }
    uv_timer_start(&link->timer, too_slow, RB_REDIS_GREET_MS, 0);
    if (link->phase == IDLE) {
        rb_redis_link_greet(link, false);
    }
    return link;
}

void rb_redis_return(struct rb_redis_link *link)
{
    size_t idle = 0;
    for (const struct rb_redis_link *one = link->pool->links; one; one = one->next) {
        idle += one->phase == IDLE && json_equal(one->connection, link->connection);
    }
    if (link->gone.code || link->waiting > 0 || link->unanswered > 0 || idle >= IDLE_MAX) {
        rb_redis_drop(link);
        return;
    }
    link->phase = IDLE;
    link->idle_since_ns = rb_clock_mono_ns();
    uv_unref(&link->io.handle); /* an idle link keeps nobody waiting */
}

bool rb_redis_ready(const struct rb_redis_link *link)
{
    return link->phase == LENT;
}

const char *rb_redis_where(const struct rb_redis_link *link)
{
    return link->where;
}

json_t *rb_redis_known(const struct rb_redis_link *link)
{
    json_t *known = json_object_get(link->pool->known, link->where);
    if (!known) {
        known = json_object();
        json_object_set_new(link->pool->known, link->where, known);
    }
    return known;
}

void rb_redis_close(void *state)
{
    struct rb_redis_pool *pool = state;
    pool->closing = true;
    for (struct rb_redis_link *link = pool->links; link; link = link->next) {
        rb_redis_drop(link);
    }
    if (pool->resolver) {
        rb_resolver_close(pool->resolver);
    }
    pool_free_if_empty(pool);
}
