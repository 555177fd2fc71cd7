/* One call: the request, the endpoints one after the other, and what it becomes for the runbook. A read goes on to the
 * next endpoint after any failure; a write only while nothing can have been sent. */
#include "rpc/rpc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "rpc/message.h"
#include "rpc/safe.h"
#include "rpc/transport.h"

#define ENDPOINTS_MAX 16
#define REQUEST_MAX (4u << 20)
#define CONNECT_MAX 10.0
#define TIMEOUT_DEFAULT 30.0

enum mode { ASK, ANSWER, BATCH, CALL };

struct session {
    uv_timer_t *timer; /* of one endpoint; and what start may not do itself */
    struct rb_call *call;
    enum mode mode;
    json_t *connection, *calls, *failed; /* failed: [{endpoint, code, message}] */
    const char *endpoints[ENDPOINTS_MAX];
    size_t count, at;
    struct rb_buf request;
    struct rb_rpc_batch batch;
    struct rb_rpc_exchange exchange;
    const struct rb_rpc_transport *transport;
    int64_t endpoint_ns, until_ns;
};

static const struct rb_rpc_transport *const transports[] = {&rb_rpc_http, &rb_rpc_stream, &rb_rpc_websocket};

static void begin(struct session *s);

/* ---- the end ---- */

static void timer_gone(uv_handle_t *handle)
{
    free(handle);
}

static void session_free(struct session *s)
{
    if (s->transport) {
        s->transport->stop(&s->exchange);
    }
    rb_rpc_batch_deinit(&s->batch);
    rb_buf_deinit(&s->request);
    json_decref(s->connection);
    json_decref(s->calls);
    json_decref(s->failed);
    if (s->timer) {
        uv_timer_stop(s->timer);
        uv_close((uv_handle_t *)s->timer, timer_gone);
    }
    free(s);
}

static void fail(struct session *s, const struct rb_err *err)
{
    struct rb_call *call = s->call;
    struct rb_err copy = *err;
    if (copy.code == RB_EPROTOCOL) {
        copy.code = RB_ERPC; /* protocol is the word for our own processes */
    }
    if (s->transport) {
        s->transport->stop(&s->exchange);
    }
    if (!s->exchange.sent) {
        rb_call_undone(call);
    }
    rb_call_data_set(call, NULL);
    session_free(s);
    rb_call_fail(call, &copy);
}

/* "execution reverted (-32000)", and the whole of it for err.data. */
static void fail_error(struct session *s, const json_t *error)
{
    struct rb_err err = {0};
    const char *method = json_string_value(json_array_get(json_array_get(s->calls, 0), 0));
    rb_err_set(&err, RB_ERPC, RB_T_rpc_error, method, rb_json_str(error, "message", ""),
               (long long)rb_json_int(error, "code", 0));
    rb_call_details(s->call, json_incref((json_t *)error));
    fail(s, &err);
}

static json_t *batch_value(struct session *s)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach(s->batch.answers, i, one) {
        json_t *error = json_object_get(one, "error"), *result = json_object_get(one, "result");
        json_array_append_new(list, error ? json_pack("{s:b, s:O}", "ok", 0, "error", error)
                                          : json_pack("{s:b, s:O}", "ok", 1, "value", result));
    }
    return list;
}

static json_t *answer_value(struct session *s)
{
    json_t *first = json_array_get(s->batch.answers, 0), *error = json_object_get(first, "error");
    json_t *value = json_pack("{s:b, s:s, s:f, s:O}", "ok", error == NULL, "endpoint", s->endpoints[s->at], "ms",
                              (double)(rb_clock_mono_ns() - s->endpoint_ns) / 1e6, "failed", s->failed);
    json_object_set(value, error ? "error" : "value", error ? error : json_object_get(first, "result"));
    return value;
}

static void succeed(struct session *s)
{
    json_t *first = json_array_get(s->batch.answers, 0), *error = json_object_get(first, "error");
    struct rb_call *call = s->call;
    if (error && (s->mode == ASK || s->mode == CALL)) {
        fail_error(s, error);
        return;
    }
    json_t *value = s->mode == BATCH    ? batch_value(s)
                    : s->mode == ANSWER ? answer_value(s)
                                        : json_incref(json_object_get(first, "result"));
    rb_call_data_set(call, NULL);
    session_free(s);
    rb_call_done(call, value);
}

/* ---- one endpoint ---- */

static void stop_endpoint(struct session *s)
{
    if (s->transport) {
        s->transport->stop(&s->exchange);
        s->transport = NULL;
    }
    uv_timer_stop(s->timer);
}

static void next_endpoint(struct session *s, const struct rb_err *err)
{
    struct rb_err why = *err;
    bool over = s->mode == CALL && s->exchange.sent;
    json_array_append_new(s->failed,
                          json_pack("{s:s, s:s, s:s}", "endpoint", s->endpoints[s->at], "code",
                                    rb_err_name(why.code == RB_EPROTOCOL ? RB_ERPC : why.code), "message", why.text));
    stop_endpoint(s);
    if (over && (why.code == RB_EPROTOCOL || why.code == RB_ETOO_LARGE || why.code == RB_ETIMEOUT)) {
        why.code = RB_ERESET; /* it was sent, and no answer can be believed */
    }
    if (over || s->at + 1 == s->count) {
        fail(s, &why);
        return;
    }
    s->at++;
    begin(s);
}

static int on_text(void *user, const char *text, size_t len, struct rb_err *err)
{
    struct session *s = user;
    int rc = rb_rpc_take(&s->batch, text, len, err);
    return rc ? rc : s->batch.missing == 0;
}

static void on_done(void *user, const struct rb_err *err)
{
    struct session *s = user;
    if (err) {
        next_endpoint(s, err);
    } else {
        succeed(s);
    }
}

static void on_late(uv_timer_t *timer)
{
    struct session *s = timer->data;
    struct rb_err err = {0};
    rb_err_set(&err, RB_ETIMEOUT, RB_T_rpc_late, s->endpoints[s->at]);
    next_endpoint(s, &err);
}

static const struct rb_rpc_transport *transport_of(const char *url)
{
    size_t len = strcspn(url, ":");
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
        for (const char *word = transports[i]->schemes; word; word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL) {
            if (strncmp(word, url, len) == 0 && (word[len] == ' ' || !word[len])) {
                return transports[i];
            }
        }
    }
    return NULL;
}

/* Every endpoint gets its part of what is left; the last one all of it. A write that was sent is never given up here.
 */
static void begin(struct session *s)
{
    struct rb_err err = {0};
    int64_t now = rb_clock_mono_ns();
    double left = (double)(s->until_ns - now) / 1e9, share = left / (double)(s->count - s->at);
    share = share > 0.001 ? share : 0.001;
    s->endpoint_ns = now;
    s->transport = transport_of(s->endpoints[s->at]);
    s->exchange = (struct rb_rpc_exchange){.call = s->call,
                                           .url = s->endpoints[s->at],
                                           .connection = s->connection,
                                           .request = rb_buf_str(&s->request),
                                           .len = s->request.len,
                                           .connect_timeout = share < CONNECT_MAX ? share : CONNECT_MAX,
                                           .text = on_text,
                                           .done = on_done,
                                           .user = s};
    json_int_t id = s->batch.first_id;
    rb_rpc_batch_deinit(&s->batch);
    rb_rpc_batch_init(&s->batch, id, json_array_size(s->calls));
    if (s->transport->start(&s->exchange, &err) != 0) {
        next_endpoint(s, &err);
    } else if (s->mode != CALL && s->at + 1 < s->count) {
        uv_timer_start(s->timer, on_late, (uint64_t)(share * 1000), 0);
    }
}

static void on_begin(uv_timer_t *timer)
{
    begin(timer->data);
}

/* ---- the beginning ---- */

static json_t *connection_of(const json_t *args)
{
    const json_t *given = json_object_get(args, "connection");
    return json_is_string(given) ? json_pack("{s:O}", "url", given) : json_deep_copy(given);
}

static json_t *calls_of(const json_t *args, enum mode mode)
{
    if (mode == BATCH) {
        return json_deep_copy(json_object_get(args, "calls"));
    }
    json_t *one = json_array(), *param;
    size_t i;
    json_array_append(one, json_object_get(args, "method"));
    json_array_foreach(json_object_get(args, "params"), i, param) {
        json_array_append(one, param);
    }
    return json_pack("[o]", one);
}

static int take_endpoints(struct session *s, struct rb_err *err)
{
    const json_t *more = json_object_get(s->connection, "urls"), *one;
    size_t i;
    if (*rb_json_str(s->connection, "url", "")) {
        s->endpoints[s->count++] = rb_json_str(s->connection, "url", "");
    }
    json_array_foreach(more, i, one) {
        if (s->count < ENDPOINTS_MAX && json_is_string(one)) {
            s->endpoints[s->count++] = json_string_value(one);
        }
    }
    for (i = 0; i < s->count; i++) {
        if (!transport_of(s->endpoints[i])) {
            return rb_err_set(err, RB_EUSAGE, RB_T_rpc_url, s->endpoints[i]);
        }
    }
    return s->count ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_rpc_url, "");
}

/* Positive, not used before in any other call as far as chance goes, and exact in a double. */
static json_int_t first_id(void)
{
    uint32_t random = 0;
    RB_REQUIRE(getrandom(&random, sizeof random, 0) == (ssize_t)sizeof random);
    return ((json_int_t)random + 1) * RB_RPC_CALLS_MAX;
}

static int prepare(struct session *s, const json_t *args, struct rb_err *err)
{
    const json_t *timeout = json_object_get(args, "timeout");
    double seconds = json_is_number(timeout) ? json_number_value(timeout) : TIMEOUT_DEFAULT;
    json_int_t id = first_id();
    s->until_ns = rb_clock_mono_ns() + (int64_t)(seconds * 1e9);
    int rc = take_endpoints(s, err);
    rc = rc ? rc : s->mode == CALL ? 0 : rb_rpc_check_safe(s->calls, s->connection, err);
    rc = rc ? rc : rb_rpc_request(&s->request, s->calls, id, s->mode == BATCH, err);
    rb_rpc_batch_init(&s->batch, id, 0);
    return rc;
}

static int start(struct rb_call *call, const json_t *args, enum mode mode, struct rb_err *err)
{
    struct session *s = rb_xcalloc(1, sizeof *s);
    s->call = call;
    s->mode = mode;
    s->connection = connection_of(args);
    s->calls = calls_of(args, mode);
    s->failed = json_array();
    rb_buf_init(&s->request, REQUEST_MAX);
    int rc = prepare(s, args, err);
    if (rc != 0) {
        session_free(s);
        return rc;
    }
    s->timer = rb_xcalloc(1, sizeof *s->timer);
    uv_timer_init(rb_call_loop(call), s->timer);
    s->timer->data = s;
    rb_call_data_set(call, s);
    uv_timer_start(s->timer, on_begin, 0, 0); /* a first endpoint that fails at once must not end the call here */
    return 0;
}

int rb_rpc_ask(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, ASK, err);
}

int rb_rpc_answer(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, ANSWER, err);
}

int rb_rpc_batch(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, BATCH, err);
}

int rb_rpc_call(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, CALL, err);
}

void rb_rpc_cancel(struct rb_call *call)
{
    struct session *s = rb_call_data(call);
    struct rb_err err = {0};
    if (s) {
        rb_err_set(&err, RB_ECANCELLED, RB_T_rpc_cancelled, s->endpoints[s->at]);
        fail(s, &err);
    }
}
