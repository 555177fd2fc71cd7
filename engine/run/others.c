/* Consent of other people, as a run meets it: asked for, waited for without a process, taken once. */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/state.h"

/* What was said beforehand, for whoever goes on with the run. */
static json_t *words_of(const struct rb_run *run)
{
    return json_pack("{s:b, s:b, s:i, s:O, s:O, s:O, s:s*}", "yes", run->yes, "wait", 1, "allow", run->allow, "confirm",
                     run->confirm, "fixes", run->fixes, "answers", run->answers, "reason", run->reason);
}

/* Nothing of the run is left but its record; an answer lets it go on, in whatever process. */
void rb_consent_park(struct rb_run *run, const char *what, const json_t *shown, enum rb_text_id text)
{
    char why[1024];
    const char *id = rb_json_str(shown, "fix", rb_json_str(shown, "id", "?"));
    json_t *body = json_pack("{s:s, s:s, s:O*, s:s, s:O*, s:O*, s:O*, s:o}", "run", run->id, "for", what, "block",
                             json_object_get(shown, "block"), "id", id, "key", json_object_get(shown, "key"), "plan",
                             json_object_get(shown, "plan"), "approval", json_object_get(shown, "approval"), "words",
                             words_of(run));
    if (json_object_get(shown, "expires")) {
        json_object_set(body, "expires", json_object_get(shown, "expires"));
    }
    snprintf(why, sizeof why, rb_text(text), rb_json_str(shown, "block", ""), id);
    run->frame[0] = '\0'; /* waiting is no part of what is gone through again */
    rb_record(run, "run.parked", body);
    RB_CRASH_POINT("parked");
    rb_run_park(run, "waiting", 4, why);
    if (run->failure) {
        json_t *next =
            json_pack("[{s:o, s:O*}]", "argv", rb_next_resume(run, shown), "why", json_object_get(shown, "title"));
        json_object_set_new(run->failure, "next", next);
    }
}

static json_t *requesters_of(const struct rb_run *run)
{
    json_t *now = rb_journal_actor_find(), *list = json_pack("[o]", now);
    const json_t *first = json_object_get(run->first_started, "actor");
    if (first && !json_equal(first, now)) {
        json_array_append(list, (json_t *)first);
    }
    return list;
}

static void tell_asked(struct rb_run *run, const json_t *approval)
{
    struct rb_err err = {0};
    (void)rb_record_flush(run, &err); /* it is on disk already; what came before it is shown before it */
    rb_report_apply(run->report, "approval.asked", approval, rb_clock_utc_us());
    if (run->view->event) {
        run->view->event(run->user, "approval.asked", approval);
    }
}

static json_t *request_of(struct rb_run *run, const json_t *shown, const struct rb_demand *demand)
{
    static const char *const kept[] = {"block",  "fix", "key",     "for",  "risk",  "plan",
                                       "digest", "why", "no_undo", "undo", "phase", NULL};
    json_t *writes = json_object_get(shown, "writes");
    json_t *body =
        json_pack("{s:O, s:O, s:O*, s:s, s:s*, s:i, s:O, s:b, s:o, s:I, s:O*, s:s*}", "runbook",
                  json_object_get(run->file, "id"), "title", json_object_get(run->meta, "title"), "what",
                  json_object_get(shown, "title"), "target", run->target, "reason", run->reason, "needed",
                  demand->others, "writes", writes ? writes : run->plan.writes, "open", run->plan.open, "requesters",
                  requesters_of(run), "expires", (json_int_t)(rb_clock_utc_us() + (int64_t)(demand->seconds * 1e6)),
                  "roles", demand->roles, "outside", demand->outside);
    if (!demand->roles && json_object_size(json_object_get(run->config, "user"))) {
        json_object_set_new(body, "roles", json_pack("[s]", "approver"));
    }
    for (size_t i = 0; kept[i]; i++) {
        json_t *value = json_object_get(shown, kept[i]);
        if (value) {
            json_object_set(body, kept[i], value);
        }
    }
    return body;
}

static void ask_others(struct rb_run *run, json_t *shown, const struct rb_demand *demand)
{
    struct rb_err err = {0};
    char id[RB_ID_MAX];
    json_t *body = request_of(run, shown, demand);
    if (run->actor) {
        rb_journal_actor_set(run->engine.journal, run->actor);
    }
    if (rb_approval_ask(run->engine.journal, run->id, body, id, &err) < 0) {
        rb_run_fail(run, "failed", RB_EXIT_JOURNAL, err.text);
    } else {
        json_object_set_new(body, "state", json_string("waiting"));
        json_object_set_new(body, "left", json_integer(demand->others));
        tell_asked(run, body);
        json_object_set_new(shown, "approval", json_string(id));
        json_object_set(shown, "expires", json_object_get(body, "expires"));
        rb_consent_park(run, "approval", shown, RB_T_trust_parked);
    }
    json_decref(body);
}

static int find_intent(const struct rb_event *event, void *user)
{
    bool *found = user;
    *found = *found || !strcmp(event->kind, "call.intent");
    return 0;
}

/* A write was made with it. Until then a run that died after taking it may go on with it. */
static bool consumed(const struct rb_run *run, const json_t *approval)
{
    bool found = false;
    int rc = rb_journal_read(run->engine.journal, run->id, rb_json_int(approval, "used_event", 0), find_intent, &found,
                             NULL);
    return rc < 0 || found;
}

static void refused_by_others(struct rb_run *run, const json_t *approval, const char *state)
{
    char text[1024];
    const json_t *answers = json_object_get(approval, "answers"),
                 *last = json_array_get(answers, json_array_size(answers) - 1);
    if (!strcmp(state, "rejected")) {
        const json_t *actor = json_object_get(last, "actor");
        char uid[32];
        snprintf(uid, sizeof uid, "uid %lld", rb_json_int(actor, "uid", -1));
        snprintf(text, sizeof text, rb_text(RB_T_trust_end_rejected), rb_json_str(approval, "id", "?"),
                 rb_json_str(actor, "login", uid), rb_json_str(last, "reason", "-"));
    } else {
        snprintf(text, sizeof text, rb_text(RB_T_trust_end_expired), rb_json_str(approval, "id", "?"));
    }
    rb_run_fail(run, "rejected", 4, text);
}

static void take_approval(struct rb_run *run, json_int_t seq, json_t *shown, const json_t *approval)
{
    struct rb_err err = {0};
    bool used = !strcmp(rb_json_str(approval, "state", ""), "used");
    int rc = used ? 0 : rb_approval_use(run->engine.journal, approval, &err);
    if (rc == 0) {
        json_object_set(shown, "approval", json_object_get(approval, "id"));
        rb_confirm_settle(run, seq, shown, "yes", "approval");
    } else {
        rb_run_fail(run, rc == RB_EJOURNAL ? "failed" : "rejected", rc == RB_EJOURNAL ? RB_EXIT_JOURNAL : 4, err.text);
    }
}

/* A schedule asks once, however often it fires meanwhile. */
static bool asked_before(const struct rb_run *run, const json_t *shown)
{
    static const char *const same[] = {"fix", "key", "risk"};
    json_t *waiting = run->allow >= 0 ? rb_approvals(run->engine.journal, false, NULL) : NULL, *one;
    bool asked = false;
    size_t i;
    json_array_foreach(waiting, i, one) {
        bool equal = !strcmp(rb_json_str(one, "runbook", ""), rb_json_str(run->file, "id", "?")) &&
                     !strcmp(rb_json_str(one, "target", ""), run->target);
        for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
            equal = equal && !strcmp(rb_json_str(one, same[k], ""), rb_json_str(shown, same[k], ""));
        }
        asked = asked || equal;
    }
    json_decref(waiting);
    return asked;
}

/* The requester agreed; others must too. */
void rb_consent_others(struct rb_run *run, json_int_t seq, json_t *shown, const struct rb_demand *demand)
{
    struct rb_err err = {0};
    json_t *approval = rb_approval_of_run(run->engine.journal, run->id, rb_json_str(shown, "digest", "?"), &err);
    const char *state = rb_json_str(approval, "state", "");
    if (err.code) {
        rb_run_fail(run, "failed", RB_EXIT_JOURNAL, err.text);
    } else if (!approval && asked_before(run, shown)) {
        rb_confirm_settle(run, seq, shown, "person", "asked before");
    } else if (!approval || (!strcmp(state, "used") && consumed(run, approval))) {
        ask_others(run, shown, demand);
    } else if (!strcmp(state, "granted") || !strcmp(state, "used")) {
        take_approval(run, seq, shown, approval);
    } else if (!strcmp(state, "waiting")) {
        tell_asked(run, approval);
        json_object_set(shown, "approval", json_object_get(approval, "id"));
        json_object_set(shown, "expires", json_object_get(approval, "expires"));
        rb_consent_park(run, "approval", shown, RB_T_trust_parked);
    } else {
        refused_by_others(run, approval, state);
    }
    json_decref(approval);
}
