/* The life of a run: start the runner, listen to it, stop, end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/arguments.h"
#include "run/state.h"
#include "runner/runner.h"

#define DEFAULT_RUN_SECONDS 3600
#define GUIDED_RUN_SECONDS 86400 /* a person thinks in between */
#define LOAD_SECONDS 2.5 /* of processor time; the runner's own limit is 2 … */
#define LOAD_WALL 60     /* … and of waiting for it, on a machine that has none to give */
#define KILL_AFTER_MS 1500 /* after a block's deadline, when its own courtesy stop did not come */
#define EXIT_MEMORY 88 /* of the runner */
#define EXIT_LOAD 6    /* ours: the file does not load */

/* The runner's events may come after the run is gone. */
struct rb_link {
    struct rb_run *run;
};

static json_t *copy(const json_t *value, json_t *fallback)
{
    if (!value) {
        return fallback;
    }
    json_decref(fallback);
    return json_deep_copy(value);
}

struct rb_run *rb_run_new(const struct rb_engine *engine, const struct rb_run_options *o,
                          const struct rb_run_view *view, void *user)
{
    struct rb_run *run = rb_xcalloc(1, sizeof *run);
    *run = (struct rb_run){.engine = *engine, .view = view, .user = user, .mode = o->mode};
    if (o->id) {
        snprintf(run->id, sizeof run->id, "%s", o->id);
    } else {
        rb_id_new('r', run->id);
    }
    run->actor = json_deep_copy(o->actor);
    run->allow = o->allow ? rb_risk_rank(o->allow) : -1;
    run->file = copy(o->file, json_object());
    run->given = copy(o->params, json_object());
    run->confirm = copy(o->confirm, json_array());
    run->fixes = copy(o->fixes, json_array());
    run->answers = copy(o->answers, json_object());
    run->repeat = copy(o->repeat, json_array());
    run->config = copy(o->config, json_object());
    run->secrets = rb_secrets_new(run);
    run->drill = o->drill ? rb_xstrdup(o->drill) : NULL;
    run->reason = o->reason ? rb_xstrdup(o->reason) : NULL;
    run->unrecorded = o->unrecorded ? rb_xstrdup(o->unrecorded) : NULL;
    run->instead = o->instead ? rb_xstrdup(o->instead) : NULL;
    run->profile = o->profile ? rb_xstrdup(o->profile) : NULL;
    run->only = json_deep_copy(o->plan);
    run->undoes = o->undoes ? rb_xstrdup(o->undoes) : NULL;
    run->standing = json_array();
    run->evidence = json_object();
    run->planned = json_array();
    run->yes = o->yes;
    run->wait = o->wait || o->plan; /* a plan is used by one run: that one waits */
    run->guided = o->guided;
    run->no_input = o->no_input || !view->ask;
    run->timeout = o->timeout > 0 ? o->timeout : o->guided ? GUIDED_RUN_SECONDS : DEFAULT_RUN_SECONDS;
    run->report = rb_report_new();
    run->pending = json_array();
    run->plan.writes = json_array();
    run->now.kind = rb_xstrdup("runbook");
    run->now.id = rb_xstrdup(rb_json_str(run->file, "id", "?"));
    run->now.key = rb_xstrdup("");
    run->workers = rb_workers_new(run);
    run->modules = rb_modules_new();
    run->frames = json_object();
    run->lang = rb_text_lang() == RB_LANG_ZH ? "zh" : "en";
    run->started_ns = run->clock_base_ns = rb_clock_mono_ns();
    return run;
}

static uv_timer_t *timer_new(struct rb_run *run)
{
    uv_timer_t *timer = rb_xcalloc(1, sizeof *timer);
    uv_timer_init(run->engine.loop, timer);
    timer->data = run;
    return timer;
}

static void timer_free(uv_timer_t *timer)
{
    uv_timer_stop(timer);
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}

static void block_now_clear(struct rb_run *run)
{
    free(run->now.kind);
    free(run->now.id);
    free(run->now.key);
}

static void run_free(struct rb_run *run)
{
    json_t *values[] = {run->file,   run->given,   run->confirm,  run->fixes,  run->answers, run->repeat, run->meta,
                        run->params, run->report,  run->pending,  run->finish, run->failure, run->question, run->frames,
                        run->interrupted, run->response, run->first_started, run->actor, run->config,  run->standing, run->evidence,
                        run->planned, run->made,  run->only, run->end};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_decref(values[i]);
    }
    rb_secrets_free(run->secrets);
    rb_plan_clear(&run->plan);
    json_decref(run->plan.writes);
    rb_replay_free(run->replay);
    block_now_clear(run);
    free(run->drill);
    free(run->reason);
    free(run->profile);
    free(run->unrecorded);
    free(run->instead);
    free(run->target);
    free(run->undoes);
    free(run->question_kind);
    free(run);
}

/* ---- replies ---- */

static int send_frame(struct rb_run *run, json_t *frame, struct rb_err *err)
{
    int rc = run->runner ? rb_child_send(run->runner, frame, err) : 0;
    json_decref(frame);
    return rc;
}

static void send_or_fail(struct rb_run *run, json_t *frame)
{
    struct rb_err err = {0};
    if (send_frame(run, frame, &err) < 0) {
        rb_run_fail(run, "failed", 1, err.text);
    }
}

void rb_run_reply(struct rb_run *run, json_int_t seq, json_t *ok)
{
    struct rb_err err = {0};
    ok = rb_secrets_clean(run->secrets, ok);
    int rc = send_frame(run, json_pack("{s:I, s:o}", "seq", seq, "ok", ok), &err);
    if (rc == RB_ETOO_LARGE) { /* the block may ask for less */
        rb_run_reply_error(run, seq, &err, "reply", false);
    } else if (rc < 0) {
        rb_run_fail(run, "failed", 1, err.text);
    }
}

void rb_run_input(struct rb_run *run, const char *frame, json_int_t seq, const char *verb, json_t *ok)
{
    rb_record(run, "input", json_pack("{s:s, s:s, s:O}", "frame", frame, "verb", verb, "ok", ok));
    rb_run_reply(run, seq, ok);
}

double rb_run_clock(const struct rb_run *run)
{
    return (double)(rb_clock_mono_ns() - run->clock_base_ns) / 1e9;
}

void rb_run_reply_noted(struct rb_run *run, json_int_t seq)
{
    send_or_fail(run, json_pack("{s:I, s:b}", "seq", seq, "noted", 1));
}

json_t *rb_run_error(const struct rb_run *run, const struct rb_err *given, const char *verb, bool fatal)
{
    struct rb_err own = *given, *err = &own;
    rb_secrets_clean_err(run->secrets, err);
    json_t *error = json_pack("{s:s, s:o, s:s, s:b}", "code", rb_err_name(err->code), "message",
                              rb_json_bytes(err->text, strlen(err->text)), "verb", verb, "fatal", fatal);
    if (err->hint[0]) {
        json_object_set_new(error, "hint", rb_json_bytes(err->hint, strlen(err->hint)));
    }
    return error;
}

void rb_run_reply_failure(struct rb_run *run, json_int_t seq, json_t *error)
{
    send_or_fail(run, json_pack("{s:I, s:o}", "seq", seq, "error", error));
}

void rb_run_reply_error(struct rb_run *run, json_int_t seq, const struct rb_err *err, const char *verb, bool fatal)
{
    rb_run_reply_failure(run, seq, rb_run_error(run, err, verb, fatal));
}

/* ---- the end ---- */

int rb_run_exit_code(const char *result)
{
    static const struct {
        const char *result;
        int code;
    } codes[] = {
        {"healthy", 0}, {"fixed", 0},   {"done", 0},     {"found", 3},    {"failed", 1},      {"unknown", 9},
        {"waiting", 4}, {"denied", 5},  {"rejected", 4}, {"aborted", 130}, {"timed_out", 124}, {"busy", 8},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!strcmp(codes[i].result, result)) {
            return codes[i].code;
        }
    }
    return 1;
}

static bool never_reached(const char *code)
{
    static const char *const codes[] = {"refused", "timeout", "dns", "tls", "reset", "unreachable"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!strcmp(code, codes[i])) {
            return true;
        }
    }
    return false;
}

/* 7 when nothing was found and every failed check failed by not reaching its target. */
static int exit_of_finish(const json_t *finish, const char *result)
{
    size_t i, unreachable = 0;
    json_t *code, *codes = json_object_get(finish, "failed_checks");
    json_array_foreach(codes, i, code) {
        unreachable += json_is_string(code) && never_reached(json_string_value(code));
    }
    if (!strcmp(result, "failed") && !rb_json_int(finish, "standing", 0) && unreachable &&
        unreachable == json_array_size(codes)) {
        return 7;
    }
    return rb_run_exit_code(result);
}

/* A write that nobody settled outweighs how the rest went. A drill expects its result, also this one. */
static void put_unknown(const struct rb_run *run, json_t *body)
{
    if (run->unknown && run->mode != RB_MODE_DRILL) {
        json_object_set_new(body, "result", json_string("unknown"));
        json_object_set_new(body, "exit", json_integer(rb_run_exit_code("unknown")));
    }
}

static json_t *ended_body(const struct rb_run *run)
{
    json_t *body = json_object();
    if (run->failure) {
        json_object_set_new(body, "next", json_array());
        json_object_update(body, run->failure);
        put_unknown(run, body);
        return body;
    }
    const char *result = rb_json_str(run->finish, "result", "failed");
    json_object_set_new(body, "result", json_string(result));
    json_object_set_new(body, "exit", json_integer(exit_of_finish(run->finish, result)));
    put_unknown(run, body);
    json_object_set_new(body, "next", rb_next_commands(run, json_object_get(run->finish, "left")));
    static const char *const kept[] = {"advice", "wrote", "drill"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(run->finish, kept[i]);
        if (value) {
            json_object_set(body, kept[i], value);
        }
    }
    return body;
}

/* For lists of runs: which fixes were done, without reading every event. */
static json_t *fixes_done(const struct rb_run *run)
{
    size_t i;
    json_t *fix, *done = json_array();
    json_array_foreach(json_object_get(run->report, "fixes"), i, fix) {
        if (!strcmp(rb_json_str(fix, "result", ""), "done")) {
            json_array_append(done, json_object_get(fix, "id"));
        }
    }
    return done;
}

static void mark_unrecorded(json_t *body, const char *why)
{
    json_object_set_new(body, "recorded", json_false());
    json_object_set_new(body, "error", rb_json_bytes(why, strlen(why)));
    json_object_set_new(body, "exit", json_integer(RB_EXIT_JOURNAL));
    json_object_set_new(body, "next", json_array());
}

/* Is a write begun, and its outcome on no disk? To the record it is one that nobody knows of. */
static bool outcome_lost(const struct rb_run *run)
{
    size_t i;
    json_t *event;
    json_array_foreach(run->pending, i, event) {
        if (!strcmp(json_string_value(json_array_get(event, 0)), "call.outcome") &&
            !strcmp(rb_json_str(json_array_get(event, 1), "effect", ""), "write")) {
            return true;
        }
    }
    return false;
}

/* The end itself is on no disk. What was looked at is shown all the same, and marked. */
static void end_unrecorded(struct rb_run *run, json_t *body, const char *why)
{
    bool unknown = run->unknown || outcome_lost(run); /* before what the journal's own error says: something may have happened */
    mark_unrecorded(body, why);
    if (run->parked) { /* nothing says that it waits */
        json_object_set_new(body, "result", json_string("failed"));
    }
    if (!run->wrote) {
        rb_record_show(run);
    } else if (unknown) {
        json_object_set_new(body, "result", json_string("unknown"));
        json_object_set_new(body, "exit", json_integer(rb_run_exit_code("unknown")));
    }
    rb_report_apply(run->report, "run.ended", body, rb_clock_utc_us());
}

static json_t *end_of(const struct rb_run *run)
{
    json_t *body = ended_body(run);
    json_object_set_new(body, "ms", json_integer((rb_clock_mono_ns() - run->started_ns) / 1000000));
    json_object_set_new(body, "fixed", fixes_done(run));
    json_object_set_new(body, "run", json_string(run->id));
    if (run->unrecorded) {
        mark_unrecorded(body, run->unrecorded);
    } else if (run->refused_unrecorded && !run->unknown) {
        json_object_set_new(body, "exit", json_integer(RB_EXIT_JOURNAL));
    }
    return body;
}

/* All is over and told. */
static void close_run(struct rb_run *run)
{
    RB_CRASH_POINT("ended");
    rb_workers_free(run->workers);
    rb_modules_free(run->modules);
    rb_lab_free(run->lab);
    rb_waits_free(run);
    timer_free(run->run_deadline);
    timer_free(run->block_deadline);
    timer_free(run->flush_timer);
    timer_free(run->response_timer);
    rb_locks_release(run, run->parked || !strcmp(rb_json_str(run->report, "result", ""), "unknown"));
    run->view->ended(run->user, run->report);
    run_free(run);
}

static void end_recorded(void *user, const struct rb_err *error, const struct rb_err *unsealed)
{
    struct rb_run *run = user;
    if (error) {
        end_unrecorded(run, run->end, error->text);
    } else if (run->parked) {
        rb_report_apply(run->report, "run.ended", run->end, rb_clock_utc_us());
    } else if (unsealed) {
        json_object_set_new(run->report, "unsealed", json_string(unsealed->text)); /* all is recorded; its proof is late */
    }
    close_run(run);
}

/* A run that is parked has an end in this process only; what was recorded of it must be on disk all the same. */
static void finalize(struct rb_run *run)
{
    RB_CRASH_POINT("end");
    run->end = end_of(run);
    run->frame[0] = '\0';
    if (!run->begun) {
        rb_report_apply(run->report, "run.ended", run->end, rb_clock_utc_us());
        close_run(run);
    } else if (run->parked) {
        rb_turn_wait(run, end_recorded, run);
    } else {
        rb_record(run, "run.ended", json_incref(run->end));
        rb_turn_wait_sealed(run, end_recorded, run);
    }
}

void rb_run_settle(struct rb_run *run)
{
    if (run->ending && !run->calls && !run->waiting && !uv_is_active((uv_handle_t *)run->block_deadline)) {
        finalize(run);
    }
}

static void settle_now(uv_timer_t *timer)
{
    struct rb_run *run = timer->data;
    rb_run_settle(run);
}

/* From here on nothing new starts; the end comes when nothing is in flight. */
void rb_run_end(struct rb_run *run)
{
    run->ending = true; /* replies go nowhere from here on */
    if (run->runner) {
        run->link->run = NULL;
        rb_child_kill(run->runner, 0);
        run->runner = NULL;
    }
    uv_timer_stop(run->run_deadline);
    rb_response_end(run);
    /* Settled by the loop, never inside the caller's frame: the run must outlive it. */
    uv_timer_start(run->block_deadline, settle_now, 0, 0);
    rb_dispatch_cancel_all(run);
}

void rb_run_fail(struct rb_run *run, const char *result, int exit_code, const char *text)
{
    if (run->failure || run->ending) {
        return;
    }
    run->failure = json_pack("{s:s, s:i, s:o}", "result", result, "exit", exit_code, "error",
                             rb_json_bytes(text, strlen(text)));
    rb_run_end(run);
}

void rb_run_park(struct rb_run *run, const char *result, int exit_code, const char *text)
{
    run->parked = run->parked || (!run->failure && !run->ending);
    rb_run_fail(run, result, exit_code, text);
}

void rb_run_leave(struct rb_run *run)
{
    char text[256];
    if (run->ending) {
        return;
    }
    if (!run->begun) {
        rb_run_fail(run, "aborted", 130, rb_text(RB_T_run_not_begun));
        return;
    }
    snprintf(text, sizeof text, rb_text(RB_T_run_left), run->id);
    rb_run_park(run, "waiting", 4, text);
    json_object_set_new(run->failure, "next", rb_next_guide(run));
}

void rb_run_remark(struct rb_run *run, const char *text)
{
    char frame[RB_PLACE_MAX];
    memcpy(frame, run->frame, sizeof frame);
    run->frame[0] = '\0'; /* nothing of the runner caused it */
    rb_record(run, "note", json_pack("{s:o}", "text", rb_json_bytes(text, strlen(text))));
    rb_record_soon(run);
    memcpy(run->frame, frame, sizeof frame);
}

const json_t *rb_run_meta(const struct rb_run *run)
{
    return run->meta;
}

const json_t *rb_run_file(const struct rb_run *run)
{
    return run->file;
}

void rb_run_stop(struct rb_run *run, int signal)
{
    char text[256];
    if (run->stop_signal) {
        rb_dispatch_hurry(run);
        return;
    }
    run->stop_signal = signal;
    if (!rb_replay_over(run->replay) || rb_call_asking(run)) { /* nothing happened yet in this life */
        snprintf(text, sizeof text, rb_text(RB_T_run_stopped_resuming), signal, run->id);
        rb_run_park(run, "aborted", 128 + signal, text);
        return;
    }
    snprintf(text, sizeof text, rb_text(run->wrote ? RB_T_run_stopped_wrote : RB_T_run_stopped), signal);
    rb_run_fail(run, "aborted", 128 + signal, text);
}

/* ---- deadlines ---- */

static void run_deadline_passed(uv_timer_t *timer)
{
    struct rb_run *run = timer->data;
    char text[256];
    snprintf(text, sizeof text, rb_text(RB_T_run_timed_out), run->timeout);
    rb_run_fail(run, "timed_out", 124, text);
}

static void block_not_ending(uv_timer_t *timer)
{
    struct rb_run *run = timer->data;
    char text[512];
    snprintf(text, sizeof text, rb_text(RB_T_run_block_killed), run->now.kind, run->now.id);
    rb_run_fail(run, "failed", 1, text);
}

static void not_loaded_in_time(struct rb_run *run)
{
    char text[512];
    int64_t waited_ns = rb_clock_mono_ns() - run->started_ns;
    bool late = waited_ns > LOAD_WALL * INT64_C(1000000000);
    if (!late && rb_child_cpu_ns(run->runner) < (int64_t)(LOAD_SECONDS * 1e9)) {
        rb_run_block_deadline(run, LOAD_SECONDS);
        return;
    }
    snprintf(text, sizeof text, rb_text(RB_T_run_load_killed), late ? (double)LOAD_WALL : LOAD_SECONDS);
    rb_run_fail(run, "failed", EXIT_LOAD, text);
}

static void block_deadline_passed(uv_timer_t *timer)
{
    struct rb_run *run = timer->data;
    struct rb_err err = {0};
    if (!run->meta) {
        not_loaded_in_time(run);
        return;
    }
    rb_err_set(&err, RB_ETIMEOUT, RB_T_run_block_timeout, run->now.kind, run->now.id);
    for (struct rb_call *call = run->calls; call; call = call->next) {
        call->timed_out = true;
    }
    uv_timer_start(timer, block_not_ending, KILL_AFTER_MS, 0);
    rb_waits_cancel(run, &err);
    rb_dispatch_cancel_all(run);
}

void rb_run_block_deadline(struct rb_run *run, double seconds)
{
    uv_timer_stop(run->block_deadline);
    if (seconds > 0) {
        uv_timer_start(run->block_deadline, block_deadline_passed, (uint64_t)(seconds * 1000), 0);
    }
}

/* ---- the runner ---- */

/* The n-th call of its task: the same in every life of the run. */
static int name_frame(struct rb_run *run, const json_t *frame)
{
    const char *task = rb_json_str(frame, "task", "");
    json_t *count = json_object_get(run->frames, task);
    json_int_t n = json_integer_value(count) + 1;
    if (strlen(task) > RB_PLACE_MAX - 24) {
        return RB_EPROTOCOL;
    }
    if (count) {
        json_integer_set(count, n);
    } else {
        json_object_set_new(run->frames, task, json_integer(n));
    }
    snprintf(run->frame, sizeof run->frame, "%s#%lld", task, (long long)n);
    return 0;
}

static void on_frame(struct rb_child *child, json_t *frame, void *user)
{
    (void)child;
    struct rb_run *run = ((struct rb_link *)user)->run;
    if (!run || run->ending) {
        return;
    }
    const char *verb = rb_json_str(frame, "verb", NULL);
    if (!verb) {
        rb_run_fail(run, "failed", 1, rb_text(RB_T_run_bad_frame));
    } else if (name_frame(run, frame) < 0) {
        rb_run_fail(run, "failed", 1, rb_text(RB_T_run_bad_frame));
    } else if (!rb_engine_verb(run, frame)) {
        rb_dispatch(run, frame);
    }
    run->frame[0] = '\0';
}

static void runner_ended(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user)
{
    (void)child;
    (void)orphaned;
    struct rb_link *link = user;
    struct rb_run *run = link->run;
    if (run) {
        char text[512];
        run->runner = NULL;
        if (err) {
            rb_run_fail(run, "failed", 1, err->text);
        } else {
            snprintf(text, sizeof text, rb_text(status == EXIT_MEMORY ? RB_T_run_memory : RB_T_run_runner_died),
                     status == EXIT_MEMORY ? RB_RUNNER_MEMORY >> 20 : status, run->now.id);
            rb_run_fail(run, "failed", run->meta ? 1 : EXIT_LOAD, text);
        }
    }
    free(link);
}

static int start_runner(struct rb_run *run, struct rb_err *err)
{
    static const struct rb_child_events events = {.frame = on_frame, .exit = runner_ended};
    const struct rb_child_spec spec = {.entry = "runner", .access = RB_CHILD_WRITE};
    run->link = rb_xcalloc(1, sizeof *run->link);
    run->link->run = run;
    run->runner = rb_child_start(run->engine.spawner, &spec, &events, run->link, err);
    if (!run->runner) {
        return err->code;
    }
    json_t *start = json_pack("{s:{s:s, s:s, s:O, s:O, s:o, s:b}}", "start", "mode", "exec", "lang",
                              run->lang, "id", json_object_get(run->file, "id"),
                              "files", json_object_get(run->file, "files"), "verbs", rb_arguments_verbs(),
                              "given", run->mode == RB_MODE_TEST);
    int rc = rb_child_send(run->runner, start, err);
    json_decref(start);
    return rc;
}

int rb_run_launch(struct rb_run **out, struct rb_run *run, struct rb_err *err)
{
    run->run_deadline = timer_new(run);
    run->block_deadline = timer_new(run);
    run->flush_timer = timer_new(run);
    run->response_timer = timer_new(run);
    int rc = start_runner(run, err);
    if (rc < 0) {
        timer_free(run->run_deadline);
        timer_free(run->block_deadline);
        timer_free(run->flush_timer);
        timer_free(run->response_timer);
        if (!run->runner) {
            free(run->link);
        } else {
            run->link->run = NULL;
        }
        rb_workers_free(run->workers);
        rb_modules_free(run->modules);
        run_free(run);
        return rc;
    }
    rb_run_block_deadline(run, LOAD_SECONDS);
    uv_timer_start(run->run_deadline, run_deadline_passed, (uint64_t)(run->timeout * 1000), 0);
    *out = run;
    return 0;
}

int rb_run_start(struct rb_run **out, const struct rb_engine *engine, const struct rb_run_options *options,
                 const struct rb_run_view *view, void *user, struct rb_err *err)
{
    return rb_run_launch(out, rb_run_new(engine, options, view, user), err);
}

void rb_run_answer(struct rb_run *run, const json_t *answer)
{
    if (run->question_seq && !run->ending) {
        rb_consent_answered(run, answer);
    }
}
