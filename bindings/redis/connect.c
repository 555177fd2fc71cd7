#include "redis/link_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "redis/command.h"
#include "redis/errors.h"
#include "redis/reply.h"

/* ---- greeting ---- */

/* Of AUTH, SELECT or PING. An error to PING comes from a server that is alive, and the call will hear it,
 * too. */
static bool is_welcome(const struct rb_redis_link *link, const char *error)
{
    bool ping = link->waiting == 0;
    return !error || (ping && strncmp(error, "ERR ", 4) != 0 && strncmp(error, "DENIED", 6) != 0);
}

void rb_redis_link_greeted(struct rb_redis_link *link, json_t *reply)
{
    struct rb_err err = {0};
    const char *error = rb_redis_error_of(reply);
    if (!is_welcome(link, error)) {
        rb_redis_error(&err, link->where, error);
        json_decref(reply);
        rb_redis_link_fail(link, &err);
    } else if (link->waiting > 0) {
        json_decref(reply);
    } else {
        uv_timer_stop(&link->timer);
        link->phase = LENT;
        link->replied(link->user, reply, NULL);
    }
}

/* A URL gives it as text, a configuration as a number. malloc'ed. */
static char *database_of(const json_t *connection)
{
    const json_t *value = json_object_get(connection, "database");
    const char *text = json_string_value(value);
    char number[32];
    (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    return rb_xstrdup(text && *text ? text : number);
}

void rb_redis_link_greet(struct rb_redis_link *link, bool fresh)
{
    const char *user = rb_json_str(link->connection, "user", ""),
               *password = rb_json_str(link->connection, "password", "");
    char *database = database_of(link->connection);
    struct rb_buf out;
    rb_buf_init(&out, RB_REDIS_COMMAND_MAX);
    link->phase = GREETING;
    link->waiting = 0;
    if (fresh && *password) {
        const char *const words[] = {"AUTH", *user ? user : password, *user ? password : NULL, NULL};
        rb_redis_encode_words(&out, words);
        link->waiting++;
    }
    if (fresh && strcmp(database, "0") != 0) {
        rb_redis_encode_words(&out, (const char *const[]){"SELECT", database, NULL});
        link->waiting++;
    }
    free(database);
    rb_redis_encode_words(&out, (const char *const[]){"PING", NULL});
    link->waiting++;
    int rc = rb_redis_link_write(link, &out);
    rb_buf_deinit(&out);
    if (rc != 0) {
        rb_redis_link_lose(link);
    }
}

/* ---- connecting ---- */

static void connect_next(struct rb_redis_link *link);

static void try_next(uv_handle_t *handle)
{
    struct rb_redis_link *link = handle->data;
    bool wanted = link->phase == CONNECTING; /* else it was dropped, and may soon be freed */
    rb_redis_link_closed(handle);
    if (wanted) {
        connect_next(link);
    }
}

static void connected(struct rb_redis_link *link, int status)
{
    if (status != 0 && link->tried < link->addresses.count) {
        uv_close(&link->io.handle, try_next);
    } else if (status != 0) {
        rb_redis_link_fail_uv(link, status);
    } else {
        rb_redis_link_read(link);
        if (rb_redis_link_wants_tls(link)) {
            rb_redis_link_secure(link);
        } else {
            rb_redis_link_greet(link, true);
        }
    }
}

static void on_connect(uv_connect_t *req, int status)
{
    struct rb_redis_link *link = req->handle->data;
    if (link->phase == CONNECTING) {
        connected(link, status);
    }
}

static void opened(struct rb_redis_link *link)
{
    link->io.handle.data = link;
    link->io_open = true;
    link->handles++;
}

static void connect_next(struct rb_redis_link *link)
{
    struct rb_address *address = &link->addresses.list[link->tried++];
    int port = (int)rb_json_int(link->connection, "port", RB_REDIS_PORT);
    address->at.v4.sin_port = htons((unsigned short)port); /* in6 has it in the same place */
    uv_tcp_init(link->pool->loop, &link->io.tcp);
    opened(link);
    (void)uv_tcp_nodelay(&link->io.tcp, 1);
    int rc = uv_tcp_connect(&link->connecting, &link->io.tcp, &address->at.any, on_connect);
    if (rc != 0) {
        connected(link, rc);
    }
}

static void on_found(void *user, const struct rb_addresses *found, const struct rb_err *err)
{
    struct rb_redis_link *link = user;
    link->lookup = NULL;
    if (found) {
        link->addresses = *found;
        connect_next(link);
    } else {
        rb_redis_link_fail(link, err);
    }
}

int rb_redis_link_connect(struct rb_redis_link *link, struct rb_err *err)
{
    struct rb_redis_pool *pool = link->pool;
    const char *path = rb_json_str(link->connection, "socket", "");
    if (*path) {
        (void)uv_pipe_init(pool->loop, &link->io.pipe, 0);
        opened(link);
        uv_pipe_connect(&link->connecting, &link->io.pipe, path, on_connect);
        return 0;
    }
    if (!pool->resolver) {
        pool->resolver = rb_resolver_new(pool->loop, NULL, err);
    }
    if (!pool->resolver) {
        return err ? err->code : RB_EDNS;
    }
    link->lookup = rb_lookup_start(pool->resolver, rb_json_str(link->connection, "host", "127.0.0.1"),
                                   RB_REDIS_GREET_MS / 1000.0, on_found, link);
    return 0;
}

static void reopen(uv_handle_t *handle)
{
    struct rb_redis_link *link = handle->data;
    bool wanted = link->phase == CONNECTING;
    rb_redis_link_closed(handle);
    if (wanted) {
        (void)rb_redis_link_connect(link, NULL); /* it could once, and so it can */
    }
}

/* It was idle, and the server has closed it, perhaps by a restart: it is made anew, within the same time. */
void rb_redis_link_connect_again(struct rb_redis_link *link)
{
    redisReaderFree(link->reader);
    rb_tls_free(link->tls);
    link->tls = NULL;
    link->reader = rb_redis_reader();
    link->reused = false;
    link->phase = CONNECTING;
    link->waiting = link->tried = link->unanswered = 0;
    uv_close(&link->io.handle, reopen);
}
