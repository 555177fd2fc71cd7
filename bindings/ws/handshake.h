/* The opening of a WebSocket (RFC 6455, 4): pure. */
#ifndef RB_BINDINGS_WS_HANDSHAKE_H
#define RB_BINDINGS_WS_HANDSHAKE_H

#include "base/json.h"

struct rb_ws_opening {
    long status;
    char reason[64];      /* behind the status; foreign */
    const char *protocol; /* borrowed from headers; "" without */
    json_t *headers;
};

/* 16 random bytes as base64. */
void rb_ws_key(char out[32]);
/* What the server must answer to it. */
void rb_ws_accept(const char *key, char out[32]);
/* The request; headers are checked as those of http are. RB_EUSAGE. */
int rb_ws_request(struct rb_buf *out, const char *host, const char *target, const char *key, const json_t *args,
                  struct rb_err *err);
/* The whole head of an answer, up to its empty line. RB_ERESET when it is none. */
int rb_ws_opening(struct rb_ws_opening *out, const char *head, size_t len, struct rb_err *err);
/* Is it a WebSocket now? RB_ESTATUS, or RB_ERESET for a server that says yes wrongly. protocols: what was asked for. */
int rb_ws_agreed(const struct rb_ws_opening *opening, const char *key, const json_t *protocols, struct rb_err *err);
void rb_ws_opening_deinit(struct rb_ws_opening *opening);

#endif
