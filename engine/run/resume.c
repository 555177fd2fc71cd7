/* Taking up an interrupted run. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

#define FILE_MAX (16u << 20)

/* The runbook's texts as they were. New reference. */
static json_t *file_of(const struct rb_past *past, struct rb_journal *journal, struct rb_err *err)
{
    struct rb_buf text;
    rb_buf_init(&text, FILE_MAX);
    int rc = rb_journal_blob(journal, rb_json_str(past->started, "bytes", ""), &text, err);
    json_t *file = rc == 0 ? rb_json_parse(rb_buf_str(&text), text.len, err) : NULL;
    rb_buf_deinit(&text);
    return file;
}

static enum rb_run_mode mode_of(const struct rb_past *past)
{
    const char *mode = rb_json_str(past->started, "mode", "exec");
    return !strcmp(mode, "diagnose")  ? RB_MODE_DIAGNOSE
           : !strcmp(mode, "dry-run") ? RB_MODE_DRY_RUN
           : !strcmp(mode, "undo")    ? RB_MODE_UNDO
           : !strcmp(mode, "drill")   ? RB_MODE_DRILL
                                      : RB_MODE_EXEC;
}

static int check(const struct rb_past *past, bool replay, struct rb_err *err)
{
    if (replay) {
        return mode_of(past) == RB_MODE_DRILL ? rb_err_set(err, RB_EUSAGE, RB_T_run_resume_drill, past->run) : 0;
    }
    if (past->ended) {
        return rb_err_set(err, RB_EEXISTS, RB_T_run_resume_ended, past->run, rb_json_str(past->ended, "result", "?"));
    }
    if (rb_past_running(past)) {
        return rb_err_set(err, RB_EBUSY, RB_T_run_resume_running, past->run, (int)rb_json_int(past->owner, "pid", 0));
    }
    if (mode_of(past) == RB_MODE_DRILL) {
        return rb_err_set(err, RB_EUSAGE, RB_T_run_resume_drill, past->run);
    }
    return 0;
}

static json_int_t last_call(const struct rb_past *past)
{
    json_int_t last = 0;
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        json_int_t call = rb_json_int(json_object_get(event, "body"), "call", 0);
        last = call > last ? call : last;
    }
    return last;
}

static void report_past(const struct rb_past *past, struct rb_run *run)
{
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        rb_report_apply(run->report, rb_json_str(event, "kind", ""), json_object_get(event, "body"),
                        rb_json_int(event, "utc", 0));
    }
}

/* The run's clock goes on: it did not stand still while nobody was there. */
static void set_clock(const struct rb_past *past, struct rb_run *run)
{
    int64_t gone = rb_clock_utc_us() - past->started_us, recorded = past->last_us - past->started_us;
    gone = gone > recorded ? gone : recorded;
    run->clock_base_ns = rb_clock_mono_ns() - gone * 1000;
}

/* The plan that the run began to apply; without it, it does not go on. */
static int adopt_plan(const struct rb_past *past, struct rb_run_options *o, struct rb_journal *journal,
                      struct rb_err *err)
{
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        if (!strcmp(rb_json_str(event, "kind", ""), "plan.used")) {
            o->plan = rb_plan_find(journal, rb_json_str(json_object_get(event, "body"), "plan", "?"), err);
            return o->plan ? 0 : err->code;
        }
    }
    return 0;
}

/* What was said beforehand when it was parked counts on, beside what is said now. */
static void adopt_words(const struct rb_past *past, struct rb_run *run)
{
    const json_t *words = NULL;
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        words = strcmp(rb_json_str(event, "kind", ""), "run.parked")
                    ? words
                    : json_object_get(json_object_get(event, "body"), "words");
    }
    if (!words) {
        return;
    }
    run->yes = run->yes || rb_json_bool(words, "yes", false);
    run->wait = run->wait || rb_json_bool(words, "wait", false);
    run->allow = run->allow >= 0 ? run->allow : (int)rb_json_int(words, "allow", -1);
    json_array_extend(run->confirm, json_object_get(words, "confirm"));
    json_array_extend(run->fixes, json_object_get(words, "fixes"));
    json_object_update_missing(run->answers, json_object_get(words, "answers"));
    const char *reason = rb_json_str(words, "reason", NULL);
    run->reason = run->reason || !reason ? run->reason : rb_xstrdup(reason);
}

static void adopt(struct rb_past *past, struct rb_run *run, bool only)
{
    memcpy(run->id, past->run, sizeof run->id);
    run->archive = run->engine.journal;
    run->first_started = json_incref(past->started);
    run->params = json_deep_copy(json_object_get(past->started, "params"));
    run->lang = strcmp(rb_json_str(past->started, "lang", "en"), "zh") ? "en" : "zh";
    run->call_count = last_call(past);
    run->guided = rb_json_bool(past->started, "guided", false);
    if (!only) {
        adopt_words(past, run);
        rb_past_forget(past, &run->cut);
        report_past(past, run);
        set_clock(past, run);
    }
    run->replay = rb_replay_new(past, only);
}

int rb_run_resume(struct rb_run **out, const struct rb_engine *engine, const char *id,
                  const struct rb_run_options *options, const struct rb_run_view *view, void *user, struct rb_err *err)
{
    struct rb_run_options o = *options;
    struct rb_past past;
    struct rb_cut cut = {0};
    int rc = rb_past_read(&past, engine->journal, id, err);
    if (rc < 0) {
        return rc;
    }
    rc = check(&past, o.replay, err);
    rc = rc == 0 && !o.replay ? rb_past_cut(&past, &cut, err) : rc;
    json_t *file = rc == 0 ? file_of(&past, engine->journal, err) : NULL;
    rc = rc == 0 && !file ? err->code : rc;
    o.plan = NULL;
    rc = rc == 0 ? adopt_plan(&past, &o, engine->journal, err) : rc;
    if (rc == 0) {
        o.file = file;
        o.params = json_object_get(past.started, "given_values");
        o.mode = mode_of(&past);
        o.undoes = rb_json_str(past.started, "undoes", NULL);
        struct rb_run *run = rb_run_new(engine, &o, view, user);
        run->cut = cut;
        adopt(&past, run, o.replay);
        run->engine.journal = o.replay ? NULL : engine->journal;
        rc = rb_run_launch(out, run, err);
    }
    json_decref(file);
    json_decref((json_t *)o.plan);
    rb_past_free(&past);
    return rc;
}

int rb_run_undo(struct rb_run **out, const struct rb_engine *engine, const char *id,
                const struct rb_run_options *options, const struct rb_run_view *view, void *user, struct rb_err *err)
{
    struct rb_run_options o = *options;
    struct rb_past past;
    json_t *items =
        rb_undo_items(engine->journal, id, "", err); /* again when it begins; this one is for a clear answer */
    int rc = items ? rb_past_read(&past, engine->journal, id, err) : err->code;
    json_decref(items);
    if (rc < 0) {
        return rc;
    }
    json_t *file = file_of(&past, engine->journal, err);
    rc = file ? 0 : err->code;
    if (rc == 0) {
        o.file = file;
        o.params = json_object_get(past.started, "given_values");
        o.mode = RB_MODE_UNDO;
        o.undoes = id;
        rc = rb_run_start(out, engine, &o, view, user, err);
    }
    json_decref(file);
    rb_past_free(&past);
    return rc;
}

/* ---- what a person says ---- */

static int read_dead(struct rb_past *past, struct rb_journal *journal, const char *id, struct rb_err *err)
{
    int rc = rb_past_read(past, journal, id, err);
    if (rc == 0 && rb_past_running(past)) {
        rc = rb_err_set(err, RB_EBUSY, RB_T_run_resume_running, id, (int)rb_json_int(past->owner, "pid", 0));
        rb_past_free(past);
    }
    return rc;
}

static int record_word(struct rb_journal *journal, const struct rb_past *past, const json_t *intent, bool done,
                       const char *reason)
{
    json_t *body = json_pack("{s:O, s:O, s:O, s:b, s:s}", "call", json_object_get(intent, "call"), "verb",
                             json_object_get(intent, "verb"), "text", json_object_get(intent, "text"), "done", done,
                             "reason", reason);
    int rc = rb_journal_add(journal, past->run, "call.resolved", body, NULL);
    json_decref(body);
    return rc;
}

static int record_resolved(struct rb_journal *journal, const struct rb_past *past, const char *reason,
                           struct rb_err *err)
{
    json_t *body = json_pack("{s:s, s:s}", "run", past->run, "reason", reason);
    int rc = rb_journal_add(journal, past->run, "run.resolved", body, err);
    json_decref(body);
    return rc;
}

json_t *rb_run_resolve(struct rb_journal *journal, const char *id, const struct rb_word *word, struct rb_err *err)
{
    struct rb_past past;
    if (read_dead(&past, journal, id, err) < 0) {
        return NULL;
    }
    json_t *told = json_array(), *intent;
    size_t i, left = 0;
    json_array_foreach(past.open, i, intent) {
        if (word->call && rb_json_int(intent, "call", 0) != word->call) {
            left++;
        } else if (record_word(journal, &past, intent, word->done, word->reason) == 0) {
            json_array_append(told, intent);
        }
    }
    int rc = json_array_size(told) ? 0
             : word->call          ? rb_err_set(err, RB_EUSAGE, RB_T_run_resolve_call, (long long)word->call, id)
                                   : rb_err_set(err, RB_EUSAGE, RB_T_run_resolve_none, id);
    rc = rc == 0 && left == 0 ? record_resolved(journal, &past, word->reason, err) : rc;
    rc = rc == 0 ? rb_journal_commit(journal, err) : rc;
    rb_past_free(&past);
    if (rc < 0) {
        json_decref(told);
        return NULL;
    }
    return told;
}

int rb_run_abort(struct rb_journal *journal, const char *id, const char *reason, struct rb_err *err)
{
    struct rb_past past;
    int rc = read_dead(&past, journal, id, err);
    if (rc < 0) {
        return rc;
    }
    if (past.ended) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_run_resume_ended, id, rb_json_str(past.ended, "result", "?"));
    } else if (json_array_size(past.open)) {
        rc = rb_err_set(err, RB_EUNKNOWN, RB_T_run_abort_unknown, id);
        rb_err_hint(err, RB_T_run_lock_resolve, id);
    } else {
        json_t *body = json_pack("{s:s, s:s, s:i, s:s*, s:[], s:[]}", "run", id, "result", "aborted", "exit", 130,
                                 "reason", reason, "next", "fixed");
        rc = rb_journal_add(journal, id, "run.ended", body, err);
        rc = rc == 0 ? rb_journal_commit(journal, err) : rc;
        json_decref(body);
    }
    rb_past_free(&past);
    return rc;
}
