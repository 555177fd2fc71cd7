/* A message on its way: its turn, the request, what the answer means, and the tries after it. A delivery serves one call,
 * or several whose messages came faster than the channel takes them. It ends before the deadline of its calls: a message
 * that may arrive twice is no write that is unknown. */
#include "notify/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "net/headers.h"
#include "net/transfer.h"
#include "notify/queue.h"

#define TRIES_MAX 4
#define TRY_NS (15LL * 1000000000) /* one try takes no longer */
#define SPARE_NS 300000000LL       /* before the deadline of the call */
#define TIMEOUT_DEFAULT 60.0
#define REPLY_SHOWN 2000
#define CLOCK_OFF_S 60

static const double backoff[TRIES_MAX - 1] = {1, 5, 30};

/* One call. */
struct sender {
    struct sender *next;
    struct rb_call *call;
    struct rb_delivery *delivery;
    struct rb_notify_message message;
    int64_t deadline_ns;
};

struct rb_delivery {
    uv_timer_t timer; /* its turn, the end of a try, the next try */
    const struct rb_notify_kind *kind;
    struct rb_bot *bot;
    json_t *channel;
    struct sender *senders; /* at least one while it lives */
    struct rb_notify_message digest;
    struct rb_notify_request request;
    struct rb_transfer *transfer;
    struct curl_slist *to;
    size_t sent_bytes; /* of a mail */
    struct rb_err last;
    int tries, merged;
    char id[RB_ID_MAX + 4];
};

static void begin_try(struct rb_delivery *d);

/* ---- the end ---- */

static void delivery_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void delivery_free(struct rb_delivery *d)
{
    if (d->bot->waiting == d) {
        d->bot->waiting = NULL;
    }
    if (d->transfer) {
        rb_transfer_free(d->transfer);
    }
    curl_slist_free_all(d->to);
    rb_notify_request_deinit(&d->request);
    rb_notify_message_deinit(&d->digest);
    json_decref(d->channel);
    uv_timer_stop(&d->timer);
    uv_close((uv_handle_t *)&d->timer, delivery_closed);
}

static void sender_free(struct sender *s)
{
    rb_call_data_set(s->call, NULL);
    rb_notify_message_deinit(&s->message);
    free(s);
}

static const char *name_of(const struct rb_delivery *d)
{
    return rb_json_str(d->channel, "name", d->kind->name);
}

static void fail_sender(struct rb_delivery *d, struct sender *s, const struct rb_err *why)
{
    struct rb_err err = {0};
    struct rb_call *call = s->call;
    if (d->tries > 1) {
        rb_err_set(&err, why->code, RB_T_notify_failed_tries, name_of(d), d->kind->name, why->text, d->tries);
    } else {
        rb_err_set(&err, why->code, RB_T_notify_failed, name_of(d), d->kind->name, why->text);
    }
    memcpy(err.hint, why->hint, sizeof err.hint);
    if (err.code == RB_ERESET) {
        err.code = RB_EUNREACHABLE; /* twice is better than never here, so the outcome is not unknown */
    }
    if (d->tries == 0) {
        rb_call_undone(call);
    }
    sender_free(s);
    rb_call_fail(call, &err);
}

/* Ends the calls whose deadline is before a point of time; INT64_MAX: all. The delivery may be gone afterwards: false. */
static bool fail_before(struct rb_delivery *d, int64_t ns, const struct rb_err *why)
{
    struct sender **at = &d->senders, *out = NULL;
    while (*at) {
        struct sender *s = *at;
        if (s->deadline_ns <= ns) {
            *at = s->next;
            s->next = out;
            out = s;
        } else {
            at = &s->next;
        }
    }
    bool left = d->senders != NULL;
    struct rb_err copy = *why;
    while (out) {
        struct sender *s = out;
        out = s->next;
        fail_sender(d, s, &copy);
    }
    if (!left) {
        delivery_free(d);
    }
    return left;
}

static json_t *value_of(const struct rb_delivery *d, const struct rb_notify_verdict *verdict)
{
    json_t *value = json_pack("{s:s, s:s, s:i}", "channel", name_of(d), "kind", d->kind->name, "tries", d->tries);
    if (d->transfer) {
        struct rb_answer *answer = rb_transfer_answer(d->transfer);
        size_t len = answer->body.len < REPLY_SHOWN ? answer->body.len : REPLY_SHOWN;
        json_object_set_new(value, "status", json_integer(answer->status));
        json_object_set_new(value, "reply", rb_json_bytes(answer->body.data, len));
    }
    if (verdict->id[0]) {
        json_object_set_new(value, "id", json_string(verdict->id));
    }
    if (d->merged > 1) {
        json_object_set_new(value, "merged", json_integer(d->merged));
    }
    return value;
}

static void succeed(struct rb_delivery *d, const struct rb_notify_verdict *verdict)
{
    json_t *value = value_of(d, verdict);
    struct sender *s = d->senders;
    d->senders = NULL;
    delivery_free(d);
    while (s) {
        struct sender *next = s->next;
        struct rb_call *call = s->call;
        sender_free(s);
        rb_call_done(call, json_deep_copy(value));
        s = next;
    }
    json_decref(value);
}

/* ---- tries ---- */

static int64_t latest_deadline(const struct rb_delivery *d)
{
    int64_t ns = 0;
    for (const struct sender *s = d->senders; s; s = s->next) {
        ns = s->deadline_ns > ns ? s->deadline_ns : ns;
    }
    return ns;
}

static void wait_for(struct rb_delivery *d, int64_t ns, uv_timer_cb then)
{
    uv_timer_start(&d->timer, then, ns > 0 ? (uint64_t)((ns + 999999) / 1000000) : 0, 0);
}

static void on_retry(uv_timer_t *timer)
{
    begin_try(timer->data);
}

/* A fifth more or less, so that many machines do not come back in one moment. */
static double with_jitter(double seconds)
{
    unsigned char random = 128;
    if (getrandom(&random, 1, 0) != 1) {
        return seconds;
    }
    return seconds * (0.8 + 0.4 * random / 255);
}

static void try_again(struct rb_delivery *d, const struct rb_notify_verdict *verdict)
{
    double wait = verdict->wait > 0 ? verdict->wait : d->tries < TRIES_MAX ? with_jitter(backoff[d->tries - 1]) : 0;
    int64_t ns = (int64_t)((wait < 3600 ? wait : 3600) * 1e9);
    d->last = verdict->why;
    if (d->tries >= TRIES_MAX) {
        (void)fail_before(d, INT64_MAX, &d->last);
    } else if (fail_before(d, rb_clock_mono_ns() + ns, &d->last)) {
        wait_for(d, ns, on_retry);
    }
}

static void settle(struct rb_delivery *d, struct rb_notify_verdict *verdict)
{
    if (verdict->fate == RB_NOTIFY_OK) {
        succeed(d, verdict);
    } else if (verdict->fate == RB_NOTIFY_AGAIN) {
        try_again(d, verdict);
    } else {
        (void)fail_before(d, INT64_MAX, &verdict->why);
    }
}

/* Signatures are good for an hour, or five minutes: a wrong clock looks like a wrong secret. */
static void compare_clocks(const struct rb_answer *answer, struct rb_err *why)
{
    time_t theirs = curl_getdate(rb_headers_value(answer->headers, "date"), NULL);
    int64_t off = theirs > 0 ? rb_clock_utc_us() / 1000000 - theirs : 0;
    if (why->code == RB_EAUTH && (off > CLOCK_OFF_S || off < -CLOCK_OFF_S)) {
        rb_err_hint(why, RB_T_notify_clock, (int)(off < 0 ? -off : off));
    }
}

static void ended(struct rb_transfer *transfer, const struct rb_err *err, void *user)
{
    struct rb_delivery *d = user;
    struct rb_answer *answer = rb_transfer_answer(transfer);
    const char *after = rb_headers_value(answer->headers, "retry-after");
    struct rb_notify_reply reply = {.err = err, .status = answer->status, .body = rb_buf_str(&answer->body),
                                    .len = answer->body.len, .retry_after = strtod(after, NULL)};
    struct rb_notify_verdict verdict;
    uv_timer_stop(&d->timer);
    rb_notify_judge(d->kind, &reply, &verdict);
    compare_clocks(answer, &verdict.why);
    settle(d, &verdict);
}

static void on_try_timeout(uv_timer_t *timer)
{
    struct rb_delivery *d = timer->data;
    struct rb_notify_verdict verdict = {.fate = RB_NOTIFY_AGAIN};
    rb_err_set(&verdict.why, RB_ETIMEOUT, RB_T_notify_no_answer);
    rb_transfer_free(d->transfer);
    d->transfer = NULL;
    settle(d, &verdict);
}

static const char *tls_mode(const struct rb_delivery *d)
{
    return rb_json_str(json_object_get(d->channel, "tls"), "mode", "verify");
}

static size_t read_mail(char *out, size_t size, size_t count, void *user)
{
    struct rb_delivery *d = user;
    size_t left = d->request.body.len - d->sent_bytes, len = size * count < left ? size * count : left;
    memcpy(out, d->request.body.data + d->sent_bytes, len);
    d->sent_bytes += len;
    return len;
}

static void prepare_mail(CURL *easy, void *user)
{
    struct rb_delivery *d = user;
    const char *user_name = rb_json_str(d->channel, "user", "");
    const json_t *to;
    size_t i;
    bool plain = strcmp(tls_mode(d), "off") == 0;
    curl_slist_free_all(d->to);
    d->to = NULL;
    json_array_foreach(d->request.to, i, to)
    {
        d->to = curl_slist_append(d->to, json_string_value(to));
    }
    d->sent_bytes = 0;
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, d->request.from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, d->to);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_mail);
    curl_easy_setopt(easy, CURLOPT_READDATA, d);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    if (*user_name) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, user_name);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, rb_json_str(d->channel, "password", ""));
    }
}

static struct rb_transfer *start_transfer(struct rb_delivery *d, struct rb_err *err)
{
    bool mail = d->kind == &rb_notify_smtp;
    const json_t *tls = json_object_get(d->channel, "tls");
    const char *ca = rb_json_str(tls ? tls : d->channel, "ca", NULL);
    struct rb_transfer_spec spec = {.url = rb_buf_str(&d->request.url),
                                    .schemes = mail ? "smtp smtps" : NULL,
                                    .headers = d->request.headers,
                                    .ca = ca,
                                    .pin = rb_json_str(tls, "pin", NULL),
                                    .insecure = strcmp(tls_mode(d), "require") == 0,
                                    .max_body = 65536,
                                    .cut_body = true,
                                    .done = ended,
                                    .user = d};
    if (spec.insecure) {
        rb_call_remark(d->senders->call, "unenforced", "certificate not checked");
    }
    if (mail) {
        spec.prepare = prepare_mail;
    } else {
        spec.method = "POST";
        spec.body = rb_buf_str(&d->request.body);
        spec.body_len = d->request.body.len;
    }
    return rb_transfer_start(d->senders->call, &spec, err);
}

static int render(struct rb_delivery *d, struct rb_err *err)
{
    struct rb_notify_job job = {.message = d->digest.json ? &d->digest : &d->senders->message,
                                .channel = d->channel, .now_us = rb_clock_utc_us(), .id = d->id};
    rb_notify_request_deinit(&d->request);
    return rb_notify_render(d->kind, &job, &d->request, err);
}

static void to_console(struct rb_delivery *d)
{
    struct rb_notify_verdict verdict = {0};
    rb_call_output(d->senders->call, 1, rb_buf_str(&d->request.body), d->request.body.len);
    succeed(d, &verdict);
}

/* A new signature every time; the id stays, so that the other side can tell a repetition. */
static void begin_try(struct rb_delivery *d)
{
    struct rb_err err = {0};
    int64_t left = latest_deadline(d) - rb_clock_mono_ns();
    d->tries++;
    if (d->transfer) {
        rb_transfer_free(d->transfer);
        d->transfer = NULL;
    }
    if (render(d, &err) != 0) {
        (void)fail_before(d, INT64_MAX, &err);
    } else if (d->kind == &rb_notify_console) {
        to_console(d);
    } else if (!(d->transfer = start_transfer(d, &err))) {
        (void)fail_before(d, INT64_MAX, &err);
    } else {
        wait_for(d, left < TRY_NS ? left : TRY_NS, on_try_timeout);
    }
}

/* ---- its turn ---- */

static void merge(struct rb_delivery *d)
{
    const struct rb_notify_message *many[64];
    size_t count = 0;
    for (struct sender *s = d->senders; s && count < 64; s = s->next) {
        many[count++] = &s->message;
    }
    if (count > 1) {
        (void)rb_notify_message_merge(&d->digest, many, count);
    }
    d->merged = (int)count;
}

static void on_turn(uv_timer_t *timer)
{
    struct rb_delivery *d = timer->data;
    if (d->bot->waiting == d) {
        d->bot->waiting = NULL;
    }
    merge(d);
    begin_try(d);
}

static struct rb_delivery *delivery_new(struct rb_call *call, const json_t *channel,
                                        const struct rb_notify_kind *kind, struct rb_bot *bot)
{
    struct rb_delivery *d = rb_xcalloc(1, sizeof *d);
    d->kind = kind;
    d->bot = bot;
    d->channel = json_deep_copy(channel);
    rb_id_new('n', d->id);
    uv_timer_init(rb_call_loop(call), &d->timer);
    d->timer.data = d;
    return d;
}

static void join(struct rb_delivery *d, struct sender *s)
{
    struct sender **at = &d->senders;
    while (*at) {
        at = &(*at)->next;
    }
    *at = s;
    s->delivery = d;
    rb_call_data_set(s->call, s);
}

static bool has_room(const struct rb_delivery *d)
{
    int count = 0;
    for (const struct sender *s = d->senders; s; s = s->next) {
        count++;
    }
    return count < 64;
}

/* Joins what waits already, or waits itself; not longer than its deadline allows. */
static int enqueue(struct sender *s, const json_t *channel, const struct rb_notify_kind *kind, struct rb_err *err)
{
    struct rb_net *net = rb_net_of(s->call, err);
    struct rb_bot *bot = net ? rb_bot_of(net, channel) : NULL;
    int64_t wait = bot ? rb_bot_wait_ns(bot, kind) : 0;
    if (!bot) {
        return err->code;
    }
    if (wait > 0 && kind->merge && bot->waiting && has_room(bot->waiting)) {
        wait = (int64_t)uv_timer_get_due_in(&bot->waiting->timer) * 1000000;
        if (rb_clock_mono_ns() + wait < s->deadline_ns) {
            join(bot->waiting, s);
            return 0;
        }
    }
    if (rb_clock_mono_ns() + wait >= s->deadline_ns) {
        return rb_err_set(err, RB_EBUSY, RB_T_notify_rate, rb_json_str(channel, "name", kind->name), kind->name,
                          (int)(wait / 1000000000) + 1);
    }
    rb_bot_take(bot, kind);
    struct rb_delivery *d = delivery_new(s->call, channel, kind, bot);
    join(d, s);
    if (wait > 0) {
        bot->waiting = d;
    }
    wait_for(d, wait, on_turn);
    return 0;
}

/* ---- the verbs ---- */

/* channel and message as they must be, so that what is wrong is told before anything is sent. */
static int prepare(const json_t *args, struct rb_notify_message *message, struct rb_notify_request *request,
                   const struct rb_notify_kind **kind, struct rb_err *err)
{
    const json_t *channel = json_object_get(args, "channel");
    struct rb_notify_job job = {.message = message, .channel = channel, .now_us = rb_clock_utc_us(), .id = "n-preview"};
    if (!json_is_object(channel)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_notify_channel);
    }
    *kind = rb_notify_kind(channel, err);
    if (!*kind) {
        return RB_EUSAGE;
    }
    int rc = rb_notify_message_init(message, json_object_get(args, "message"), channel, job.now_us, err);
    if (rc == 0 && (rc = rb_notify_render(*kind, &job, request, err)) != 0) {
        rb_notify_message_deinit(message);
    }
    return rc;
}

static int64_t deadline_of(const json_t *args)
{
    const json_t *timeout = json_object_get(args, "timeout");
    double seconds = json_is_number(timeout) ? json_number_value(timeout) : TIMEOUT_DEFAULT;
    int64_t ns = (int64_t)(seconds * 1e9);
    return rb_clock_mono_ns() + ns - (ns / 4 < SPARE_NS ? ns / 4 : SPARE_NS);
}

int rb_notify_send(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    const struct rb_notify_kind *kind = NULL;
    struct rb_notify_request request;
    struct sender *s = rb_xcalloc(1, sizeof *s);
    s->call = call;
    s->deadline_ns = deadline_of(args);
    int rc = prepare(args, &s->message, &request, &kind, err);
    if (rc == 0) {
        rb_notify_request_deinit(&request);
        rc = enqueue(s, json_object_get(args, "channel"), kind, err);
        if (rc != 0) {
            rb_notify_message_deinit(&s->message);
        }
    }
    if (rc != 0) {
        free(s);
    }
    return rc;
}

void rb_notify_cancel(struct rb_call *call)
{
    struct sender *s = rb_call_data(call);
    struct rb_err err = {0};
    if (s) {
        struct rb_delivery *d = s->delivery;
        rb_err_set(&err, RB_ECANCELLED, RB_T_notify_cancelled);
        s->deadline_ns = 0;
        (void)fail_before(d, 0, &err);
    }
}

static void preview_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_preview(uv_timer_t *timer)
{
    struct rb_call *call = timer->data;
    json_t *value = rb_call_data(call);
    uv_close((uv_handle_t *)timer, preview_closed);
    rb_call_done(call, value);
}

int rb_notify_preview(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    struct rb_notify_message message;
    struct rb_notify_request request;
    const struct rb_notify_kind *kind = NULL;
    int rc = prepare(args, &message, &request, &kind, err);
    if (rc != 0) {
        return rc;
    }
    json_t *shown = rb_notify_shown(kind, &request);
    json_object_set(shown, "channel", json_object_get(json_object_get(args, "channel"), "name"));
    json_object_set_new(shown, "kind", json_string(kind->name));
    rb_notify_request_deinit(&request);
    rb_notify_message_deinit(&message);
    uv_timer_t *soon = rb_xcalloc(1, sizeof *soon); /* never inside start */
    uv_timer_init(rb_call_loop(call), soon);
    soon->data = call;
    rb_call_data_set(call, shown);
    uv_timer_start(soon, on_preview, 0, 0);
    return 0;
}

/* It comes in the next turn of the loop. */
void rb_notify_preview_cancel(struct rb_call *call)
{
    (void)call;
}
