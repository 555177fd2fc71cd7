/* A run begins, or goes on: its locks are taken, and its first event is on disk. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/state.h"

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
                             json_object_get(run->file, "id"), "title", json_object_get(run->meta, "title"), "severity",
                             json_object_get(run->meta, "severity"), "sha256", json_object_get(run->file, "sha256"),
                             "mode", modes[run->mode], "params", run->params, "target", target, "actor", actor);
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

static void record_resumed(struct rb_run *run)
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
        rb_record(run, "undo.started",
                  json_pack("{s:s, s:i}", "undoes", run->undoes, "items", (int)json_array_size(items)));
    }
    rb_run_reply(run, seq, items ? json_pack("{s:o}", "undo", items) : json_object());
}

static void begun(struct rb_run *run)
{
    run->begun = true;
    rb_response_begin(run);
    tell_interrupted(run);
    rb_plan_begin(run);
    begin_undo(run, run->begin_seq);
}

static void not_begun(struct rb_run *run, const struct rb_err *err)
{
    bool busy = err->code == RB_EBUSY;
    rb_run_fail_err(run, busy ? "busy" : "failed", busy ? 8 : RB_EXIT_JOURNAL, err);
}

/* This process has it from here on. */
static void resumed(void *user, const struct rb_err *error)
{
    struct rb_run *run = user;
    RB_CRASH_POINT("resumed");
    if (run->ending) {
        rb_run_settle(run);
    } else if (error) {
        not_begun(run, error);
    } else {
        begun(run);
    }
}

void rb_verb_begin(struct rb_run *run, json_int_t seq, const json_t *args)
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
    run->begin_seq = seq;
    if (rc == 0 && !run->archive) {
        rc = record_start(run, target, &err);
    }
    if (rc < 0) {
        not_begun(run, &err);
    } else if (run->archive && run->engine.journal) {
        record_resumed(run);
        rb_turn_wait(run, resumed, run);
    } else {
        if (run->archive) { /* a replay */
            rb_record(run, "run.started", json_copy(run->first_started));
        }
        begun(run);
    }
    rb_buf_deinit(&fallback);
}
