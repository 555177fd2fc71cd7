/* Events -> the runbook.run/1 object, for a live run and for one read from the journal. */
#include <string.h>

#include "base/json.h"
#include "run/state.h"

json_t *rb_report_new(void)
{
    return json_pack("{s:s, s:s, s:[], s:[], s:[], s:[]}", "schema", "runbook.run/1", "result", "running", "checks",
                     "fixes", "steps", "next");
}

static void set_time(json_t *report, const char *key, int64_t utc_us)
{
    char text[RB_TIME_MAX];
    rb_clock_format(utc_us, 0, text);
    json_object_set_new(report, key, json_string(text));
}

static json_t *find(const json_t *list, const char *key, const char *value)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (!strcmp(rb_json_str(item, key, ""), value)) {
            return item;
        }
    }
    return NULL;
}

static void take(json_t *to, const json_t *from, const char *const *keys)
{
    for (; *keys; keys++) {
        json_t *value = json_object_get(from, *keys);
        if (value) {
            json_object_set(to, *keys, value);
        }
    }
}

static void run_started(json_t *report, const json_t *body, int64_t utc_us)
{
    static const char *const keys[] = {"run",    "runbook", "title",   "severity", "sha256", "mode",
                                       "params", "target",  "source",  "actor",    "reason", "guided",
                                       "within", "journal", "instead", NULL};
    take(report, body, keys);
    json_object_set_new(report, "dry_run", json_boolean(!strcmp(rb_json_str(body, "mode", ""), "dry-run")));
    set_time(report, "started", utc_us);
}

static json_t *check_of(json_t *report, const char *id)
{
    json_t *checks = json_object_get(report, "checks");
    json_t *check = find(checks, "id", id);
    if (!check) {
        check = json_pack("{s:s, s:s, s:[]}", "id", id, "result", "running", "findings");
        json_array_append_new(checks, check);
    }
    return check;
}

static void check_started(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"title", NULL};
    json_t *check = check_of(report, rb_json_str(body, "id", ""));
    take(check, body, keys);
    json_object_set(report, "_check", json_object_get(check, "id"));
}

static void check_ended(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"result", "ms", "text", "error", "code", "at", NULL};
    json_t *check = check_of(report, rb_json_str(body, "id", ""));
    json_object_del(check, "error");
    json_object_del(check, "text");
    take(check, body, keys);
    json_object_del(report, "_check");
}

static void finding(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"id",       "key",    "severity", "title", "evidence",
                                       "explains", "blocks", "advice",   NULL};
    json_t *check = check_of(report, rb_json_str(report, "_check", "-"));
    json_t *one = rb_json_find_same(json_object_get(check, "findings"), body);
    if (!one) {
        one = json_object();
        json_array_append_new(json_object_get(check, "findings"), one);
    }
    take(one, body, keys);
    json_object_set_new(one, "state", json_string("standing"));
}

static void diagnosis(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    size_t i, k;
    json_t *check, *one;
    json_array_foreach(json_object_get(report, "checks"), i, check) {
        json_array_foreach(json_object_get(check, "findings"), k, one) {
            bool on = rb_json_find_same(json_object_get(body, "standing"), one) != NULL;
            json_object_set_new(one, "state", json_string(on ? "standing" : "cleared"));
        }
    }
}

/* The entry of the block that is being carried out: the newest with that id and key. */
static json_t *entry_of(json_t *report, const char *block, const json_t *body)
{
    json_t *list = json_object_get(report, !strcmp(block, "step") ? "steps" : "fixes");
    const char *id = rb_json_str(body, "fix", rb_json_str(body, "id", ""));
    for (size_t i = json_array_size(list); i > 0; i--) {
        json_t *entry = json_array_get(list, i - 1);
        if (!strcmp(rb_json_str(entry, "id", ""), id) &&
            !strcmp(rb_json_str(entry, "key", ""), rb_json_str(body, "key", rb_json_str(entry, "key", "")))) {
            return entry;
        }
    }
    json_t *entry = json_pack("{s:s, s:s, s:[]}", "id", id, "key", rb_json_str(body, "key", ""), "effects");
    json_array_append_new(list, entry);
    return entry;
}

static void plan(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"for", "risk", "title", "no_undo", "undo", "open", "state", "because", NULL};
    json_t *entry = entry_of(report, rb_json_str(body, "block", "fix"), body);
    take(entry, body, keys);
    json_object_set(entry, "plan", json_object_get(body, "writes"));
    json_object_set(report, "_block", json_object_get(body, "block"));
}

/* Of a dry run: all of it, under one id. */
static void plan_made(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"digest", "items", "findings", NULL};
    json_t *made = json_pack("{s:O*}", "id", json_object_get(body, "plan"));
    take(made, body, keys);
    json_object_set_new(report, "plan", made);
}

static void approval_asked(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"id", "plan", "needed", "expires", "state", "left", NULL};
    json_t *approval = json_object();
    take(approval, body, keys);
    json_object_set_new(report, "approval", approval);
}

/* Of an undo: {id, key, result, why} of each thing, and whose it was. */
static void undo_started(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"undoes", NULL};
    take(report, body, keys);
    json_object_set_new(report, "undone", json_array());
}

static void undo_ended(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"block", "id", "key", "result", "why", NULL};
    json_t *one = json_object();
    take(one, body, keys);
    json_array_append_new(json_object_get(report, "undone"), one);
}

static void plan_used(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    json_object_set_new(report, "plan", json_pack("{s:O*}", "id", json_object_get(body, "plan")));
}

static void confirm_answered(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"answer", "how", "approval", "reason", NULL};
    json_t *entry = entry_of(report, rb_json_str(report, "_block", "fix"), body), *confirmed = json_object();
    take(confirmed, body, keys);
    json_object_set_new(entry, "confirmed", confirmed);
}

static void block_ended(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"result", "ms", "text", "value", "error", "code", "at", NULL};
    const char *phase = rb_json_str(body, "phase", ""), *block = rb_json_str(body, "block", "");
    if ((strcmp(block, "fix") && strcmp(block, "step")) || !strcmp(phase, "guard")) {
        return;
    }
    json_t *entry = entry_of(report, block, body), *part = json_object();
    take(part, body, keys);
    if (!strcmp(phase, "verify") || !strcmp(phase, "undo")) {
        json_object_set(entry, phase, part);
    } else {
        json_object_update(entry, part);
    }
    json_decref(part);
}

static void call_outcome(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"verb", "text", "effect", "ms", "ok", "error", "remarks", NULL};
    const char *block = rb_json_str(report, "_block", NULL);
    json_t *list = json_object_get(report, block && !strcmp(block, "step") ? "steps" : "fixes");
    json_t *entry = json_array_get(list, json_array_size(list) - 1);
    if (!entry || strcmp(rb_json_str(body, "effect", ""), "write")) {
        return;
    }
    json_t *effect = json_object();
    take(effect, body, keys);
    json_array_append_new(json_object_get(entry, "effects"), effect);
}

static void fix_ended(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"result", "for", "why", NULL};
    take(entry_of(report, "fix", body), body, keys);
}

static void step_ended(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    static const char *const keys[] = {"result", "why", NULL};
    take(entry_of(report, "step", body), body, keys);
}

static void escalated(json_t *report, const json_t *body, int64_t utc_us)
{
    static const char *const keys[] = {"severity", "within", "after", "contacts", "escalate", NULL};
    (void)utc_us;
    json_t *one = json_object();
    take(one, body, keys);
    json_object_set_new(report, "escalated", one);
}

static void note(json_t *report, const json_t *body, int64_t utc_us)
{
    (void)utc_us;
    json_t *notes = json_object_get(report, "notes");
    if (!notes) {
        notes = json_array();
        json_object_set_new(report, "notes", notes);
    }
    json_array_append(notes, (json_t *)body);
}

static void run_ended(json_t *report, const json_t *body, int64_t utc_us)
{
    static const char *const keys[] = {"run",   "result", "exit",  "next", "advice",   "by_hand",
                                       "wrote", "error",  "drill", "ms",   "recorded", NULL};
    take(report, body, keys);
    json_object_del(report, "_check");
    json_object_del(report, "_block");
    set_time(report, "ended", utc_us);
}

static const struct {
    const char *kind;
    void (*apply)(json_t *report, const json_t *body, int64_t utc_us);
} rules[] = {
    {"run.started", run_started},
    {"check.started", check_started},
    {"check.ended", check_ended},
    {"finding", finding},
    {"diagnosis", diagnosis},
    {"plan", plan},
    {"undo.started", undo_started},
    {"undo.ended", undo_ended},
    {"approval.asked", approval_asked},
    {"plan.made", plan_made},
    {"plan.used", plan_used},
    {"confirm.answered", confirm_answered},
    {"block.ended", block_ended},
    {"call.outcome", call_outcome},
    {"fix.ended", fix_ended},
    {"step.ended", step_ended},
    {"note", note},
    {"escalated", escalated},
    {"run.ended", run_ended},
};

void rb_report_apply(json_t *report, const char *kind, const json_t *body, int64_t utc_us)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!strcmp(rules[i].kind, kind)) {
            rules[i].apply(report, body, utc_us);
            return;
        }
    }
}

static int apply_event(const struct rb_event *event, void *user)
{
    if (event->body) {
        json_t *body = rb_json_parse(event->body, strlen(event->body), NULL);
        if (body) {
            rb_report_apply(user, event->kind, body, event->utc_us);
            json_decref(body);
        }
    }
    return 0;
}

json_t *rb_run_report(struct rb_journal *journal, const char *run, struct rb_err *err)
{
    char id[RB_ID_MAX];
    if (rb_journal_find_run(journal, run, id, err) < 0) {
        return NULL;
    }
    json_t *report = rb_report_new();
    if (rb_journal_read(journal, id, 0, apply_event, report, err) < 0) {
        json_decref(report);
        return NULL;
    }
    return report;
}
