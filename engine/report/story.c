/* Events -> the story: one entry for what a reader of a report wants to know, in the order it happened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/private.h"

#define ENTRIES_MAX 2000
#define READS_MAX 500
#define BARS_MAX 4000

struct teller {
    json_t *story;
    json_t *open; /* {row: bar that has begun} */
    int64_t first_us, now_us;
    json_int_t events;
};

static json_int_t since_start(const struct teller *t)
{
    return (t->now_us - t->first_us) / 1000;
}

static json_t *list_of(const struct teller *t, const char *name)
{
    return json_object_get(t->story, name);
}

/* "alice (sudo root) from 10.0.0.7 on web1" from an actor as it was recorded. */
static json_t *who(const char *actor)
{
    char text[512], uid[32];
    json_t *a = rb_json_parse(actor, strlen(actor), NULL);
    snprintf(uid, sizeof uid, "uid %lld", (long long)rb_json_int(a, "uid", -1));
    const char *login = rb_json_str(a, "login", rb_json_str(a, "kind", uid)), *sudo = rb_json_str(a, "sudo", NULL);
    const char *host = rb_json_str(a, "host", NULL);
    if (rb_json_str(a, "schedule", NULL) || rb_json_bool(a, "service", false)) {
        login = rb_text(RB_T_schedule_actor);
    }
    snprintf(text, sizeof text, "%s%s%s%s%s%s", login, sudo ? " (sudo " : "", sudo ? sudo : "", sudo ? ")" : "",
             host ? " @ " : "", host ? host : "");
    json_t *word = rb_json_bytes(text, strlen(text)); /* cut in the middle of a character it is no text any more */
    if (!json_is_string(word)) {
        json_decref(word);
        word = json_string(uid);
    }
    json_decref(a);
    return word;
}

static void meet(const struct teller *t, const json_t *person)
{
    size_t i;
    json_t *known;
    json_array_foreach(list_of(t, "people"), i, known) {
        if (json_equal(known, person)) {
            return;
        }
    }
    json_array_append(list_of(t, "people"), (json_t *)person);
}

static void take(json_t *to, const json_t *from)
{
    static const char *const keys[] = {
        "id",   "key",  "title",  "result", "text",     "error", "verb", "call",    "phase",    "block",    "fix",
        "for",  "risk", "how",    "answer", "reason",   "why",   "done", "exit",    "severity", "evidence", "writes",
        "open", "name", "params", "mode",   "standing", "at",    "undo", "no_undo", "approval", NULL};
    for (const char *const *key = keys; *key; key++) {
        json_t *value = json_object_get(from, *key);
        if (value && !json_object_get(to, *key)) {
            json_object_set(to, *key, value);
        }
    }
}

/* A new entry of the timeline; borrowed. */
static json_t *say(struct teller *t, const struct rb_event *e, const char *what, const json_t *body)
{
    char at[RB_TIME_MAX];
    rb_clock_format(e->utc_us, 1, at);
    json_t *entry = json_pack("{s:s, s:I, s:s, s:s, s:o}", "at", at, "ms", since_start(t), "t", what, "kind", e->kind,
                              "who", who(e->actor));
    json_t *where = json_object_get(body, "at"); /* ours is the time */
    if (where) {
        json_object_set(entry, "where", where);
    }
    if (json_object_get(body, "ms") && strcmp(e->kind, "run.ended") != 0) { /* that of the whole stands above */
        json_object_set(entry, "took", json_object_get(body, "ms"));
    }
    take(entry, body);
    if (json_array_size(list_of(t, "timeline")) < ENTRIES_MAX) {
        json_array_append(list_of(t, "timeline"), entry);
    } else {
        json_object_set_new(t->story, "more", json_integer(rb_json_int(t->story, "more", 0) + 1));
    }
    json_object_set_new(t->story, "_said", entry);
    return entry;
}

static void decide(struct teller *t, json_t *entry)
{
    json_array_append(list_of(t, "decisions"), entry);
    meet(t, json_object_get(entry, "who"));
}

/* ---- bars of the drawing ---- */

static void bar_begin(struct teller *t, const char *kind, const char *row)
{
    json_object_set_new(t->open, row, json_pack("{s:s, s:s, s:I}", "row", row, "kind", kind, "from", since_start(t)));
}

static void bar_end(struct teller *t, const char *row, const json_t *result)
{
    json_t *bar = json_object_get(t->open, row);
    if (bar && json_array_size(list_of(t, "bars")) < BARS_MAX) {
        json_object_set_new(bar, "to", json_integer(since_start(t)));
        json_object_set(bar, "result", (json_t *)result);
        json_array_append(list_of(t, "bars"), bar);
    }
    json_object_del(t->open, row);
}

static const char *row_of(const json_t *body, char *row, size_t size)
{
    const char *id = rb_json_str(body, "id", rb_json_str(body, "fix", "?")), *key = rb_json_str(body, "key", "");
    snprintf(row, size, "%.120s%s%.80s", id, key[0] ? " " : "", key);
    return row;
}

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
    meet(t, json_object_get(say(t, e, "start", body), "who"));
}

static void run_resumed(struct teller *t, const struct rb_event *e, const json_t *body)
{
    const char *row;
    json_t *bar;
    void *next;
    json_object_foreach_safe(t->open, next, row, bar) { /* they died with the life before */
        json_t *lost = json_string("interrupted");
        bar_end(t, row, lost);
        json_decref(lost);
    }
    static const char *const keys[] = {"ended", "result", "exit", "error", NULL};
    for (const char *const *key = keys; *key; key++) {
        json_object_del(t->story, *key);
    }
    meet(t, json_object_get(say(t, e, "resumed", body), "who"));
}

static void run_stop(struct teller *t, const struct rb_event *e, const json_t *body)
{
    decide(t, say(t, e, "stop", body));
}

static void check_started(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    (void)e;
    bar_begin(t, "look", row_of(body, row, sizeof row));
}

static void check_ended(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    bar_end(t, row_of(body, row, sizeof row), json_object_get(body, "result"));
    say(t, e, "look", body);
}

static void finding(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = say(t, e, "found", body), *one;
    size_t i;
    json_array_foreach(list_of(t, "findings"), i, one) {
        if (json_equal(json_object_get(one, "id"), json_object_get(body, "id")) &&
            json_equal(json_object_get(one, "key"), json_object_get(body, "key"))) {
            json_object_set(one, "evidence", json_object_get(body, "evidence"));
            return;
        }
    }
    one = json_copy(entry);
    json_array_append_new(list_of(t, "findings"), one);
}

static bool stands(const json_t *standing, const json_t *finding)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)standing, i, one) {
        if (json_equal(json_object_get(one, "id"), json_object_get(finding, "id")) &&
            json_equal(json_object_get(one, "key"), json_object_get(finding, "key"))) {
            return true;
        }
    }
    return false;
}

static void diagnosis(struct teller *t, const struct rb_event *e, const json_t *body)
{
    const json_t *standing = json_object_get(body, "standing");
    size_t i;
    json_t *one;
    json_array_foreach(list_of(t, "findings"), i, one) {
        json_object_set_new(one, "state", json_string(stands(standing, one) ? "standing" : "cleared"));
    }
    if (!json_object_get(t->story, "diagnosed_ms")) {
        json_object_set_new(t->story, "diagnosed_ms", json_integer(since_start(t)));
    }
    bool gone = json_array_size(list_of(t, "findings")) > 0 && json_array_size(standing) == 0;
    if (!gone) {
        json_object_del(t->story, "repaired_ms");
    } else if (!json_object_get(t->story, "repaired_ms")) {
        json_object_set_new(t->story, "repaired_ms", json_integer(since_start(t)));
    }
    say(t, e, "diagnosis", body);
}

static void plan(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = say(t, e, "plan", body);
    json_array_append(list_of(t, "plans"), entry);
}

static void confirm_asked(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    (void)e;
    bar_begin(t, "wait", row_of(body, row, sizeof row));
}

static void confirm_answered(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    json_t *bar = json_object_get(t->open, row_of(body, row, sizeof row));
    if (bar) {
        json_int_t waited = since_start(t) - rb_json_int(bar, "from", 0) + rb_json_int(t->story, "waited_ms", 0);
        json_object_set_new(t->story, "waited_ms", json_integer(waited));
    }
    bar_end(t, row, json_object_get(body, "answer"));
    decide(t, say(t, e, "answer", body));
}

static void block_started(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    (void)e;
    bar_begin(t, rb_json_str(body, "phase", "step"), row_of(body, row, sizeof row));
}

/* That a fix or step was carried out is said by its end; here are the parts that have a result of their own. */
static void block_ended(struct teller *t, const struct rb_event *e, const json_t *body)
{
    char row[256];
    const char *phase = rb_json_str(body, "phase", ""), *result = rb_json_str(body, "result", "");
    bar_end(t, row_of(body, row, sizeof row), json_object_get(body, "result"));
    bool own = !strcmp(phase, "verify") || !strcmp(phase, "undo") || !strcmp(phase, "inject");
    if (own || strcmp(result, "done") != 0) {
        say(t, e, "block", body);
    }
}

static json_t *effect_of(const struct teller *t, const json_t *body)
{
    json_t *list = list_of(t, "effects"), *call = json_object_get(body, "call");
    for (size_t i = json_array_size(list); call && i > 0; i--) {
        json_t *effect = json_array_get(list, i - 1);
        if (json_equal(json_object_get(effect, "call"), call)) {
            return effect;
        }
    }
    return NULL;
}

static void call_intent(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = effect_of(t, body);
    if (!entry) {
        entry = say(t, e, "write", body);
        json_array_append(list_of(t, "effects"), entry);
    } else {
        json_object_set_new(entry, "again", json_true());
    }
    bool announces = rb_json_bool(body, "announces", false);
    json_object_set_new(entry, "result",
                        json_string(announces ? "not_begun" : "unknown")); /* until there is an outcome */
}

static void call_began(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *effect = effect_of(t, body);
    (void)e;
    if (effect) {
        json_object_set_new(effect, "result", json_string("unknown"));
    }
}

static void read_ended(struct teller *t, const json_t *body)
{
    json_t *read = json_pack("{s:I}", "ms", since_start(t));
    take(read, body);
    json_object_set(read, "took", json_object_get(body, "ms"));
    if (json_array_size(json_object_get(body, "remarks")) > 0) {
        json_object_set(read, "remarks", json_object_get(body, "remarks"));
    }
    json_object_set(read, "ok", json_object_get(body, "ok"));
    json_t *list = list_of(t, "reads");
    json_object_set_new(t->story, "read_count", json_integer(rb_json_int(t->story, "read_count", 0) + 1));
    if (json_array_size(list) < READS_MAX) {
        json_array_append(list, read);
    }
    json_decref(read);
}

/* Seen to be done, or known from elsewhere? */
static const char *how_known(const json_t *effect, const json_t *outcome)
{
    const json_t *remark = json_array_get(json_object_get(outcome, "remarks"), 0);
    const char *kind = rb_json_str(remark, "kind", "");
    return !strcmp(kind, "receipt")                                                               ? "by_receipt"
           : !strcmp(kind, "resolved") && !strcmp(rb_json_str(effect, "result", ""), "said_done") ? "said_done"
                                                                                                  : "done";
}

static void call_outcome(struct teller *t, const struct rb_event *e, const json_t *body)
{
    (void)e;
    const char *code = rb_json_str(json_object_get(body, "error"), "code", "");
    json_t *effect = effect_of(t, body);
    if (!effect) {
        read_ended(t, body);
        return;
    }
    bool ok = rb_json_bool(body, "ok", false);
    const char *result = ok ? how_known(effect, body) : !strcmp(code, "unknown") ? "unknown" : "failed";
    json_object_set_new(effect, "result", json_string(result));
    json_object_set(effect, "took", json_object_get(body, "ms"));
    if (!ok) {
        json_object_set(effect, "error", json_object_get(body, "error"));
    }
    int64_t took = rb_json_int(body, "ms", 0);
    char row[256];
    json_t *bar =
        json_pack("{s:s, s:s, s:I, s:I, s:O}", "row", row_of(effect, row, sizeof row), "kind", "write", "from",
                  since_start(t) - (json_int_t)took, "to", since_start(t), "result", json_object_get(effect, "result"));
    json_array_append_new(list_of(t, "bars"), bar);
}

static void call_resolved(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = say(t, e, "resolved", body), *effect = effect_of(t, body);
    decide(t, entry);
    if (effect) {
        bool done = rb_json_bool(body, "done", false);
        json_object_set_new(effect, "result", json_string(done ? "said_done" : "said_not_done"));
        json_object_set(effect, "reason", json_object_get(body, "reason"));
        json_object_set(entry, "text", json_object_get(effect, "text"));
        json_object_set(entry, "verb", json_object_get(effect, "verb"));
    }
}

static void block_over(struct teller *t, const struct rb_event *e, const json_t *body)
{
    say(t, e, "over", body);
}

/* A person chose, answered or went on; what the machine asked itself (the time) is nobody's story. */
static void input(struct teller *t, const struct rb_event *e, const json_t *body)
{
    const char *verb = rb_json_str(body, "verb", "");
    json_t *ok = json_object_get(body, "ok"), *answers = json_object_get(ok, "answers");
    if (strcmp(verb, "run.ask") != 0 || json_object_size(answers) == 0) {
        return;
    }
    json_t *entry = say(t, e, "choice", body);
    json_object_set(entry, "evidence", answers);
    json_object_del(entry, "verb");
    decide(t, entry);
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
    say(t, e, "end", body);
}

static void plainly(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = say(t, e, "event", body);
    if (!strncmp(e->kind, "approval.", 9)) {
        decide(t, entry);
    }
}

static void note(struct teller *t, const struct rb_event *e, const json_t *body)
{
    say(t, e, "note", body);
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
    {"call.intent", call_intent},
    {"call.outcome", call_outcome},
    {"call.began", call_began},
    {"call.resolved", call_resolved},
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
    json_object_set_new(t->story, "ms", json_integer(since_start(t)));
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
        bar_end(t, row, lost);
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
