#include "ws/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <wslay/wslay.h>

#include "net/url.h"

#define HEAD_MAX (16u << 10)
#define TURN_MAX (1u << 20) /* read at a time: a flood must not keep the loop */

enum stage { CONNECTING, OPENING, OPEN, OVER };

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
    enum stage stage;
    int close_code, pongs;
    uint16_t leave; /* the code to close with once all is said; 0 = not yet */
    unsigned char close_data[125]; /* the code in two bytes, the reason */
    size_t close_len, turn_left;
    bool sent, closing, *freed; /* freed: set when an event frees it */
};

static void handle_gone(uv_handle_t *handle)
{
    free(handle);
}

static void unwatch(struct rb_ws *ws)
{
    if (ws->poll) {
        uv_poll_stop(ws->poll);
        uv_close((uv_handle_t *)ws->poll, handle_gone);
        ws->poll = NULL;
    }
}

void rb_ws_free(struct rb_ws *ws)
{
    if (!ws) {
        return;
    }
    if (ws->freed) {
        *ws->freed = true;
    }
    unwatch(ws);
    if (ws->transfer) {
        rb_transfer_free(ws->transfer);
    }
    if (ws->frames) {
        wslay_event_context_free(ws->frames);
    }
    rb_buf_deinit(&ws->out);
    rb_buf_deinit(&ws->in);
    rb_ws_opening_deinit(&ws->opening);
    json_decref(ws->args);
    free(ws);
}

static void over(struct rb_ws *ws, const struct rb_err *err)
{
    struct rb_err why = err ? *err : (struct rb_err){0};
    if (ws->stage != OVER) {
        ws->stage = OVER;
        unwatch(ws);
        size_t len = ws->close_code && ws->close_len > 2 ? ws->close_len - 2 : 0;
        ws->events->closed(ws->user, ws->close_code, (const char *)ws->close_data + 2, len, ws->close_code ? NULL : &why);
    }
}

/* ---- bytes ---- */

/* What came, at most len: first what was read together with the head. -1: nothing now; -2: the end, with err. */
static ssize_t read_some(struct rb_ws *ws, void *data, size_t len)
{
    size_t got = ws->in.len < len ? ws->in.len : len;
    if (got) {
        memcpy(data, ws->in.data, got);
        rb_buf_consume(&ws->in, got);
        return (ssize_t)got;
    }
    CURLcode code = curl_easy_recv(rb_transfer_easy(ws->transfer), data, len, &got);
    if (code == CURLE_AGAIN) {
        return -1;
    }
    if (code != CURLE_OK || got == 0) {
        rb_err_set(&ws->why, RB_ERESET, RB_T_ws_broke);
        return -2;
    }
    return (ssize_t)got;
}

static ssize_t write_some(struct rb_ws *ws, const void *data, size_t len)
{
    size_t put = 0;
    CURLcode code = curl_easy_send(rb_transfer_easy(ws->transfer), data, len, &put);
    if (code == CURLE_AGAIN) {
        return -1;
    }
    if (code != CURLE_OK) {
        rb_err_set(&ws->why, RB_ERESET, RB_T_ws_broke);
        return -2;
    }
    return (ssize_t)put;
}

/* ---- frames ---- */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *data, size_t len, int flags, void *user)
{
    struct rb_ws *ws = user;
    ssize_t got = ws->turn_left ? read_some(ws, data, len < ws->turn_left ? len : ws->turn_left) : -1;
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
    ssize_t put = write_some(ws, data, len);
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
    } else if (!wslay_is_ctrl_frame(arg->opcode) && ws->stage == OPEN) {
        ws->events->message(ws->user, arg->opcode == WSLAY_BINARY_FRAME, arg->msg, arg->msg_length);
    }
}

/* A close frame is read here and not in on_message, because wslay refuses the codes 1012 to 1014, which came after it. */
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

static void watch(struct rb_ws *ws);

/* wslay sends a close before the messages that wait, and nothing after it: so it waits for them here. */
static void leave_if_said(struct rb_ws *ws)
{
    if (ws->leave && rb_ws_unsaid(ws) == 0) {
        (void)wslay_event_queue_close(ws->frames, ws->leave, NULL, 0);
        ws->leave = 0;
    }
}

static void turn_frames(struct rb_ws *ws)
{
    ws->turn_left = TURN_MAX;
    int rc = wslay_event_want_read(ws->frames) ? wslay_event_recv(ws->frames) : 0;
    rc = rc == 0 && wslay_event_want_write(ws->frames) ? wslay_event_send(ws->frames) : rc;
    leave_if_said(ws);
    bool done = !wslay_event_want_read(ws->frames) && !wslay_event_want_write(ws->frames);
    if (rc != 0 && !ws->why.code) {
        rb_err_set(&ws->why, RB_ERESET, RB_T_ws_frame);
    }
    if (rc != 0 || done || ws->close_code) {
        if (!ws->close_code && !ws->why.code) { /* wslay closed: it told the other side what was wrong */
            bool large = wslay_event_get_status_code_sent(ws->frames) == WSLAY_CODE_MESSAGE_TOO_BIG;
            rb_err_set(&ws->why, large ? RB_ETOO_LARGE : RB_ERESET, large ? RB_T_ws_large : RB_T_ws_frame, (int)(RB_WS_MESSAGE_MAX >> 20));
        }
        over(ws, &ws->why);
        return;
    }
    watch(ws);
}

static void begin_frames(struct rb_ws *ws)
{
    static const struct wslay_event_callbacks callbacks = {on_recv,  on_send,      on_mask, on_frame,
                                                            on_chunk, on_frame_end, on_message};
    RB_REQUIRE(wslay_event_context_client_init(&ws->frames, &callbacks, ws) == 0);
    wslay_event_config_set_max_recv_msg_length(ws->frames, RB_WS_MESSAGE_MAX);
    ws->stage = OPEN;
}

/* ---- the opening ---- */

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

/* 1: open; 0: more must come; negative: it will not. */
static int turn_opening(struct rb_ws *ws)
{
    char part[4096];
    while (ws->out.len) {
        ssize_t put = write_some(ws, ws->out.data, ws->out.len);
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
        if (ws->in.len + got > HEAD_MAX || rb_buf_add(&ws->in, part, got) != 0) {
            return rb_err_set(&ws->why, RB_ETOO_LARGE, RB_T_ws_head);
        }
    }
}

static void turn(struct rb_ws *ws)
{
    bool freed = false;
    if (ws->stage == OPENING) {
        int rc = turn_opening(ws);
        if (rc < 0) {
            over(ws, &ws->why);
            return;
        }
        if (rc == 0) {
            watch(ws);
            return;
        }
        begin_frames(ws);
        ws->freed = &freed;
        ws->events->open(ws->user);
        if (freed) {
            return;
        }
        ws->freed = NULL;
    }
    if (ws->stage == OPEN) {
        turn_frames(ws);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows itself in the next read */
    (void)events;
    turn(poll->data);
}

static void watch(struct rb_ws *ws)
{
    bool opening = ws->stage == OPENING;
    bool write = opening ? ws->out.len > 0 : ws->turn_left == 0 || wslay_event_want_write(ws->frames);
    if (ws->poll) {
        uv_poll_start(ws->poll, UV_READABLE | (write ? UV_WRITABLE : 0), on_poll);
    }
}

/* ---- the connection ---- */

static void connected(struct rb_transfer *transfer, const struct rb_err *err, void *user)
{
    struct rb_ws *ws = user;
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (err) {
        over(ws, err);
        return;
    }
    curl_easy_getinfo(rb_transfer_easy(transfer), CURLINFO_ACTIVESOCKET, &fd);
    ws->poll = rb_xcalloc(1, sizeof *ws->poll);
    if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(rb_call_loop(ws->call), ws->poll, fd) != 0) {
        free(ws->poll);
        ws->poll = NULL;
        rb_err_set(&ws->why, RB_ERESET, RB_T_ws_broke);
        over(ws, &ws->why);
        return;
    }
    ws->poll->data = ws;
    ws->stage = OPENING;
    watch(ws);
}

static void through_proxies(CURL *easy, void *user)
{
    (void)user;
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
}

/* ws:// is http:// to libcurl, which only connects. */
static int request(struct rb_ws *ws, const struct rb_url *url, struct rb_err *err)
{
    const char *path = strchr(strstr(url->text, "://") + 3, '/');
    struct rb_buf host;
    rb_buf_init(&host, 512);
    bool v6 = strchr(url->host, ':'), usual = strcmp(url->port, strcmp(url->scheme, "https") ? "80" : "443") == 0;
    (void)rb_buf_addf(&host, "%s%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "", usual ? "" : ":", usual ? "" : url->port);
    int rc = rb_ws_request(&ws->out, rb_buf_str(&host), path ? path : "/", ws->key, ws->args, err);
    rb_buf_deinit(&host);
    return rc;
}

static int connect_by(struct rb_ws *ws, const char *http_url, double timeout, struct rb_err *err)
{
    const json_t *tls = json_object_get(ws->args, "tls");
    struct rb_url url;
    struct rb_transfer_spec spec = {.url = http_url, .ca = rb_json_str(tls, "ca", NULL), .pin = rb_json_str(tls, "pin", NULL),
                                    .insecure = strcmp(rb_json_str(tls, "mode", "verify"), "require") == 0,
                                    .version = "1.1", .connect_timeout = timeout, .connect_only = true,
                                    .prepare = through_proxies, .done = connected, .user = ws};
    int rc = rb_url_parse(&url, http_url, "http https", err);
    if (rc != 0) {
        return rc;
    }
    rc = request(ws, &url, err);
    rb_url_deinit(&url);
    ws->transfer = rc == 0 ? rb_transfer_start(ws->call, &spec, err) : NULL;
    if (ws->transfer && spec.insecure) {
        rb_call_remark(ws->call, "unenforced", "certificate not checked");
    }
    return ws->transfer ? 0 : rc ? rc : err->code;
}

struct rb_ws *rb_ws_start(struct rb_call *call, const json_t *args, double connect_timeout,
                          const struct rb_ws_events *events, void *user, struct rb_err *err)
{
    const char *url = rb_json_str(args, "url", "");
    bool secure = strncmp(url, "wss://", 6) == 0;
    struct rb_err own = {0};
    struct rb_buf http;
    if (!secure && strncmp(url, "ws://", 5) != 0) {
        rb_err_set(err, RB_EUSAGE, RB_T_ws_url, url);
        return NULL;
    }
    struct rb_ws *ws = rb_xcalloc(1, sizeof *ws);
    ws->call = call;
    ws->events = events;
    ws->user = user;
    ws->args = json_deep_copy(args);
    rb_buf_init(&ws->out, 64 << 10);
    rb_buf_init(&ws->in, HEAD_MAX + 4096);
    rb_ws_key(ws->key);
    rb_buf_init(&http, 8192);
    (void)rb_buf_addf(&http, "http%s%s", secure ? "s" : "", url + (secure ? 3 : 2));
    if (connect_by(ws, rb_buf_str(&http), connect_timeout, err ? err : &own) != 0) {
        rb_ws_free(ws);
        ws = NULL;
    }
    rb_buf_deinit(&http);
    return ws;
}

/* ---- what a user does ---- */

static void queue(struct rb_ws *ws, uint8_t opcode, const void *data, size_t len)
{
    struct wslay_event_msg message = {opcode, data, len};
    (void)wslay_event_queue_msg(ws->frames, &message);
    watch(ws);
}

int rb_ws_send(struct rb_ws *ws, bool binary, const void *data, size_t len)
{
    if (ws->stage != OPEN) {
        return RB_ENOT_RUNNING;
    }
    queue(ws, binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME, data, len);
    return 0;
}

void rb_ws_ping(struct rb_ws *ws)
{
    if (ws->stage == OPEN) {
        queue(ws, WSLAY_PING, "", 0);
    }
}

void rb_ws_close(struct rb_ws *ws, int code)
{
    if (ws->stage == OPEN) {
        ws->leave = (uint16_t)code;
        leave_if_said(ws);
        watch(ws);
    }
}

size_t rb_ws_unsaid(const struct rb_ws *ws)
{
    return wslay_event_get_queued_msg_count(ws->frames);
}

const struct rb_ws_opening *rb_ws_opening_of(const struct rb_ws *ws)
{
    return &ws->opening;
}

const struct rb_answer *rb_ws_answer(struct rb_ws *ws)
{
    return rb_transfer_answer(ws->transfer);
}

bool rb_ws_sent(const struct rb_ws *ws)
{
    return ws->sent;
}

int rb_ws_pongs(const struct rb_ws *ws)
{
    return ws->pongs;
}
