/* Private to client.c (a connection's life), opening.c (HTTP until it is open) and frames.c (wslay after it).
 */
#ifndef RB_BINDINGS_WS_PRIVATE_H
#define RB_BINDINGS_WS_PRIVATE_H

#include <wslay/wslay.h>

#include "ws/client.h"

#define RB_WS_HEAD_MAX (16u << 10)

enum rb_ws_stage { RB_WS_CONNECTING, RB_WS_OPENING, RB_WS_OPEN, RB_WS_OVER };

struct rb_ws {
    struct rb_call *call;
    struct rb_transfer *transfer;
    uv_poll_t *poll; /* NULL before the connection stands */
    wslay_event_context_ptr frames;
    const struct rb_ws_events *events;
    void *user;
    json_t *args;
    struct rb_buf out, in; /* the request; what came and is not used yet */
    struct rb_ws_opening opening;
    struct rb_err why;
    char key[32];
    enum rb_ws_stage stage;
    int close_code, pongs;
    uint16_t leave;                /* the code to close with once all is said; 0 = not yet */
    unsigned char close_data[125]; /* the code in two bytes, the reason */
    size_t close_len, turn_left;
    bool sent, closing, *freed; /* freed: set when an event frees it */
};

/* client.c. What came, at most len; -1: nothing now; -2: the end, with why. */
ssize_t rb_ws_read_some(struct rb_ws *ws, void *data, size_t len);
ssize_t rb_ws_write_some(struct rb_ws *ws, const void *data, size_t len);
/* On the loop again when there is something to read, or room for what waits. */
void rb_ws_watch(struct rb_ws *ws);
/* The end, once; err: why, unless the other side closed it with a code. */
void rb_ws_over(struct rb_ws *ws, const struct rb_err *err);

/* opening.c. 1: open; 0: more must come; negative: it will not. */
int rb_ws_turn_opening(struct rb_ws *ws);

/* frames.c */
void rb_ws_begin_frames(struct rb_ws *ws);
void rb_ws_turn_frames(struct rb_ws *ws);
/* wslay sends a close before the messages that wait, and nothing after it: so it waits for them here. */
void rb_ws_leave_if_said(struct rb_ws *ws);

#endif
