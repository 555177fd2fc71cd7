/* What is chosen and what is answered: by flags, by rules, or by a person. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void rb_consent_person(struct rb_run *run, json_int_t seq, const char *kind, const json_t *question)
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

static bool typed_beforehand(const struct rb_run *run, const json_t *shown)
{
    return rb_json_lists(run->confirm, rb_json_str(shown, "typed", ""));
}

/* "--fix ID" or "--fix ID=KEY"; KEY is the instance's key or the word that is typed for it. */
bool rb_consent_chosen(const struct rb_run *run, const json_t *offer)
{
    char with[512];
    const char *fix = rb_json_str(offer, "fix", "");
    if (rb_json_lists(run->fixes, fix)) {
        return true;
    }
    snprintf(with, sizeof with, "%s=%s", fix, rb_json_str(offer, "key", ""));
    if (rb_json_lists(run->fixes, with)) {
        return true;
    }
    snprintf(with, sizeof with, "%s=%s", fix, rb_json_str(offer, "typed", ""));
    return rb_json_lists(run->fixes, with);
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
bool rb_consent_allowed(const struct rb_run *run, const json_t *shown)
{
    int rank = rb_risk_rank(rb_json_str(shown, "risk", "low"));
    return rank <= run->allow && rank <= 1;
}

/* The requester's own word. For critical it is the id of what was shown. */
bool rb_consent_beforehand(const struct rb_run *run, const json_t *shown)
{
    const char *risk = rb_json_str(shown, "risk", "low");
    if (!strcmp(risk, "critical")) {
        return rb_json_lists(run->confirm, rb_json_str(shown, "plan", "?"));
    }
    if (rb_consent_allowed(run, shown)) {
        return true;
    }
    if (!strcmp(risk, "low") || !strcmp(risk, "medium")) {
        return run->yes;
    }
    return !strcmp(risk, "high") && typed_beforehand(run, shown);
}

static const json_t *drill_of(const struct rb_run *run)
{
    return rb_json_find(json_object_get(run->meta, "drills"), "id", run->drill);
}

static bool drill_repairs(const struct rb_run *run, const char *fix)
{
    return rb_json_lists(json_object_get(drill_of(run), "repair"), fix);
}

/* Does the drill that runs agree to taking back what was done? */
bool rb_consent_drill_undoes(const struct rb_run *run)
{
    return run->mode == RB_MODE_DRILL && rb_json_bool(drill_of(run), "undo", false);
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
        return rb_consent_chosen(run, offer);
    }
    return !rb_json_bool(offer, "asked", false);
}

/* Is it the same fix, and if so with the key that one ("ID=KEY") names? */
static bool names_fix(const json_t *offer, const char *one)
{
    const char *fix = rb_json_str(offer, "fix", "");
    size_t len = strlen(fix);
    return !strncmp(one, fix, len) && (!one[len] || one[len] == '=');
}

static bool names_offer(const json_t *offer, const char *one)
{
    const char *key = one + strlen(rb_json_str(offer, "fix", ""));
    return !*key || !strcmp(key + 1, rb_json_str(offer, "key", "")) ||
           !strcmp(key + 1, rb_json_str(offer, "typed", ""));
}

static void no_such_key(struct rb_run *run, const json_t *offers, const char *one)
{
    struct rb_err err = {0};
    char text[sizeof err.text + sizeof err.hint + 4];
    struct rb_buf there;
    size_t i;
    json_t *offer;
    rb_buf_init(&there, sizeof err.hint - 32);
    json_array_foreach(offers, i, offer) {
        if (names_fix(offer, one)) { /* the first are enough */
            (void)rb_buf_addf(&there, "%s%s=%s", there.len ? ", " : "", rb_json_str(offer, "fix", ""),
                              rb_json_str(offer, "typed", ""));
        }
    }
    rb_err_set(&err, RB_EUSAGE, RB_T_run_no_key, one);
    rb_err_hint(&err, RB_T_run_no_key_hint, rb_buf_str(&there));
    snprintf(text, sizeof text, "%s; %s", err.text, err.hint);
    run->misnamed = rb_xstrdup(text);
    rb_buf_deinit(&there);
}

/* Which of "--fix ID=KEY" are there now? One that is offered with other keys only is a slip of the pen, or was
 * overtaken: nothing more is done then. One that is not offered yet may be later. */
static bool misnamed(struct rb_run *run, const json_t *offers)
{
    size_t i, k;
    json_t *one, *offer;
    run->named = run->named ? run->named : json_array();
    json_array_foreach(run->fixes, i, one) {
        const char *word = json_is_string(one) ? json_string_value(one) : "";
        bool offered = false, named = rb_json_lists(run->named, word);
        json_array_foreach(offers, k, offer) {
            bool same = names_fix(offer, word), here = same && names_offer(offer, word);
            offered = offered || same;
            named = named || here;
        }
        if (named && !rb_json_lists(run->named, word)) {
            json_array_append(run->named, one);
        }
        if (offered && !named && !run->misnamed && !run->archive) { /* in a run that goes on it may be done already */
            no_such_key(run, offers, word);
        }
    }
    return run->misnamed != NULL;
}

void rb_consent_unused(struct rb_run *run)
{
    char text[1024];
    size_t i;
    json_t *one;
    json_array_foreach(run->fixes, i, one) {
        const char *word = json_is_string(one) ? json_string_value(one) : "";
        bool unused = run->named && !rb_json_lists(run->named, word);
        if (unused && !run->misnamed && !run->archive && run->allow < 0) { /* a schedule names what it may do */
            snprintf(text, sizeof text, rb_text(RB_T_run_not_offered), word);
            run->misnamed = rb_xstrdup(text);
        }
    }
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
    bool chosen = run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST || run->only || run->wait ||
                  json_array_size(run->fixes);
    json_array_foreach(offers, i, offer) {
        if (wanted(run, offer)) {
            return chosen || rb_consent_beforehand(run, offer) ? offer : NULL;
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
    bool wrong = misnamed(run, offers);
    const json_t *offer = run->mode == RB_MODE_DRY_RUN || wrong ? NULL : pick(run, offers);
    bool calm = rb_json_bool(args, "calm", false); /* nothing stands: only what was named beforehand is done */
    if (run->mode == RB_MODE_DRY_RUN) {
        rb_run_input(run, run->frame, seq, "run.offer",
                     wrong ? json_pack("{s:[], s:b}", "wanted", "narrow", 1) : all_wanted(run, offers));
    } else if (offer) {
        rb_run_input(run, run->frame, seq, "run.offer", choice(offer));
    } else if (!calm && !run->no_input && run->mode == RB_MODE_EXEC && !json_array_size(run->fixes) && !run->only) {
        rb_consent_person(run, seq, "choose", args);
    } else {
        rb_run_input(run, run->frame, seq, "run.offer", json_object());
    }
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
    bool again = json_object_get(args, "not_yet"); /* what was answered beforehand did not hold */
    json_t *answers = again ? NULL : answers_beforehand(run, args);
    if (answers) {
        rb_run_input(run, run->frame, seq, "run.ask", json_pack("{s:o}", "answers", answers));
    } else if (run->wait && run->no_input && run->mode == RB_MODE_EXEC && !again) {
        rb_consent_park(run, "ask", args, RB_T_trust_parked_ask);
    } else if (run->no_input || run->mode != RB_MODE_EXEC) {
        rb_run_input(run, run->frame, seq, "run.ask", json_pack("{s:b}", "person", 1));
    } else {
        rb_consent_person(run, seq, "ask", args);
    }
}

void rb_consent_go_on(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    bool yes = !run->no_input && run->mode == RB_MODE_EXEC;
    rb_run_input(run, run->frame, seq, "run.go_on", json_pack("{s:b}", "yes", yes));
}

/* ---- a guided run ---- */

void rb_consent_pace(struct rb_run *run, json_int_t seq, const json_t *args)
{
    if (run->no_input) {
        rb_run_leave(run); /* nothing runs that nobody asked for */
    } else {
        rb_consent_person(run, seq, "pace", args);
    }
}

void rb_consent_begin(struct rb_run *run, json_int_t seq, const json_t *question)
{
    if (run->no_input) {
        rb_run_leave(run);
    } else {
        rb_consent_person(run, seq, "begin", question);
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
        rb_confirm_answered(run, seq, question, answer);
    } else if (!strcmp(run->question_kind, "begin")) {
        rb_declared_answer(run, seq, answer);
    } else if (!strcmp(run->question_kind, "ask") && !json_object_get(answer, "answers")) {
        rb_run_input(run, run->frame, seq, "run.ask", json_pack("{s:b}", "person", 1));
    } else {
        const char *kind = run->question_kind;
        const char *verb = !strcmp(kind, "ask") ? "run.ask" : !strcmp(kind, "pace") ? "run.pace" : "run.offer";
        rb_run_input(run, run->frame, seq, verb, json_deep_copy(answer));
    }
    run->frame[0] = '\0';
    json_decref(question);
}
