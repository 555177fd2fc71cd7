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

/* The requester's own word. For critical it is the id of what was shown. */
static bool consented_beforehand(const struct rb_run *run, const json_t *shown)
{
    const char *risk = rb_json_str(shown, "risk", "low");
    if (!strcmp(risk, "critical")) {
        return lists(run->confirm, rb_json_str(shown, "plan", "?"));
    }
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
    bool chosen = run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST || run->only || run->wait || json_array_size(run->fixes);
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

static void decide(struct rb_run *run, json_int_t seq, const json_t *shown, const char *answer, const char *how)
{
    run->plan.consented = !strcmp(answer, "yes");
    json_t *body = json_pack("{s:O*, s:O*, s:O*, s:s, s:s, s:O*}", "fix", json_object_get(shown, "fix"), "key",
                             json_object_get(shown, "key"), "risk", json_object_get(shown, "risk"), "answer", answer,
                             "how", how, "approval", json_object_get(shown, "approval"));
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
                        json_object_get(shown, "key"), "risk", json_object_get(shown, "risk"), "answer", word, "how", how,
                        "approval", json_object_get(shown, "approval")));
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

/* ---- other people ---- */

static void answered(struct rb_run *run, json_int_t seq, const json_t *shown, const char *answer, const char *how)
{
    if (seq == RENEW) {
        renewed(run, shown, answer, how);
    } else {
        decide(run, seq, shown, answer, how);
    }
}

/* What was said beforehand, for whoever goes on with the run. */
static json_t *words_of(const struct rb_run *run)
{
    return json_pack("{s:b, s:b, s:i, s:O, s:O, s:O, s:s*}", "yes", run->yes, "wait", 1, "allow", run->allow, "confirm",
                     run->confirm, "fixes", run->fixes, "answers", run->answers, "reason", run->reason);
}

/* Nothing of the run is left but its record; an answer lets it go on, in whatever process. */
static void park(struct rb_run *run, const char *what, const json_t *shown, enum rb_text_id text)
{
    char why[1024];
    struct rb_err err = {0};
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
    if (rb_record_flush(run, &err) < 0) {
        rb_run_fail(run, "failed", RB_EXIT_JOURNAL, err.text);
        return;
    }
    rb_run_park(run, "waiting", 4, why);
    if (run->failure) {
        json_t *next = json_pack("[{s:o, s:O*}]", "argv", rb_next_resume(run, shown), "why", json_object_get(shown, "title"));
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
    static const char *const kept[] = {"block", "fix", "key", "for", "risk", "plan", "digest", "why", "no_undo", "undo", "phase", NULL};
    json_t *writes = json_object_get(shown, "writes");
    json_t *body = json_pack("{s:O, s:O, s:O*, s:s, s:s*, s:i, s:O, s:b, s:o, s:I, s:O*}", "runbook",
                             json_object_get(run->file, "id"), "title", json_object_get(run->meta, "title"), "what",
                             json_object_get(shown, "title"), "target", run->target, "reason", run->reason, "needed",
                             demand->others, "writes", writes ? writes : run->plan.writes, "open", run->plan.open,
                             "requesters", requesters_of(run), "expires",
                             (json_int_t)(rb_clock_utc_us() + (int64_t)(demand->seconds * 1e6)), "roles", demand->roles);
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
        park(run, "approval", shown, RB_T_trust_parked);
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
    int rc = rb_journal_read(run->engine.journal, run->id, rb_json_int(approval, "used_event", 0), find_intent, &found, NULL);
    return rc < 0 || found;
}

static void refused_by_others(struct rb_run *run, const json_t *approval, const char *state)
{
    char text[1024];
    const json_t *answers = json_object_get(approval, "answers"), *last = json_array_get(answers, json_array_size(answers) - 1);
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
        answered(run, seq, shown, "yes", "approval");
    } else {
        rb_run_fail(run, rc == RB_EJOURNAL ? "failed" : "rejected", rc == RB_EJOURNAL ? RB_EXIT_JOURNAL : 4, err.text);
    }
}

/* The requester agreed; others must too. */
static void others(struct rb_run *run, json_int_t seq, json_t *shown, const struct rb_demand *demand)
{
    struct rb_err err = {0};
    json_t *approval = rb_approval_of_run(run->engine.journal, run->id, rb_json_str(shown, "digest", "?"), &err);
    const char *state = rb_json_str(approval, "state", "");
    if (err.code) {
        rb_run_fail(run, "failed", RB_EXIT_JOURNAL, err.text);
    } else if (!approval || (!strcmp(state, "used") && consumed(run, approval))) {
        ask_others(run, shown, demand);
    } else if (!strcmp(state, "granted") || !strcmp(state, "used")) {
        take_approval(run, seq, shown, approval);
    } else if (!strcmp(state, "waiting")) {
        tell_asked(run, approval);
        json_object_set(shown, "approval", json_object_get(approval, "id"));
        json_object_set(shown, "expires", json_object_get(approval, "expires"));
        park(run, "approval", shown, RB_T_trust_parked);
    } else {
        refused_by_others(run, approval, state);
    }
    json_decref(approval);
}

/* The requester's own word is there: by a flag, a rule, a plan, or typed. What else is needed is decided here, for all of them. */
static void consented(struct rb_run *run, json_int_t seq, json_t *shown, const char *how)
{
    char text[512];
    struct rb_demand demand = rb_policy_demand(run, shown);
    if ((demand.reason || demand.alone) && !run->reason) {
        snprintf(text, sizeof text, rb_text(demand.reason ? RB_T_trust_reason_policy : RB_T_trust_reason_alone),
                 demand.reason ? demand.reason : rb_json_str(shown, "fix", ""));
        rb_run_fail(run, "denied", 5, text);
    } else if (demand.others && !run->wait && run->no_input && seq != RENEW) {
        answered(run, seq, shown, "person", "no-input");
    } else if (demand.others) {
        run->wait = true; /* asking others is waiting for them */
        others(run, seq, shown, &demand);
    } else {
        answered(run, seq, shown, "yes", demand.alone ? "single" : how);
    }
}

/* NULL when the requester must still say; else what says it. planned: the plan that is applied holds it. */
static const char *word_of(const struct rb_run *run, const json_t *shown, int planned)
{
    bool undo = !strcmp(rb_json_str(shown, "phase", ""), "undo");
    if (planned) {
        return "plan";
    }
    if (undo && !json_object_get(shown, "again")) { /* after a failure: never by what was said before it */
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
        decide(run, seq, shown, rb_json_str(run->recorded, "answer", "no"), rb_json_str(run->recorded, "how", ""));
        return;
    }
    int planned = run->only && !undo ? rb_plan_agrees(run, shown) : 0;
    if (planned < 0) {
        return;
    }
    const char *how = word_of(run, shown, planned);
    if (run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST) {
        decide(run, seq, shown, undo ? "no" : "yes", run->mode == RB_MODE_DRILL ? "drill" : "test");
    } else if (run->mode == RB_MODE_DRY_RUN || run->mode == RB_MODE_DIAGNOSE) {
        decide(run, seq, shown, "no", "dry-run"); /* whatever a runner asks for */
    } else if (how) {
        consented(run, seq, shown, how);
    } else if (run->wait && run->no_input && !undo) {
        park(run, "confirm", shown, RB_T_trust_parked_confirm);
    } else if (run->no_input) {
        decide(run, seq, shown, "person", "no-input");
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
    } else if (run->wait && run->no_input && run->mode == RB_MODE_EXEC) {
        park(run, "ask", args, RB_T_trust_parked_ask);
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
    const char *how = word_of(run, shown, 0);
    if (how) {
        consented(run, RENEW, shown, how);
    } else if (run->no_input) {
        wait_for_person(run, shown);
    } else {
        json_t *question = question_of(run, shown);
        ask_person(run, RENEW, "confirm", question);
        json_decref(question);
    }
    json_decref(shown);
}

/* ---- a person's answer ---- */

static void confirm_answered(struct rb_run *run, json_int_t seq, json_t *question, const json_t *answer)
{
    const char *typed = rb_json_str(answer, "typed", "");
    const char *key = rb_json_str(question, "typed", NULL), *how = key ? "typed" : "prompt";
    bool yes = key ? !strcmp(typed, key) : !strcasecmp(typed, "y") || !strcasecmp(typed, "yes");
    if (yes) {
        consented(run, seq, question, how);
    } else {
        answered(run, seq, question, "no", how);
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
