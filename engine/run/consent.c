/* What is chosen and what is agreed to: by flags, by rules, or by a person. One place decides. */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/state.h"

void rb_plan_clear(struct rb_plan *plan)
{
    free(plan->id);
    free(plan->key);
    json_decref(plan->writes);
    json_decref(plan->shown);
    json_decref(plan->ended);
    *plan = (struct rb_plan){.writes = json_array()};
}

/* ---- questions to a person ---- */

static void ask_person(struct rb_run *run, json_int_t seq, const char *kind, const json_t *question)
{
    struct rb_err err = {0};
    if (rb_record_flush(run, &err) < 0) { /* what was found is on the screen before the question */
        rb_run_fail(run, "failed", RB_EXIT_JOURNAL, err.text);
        return;
    }
    run->question_seq = seq;
    snprintf(run->question_frame, sizeof run->question_frame, "%s", run->frame);
    free(run->question_kind);
    run->question_kind = rb_xstrdup(kind);
    json_decref(run->question);
    run->question = json_deep_copy(question);
    run->view->ask(run->user, run, kind, run->question);
}

/* ---- which fix ---- */

static bool lists(const json_t *list, const char *word)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        if (json_is_string(item) && !strcmp(json_string_value(item), word)) {
            return true;
        }
    }
    return false;
}

static bool typed_beforehand(const struct rb_run *run, const json_t *shown)
{
    return lists(run->confirm, rb_json_str(shown, "typed", ""));
}

/* "--fix ID" or "--fix ID=KEY"; KEY is the instance's key or the word that is typed for it. */
static bool chosen_by_flag(const struct rb_run *run, const json_t *offer)
{
    char with[512];
    const char *fix = rb_json_str(offer, "fix", "");
    if (lists(run->fixes, fix)) {
        return true;
    }
    snprintf(with, sizeof with, "%s=%s", fix, rb_json_str(offer, "key", ""));
    if (lists(run->fixes, with)) {
        return true;
    }
    snprintf(with, sizeof with, "%s=%s", fix, rb_json_str(offer, "typed", ""));
    return lists(run->fixes, with);
}

int rb_risk_rank(const char *risk)
{
    static const char *const ranks[] = {"low", "medium", "high", "critical"};
    int rank = 0;
    while (rank < 3 && strcmp(ranks[rank], risk) != 0) {
        rank++;
    }
    return rank;
}

/* What a schedule may do without a person; never from high up, whatever it says. */
static bool allowed(const struct rb_run *run, const json_t *shown)
{
    int rank = rb_risk_rank(rb_json_str(shown, "risk", "low"));
    return rank <= run->allow && rank <= 1;
}

static bool consented_beforehand(const struct rb_run *run, const json_t *shown)
{
    const char *risk = rb_json_str(shown, "risk", "low");
    if (allowed(run, shown)) {
        return true;
    }
    if (!strcmp(risk, "low") || !strcmp(risk, "medium")) {
        return run->yes;
    }
    return !strcmp(risk, "high") && typed_beforehand(run, shown);
}

static const json_t *drill_of(const struct rb_run *run)
{
    size_t i;
    json_t *drill;
    json_array_foreach(json_object_get(run->meta, "drills"), i, drill) {
        if (!strcmp(rb_json_str(drill, "id", ""), run->drill)) {
            return drill;
        }
    }
    return NULL;
}

static bool drill_repairs(const struct rb_run *run, const char *fix)
{
    const json_t *repair = json_object_get(drill_of(run), "repair");
    return json_is_array(repair) ? lists(repair, fix) : json_is_string(repair) && !strcmp(json_string_value(repair), fix);
}

static bool wanted(const struct rb_run *run, const json_t *offer)
{
    if (json_object_get(offer, "grey")) {
        return false;
    }
    if (run->mode == RB_MODE_DRILL) {
        return drill_repairs(run, rb_json_str(offer, "fix", ""));
    }
    if (run->only) {
        return rb_plan_holds(run, offer);
    }
    if (json_array_size(run->fixes)) {
        return chosen_by_flag(run, offer);
    }
    return !rb_json_bool(offer, "asked", false);
}

static json_t *choice(const json_t *offer)
{
    return json_pack("{s:O*, s:O*}", "fix", json_object_get(offer, "fix"), "key", json_object_get(offer, "key"));
}

/* The first that is wanted. Without a flag for it and without a person it must also be agreed to already:
 * nothing later in the file is safer. */
static const json_t *pick(const struct rb_run *run, const json_t *offers)
{
    size_t i;
    json_t *offer;
    bool chosen = run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST || run->only || json_array_size(run->fixes);
    json_array_foreach(offers, i, offer) {
        if (wanted(run, offer)) {
            return chosen || consented_beforehand(run, offer) ? offer : NULL;
        }
    }
    return NULL;
}

/* A dry run goes through all that may be meant. */
static json_t *all_wanted(const struct rb_run *run, const json_t *offers)
{
    size_t i;
    json_t *offer, *list = json_array();
    json_array_foreach(offers, i, offer) {
        if (wanted(run, offer) || (json_object_get(offer, "grey") && !json_array_size(run->fixes))) {
            json_array_append_new(list, choice(offer));
        }
    }
    return json_pack("{s:o, s:b}", "wanted", list, "narrow", json_array_size(run->fixes) > 0);
}

void rb_consent_offer(struct rb_run *run, json_int_t seq, const json_t *args)
{
    const json_t *offers = json_object_get(args, "offers");
    const json_t *offer = run->mode == RB_MODE_DRY_RUN ? NULL : pick(run, offers);
    if (run->mode == RB_MODE_DRY_RUN) {
        rb_run_input(run, run->frame, seq, "run.offer", all_wanted(run, offers));
    } else if (offer) {
        rb_run_input(run, run->frame, seq, "run.offer", choice(offer));
    } else if (!run->no_input && run->mode == RB_MODE_EXEC && !json_array_size(run->fixes) && !run->only) {
        ask_person(run, seq, "choose", args);
    } else {
        rb_run_input(run, run->frame, seq, "run.offer", json_object());
    }
}

/* ---- may it be done ---- */

/* From here on it has a name: what is shown, agreed to, approved, and done. */
static void name_plan(struct rb_run *run, json_t *shown)
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

static void decide(struct rb_run *run, json_int_t seq, const json_t *shown, const char *answer, const char *how)
{
    run->plan.consented = !strcmp(answer, "yes");
    json_t *body = json_pack("{s:O*, s:O*, s:O*, s:s, s:s}", "fix", json_object_get(shown, "fix"), "key",
                             json_object_get(shown, "key"), "risk", json_object_get(shown, "risk"), "answer", answer,
                             "how", how);
    rb_record(run, "confirm.answered", body);
    RB_CRASH_POINT("agreed");
    rb_record_soon(run); /* at the latest with the first intent, in one transaction */
    rb_run_reply(run, seq, json_pack("{s:s, s:s}", "answer", answer, "how", how));
}

static bool risk_is(const json_t *shown, const char *risk)
{
    return !strcmp(rb_json_str(shown, "risk", "low"), risk);
}

/* NULL when a person must say; else the rule or flag that says yes. */
static const char *agreed(const struct rb_run *run, const json_t *shown)
{
    if (allowed(run, shown)) {
        return "schedule";
    }
    if (consented_beforehand(run, shown)) {
        return "flag";
    }
    if (!risk_is(shown, "low")) {
        return NULL;
    }
    return !run->no_input || chosen_by_flag(run, shown) ? "risk" : NULL;
}

static json_t *question_of(struct rb_run *run, const json_t *shown)
{
    json_t *question = json_deep_copy(shown);
    json_object_set(question, "plan", run->plan.writes);
    json_object_set_new(question, "open", json_boolean(run->plan.open));
    if (risk_is(shown, "medium") || risk_is(shown, "low")) {
        json_object_set_new(question, "typed", json_null());
    }
    return question;
}

const json_t *rb_block_declared(const struct rb_run *run, const char *id)
{
    static const char *const lists_of[] = {"fixes", "steps"};
    for (size_t l = 0; l < 2; l++) {
        size_t i;
        json_t *block;
        json_array_foreach(json_object_get(run->meta, lists_of[l]), i, block) {
            if (!strcmp(rb_json_str(block, "id", ""), id)) {
                return block;
            }
        }
    }
    return NULL;
}

/* Which block and how dangerous is not the runner's to say: it is what was rehearsed, as it was declared. */
json_t *rb_plan_trusted(const struct rb_run *run, const json_t *given)
{
    const json_t *block = run->plan.id ? rb_block_declared(run, run->plan.id) : NULL;
    if (!block) {
        return NULL;
    }
    json_t *shown = json_deep_copy(given);
    json_object_set(shown, "fix", json_object_get(block, "id"));
    json_object_set_new(shown, "key", json_string(run->plan.key));
    json_object_set_new(shown, "risk", json_string(rb_json_str(block, "risk", "low")));
    return shown;
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
        decide(run, seq, shown, rb_json_str(run->recorded, "answer", "no"), rb_json_str(run->recorded, "how", ""));
        return;
    }
    int planned = run->only && !undo ? rb_plan_agrees(run, shown) : 0;
    if (planned < 0) {
        return;
    }
    const char *how = planned ? "plan" : undo ? NULL : agreed(run, shown);
    if (run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST) {
        decide(run, seq, shown, undo ? "no" : "yes", run->mode == RB_MODE_DRILL ? "drill" : "test");
    } else if (how) {
        decide(run, seq, shown, "yes", how);
    } else if (run->no_input || risk_is(shown, "critical")) {
        decide(run, seq, shown, "person", "no-input"); /* approvals by a second person come with their own verbs */
    } else {
        json_t *question = question_of(run, shown);
        ask_person(run, seq, "confirm", question);
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

/* ---- by hand, questions ---- */

static json_t *answer_given(const struct rb_run *run, const char *id, const char *field)
{
    char name[256];
    snprintf(name, sizeof name, field ? "%s.%s" : "%s", id, field);
    return json_object_get(run->answers, name);
}

/* All that is asked, from --answer; NULL when something is missing. */
static json_t *answers_beforehand(const struct rb_run *run, const json_t *args)
{
    const char *id = rb_json_str(args, "id", ""), *field;
    json_t *asks = json_object_get(args, "asks"), *question, *answers = json_object();
    if (!json_object_size(asks)) {
        if (answer_given(run, id, NULL)) {
            return answers;
        }
        json_decref(answers);
        return NULL;
    }
    json_object_foreach(asks, field, question) {
        json_t *value = answer_given(run, id, field);
        value = value ? value : json_object_get(question, "default");
        if (!value && rb_json_bool(question, "required", true)) {
            json_decref(answers);
            return NULL;
        }
        if (value) {
            json_object_set(answers, field, value);
        }
    }
    return answers;
}

void rb_consent_ask(struct rb_run *run, json_int_t seq, const json_t *args)
{
    json_t *answers = answers_beforehand(run, args);
    if (answers) {
        rb_run_input(run, run->frame, seq, "run.ask", json_pack("{s:o}", "answers", answers));
    } else if (run->no_input || run->mode != RB_MODE_EXEC) {
        rb_run_input(run, run->frame, seq, "run.ask", json_pack("{s:b}", "person", 1));
    } else {
        ask_person(run, seq, "ask", args);
    }
}

void rb_consent_go_on(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    bool yes = !run->no_input && run->mode == RB_MODE_EXEC;
    rb_run_input(run, run->frame, seq, "run.go_on", json_pack("{s:b}", "yes", yes));
}

/* ---- consent of an earlier life ---- */

#define RENEW (-1) /* as a question_seq: no frame waits, but calls */

static void renewed(struct rb_run *run, const json_t *shown, const char *word, const char *how)
{
    struct rb_err err = {0};
    struct rb_call *call;
    run->plan.renew = false;
    rb_record(run, "confirm.renewed",
              json_pack("{s:O*, s:O*, s:O*, s:s, s:s}", "fix", json_object_get(shown, "fix"), "key",
                        json_object_get(shown, "key"), "risk", json_object_get(shown, "risk"), "answer", word, "how", how));
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

/* What is left of the plan, from the write that waits on. */
static json_t *shown_again(const struct rb_run *run)
{
    json_t *shown = json_deep_copy(run->plan.shown), *left = json_array();
    for (size_t i = run->plan.done > 0 ? run->plan.done - 1 : 0; i < json_array_size(run->plan.writes); i++) {
        json_array_append(left, json_array_get(run->plan.writes, i));
    }
    json_object_set_new(shown, "writes", left);
    json_object_set_new(shown, "again", json_true());
    return shown;
}

static void wait_for_person(struct rb_run *run, const json_t *shown)
{
    char text[1024];
    snprintf(text, sizeof text, rb_text(RB_T_run_renew_needed), rb_json_str(shown, "block", ""),
             rb_json_str(shown, "fix", ""));
    rb_run_park(run, "waiting", 4, text);
    json_t *next = json_pack("[{s:o, s:O*}]", "argv", rb_next_resume(run, shown), "why", json_object_get(shown, "title"));
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
    const char *how = agreed(run, shown);
    if (how) {
        renewed(run, shown, "yes", how);
    } else if (run->no_input || risk_is(shown, "critical")) {
        wait_for_person(run, shown);
    } else {
        json_t *question = question_of(run, shown);
        json_object_set(question, "plan", json_object_get(shown, "writes"));
        ask_person(run, RENEW, "confirm", question);
        json_decref(question);
    }
    json_decref(shown);
}

/* ---- a person's answer ---- */

static void confirm_answered(struct rb_run *run, json_int_t seq, const json_t *question, const json_t *answer)
{
    const char *typed = rb_json_str(answer, "typed", "");
    const char *key = rb_json_str(question, "typed", NULL);
    bool yes = key ? !strcmp(typed, key) : !strcasecmp(typed, "y") || !strcasecmp(typed, "yes");
    if (seq == RENEW) {
        renewed(run, question, yes ? "yes" : "no", key ? "typed" : "prompt");
    } else {
        decide(run, seq, question, yes ? "yes" : "no", key ? "typed" : "prompt");
    }
}

void rb_consent_answered(struct rb_run *run, const json_t *answer)
{
    json_int_t seq = run->question_seq;
    json_t *question = run->question;
    run->question_seq = 0;
    run->question = NULL;
    snprintf(run->frame, sizeof run->frame, "%s", run->question_frame);
    if (!strcmp(run->question_kind, "confirm")) {
        confirm_answered(run, seq, question, answer);
    } else if (!strcmp(run->question_kind, "ask") && !json_object_get(answer, "answers")) {
        rb_run_input(run, run->frame, seq, "run.ask", json_pack("{s:b}", "person", 1));
    } else {
        const char *verb = !strcmp(run->question_kind, "ask") ? "run.ask" : "run.offer";
        rb_run_input(run, run->frame, seq, verb, json_deep_copy(answer));
    }
    run->frame[0] = '\0';
    json_decref(question);
}
