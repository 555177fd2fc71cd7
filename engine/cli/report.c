/* A runbook.run/1 object for people: in a terminal, and as Markdown for a ticket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/commands.h"

#define EVIDENCE_MAX 300

static const struct {
    const char *result;
    enum rb_text_id word;
    enum rb_style style;
} results[] = {
    {"healthy", RB_T_cli_r_healthy, RB_GOOD},
    {"found", RB_T_cli_r_found, RB_WARN},
    {"fixed", RB_T_cli_r_fixed, RB_GOOD},
    {"done", RB_T_cli_r_done, RB_GOOD},
    {"failed", RB_T_cli_r_failed, RB_BAD},
    {"unknown", RB_T_cli_r_unknown, RB_BAD},
    {"waiting", RB_T_cli_r_waiting, RB_WARN},
    {"rejected", RB_T_cli_r_rejected, RB_BAD},
    {"aborted", RB_T_cli_r_aborted, RB_WARN},
    {"timed_out", RB_T_cli_r_timed_out, RB_BAD},
    {"denied", RB_T_cli_r_denied, RB_BAD},
    {"busy", RB_T_cli_r_busy, RB_WARN},
    {"running", RB_T_cli_r_running, RB_PLAIN},
    {"interrupted", RB_T_cli_r_interrupted, RB_BAD},
    {"ok", RB_T_cli_r_ok, RB_GOOD},
    {"skipped", RB_T_cli_r_skipped, RB_DIM},
    {"refused", RB_T_cli_r_refused, RB_BAD},
    {"passed", RB_T_cli_r_passed, RB_GOOD},
    {"not_verified", RB_T_cli_r_not_verified, RB_BAD},
    {"declined", RB_T_cli_r_declined, RB_WARN},
    {"not_yet", RB_T_cli_r_not_verified, RB_WARN},
    {"person", RB_T_cli_r_person, RB_WARN},
    {"not_needed", RB_T_cli_r_not_needed, RB_DIM},
};

const char *rb_result_word(struct rb_cli *c, const char *result)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (strcmp(results[i].result, result) == 0) {
            return rb_text(results[i].word);
        }
    }
    return rb_word(c, result);
}

enum rb_style rb_result_style(const char *result)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (strcmp(results[i].result, result) == 0) {
            return results[i].style;
        }
    }
    return RB_PLAIN;
}

enum rb_style rb_result_mark(const char *result)
{
    enum rb_style style = rb_result_style(result);
    return style == RB_GOOD || style == RB_BAD ? style : RB_WARN;
}

/* An error is a text, {zh, en}, or {code, message}. */
const char *rb_error_word(struct rb_cli *c, const json_t *error)
{
    if (error == NULL || json_is_null(error)) {
        return "";
    }
    const char *message = rb_json_str(error, "message", NULL);
    if (message != NULL) {
        return rb_word(c, message);
    }
    const char *text = rb_text_json(error);
    return text[0] != '\0' ? rb_word(c, text) : rb_word_json(c, error, EVIDENCE_MAX);
}

/* Where a mistake of the runbook is, its author must know; where a target failed, nobody asks. */
const char *rb_said_word(struct rb_cli *c, const json_t *body)
{
    char text[2048];
    const char *error = rb_error_word(c, json_object_get(body, "error")), *at = rb_json_str(body, "at", "");
    bool ours = c->verbose || rb_option_listed("lua forbidden", rb_json_str(body, "code", ""));
    if (error[0] == '\0') {
        return rb_word_text(c, json_object_get(body, "text"));
    }
    if (at[0] == '\0' || !ours) {
        return error;
    }
    snprintf(text, sizeof text, "%s  (%s)", error, at);
    return rb_word(c, text);
}

const char *rb_risk_word(struct rb_cli *c, const char *risk)
{
    return strcmp(risk, "low") == 0        ? TX(risk_low)
           : strcmp(risk, "medium") == 0   ? TX(risk_medium)
           : strcmp(risk, "high") == 0     ? TX(risk_high)
           : strcmp(risk, "critical") == 0 ? TX(risk_critical)
                                           : rb_word(c, risk);
}

const char *rb_plan_word(const char *state)
{
    return strcmp(state, "no_change") == 0     ? TX_TRUST(no_change)
           : strcmp(state, "will_change") == 0 ? TX_TRUST(will_change)
           : strcmp(state, "by_hand") == 0     ? TX_TRUST(by_hand)
                                               : TX_TRUST(unknown_here);
}

const char *rb_effect_line(struct rb_cli *c, const json_t *effect)
{
    struct rb_buf b;
    const char *verb = rb_json_str(effect, "verb", ""), *text = rb_json_str(effect, "text", "");
    bool named = strncmp(text, verb, strlen(verb)) == 0;
    rb_buf_init(&b, 1u << 20);
    rb_buf_addf(&b, "%s%s%s", named ? "" : verb, named ? "" : "  ", text);
    const char *line = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return line;
}

/* By key: Lua's tables have no order of their own, and two runs should look alike. New reference. */
static json_t *sorted(const json_t *object)
{
    char *text = object != NULL ? rb_json_canonical(object) : NULL;
    json_t *copy = text != NULL ? rb_json_parse(text, strlen(text), NULL) : NULL;
    free(text);
    return copy != NULL ? copy : json_object();
}

void rb_put_evidence(struct rb_cli *c, const json_t *evidence, int indent)
{
    const char *key;
    json_t *value, *fields = sorted(evidence);
    int width = 0;
    json_object_foreach(fields, key, value) {
        int w = rb_utf8_width(rb_word(c, key));
        width = w > width ? w : width;
    }
    json_object_foreach(fields, key, value) {
        rb_put(c, RB_OUT, RB_DIM, "%*s%s", indent, "", rb_word_pad(c, rb_word(c, key), width));
        rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", rb_word_json(c, value, EVIDENCE_MAX));
    }
    json_decref(fields);
}

const char *rb_evidence_line(struct rb_cli *c, const json_t *evidence)
{
    struct rb_buf b;
    const char *key;
    json_t *value, *fields = sorted(evidence);
    rb_buf_init(&b, 1u << 16);
    json_object_foreach(fields, key, value) {
        rb_buf_addf(&b, "%s%s=%s", b.len > 0 ? " " : "", key, rb_word_json(c, value, EVIDENCE_MAX));
    }
    const char *line = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    json_decref(fields);
    return line;
}

/* ---- text ---- */

static void put_head(struct rb_cli *c, const json_t *run)
{
    int64_t started;
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_word(c, rb_json_str(run, "runbook", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s\n", rb_word(c, rb_json_str(run, "severity", "-")),
           rb_word_text(c, json_object_get(run, "title")));
    rb_put(c, RB_OUT, RB_DIM, TX(run_line), rb_word(c, rb_json_str(run, "run", "?")),
           rb_clock_parse(rb_json_str(run, "started", ""), &started) == 0 ? rb_word_time(c, started) : "?",
           rb_actor_word(c, json_object_get(run, "actor")), rb_word(c, rb_json_str(run, "mode", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
    if (json_object_size(json_object_get(run, "params")) > 0) {
        rb_put(c, RB_OUT, RB_DIM, "%s  %s\n", TX(params), rb_evidence_line(c, json_object_get(run, "params")));
    }
}

static void put_finding(struct rb_cli *c, const json_t *f, int indent)
{
    bool stands = strcmp(rb_json_str(f, "state", ""), "cleared") != 0;
    const char *key = rb_json_str(f, "key", "");
    rb_put(c, RB_OUT, RB_PLAIN, "%*s", indent, "");
    rb_put_mark(c, RB_OUT, stands ? RB_WARN : RB_GOOD);
    rb_put(c, RB_OUT, RB_BOLD, "%s%s%s", rb_word(c, rb_json_str(f, "id", "?")), key[0] != '\0' ? " " : "",
           rb_word(c, key));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s  (%s)\n", rb_word_text(c, json_object_get(f, "title")),
           rb_word(c, rb_json_str(f, "severity", "")), stands ? TX(stands) : TX(cleared));
    rb_put_evidence(c, json_object_get(f, "evidence"), indent + 4);
}

static void put_part(struct rb_cli *c, const char *label, const json_t *part)
{
    const char *result = rb_json_str(part, "result", "?");
    const char *said = rb_said_word(c, part);
    rb_put(c, RB_OUT, RB_PLAIN, "    %s  ", rb_word_pad(c, label, 6));
    rb_put(c, RB_OUT, rb_result_style(result), "%s", rb_result_word(c, result));
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s\n", said[0] != '\0' ? "  " : "", said);
}

static void put_act(struct rb_cli *c, const json_t *act)
{
    const char *result = rb_json_str(act, "result", "?");
    size_t i;
    json_t *effect;
    rb_put(c, RB_OUT, RB_PLAIN, "  ");
    rb_put_mark(c, RB_OUT, rb_result_mark(result));
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_word(c, rb_json_str(act, "id", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s  %s\n", rb_word(c, rb_json_str(act, "for", "")),
           rb_word_text(c, json_object_get(act, "title")), rb_result_word(c, result));
    json_array_foreach(json_object_get(act, "effects"), i, effect) {
        bool ok = rb_json_bool(effect, "ok", true);
        rb_put(c, RB_OUT, ok ? RB_PLAIN : RB_BAD, "    %s%s\n", rb_effect_line(c, effect), ok ? "" : TX(audit_failed));
    }
    if (json_object_get(act, "verify") != NULL) {
        put_part(c, TX(ph_verify), json_object_get(act, "verify"));
    }
    if (json_is_object(json_object_get(act, "undo")) &&
        json_object_get(json_object_get(act, "undo"), "result") != NULL) {
        put_part(c, TX(ph_undo), json_object_get(act, "undo"));
    }
}

static void put_checks(struct rb_cli *c, const json_t *run)
{
    size_t i, k;
    json_t *check, *f;
    json_array_foreach(json_object_get(run, "checks"), i, check) {
        const char *result = rb_json_str(check, "result", "?");
        rb_put(c, RB_OUT, RB_PLAIN, "  ");
        rb_put_mark(c, RB_OUT, rb_result_mark(result));
        rb_put(c, RB_OUT, RB_PLAIN, "%s  %s  %s\n", rb_word_pad(c, rb_word(c, rb_json_str(check, "id", "?")), 20),
               rb_result_word(c, result), rb_said_word(c, check));
        json_array_foreach(json_object_get(check, "findings"), k, f) {
            put_finding(c, f, 4);
        }
    }
}

static void put_list(struct rb_cli *c, const char *label, const json_t *list)
{
    size_t i;
    json_t *act;
    if (json_array_size(list) > 0) {
        rb_put(c, RB_OUT, RB_BOLD, "%s\n", label);
    }
    json_array_foreach((json_t *)list, i, act) {
        put_act(c, act);
    }
}

static void put_next(struct rb_cli *c, const json_t *run)
{
    size_t i;
    json_t *next;
    json_array_foreach(json_object_get(run, "next"), i, next) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s  ", TX(next));
        rb_put(c, RB_OUT, RB_COMMAND, "%s\n", rb_word_argv(c, json_object_get(next, "argv")));
    }
}

void rb_report_text(struct rb_cli *c, const json_t *run)
{
    const char *result = rb_json_str(run, "result", "?");
    const json_t *error = json_object_get(run, "error");
    put_head(c, run);
    rb_put(c, RB_OUT, RB_BOLD, "%s\n", TX(diagnosis));
    put_checks(c, run);
    put_list(c, TX(show_fixes), json_object_get(run, "fixes"));
    put_list(c, TX(show_steps), json_object_get(run, "steps"));
    rb_put(c, RB_OUT, RB_BOLD, "%s  ", TX(result));
    rb_put(c, RB_OUT, rb_result_style(result), "%s", rb_result_word(c, result));
    rb_put(c, RB_OUT, RB_PLAIN, TX(result_exit), (int)rb_json_int(run, "exit", 0));
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
    if (error != NULL && !json_is_null(error)) {
        rb_put(c, RB_OUT, RB_BAD, "%s\n", rb_word_text(c, error));
    }
    put_next(c, run);
}

/* ---- Markdown ---- */

/* Text in a table cell or a line: what Markdown or HTML would take for its own is escaped. */
static const char *md(struct rb_cli *c, const char *text)
{
    struct rb_buf b;
    rb_buf_init(&b, 1u << 20);
    for (const char *s = rb_word(c, text); *s != '\0'; s++) {
        if (strchr("\\`*_[]<>|#", *s) != NULL) {
            rb_buf_adds(&b, "\\");
        }
        rb_buf_add(&b, s, 1);
    }
    const char *kept = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return kept;
}

static void md_findings(struct rb_cli *c, const json_t *run)
{
    size_t i, k;
    json_t *check, *f;
    json_array_foreach(json_object_get(run, "checks"), i, check) {
        const char *text = md(c, rb_said_word(c, check));
        rb_put(c, RB_OUT, RB_PLAIN, "- **%s** %s%s%s\n", md(c, rb_json_str(check, "id", "?")),
               rb_result_word(c, rb_json_str(check, "result", "?")), text[0] != '\0' ? "  " : "", text);
        json_array_foreach(json_object_get(check, "findings"), k, f) {
            const char *key;
            json_t *value;
            rb_put(c, RB_OUT, RB_PLAIN, "  - **%s %s** %s (%s)\n", md(c, rb_json_str(f, "id", "?")),
                   md(c, rb_json_str(f, "key", "")), md(c, rb_text_json(json_object_get(f, "title"))),
                   strcmp(rb_json_str(f, "state", ""), "cleared") == 0 ? TX(cleared) : TX(stands));
            json_object_foreach(json_object_get(f, "evidence"), key, value) {
                rb_put(c, RB_OUT, RB_PLAIN, "    - %s: %s\n", md(c, key), md(c, rb_word_json(c, value, EVIDENCE_MAX)));
            }
        }
    }
}

static void md_acts(struct rb_cli *c, const char *label, const json_t *list)
{
    size_t i, k;
    json_t *act, *effect;
    if (json_array_size(list) > 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "\n## %s\n\n", label);
    }
    json_array_foreach((json_t *)list, i, act) {
        const json_t *confirmed = json_object_get(act, "confirmed");
        const char *reason = md(c, rb_json_str(confirmed, "reason", ""));
        bool declined = strcmp(rb_json_str(confirmed, "answer", "yes"), "no") == 0;
        rb_put(c, RB_OUT, RB_PLAIN, "- **%s** %s: %s%s%s\n", md(c, rb_json_str(act, "id", "?")),
               md(c, rb_text_json(json_object_get(act, "title"))),
               rb_result_word(c, rb_json_str(act, "result", declined ? "declined" : "?")),
               reason[0] != '\0' ? "  " : "", reason);
        json_array_foreach(json_object_get(act, "effects"), k, effect) {
            rb_put(c, RB_OUT, RB_PLAIN, "  - %s%s\n", md(c, rb_effect_line(c, effect)),
                   rb_json_bool(effect, "ok", true) ? "" : TX(audit_failed));
        }
    }
}

/* The severity, how soon it had to be answered, and whether it was. */
static void put_response(struct rb_cli *c, const json_t *run)
{
    const json_t *within = json_object_get(run, "within"), *escalated = json_object_get(run, "escalated");
    char text[RB_TIME_MAX], after[RB_TIME_MAX];
    if (!json_is_number(within) || json_number_value(within) <= 0) {
        return;
    }
    rb_duration_format(json_number_value(within), text);
    rb_put(c, RB_OUT, RB_PLAIN, "- %s: %s %s", rb_text(RB_T_guide_response), rb_json_str(run, "severity", "-"), text);
    if (escalated != NULL) {
        rb_duration_format(json_number_value(json_object_get(escalated, "after")), after);
        rb_put(c, RB_OUT, RB_PLAIN, ", ");
        rb_put(c, RB_OUT, RB_PLAIN, rb_text(RB_T_guide_response_late), after);
    }
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
}

static void md_notes(struct rb_cli *c, const json_t *notes)
{
    size_t i;
    json_t *note;
    if (json_array_size(notes) > 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "\n## %s\n\n", rb_text(RB_T_guide_md_notes));
    }
    json_array_foreach((json_t *)notes, i, note) {
        rb_put(c, RB_OUT, RB_PLAIN, "- %s\n", md(c, rb_text_json(json_object_get(note, "text"))));
    }
}

void rb_report_md(struct rb_cli *c, const json_t *run)
{
    size_t i;
    json_t *next;
    rb_put(c, RB_OUT, RB_PLAIN, "# %s %s\n\n", md(c, rb_json_str(run, "runbook", "?")),
           md(c, rb_text_json(json_object_get(run, "title"))));
    rb_put(c, RB_OUT, RB_PLAIN, "- %s: %s\n- %s: **%s**\n- %s: %s\n- %s: %s\n- %s: %s\n", TX(md_run),
           md(c, rb_json_str(run, "run", "?")), TX(result), rb_result_word(c, rb_json_str(run, "result", "?")),
           TX(md_who), md(c, rb_actor_word(c, json_object_get(run, "actor"))), TX(md_started),
           rb_json_str(run, "started", "?"), TX(md_ended), rb_json_str(run, "ended", "-"));
    put_response(c, run);
    rb_put(c, RB_OUT, RB_PLAIN, "- %s: %s\n\n## %s\n\n", TX(params),
           md(c, rb_evidence_line(c, json_object_get(run, "params"))), TX(diagnosis));
    md_findings(c, run);
    md_acts(c, TX(show_fixes), json_object_get(run, "fixes"));
    md_acts(c, TX(show_steps), json_object_get(run, "steps"));
    md_notes(c, json_object_get(run, "notes"));
    if (json_array_size(json_object_get(run, "next")) > 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "\n## %s\n\n", TX(next));
    }
    json_array_foreach(json_object_get(run, "next"), i, next) {
        rb_put(c, RB_OUT, RB_PLAIN, "    %s\n", rb_word_argv(c, json_object_get(next, "argv")));
    }
}
