/* A connection's life: it is made by libcurl, read and written on the loop, and ends once. */
#include <stdlib.h>
#include <string.h>

#include "net/url.h"
#include "ws/private.h"

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

void rb_ws_over(struct rb_ws *ws, const struct rb_err *err)
{
    struct rb_err why = err ? *err : (struct rb_err){0};
    if (ws->stage != RB_WS_OVER) {
        ws->stage = RB_WS_OVER;
        unwatch(ws);
        size_t len = ws->close_code && ws->close_len > 2 ? ws->close_len - 2 : 0;
        ws->events->closed(ws->user, ws->close_code, (const char *)ws->close_data + 2, len,
                           ws->close_code ? NULL : &why);
    }
}

/* ---- bytes ---- */

/* First what was read together with the head. */
ssize_t rb_ws_read_some(struct rb_ws *ws, void *data, size_t len)
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

ssize_t rb_ws_write_some(struct rb_ws *ws, const void *data, size_t len)
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

/* ---- turns ---- */

static void turn(struct rb_ws *ws)
{
    bool freed = false;
    if (ws->stage == RB_WS_OPENING) {
        int rc = rb_ws_turn_opening(ws);
        if (rc < 0) {
            rb_ws_over(ws, &ws->why);
            return;
        }
        if (rc == 0) {
            rb_ws_watch(ws);
            return;
        }
        rb_ws_begin_frames(ws);
        ws->freed = &freed;
        ws->events->open(ws->user);
        if (freed) {
            return;
        }
        ws->freed = NULL;
    }
    if (ws->stage == RB_WS_OPEN) {
        rb_ws_turn_frames(ws);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status; /* an error shows itself in the next read */
    (void)events;
    turn(poll->data);
}

void rb_ws_watch(struct rb_ws *ws)
{
    bool opening = ws->stage == RB_WS_OPENING;
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
        rb_ws_over(ws, err);
        return;
    }
    curl_easy_getinfo(rb_transfer_easy(transfer), CURLINFO_ACTIVESOCKET, &fd);
    ws->poll = rb_xcalloc(1, sizeof *ws->poll);
    if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(rb_call_loop(ws->call), ws->poll, fd) != 0) {
        free(ws->poll);
        ws->poll = NULL;
        rb_err_set(&ws->why, RB_ERESET, RB_T_ws_broke);
        rb_ws_over(ws, &ws->why);
        return;
    }
    ws->poll->data = ws;
    ws->stage = RB_WS_OPENING;
    rb_ws_watch(ws);
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
    (void)rb_buf_addf(&host, "%s%s%s%s%s", v6 ? "[" : "", url->host, v6 ? "]" : "", usual ? "" : ":",
                      usual ? "" : url->port);
    int rc = rb_ws_request(&ws->out, rb_buf_str(&host), path ? path : "/", ws->key, ws->args, err);
    rb_buf_deinit(&host);
    return rc;
}

static int connect_by(struct rb_ws *ws, const char *http_url, double timeout, struct rb_err *err)
{
    const json_t *tls = json_object_get(ws->args, "tls");
    struct rb_url url;
    struct rb_transfer_spec spec = {.url = http_url,
                                    .ca = rb_json_str(tls, "ca", NULL),
                                    .pin = rb_json_str(tls, "pin", NULL),
                                    .insecure = strcmp(rb_json_str(tls, "mode", "verify"), "require") == 0,
                                    .version = "1.1",
                                    .connect_timeout = timeout,
                                    .connect_only = true,
                                    .prepare = through_proxies,
                                    .done = connected,
                                    .user = ws};
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
    rb_buf_init(&ws->in, RB_WS_HEAD_MAX + 4096);
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
    rb_ws_watch(ws);
}

int rb_ws_send(struct rb_ws *ws, bool binary, const void *data, size_t len)
{
    if (ws->stage != RB_WS_OPEN) {
        return RB_ENOT_RUNNING;
    }
    queue(ws, binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME, data, len);
    return 0;
}

void rb_ws_ping(struct rb_ws *ws)
{
    if (ws->stage == RB_WS_OPEN) {
        queue(ws, WSLAY_PING, "", 0);
    }
}

void rb_ws_close(struct rb_ws *ws, int code)
{
    if (ws->stage == RB_WS_OPEN) {
        ws->leave = (uint16_t)code;
        rb_ws_leave_if_said(ws);
        rb_ws_watch(ws);
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
