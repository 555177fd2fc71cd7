/* Resume and replay (design.md 2). The runner begins anew and does the same; every event it causes is named by the
 * call that caused it, "TASK#N": the N-th call of that task. What was recorded under that name is not done again.
 *
 * A runner is a function of the answers it gets, and of their order. So answers wait here until all that came before
 * them in the journal were given; calls without an answer wait until all were given, and go on live. */
#include "run/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/past.h"
#include "run/settle.h"
#include "run/state.h"

struct rb_replay {
    json_t *events;  /* {"1#17 finding": body} not met again yet */
    json_t *order;   /* ["1#17"…] whose answers were recorded, oldest first */
    size_t next;     /* of order */
    json_t *reached; /* {"1": 17}: the last of each task that left an event */
    json_t *frames;  /* that wait: {"1#17": frame} */
    json_t *settled; /* {"CALL": done?}, of a person */
    bool only, over, pumping;
};

static void name_of(const char *frame, const char *kind, char *out, size_t size)
{
    snprintf(out, size, "%s %s", frame, kind);
}

static bool is_answer(const char *kind)
{
    return !strcmp(kind, "input") || !strcmp(kind, "call.outcome") || !strcmp(kind, "confirm.answered");
}

/* "1.2#17" -> "1.2" and 17. */
static json_int_t split(const char *frame, char *task, size_t size)
{
    const char *sharp = strrchr(frame, '#');
    snprintf(task, size, "%.*s", sharp ? (int)(sharp - frame) : 0, frame);
    return sharp ? strtoll(sharp + 1, NULL, 10) : 0;
}

static void learn(struct rb_replay *replay, const char *kind, json_t *body)
{
    char name[RB_PLACE_MAX + 64], task[RB_PLACE_MAX];
    const char *frame = rb_json_str(body, "frame", NULL);
    if (!frame) {
        return;
    }
    json_int_t n = split(frame, task, sizeof task);
    if (n > rb_json_int(replay->reached, task, 0)) {
        json_object_set_new(replay->reached, task, json_integer(n));
    }
    name_of(frame, kind, name, sizeof name);
    json_object_set(replay->events, name, body);
    if (is_answer(kind)) {
        json_array_append_new(replay->order, json_string(frame));
    }
}

struct rb_replay *rb_replay_new(const struct rb_past *past, bool only)
{
    struct rb_replay *replay = rb_xcalloc(1, sizeof *replay);
    *replay = (struct rb_replay){.events = json_object(),
                                 .order = json_array(),
                                 .reached = json_object(),
                                 .frames = json_object(),
                                 .settled = json_deep_copy(past->settled),
                                 .only = only};
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        learn(replay, rb_json_str(event, "kind", ""), json_object_get(event, "body"));
    }
    return replay;
}

void rb_replay_free(struct rb_replay *replay)
{
    if (replay) {
        json_t *all[] = {replay->events, replay->order, replay->reached, replay->frames, replay->settled};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            json_decref(all[i]);
        }
        free(replay);
    }
}

bool rb_replay_over(const struct rb_replay *replay)
{
    return !replay || replay->over;
}

static json_t *find(const struct rb_run *run, const char *kind)
{
    char name[RB_PLACE_MAX + 64];
    name_of(run->frame, kind, name, sizeof name);
    return run->replay && run->frame[0] ? json_object_get(run->replay->events, name) : NULL;
}

static void forget(struct rb_run *run, const char *kind)
{
    char name[RB_PLACE_MAX + 64];
    name_of(run->frame, kind, name, sizeof name);
    json_object_del(run->replay->events, name);
}

/* ---- divergence ---- */

static void diverge(struct rb_run *run, const char *now, const char *recorded)
{
    char text[1024];
    snprintf(text, sizeof text, rb_text(RB_T_run_diverged), run->frame, now, recorded);
    rb_run_park(run, run->unknown ? "unknown" : "failed", run->unknown ? 9 : 1, text);
}

/* Did the earlier life go beyond this call without leaving what it leaves now? */
static bool beyond(const struct rb_run *run)
{
    char task[RB_PLACE_MAX];
    json_int_t n = split(run->frame, task, sizeof task);
    return rb_json_int(run->replay->reached, task, 0) > n;
}

/* Times differ from life to life; nothing else does. */
static bool same(const json_t *now, const json_t *recorded)
{
    json_t *a = json_copy((json_t *)now), *b = json_copy((json_t *)recorded);
    static const char *const own[] = {"ms", "frame", "pid", "started", "boot", "actor"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        json_object_del(a, own[i]);
        json_object_del(b, own[i]);
    }
    bool equal = json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return equal;
}

static void show_both(struct rb_run *run, const char *kind, const json_t *now, const json_t *recorded)
{
    char texts[2][400];
    const json_t *bodies[] = {now, recorded};
    for (int i = 0; i < 2; i++) {
        char *json = rb_json_canonical(bodies[i]);
        snprintf(texts[i], sizeof texts[i], "%s %.350s", kind, json ? json : "");
        free(json);
    }
    diverge(run, texts[0], texts[1]);
}

bool rb_replay_has(struct rb_run *run, const char *kind, const json_t *body)
{
    if (!run->replay || !run->frame[0]) {
        return false;
    }
    json_t *recorded = find(run, kind);
    if (!recorded) {
        if (beyond(run)) {
            diverge(run, kind, "-");
        }
        return false;
    }
    if (!same(body, recorded)) {
        show_both(run, kind, body, recorded);
    }
    forget(run, kind);
    return true;
}

/* ---- whose turn it is ---- */

bool rb_replay_holds_frame(struct rb_run *run, const json_t *frame)
{
    struct rb_replay *replay = run->replay;
    if (!replay || replay->over || run->recorded) {
        return false;
    }
    bool answered = find(run, "input") || find(run, "confirm.answered");
    if (!answered && beyond(run)) {
        diverge(run, rb_json_str(frame, "verb", "?"), "-");
        return true;
    }
    json_object_set(replay->frames, run->frame, (json_t *)frame);
    rb_replay_pump(run);
    return true;
}

json_int_t rb_replay_number(const struct rb_run *run)
{
    const json_t *intent = find(run, "call.intent"), *outcome = find(run, "call.outcome");
    return rb_json_int(intent ? intent : outcome, "call", 0);
}

/* ---- answers ---- */

static void set_frame(struct rb_run *run, const char *frame)
{
    snprintf(run->frame, sizeof run->frame, "%s", frame);
}

static void give_frame(struct rb_run *run, const char *name)
{
    json_t *frame = json_incref(json_object_get(run->replay->frames, name));
    json_object_del(run->replay->frames, name);
    set_frame(run, name);
    json_t *input = find(run, "input");
    run->recorded = json_incref(input ? input : find(run, "confirm.answered"));
    if (input) {
        forget(run, "input");
    }
    rb_engine_serve(run, frame);
    json_decref(run->recorded);
    run->recorded = NULL;
    json_decref(frame);
}

static struct rb_call *held_call(const struct rb_run *run, const char *frame)
{
    struct rb_call *call = run->calls;
    while (call && (!call->held || strcmp(call->frame, frame))) {
        call = call->next;
    }
    return call;
}

static void give_call(struct rb_run *run, struct rb_call *call)
{
    set_frame(run, call->frame);
    json_t *outcome = json_incref(find(run, "call.outcome")), *intent = find(run, "call.intent");
    if (strcmp(rb_json_str(outcome, "text", ""), call->text) ||
        (intent && !json_equal(json_object_get(intent, "args"), call->args)) ||
        (json_object_get(outcome, "args") && !json_equal(json_object_get(outcome, "args"), call->args))) {
        diverge(run, call->text, rb_json_str(outcome, "text", ""));
    } else {
        run->wrote = run->wrote || intent;
        if (run->replay->only) {
            rb_record(run, "call.outcome", json_copy(outcome)); /* shown, not recorded again */
        }
        forget(run, "call.intent");
        forget(run, "call.outcome");
        rb_call_recorded(call, outcome);
    }
    json_decref(outcome);
}

/* The oldest that still waits, once everything recorded was answered. */
static struct rb_call *oldest_held(const struct rb_run *run)
{
    struct rb_call *oldest = NULL;
    for (struct rb_call *call = run->calls; call; call = call->next) {
        if (call->held && (!oldest || call->number < oldest->number)) {
            oldest = call;
        }
    }
    return oldest;
}

static bool is_idempotent(const struct rb_run *run, const char *id)
{
    return rb_json_bool(rb_block_declared(run, id), "idempotent", false);
}

/* A write whose intent is on disk and whose outcome is not: it may have happened. */
static void settle_open(struct rb_run *run, struct rb_call *call, const json_t *intent)
{
    char number[32];
    bool idempotent = is_idempotent(run, rb_json_str(intent, "id", ""));
    json_t *written = json_incref((json_t *)intent), *began = json_incref(find(run, "call.began"));
    snprintf(number, sizeof number, "%lld", (long long)call->number);
    run->wrote = true;
    forget(run, "call.intent"); /* what happens to it from here on is recorded anew */
    forget(run, "call.began");
    rb_settle_open(call, written, began, json_object_get(run->replay->settled, number), idempotent);
    json_decref(written);
    json_decref(began);
}

bool rb_replay_holds_call(struct rb_run *run, struct rb_call *call)
{
    struct rb_replay *replay = run->replay;
    json_t *intent = find(run, "call.intent");
    if (!replay || (replay->over && !intent)) {
        return false;
    }
    if (replay->over) { /* the answers came to their end before the runner came to this write */
        settle_open(run, call, intent);
        return true;
    }
    if (!intent && !find(run, "call.outcome") && beyond(run)) {
        diverge(run, call->text, "-");
        return true;
    }
    call->held = true;
    rb_replay_pump(run);
    return true;
}

static void go_on_live(struct rb_run *run)
{
    struct rb_call *call;
    const char *name;
    while (!run->ending && (call = oldest_held(run)) != NULL) {
        call->held = false;
        set_frame(run, call->frame);
        const json_t *intent = find(run, "call.intent");
        if (intent) {
            settle_open(run, call, intent);
        } else {
            rb_call_go(call);
        }
    }
    while (!run->ending && (name = json_object_iter_key(json_object_iter(run->replay->frames))) != NULL) {
        char copy[RB_PLACE_MAX];
        snprintf(copy, sizeof copy, "%s", name);
        give_frame(run, copy);
    }
}

static void end_of_record(struct rb_run *run)
{
    run->replay->over = true;
    run->resumed_at = rb_run_clock(run);
    run->plan.renew = run->plan.consented && !is_idempotent(run, run->plan.id);
}

static void pump(struct rb_run *run)
{
    struct rb_replay *replay = run->replay;
    while (!run->ending && replay->next < json_array_size(replay->order)) {
        const char *name = json_string_value(json_array_get(replay->order, replay->next));
        struct rb_call *call = held_call(run, name);
        if (!call && !json_object_get(replay->frames, name)) {
            return; /* the runner is not there yet */
        }
        replay->next++;
        if (call) {
            call->held = false;
            give_call(run, call);
        } else {
            give_frame(run, name);
        }
    }
    if (run->ending) {
        return;
    }
    if (replay->only) {
        if (json_object_size(replay->frames) || oldest_held(run)) {
            rb_run_park(run, "failed", 1, rb_text(RB_T_run_replay_ends));
        }
        return;
    }
    end_of_record(run);
    go_on_live(run);
}

void rb_replay_pump(struct rb_run *run)
{
    char frame[RB_PLACE_MAX];
    if (run->replay->pumping || run->replay->over) {
        return;
    }
    snprintf(frame, sizeof frame, "%s", run->frame);
    run->replay->pumping = true;
    pump(run);
    run->replay->pumping = false;
    snprintf(run->frame, sizeof run->frame, "%s", frame);
}
