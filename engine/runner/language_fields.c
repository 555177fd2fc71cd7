/* One block alone: its name, its fields and their types, and what its kind demands. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"
#include "runner/language_lint.h"
#include "when/cron.h"

#define NAMES_MAX 32

static const char *const risks[] = {"low", "medium", "high", "critical"};

/* ---- names ---- */

/* A schedule of the configuration stands for one of a runbook, and changes only what it says. */
static bool overrides(const struct rb_declared *block)
{
    return rb_lint_role(block->file) == RB_ROLE_CONFIG;
}

static void check_id(struct rb_lint *lint, const struct rb_declared *block)
{
    bool path = strcmp(block->kind, "runbook") == 0 || strcmp(block->kind, "profile") == 0;
    bool param = strcmp(block->kind, "param") == 0;
    path = path || (strcmp(block->kind, "schedule") == 0 && overrides(block));
    if (strcmp(block->kind, "severity") == 0) {
        const char *slash = strchr(block->id, '/'); /* "mall/P1": of one system */
        if (!rb_severity_valid(slash && slash > block->id ? slash + 1 : block->id)) {
            rb_lint_error(lint, block, NULL, RB_T_config_severity_name);
        }
    } else if (!block->id[0]) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_no_name, block->kind);
    } else if (path && !rb_path_id_valid(block->id)) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_bad_path_name);
    } else if (param && !rb_name_valid(block->id, '_')) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_bad_param_name);
    } else if (!path && !param && !rb_name_valid(block->id, '-')) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_bad_name);
    } else if ((param && strcmp(block->id, "order") == 0) ||
               (strcmp(block->kind, "finding") == 0 && strcmp(block->id, "asked") == 0)) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_reserved_name, block->id);
    }
}

static void check_role(struct rb_lint *lint, const struct rb_declared *block, const struct rb_block *kind)
{
    static const struct {
        unsigned place;
        enum rb_text_id wrong;
    } roles[] = {
        [RB_ROLE_RUNBOOK] = {RB_IN_RUNBOOK, RB_T_config_only_config},
        [RB_ROLE_LIBRARY] = {RB_IN_RUNBOOK, RB_T_config_only_config},
        [RB_ROLE_DRILLS] = {RB_IN_DRILLS, RB_T_catalog_only_drills},
        [RB_ROLE_PROFILE] = {RB_IN_PROFILES, RB_T_catalog_only_profiles},
        [RB_ROLE_CONFIG] = {RB_IN_CONFIG, RB_T_config_not_config},
    };
    enum rb_role role = rb_lint_role(block->file);
    if (!(kind->places & roles[role].place)) {
        rb_lint_error(lint, block, NULL, roles[role].wrong, block->kind);
    }
}

static void unknown_field(struct rb_lint *lint, const struct rb_declared *block, const struct rb_block *kind,
                          const char *name)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (const struct rb_field *field = kind->fields; field->name && count < NAMES_MAX; field++) {
        names[count++] = field->name;
    }
    const char *near = rb_utf8_nearest(name, names, count);
    if (name[0] && strspn(name, "0123456789") == strlen(name)) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_positional);
    } else if (near) {
        rb_lint_error(lint, block, name, RB_T_catalog_unknown_field_near, rb_cut(name, 60), name, near);
    } else {
        rb_lint_error(lint, block, name, RB_T_catalog_unknown_field, rb_cut(name, 60), name);
    }
}

/* ---- what the kinds demand ---- */

static bool has(const struct rb_declared *block, const char *field)
{
    const json_t *value = json_object_get(block->fields, field);
    return value && !json_is_null(value);
}

/* Which of the ways to act a block has: at least one, and only run and asks may stand beside by_hand. */
static void check_ways(struct rb_lint *lint, const struct rb_declared *block, bool asks, bool calls)
{
    bool run = has(block, "run"), hand = has(block, "by_hand"), call = calls && has(block, "call");
    if (!run && !hand && !call && !(asks && has(block, "asks"))) {
        rb_lint_error(lint, block, NULL,
                      asks    ? RB_T_catalog_step_way
                      : calls ? RB_T_catalog_fix_way
                              : RB_T_catalog_prevent_way);
    }
    if (call && (run || hand || (asks && has(block, "asks")))) {
        rb_lint_error(lint, block, "call", RB_T_catalog_call_alone);
    } else if (call && !rb_path_id_valid(rb_json_str(block->fields, "call", ""))) {
        rb_lint_error(lint, block, "call", RB_T_catalog_call_form);
    } else if (call) {
        rb_lint_warning(lint, block, "call", RB_T_catalog_call_later);
    }
    if (has(block, "with") && calls && !call) {
        rb_lint_error(lint, block, "with", RB_T_catalog_with_without_call);
    }
}

static int risk_of(const struct rb_declared *block)
{
    const char *word = rb_json_str(block->fields, "risk", "");
    for (int i = 0; i < 4; i++) {
        if (strcmp(word, risks[i]) == 0) {
            return i;
        }
    }
    return 0;
}

static void check_undo(struct rb_lint *lint, const struct rb_declared *block)
{
    bool undo = has(block, "undo"), never = has(block, "no_undo");
    if (undo && never) {
        rb_lint_error(lint, block, "no_undo", RB_T_catalog_undo_both);
    } else if (has(block, "run") && risk_of(block) > 0 && !undo && !never) {
        rb_lint_error(lint, block, "risk", RB_T_catalog_undo_needed, risks[risk_of(block)]);
    }
}

static void need_with_run(struct rb_lint *lint, const struct rb_declared *block, const char *field)
{
    if (has(block, "run") && !has(block, field)) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_missing_with_run, field);
    }
}

static void check_approvals(struct rb_lint *lint, const struct rb_declared *block)
{
    json_t *value = json_object_get(block->fields, "approvals");
    if (json_is_number(value) && (json_number_value(value) < 1 || json_number_value(value) > 9)) {
        rb_lint_error(lint, block, "approvals", RB_T_catalog_approvals_range);
    }
}

static bool when_asked(const struct rb_declared *block)
{
    const json_t *when = json_object_get(block->fields, "when");
    const char *word;
    for (size_t i = 0; (word = rb_words_at(when, i)); i++) {
        if (strcmp(word, "asked") == 0) {
            return true;
        }
    }
    return false;
}

static void check_action(struct rb_lint *lint, const struct rb_declared *block)
{
    need_with_run(lint, block, "title");
    need_with_run(lint, block, "risk");
    check_undo(lint, block);
    check_approvals(lint, block);
}

static void check_fix(struct rb_lint *lint, const struct rb_declared *block)
{
    check_ways(lint, block, false, true);
    check_action(lint, block);
    if (rb_json_empty_table(json_object_get(block->fields, "when"))) {
        rb_lint_error(lint, block, "when", RB_T_catalog_when_empty);
    }
    if (when_asked(block) && has(block, "run") && risk_of(block) >= 2 && !has(block, "key")) {
        rb_lint_error(lint, block, "risk", RB_T_catalog_key_asked, risks[risk_of(block)]);
    }
}

static void check_questions(struct rb_lint *lint, const struct rb_declared *block)
{
    const char *name;
    json_t *question;
    json_object_foreach(json_object_get(block->fields, "asks"), name, question) {
        const char *type = rb_json_str(question, "type", "string");
        json_t *title = json_object_get(question, "title");
        if (!rb_name_valid(name, '_') || !json_is_object(question)) {
            rb_lint_error(lint, block, "asks", RB_T_catalog_question_form, rb_cut(name, 60), name);
        } else if (!rb_param_type_valid(type)) {
            rb_lint_error(lint, block, "asks", RB_T_catalog_question_type, name, rb_cut(type, 60), type);
        } else if (!title || !rb_is_text(title)) {
            rb_lint_error(lint, block, "asks", RB_T_catalog_question_title, name);
        } else {
            rb_lint_translation(lint, block, "asks", title);
        }
    }
}

static void check_step(struct rb_lint *lint, const struct rb_declared *block)
{
    check_ways(lint, block, true, true);
    check_action(lint, block);
    check_questions(lint, block);
    if (!has(block, "title") && !has(block, "run") && !has(block, "call")) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_missing, "title");
    }
    if (has(block, "run") && risk_of(block) >= 2 && !has(block, "key")) {
        rb_lint_error(lint, block, "risk", RB_T_catalog_key_step, risks[risk_of(block)]);
    }
}

static void check_schedule(struct rb_lint *lint, const struct rb_declared *block)
{
    const char *cron = rb_json_str(block->fields, "cron", NULL), *tz = rb_json_str(block->fields, "tz", NULL);
    struct rb_cron parsed;
    struct rb_err err = {0};
    bool both = has(block, "cron") && has(block, "every"), none = !has(block, "cron") && !has(block, "every");
    if (both || (none && !overrides(block))) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_schedule_when);
    }
    if (cron && rb_cron_parse(&parsed, cron, &err)) {
        rb_lint_error(lint, block, "cron", RB_T_catalog_schedule_cron, err.text, err.hint[0] ? "; " : "", err.hint);
    }
    if (tz && rb_zone_known(tz, &err)) { /* perhaps only this machine does not know it */
        rb_lint_warning(lint, block, "tz", RB_T_catalog_schedule_tz, err.text);
    }
}

static void check_runbook(struct rb_lint *lint, const struct rb_declared *block)
{
    char text[RB_TIME_MAX];
    int64_t reviewed;
    const char *day = rb_json_str(block->fields, "reviewed", "");
    snprintf(text, sizeof text, "%.10sT00:00:00Z", day);
    if (strlen(day) == 10 && rb_clock_parse(text, &reviewed) == 0) {
        int64_t days = (rb_clock_utc_us() - reviewed) / 86400000000;
        if (days > 365) {
            rb_lint_warning(lint, block, "reviewed", RB_T_catalog_not_reviewed, (long)days);
        }
    }
}

static void check_kind(struct rb_lint *lint, const struct rb_declared *block)
{
    if (strcmp(block->kind, "fix") == 0) {
        check_fix(lint, block);
    } else if (strcmp(block->kind, "step") == 0) {
        check_step(lint, block);
    } else if (strcmp(block->kind, "prevent") == 0) {
        check_ways(lint, block, false, false);
    } else if (strcmp(block->kind, "schedule") == 0) {
        check_schedule(lint, block);
    } else if (strcmp(block->kind, "runbook") == 0) {
        check_runbook(lint, block);
    }
}

static void check_profile_value(struct rb_lint *lint, const struct rb_declared *block, const char *name,
                                const json_t *value)
{
    if (!rb_name_valid(name, '_')) {
        rb_lint_error(lint, block, name, RB_T_catalog_bad_profile_name, rb_cut(name, 60), name);
    } else if (rb_lint_is_function(value)) {
        rb_lint_error(lint, block, name, RB_T_catalog_wrong_type, name, rb_text(RB_T_catalog_want_any),
                      rb_text(RB_T_catalog_a_function));
    }
}

static void check_each_field(struct rb_lint *lint, const struct rb_declared *block, const struct rb_block *kind)
{
    const char *name;
    json_t *value;
    bool profile = strcmp(block->kind, "profile") == 0;
    json_object_foreach((json_t *)block->fields, name, value) {
        const struct rb_field *field = rb_field_find(kind, name);
        if (field) {
            (void)rb_lint_type(lint, block, field, value); /* the problem is noted */
        } else if (profile) {
            check_profile_value(lint, block, name, value);
        } else {
            unknown_field(lint, block, kind, name);
        }
    }
}

void rb_lint_fields(struct rb_lint *lint, const struct rb_declared *block)
{
    const struct rb_block *kind = rb_block_find(block->kind);
    const json_t *fields = json_object_get(block->json, "fields");
    check_id(lint, block);
    check_role(lint, block, kind);
    if (fields && !json_is_object(fields) && !rb_json_empty_table(fields)) {
        rb_lint_error(lint, block, NULL, RB_T_catalog_positional);
    }
    check_each_field(lint, block, kind);
    for (const struct rb_field *field = kind->fields; field->name; field++) {
        /* a parameter may get its type from the profile: language_params.c */
        if (field->flags & RB_FIELD_REQUIRED && !has(block, field->name) && strcmp(block->kind, "param") != 0) {
            rb_lint_error(lint, block, NULL, RB_T_catalog_missing, field->name);
        }
    }
    check_kind(lint, block);
}
