/* runbook exec: the line becomes the options of a run; the run is watched until it ends. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/exec.h"
#include "cli/guide.h"
#include "journal/journal.h"
#include "process/spawner.h"

#define PARAM_FILE_MAX (8u << 20)

#define WATCHED 3

struct watch {
    struct rb_exec e;
    uv_signal_t signals[WATCHED];
    int open; /* handles not closed yet */
};

/* ---- the options ---- */

/* "name=value" into object; RB_EUSAGE when there is no name. */
int rb_exec_add_pair(json_t *object, const char *pair, const char *what, struct rb_err *err)
{
    const char *equals = strchr(pair, '=');
    json_t *value = equals != NULL ? json_string(equals + 1) : NULL;
    if (equals == NULL || equals == pair || value == NULL) {
        json_decref(value);
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_pair, pair, what);
    }
    json_t *key = json_stringn(pair, (size_t)(equals - pair));
    if (key == NULL) {
        json_decref(value);
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_pair, pair, what);
    }
    json_object_set_new(object, json_string_value(key), value);
    json_decref(key);
    return 0;
}

static int read_all(const char *path, struct rb_buf *text, struct rb_err *err)
{
    char chunk[65536];
    if (strcmp(path, "-") != 0) {
        return rb_files_read(path, PARAM_FILE_MAX, 0, text, err);
    }
    for (;;) {
        ssize_t n = read(STDIN_FILENO, chunk, sizeof chunk);
        if (n == 0) {
            return 0;
        }
        if (n < 0 && errno != EINTR) {
            return rb_err_errno(err, errno, "-");
        }
        if (n > 0 && rb_buf_add(text, chunk, (size_t)n) != 0) {
            return rb_err_set(err, RB_ETOO_LARGE, RB_T_cli_param_file_large, path);
        }
    }
}

/* Parameters as one JSON object: the way for values that must not be seen in a list of processes. */
static int add_param_file(json_t *params, const char *path, struct rb_err *err)
{
    struct rb_buf text;
    rb_buf_init(&text, PARAM_FILE_MAX);
    json_t *values = NULL;
    int rc = read_all(path, &text, err);
    if (rc == 0) {
        values = rb_json_parse(rb_buf_str(&text), text.len, err);
        rc = json_is_object(values) ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_cli_param_file_bad, path);
    }
    if (rc == 0) {
        json_object_update(params, values);
    }
    json_decref(values);
    rb_buf_deinit(&text);
    return rc != 0 ? RB_EUSAGE : 0;
}

/* The first word, unless it is a parameter already. */
static bool names_runbook(const struct rb_cli *c)
{
    return c->nargs > 0 && strchr(c->args[0], '=') == NULL;
}

/* File first, then -p, then name=value: what stands nearer to the hand wins. */
static int collect_params(const struct rb_cli *c, json_t *params, struct rb_err *err)
{
    size_t i;
    json_t *item;
    int rc = 0;
    json_array_foreach(c->options.values[RB_O_PARAM_FILE], i, item) {
        rc = rc != 0 ? rc : add_param_file(params, json_string_value(item), err);
    }
    json_array_foreach(c->options.values[RB_O_PARAM], i, item) {
        rc = rc != 0 ? rc : rb_exec_add_pair(params, json_string_value(item), "name=value", err);
    }
    for (int k = names_runbook(c) ? 1 : 0; k < c->nargs && rc == 0; k++) {
        rc = rb_exec_add_pair(params, c->args[k], "name=value", err);
    }
    if (rc != 0 && err->code != RB_EUSAGE) {
        err->code = RB_EUSAGE;
    }
    return rc;
}

static int collect_answers(const struct rb_cli *c, json_t *answers, struct rb_err *err)
{
    size_t i;
    json_t *item;
    int rc = 0;
    json_array_foreach(c->options.values[RB_O_ANSWER], i, item) {
        rc = rc != 0 ? rc : rb_exec_add_pair(answers, json_string_value(item), "--answer NAME=VALUE", err);
    }
    return rc;
}

static enum rb_run_mode mode_of(const struct rb_options *o)
{
    return rb_options_has(o, RB_O_DRY_RUN)    ? RB_MODE_DRY_RUN
           : rb_options_has(o, RB_O_DIAGNOSE) ? RB_MODE_DIAGNOSE
                                              : RB_MODE_EXEC;
}

int rb_exec_consent(const struct rb_cli *c, struct rb_run_options *o, json_t *answers, struct rb_err *err)
{
    const char *timeout = rb_options_get(&c->options, RB_O_TIMEOUT);
    int rc = collect_answers(c, answers, err);
    if (rc == 0 && timeout != NULL && (rb_duration_parse(timeout, &o->timeout) != 0 || o->timeout <= 0)) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_value, "timeout", timeout);
    }
    o->answers = answers;
    o->yes = rb_options_has(&c->options, RB_O_YES);
    o->no_input = c->no_input;
    o->wait = rb_options_has(&c->options, RB_O_WAIT);
    o->confirm = c->options.values[RB_O_CONFIRM];
    o->fixes = c->options.values[RB_O_FIX];
    o->profile = rb_options_get(&c->options, RB_O_PROFILE);
    o->reason = rb_options_get(&c->options, RB_O_REASON);
    return rc;
}

static int fill_options(const struct rb_cli *c, struct rb_run_options *o, json_t *params, json_t *answers,
                        struct rb_err *err)
{
    int rc = collect_params(c, params, err);
    o->params = params;
    o->mode = mode_of(&c->options);
    return rc != 0 ? rc : rb_exec_consent(c, o, answers, err);
}

/* ---- the run ---- */

static void on_ended(void *user, const json_t *result)
{
    struct rb_exec *e = user;
    e->result = json_deep_copy(result);
    e->run = NULL;
}

/* One line an event: the same facts as the object, as they happen. */
static void jsonl_event(void *user, const char *kind, const json_t *body)
{
    struct rb_exec *e = user;
    char at[RB_TIME_MAX];
    rb_clock_format(rb_clock_utc_us(), 1, at);
    json_t *line = json_pack("{s:s, s:s}", "t", kind, "at", at);
    json_object_update_missing(line, (json_t *)body);
    rb_put_jsonl(e->c, line);
    json_decref(line);
}

static const struct rb_run_view *view_of(const struct rb_cli *c, bool guided)
{
    static const struct rb_run_view paced = {.event = rb_guide_event,
                                             .output = rb_exec_output,
                                             .progress = rb_exec_progress,
                                             .ask = rb_guide_ask,
                                             .ended = on_ended};
    static const struct rb_run_view text = {.event = rb_exec_event,
                                            .output = rb_exec_output,
                                            .progress = rb_exec_progress,
                                            .ask = rb_exec_ask,
                                            .ended = on_ended};
    static const struct rb_run_view lines = {.event = jsonl_event, .ask = rb_exec_ask, .ended = on_ended};
    static const struct rb_run_view whole = {.ask = rb_exec_ask, .ended = on_ended};
    return guided ? &paced : c->format == RB_FORMAT_TEXT ? &text : c->format == RB_FORMAT_JSONL ? &lines : &whole;
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct watch *w = handle->data;
    struct rb_cli *c = w->e.c;
    if (w->e.run == NULL || (w->e.guide != NULL && rb_guide_signal(w->e.guide, signal))) {
        return;
    }
    rb_prompt_cancel(&w->e.prompt);
    rb_status(c, NULL);
    if (w->e.stops++ == 0) {
        rb_put(c, RB_ERR, RB_WARN, "\n%s\n", TX(stopping));
    }
    rb_run_stop(w->e.run, signal);
}

static void on_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    w->open--;
}

static void watch_open(struct watch *w, struct rb_cli *c)
{
    static const int signals[WATCHED] = {SIGINT, SIGTERM, SIGHUP}; /* HUP: the terminal is closed */
    for (int i = 0; i < WATCHED; i++) {
        uv_signal_init(&c->loop, &w->signals[i]);
        w->signals[i].data = w;
        uv_signal_start(&w->signals[i], on_signal, signals[i]);
        w->open++;
    }
    if (!c->no_input && rb_prompt_open(&w->e.prompt, &c->loop) != 0) {
        c->no_input = true; /* a terminal that cannot be waited for cannot be asked */
    }
}

static void watch_close(struct watch *w)
{
    for (int i = 0; i < WATCHED; i++) {
        uv_close((uv_handle_t *)&w->signals[i], on_closed);
    }
    rb_prompt_close(&w->e.prompt);
    while (w->open > 0 || w->e.prompt.open) {
        uv_run(&w->e.c->loop, UV_RUN_ONCE);
    }
}

static void exec_init(struct rb_exec *e, struct rb_cli *c, const struct rb_run_options *o)
{
    e->c = c;
    e->done = json_array();
    e->found = json_object();
    e->dry_run = o->mode == RB_MODE_DRY_RUN;
    e->interactive = c->tty[RB_OUT] && !c->no_input;
    e->started_ns = e->progress_ns = rb_clock_mono_ns();
    rb_buf_init(&e->carry[0], 1u << 20);
    rb_buf_init(&e->carry[1], 1u << 20);
}

static void exec_deinit(struct rb_exec *e)
{
    rb_buf_deinit(&e->carry[0]);
    rb_buf_deinit(&e->carry[1]);
    json_decref(e->result);
    json_decref(e->done);
    json_decref(e->standing_shown);
    json_decref(e->found);
    json_decref(e->title);
    json_decref(e->question);
    json_decref(e->answers);
    free(e->plan_shown);
}

static void put_end(struct rb_exec *e)
{
    struct rb_cli *c = e->c;
    if (c->again) { /* nothing began */
        return;
    }
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_incref(e->result));
    } else if (c->format == RB_FORMAT_MD) {
        rb_report_md(c, e->result);
    } else if (e->guide != NULL) {
        rb_guide_end(e);
    } else if (c->format == RB_FORMAT_TEXT) {
        rb_exec_end(e);
    }
}

static int exit_code(const struct rb_exec *e)
{
    int code = (int)rb_json_int(e->result, "exit", rb_run_exit_code(rb_json_str(e->result, "result", "failed")));
    return code == 3 && rb_options_has(&e->c->options, RB_O_EXIT_ZERO) ? 0 : code;
}

int rb_exec_watch(struct rb_cli *c, struct rb_run_options *o, const char *resume, struct rb_err *err)
{
    struct watch w;
    if (rb_cli_config(c, &o->config, err) != 0) {
        return rb_cli_fail(c, err);
    }
    memset(&w, 0, sizeof w);
    struct rb_engine engine = rb_cli_engine(c);
    o->instead = c->instead;
    rb_cli_journal_tell(c);
    watch_open(&w, c);
    o->no_input = c->no_input;
    exec_init(&w.e, c, o);
    w.e.config = o->config;
    json_t *past = resume != NULL && !o->replay && !o->undo ? rb_run_report(c->journal, resume, err) : NULL;
    o->guided = o->guided || rb_json_bool(past, "guided", false);
    bool guided = o->guided && !c->no_input && c->format == RB_FORMAT_TEXT;
    w.e.guide = guided ? rb_guide_new(&w.e) : NULL;
    if (guided && past != NULL) {
        rb_guide_take_up(w.e.guide, past);
    }
    json_decref(past);
    if (w.e.dry_run && c->format == RB_FORMAT_TEXT) {
        rb_put(c, RB_OUT, RB_BOLD, "%s\n", TX(dry_run_start));
    }
    int rc = o->undo          ? rb_run_undo(&w.e.run, &engine, resume, o, view_of(c, guided), &w.e, err)
             : resume != NULL ? rb_run_resume(&w.e.run, &engine, resume, o, view_of(c, guided), &w.e, err)
                              : rb_run_start(&w.e.run, &engine, o, view_of(c, guided), &w.e, err);
    while (rc == 0 && (w.e.result == NULL || w.e.telling > 0)) {
        uv_run(&c->loop, UV_RUN_ONCE);
    }
    int code = 0;
    if (rc == 0) {
        put_end(&w.e);
        code = exit_code(&w.e);
    }
    rb_guide_free(w.e.guide);
    watch_close(&w);
    exec_deinit(&w.e);
    return rc != 0 ? rb_cli_fail(c, err) : code;
}

int rb_exec_journal(struct rb_cli *c, struct rb_err *err)
{
    if (rb_cli_journal(c, true, err) != 0) {
        err->code = err->code == RB_EUSAGE ? RB_EUSAGE : RB_EJOURNAL;
        return err->code;
    }
    json_t *actor = rb_journal_actor_find();
    rb_journal_actor_set(c->journal, actor);
    json_decref(actor);
    return 0;
}

/* Names come before the loop and the journal: a slip of the pen must cost nothing. */
int rb_exec_prepare(struct rb_cli *c, const char *name, json_t **file, struct rb_err *err)
{
    int rc = rb_cli_loop(c, err);
    if (rc == 0) {
        rb_spawner_foresee(c->spawner, "runner");
    }
    rc = rc != 0 ? rc : rb_cli_catalog(c, err);
    if (rc != 0) {
        return rc;
    }
    *file = rb_catalog_find_file(c->catalog, &c->loop, c->spawner, name, err);
    if (*file == NULL) {
        return err->code;
    }
    return rb_exec_journal(c, err);
}

/* A past run, shown again from its record alone. */
static int replay(struct rb_cli *c, const char *prefix, struct rb_run_options *o)
{
    struct rb_err err = {0};
    char run[RB_ID_MAX];
    int rc = rb_cli_loop(c, &err);
    rc = rc != 0 ? rc : rb_cli_journal(c, false, &err);
    if (rc == 0 && c->journal == NULL) {
        rc = rb_err_set(&err, RB_ENOT_FOUND, RB_T_cli_no_run, prefix);
    }
    rc = rc != 0 ? rc : rb_journal_find_run(c->journal, prefix, run, &err);
    if (rc != 0) {
        return rb_cli_fail(c, &err);
    }
    if (c->format == RB_FORMAT_TEXT) {
        rb_put(c, RB_OUT, RB_BOLD, TX(replayed), run);
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
    o->replay = c->no_input = true;
    return rb_exec_watch(c, o, run, &err);
}

/* The plan knows the runbook and its parameters; what is said again must agree with it. */
static int take_plan(struct rb_cli *c, struct rb_run_options *o, json_t *params, struct rb_err *err)
{
    static const enum rb_option_id against[] = {RB_O_DRY_RUN, RB_O_DIAGNOSE, RB_O_FIX};
    const char *id = rb_options_get(&c->options, RB_O_PLAN);
    for (size_t i = 0; i < sizeof against / sizeof *against; i++) {
        if (rb_options_has(&c->options, against[i])) {
            return rb_err_set(err, RB_EUSAGE, RB_T_trust_plan_mode, rb_option_table[against[i]].name);
        }
    }
    int rc = rb_cli_loop(c, err);
    rc = rc != 0 ? rc : rb_exec_journal(c, err);
    o->plan = rc == 0 ? rb_plan_find(c->journal, id, err) : NULL;
    if (o->plan == NULL || rb_cli_journal_of(c, rb_json_str(o->plan, "run", ""), err) != 0) {
        return err->code;
    }
    json_object_update_missing(params, json_object_get(o->plan, "given"));
    const char *profile = rb_json_str(o->plan, "profile", NULL);
    o->profile = o->profile != NULL ? o->profile : profile;
    return 0;
}

int rb_cmd_exec(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_run_options o = {0};
    const char *past = rb_options_get(&c->options, RB_O_REPLAY);
    if (past != NULL) {
        return replay(c, past, &o);
    }
    json_t *params = json_object(), *answers = json_object(), *repeat = rb_cli_repeat(c), *file = NULL;
    bool named = names_runbook(c), planned = rb_options_has(&c->options, RB_O_PLAN);
    int rc = !named && !planned ? rb_err_set(&err, RB_EUSAGE, RB_T_cli_exec_what)
                                : fill_options(c, &o, params, answers, &err);
    rc = rc != 0 || !planned ? rc : take_plan(c, &o, params, &err);
    rc = rc != 0 ? rc : rb_exec_prepare(c, named ? c->args[0] : rb_json_str(o.plan, "runbook", ""), &file, &err);
    o.file = file;
    o.repeat = repeat;
    if (rc == RB_EJOURNAL && file != NULL) { /* looking needs no record; changing does */
        o.mode = o.mode == RB_MODE_EXEC ? RB_MODE_DIAGNOSE : o.mode;
        o.unrecorded = rb_word(c, err.text);
        rb_put(c, RB_ERR, RB_WARN, TX(unrecorded), o.unrecorded);
        rb_put(c, RB_ERR, RB_PLAIN, "\n");
        rc = 0;
    }
    int code = rc != 0 ? rb_cli_fail(c, &err) : rb_exec_watch(c, &o, NULL, &err);
    json_decref(params);
    json_decref(answers);
    json_decref(repeat);
    json_decref(file);
    json_decref((json_t *)o.plan);
    return code;
}
