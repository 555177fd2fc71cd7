/* A call that is under way: what it is, how long it may take, and what a binding sees of it. */
#include "run/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define DEFAULT_TIMEOUT 30.0

static void end_deadline(struct rb_call *call)
{
    if (call->deadline) {
        uv_timer_stop(call->deadline);
        uv_close((uv_handle_t *)call->deadline, (uv_close_cb)free);
        call->deadline = NULL;
    }
}

void rb_call_rewind(struct rb_call *call)
{
    end_deadline(call);
    json_decref(call->filled);
    call->filled = NULL;
    call->begun = call->cancelled = call->timed_out = call->undone = false;
}

static void deadline_passed(uv_timer_t *timer)
{
    struct rb_call *call = timer->data;
    call->timed_out = true;
    rb_dispatch_cancel(call->run, call);
}

double rb_seconds_clamp(double seconds)
{
    return seconds > RB_SECONDS_MAX ? RB_SECONDS_MAX : seconds > 0 ? seconds : 0;
}

void rb_call_deadline(struct rb_call *call)
{
    const json_t *own = json_object_get(call->args, "timeout");
    double standard = call->verb->timeout > 0 ? call->verb->timeout : DEFAULT_TIMEOUT;
    call->timeout = rb_seconds_clamp(own ? json_number_value(own) : standard);
    call->deadline = rb_xcalloc(1, sizeof *call->deadline);
    uv_timer_init(call->run->engine.loop, call->deadline);
    call->deadline->data = call;
    uv_update_time(call->run->engine.loop); /* a slow disk before it takes nothing of its time */
    uv_timer_start(call->deadline, deadline_passed, (uint64_t)(call->timeout * 1000), 0);
}

struct rb_call *rb_call_new(struct rb_run *run, json_t *frame, const struct rb_binding *binding,
                            const struct rb_verb *verb, json_t *args, char *text)
{
    struct rb_call *call = rb_xcalloc(1, sizeof *call);
    *call = (struct rb_call){.run = run, .next = run->calls, .binding = binding, .verb = verb};
    call->seq = rb_json_int(frame, "seq", 0);
    call->args = json_incref(args);
    call->remarks = json_array();
    call->at = rb_xstrdup(rb_json_str(frame, "at", ""));
    call->text = text;
    call->frame = rb_xstrdup(run->frame);
    call->number = rb_replay_number(run);
    call->number = call->number ? call->number : ++run->call_count;
    call->phase = run->now.phase;
    call->started_ns = rb_clock_mono_ns();
    run->calls = call;
    run->call_in_flight++;
    return call;
}

void rb_call_free(struct rb_call *call)
{
    struct rb_run *run = call->run;
    struct rb_call **p = &run->calls;
    while (*p && *p != call) {
        p = &(*p)->next;
    }
    if (*p) {
        *p = call->next;
    }
    end_deadline(call);
    json_decref(call->args);
    json_decref(call->filled);
    json_decref(call->remarks);
    json_decref(call->details);
    run->call_in_flight--;
    free(call->at);
    free(call->text);
    free(call->frame);
    free(call->failure);
    json_decref(call->value);
    free(call);
}

void rb_call_name(const struct rb_call *call, char *out, size_t size, bool with_text)
{
    bool more = with_text && call->text[0];
    snprintf(out, size, "%s.%s%s%s", call->binding->name, call->verb->name, more ? " " : "", more ? call->text : "");
}

bool rb_call_has_ended(const struct rb_call *call)
{
    return call->value || call->failure;
}

struct rb_call *rb_call_asking(const struct rb_run *run)
{
    struct rb_call *oldest = NULL;
    for (struct rb_call *call = run->calls; call; call = call->next) {
        if (call->asking && (!oldest || call->number < oldest->number)) {
            oldest = call;
        }
    }
    return oldest;
}

void *rb_call_data(const struct rb_call *call)
{
    return call->data;
}

void rb_call_data_set(struct rb_call *call, void *data)
{
    call->data = data;
}

uv_loop_t *rb_call_loop(const struct rb_call *call)
{
    return call->run->engine.loop;
}

void **rb_call_state(const struct rb_call *call)
{
    return call->state;
}

struct rb_spawner *rb_call_spawner(const struct rb_call *call)
{
    return call->run->engine.spawner;
}

bool rb_call_read_only(const struct rb_call *call)
{
    return rb_phase_reads_only(call->phase) || call->verb->effect == RB_EFFECT_READ;
}

bool rb_call_timed_out(const struct rb_call *call)
{
    return call->timed_out;
}

void rb_call_remark(struct rb_call *call, const char *kind, const char *text)
{
    if (json_array_size(call->remarks) < 64) {
        json_t *remark = rb_json_bytes(text, strlen(text));
        json_array_append_new(call->remarks, json_pack("{s:s, s:o}", "kind", kind, "text", remark));
    }
}
