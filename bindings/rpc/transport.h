/* How a request gets to an endpoint and its bytes come back: HTTP, a stream (TCP, UNIX socket), a WebSocket. */
#ifndef RB_BINDINGS_RPC_TRANSPORT_H
#define RB_BINDINGS_RPC_TRANSPORT_H

#include "base/json.h"
#include "binding.h"

#define RB_RPC_ANSWER_MAX (4u << 20)

struct rb_rpc_exchange {
    struct rb_call *call;
    const char *url;          /* of the endpoint */
    const json_t *connection; /* headers, tls */
    const char *request;
    size_t len;
    double connect_timeout;
    /* One JSON text of the answer. 1: all is answered; 0: more is to come; negative: it is no answer. */
    int (*text)(void *user, const char *text, size_t len, struct rb_err *err);
    /* Once, last, never inside start: the texts are through (err NULL), or no more will come. */
    void (*done)(void *user, const struct rb_err *err);
    void *user;
    bool sent;   /* may anything have been sent? */
    void *state; /* the transport's own */
};

struct rb_rpc_transport {
    const char *schemes; /* "http https" */
    int (*start)(struct rb_rpc_exchange *x, struct rb_err *err);
    /* Frees what start made; at any time, done is not called any more. */
    void (*stop)(struct rb_rpc_exchange *x);
};

extern const struct rb_rpc_transport rb_rpc_http, rb_rpc_stream, rb_rpc_websocket;

#endif
