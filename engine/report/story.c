/* Events -> the story: one entry for what a reader of a report wants to know, in the order it happened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/teller.h"

/* ---- one kind of event each ---- */

static void run_started(struct teller *t, const struct rb_event *e, const json_t *body)
{
    static const char *const keys[] = {"run",    "runbook", "title",  "severity", "sha256",  "mode", "params",
                                       "target", "source",  "reason", "journal",  "instead", NULL};
    char at[RB_TIME_MAX];
    t->first_us = t->now_us;
    for (const char *const *key = keys; *key; key++) {
        if (json_object_get(body, *key)) {
            json_object_set(t->story, *key, json_object_get(body, *key));
        }
    }
    rb_clock_format(e->utc_us, 1, at);
    json_object_set_new(t->story, "started", json_string(at));
    story_meet(t, json_object_get(story_say(t, e, "start", body), "who"));
}

static void run_resumed(struct teller *t, const struct rb_event *e, const json_t *body)
{
    const char *row;
    json_t *bar;
    void *next;
    json_object_foreach_safe(t->open, next, row, bar) { /* they died with the life before */
        json_t *lost = json_string("interrupted");
        story_bar_end(t, row, lost);
        json_decref(lost);
    }
    static const char *const keys[] = {"ended", "result", "exit", "error", NULL};
    for (const char *const *key = keys; *key; key++) {
        json_object_del(t->story, *key);
    }
    story_meet(t, json_object_get(story_say(t, e, "resumed", body), "who"));
}

static void run_stop(struct teller *t, const struct rb_event *e, const json_t *body)
{
    story_decide(t, story_say(t, e, "stop", body));
}

static void check_started(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    (void)e;
    story_bar_begin(t, "look", story_row_of(body, row, sizeof row));
}

static void check_ended(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    story_bar_end(t, story_row_of(body, row, sizeof row), json_object_get(body, "result"));
    story_say(t, e, "look", body);
}

static void finding(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = story_say(t, e, "found", body), *one = rb_json_find_same(story_list_of(t, "findings"), body);
    if (one) {
        json_object_set(one, "evidence", json_object_get(body, "evidence"));
    } else {
        json_array_append_new(story_list_of(t, "findings"), json_copy(entry));
    }
}

static void diagnosis(struct teller *t, const struct rb_event *e, const json_t *body)
{
    const json_t *standing = json_object_get(body, "standing");
    size_t i;
    json_t *one;
    json_array_foreach(story_list_of(t, "findings"), i, one) {
        json_object_set_new(one, "state", json_string(rb_json_find_same(standing, one) ? "standing" : "cleared"));
    }
    if (!json_object_get(t->story, "diagnosed_ms")) {
        json_object_set_new(t->story, "diagnosed_ms", json_integer(story_since_start(t)));
    }
    bool gone = json_array_size(story_list_of(t, "findings")) > 0 && json_array_size(standing) == 0;
    if (!gone) {
        json_object_del(t->story, "repaired_ms");
    } else if (!json_object_get(t->story, "repaired_ms")) {
        json_object_set_new(t->story, "repaired_ms", json_integer(story_since_start(t)));
    }
    story_say(t, e, "diagnosis", body);
}

static void plan(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = story_say(t, e, "plan", body);
    json_array_append(story_list_of(t, "plans"), entry);
}

static void confirm_asked(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    (void)e;
    story_bar_begin(t, "wait", story_row_of(body, row, sizeof row));
}

static void confirm_answered(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    json_t *bar = json_object_get(t->open, story_row_of(body, row, sizeof row));
    if (bar) {
        json_int_t waited = story_since_start(t) - rb_json_int(bar, "from", 0) + rb_json_int(t->story, "waited_ms", 0);
        json_object_set_new(t->story, "waited_ms", json_integer(waited));
    }
    story_bar_end(t, row, json_object_get(body, "answer"));
    story_decide(t, story_say(t, e, "answer", body));
}

static void block_started(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    (void)e;
    story_bar_begin(t, rb_json_str(body, "phase", "step"), story_row_of(body, row, sizeof row));
}

/* That a fix or step was carried out is said by its end; here are the parts that have a result of their own. */
static void block_ended(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    const char *phase = rb_json_str(body, "phase", ""), *result = rb_json_str(body, "result", "");
    story_bar_end(t, story_row_of(body, row, sizeof row), json_object_get(body, "result"));
    bool own = !strcmp(phase, "verify") || !strcmp(phase, "undo") || !strcmp(phase, "inject");
    if (own || strcmp(result, "done") != 0) {
        story_say(t, e, "block", body);
    }
}

static void block_over(struct teller *t, const struct rb_event *e, const json_t *body)
{
    story_say(t, e, "over", body);
}

/* A person chose, answered or went on; what the machine asked itself (the time) is nobody's story. */
static void input(struct teller *t, const struct rb_event *e, const json_t *body)
{
    const char *verb = rb_json_str(body, "verb", "");
    json_t *ok = json_object_get(body, "ok"), *answers = json_object_get(ok, "answers");
    if (strcmp(verb, "run.ask") != 0 || json_object_size(answers) == 0) {
        return;
    }
    json_t *entry = story_say(t, e, "choice", body);
    json_object_set(entry, "evidence", answers);
    json_object_del(entry, "verb");
    story_decide(t, entry);
}

static void run_ended(struct teller *t, const struct rb_event *e, const json_t *body)
{
    static const char *const keys[] = {"result", "exit", "error", "next", "advice", NULL};
    char at[RB_TIME_MAX];
    for (const char *const *key = keys; *key; key++) {
        if (json_object_get(body, *key)) {
            json_object_set(t->story, *key, json_object_get(body, *key));
        }
    }
    rb_clock_format(e->utc_us, 1, at);
    json_object_set_new(t->story, "ended", json_string(at));
    story_say(t, e, "end", body);
}

static void plainly(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = story_say(t, e, "event", body);
    if (!strncmp(e->kind, "approval.", 9)) {
        story_decide(t, entry);
    }
}

static void note(struct teller *t, const struct rb_event *e, const json_t *body)
{
    story_say(t, e, "note", body);
}

static void passed_over(struct teller *t, const struct rb_event *e, const json_t *body)
{
    (void)t;
    (void)e;
    (void)body;
}

static const struct {
    const char *kind;
    void (*tell)(struct teller *t, const struct rb_event *e, const json_t *body);
} kinds[] = {
    {"run.started", run_started},
    {"run.resumed", run_resumed},
    {"run.stop", run_stop},
    {"check.started", check_started},
    {"check.ended", check_ended},
    {"finding", finding},
    {"diagnosis", diagnosis},
    {"plan", plan},
    {"confirm.asked", confirm_asked},
    {"confirm.answered", confirm_answered},
    {"confirm.renewed", confirm_answered},
    {"block.started", block_started},
    {"block.ended", block_ended},
    {"call.intent", story_call_intent},
    {"call.outcome", story_call_outcome},
    {"call.began", story_call_began},
    {"call.resolved", story_call_resolved},
    {"run.resolved", passed_over},
    {"fix.ended", block_over},
    {"step.ended", block_over},
    {"input", input},
    {"note", note},
    {"run.ended", run_ended},
};

static int tell(const struct rb_event *e, void *user)
{
    struct teller *t = user;
    json_t *body = e->body ? rb_json_parse(e->body, strlen(e->body), NULL) : json_object();
    void (*one)(struct teller *, const struct rb_event *, const json_t *) = plainly;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kinds[i].kind, e->kind)) {
            one = kinds[i].tell;
        }
    }
    t->now_us = e->utc_us;
    t->first_us = t->first_us ? t->first_us : e->utc_us;
    t->events++;
    one(t, e, body);
    json_object_set_new(
        t->story, "record",
        json_pack("{s:I, s:{s:I, s:s}}", "events", t->events, "last", "id", (json_int_t)e->id, "hash", e->hash));
    json_object_set_new(t->story, "ms", json_integer(story_since_start(t)));
    json_decref(body);
    return 0;
}

/* What has begun and never ended reaches to the end of the record. */
static void close_bars(struct teller *t)
{
    const char *row;
    json_t *bar, *lost = json_string("unknown");
    void *next;
    json_object_foreach_safe(t->open, next, row, bar) {
        story_bar_end(t, row, lost);
    }
    json_decref(lost);
}

json_t *rb_story_read(struct rb_journal *journal, const char *prefix, struct rb_err *err)
{
    char id[RB_ID_MAX];
    if (rb_journal_find_run(journal, prefix, id, err) < 0) {
        return NULL;
    }
    struct teller t = {.open = json_object()};
    t.story = json_pack("{s:s, s:s, s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[]}", "schema",
                        "runbook.report/1", "run", id, "people", "timeline", "findings", "decisions", "effects",
                        "reads", "not_done", "unknown", "plans", "bars");
    int rc = rb_journal_read(journal, id, 0, tell, &t, err);
    json_t *entry = rc < 0 ? NULL : rb_journal_run(journal, id, err); /* knows whether somebody still works on it */
    close_bars(&t);
    json_decref(t.open);
    json_object_del(t.story, "_said");
    if (!entry || story_later(t.story, journal, err)) {
        json_decref(entry);
        json_decref(t.story);
        return NULL;
    }
    json_object_set(t.story, "result", json_object_get(entry, "result"));
    json_decref(entry);
    story_finish(t.story);
    return t.story;
}
