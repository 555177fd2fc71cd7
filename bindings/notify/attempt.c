/* One try of a delivery: the request, the transfer, what the answer means, and when to try again. */
#include "notify/delivery.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "net/headers.h"

#define TRIES_MAX 4
#define TRY_NS (15LL * 1000000000) /* one try takes no longer */
#define CLOCK_OFF_S 60

static const double backoff[TRIES_MAX - 1] = {1, 5, 30};

static void on_retry(uv_timer_t *timer)
{
    rb_delivery_try(timer->data);
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
        (void)rb_delivery_fail_before(d, INT64_MAX, &d->last);
    } else if (rb_delivery_fail_before(d, rb_clock_mono_ns() + ns, &d->last)) {
        rb_delivery_wait(d, ns, on_retry);
    }
}

static void settle(struct rb_delivery *d, struct rb_notify_verdict *verdict)
{
    if (verdict->fate == RB_NOTIFY_OK) {
        rb_delivery_succeed(d, verdict);
    } else if (verdict->fate == RB_NOTIFY_AGAIN) {
        try_again(d, verdict);
    } else {
        (void)rb_delivery_fail_before(d, INT64_MAX, &verdict->why);
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
    struct rb_notify_reply reply = {.err = err,
                                    .status = answer->status,
                                    .body = rb_buf_str(&answer->body),
                                    .len = answer->body.len,
                                    .retry_after = strtod(after, NULL)};
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
    json_array_foreach(d->request.to, i, to) {
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
                                .channel = d->channel,
                                .now_us = rb_clock_utc_us(),
                                .id = d->id};
    rb_notify_request_deinit(&d->request);
    return rb_notify_render(d->kind, &job, &d->request, err);
}

static void to_console(struct rb_delivery *d)
{
    struct rb_notify_verdict verdict = {0};
    rb_call_output(d->senders->call, 1, rb_buf_str(&d->request.body), d->request.body.len);
    rb_delivery_succeed(d, &verdict);
}

static int64_t latest_deadline(const struct rb_delivery *d)
{
    int64_t ns = 0;
    for (const struct rb_sender *s = d->senders; s; s = s->next) {
        ns = s->deadline_ns > ns ? s->deadline_ns : ns;
    }
    return ns;
}

/* A new signature every time; the id stays, so that the other side can tell a repetition. */
void rb_delivery_try(struct rb_delivery *d)
{
    struct rb_err err = {0};
    int64_t left = latest_deadline(d) - rb_clock_mono_ns();
    d->tries++;
    if (d->transfer) {
        rb_transfer_free(d->transfer);
        d->transfer = NULL;
    }
    if (render(d, &err) != 0) {
        (void)rb_delivery_fail_before(d, INT64_MAX, &err);
    } else if (d->kind == &rb_notify_console) {
        to_console(d);
    } else if (!(d->transfer = start_transfer(d, &err))) {
        (void)rb_delivery_fail_before(d, INT64_MAX, &err);
    } else {
        rb_delivery_wait(d, left < TRY_NS ? left : TRY_NS, on_try_timeout);
    }
}
