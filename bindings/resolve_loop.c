/* c-ares on the loop: its sockets, its timer, its life. */
#include <stdlib.h>

#include "base/buf.h"
#include "resolve_private.h"

#define TRY_MS 2000 /* a server gets this long before the next one is asked */
#define TRIES 4

/* One socket of c-ares. */
struct rb_watch {
    uv_poll_t poll;
    struct rb_resolver *resolver;
    struct rb_watch *next;
    ares_socket_t fd;
};

void rb_resolver_handle_gone(struct rb_resolver *r)
{
    if (--r->handles == 0 && r->closing) {
        ares_library_cleanup();
        free(r);
    }
}

void rb_resolver_timer_open(struct rb_resolver *r, uv_timer_t *timer, void *data)
{
    uv_timer_init(r->loop, timer);
    timer->data = data;
    r->handles++;
}

static void watch_closed(uv_handle_t *handle)
{
    struct rb_watch *w = handle->data;
    rb_resolver_handle_gone(w->resolver);
    free(w);
}

static void timer_closed(uv_handle_t *handle)
{
    rb_resolver_handle_gone(handle->data);
}

static void on_time(uv_timer_t *timer);

void rb_resolver_rearm(struct rb_resolver *r)
{
    struct timeval limit = {.tv_sec = TRY_MS / 1000}, left;
    if (r->closing || !r->watches) {
        uv_timer_stop(&r->timer);
        return;
    }
    const struct timeval *tv = ares_timeout(r->channel, &limit, &left);
    uv_timer_start(&r->timer, on_time, (uint64_t)tv->tv_sec * 1000 + (uint64_t)tv->tv_usec / 1000 + 1, 0);
}

static void on_time(uv_timer_t *timer)
{
    struct rb_resolver *r = timer->data;
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rb_resolver_rearm(r);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct rb_watch *w = poll->data;
    struct rb_resolver *r = w->resolver;
    bool broken = status < 0;
    ares_process_fd(r->channel, broken || events & UV_READABLE ? w->fd : ARES_SOCKET_BAD,
                    broken || events & UV_WRITABLE ? w->fd : ARES_SOCKET_BAD);
    rb_resolver_rearm(r);
}

static struct rb_watch *watch_open(struct rb_resolver *r, ares_socket_t fd)
{
    struct rb_watch *w = rb_xcalloc(1, sizeof *w);
    if (uv_poll_init(r->loop, &w->poll, fd) != 0) {
        free(w); /* its question then ends at its own deadline */
        return NULL;
    }
    r->handles++;
    w->poll.data = w;
    w->resolver = r;
    w->fd = fd;
    w->next = r->watches;
    r->watches = w;
    return w;
}

static void watch_close(struct rb_watch **at)
{
    struct rb_watch *w = *at;
    *at = w->next;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, watch_closed);
}

static void on_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct rb_resolver *r = data;
    struct rb_watch **at = &r->watches;
    while (*at && (*at)->fd != fd) {
        at = &(*at)->next;
    }
    if (readable || writable) {
        struct rb_watch *w = *at ? *at : watch_open(r, fd);
        if (w) {
            uv_poll_start(&w->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_socket);
        }
    } else if (*at) {
        watch_close(at);
    }
}

int rb_resolver_channel_open(struct rb_resolver *r, const char *servers, struct rb_err *err)
{
    struct ares_options options = {
        .timeout = TRY_MS, .tries = TRIES, .sock_state_cb = on_state, .sock_state_cb_data = r};
    int rc = ares_init_options(&r->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (rc != ARES_SUCCESS) {
        return rb_err_set(err, RB_EDNS, RB_T_http_dns_start, ares_strerror(rc));
    }
    servers = servers ? servers : getenv("RUNBOOK_NAMESERVERS");
    if (servers && servers[0] && ares_set_servers_ports_csv(r->channel, servers) != ARES_SUCCESS) {
        ares_destroy(r->channel);
        return rb_err_set(err, RB_EUSAGE, RB_T_http_dns_servers, servers);
    }
    return 0;
}

void rb_resolver_channel_close(struct rb_resolver *r)
{
    ares_destroy(r->channel); /* ends all queries and closes all sockets */
    while (r->watches) {
        watch_close(&r->watches);
    }
    uv_close((uv_handle_t *)&r->timer, timer_closed);
}
