/* The verbs: what a message and its channel must be is told before anything is sent. */
#include "notify/notify.h"

#include <stdlib.h>

#include "base/clock.h"
#include "notify/delivery.h"

#define SPARE_NS 300000000LL /* before the deadline of the call */
#define TIMEOUT_DEFAULT 60.0

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
    struct rb_sender *s = rb_xcalloc(1, sizeof *s);
    s->call = call;
    s->deadline_ns = deadline_of(args);
    int rc = prepare(args, &s->message, &request, &kind, err);
    if (rc == 0) {
        rb_notify_request_deinit(&request);
        rc = rb_delivery_enqueue(s, json_object_get(args, "channel"), kind, err);
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
    struct rb_sender *s = rb_call_data(call);
    struct rb_err err = {0};
    if (s) {
        struct rb_delivery *d = s->delivery;
        rb_err_set(&err, RB_ECANCELLED, RB_T_notify_cancelled);
        s->deadline_ns = 0;
        (void)rb_delivery_fail_before(d, 0, &err);
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
