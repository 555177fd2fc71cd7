/* The life of a delivery: who waits for it, when its turn comes, and how its calls end. */
#include "notify/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define REPLY_SHOWN 2000
#define SENDERS_MAX 64

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

static void sender_free(struct rb_sender *s)
{
    rb_call_data_set(s->call, NULL);
    rb_notify_message_deinit(&s->message);
    free(s);
}

static const char *name_of(const struct rb_delivery *d)
{
    return rb_json_str(d->channel, "name", d->kind->name);
}

static void fail_sender(struct rb_delivery *d, struct rb_sender *s, const struct rb_err *why)
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

bool rb_delivery_fail_before(struct rb_delivery *d, int64_t ns, const struct rb_err *why)
{
    struct rb_sender **at = &d->senders, *out = NULL;
    while (*at) {
        struct rb_sender *s = *at;
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
        struct rb_sender *s = out;
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

void rb_delivery_succeed(struct rb_delivery *d, const struct rb_notify_verdict *verdict)
{
    json_t *value = value_of(d, verdict);
    struct rb_sender *s = d->senders;
    d->senders = NULL;
    delivery_free(d);
    while (s) {
        struct rb_sender *next = s->next;
        struct rb_call *call = s->call;
        sender_free(s);
        rb_call_done(call, json_deep_copy(value));
        s = next;
    }
    json_decref(value);
}

/* ---- its turn ---- */

void rb_delivery_wait(struct rb_delivery *d, int64_t ns, uv_timer_cb then)
{
    uv_timer_start(&d->timer, then, ns > 0 ? (uint64_t)((ns + 999999) / 1000000) : 0, 0);
}

static void merge(struct rb_delivery *d)
{
    const struct rb_notify_message *many[SENDERS_MAX];
    size_t count = 0;
    for (struct rb_sender *s = d->senders; s && count < SENDERS_MAX; s = s->next) {
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
    rb_delivery_try(d);
}

static struct rb_delivery *delivery_new(struct rb_call *call, const json_t *channel, const struct rb_notify_kind *kind,
                                        struct rb_bot *bot)
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

static void join(struct rb_delivery *d, struct rb_sender *s)
{
    struct rb_sender **at = &d->senders;
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
    for (const struct rb_sender *s = d->senders; s; s = s->next) {
        count++;
    }
    return count < SENDERS_MAX;
}

int rb_delivery_enqueue(struct rb_sender *s, const json_t *channel, const struct rb_notify_kind *kind,
                        struct rb_err *err)
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
    rb_delivery_wait(d, wait, on_turn);
    return 0;
}
