/* What the conductor says and asks: run.* and time.*. One function a verb, one table. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/state.h"
#include "runner/language.h"

#define DEFAULT_BLOCK_SECONDS 60
#define FRESH_SECONDS 30 /* design.md 3, promise 5 */

/* ---- declare, begin ---- */

static json_t *sources_of(const json_t *file)
{
    json_t *sources = json_object(), *one;
    size_t i;
    json_array_foreach(json_object_get(file, "files"), i, one) {
        json_object_set(sources, rb_json_str(one, "path", "?"), json_object_get(one, "text"));
    }
    return sources;
}

static const json_t *first_error(const json_t *problems)
{
    size_t i;
    json_t *problem;
    json_array_foreach(problems, i, problem) {
        if (!strcmp(rb_json_str(problem, "level", "error"), "error")) {
            return problem;
        }
    }
    return NULL;
}

static void load_failed(struct rb_run *run, const json_t *problem)
{
    char text[1500];
    snprintf(text, sizeof text, "%s:%lld: %s", rb_json_str(problem, "file", "?"), rb_json_int(problem, "line", 0),
             rb_json_str(problem, "text", rb_json_str(problem, "message", "")));
    rb_run_fail(run, "failed", 6, text);
}

static json_t *options_of(const struct rb_run *run)
{
    json_t *options = json_pack("{s:b, s:b, s:b, s:s}", "diagnose", run->mode == RB_MODE_DIAGNOSE, "dry_run",
                                run->mode == RB_MODE_DRY_RUN, "guided", run->guided, "run", run->id);
    if (run->drill) {
        json_object_set_new(options, run->mode == RB_MODE_TEST ? "test" : "drill", json_string(run->drill));
    }
    return options;
}

/* A path, or a database that is one and no address. */
static bool is_relative_path(const char *text, const char *type)
{
    bool sql = !strcmp(type, "sql") && strchr(text, '/') && !strstr(text, "://");
    return text[0] && text[0] != '/' && text[0] != '{' && (sql || !strcmp(type, "path"));
}

/* A path is meant from where the person stands; everything behind sees it whole. */
static void make_paths_absolute(struct rb_run *run)
{
    char cwd[PATH_MAX];
    const char *name;
    json_t *value;
    const json_t *declared = json_object_get(run->meta, "params");
    if (!getcwd(cwd, sizeof cwd)) {
        return; /* the folder is gone: a relative path is then refused by its verb */
    }
    json_object_foreach(run->given, name, value) {
        const char *text = json_string_value(value);
        const char *type = rb_json_str(json_object_get(declared, name), "type", "");
        if (text && is_relative_path(text, type)) {
            while (!strncmp(text, "./", 2)) {
                text += 2;
            }
            json_object_set_new(run->given, name, json_sprintf("%s/%s", strcmp(cwd, "/") ? cwd : "", text));
        }
    }
}

/* A secret given by its value ({"value": …}, which only a file of parameters can hold) stays here; the
 * runbook and the record get a name for it. */
static void keep_given_secrets(struct rb_run *run)
{
    const char *name;
    json_t *value;
    const json_t *declared = json_object_get(run->meta, "params");
    json_object_foreach(run->given, name, value) {
        const char *secret = rb_json_str(value, "value", NULL);
        if (secret && !strcmp(rb_json_str(json_object_get(declared, name), "type", ""), "secret")) {
            json_t *given = json_sprintf(RB_SECRET_GIVEN "%s", name);
            rb_secrets_give(run->secrets, json_string_value(given), secret);
            json_object_set_new(run->given, name, given);
        }
    }
}

/* A test may leave out what it does not need. In a drill the lab sets the parameters, so that nothing required is missing before. */
static json_t *resolve(struct rb_run *run, struct rb_err *err)
{
    make_paths_absolute(run);
    keep_given_secrets(run);
    json_t *params = rb_params_resolve(run->meta, run->given, err);
    if (run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST) {
        return params ? params : json_object();
    }
    if (params && rb_fill_check_params(run, params, err)) {
        json_decref(params);
        return NULL;
    }
    return params;
}

/* Another installation of the same system. */
static int choose_profile(struct rb_run *run, struct rb_err *err)
{
    const json_t *profiles = json_object_get(run->meta, "profiles");
    if (!run->profile) {
        return 0;
    }
    if (!json_object_get(profiles, run->profile)) {
        return rb_fill_unknown(profiles, run->profile, RB_T_config_no_profile, RB_T_config_no_profile_hint, err);
    }
    return json_object_set_new(run->meta, "profile", json_string(run->profile));
}

static void usage_failed(struct rb_run *run, const struct rb_err *err)
{
    char text[sizeof err->text + sizeof err->hint + 8];
    snprintf(text, sizeof text, err->hint[0] ? "%s (%s)" : "%s", err->text, err->hint);
    rb_run_fail(run, "failed", 2, text);
}

static void reply_declared(struct rb_run *run, json_int_t seq)
{
    rb_run_reply(run, seq,
                 json_pack("{s:O, s:O, s:o}", "meta", run->meta, "params", run->params, "options", options_of(run)));
}

/* A guided run: with these parameters? problem: why they do not do yet. */
static void ask_to_begin(struct rb_run *run, json_int_t seq, const struct rb_err *problem)
{
    json_t *question = run->params ? json_pack("{s:O}", "params", run->params)
                                   : json_pack("{s:s, s:s}", "problem", problem->text, "hint", problem->hint);
    rb_consent_begin(run, seq, question);
    json_decref(question);
}

static void declare(struct rb_run *run, json_int_t seq, const json_t *args)
{
    struct rb_err err = {0};
    rb_run_block_deadline(run, 0);
    const json_t *failed = json_object_get(args, "error");
    if (failed && !json_is_null(failed)) {
        load_failed(run, failed);
        return;
    }
    json_t *sources = sources_of(run->file);
    rb_config_lay_over((json_t *)args, run->config, rb_json_str(run->file, "id", ""));
    json_t *problems = rb_language_check(args, sources);
    json_decref(sources);
    const json_t *error = first_error(problems);
    if (error) {
        load_failed(run, error);
    } else {
        run->meta = rb_language_meta(rb_json_str(run->file, "id", "?"), args);
        run->response = rb_response_of(run->config, rb_json_str(run->file, "id", "?"), rb_json_str(run->meta, "severity", "P3"),
                                       json_object_get(run->meta, "escalate"));
        int rc = choose_profile(run, &err);
        if (rc == 0 && !run->params) { /* those of a run that goes on stay as they were */
            run->params = resolve(run, &err);
        }
        if (run->guided && rc == 0 && !run->archive) {
            ask_to_begin(run, seq, &err);
        } else if (run->params) {
            reply_declared(run, seq);
        } else {
            usage_failed(run, &err);
        }
    }
    json_decref(problems);
}

void rb_engine_begin(struct rb_run *run, json_int_t seq, const json_t *answer)
{
    struct rb_err err = {0};
    const json_t *changed = json_object_get(answer, "params");
    if (changed) {
        json_object_update(run->given, (json_t *)changed);
        json_decref(run->params);
        run->params = resolve(run, &err);
        ask_to_begin(run, seq, &err);
    } else if (run->params && rb_json_bool(answer, "go", false)) {
        reply_declared(run, seq);
    } else {
        rb_run_leave(run);
    }
}

/* Default target: this runbook, host, and every parameter that names a thing (design.md 3, promise 6). */
static void default_target(const struct rb_run *run, struct rb_buf *out)
{
    static const char *const naming[] = {"path", "host", "url", "sql", "redis", "rpc"};
    char host[256] = "";
    const char *name;
    json_t *value;
    gethostname(host, sizeof host - 1);
    rb_buf_adds(out, host);
    if (run->profile) {
        rb_buf_addf(out, " %s", run->profile);
    }
    json_t *declared = json_object_get(run->meta, "params");
    json_object_foreach(run->params, name, value) {
        const char *type = rb_json_str(json_object_get(declared, name), "type", "");
        for (size_t i = 0; i < sizeof naming / sizeof *naming; i++) {
            if (!strcmp(type, naming[i]) && json_is_string(value)) {
                rb_buf_addf(out, " %s=%s", name, json_string_value(value));
            }
        }
    }
}

/* The names of what the person gave; the other values are defaults. */
static json_t *given_names(const struct rb_run *run)
{
    json_t *names = json_array(), *value;
    const char *name;
    json_object_foreach(run->given, name, value) {
        json_array_append_new(names, json_string(name));
    }
    return names;
}

static json_t *started_body(const struct rb_run *run, const char *target)
{
    static const char *const modes[] = {"exec", "diagnose", "dry-run", "drill", "test", "undo"};
    json_t *actor = rb_journal_actor_find();
    json_t *body = json_pack("{s:s, s:O, s:O, s:O, s:O, s:s, s:O, s:s, s:o}", "run", run->id, "runbook",
                             json_object_get(run->file, "id"), "title", json_object_get(run->meta, "title"),
                             "severity", json_object_get(run->meta, "severity"), "sha256",
                             json_object_get(run->file, "sha256"), "mode", modes[run->mode], "params", run->params,
                             "target", target, "actor", actor);
    json_object_set_new(body, "given", given_names(run));
    json_object_set(body, "given_values", run->given);
    json_object_set_new(body, "lang", json_string(run->lang));
    if (run->guided) {
        json_object_set_new(body, "guided", json_true());
    }
    json_object_set(body, "within", json_object_get(run->response, "within"));
    json_t *process = rb_journal_process();
    json_object_update(body, process);
    json_decref(process);
    json_t *source = json_object_get(run->meta, "source");
    if (source) {
        json_object_set(body, "source", source);
    }
    if (run->undoes) {
        json_object_set_new(body, "undoes", json_string(run->undoes));
    }
    if (run->reason) {
        json_object_set_new(body, "reason", json_string(run->reason));
    }
    if (run->instead) {
        json_object_set_new(body, "journal", json_string(rb_journal_path(run->engine.journal)));
        json_object_set_new(body, "instead", json_string(run->instead));
    }
    return body;
}

/* The texts themselves, so that the run can go on with them whatever becomes of the files. */
static int keep_file(const struct rb_run *run, json_t *body, struct rb_err *err)
{
    char *text = rb_json_canonical(run->file), hex[RB_HEX_SIZE];
    int rc = rb_journal_blob_add(run->engine.journal, text, strlen(text), hex, err);
    if (rc == 0) {
        json_object_set_new(body, "bytes", json_string(hex));
    }
    free(text);
    return rc;
}

static int record_start(struct rb_run *run, const char *target, struct rb_err *err)
{
    json_t *body = started_body(run, target);
    int rc = run->engine.journal ? keep_file(run, body, err) : 0;
    if (rc < 0) {
        json_decref(body);
        return rc;
    }
    rb_record(run, "run.started", body);
    rb_record_soon(run);
    return 0;
}

/* This process has it from here on: on disk before anything else. */
static int record_resumed(struct rb_run *run, struct rb_err *err)
{
    json_t *body = rb_journal_process(), *actor = rb_journal_actor_find();
    json_object_set_new(body, "run", json_string(run->id));
    json_object_set(body, "runbook", json_object_get(run->file, "id"));
    json_object_set(body, "title", json_object_get(run->meta, "title"));
    json_object_set(body, "severity", json_object_get(run->meta, "severity"));
    json_object_set_new(body, "after", json_integer(run->cut.after));
    json_object_set_new(body, "beside", json_boolean(run->cut.beside));
    json_object_set_new(body, "actor", actor);
    run->frame[0] = '\0'; /* nothing of the earlier life caused it */
    rb_record(run, "run.resumed", body);
    RB_CRASH_POINT("resume");
    int rc = rb_record_flush(run, err);
    RB_CRASH_POINT("resumed");
    return rc;
}

/* names: those the runbook shares with others, as they read for this run. */
static int take_locks(struct rb_run *run, const char *target, const json_t *names, struct rb_err *err)
{
    struct rb_buf name;
    size_t i;
    json_t *one;
    rb_buf_init(&name, 1 << 16);
    rb_buf_addf(&name, "%s %s", rb_json_str(run->file, "id", ""), target);
    int rc = rb_lock_take(run, rb_buf_str(&name), target, err);
    json_array_foreach(names, i, one) {
        rb_buf_clear(&name);
        rb_buf_addf(&name, "lock %s", json_is_string(one) ? json_string_value(one) : "");
        rc = rc < 0 ? rc : rb_lock_take(run, rb_buf_str(&name), rb_buf_str(&name), err);
    }
    rb_buf_deinit(&name);
    return rc;
}

/* The run before us on this target did not end: whoever watches is told, before anything else. */
static void tell_interrupted(struct rb_run *run)
{
    if (run->interrupted && run->view->event) {
        run->view->event(run->user, "run.interrupted", run->interrupted);
    }
    if (run->interrupted) {
        json_object_set(run->report, "interrupted", json_object_get(run->interrupted, "run"));
    }
}

/* Looked up under the lock of the target: what two who undo the same find is not the same. */
static void begin_undo(struct rb_run *run, json_int_t seq)
{
    struct rb_err err = {0};
    struct rb_journal *journal = run->archive ? run->archive : run->engine.journal;
    json_t *items = run->undoes ? rb_undo_items(journal, run->undoes, run->id, &err) : NULL;
    if (run->undoes && !items) {
        rb_run_fail(run, "rejected", 4, err.text);
        return;
    }
    if (items) {
        rb_record(run, "undo.started", json_pack("{s:s, s:i}", "undoes", run->undoes, "items", (int)json_array_size(items)));
    }
    rb_run_reply(run, seq, items ? json_pack("{s:o}", "undo", items) : json_object());
}

static void begin(struct rb_run *run, json_int_t seq, const json_t *args)
{
    struct rb_err err = {0};
    struct rb_buf fallback;
    rb_buf_init(&fallback, 1 << 16);
    const char *target = rb_json_str(args, "target", NULL);
    if (!target) {
        default_target(run, &fallback);
        target = rb_buf_str(&fallback);
    }
    run->target = rb_xstrdup(target);
    bool alone = run->mode == RB_MODE_DRILL || !run->engine.journal; /* nobody to exclude, nothing to change */
    int rc = alone ? 0 : take_locks(run, target, json_object_get(args, "locks"), &err);
    if (rc == 0 && !run->archive) {
        rc = record_start(run, target, &err);
    } else if (rc == 0 && run->engine.journal) {
        rc = record_resumed(run, &err);
    } else if (rc == 0) {
        rb_record(run, "run.started", json_copy(run->first_started));
    }
    if (rc < 0) {
        char text[sizeof err.text + sizeof err.hint + 4];
        snprintf(text, sizeof text, "%s%s%s", err.text, err.hint[0] ? "; " : "", err.hint);
        rb_run_fail(run, rc == RB_EBUSY ? "busy" : "failed", rc == RB_EBUSY ? 8 : RB_EXIT_JOURNAL, text);
    } else {
        run->begun = true;
        rb_response_begin(run);
        tell_interrupted(run);
        rb_plan_begin(run);
        begin_undo(run, seq);
    }
    rb_buf_deinit(&fallback);
}

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
    json_t *runs = !run->engine.journal ? NULL : rb_journal_runs(run->engine.journal, rb_json_str(run->file, "id", ""), 50, &err), *one;
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

/* ---- time ---- */

struct rb_wait {
    uv_timer_t timer;
    struct rb_run *run;
    struct rb_wait *next;
    json_int_t seq;
    char frame[RB_PLACE_MAX];
};

static void wait_free(struct rb_wait *wait)
{
    struct rb_wait **p = &wait->run->waits;
    while (*p != wait) {
        p = &(*p)->next;
    }
    *p = wait->next;
    uv_timer_stop(&wait->timer);
    uv_close((uv_handle_t *)&wait->timer, (uv_close_cb)free);
}

static void waited(uv_timer_t *timer)
{
    struct rb_wait *wait = timer->data;
    rb_run_input(wait->run, wait->frame, wait->seq, "time.wait", json_object());
    rb_record_soon(wait->run); /* nobody waits a second time for the same */
    wait_free(wait);
}

static void time_wait(struct rb_run *run, json_int_t seq, const json_t *args)
{
    double seconds = rb_seconds_clamp(json_number_value(json_object_get(args, "seconds")));
    struct rb_wait *wait = rb_xcalloc(1, sizeof *wait);
    *wait = (struct rb_wait){.run = run, .next = run->waits, .seq = seq};
    run->waits = wait;
    snprintf(wait->frame, sizeof wait->frame, "%s", run->frame);
    uv_timer_init(run->engine.loop, &wait->timer);
    wait->timer.data = wait;
    uv_timer_start(&wait->timer, waited, (uint64_t)(seconds * 1000), 0);
}

void rb_waits_cancel(struct rb_run *run, const struct rb_err *err)
{
    while (run->waits) {
        rb_run_reply_error(run, run->waits->seq, err, "wait", false);
        wait_free(run->waits);
    }
}

void rb_waits_free(struct rb_run *run)
{
    while (run->waits) {
        wait_free(run->waits);
    }
}

static void time_now(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    rb_run_input(run, run->frame, seq, "time.now", json_real((double)rb_clock_utc_us() / 1e6));
}

static void time_mono(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    rb_run_input(run, run->frame, seq, "time.mono", json_real(rb_run_clock(run)));
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
    {"run.declare", declare, false},
    {"run.begin", begin, false},
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
    {"time.now", time_now, true},
    {"time.mono", time_mono, true},
    {"time.wait", time_wait, true},
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
