/* One call: tries, hops, and what comes of them. */
#include "http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"
#include "http/keep.h"
#include "http/redirect.h"
#include "http/request.h"
#include "http/value.h"
#include "net/headers.h"
#include "net/transfer.h"

#define WAIT_MAX 60.0

struct exchange {
    struct rb_call *call;
    struct rb_http_request request;
    struct rb_transfer *transfer;
    uv_timer_t timer; /* of the wait before another try; used only when there may be one */
    bool has_timer, write;
    bool outer; /* an answer on the way came from elsewhere */
    bool lost;  /* something was sent before, and no answer came */
    int tries;
    json_t *hops;
};

static void exchange_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void exchange_free(struct exchange *x)
{
    rb_call_data_set(x->call, NULL);
    if (x->transfer) {
        rb_transfer_free(x->transfer);
    }
    rb_http_request_deinit(&x->request);
    json_decref(x->hops);
    if (x->has_timer) {
        uv_close((uv_handle_t *)&x->timer, exchange_closed);
    } else {
        free(x);
    }
}

static void give_up(struct exchange *x, struct rb_err *err)
{
    struct rb_call *call = x->call;
    if (x->write && x->lost && err->code != RB_ESTATUS) {
        err->code = RB_ERESET; /* an earlier try may have reached the server */
    } else if (x->transfer && !rb_transfer_sent(x->transfer)) {
        rb_call_undone(call);
    }
    exchange_free(x);
    rb_call_fail(call, err);
}

static int try_once(struct exchange *x, struct rb_err *err);

static void start_or_fail(struct exchange *x)
{
    struct rb_err err = {0};
    if (try_once(x, &err) != 0) {
        give_up(x, &err);
    }
}

static void waited(uv_timer_t *timer)
{
    start_or_fail(timer->data);
}

/* ---- another try ---- */

/* 0 = no. Only when nothing was sent, or when asking twice does no harm. */
static bool may_repeat(const struct exchange *x, const struct rb_err *err, long status)
{
    bool busy = status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
    if (x->tries >= x->request.times) {
        return false;
    }
    if (!err) {
        return busy && x->request.repeatable;
    }
    if (err->code == RB_EUSAGE || err->code == RB_ETOO_LARGE || err->code == RB_EMISSING) {
        return false;
    }
    return x->request.repeatable || !rb_transfer_sent(x->transfer);
}

static void repeat(struct exchange *x, const char *why)
{
    char text[1100];
    double wait = x->request.wait * (double)(1u << (x->tries - 1));
    double asked = strtod(rb_headers_value(rb_transfer_answer(x->transfer)->headers, "retry-after"), NULL);
    wait = asked > wait ? asked : wait;
    wait = wait > WAIT_MAX ? WAIT_MAX : wait;
    (void)snprintf(text, sizeof text, "%d: %s", x->tries, why);
    rb_call_remark(x->call, "retry", text);
    rb_transfer_free(x->transfer);
    x->transfer = NULL;
    uv_timer_start(&x->timer, waited, (uint64_t)(wait * 1000), 0);
}

/* ---- another place ---- */

static void follow(struct exchange *x)
{
    struct rb_err err = {0};
    struct rb_answer *answer = rb_transfer_answer(x->transfer);
    json_t *hop =
        json_pack("{s:s, s:i, s:s}", "url", answer->url, "status", (int)answer->status, "remote", answer->remote);
    int rc = rb_http_redirect(&x->request, answer, json_array_size(x->hops), &err);
    json_array_append_new(x->hops, hop);
    x->outer = x->outer || rb_http_is_from_outside(answer);
    if (rc == 0) {
        rb_call_remark(x->call, "redirect", x->request.url);
        rb_transfer_free(x->transfer);
        x->transfer = NULL;
        rc = try_once(x, &err);
    }
    if (rc != 0) {
        give_up(x, &err);
    }
}

/* ---- the end ---- */

static void finish(struct exchange *x)
{
    struct rb_err err = {0};
    struct rb_call *call = x->call;
    struct rb_answer *answer = rb_transfer_answer(x->transfer);
    json_t *value = NULL;
    if (x->write && !rb_http_request_ok(&x->request, answer->status)) {
        rb_http_status_error(x->request.method, answer, &err);
    } else {
        value = rb_http_value(answer, x->hops, x->tries, &err);
        rb_http_keep(value, x->request.args);
    }
    if (!value) {
        give_up(x, &err);
        return;
    }
    exchange_free(x);
    rb_call_done(call, value);
}

static void done(struct rb_transfer *transfer, const struct rb_err *err, void *user)
{
    struct exchange *x = user;
    struct rb_answer *answer = rb_transfer_answer(transfer);
    if (may_repeat(x, err, answer->status)) {
        char status[32];
        x->lost = x->lost || (err && rb_transfer_sent(transfer));
        (void)snprintf(status, sizeof status, "HTTP %ld", answer->status);
        repeat(x, err ? err->text : status);
    } else if (err) {
        struct rb_err own = *err;
        give_up(x, &own);
    } else if (rb_http_is_redirect(&x->request, answer)) {
        follow(x);
    } else {
        finish(x);
    }
}

/* ---- the beginning ---- */

static int try_once(struct exchange *x, struct rb_err *err)
{
    const struct rb_http_request *r = &x->request;
    const json_t *args = r->args;
    struct rb_transfer_spec spec = {
        .url = r->url,
        .method = r->method,
        .headers = r->headers,
        .body = r->has_body ? rb_buf_str(&r->body) : NULL,
        .body_len = r->body.len,
        .socket = rb_json_str(args, "socket", NULL),
        .ca = rb_json_str(args, "ca", NULL),
        .pin = rb_json_str(args, "pin", NULL),
        .insecure = rb_json_bool(args, "insecure", false),
        .version = rb_json_str(args, "version", NULL),
        .connect_timeout = rb_bind_real(args, "connect_timeout", 0),
        .max_body = (size_t)rb_json_int(args, "max_body", 0),
        .cut_body = x->write, /* what was done is done, however much it has to say */
        .reuse = !x->write,
        .outer = x->outer,
        .done = done,
        .user = x,
    };
    x->tries += json_array_size(x->hops) == 0;
    x->transfer = rb_transfer_start(x->call, &spec, err);
    return x->transfer ? 0 : err->code;
}

static int start(struct rb_call *call, const json_t *args, const char *method, bool write, struct rb_err *err)
{
    struct exchange *x = rb_xcalloc(1, sizeof *x);
    x->call = call;
    x->write = write;
    x->hops = json_array();
    int rc = rb_http_request_init(&x->request, method, args, err);
    if (rc == 0 && x->request.times > 1) {
        uv_timer_init(rb_call_loop(call), &x->timer);
        x->timer.data = x;
        x->has_timer = true;
    }
    rc = rc == 0 ? try_once(x, err) : rc;
    if (rc != 0) {
        exchange_free(x);
        return rc;
    }
    rb_call_data_set(call, x);
    if (rb_json_bool(args, "insecure", false)) {
        rb_call_remark(call, "insecure", "the server's certificate is not checked");
    }
    if (rb_transfer_answer(x->transfer)->proxy) {
        rb_call_remark(call, "proxy", rb_transfer_answer(x->transfer)->proxy);
    }
    return 0;
}

void rb_http_cancel(struct rb_call *call)
{
    struct exchange *x = rb_call_data(call);
    struct rb_err err = {0};
    if (!x) {
        return;
    }
    if (x->transfer) {
        rb_transfer_stopped(x->transfer, call, &err);
    } else {
        rb_err_set(&err, RB_ECANCELLED, RB_T_http_stopped, x->request.url);
    }
    if (!x->lost && !(x->transfer && rb_transfer_sent(x->transfer))) {
        rb_call_undone(call);
    }
    exchange_free(x);
    rb_call_fail(call, &err);
}

int rb_http_get(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "GET", false, err);
}

int rb_http_head(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "HEAD", false, err);
}

int rb_http_options(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "OPTIONS", false, err);
}

int rb_http_post(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "POST", true, err);
}

int rb_http_put(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "PUT", true, err);
}

int rb_http_patch(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "PATCH", true, err);
}

int rb_http_delete(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "DELETE", true, err);
}
