/* The life of a run: what it is made of, its deadlines, its runner. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/arguments.h"
#include "run/state.h"
#include "runner/runner.h"

#define DEFAULT_RUN_SECONDS 3600
#define GUIDED_RUN_SECONDS 86400 /* a person thinks in between */
#define LOAD_SECONDS 2.5         /* of processor time; the runner's own limit is 2 */
#define KILL_AFTER_MS 1500       /* after a block's deadline, when its own courtesy stop did not come */
#define EXIT_LOAD 6              /* ours: the file does not load */

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

static uv_timer_t *timer_new(struct rb_run *run)
{
    uv_timer_t *timer = rb_xcalloc(1, sizeof *timer);
    uv_timer_init(run->engine.loop, timer);
    timer->data = run;
    return timer;
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
    run->run_deadline = timer_new(run);
    run->block_deadline = timer_new(run);
    run->flush_timer = timer_new(run);
    run->response_timer = timer_new(run);
    run->started_ns = run->clock_base_ns = rb_clock_mono_ns();
    return run;
}

static void timer_free(uv_timer_t *timer)
{
    uv_timer_stop(timer);
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
}

void rb_run_release(struct rb_run *run)
{
    rb_workers_free(run->workers);
    rb_modules_free(run->modules);
    rb_lab_free(run->lab);
    rb_waits_free(run);
    timer_free(run->run_deadline);
    timer_free(run->block_deadline);
    timer_free(run->flush_timer);
    timer_free(run->response_timer);
}

void rb_run_free(struct rb_run *run)
{
    json_t *values[] = {run->file,     run->given,    run->confirm,     run->fixes,    run->answers,       run->repeat,
                        run->meta,     run->params,   run->report,      run->pending,  run->finish,        run->failure,
                        run->question, run->frames,   run->interrupted, run->response, run->first_started, run->actor,
                        run->config,   run->standing, run->evidence,    run->planned,  run->made,          run->only,
                        run->end,      run->named};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_decref(values[i]);
    }
    rb_secrets_free(run->secrets);
    rb_plan_clear(&run->plan);
    json_decref(run->plan.writes);
    rb_replay_free(run->replay);
    free(run->now.kind);
    free(run->now.id);
    free(run->now.key);
    free(run->drill);
    free(run->reason);
    free(run->profile);
    free(run->unrecorded);
    free(run->instead);
    free(run->misnamed);
    free(run->target);
    free(run->undoes);
    free(run->question_kind);
    free(run);
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
    double over = rb_child_effort_over(run->runner, &run->loading, LOAD_SECONDS);
    if (over == 0) {
        rb_run_block_deadline(run, LOAD_SECONDS);
        return;
    }
    snprintf(text, sizeof text, rb_text(RB_T_run_load_killed), over);
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
            snprintf(text, sizeof text, rb_text(status == RB_EXIT_MEMORY ? RB_T_run_memory : RB_T_run_runner_died),
                     status == RB_EXIT_MEMORY ? RB_RUNNER_MEMORY >> 20 : status, run->now.id);
            rb_run_fail(run, "failed", run->meta ? 1 : EXIT_LOAD, text);
        }
    }
    free(link);
}

/* Drills and tests are for their own runs: a broken one must not stop a repair. New reference. */
static json_t *files_for(const struct rb_run *run)
{
    bool all = run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST;
    json_t *files = json_array(), *file;
    size_t i;
    json_array_foreach(json_object_get(run->file, "files"), i, file) {
        if (all || strcmp(rb_json_str(file, "role", ""), "drills") != 0) {
            json_array_append(files, file);
        }
    }
    return files;
}

static int start_runner(struct rb_run *run, struct rb_err *err)
{
    static const struct rb_child_events events = {.frame = on_frame, .exit = runner_ended};
    const struct rb_child_spec spec = {.entry = "runner", .access = RB_CHILD_WRITE};
    run->link = rb_xcalloc(1, sizeof *run->link);
    run->link->run = run;
    run->runner = rb_child_start(run->engine.spawner, &spec, &events, run->link, err);
    if (!run->runner) {
        free(run->link);
        return err->code;
    }
    json_t *start = json_pack("{s:{s:s, s:s, s:O, s:o, s:o, s:b}}", "start", "mode", "exec", "lang", run->lang, "id",
                              json_object_get(run->file, "id"), "files", files_for(run), "verbs", rb_arguments_verbs(),
                              "given", run->mode == RB_MODE_TEST);
    int rc = rb_child_send(run->runner, start, err);
    json_decref(start);
    return rc;
}

void rb_run_drop_runner(struct rb_run *run)
{
    if (run->runner) {
        run->link->run = NULL;
        rb_child_kill(run->runner, 0);
        run->runner = NULL;
    }
}

int rb_run_launch(struct rb_run **out, struct rb_run *run, struct rb_err *err)
{
    int rc = start_runner(run, err);
    if (rc < 0) {
        rb_run_drop_runner(run);
        rb_run_release(run);
        rb_run_free(run);
        return rc;
    }
    run->loading = rb_child_effort_begin(run->runner);
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

double rb_run_clock(const struct rb_run *run)
{
    return (double)(rb_clock_mono_ns() - run->clock_base_ns) / 1e9;
}

const json_t *rb_run_meta(const struct rb_run *run)
{
    return run->meta;
}

const json_t *rb_run_file(const struct rb_run *run)
{
    return run->file;
}
