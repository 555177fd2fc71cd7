/* May it be done: what was shown, the requester's word, the word of others, and nothing else. One place decides, for
 * flags, rules, plans, prompts, schedules and what others answered. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/state.h"

/* From here on it has a name: what is shown, agreed to, approved, and done. */
static void name_plan(const struct rb_run *run, json_t *shown)
{
    json_t *items = json_pack("[o]", rb_plan_item(run, shown)), *plan = rb_plan_of(run, items);
    json_object_set(shown, "plan", json_object_get(plan, "plan"));
    json_object_set(shown, "digest", json_object_get(plan, "digest"));
    json_decref(plan);
    json_decref(items);
}

static void record_plan(struct rb_run *run, const json_t *shown)
{
    json_t *body = json_deep_copy(shown);
    json_object_set(body, "writes", run->plan.writes);
    json_object_set_new(body, "open", json_boolean(run->plan.open));
    rb_record(run, "plan", body);
}

/* word: {answer, how, reason?} */
static void decided(struct rb_run *run, json_int_t seq, const json_t *shown, const json_t *word)
{
    const char *answer = rb_json_str(word, "answer", "no"), *how = rb_json_str(word, "how", "");
    run->plan.consented = !strcmp(answer, "yes");
    if (run->plan.consented) {
        rb_response_end(run); /* somebody decided */
    }
    json_t *body = json_pack("{s:O*, s:O*, s:O*, s:s, s:s, s:O*}", "fix", json_object_get(shown, "fix"), "key",
                             json_object_get(shown, "key"), "risk", json_object_get(shown, "risk"), "answer", answer,
                             "how", how, "approval", json_object_get(shown, "approval"));
    json_object_set(body, "reason", json_object_get(word, "reason"));
    rb_record(run, "confirm.answered", body);
    RB_CRASH_POINT("agreed");
    rb_record_soon(run); /* at the latest with the first intent, in one transaction */
    rb_run_reply(run, seq, json_pack("{s:s, s:s}", "answer", answer, "how", how));
}

static void decide(struct rb_run *run, json_int_t seq, const json_t *shown, const char *answer, const char *how)
{
    json_t *word = json_pack("{s:s, s:s}", "answer", answer, "how", how);
    decided(run, seq, shown, word);
    json_decref(word);
}

static bool risk_is(const json_t *shown, const char *risk)
{
    return !strcmp(rb_json_str(shown, "risk", "low"), risk);
}

/* NULL when a person must say; else the rule or flag that says yes. */
static const char *agreed(const struct rb_run *run, const json_t *shown)
{
    if (rb_consent_allowed(run, shown)) {
        return "schedule";
    }
    if (rb_consent_beforehand(run, shown)) {
        return "flag";
    }
    if (!risk_is(shown, "low") || run->guided) {
        return NULL;
    }
    return !run->no_input || rb_consent_chosen(run, shown) ? "risk" : NULL;
}

/* What is typed for critical is the id of the plan: nobody types it without having it in view. */
static json_t *question_of(struct rb_run *run, const json_t *shown)
{
    json_t *question = json_deep_copy(shown);
    if (!json_object_get(question, "writes")) {
        json_object_set(question, "writes", run->plan.writes);
    }
    json_object_set_new(question, "open", json_boolean(run->plan.open));
    if (risk_is(shown, "medium") || risk_is(shown, "low")) {
        json_object_set_new(question, "typed", json_null());
    }
    int others = rb_policy_demand(run, shown).others;
    if (others || risk_is(shown, "critical")) {
        json_object_set(question, "typed", json_object_get(shown, "plan"));
        json_object_set_new(question, "others", json_integer(others));
    }
    return question;
}

const json_t *rb_block_declared(const struct rb_run *run, const char *id)
{
    static const char *const lists_of[] = {"fixes", "steps"};
    const json_t *found = NULL;
    for (size_t i = 0; i < 2 && !found; i++) {
        found = rb_json_find(json_object_get(run->meta, lists_of[i]), "id", id);
    }
    return found;
}

/* Which block and how dangerous is not the runner's to say: it is what was rehearsed, as it was declared. */
json_t *rb_plan_trusted(const struct rb_run *run, const json_t *given)
{
    const json_t *block = run->plan.id ? rb_block_declared(run, run->plan.id) : NULL;
    if (!block) {
        return NULL;
    }
    static const char *const ours[] = {"writes", "plan", "digest", "approval", "again", "expires"};
    json_t *shown = json_deep_copy(given);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        json_object_del(shown, ours[i]);
    }
    json_object_set(shown, "fix", json_object_get(block, "id"));
    json_object_set_new(shown, "key", json_string(run->plan.key));
    json_object_set_new(shown, "risk", json_string(rb_json_str(block, "risk", "low")));
    return shown;
}

#define RENEW (-1) /* as a question_seq: no frame waits, but calls */

static void renewed(struct rb_run *run, const json_t *shown, const char *word, const char *how)
{
    struct rb_err err = {0};
    struct rb_call *call;
    run->plan.renew = false;
    rb_record(run, "confirm.renewed",
              json_pack("{s:O*, s:O*, s:O*, s:s, s:s, s:O*}", "fix", json_object_get(shown, "fix"), "key",
                        json_object_get(shown, "key"), "risk", json_object_get(shown, "risk"), "answer", word, "how",
                        how, "approval", json_object_get(shown, "approval")));
    while ((call = rb_call_asking(run)) != NULL) {
        call->asking = false;
        if (!strcmp(word, "yes")) {
            rb_call_go(call);
        } else {
            rb_err_set(&err, RB_ECANCELLED, RB_T_run_renew_declined, call->text);
            rb_call_fail(call, &err);
        }
    }
}

void rb_confirm_settle(struct rb_run *run, json_int_t seq, const json_t *shown, const char *answer, const char *how)
{
    if (seq == RENEW) {
        renewed(run, shown, answer, how);
    } else {
        decide(run, seq, shown, answer, how);
    }
}

/* The requester's own word is there: by a flag, a rule, a plan, or typed. What else is needed is decided here, for all
 * of them. */
static void consented(struct rb_run *run, json_int_t seq, json_t *shown, const char *how)
{
    char text[512];
    struct rb_demand demand = rb_policy_demand(run, shown);
    if ((demand.reason || demand.alone) && !run->reason) {
        snprintf(text, sizeof text, rb_text(demand.reason ? RB_T_trust_reason_policy : RB_T_trust_reason_alone),
                 demand.reason ? demand.reason : rb_json_str(shown, "fix", ""));
        rb_run_fail(run, "denied", 5, text);
    } else if (demand.others && !run->wait && run->no_input && run->allow < 0 && seq != RENEW) {
        rb_confirm_settle(run, seq, shown, "person", "no-input");
    } else if (demand.others) {
        run->wait = true; /* asking others is waiting for them */
        rb_consent_others(run, seq, shown, &demand);
    } else {
        rb_confirm_settle(run, seq, shown, "yes", demand.alone ? "single" : how);
    }
}

/* NULL when the requester must still say; else what says it. planned: the plan that is applied holds it. */
static const char *word_of(const struct rb_run *run, const json_t *shown, int planned)
{
    bool undo = !strcmp(rb_json_str(shown, "phase", ""), "undo");
    if (planned) {
        return "plan";
    }
    if (undo && run->mode != RB_MODE_UNDO &&
        !json_object_get(shown, "again")) { /* after a failure: never by what was said before it */
        return NULL;
    }
    const char *how = agreed(run, shown);
    return how ? how : run->wait && rb_policy_demand(run, shown).others ? "wait" : NULL;
}

static void confirm(struct rb_run *run, json_int_t seq, json_t *shown)
{
    bool undo = !strcmp(rb_json_str(shown, "phase", ""), "undo");
    name_plan(run, shown);
    record_plan(run, shown);
    rb_record(run, "confirm.asked", json_deep_copy(shown));
    json_decref(run->plan.shown);
    run->plan.shown = json_deep_copy(shown);
    if (run->recorded) {
        if (json_object_get(run->recorded, "approval")) {
            json_object_set(shown, "approval", json_object_get(run->recorded, "approval"));
        }
        decided(run, seq, shown, run->recorded);
        return;
    }
    int planned = run->only && !undo ? rb_plan_agrees(run, shown) : 0;
    if (planned < 0) {
        return;
    }
    const char *how = word_of(run, shown, planned);
    if (run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST) {
        decide(run, seq, shown, undo && !rb_consent_drill_undoes(run) ? "no" : "yes",
               run->mode == RB_MODE_DRILL ? "drill" : "test");
    } else if (run->mode == RB_MODE_DRY_RUN || run->mode == RB_MODE_DIAGNOSE) {
        decide(run, seq, shown, "no", "dry-run"); /* whatever a runner asks for */
    } else if (how) {
        consented(run, seq, shown, how);
    } else if (run->wait && run->no_input && (!undo || run->mode == RB_MODE_UNDO)) {
        rb_consent_park(run, "confirm", shown, RB_T_trust_parked_confirm);
    } else if (run->no_input) {
        decide(run, seq, shown, "person", "no-input");
    } else {
        json_t *question = question_of(run, shown);
        rb_consent_person(run, seq, "confirm", question);
        json_decref(question);
    }
}

void rb_consent_confirm(struct rb_run *run, json_int_t seq, const json_t *given)
{
    json_t *shown = rb_plan_trusted(run, given);
    if (shown) {
        confirm(run, seq, shown);
    } else {
        rb_run_fail(run, "failed", 1, rb_text(RB_T_run_bad_frame));
    }
    json_decref(shown);
}

/* ---- consent of an earlier life ---- */

/* What is left of the plan, from the write that waits on. */
static json_t *shown_again(const struct rb_run *run)
{
    json_t *shown = json_deep_copy(run->plan.shown), *left = json_array();
    for (size_t i = run->plan.done > 0 ? run->plan.done - 1 : 0; i < json_array_size(run->plan.writes); i++) {
        json_array_append(left, json_array_get(run->plan.writes, i));
    }
    json_object_set_new(shown, "writes", left);
    json_object_set_new(shown, "again", json_true());
    name_plan(run, shown);
    return shown;
}

static void wait_for_person(struct rb_run *run, const json_t *shown)
{
    char text[1024];
    snprintf(text, sizeof text, rb_text(RB_T_run_renew_needed), rb_json_str(shown, "block", ""),
             rb_json_str(shown, "fix", ""));
    rb_run_park(run, "waiting", 4, text);
    json_t *next =
        json_pack("[{s:o, s:O*}]", "argv", rb_next_resume(run, shown), "why", json_object_get(shown, "title"));
    json_object_set_new(run->failure, "next", next);
}

void rb_consent_renew(struct rb_run *run, struct rb_call *call)
{
    bool first = rb_call_asking(run) == NULL;
    call->asking = true;
    if (!first) {
        return;
    }
    json_t *shown = shown_again(run);
    const char *how = word_of(run, shown, 0);
    if (how) {
        consented(run, RENEW, shown, how);
    } else if (run->no_input) {
        wait_for_person(run, shown);
    } else {
        json_t *question = question_of(run, shown);
        rb_consent_person(run, RENEW, "confirm", question);
        json_decref(question);
    }
    json_decref(shown);
}

/* ---- a person's answer ---- */

void rb_confirm_answered(struct rb_run *run, json_int_t seq, json_t *question, const json_t *answer)
{
    const char *typed = rb_json_str(answer, "typed", "");
    const char *key = rb_json_str(question, "typed", NULL), *how = key ? "typed" : "prompt";
    bool yes = key ? !strcmp(typed, key) : !strcasecmp(typed, "y") || !strcasecmp(typed, "yes");
    if (yes) {
        consented(run, seq, question, how);
    } else if (seq == RENEW) {
        rb_confirm_settle(run, seq, question, "no", how);
    } else {
        json_t *word =
            json_pack("{s:s, s:s, s:O*}", "answer", "no", "how", rb_json_bool(answer, "back", false) ? "back" : how,
                      "reason", json_object_get(answer, "reason"));
        decided(run, seq, question, word);
        json_decref(word);
    }
}
