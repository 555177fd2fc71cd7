/* From the list of blocks to the one shape everything else reads (language.h). */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "runner/language.h"
#include "runner/language_lint.h"

/* Where the blocks of a kind stand in meta, and how long their functions may take. */
static const struct group {
    const char *kind, *list;
    double timeout;
} groups[] = {
    {"finding", "findings", 0}, {"check", "checks", 60},  {"prevent", "prevents", 60},  {"fix", "fixes", 600},
    {"step", "steps", 600},     {"drill", "drills", 120}, {"schedule", "schedules", 0}, {"test", "tests", 0},
};

static json_t *as_list(const json_t *value)
{
    json_t *list = json_array();
    const char *word;
    for (size_t i = 0; (word = rb_words_at(value, i)); i++) {
        json_array_append_new(list, json_string(word));
    }
    return list;
}

static json_t *as_seconds(const json_t *value)
{
    double seconds = json_number_value(value);
    if (json_is_string(value) && rb_duration_parse(json_string_value(value), &seconds)) {
        return json_incref((json_t *)value); /* judged by the check; nothing runs with it */
    }
    bool whole = seconds >= 0 && seconds < 1e15 && seconds == (double)(json_int_t)seconds;
    return whole ? json_integer((json_int_t)seconds) : json_real(seconds);
}

static json_t *as_texts(const json_t *value)
{
    if (json_is_array(value)) {
        return json_copy((json_t *)value);
    }
    json_t *list = json_array();
    if (value && !rb_json_empty_table(value)) {
        json_array_append(list, (json_t *)value);
    }
    return list;
}

/* A field's value in the shape its type promises: lists are lists, durations are seconds. */
static json_t *shaped(const struct rb_field *field, const json_t *value)
{
    const char *type = field->type;
    if (strcmp(type, "words") == 0 || strcmp(type, "findings") == 0) {
        return as_list(value);
    }
    if (strcmp(type, "findings or function") == 0 && !rb_lint_is_function(value)) {
        return as_list(value);
    }
    if (strcmp(type, "texts") == 0) {
        return as_texts(value);
    }
    if (strcmp(type, "duration") == 0) {
        return as_seconds(value);
    }
    if ((strcmp(type, "map") == 0 || strcmp(type, "questions") == 0) && rb_json_empty_table(value)) {
        return json_object();
    }
    return json_incref((json_t *)value);
}

void rb_declared_copy(json_t *into, const struct rb_declared *block)
{
    const struct rb_block *kind = rb_block_find(block->kind);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)block->fields, name, value) {
        const struct rb_field *field = rb_field_find(kind, name);
        if (field && !json_is_null(value)) { /* an unknown one must not overwrite what we put there */
            json_object_set_new(into, name, shaped(field, value));
        }
    }
}

static void set_missing(json_t *object, const char *name, json_t *value)
{
    if (json_object_get(object, name)) {
        json_decref(value);
    } else {
        json_object_set_new(object, name, value);
    }
}

static json_t *one_block(const struct rb_declared *block, const struct group *group)
{
    json_t *one = json_pack("{s:s, s:s, s:i}", "id", block->id, "file", block->file, "line", block->line);
    rb_declared_copy(one, block);
    if (group->timeout > 0) {
        set_missing(one, "timeout", json_real(group->timeout));
    }
    return one;
}

static const struct group *group_of(const char *kind)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (strcmp(groups[i].kind, kind) == 0) {
            return &groups[i];
        }
    }
    return NULL;
}

/* What a finding, check, … leaves out. */
static void complete(json_t *meta)
{
    const json_t *severity = json_object_get(meta, "severity");
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(meta, "findings"), i, one) {
        set_missing(one, "severity", json_incref((json_t *)severity));
        set_missing(one, "key", json_array());
        set_missing(one, "blocks", json_false());
    }
    json_array_foreach(json_object_get(meta, "checks"), i, one) {
        json_t *when = json_object_get(one, "when");
        if (json_is_string(when)) {
            json_object_set_new(one, "when", as_list(when));
        }
    }
    json_array_foreach(json_object_get(meta, "schedules"), i, one) {
        set_missing(one, "mode", json_string("diagnose"));
        set_missing(one, "allow", json_string("low"));
    }
}

static void head_defaults(json_t *meta)
{
    static const char *const lists[] = {"alias", "codes", "alerts", "symptoms", "tags", "locks", "needs"};
    bool steps = json_array_size(json_object_get(meta, "steps")) > 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        set_missing(meta, lists[i], json_array());
    }
    set_missing(meta, "title", json_string(rb_json_str(meta, "id", "")));
    set_missing(meta, "severity", json_string("P3")); /* only for a file with errors: severity is required */
    set_missing(meta, "kind", json_string(steps ? "procedure" : "incident"));
    set_missing(meta, "status", json_string("live"));
    set_missing(meta, "source", json_string(""));
    set_missing(meta, "target", json_null());
}

json_t *rb_profiles_collect(const json_t *blocks)
{
    json_t *profiles = json_object(), *entry, *value;
    const char *name;
    size_t i;
    json_array_foreach((json_t *)blocks, i, entry) {
        struct rb_declared block;
        if (!rb_declared_get(entry, &block) || strcmp(block.kind, "profile")) {
            continue;
        }
        json_t *profile = json_object_get(profiles, block.id);
        if (!profile) {
            profile = json_pack("{s:{}}", "values");
            json_object_set_new(profiles, block.id, profile);
        }
        json_object_foreach((json_t *)block.fields, name, value) {
            bool ours = strcmp(name, "like") == 0 || strcmp(name, "title") == 0;
            json_object_set(ours ? profile : json_object_get(profile, "values"), name, value);
        }
    }
    return profiles;
}

/* The names of the runbook's own parameters in the order of the file, then {name: fields}. */
static json_t *own_params(const json_t *blocks)
{
    json_t *own = rb_params_collect(blocks, true), *params = json_pack("{s:[]}", "order"), *entry, *fields;
    const char *name;
    size_t i;
    json_array_foreach((json_t *)blocks, i, entry) {
        struct rb_declared block;
        bool is_param = rb_declared_get(entry, &block) && strcmp(block.kind, "param") == 0;
        fields = is_param ? json_object_get(own, block.id) : NULL;
        if (!fields || json_object_get(params, block.id) || rb_lint_role(block.file) == RB_ROLE_PROFILE) {
            continue;
        }
        json_array_append_new(json_object_get(params, "order"), json_string(block.id));
        json_object_set_new(fields, "line", json_integer(block.line));
        json_object_set_new(fields, "file", json_string(block.file));
        json_object_set(params, block.id, fields);
    }
    json_object_foreach(params, name, fields) {
        const json_t *first = json_object_get(fields, "default");
        if (json_is_object(fields)) {
            set_missing(fields, "type", json_string("string"));
            set_missing(fields, "required", json_boolean(!first || json_is_null(first)));
        }
    }
    json_decref(own);
    return params;
}

static void add_parameters(json_t *meta, const char *id, const json_t *blocks)
{
    char system[RB_LABEL_MAX];
    json_t *shared = rb_params_collect(blocks, false), *params = own_params(blocks);
    const char *name;
    json_t *ignored;
    json_object_foreach(params, name, ignored) {
        json_object_del(shared, name);
    }
    snprintf(system, sizeof system, "%.*s", (int)strcspn(id, "/"), id);
    json_object_set_new(meta, "params", params);
    json_object_set_new(meta, "shared", shared);
    json_object_set_new(meta, "profiles", rb_profiles_collect(blocks));
    set_missing(meta, "profile", json_string(system));
}

json_t *rb_language_meta(const char *id, const json_t *declared)
{
    const json_t *blocks = json_is_array(declared) ? declared : json_object_get(declared, "blocks");
    json_t *meta = json_object(), *entry;
    size_t i;
    json_object_set_new(meta, "id", json_string(id));
    for (i = 0; i < sizeof groups / sizeof *groups; i++) {
        json_object_set_new(meta, groups[i].list, json_array());
    }
    json_array_foreach((json_t *)blocks, i, entry) {
        struct rb_declared block;
        if (!rb_declared_get(entry, &block) || !rb_block_find(block.kind)) {
            continue;
        }
        const struct group *group = group_of(block.kind);
        if (group) {
            json_array_append_new(json_object_get(meta, group->list), one_block(&block, group));
        } else if (strcmp(block.kind, "runbook") == 0 && !json_object_get(meta, "line")) {
            rb_declared_copy(meta, &block);
            json_object_set_new(meta, "id", json_string(id));
            json_object_set_new(meta, "line", json_integer(block.line));
            json_object_set_new(meta, "file", json_string(block.file));
        }
    }
    head_defaults(meta);
    complete(meta);
    add_parameters(meta, id, blocks);
    return meta;
}
