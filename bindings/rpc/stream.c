/* JSON-RPC over a stream: tcp://host:port or unix:///path. A line each way; answers may come back to back without one.
 */
#include "net/net.h"
#include "rpc/message.h"
#include "rpc/transport.h"

#include <stdlib.h>
#include <string.h>

/* One attempt to connect, and the connection it becomes. It outlives its stream until libuv has closed it. */
struct wire {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } on;
    uv_connect_t connect;
    uv_write_t write;
    struct stream *of; /* NULL: given up */
    char *request, part[65536];
};

struct stream {
    struct rb_rpc_exchange *x;
    struct wire *wire;
    uv_timer_t *timer; /* until it is connected */
    struct rb_lookup *lookup;
    struct rb_addresses addresses;
    size_t next; /* of them */
    int port;
    struct rb_buf in;
    struct rb_err last;
};

static void connect_next(struct stream *s);

static void timer_gone(uv_handle_t *handle)
{
    free(handle);
}

static void wire_gone(uv_handle_t *handle)
{
    struct wire *w = handle->data;
    free(w->request);
    free(w);
}

static void wire_close(struct stream *s)
{
    if (s->wire) {
        s->wire->of = NULL;
        uv_close(&s->wire->on.handle, wire_gone);
        s->wire = NULL;
    }
}

static void stop(struct rb_rpc_exchange *x)
{
    struct stream *s = x->state;
    if (!s) {
        return;
    }
    x->state = NULL;
    if (s->lookup) {
        rb_lookup_cancel(s->lookup);
    }
    wire_close(s);
    uv_timer_stop(s->timer);
    uv_close((uv_handle_t *)s->timer, timer_gone);
    rb_buf_deinit(&s->in);
    free(s);
}

/* done may stop the exchange, and then the stream is gone. */
static void finish(struct stream *s, const struct rb_err *err)
{
    struct rb_err copy = err ? *err : (struct rb_err){0};
    s->x->done(s->x->user, err ? &copy : NULL);
}

static void broke(struct stream *s)
{
    struct rb_err err = {0};
    rb_err_set(&err, RB_ERESET, RB_T_rpc_broke, s->x->url);
    finish(s, &err);
}

/* ---- bytes ---- */

static void on_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct wire *w = handle->data;
    (void)wanted;
    *out = uv_buf_init(w->part, sizeof w->part);
}

/* Every whole value that came. */
static void take_values(struct stream *s)
{
    struct rb_err err = {0};
    long end;
    while ((end = rb_rpc_value_end(rb_buf_str(&s->in), s->in.len)) > 0) {
        int rc = s->x->text(s->x->user, s->in.data, (size_t)end, &err);
        rb_buf_consume(&s->in, (size_t)end);
        if (rc != 0) {
            finish(s, rc < 0 ? &err : NULL);
            return;
        }
    }
    if (end < 0) {
        rb_err_set(&err, RB_EPROTOCOL, RB_T_rpc_no_answer);
        finish(s, &err);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct wire *w = stream->data;
    struct stream *s = w->of;
    struct rb_err err = {0};
    if (!s || n == 0) {
        return;
    }
    if (n < 0) {
        broke(s);
    } else if (rb_buf_add(&s->in, buf->base, (size_t)n) != 0) {
        rb_err_set(&err, RB_ETOO_LARGE, RB_T_rpc_answer_large, (int)(RB_RPC_ANSWER_MAX >> 20));
        finish(s, &err);
    } else {
        take_values(s);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct wire *w = write->data;
    if (status < 0 && w->of) {
        broke(w->of);
    }
}

static void talk(struct stream *s)
{
    struct wire *w = s->wire;
    uv_buf_t buf = uv_buf_init(w->request, (unsigned)strlen(w->request));
    uv_timer_stop(s->timer);
    s->x->sent = true;
    w->write.data = w;
    if (uv_read_start(&w->on.stream, on_buffer, on_read) != 0 ||
        uv_write(&w->write, &w->on.stream, &buf, 1, on_written) != 0) {
        broke(s);
    }
}

/* ---- the connection ---- */

static void note_failure(struct stream *s, int status)
{
    static const struct {
        int status, code;
    } codes[] = {{UV_ECONNREFUSED, RB_EREFUSED},
                 {UV_ENOENT, RB_ENOT_FOUND},
                 {UV_EACCES, RB_EDENIED},
                 {UV_ETIMEDOUT, RB_ETIMEOUT},
                 {0, RB_EUNREACHABLE}};
    size_t i = 0;
    while (codes[i].status && codes[i].status != status) {
        i++;
    }
    rb_err_set(&s->last, codes[i].code, RB_T_rpc_connect, s->x->url, uv_strerror(status));
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct wire *w = connect->data;
    struct stream *s = w->of;
    if (!s) {
        return;
    }
    if (status == 0) {
        talk(s);
        return;
    }
    note_failure(s, status);
    wire_close(s);
    connect_next(s);
}

static struct wire *wire_new(struct stream *s)
{
    struct wire *w = rb_xcalloc(1, sizeof *w);
    w->of = s;
    w->connect.data = w;
    w->request = rb_xcalloc(1, s->x->len + 2);
    memcpy(w->request, s->x->request, s->x->len);
    w->request[s->x->len] = '\n';
    s->wire = w;
    return w;
}

static int connect_tcp(struct stream *s, const struct rb_address *address)
{
    struct rb_address at = *address;
    struct wire *w = wire_new(s);
    uv_tcp_init(rb_call_loop(s->x->call), &w->on.tcp);
    w->on.handle.data = w;
    if (at.at.any.sa_family == AF_INET6) {
        at.at.v6.sin6_port = htons((uint16_t)s->port);
    } else {
        at.at.v4.sin_port = htons((uint16_t)s->port);
    }
    return uv_tcp_connect(&w->connect, &w->on.tcp, &at.at.any, on_connected);
}

static void connect_next(struct stream *s)
{
    while (s->next < s->addresses.count) {
        int rc = connect_tcp(s, &s->addresses.list[s->next++]);
        if (rc == 0) {
            return;
        }
        note_failure(s, rc);
        wire_close(s);
    }
    finish(s, &s->last);
}

static void looked_up(void *user, const struct rb_addresses *found, const struct rb_err *err)
{
    struct stream *s = user;
    s->lookup = NULL;
    if (err) {
        finish(s, err);
        return;
    }
    s->addresses = *found;
    connect_next(s);
}

static void on_late(uv_timer_t *timer)
{
    struct stream *s = timer->data;
    struct rb_err err = {0};
    rb_err_set(&err, RB_ETIMEOUT, RB_T_rpc_connect, s->x->url, uv_strerror(UV_ETIMEDOUT));
    finish(s, &err);
}

/* host:port or [v6]:port behind tcp:// */
static int start_tcp(struct stream *s, const char *place, struct rb_err *err)
{
    char host[256];
    const char *colon = strrchr(place, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    bool good = colon && colon > place && (size_t)(colon - place) < sizeof host && port > 0 && port < 65536;
    if (!good || (*end && strcmp(end, "/") != 0)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_rpc_tcp_url, s->x->url);
    }
    memcpy(host, place, (size_t)(colon - place));
    host[colon - place] = '\0';
    s->port = (int)port;
    struct rb_net *net = rb_net_of(s->x->call, err);
    struct rb_resolver *resolver = net ? rb_net_resolver(net, err) : NULL;
    if (!resolver) {
        return err->code;
    }
    s->lookup = rb_lookup_start(resolver, host, s->x->connect_timeout, looked_up, s);
    return 0;
}

static int start_pipe(struct stream *s, const char *path, struct rb_err *err)
{
    if (path[0] != '/' || strlen(path) > 107) {
        return rb_err_set(err, RB_EUSAGE, RB_T_rpc_unix_url, s->x->url);
    }
    struct wire *w = wire_new(s);
    uv_pipe_init(rb_call_loop(s->x->call), &w->on.pipe, 0);
    w->on.handle.data = w;
    uv_pipe_connect(&w->connect, &w->on.pipe, path, on_connected);
    return 0;
}

static int start(struct rb_rpc_exchange *x, struct rb_err *err)
{
    struct stream *s = rb_xcalloc(1, sizeof *s);
    bool pipe = strncmp(x->url, "unix://", 7) == 0;
    s->x = x;
    x->state = s;
    rb_buf_init(&s->in, RB_RPC_ANSWER_MAX);
    s->timer = rb_xcalloc(1, sizeof *s->timer);
    uv_timer_init(rb_call_loop(x->call), s->timer);
    s->timer->data = s;
    uv_timer_start(s->timer, on_late, (uint64_t)(x->connect_timeout * 1000), 0);
    return pipe ? start_pipe(s, x->url + 7, err) : start_tcp(s, x->url + 6, err);
}

const struct rb_rpc_transport rb_rpc_stream = {"tcp unix", start, stop};
