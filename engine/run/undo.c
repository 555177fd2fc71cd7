/* What a past run did that can be taken back, read from its record: its writing blocks, newest first, each with the
 * evidence and results it had. An undo is a run of its own, on the same bytes, and names what it undoes. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

#define LATER_MAX 200 /* runs of the same runbook that are looked at */

/* The record, gone through once. */
struct reading {
    json_t *evidence; /* {"id/key": {id, key, evidence}} */
    json_t *standing; /* of the last diagnosis, with evidence */
    json_t *results;  /* {name: what a block returned}, as they were at this point */
    json_t *now;      /* the block that was planned last, growing */
    json_t *items;    /* what was done, oldest first */
    bool wrote;
};

static bool is(const char *word, const char *other)
{
    return strcmp(word, other) == 0;
}

static void name_of(const json_t *body, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", rb_json_str(body, "id", ""), rb_json_str(body, "key", ""));
}

static void found(struct reading *r, const json_t *body)
{
    char name[1024];
    name_of(body, name, sizeof name);
    json_object_set_new(r->evidence, name,
                        json_pack("{s:O*, s:O*, s:O*}", "id", json_object_get(body, "id"), "key",
                                  json_object_get(body, "key"), "evidence", json_object_get(body, "evidence")));
}

static void diagnosis(struct reading *r, const json_t *body)
{
    size_t i;
    json_t *one;
    json_decref(r->standing);
    r->standing = json_array();
    json_array_foreach(json_object_get(body, "standing"), i, one) {
        char name[1024];
        name_of(one, name, sizeof name);
        json_t *known = json_object_get(r->evidence, name);
        json_array_append(r->standing, known ? known : one);
    }
}

/* Results have the names of their blocks, with _ for -. */
static void returned(struct reading *r, const json_t *body)
{
    char name[256];
    json_t *value = json_object_get(body, "value");
    snprintf(name, sizeof name, "%s", rb_json_str(body, "id", ""));
    for (char *c = name; *c; c++) {
        *c = *c == '-' ? '_' : *c;
    }
    if (value && !json_is_null(value)) {
        json_object_set(r->results, name, value);
    }
}

static void planned(struct reading *r, const json_t *body)
{
    if (is(rb_json_str(body, "phase", ""), "undo") || json_object_get(body, "state")) {
        return;
    }
    json_decref(r->now);
    r->wrote = false;
    r->now = json_pack("{s:O*, s:O*, s:O*, s:O*, s:O}", "block", json_object_get(body, "block"), "id",
                       json_object_get(body, "fix"), "key", json_object_get(body, "key"), "for",
                       json_object_get(body, "for"), "standing", r->standing);
}

static void remove_item(json_t *items, const json_t *body)
{
    for (size_t i = json_array_size(items); i > 0; i--) {
        const json_t *item = json_array_get(items, i - 1);
        if (is(rb_json_str(item, "id", ""), rb_json_str(body, "id", "-")) &&
            is(rb_json_str(item, "key", ""), rb_json_str(body, "key", ""))) {
            json_array_remove(items, i - 1);
            return;
        }
    }
}

static void block_ended(struct reading *r, const json_t *body)
{
    const char *phase = rb_json_str(body, "phase", "");
    if (is(phase, "fix") || is(phase, "step")) {
        returned(r, body);
        if (r->now && r->wrote) {
            json_object_set_new(r->now, "results", json_deep_copy(r->results));
            json_array_append(r->items, r->now);
        }
        json_decref(r->now);
        r->now = NULL;
    } else if (is(phase, "undo") && is(rb_json_str(body, "result", ""), "done")) {
        remove_item(r->items, body);
    }
}

static void outcome(struct reading *r, const json_t *body)
{
    const char *phase = rb_json_str(body, "phase", "");
    bool block = is(phase, "fix") || is(phase, "step");
    r->wrote = r->wrote || (block && is(rb_json_str(body, "effect", ""), "write") && rb_json_bool(body, "ok", false));
}

static void read_one(struct reading *r, const char *kind, const json_t *body)
{
    static const struct {
        const char *kind;
        void (*read)(struct reading *r, const json_t *body);
    } rules[] = {
        {"finding", found}, {"diagnosis", diagnosis},  {"check.ended", returned},
        {"plan", planned},  {"call.outcome", outcome}, {"block.ended", block_ended},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (is(rules[i].kind, kind)) {
            rules[i].read(r, body);
        }
    }
}

/* What it did and did not itself take back, oldest first. New reference. */
static json_t *done_by(const struct rb_past *past)
{
    struct reading r = {
        .evidence = json_object(), .standing = json_array(), .results = json_object(), .items = json_array()};
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        read_one(&r, rb_json_str(event, "kind", ""), json_object_get(event, "body"));
    }
    json_decref(r.evidence);
    json_decref(r.standing);
    json_decref(r.results);
    json_decref(r.now);
    return r.items;
}

/* ---- what was taken back since ---- */

struct undone {
    struct rb_journal *journal;
    const char *run, *self; /* of the run that asks: what it did itself counts when it goes on */
    json_t *items;
    char by[RB_ID_MAX];
};

static int take_undone(const struct rb_event *event, void *user)
{
    struct undone *u = user;
    json_t *body = !strcmp(event->kind, "undo.ended") && event->body
                       ? rb_json_parse(event->body, strlen(event->body), NULL)
                       : NULL;
    const char *result = rb_json_str(body, "result", "");
    if (is(result, "done") || is(result, "not_verified") || is(result, "no_undo")) { /* no more can be done about it */
        size_t before = json_array_size(u->items);
        remove_item(u->items, body);
        if (json_array_size(u->items) < before) {
            snprintf(u->by, sizeof u->by, "%s", event->run);
        }
    }
    json_decref(body);
    return 0;
}

static int take_undo_run(const struct rb_event *event, void *user)
{
    struct undone *u = user;
    json_t *body = event->body ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
    int rc = 0;
    if (is(rb_json_str(body, "undoes", ""), u->run) && !is(event->run, u->self)) {
        rc = rb_journal_read(u->journal, event->run, 0, take_undone, u, NULL);
    }
    json_decref(body);
    return rc;
}

static bool did_nothing_else(struct rb_journal *journal, const char *run)
{
    struct rb_past past;
    if (rb_past_read(&past, journal, run, NULL) < 0) {
        return true; /* pruned: what it did is not known any more, and too old to be in the way */
    }
    struct undone u = {.journal = journal, .run = run, .self = "", .items = done_by(&past)};
    for (struct rb_journal *j = journal; j; j = rb_journal_beside(j)) {
        (void)rb_journal_read_kind(j, "undo.started", NULL, 0, take_undo_run, &u, NULL);
    }
    bool nothing = json_array_size(u.items) == 0;
    json_decref(u.items);
    rb_past_free(&past);
    return nothing;
}

/* A later run on the same target stands on what this one did. */
static int check_later(struct rb_journal *journal, const struct rb_past *past, struct rb_err *err)
{
    const char *target = rb_json_str(past->started, "target", "");
    json_t *runs = rb_journal_runs(journal, rb_json_str(past->started, "runbook", ""), LATER_MAX, err), *one;
    int rc = runs ? 0 : RB_EJOURNAL;
    size_t i;
    json_array_foreach(runs, i, one) {
        const char *run = rb_json_str(one, "run", "");
        if (rc || is(run, past->run)) {
            break;
        }
        if (is(rb_json_str(one, "target", ""), target) && is(rb_json_str(one, "mode", ""), "exec") &&
            !did_nothing_else(journal, run)) {
            rc = rb_err_set(err, RB_EREFUSED, RB_T_trust_undo_later, run, past->run);
        }
    }
    json_decref(runs);
    return rc;
}

static int check_state(const struct rb_past *past, struct rb_err *err)
{
    const char *mode = rb_json_str(past->started, "mode", "exec");
    if (is(mode, "undo")) {
        return rb_err_set(err, RB_EUSAGE, RB_T_trust_undo_undo, past->run);
    }
    if (!is(mode, "exec")) {
        return rb_err_set(err, RB_EUSAGE, RB_T_trust_undo_mode, past->run, mode);
    }
    if (rb_past_running(past)) {
        return rb_err_set(err, RB_EBUSY, RB_T_trust_undo_running, past->run);
    }
    if (json_array_size(past->open)) {
        rb_err_set(err, RB_EUNKNOWN, RB_T_trust_undo_unknown, past->run);
        rb_err_hint(err, RB_T_run_lock_resolve, past->run);
        return RB_EUNKNOWN;
    }
    return past->ended ? 0 : rb_err_set(err, RB_EBUSY, RB_T_trust_undo_running, past->run);
}

static json_t *reversed(const json_t *items)
{
    json_t *list = json_array();
    for (size_t i = json_array_size(items); i > 0; i--) {
        json_array_append(list, json_array_get(items, i - 1));
    }
    return list;
}

json_t *rb_undo_items(struct rb_journal *journal, const char *run, const char *self, struct rb_err *err)
{
    struct rb_past past;
    if (rb_past_read(&past, journal, run, err) < 0) {
        return NULL;
    }
    struct undone u = {.journal = journal, .run = run, .self = self, .items = done_by(&past)};
    int rc = check_state(&past, err);
    bool any = json_array_size(u.items) > 0;
    rc = rc ? rc : rb_journal_read_kind(journal, "undo.started", NULL, 0, take_undo_run, &u, err);
    if (rc == 0 && !any) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_trust_undo_nothing, run);
    } else if (rc == 0 && !json_array_size(u.items)) {
        rc = rb_err_set(err, RB_EEXISTS, RB_T_trust_undo_done, run, u.by);
    }
    rc = rc ? rc : check_later(journal, &past, err);
    json_t *items = rc ? NULL : reversed(u.items);
    json_decref(u.items);
    rb_past_free(&past);
    return items;
}
