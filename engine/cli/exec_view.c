/* What a run shows while it goes. Two looks of one order: marks and columns when a person
 * watches, one "word id result" line each when a script does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/exec.h"

static const char *column(struct rb_cli *c, const char *text, int width)
{
    return rb_word_pad(c, text, width);
}

/* What was given on the command line; the defaults are in the record. */
static json_t *given_params(const json_t *body)
{
    json_t *given = json_object(), *name;
    size_t i;
    json_array_foreach(json_object_get(body, "given"), i, name) {
        const char *key = json_string_value(name);
        json_object_set(given, key, json_object_get(json_object_get(body, "params"), key));
    }
    return given;
}

static void run_started(struct rb_exec *e, const json_t *body)
{
    struct rb_cli *c = e->c;
    json_t *given = given_params(body);
    const char *params = rb_evidence_line(c, given);
    json_decref(given);
    const char *title = rb_word_text(c, json_object_get(body, "title"));
    const char *id = rb_word(c, rb_json_str(body, "runbook", "?")), *run = rb_word(c, rb_json_str(body, "run", ""));
    const char *severity = rb_word(c, rb_json_str(body, "severity", "-"));
    rb_put(c, RB_OUT, RB_BOLD, "%s", id);
    if (!e->interactive) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s  %s %s%s%s\n", severity, title, TX(run), run,
               params[0] != '\0' ? "  " : "", params);
        return;
    }
    const char *source = rb_word_text(c, json_object_get(body, "source"));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s\n", severity, title);
    if (source[0] != '\0') {
        rb_put(c, RB_OUT, RB_DIM, "%s %s    ", TX(show_source), source);
    }
    rb_put(c, RB_OUT, RB_DIM, "%s %s\n", TX(run), run);
    if (params[0] != '\0') {
        rb_put(c, RB_OUT, RB_DIM, "%s %s\n", TX(params), params);
    }
    rb_put(c, RB_OUT, RB_BOLD, "\n%s\n", TX(diagnosis_head));
}

static void check_started(struct rb_exec *e, const json_t *body)
{
    char text[1024];
    const char *title = rb_word_text(e->c, json_object_get(body, "title"));
    snprintf(text, sizeof text, "  %s  %s", rb_word(e->c, rb_json_str(body, "id", "?")), title);
    json_decref(e->title);
    e->title = json_deep_copy(json_object_get(body, "title"));
    rb_status(e->c, text);
}

static void check_ended(struct rb_exec *e, const json_t *body)
{
    struct rb_cli *c = e->c;
    const char *result = rb_json_str(body, "result", "?");
    bool failed = strcmp(result, "failed") == 0;
    if (e->round > 0 && !failed && !c->verbose) {
        return; /* looked again after a change: only what changed is news */
    }
    if (c->quiet && !failed) {
        return;
    }
    const char *text = rb_said_word(c, body);
    const char *id = rb_word(c, rb_json_str(body, "id", "?")), *ms = rb_word_ms(c, rb_json_int(body, "ms", 0));
    if (!e->interactive) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s %s  %s%s%s  %s\n", TX(check), id, rb_result_word(c, result),
               text[0] != '\0' ? "  " : "", text, ms);
        return;
    }
    const char *title = rb_word_text(c, e->title);
    const char *middle = text[0] != '\0' ? text : title;
    rb_put(c, RB_OUT, RB_PLAIN, "  ");
    rb_put_mark(c, RB_OUT, rb_result_mark(result));
    rb_put(c, RB_OUT, RB_PLAIN, "%s  %s", column(c, id, 18), column(c, middle, 40));
    rb_put(c, RB_OUT, RB_DIM, "  %s\n", ms);
}

/* ---- plans and blocks ---- */

static void put_promise(struct rb_cli *c, const json_t *plan)
{
    const char *no_undo = rb_word_text(c, json_object_get(plan, "no_undo"));
    if (no_undo[0] != '\0') {
        rb_put(c, RB_OUT, RB_WARN, "  %s  %s\n", TX(no_undo), no_undo);
    } else if (rb_json_bool(plan, "undo", false)) {
        rb_put(c, RB_OUT, RB_DIM, "  %s\n", TX(show_undo));
    }
    rb_put_block(c, RB_OUT, 0, json_object_get(plan, "confirm"));
}

void rb_exec_plan(struct rb_exec *e, const json_t *plan, const json_t *writes)
{
    struct rb_cli *c = e->c;
    char name[1024];
    const char *fix = rb_json_str(plan, "fix", rb_json_str(plan, "id", "?")),
               *key = rb_json_str(plan, "typed", rb_json_str(plan, "key", ""));
    size_t i;
    json_t *write;
    bool undo = strcmp(rb_json_str(plan, "phase", ""), "undo") == 0;
    bool keyed = key[0] != '\0' && strcmp(key, fix) != 0; /* what a step is typed by is its own name */
    snprintf(name, sizeof name, "%s%s%s", fix, keyed ? "=" : "", keyed ? key : "");
    if (e->plan_shown != NULL && strcmp(e->plan_shown, name) == 0) {
        return;
    }
    free(e->plan_shown);
    e->plan_shown = rb_xstrdup(name);
    rb_status(c, NULL);
    rb_put(c, RB_OUT, RB_BOLD, "%s%s", e->interactive ? "\n" : "",
           e->dry_run ? TX(would)
           : undo     ? TX(will_undo)
                      : TX(will));
    rb_put(c, RB_OUT, RB_PLAIN, " %s  %s  %s %s\n", rb_word(c, name), rb_word_text(c, json_object_get(plan, "title")),
           TX(risk), rb_risk_word(c, rb_json_str(plan, "risk", "low")));
    json_array_foreach((json_t *)writes, i, write) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", rb_effect_line(c, write));
    }
    if (rb_json_bool(plan, "open", false)) {
        rb_put(c, RB_OUT, RB_DIM, "  %s\n", TX(plan_open));
    } else if (json_array_size(writes) == 0) {
        rb_put(c, RB_OUT, RB_DIM, "  %s\n", TX(plan_empty));
    }
    if (!undo) {
        put_promise(c, plan);
    }
}

/* What was shown and then not done must not look done. */
static void answered(struct rb_exec *e, const json_t *body)
{
    if (strcmp(rb_json_str(body, "answer", ""), "person") == 0 && !e->interactive) {
        rb_put(e->c, RB_OUT, RB_WARN, "  %s\n", TX(not_agreed));
    }
}

static const char *phase_word(struct rb_cli *c, const char *phase)
{
    return strcmp(phase, "fix") == 0 || strcmp(phase, "step") == 0 ? TX(ph_run)
           : strcmp(phase, "verify") == 0                          ? TX(ph_verify)
           : strcmp(phase, "undo") == 0                            ? TX(ph_undo)
           : strcmp(phase, "inject") == 0                          ? TX(ph_inject)
           : strcmp(phase, "guard") == 0                           ? TX(ph_guard)
                                                                   : rb_word(c, phase);
}

static void block_started(struct rb_exec *e, const json_t *body)
{
    char text[1024];
    snprintf(text, sizeof text, "  %s  %s", phase_word(e->c, rb_json_str(body, "phase", "")), rb_exec_name(e, body));
    rb_status(e->c, text);
}

static void block_ended(struct rb_exec *e, const json_t *body)
{
    struct rb_cli *c = e->c;
    const char *result = rb_json_str(body, "result", "?"), *phase = rb_json_str(body, "phase", "");
    bool bad = rb_result_mark(result) == RB_BAD;
    if ((strcmp(phase, "guard") == 0 && !bad) || (c->quiet && !bad) || rb_json_bool(body, "rehearse", false)) {
        return;
    }
    const char *text = rb_said_word(c, body);
    const char *ms = rb_word_ms(c, rb_json_int(body, "ms", 0));
    if (!e->interactive) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s %s  %s%s%s  %s\n", rb_word(c, phase), rb_exec_name(e, body),
               rb_result_word(c, result), text[0] != '\0' ? "  " : "", text, ms);
        return;
    }
    rb_put(c, RB_OUT, RB_PLAIN, "  ");
    rb_put_mark(c, RB_OUT, rb_result_mark(result));
    rb_put(c, RB_OUT, RB_PLAIN, "%s  %s  %s%s%s", column(c, phase_word(c, phase), 6),
           column(c, rb_exec_name(e, body), 24), rb_result_word(c, result), text[0] != '\0' ? "  " : "", text);
    rb_put(c, RB_OUT, RB_DIM, "  %s\n", ms);
}

static void put_remarks(struct rb_exec *e, const json_t *body)
{
    size_t i;
    json_t *remark;
    json_array_foreach(json_object_get(body, "remarks"), i, remark) {
        if (e->round == 0 || e->c->verbose) {
            rb_put(e->c, RB_ERR, RB_DIM, "    %s: %s: %s\n", rb_word(e->c, rb_json_str(body, "verb", "")),
                   rb_word(e->c, rb_json_str(remark, "kind", "")), rb_word(e->c, rb_json_str(remark, "text", "")));
        }
    }
}

static void call_outcome(struct rb_exec *e, const json_t *body)
{
    struct rb_cli *c = e->c;
    bool ok = rb_json_bool(body, "ok", true), write = strcmp(rb_json_str(body, "effect", ""), "write") == 0;
    put_remarks(e, body);
    if (!write) {
        return;
    }
    const char *text = rb_effect_line(c, body);
    if (ok) {
        json_array_append_new(e->done, json_string(text));
    }
    if (!c->quiet) {
        rb_status(c, NULL);
        rb_put(c, RB_OUT, RB_PLAIN, "    ");
        rb_put_mark(c, RB_OUT, ok ? RB_GOOD : RB_BAD);
        rb_put(c, RB_OUT, RB_PLAIN, "%s  %s", text, rb_error_word(c, json_object_get(body, "error")));
        rb_put(c, RB_OUT, RB_DIM, "  %s\n", rb_word_ms(c, rb_json_int(body, "ms", 0)));
    }
}

static void run_resumed(struct rb_exec *e, const json_t *body)
{
    run_started(e, body);
    rb_put(e->c, RB_OUT, RB_DIM, "%s\n", TX(resumed));
}

/* The line that takes up the run before this one. */
static void run_interrupted(struct rb_exec *e, const json_t *body)
{
    json_t *argv = rb_cli_repeat(e->c);
    json_array_append_new(argv, json_string("resume"));
    json_array_append(argv, json_object_get(body, "run"));
    rb_put(e->c, RB_ERR, RB_WARN, TX(interrupted_before), rb_word(e->c, rb_json_str(body, "run", "?")),
           rb_word(e->c, rb_json_str(body, "step", "?")));
    rb_put(e->c, RB_ERR, RB_PLAIN, "  %s\n", rb_word_argv(e->c, argv));
    json_decref(argv);
}

/* Of a dry run: what nothing can be shown of. */
static void put_state(struct rb_exec *e, const json_t *body, const char *state)
{
    struct rb_cli *c = e->c;
    const char *key = rb_json_str(body, "key", ""), *because = rb_error_word(c, json_object_get(body, "because"));
    rb_put(c, RB_OUT, strcmp(state, "no_change") == 0 ? RB_DIM : RB_WARN, "%s", rb_plan_word(state));
    rb_put(c, RB_OUT, RB_PLAIN, " %s%s%s%s%s\n", rb_word(c, rb_json_str(body, "fix", "?")), key[0] != '\0' ? "=" : "",
           rb_word(c, key), because[0] != '\0' ? "  " : "", because);
}

static void plan(struct rb_exec *e, const json_t *body)
{
    const char *state = rb_json_str(body, "state", "will_change");
    const json_t *writes = json_object_get(body, "writes");
    if (strcmp(state, "will_change") != 0) {
        put_state(e, body, state);
    }
    if (strcmp(state, "will_change") == 0 || json_array_size(writes) > 0) {
        rb_exec_plan(e, body, writes);
    }
}

/* Whoever waits must know for whom, and how they answer. */
static void approval_asked(struct rb_exec *e, const json_t *body)
{
    struct rb_cli *c = e->c;
    const char *id = rb_word(c, rb_json_str(body, "id", "?")), *outside = rb_json_str(body, "outside", NULL);
    if (outside != NULL) {
        rb_put(c, RB_OUT, RB_WARN, TX_TRUST(outside), rb_word(c, outside));
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
    rb_put(c, RB_OUT, RB_WARN, TX_TRUST(asked_view), id, (int)rb_json_int(body, "left", 1),
           rb_word_time(c, rb_json_int(body, "expires", 0)), id);
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
}

static void undo_started(struct rb_exec *e, const json_t *body)
{
    rb_put(e->c, RB_OUT, RB_BOLD, "%s %s\n", TX_TRUST(undone_by), rb_word(e->c, rb_json_str(body, "undoes", "?")));
}

/* What was done shows its own lines; what was not says why. */
static void undo_ended(struct rb_exec *e, const json_t *body)
{
    struct rb_cli *c = e->c;
    const char *result = rb_json_str(body, "result", "?"), *why = rb_error_word(c, json_object_get(body, "why"));
    if (strcmp(result, "done") != 0) {
        rb_put(c, RB_OUT, RB_WARN, "%s %s  %s%s%s\n", TX(ph_undo), rb_exec_name(e, body),
               strcmp(result, "no_undo") == 0 ? TX(show_no_undo) : rb_result_word(c, result),
               why[0] != '\0' ? "  " : "", why);
    }
}

/* The dry run as a whole: how it is applied is the next command. */
static void plan_made(struct rb_exec *e, const json_t *body)
{
    size_t i, acts = 0;
    json_t *item;
    json_array_foreach(json_object_get(body, "items"), i, item) {
        acts += json_array_size(json_object_get(item, "writes")) > 0;
    }
    rb_put(e->c, RB_OUT, RB_BOLD, acts > 0 ? TX_TRUST(plan_line) : TX_TRUST(plan_nothing),
           rb_word(e->c, rb_json_str(body, "plan", "?")));
    rb_put(e->c, RB_OUT, RB_PLAIN, "\n");
}

static void note(struct rb_exec *e, const json_t *body)
{
    rb_put(e->c, RB_OUT, RB_PLAIN, "  %s\n", rb_word_text(e->c, json_object_get(body, "text")));
}

static void attachment(struct rb_exec *e, const json_t *body)
{
    rb_put(e->c, RB_OUT, RB_DIM, "  %s %s\n", TX(attached), rb_word(e->c, rb_json_str(body, "name", "?")));
}

void rb_exec_event(void *user, const char *kind, const json_t *body)
{
    static const struct {
        const char *kind;
        void (*show)(struct rb_exec *e, const json_t *body);
        bool quiet; /* -q leaves it out */
    } rules[] = {
        {"run.started", run_started, true},
        {"check.started", check_started, true},
        {"check.ended", check_ended, false},
        {"finding", rb_exec_found, false},
        {"diagnosis", rb_exec_diagnosis, false},
        {"plan", plan, true},
        {"block.started", block_started, true},
        {"block.ended", block_ended, false},
        {"confirm.answered", answered, true},
        {"call.outcome", call_outcome, false},
        {"note", note, true},
        {"attachment", attachment, true},
        {"run.resumed", run_resumed, true},
        {"run.interrupted", run_interrupted, false},
        {"plan.made", plan_made, false},
        {"approval.asked", approval_asked, false},
        {"escalated", rb_exec_escalated, false},
        {"undo.started", undo_started, false},
        {"undo.ended", undo_ended, false},
    };
    struct rb_exec *e = user;
    e->begun = e->begun || strcmp(kind, "run.started") == 0 || strcmp(kind, "run.resumed") == 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].kind, kind) == 0 && !(rules[i].quiet && e->c->quiet)) {
            if (strcmp(kind, "finding") != 0 && strstr(kind, ".started") == NULL) {
                rb_status(e->c, NULL);
            }
            size_t mark = rb_word_mark(e->c);
            rules[i].show(e, body);
            rb_word_release(e->c, mark);
            return;
        }
    }
}
