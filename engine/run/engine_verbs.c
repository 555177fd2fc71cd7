/* What the conductor says and asks: run.* and time.*. One function a verb, one table. */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/state.h"

#define DEFAULT_BLOCK_SECONDS 60
#define FRESH_SECONDS 30 /* design.md 3, promise 5 */

/* ---- blocks ---- */

static void set(char **field, const char *value)
{
    free(*field);
    *field = rb_xstrdup(value);
}

static void start_plan(struct rb_run *run)
{
    rb_plan_clear(&run->plan);
    run->plan.id = rb_xstrdup(run->now.id);
    run->plan.key = rb_xstrdup(run->now.key);
}

static json_t *block_body(const struct rb_run *run, const json_t *args)
{
    json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "phase", rb_phase_name(run->now.phase), "block", run->now.kind,
                             "id", run->now.id, "key", run->now.key);
    static const char *const kept[] = {"title", "result", "text", "value", "error", "code", "at"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(args, kept[i]);
        if (value && !json_is_null(value)) {
            json_object_set(body, kept[i], value);
        }
    }
    return body;
}

static void enter(struct rb_run *run, json_int_t seq, const json_t *args)
{
    run->now.phase = rb_phase_parse(rb_json_str(args, "phase", ""));
    set(&run->now.kind, rb_json_str(args, "block", ""));
    set(&run->now.id, rb_json_str(args, "id", ""));
    set(&run->now.key, rb_json_str(args, "key", ""));
    run->now.rehearse = rb_json_bool(args, "rehearse", false);
    run->now.started_ns = rb_clock_mono_ns();
    double timeout = rb_seconds_clamp(json_number_value(json_object_get(args, "timeout")));
    rb_run_block_deadline(run, timeout > 0 ? timeout : DEFAULT_BLOCK_SECONDS);
    RB_CRASH_POINT("block");
    if (run->now.rehearse) {
        start_plan(run);
    } else {
        rb_record(run, run->now.phase == RB_PHASE_CHECK ? "check.started" : "block.started", block_body(run, args));
    }
    rb_run_reply(run, seq, json_object());
}

static void leave(struct rb_run *run, json_int_t seq, const json_t *args)
{
    rb_run_block_deadline(run, 0);
    if (run->now.rehearse) {
        /* Only the use of a result that is not there yet leaves the rest open; an error shows all there is. */
        run->plan.open = !strcmp(rb_json_str(args, "result", ""), "rehearsed");
        json_decref(run->plan.ended);
        run->plan.ended = block_body(run, args);
    } else {
        json_t *body = block_body(run, args);
        json_object_set_new(body, "ms", json_integer((rb_clock_mono_ns() - run->now.started_ns) / 1000000));
        rb_record(run, run->now.phase == RB_PHASE_CHECK ? "check.ended" : "block.ended", body);
        bool back = run->now.phase == RB_PHASE_UNDO && !strcmp(rb_json_str(args, "result", ""), "done");
        run->may_undo = run->may_undo && !back;
        rb_record_soon(run);
    }
    run->now.phase = RB_PHASE_NONE;
    run->now.rehearse = false;
    rb_run_reply(run, seq, json_object());
}

/* ---- remarks: recorded, shown with the next outcome ---- */

static void recorded(struct rb_run *run, json_int_t seq, const char *kind, const json_t *args)
{
    if (++run->remarks > RB_REMARKS_MAX) {
        rb_run_fail(run, "failed", 1, rb_text(RB_T_run_too_many_remarks));
        return;
    }
    rb_record(run, kind, json_copy((json_t *)args));
    rb_run_reply(run, seq, json_object());
}

static void found(struct rb_run *run, json_int_t seq, const json_t *args)
{
    char name[1024];
    snprintf(name, sizeof name, "%s/%s", rb_json_str(args, "id", ""), rb_json_str(args, "key", ""));
    json_object_set(run->evidence, name, json_object_get(args, "evidence"));
    recorded(run, seq, "finding", args);
}

static void diagnosis(struct rb_run *run, json_int_t seq, const json_t *args)
{
    rb_record(run, "diagnosis", json_copy((json_t *)args));
    rb_record_soon(run);
    json_decref(run->standing);
    run->standing = json_is_array(json_object_get(args, "standing")) ? json_deep_copy(json_object_get(args, "standing"))
                                                                     : json_array();
    if (!run->looked) {
        run->looked = true;
        rb_plan_standing(run);
    }
    rb_run_reply(run, seq, json_object());
}

static void say(struct rb_run *run, json_int_t seq, const json_t *args)
{
    recorded(run, seq, "note", args);
}

static void attach(struct rb_run *run, json_int_t seq, const json_t *args)
{
    recorded(run, seq, "attachment", args);
}

/* Done means verified: whatever was unknown of it is known now. */
static void settle(struct rb_run *run, const json_t *args)
{
    run->unknown = run->unknown && strcmp(rb_json_str(args, "result", ""), "done");
}

/* What was not reached and can be taken back: the end says how. */
static void note_undo(struct rb_run *run, const json_t *args)
{
    const char *result = rb_json_str(args, "result", "");
    bool bad = !strcmp(result, "failed") || !strcmp(result, "not_verified");
    bool can = json_object_get(rb_block_declared(run, rb_json_str(args, "id", "")), "undo") != NULL;
    run->may_undo = run->may_undo || (bad && can && run->wrote);
}

/* Of an undo: one thing is taken back, or not. */
static void undone(struct rb_run *run, json_int_t seq, const json_t *args)
{
    settle(run, args);
    recorded(run, seq, "undo.ended", args);
}

static void fixed(struct rb_run *run, json_int_t seq, const json_t *args)
{
    note_undo(run, args);
    settle(run, args);
    recorded(run, seq, "fix.ended", args);
}

static void stepped(struct rb_run *run, json_int_t seq, const json_t *args)
{
    note_undo(run, args);
    settle(run, args);
    recorded(run, seq, "step.ended", args);
}

static void progress(struct rb_run *run, json_int_t seq, const json_t *args)
{
    if (run->view->progress) {
        run->view->progress(run->user, args);
    }
    rb_run_reply(run, seq, json_object());
}

/* ---- previous(id): what a check returned in the last run of this runbook and target ---- */

struct previous {
    const char *run, *check;
    json_t *value;
};

static int keep_value(const struct rb_event *event, void *user)
{
    struct previous *previous = user;
    if (strcmp(event->kind, "check.ended") || !event->body) {
        return 0;
    }
    json_t *body = rb_json_parse(event->body, strlen(event->body), NULL);
    if (!strcmp(rb_json_str(body, "id", ""), previous->check)) {
        char when[RB_TIME_MAX];
        rb_clock_format(event->utc_us, 0, when);
        json_decref(previous->value);
        json_t *value = json_object_get(body, "value");
        previous->value = json_pack("{s:O, s:s}", "value", value ? value : json_null(), "at", when);
    }
    json_decref(body);
    return 0;
}

static void previous_value(struct rb_run *run, json_int_t seq, const json_t *args)
{
    struct rb_err err = {0};
    struct previous previous = {.check = rb_json_str(args, "id", "")};
    json_t *runs = !run->engine.journal
                       ? NULL
                       : rb_journal_runs(run->engine.journal, rb_json_str(run->file, "id", ""), 50, &err),
           *one;
    size_t i;
    json_array_foreach(runs, i, one) {
        const char *id = rb_json_str(one, "run", "");
        if (strcmp(id, run->id) && json_equal(json_object_get(one, "params"), run->params)) {
            rb_journal_read(run->engine.journal, id, 0, keep_value, &previous, &err);
            break;
        }
    }
    json_decref(runs);
    rb_run_input(run, run->frame, seq, "run.previous", previous.value ? previous.value : json_null());
}

/* Is what was seen at that time too old to act on? What was seen before a crash always is. */
static void stale(struct rb_run *run, json_int_t seq, const json_t *args)
{
    double at = json_number_value(json_object_get(args, "at"));
    bool old = rb_run_clock(run) - at > FRESH_SECONDS || (run->resumed_at > 0 && at <= run->resumed_at);
    rb_run_input(run, run->frame, seq, "run.stale", json_boolean(old));
}

/* ---- the end ---- */

static void finish(struct rb_run *run, json_int_t seq, const json_t *args)
{
    rb_run_reply(run, seq, json_object());
    if (!run->ending) {
        run->finish = json_deep_copy(args);
        if (!strcmp(rb_json_str(args, "result", ""), "found")) {
            rb_consent_unused(run);
        }
        if (run->mode == RB_MODE_DRY_RUN) {
            rb_plan_made(run);
        }
        rb_run_end(run);
    }
}

/* The last words of a runner whose library failed. */
static void crash(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)seq;
    rb_run_fail(run, "failed", 1, rb_json_str(args, "message", rb_text(RB_T_run_bad_frame)));
}

static const struct engine_verb {
    const char *name;
    void (*serve)(struct rb_run *run, json_int_t seq, const json_t *args);
    bool asks; /* its answer is not the runner's doing: it is recorded */
} verbs[] = {
    {"run.declare", rb_verb_declare, false},
    {"run.begin", rb_verb_begin, false},
    {"run.enter", enter, false},
    {"run.leave", leave, false},
    {"run.found", found, false},
    {"run.diagnosis", diagnosis, false},
    {"run.say", say, false},
    {"run.attach", attach, false},
    {"run.progress", progress, false},
    {"run.fixed", fixed, false},
    {"run.stepped", stepped, false},
    {"run.undone", undone, false},
    {"run.finish", finish, false},
    {"run.crash", crash, false},
    {"run.offer", rb_consent_offer, true},
    {"run.confirm", rb_consent_confirm, true},
    {"run.preview", rb_plan_preview, false},
    {"run.ask", rb_consent_ask, true},
    {"run.pace", rb_consent_pace, true},
    {"run.go_on", rb_consent_go_on, true},
    {"run.previous", previous_value, true},
    {"run.stale", stale, true},
    {"time.now", rb_verb_now, true},
    {"time.mono", rb_verb_mono, true},
    {"time.wait", rb_verb_wait, true},
};

/* Before run.begin only run.declare; the runner cannot skip the lock and the record. */
static bool in_order(const struct rb_run *run, const char *verb)
{
    if (!strcmp(verb, "run.declare")) {
        return !run->meta;
    }
    if (!strcmp(verb, "run.begin")) {
        return run->meta && !run->begun;
    }
    return run->begun || !strcmp(verb, "run.crash");
}

static const struct engine_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!strcmp(verbs[i].name, name)) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* The answer an earlier life got. A confirmation is more than its answer: it is served, and finds the answer there. */
static bool answered_before(struct rb_run *run, const char *verb, json_int_t seq)
{
    if (!run->recorded || !strcmp(verb, "run.confirm")) {
        return false;
    }
    rb_run_reply(run, seq, json_incref(json_object_get(run->recorded, "ok")));
    return true;
}

void rb_engine_serve(struct rb_run *run, const json_t *frame)
{
    const char *verb = rb_json_str(frame, "verb", "");
    json_int_t seq = rb_json_int(frame, "seq", 0);
    if (!answered_before(run, verb, seq)) {
        find_verb(verb)->serve(run, seq, json_object_get(frame, "args"));
    }
}

int rb_engine_verb(struct rb_run *run, const json_t *frame)
{
    const char *verb = rb_json_str(frame, "verb", "");
    const json_t *args = json_object_get(frame, "args");
    const struct engine_verb *found = find_verb(verb);
    if (!json_is_object(args) || !in_order(run, verb)) {
        rb_run_fail(run, "failed", 1, rb_text(RB_T_run_bad_frame));
    } else if (!found) {
        return rb_drill_verb(run, verb, rb_json_int(frame, "seq", 0), args);
    } else if (!found->asks || !rb_replay_holds_frame(run, frame)) {
        rb_engine_serve(run, frame);
    }
    return 1;
}
