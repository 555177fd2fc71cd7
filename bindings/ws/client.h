/* One WebSocket connection: libcurl makes the connection (TLS, proxies), wslay the frames. */
#ifndef RB_BINDINGS_WS_CLIENT_H
#define RB_BINDINGS_WS_CLIENT_H

#include "net/transfer.h"
#include "ws/handshake.h"

#define RB_WS_MESSAGE_MAX (4u << 20)

struct rb_ws;

/* None is called inside of rb_ws_start, rb_ws_send or rb_ws_close. The client may be freed in open and closed, not in
 * message. */
struct rb_ws_events {
    void (*open)(void *user);
    void (*message)(void *user, bool binary, const void *data, size_t len);
    void (*pong)(void *user); /* may be NULL; not a place to free it either */
    /* Once, last. code 0: the connection ended without a close frame; then err says how. */
    void (*closed)(void *user, int code, const char *reason, size_t len, const struct rb_err *err);
};

/* args: url (ws:// or wss://), headers, protocols, tls = { mode, ca, pin }. NULL with err. */
struct rb_ws *rb_ws_start(struct rb_call *call, const json_t *args, double connect_timeout,
                          const struct rb_ws_events *events, void *user, struct rb_err *err);
int rb_ws_send(struct rb_ws *ws, bool binary, const void *data, size_t len);
void rb_ws_ping(struct rb_ws *ws);
/* After what was sent; the messages that are not out yet. */
void rb_ws_close(struct rb_ws *ws, int code);
size_t rb_ws_unsaid(const struct rb_ws *ws);
/* At any time; no event comes any more. */
void rb_ws_free(struct rb_ws *ws);

const struct rb_ws_opening *rb_ws_opening_of(const struct rb_ws *ws);
/* dns, connect, tls as measured; never NULL. */
const struct rb_answer *rb_ws_answer(struct rb_ws *ws);
bool rb_ws_sent(const struct rb_ws *ws); /* has a message, or a part of one, left? */
int rb_ws_pongs(const struct rb_ws *ws);

#endif
