/* JSON-RPC over a WebSocket: a message each. */
#include "rpc/transport.h"
#include "ws/client.h"

#include <stdlib.h>

struct state {
    struct rb_ws *ws;
    struct rb_err why; /* a bad message; told when the connection is over, because a message is no place to end */
    bool over;
};

static void on_open(void *user)
{
    struct rb_rpc_exchange *x = user;
    struct state *s = x->state;
    x->sent = true;
    (void)rb_ws_send(s->ws, false, x->request, x->len);
}

static void on_message(void *user, bool binary, const void *data, size_t len)
{
    struct rb_rpc_exchange *x = user;
    struct state *s = x->state;
    (void)binary;
    if (!s->over) {
        int rc = x->text(x->user, data, len, &s->why);
        s->over = rc != 0;
        if (rc != 0) {
            rb_ws_close(s->ws, 1000);
        }
    }
}

static void on_closed(void *user, int code, const char *reason, size_t len, const struct rb_err *err)
{
    struct rb_rpc_exchange *x = user;
    struct state *s = x->state;
    struct rb_err why = s->why;
    (void)reason;
    (void)len;
    if (!s->over && err && err->code) {
        why = *err;
    } else if (!s->over) {
        rb_err_set(&why, RB_ERESET, RB_T_ws_closed_early, code);
    }
    x->done(x->user, why.code ? &why : NULL);
}

static int start(struct rb_rpc_exchange *x, struct rb_err *err)
{
    static const struct rb_ws_events events = {on_open, on_message, NULL, on_closed};
    struct state *s = rb_xcalloc(1, sizeof *s);
    json_t *to = json_copy((json_t *)x->connection);
    json_object_set_new(to, "url", json_string(x->url));
    x->state = s;
    s->ws = rb_ws_start(x->call, to, x->connect_timeout, &events, x, err);
    json_decref(to);
    return s->ws ? 0 : err->code;
}

static void stop(struct rb_rpc_exchange *x)
{
    struct state *s = x->state;
    if (s) {
        rb_ws_free(s->ws);
        free(s);
        x->state = NULL;
    }
}

const struct rb_rpc_transport rb_rpc_websocket = {"ws wss", start, stop};
