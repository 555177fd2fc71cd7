/* The opening: our request goes out, the head of the answer comes in. */
#include <string.h>

#include "ws/private.h"

/* The end of the head in what came, or 0. */
static size_t head_end(const struct rb_buf *in)
{
    const char *end = in->len ? strstr(in->data, "\r\n\r\n") : NULL;
    return end ? (size_t)(end - in->data) + 4 : 0;
}

static int take_head(struct rb_ws *ws, size_t len)
{
    int rc = rb_ws_opening(&ws->opening, ws->in.data, len, &ws->why);
    rc = rc ? rc : rb_ws_agreed(&ws->opening, ws->key, json_object_get(ws->args, "protocols"), &ws->why);
    rb_buf_consume(&ws->in, len);
    return rc;
}

int rb_ws_turn_opening(struct rb_ws *ws)
{
    char part[4096];
    while (ws->out.len) {
        ssize_t put = rb_ws_write_some(ws, ws->out.data, ws->out.len);
        if (put < 0) {
            return put == -1 ? 0 : RB_ERESET;
        }
        rb_buf_consume(&ws->out, (size_t)put);
    }
    for (;;) {
        size_t len = head_end(&ws->in);
        if (len) {
            int rc = take_head(ws, len);
            return rc ? rc : 1;
        }
        size_t got = 0;
        CURLcode code = curl_easy_recv(rb_transfer_easy(ws->transfer), part, sizeof part, &got);
        if (code == CURLE_AGAIN) {
            return 0;
        }
        if (code != CURLE_OK || got == 0) {
            return rb_err_set(&ws->why, RB_ERESET, RB_T_ws_broke);
        }
        if (ws->in.len + got > RB_WS_HEAD_MAX || rb_buf_add(&ws->in, part, got) != 0) {
            return rb_err_set(&ws->why, RB_ETOO_LARGE, RB_T_ws_head);
        }
    }
}
