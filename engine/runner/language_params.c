/* Parameters and profiles at load: every declaration complete, every default of its
 * own type, every {name} there, nothing in a circle. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"
#include "runner/language_lint.h"
#include "runner/params.h"

json_t *rb_params_collect(const json_t *blocks, bool own)
{
    json_t *params = json_object(), *entry;
    size_t i;
    for (int pass = 0; pass < 2; pass++) { /* the profiles' first, whatever the order */
        json_array_foreach((json_t *)blocks, i, entry) {
            struct rb_declared block;
            bool is_param = rb_declared_get(entry, &block) && strcmp(block.kind, "param") == 0 && block.id[0];
            if (!is_param || (rb_lint_role(block.file) == RB_ROLE_PROFILE) != (pass == 0)) {
                continue;
            }
            json_t *fields = json_object_get(params, block.id);
            if (!fields) {
                fields = json_object();
                json_object_set_new(params, block.id, fields);
            }
            json_object_update(fields, (json_t *)block.fields);
            json_object_set_new(fields, "own", json_boolean(pass == 1));
        }
    }
    const char *name;
    void *next;
    json_object_foreach_safe(params, next, name, entry) {
        bool keep = !own || rb_json_bool(entry, "own", false);
        json_object_del(entry, "own");
        if (!keep) {
            json_object_del(params, name);
        }
    }
    return params;
}

/* ---- one declaration ---- */

static void check_param_type(struct rb_lint *lint, const struct rb_declared *block, const json_t *param)
{
    const char *type = rb_json_str(param, "type", NULL);
    if (!type) {
        rb_lint_error(lint, block, NULL,
                      json_object_size(block->fields) ? RB_T_catalog_missing : RB_T_catalog_param_not_shared, "type");
    } else if (!rb_param_type_valid(type)) {
        const char *near = rb_param_type_nearest(type);
        if (near) {
            rb_lint_error(lint, block, "type", RB_T_catalog_bad_type_near, rb_cut(type, 60), type, near);
        } else {
            rb_lint_error(lint, block, "type", RB_T_catalog_bad_type, rb_cut(type, 60), type);
        }
    }
}

/* Anything in it that a {name} must still fill? Then its type is known only when all values are. */
static bool has_hole(const json_t *value)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)value, i, item) {
        if (has_hole(item)) {
            return true;
        }
    }
    return json_is_string(value) && strchr(json_string_value(value), '{');
}

static void check_limit(struct rb_lint *lint, const struct rb_declared *block, const json_t *param, const char *field)
{
    static const char *const counted[] = {"int", "number", "duration", "size", "time"};
    const json_t *limit = json_object_get(param, field);
    const char *type = rb_json_str(param, "type", "");
    bool list = strncmp(type, "list(", 5) == 0;
    if (!limit) {
        return;
    }
    if (!list && !rb_word_in(type, counted, 5)) {
        rb_lint_error(lint, block, field, RB_T_catalog_limit_type, field, type);
        return;
    }
    struct rb_err err = {0};
    json_t *plain = json_pack("{s:s}", "type", list ? "int" : type);
    json_t *value = rb_param_convert(field, plain, limit, &err);
    if (!value) {
        rb_lint_error(lint, block, field, RB_T_catalog_param_bad_value, err.text);
    }
    json_decref(value);
    json_decref(plain);
}

static void check_default(struct rb_lint *lint, const struct rb_declared *block, const json_t *param)
{
    struct rb_err err = {0};
    const json_t *given = json_object_get(param, "default");
    if (!given || json_is_null(given) || has_hole(given) || json_is_object(json_object_get(given, "$fn"))) {
        return;
    }
    json_t *value = rb_param_convert(block->id, param, given, &err);
    if (!value) {
        rb_lint_error(lint, block, "default", RB_T_catalog_param_bad_value, err.text);
    }
    json_decref(value);
}

static void check_param(struct rb_lint *lint, const struct rb_declared *block, const json_t *param)
{
    const char *type = rb_json_str(param, "type", ""), *pattern = rb_json_str(param, "pattern", NULL);
    check_param_type(lint, block, param);
    if (!rb_param_type_valid(type)) {
        return;
    }
    if (strstr(type, "enum") && !json_object_get(param, "choices")) {
        rb_lint_error(lint, block, "type", RB_T_catalog_enum_choices);
    }
    if (pattern && rb_param_pattern(pattern, NULL) < 0) {
        rb_lint_error(lint, block, "pattern", RB_T_catalog_bad_pattern);
        return;
    }
    check_limit(lint, block, param, "min");
    check_limit(lint, block, param, "max");
    check_default(lint, block, param);
}

/* ---- all together ---- */

static void check_holes(struct rb_lint *lint, const struct rb_declared *block, const json_t *params,
                        const json_t *values, const char *name, const char *field)
{
    struct rb_err err = {0};
    if (rb_params_follow(params, values, name, &err)) {
        rb_lint_error(lint, block, field, RB_T_catalog_param_bad_value, err.text);
    }
}

static void check_profile(struct rb_lint *lint, const struct rb_declared *block, const json_t *params,
                          const json_t *profiles)
{
    const char *like = rb_json_str(block->fields, "like", NULL), *name;
    json_t *values, *value;
    if (like && !json_object_get(profiles, like)) {
        rb_lint_error(lint, block, "like", RB_T_catalog_no_profile, rb_cut(like, 60), like);
    }
    values = rb_profile_values(profiles, block->id);
    json_object_foreach(json_object_get(json_object_get(profiles, block->id), "values"), name, value) {
        struct rb_err err = {0};
        const json_t *param = json_object_get(params, name);
        check_holes(lint, block, params, values, name, name);
        if (param && !has_hole(value) && rb_param_type_valid(rb_json_str(param, "type", ""))) {
            json_t *converted = rb_param_convert(name, param, value, &err);
            if (!converted) {
                rb_lint_error(lint, block, name, RB_T_catalog_param_bad_value, err.text);
            }
            json_decref(converted);
        }
    }
    json_decref(values);
}

/* The values a runbook has without --profile: its system's. */
static json_t *default_values(const json_t *blocks, const json_t *profiles)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)blocks, i, entry) {
        struct rb_declared block;
        if (rb_declared_get(entry, &block) && strcmp(block.kind, "runbook") == 0) {
            char system[RB_LABEL_MAX];
            snprintf(system, sizeof system, "%.*s", (int)strcspn(block.id, "/"), block.id);
            return rb_profile_values(profiles, system);
        }
    }
    return json_object();
}

void rb_lint_params(struct rb_lint *lint)
{
    json_t *params = rb_params_collect(lint->blocks, false), *profiles = rb_profiles_collect(lint->blocks), *entry;
    json_t *values = default_values(lint->blocks, profiles);
    size_t i;
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        struct rb_declared block;
        if (!rb_declared_get(entry, &block)) {
            continue;
        }
        const json_t *param = json_object_get(params, block.id);
        if (strcmp(block.kind, "param") == 0 && param) {
            check_param(lint, &block, param);
            if (has_hole(json_object_get(block.fields, "default")) && !json_object_get(values, block.id)) {
                check_holes(lint, &block, params, values, block.id, "default");
            }
        } else if (strcmp(block.kind, "profile") == 0) {
            check_profile(lint, &block, params, profiles);
        }
    }
    json_decref(values);
    json_decref(profiles);
    json_decref(params);
}
