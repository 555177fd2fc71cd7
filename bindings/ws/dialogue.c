/* A whole dialogue as one call: open, say what is to be said, listen until enough was heard, close. */
#include "ws/ws.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "ws/client.h"

#define MESSAGES_MAX 1000
#define BYTES_MAX (4u << 20) /* of all messages together */
#define CLOSE_MS 2000        /* for the other side's goodbye */
#define GOODBYE 1000

struct dialogue {
    uv_timer_t timer; /* the end of listening, then of the goodbye */
    struct rb_call *call;
    struct rb_ws *ws;
    json_t *args, *messages;
    size_t bytes;
    int64_t since_ns, open_ns;
    bool write, enough, closing;
};

static void dialogue_gone(uv_handle_t *handle)
{
    free(handle->data);
}

static void dialogue_free(struct dialogue *d)
{
    rb_ws_free(d->ws);
    json_decref(d->args);
    json_decref(d->messages);
    uv_timer_stop(&d->timer);
    uv_close((uv_handle_t *)&d->timer, dialogue_gone);
}

static void fail(struct dialogue *d, const struct rb_err *err)
{
    struct rb_call *call = d->call;
    struct rb_err copy = *err;
    if (!d->open_ns) {
        rb_call_undone(call);
    }
    rb_call_data_set(call, NULL);
    dialogue_free(d);
    rb_call_fail(call, &copy);
}

static json_t *timing(struct dialogue *d)
{
    const struct rb_answer *a = rb_ws_answer(d->ws);
    double open = d->open_ns ? (double)(d->open_ns - d->since_ns) / 1e9 : 0;
    return json_pack("{s:f, s:f, s:f, s:f}", "dns", a->dns, "connect", a->connect, "tls", a->tls, "open", open);
}

static void done(struct dialogue *d, int code, const char *reason, size_t len)
{
    const struct rb_ws_opening *opening = rb_ws_opening_of(d->ws);
    struct rb_call *call = d->call;
    json_t *value = json_pack("{s:b, s:i, s:O, s:o, s:I, s:i}", "ok", d->enough, "status", (int)opening->status,
                              "messages", d->messages, "timing", timing(d), "ms",
                              (json_int_t)((rb_clock_mono_ns() - d->since_ns) / 1000000), "pongs", rb_ws_pongs(d->ws));
    if (opening->headers && *opening->protocol) {
        json_object_set_new(value, "protocol", rb_json_bytes(opening->protocol, strlen(opening->protocol)));
    }
    if (code) {
        json_object_set_new(value, "close",
                            json_pack("{s:i, s:o}", "code", code, "reason", rb_json_bytes(reason, len)));
    }
    rb_call_data_set(call, NULL);
    dialogue_free(d);
    rb_call_done(call, value);
}

static void on_goodbye_late(uv_timer_t *timer)
{
    struct dialogue *d = timer->data;
    if (rb_ws_unsaid(d->ws) > 0) {
        uv_timer_start(timer, on_goodbye_late, CLOSE_MS,
                       0); /* it is still speaking; the deadline of the call ends that */
        return;
    }
    done(d, 0, "", 0);
}

static void say_goodbye(struct dialogue *d)
{
    if (!d->closing) {
        d->closing = true;
        rb_ws_close(d->ws, GOODBYE);
        uv_timer_start(&d->timer, on_goodbye_late, CLOSE_MS, 0);
    }
}

/* Nothing more was asked for than what came. */
static void on_listened(uv_timer_t *timer)
{
    struct dialogue *d = timer->data;
    d->enough = d->enough || (!json_object_get(d->args, "receive") && !json_object_get(d->args, "until"));
    say_goodbye(d);
}

static bool holds(const json_t *message, const char *text)
{
    const char *words = json_string_value(message);
    return words && strstr(words, text);
}

static bool is_enough(const struct dialogue *d)
{
    size_t count = json_array_size(d->messages);
    const char *until = rb_json_str(d->args, "until", NULL);
    json_int_t receive = rb_json_int(d->args, "receive", 0);
    if (rb_json_bool(d->args, "ping", false) && rb_ws_pongs(d->ws) == 0) {
        return false;
    }
    if (until) {
        return count && holds(json_array_get(d->messages, count - 1), until);
    }
    return receive > 0 ? (json_int_t)count >= receive : !json_object_get(d->args, "listen");
}

static void on_message(void *user, bool binary, const void *data, size_t len)
{
    struct dialogue *d = user;
    (void)binary; /* bytes that are no text show themselves */
    if (d->closing) {
        return;
    }
    d->bytes += len;
    if (d->bytes <= BYTES_MAX) {
        json_array_append_new(d->messages, rb_json_bytes(data, len));
    }
    d->enough = is_enough(d);
    if (d->enough || d->bytes > BYTES_MAX || json_array_size(d->messages) >= MESSAGES_MAX) {
        say_goodbye(d);
    }
}

static void on_pong(void *user)
{
    struct dialogue *d = user;
    d->enough = d->enough || is_enough(d);
    if (d->enough) {
        say_goodbye(d);
    }
}

static int send_one(struct dialogue *d, const json_t *one)
{
    struct rb_buf bytes;
    const json_t *binary = json_object_get(one, "binary");
    rb_buf_init(&bytes, RB_WS_MESSAGE_MAX);
    int rc = rb_json_bytes_get(binary ? binary : one, &bytes);
    rc = rc ? rc : rb_ws_send(d->ws, binary || json_object_get(one, "$b64"), rb_buf_str(&bytes), bytes.len);
    rb_buf_deinit(&bytes);
    return rc;
}

static void on_open(void *user)
{
    struct dialogue *d = user;
    const json_t *one, *listen = json_object_get(d->args, "listen");
    size_t i;
    d->open_ns = rb_clock_mono_ns();
    json_array_foreach(json_object_get(d->args, "send"), i, one) {
        (void)send_one(d, one); /* what may be sent was looked at in start */
    }
    if (rb_json_bool(d->args, "ping", false)) {
        rb_ws_ping(d->ws);
    }
    if (listen) {
        uv_timer_start(&d->timer, on_listened, (uint64_t)(json_number_value(listen) * 1000), 0);
    }
    d->enough = is_enough(d);
    if (d->enough) {
        say_goodbye(d);
    }
}

/* What the other side says is an answer, unless it was to be told something and did not say what was waited for. */
static void on_closed(void *user, int code, const char *reason, size_t len, const struct rb_err *err)
{
    struct dialogue *d = user;
    struct rb_err why = err ? *err : (struct rb_err){0};
    bool refused = why.code == RB_ESTATUS;
    d->enough = d->enough || (d->open_ns && !code && d->closing) || (d->open_ns && is_enough(d));
    if (!d->open_ns && !(refused && !d->write)) {
        fail(d, &why);
    } else if (d->open_ns && why.code == RB_ETOO_LARGE) {
        fail(d, &why);
    } else if (d->write && !d->enough) {
        if (code) {
            rb_err_set(&why, RB_ERESET, RB_T_ws_closed_early, code);
        }
        fail(d, &why);
    } else {
        bool answer = d->closing && code == 1000; /* to our own goodbye */
        done(d, d->open_ns && !code && !d->closing ? 1006 : answer ? 0 : code, reason, len);
    }
}

/* ---- the verbs ---- */

static int check_send(const json_t *args, struct rb_err *err)
{
    const json_t *send = json_object_get(args, "send"), *one;
    size_t i;
    json_array_foreach(send, i, one) {
        struct rb_buf bytes;
        const json_t *binary = json_object_get(one, "binary");
        rb_buf_init(&bytes, RB_WS_MESSAGE_MAX);
        int rc = rb_json_bytes_get(binary ? binary : one, &bytes);
        rb_buf_deinit(&bytes);
        if (rc != 0) {
            return rb_err_set(err, rc, RB_T_ws_send);
        }
    }
    return 0;
}

/* The connection of the configuration, with what the call adds. */
static json_t *target(const json_t *args)
{
    const json_t *given = json_object_get(args, "url"), *headers = json_object_get(args, "headers");
    json_t *out = json_is_object(given) ? json_copy((json_t *)given) : json_pack("{s:O}", "url", given);
    json_t *own = json_copy(json_object_get(out, "headers"));
    own = own ? own : json_object();
    json_object_update(own, (json_t *)headers);
    json_object_set_new(out, "headers", own);
    json_object_set(out, "protocols", json_object_get(args, "protocols"));
    return out;
}

static int start(struct rb_call *call, const json_t *args, bool write, struct rb_err *err)
{
    static const struct rb_ws_events events = {on_open, on_message, on_pong, on_closed};
    struct rb_err own = {0};
    int rc = check_send(args, err);
    if (rc != 0) {
        return rc;
    }
    struct dialogue *d = rb_xcalloc(1, sizeof *d);
    uv_timer_init(rb_call_loop(call), &d->timer);
    d->timer.data = d;
    d->call = call;
    d->write = write;
    d->since_ns = rb_clock_mono_ns();
    d->args = json_deep_copy(args);
    d->messages = json_array();
    json_t *to = target(args);
    d->ws = rb_ws_start(call, to, 0, &events, d, err ? err : &own);
    json_decref(to);
    if (!d->ws) {
        dialogue_free(d);
        return err ? err->code : own.code;
    }
    rb_call_data_set(call, d);
    return 0;
}

int rb_ws_verb_read(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, false, err);
}

int rb_ws_verb_send(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, true, err);
}

void rb_ws_verb_cancel(struct rb_call *call)
{
    struct dialogue *d = rb_call_data(call);
    struct rb_err err = {0};
    if (d) {
        rb_err_set(&err, RB_ECANCELLED, RB_T_ws_cancelled);
        fail(d, &err);
    }
}
