/* TLS between two buffers: what came from the wire in, what must go out on it out. For clients that do their own
 * reading and writing on the loop, so that nothing of it blocks. */
#ifndef RB_BINDINGS_TLS_STREAM_H
#define RB_BINDINGS_TLS_STREAM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct rb_tls;

/* tls: {"mode": "require" | "verify", "ca"?, "pin"?}; host: the name or address its certificate must hold; where: for
 * messages. NULL with RB_ETLS (a ca that cannot be read). */
struct rb_tls *rb_tls_new(const json_t *tls, const char *host, const char *where, struct rb_err *err);
void rb_tls_free(struct rb_tls *tls);

/* Bytes from the wire; what they say is added to plain. 0 or RB_ETLS. */
int rb_tls_feed(struct rb_tls *tls, const char *data, size_t len, struct rb_buf *plain, struct rb_err *err);
/* To be sent; only once rb_tls_is_ready. */
int rb_tls_send(struct rb_tls *tls, const char *data, size_t len, struct rb_err *err);
/* What must go out now is added to wire. */
void rb_tls_take(struct rb_tls *tls, struct rb_buf *wire);
/* The other side is who it should be, and the keys are agreed on. */
bool rb_tls_is_ready(const struct rb_tls *tls);

#endif
