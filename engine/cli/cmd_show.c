/* runbook show: one runbook as it is written, or one run as it went. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "journal/journal.h"
#include "run/run.h"
#include "runner/language.h"
#include "runner/language_lint.h"

static bool has_alias(const json_t *entry, const char *name)
{
    size_t i;
    json_t *alias;
    json_array_foreach(rb_entry_meta(entry, "alias"), i, alias) {
        if (json_is_string(alias) && strcmp(json_string_value(alias), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool short_name_is(const json_t *entry, const char *name)
{
    const char *id = rb_json_str(entry, "id", "");
    const char *slash = strrchr(id, '/');
    return strcmp(slash != NULL ? slash + 1 : id, name) == 0 || has_alias(entry, name);
}

static int not_found(const json_t *loaded, const char *name, struct rb_err *err)
{
    const char *names[1024];
    size_t n = 0, i;
    json_t *entry;
    json_array_foreach((json_t *)loaded, i, entry) {
        const char *id = rb_json_str(entry, "id", ""), *slash = strrchr(id, '/');
        if (n + 2 <= sizeof names / sizeof *names) {
            names[n++] = id;
            names[n++] = slash != NULL ? slash + 1 : id;
        }
    }
    const char *near = rb_utf8_nearest(name, names, n);
    return near != NULL ? rb_err_set(err, RB_ENOT_FOUND, RB_T_catalog_no_runbook_near, rb_cut(name, 100), name, near)
                        : rb_err_set(err, RB_ENOT_FOUND, RB_T_catalog_no_such_runbook, rb_cut(name, 100), name);
}

const json_t *rb_entry_find(const json_t *loaded, const char *name, struct rb_err *err)
{
    const json_t *found = NULL;
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)loaded, i, entry) {
        if (strcmp(rb_json_str(entry, "status", ""), "shadowed") == 0) {
            continue;
        }
        if (strcmp(rb_json_str(entry, "id", ""), name) == 0) {
            return entry;
        }
        if (short_name_is(entry, name)) {
            if (found != NULL) {
                rb_err_set(err, RB_EUSAGE, RB_T_cli_ambiguous, name, rb_json_str(found, "id", ""),
                           rb_json_str(entry, "id", ""));
                return NULL;
            }
            found = entry;
        }
    }
    if (found == NULL) {
        not_found(loaded, name, err);
    }
    return found;
}

static const char *joined(struct rb_cli *c, const json_t *list)
{
    return list != NULL && !json_is_null(list) ? rb_word_json(c, list, 400) : "";
}

static void put_field(struct rb_cli *c, const char *label, const char *text)
{
    if (text[0] != '\0') {
        rb_put(c, RB_OUT, RB_DIM, "%s", rb_word_pad(c, label, 10));
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", text);
    }
}

static void put_when(struct rb_cli *c, const json_t *entry)
{
    const char *label = TX(show_when);
    size_t i;
    json_t *text;
    json_array_foreach(rb_entry_meta(entry, "symptoms"), i, text) {
        put_field(c, label, rb_word_text(c, text));
        label = "";
    }
    put_field(c, TX(show_codes), joined(c, rb_entry_meta(entry, "codes")));
    put_field(c, TX(show_alerts), joined(c, rb_entry_meta(entry, "alerts")));
    put_field(c, TX(show_tags), joined(c, rb_entry_meta(entry, "tags")));
}

/* A table under a label: rows are collected by the caller. */
static void put_rows(struct rb_cli *c, const char *label, json_t *rows)
{
    if (json_array_size(rows) > 0) {
        rb_put(c, RB_OUT, RB_BOLD, "%s\n", label);
        rb_put_table(c, RB_OUT, rows, 2);
    }
    json_decref(rows);
}

/* The parameters as exec would use them; a configuration that does not load is told, and hides nothing. New reference.
 */
static json_t *params_now(struct rb_cli *c, const json_t *entry)
{
    struct rb_err err = {0};
    const json_t *config = NULL;
    if (rb_cli_config(c, &config, &err) != 0) {
        (void)rb_cli_fail(c, &err);
    }
    return rb_params_shown(json_object_get(entry, "meta"), config);
}

static const char *from_format(const char *from)
{
    return strcmp(from, "config") == 0 ? TX(from_config) : TX(from_profile);
}

/* Who says so: nothing for what the runbook itself says. */
static const char *from_word(struct rb_cli *c, const json_t *now)
{
    char who[256];
    const char *from = rb_json_str(now, "from", ""), *name, *word;
    const json_t *uses = json_object_get(now, "uses");
    struct rb_buf b;
    json_t *of;
    rb_buf_init(&b, 1u << 16);
    if (uses != NULL) {
        rb_buf_addf(&b, TX(from_text), rb_json_str(now, "text", ""));
    } else if (strcmp(from, "default") != 0) {
        rb_buf_addf(&b, from_format(from), rb_json_str(now, "profile", ""));
    }
    json_object_foreach((json_t *)uses, name, of) {
        if (strcmp(json_string_value(of), "default") != 0) {
            snprintf(who, sizeof who, from_format(json_string_value(of)), rb_json_str(now, "profile", ""));
            rb_buf_addf(&b, TX(from_also), name, who);
        }
    }
    word = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return word;
}

static void put_params(struct rb_cli *c, const json_t *entry)
{
    const json_t *params = rb_entry_meta(entry, "params");
    json_t *rows = json_array(), *shown = params_now(c, entry);
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(params, "order"), i, name) {
        const char *id = json_is_string(name) ? json_string_value(name) : "";
        const json_t *param = json_object_get(params, id), *now = json_object_get(shown, id);
        const json_t *value = json_object_get(now, "value");
        const char *word = value != NULL                            ? rb_word_json(c, value, 80)
                           : rb_json_bool(param, "required", false) ? TX(show_required)
                                                                    : "-";
        const char *title = rb_word_text(c, json_object_get(param, "title")), *from = from_word(c, now);
        char told[1024], note[512] = "";
        snprintf(note, sizeof note, from[0] != '\0' ? TX(from_note) : "%s", from);
        snprintf(told, sizeof told, "%s%s", title, note);
        rb_row(rows, id, rb_json_str(param, "type", "?"), word, told, NULL);
    }
    json_decref(shown);
    put_rows(c, TX(show_params), rows);
}

static void put_checks(struct rb_cli *c, const json_t *entry)
{
    json_t *rows = json_array();
    size_t i;
    json_t *block;
    json_array_foreach(rb_entry_meta(entry, "checks"), i, block) {
        rb_row(rows, rb_json_str(block, "id", "?"), rb_word_text(c, json_object_get(block, "title")), NULL);
    }
    put_rows(c, TX(show_checks), rows);
}

static void put_findings(struct rb_cli *c, const json_t *entry)
{
    json_t *rows = json_array();
    size_t i;
    json_t *block;
    json_array_foreach(rb_entry_meta(entry, "findings"), i, block) {
        char extra[512] = "";
        const char *explains = rb_json_str(block, "explains", NULL);
        if (explains != NULL) {
            snprintf(extra, sizeof extra, TX(show_explains), rb_word(c, explains));
        } else if (rb_json_bool(block, "blocks", false)) {
            snprintf(extra, sizeof extra, "%s", TX(show_blocks));
        }
        rb_row(rows, rb_json_str(block, "id", "?"), rb_json_str(block, "severity", "-"),
               rb_word_text(c, json_object_get(block, "title")), extra, NULL);
    }
    put_rows(c, TX(show_findings), rows);
}

static const char *undo_word(const json_t *block)
{
    if (json_object_get(block, "undo") != NULL && !json_is_null(json_object_get(block, "undo"))) {
        return TX(show_undo);
    }
    return json_object_get(block, "no_undo") != NULL ? TX(show_no_undo) : "";
}

static const char *verify_word(struct rb_cli *c, const json_t *block)
{
    char text[128];
    const json_t *verify = json_object_get(block, "verify"), *within = json_object_get(block, "within");
    if (verify == NULL || json_is_null(verify)) {
        return "";
    }
    if (within == NULL || json_is_null(within)) {
        return TX(show_verified);
    }
    snprintf(text, sizeof text, TX(show_verified_within), rb_word_json(c, within, 20));
    return rb_word(c, text);
}

static void put_writing(struct rb_cli *c, const json_t *entry, const char *list, const char *label)
{
    json_t *rows = json_array();
    size_t i;
    json_t *block;
    json_array_foreach(rb_entry_meta(entry, list), i, block) {
        const char *risk = rb_json_str(block, "risk", NULL);
        char risk_text[64] = "", when[256] = "";
        const json_t *findings = json_object_get(block, "when");
        if (json_is_array(findings) || json_is_string(findings)) {
            snprintf(when, sizeof when, TX(show_for), joined(c, findings));
        }
        snprintf(risk_text, sizeof risk_text, TX(show_risk), risk != NULL ? rb_risk_word(c, risk) : "-");
        bool person = json_object_get(block, "run") == NULL && json_object_get(block, "call") == NULL;
        rb_row(rows, rb_json_str(block, "id", "?"), rb_word_text(c, json_object_get(block, "title")), when,
               person ? TX(show_by_hand) : risk_text, undo_word(block), verify_word(c, block), NULL);
    }
    put_rows(c, label, rows);
}

static void put_named(struct rb_cli *c, const json_t *entry, const char *list, const char *label, const char *field)
{
    json_t *rows = json_array();
    size_t i;
    json_t *block;
    json_array_foreach(rb_entry_meta(entry, list), i, block) {
        const json_t *text = json_object_get(block, field);
        rb_row(rows, rb_json_str(block, "id", "?"), json_is_array(text) ? joined(c, text) : rb_word_text(c, text),
               NULL);
    }
    put_rows(c, label, rows);
}

static void put_problems(struct rb_cli *c, const json_t *entry)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(entry, "problems"), i, p) {
        bool error = strcmp(rb_json_str(p, "level", "error"), "error") == 0;
        rb_put_mark(c, RB_OUT, error ? RB_BAD : RB_WARN);
        rb_put(c, RB_OUT, RB_PLAIN, "%s:%d: %s\n", rb_word(c, rb_json_str(p, "file", "?")),
               (int)rb_json_int(p, "line", 0), rb_word(c, rb_json_str(p, "text", "")));
    }
}

void rb_show_entry(struct rb_cli *c, const json_t *entry)
{
    const json_t *severity = rb_entry_meta(entry, "severity");
    char file[4352];
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_word(c, rb_json_str(entry, "id", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s\n", json_is_string(severity) ? json_string_value(severity) : "-",
           rb_word_text(c, rb_entry_meta(entry, "title")));
    put_field(c, TX(show_alias), joined(c, rb_entry_meta(entry, "alias")));
    put_field(c, TX(show_owner), rb_word_text(c, rb_entry_meta(entry, "owner")));
    put_field(c, TX(show_source), rb_word_text(c, rb_entry_meta(entry, "source")));
    snprintf(file, sizeof file, "%s  sha256:%.12s", rb_word(c, rb_json_str(entry, "file", "?")),
             rb_json_str(entry, "sha256", ""));
    put_field(c, TX(show_file), file);
    put_field(c, TX(show_status), rb_word(c, rb_json_str(entry, "status", "?")));
    put_when(c, entry);
    put_params(c, entry);
    put_checks(c, entry);
    put_findings(c, entry);
    put_writing(c, entry, "fixes", TX(show_fixes));
    put_writing(c, entry, "steps", TX(show_steps));
    put_named(c, entry, "schedules", TX(show_schedules), "cron");
    put_named(c, entry, "drills", TX(show_drills), "expect");
    put_problems(c, entry);
}

static int show_runbook(struct rb_cli *c, const char *name)
{
    struct rb_err err = {0};
    const json_t *loaded = NULL, *entry = NULL;
    if (rb_cli_catalog_list(c, &loaded, &err) == 0) {
        entry = rb_entry_find(loaded, name, &err);
    }
    if (entry == NULL) {
        return rb_cli_fail(c, &err);
    }
    if (rb_options_has(&c->options, RB_O_GRAPH)) {
        return rb_show_graph(c, entry);
    }
    if (c->format == RB_FORMAT_JSON) {
        json_t *out = json_copy((json_t *)entry);
        json_object_set_new(out, "schema", json_string("runbook.show/1"));
        if (json_is_object(json_object_get(entry, "meta"))) {
            json_object_set_new(out, "params", params_now(c, entry));
        }
        rb_put_json(c, out);
    } else {
        rb_show_entry(c, entry);
    }
    return 0;
}

static int show_run(struct rb_cli *c, const char *prefix)
{
    struct rb_err err = {0};
    char run[RB_ID_MAX];
    if (rb_cli_journal(c, false, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    if (c->journal == NULL) {
        rb_err_set(&err, RB_ENOT_FOUND, RB_T_cli_no_run, prefix);
        return rb_cli_fail(c, &err);
    }
    if (rb_journal_find_run(c->journal, prefix, run, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    json_t *report = rb_run_report(c->journal, run, &err);
    if (report == NULL) {
        return rb_cli_fail(c, &err);
    }
    if (c->format == RB_FORMAT_JSON || c->format == RB_FORMAT_JSONL) {
        rb_put_json(c, json_incref(report));
    } else if (c->format == RB_FORMAT_MD) {
        rb_report_md(c, report);
    } else {
        rb_report_text(c, report);
    }
    json_decref(report);
    return 0;
}

/* ---- a plan ---- */

static void put_item(struct rb_cli *c, const json_t *item)
{
    size_t i;
    json_t *write;
    const char *key = rb_json_str(item, "key", "");
    rb_put(c, RB_OUT, RB_BOLD, "  %s%s%s", rb_word(c, rb_json_str(item, "fix", "?")), key[0] != '\0' ? "=" : "",
           rb_word(c, key));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s %s\n", rb_plan_word(rb_json_str(item, "state", "will_change")), TX(risk),
           rb_risk_word(c, rb_json_str(item, "risk", "low")));
    json_array_foreach(json_object_get(item, "writes"), i, write) {
        rb_put(c, RB_OUT, RB_PLAIN, "    %s\n", rb_effect_line(c, write));
    }
    if (rb_json_bool(item, "open", false)) {
        rb_put(c, RB_OUT, RB_DIM, "    %s\n", TX(plan_open));
    }
}

static void put_plan(struct rb_cli *c, const json_t *plan)
{
    size_t i;
    json_t *one;
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_word(c, rb_json_str(plan, "plan", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s  %s %s\n", rb_word(c, rb_json_str(plan, "runbook", "?")),
           rb_word_text(c, json_object_get(plan, "title")), TX(run), rb_word(c, rb_json_str(plan, "run", "?")));
    rb_put(c, RB_OUT, RB_DIM, "%s  %s\n", TX(params), rb_evidence_line(c, json_object_get(plan, "params")));
    rb_put(c, RB_OUT, RB_DIM, "%s  %s\n", TX(col_target), rb_word(c, rb_json_str(plan, "target", "?")));
    json_array_foreach(json_object_get(plan, "findings"), i, one) {
        rb_put(c, RB_OUT, RB_PLAIN, "  ! %s %s  %s\n", rb_word(c, rb_json_str(one, "id", "?")),
               rb_word(c, rb_json_str(one, "key", "")), rb_evidence_line(c, json_object_get(one, "evidence")));
    }
    json_array_foreach(json_object_get(plan, "items"), i, one) {
        put_item(c, one);
    }
}

static int show_plan(struct rb_cli *c, const char *id)
{
    struct rb_err err = {0};
    int rc = rb_cli_journal(c, false, &err);
    rc = rc == 0 && c->journal == NULL ? rb_err_set(&err, RB_ENOT_FOUND, RB_T_trust_plan_none, id) : rc;
    json_t *plan = rc == 0 ? rb_plan_find(c->journal, id, &err) : NULL;
    if (plan == NULL) {
        return rb_cli_fail(c, &err);
    }
    if (c->format == RB_FORMAT_JSON || c->format == RB_FORMAT_JSONL) {
        json_object_set_new(plan, "schema", json_string("runbook.plan/1"));
        rb_put_json(c, json_incref(plan));
    } else {
        put_plan(c, plan);
    }
    json_decref(plan);
    return 0;
}

int rb_cmd_show(struct rb_cli *c)
{
    struct rb_err err = {0};
    if (c->nargs != 1) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_show_what);
        return rb_cli_fail(c, &err);
    }
    bool is_run = strncmp(c->args[0], "r-", 2) == 0, is_plan = strncmp(c->args[0], "p-", 2) == 0;
    bool graph = rb_options_has(&c->options, RB_O_GRAPH);
    if ((is_run || is_plan) && graph) {
        rb_err_set(&err, RB_EUSAGE, RB_T_guide_graph_runbook);
        return rb_cli_fail(c, &err);
    }
    if (strncmp(c->args[0], "a-", 2) == 0) {
        return rb_show_approval(c, c->args[0]);
    }
    return is_plan ? show_plan(c, c->args[0]) : is_run ? show_run(c, c->args[0]) : show_runbook(c, c->args[0]);
}
