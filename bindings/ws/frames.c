/* Frames by wslay. */
#include <string.h>
#include <sys/random.h>

#include "ws/private.h"

#define TURN_MAX (1u << 20) /* read at a time: a flood must not keep the loop */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *data, size_t len, int flags, void *user)
{
    struct rb_ws *ws = user;
    ssize_t got = ws->turn_left ? rb_ws_read_some(ws, data, len < ws->turn_left ? len : ws->turn_left) : -1;
    (void)flags;
    if (got < 0) {
        wslay_event_set_error(frames, got == -1 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    ws->turn_left -= (size_t)got;
    return got;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *data, size_t len, int flags, void *user)
{
    struct rb_ws *ws = user;
    ssize_t put = rb_ws_write_some(ws, data, len);
    (void)flags;
    if (put < 0) {
        wslay_event_set_error(frames, put == -1 ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    ws->sent = true;
    return put;
}

static int on_mask(wslay_event_context_ptr frames, uint8_t *out, size_t len, void *user)
{
    (void)frames;
    (void)user;
    return getrandom(out, len, 0) == (ssize_t)len ? 0 : -1;
}

static void on_message(wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
    struct rb_ws *ws = user;
    (void)frames;
    if (arg->opcode == WSLAY_PONG) {
        ws->pongs++;
        if (ws->events->pong) {
            ws->events->pong(ws->user);
        }
    } else if (!wslay_is_ctrl_frame(arg->opcode) && ws->stage == RB_WS_OPEN) {
        ws->events->message(ws->user, arg->opcode == WSLAY_BINARY_FRAME, arg->msg, arg->msg_length);
    }
}

/* A close frame is read here and not in on_message, because wslay refuses the codes 1012 to 1014, which came
 * after it. */
static void on_frame(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_start_arg *arg, void *user)
{
    struct rb_ws *ws = user;
    (void)frames;
    ws->closing = arg->opcode == WSLAY_CONNECTION_CLOSE && arg->payload_length <= sizeof ws->close_data;
    ws->close_len = 0;
}

static void on_chunk(wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_chunk_arg *arg, void *user)
{
    struct rb_ws *ws = user;
    (void)frames;
    if (ws->closing && arg->data_length <= sizeof ws->close_data - ws->close_len) {
        memcpy(ws->close_data + ws->close_len, arg->data, arg->data_length);
        ws->close_len += arg->data_length;
    }
}

static void on_frame_end(wslay_event_context_ptr frames, void *user)
{
    struct rb_ws *ws = user;
    unsigned code = ws->close_len > 1 ? (unsigned)ws->close_data[0] << 8 | ws->close_data[1] : 1005;
    bool registered = (code >= 1000 && code <= 1014 && code != 1004 && code != 1006) || (code >= 3000 && code <= 4999);
    (void)frames;
    if (ws->closing && registered) {
        ws->close_code = (int)code;
    }
    ws->closing = false;
}

void rb_ws_leave_if_said(struct rb_ws *ws)
{
    if (ws->leave && rb_ws_unsaid(ws) == 0) {
        (void)wslay_event_queue_close(ws->frames, ws->leave, NULL, 0);
        ws->leave = 0;
    }
}

void rb_ws_turn_frames(struct rb_ws *ws)
{
    ws->turn_left = TURN_MAX;
    int rc = wslay_event_want_read(ws->frames) ? wslay_event_recv(ws->frames) : 0;
    rc = rc == 0 && wslay_event_want_write(ws->frames) ? wslay_event_send(ws->frames) : rc;
    rb_ws_leave_if_said(ws);
    bool done = !wslay_event_want_read(ws->frames) && !wslay_event_want_write(ws->frames);
    if (rc != 0 && !ws->why.code) {
        rb_err_set(&ws->why, RB_ERESET, RB_T_ws_frame);
    }
    if (rc != 0 || done || ws->close_code) {
        if (!ws->close_code && !ws->why.code) { /* wslay closed: it told the other side what was wrong */
            bool large = wslay_event_get_status_code_sent(ws->frames) == WSLAY_CODE_MESSAGE_TOO_BIG;
            rb_err_set(&ws->why, large ? RB_ETOO_LARGE : RB_ERESET, large ? RB_T_ws_large : RB_T_ws_frame,
                       (int)(RB_WS_MESSAGE_MAX >> 20));
        }
        rb_ws_over(ws, &ws->why);
        return;
    }
    rb_ws_watch(ws);
}

void rb_ws_begin_frames(struct rb_ws *ws)
{
    static const struct wslay_event_callbacks callbacks = {on_recv,  on_send,      on_mask,   on_frame,
                                                           on_chunk, on_frame_end, on_message};
    RB_REQUIRE(wslay_event_context_client_init(&ws->frames, &callbacks, ws) == 0);
    wslay_event_config_set_max_recv_msg_length(ws->frames, RB_WS_MESSAGE_MAX);
    ws->stage = RB_WS_OPEN;
}
