/* The list of problems, and small questions about declared blocks. */
#include "runner/language_lint.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

#define TEXT_MAX 2048

static const json_t *no_fields(void)
{
    return json_null(); /* json_object_get of it is NULL, its size 0 */
}

bool rb_declared_get(const json_t *entry, struct rb_declared *block)
{
    block->json = entry;
    block->kind = rb_json_str(entry, "block", NULL);
    block->id = rb_json_str(entry, "id", "");
    block->file = rb_json_str(entry, "file", "?");
    json_int_t line = rb_json_int(entry, "line", 0);
    block->line = line > 0 && line < 10000000 ? (int)line : 1;
    block->fields = json_object_get(entry, "fields");
    if (!json_is_object(block->fields)) {
        block->fields = no_fields();
    }
    return block->kind != NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

enum rb_role rb_lint_role(const char *path)
{
    if (path[0] == '/' && ends_with(path, "/config.lua") && !strstr(path, "/profiles/")) {
        return RB_ROLE_CONFIG; /* a runbook's own files have paths below its folder */
    }
    if (strncmp(path, "stdlib/", 7) == 0 || strncmp(path, "lib/", 4) == 0 || strstr(path, "/lib/")) {
        return RB_ROLE_LIBRARY;
    }
    if (strncmp(path, "profiles/", 9) == 0 || strstr(path, "/profiles/")) {
        return RB_ROLE_PROFILE;
    }
    return ends_with(path, ".drills.lua") ? RB_ROLE_DRILLS : RB_ROLE_RUNBOOK;
}

void rb_lint_label(const struct rb_declared *block, char out[RB_LABEL_MAX])
{
    if (strcmp(block->kind, "runbook") == 0 || !block->id[0]) {
        snprintf(out, RB_LABEL_MAX, "%.64s", block->kind);
    } else {
        snprintf(out, RB_LABEL_MAX, "%.24s \"%.*s\"", block->kind, rb_cut(block->id, 64), block->id);
    }
}

int rb_cut(const char *text, int max)
{
    size_t len = strnlen(text, (size_t)max);
    while (len && (text[len] & 0xC0) == 0x80) {
        len--;
    }
    return (int)len;
}

/* Cutting a long text may split a character; JSON takes whole ones only. */
static json_t *whole_string(char *text)
{
    size_t len = strlen(text);
    while (len && !rb_utf8_valid(text, len)) {
        len--;
    }
    return json_stringn_nocheck(text, len);
}

static void add(struct rb_lint *lint, const char *file, int line, const char *level, char *text)
{
    json_t *problem = json_pack("{s:s, s:i, s:s, s:o, s:s}", "file", file, "line", line, "level", level, "text",
                                whole_string(text), "hint", "");
    if (problem) {
        json_array_append_new(lint->problems, problem);
    }
}

static int place_of(const struct rb_lint *lint, const struct rb_declared *block, const char *field)
{
    const char *source = field ? rb_json_str(lint->sources, block->file, NULL) : NULL;
    return source ? rb_source_field_line(source, block->line, block->kind, block->id, field) : block->line;
}

static void add_about(struct rb_lint *lint, const struct rb_declared *block, const char *field, const char *level,
                      enum rb_text_id id, va_list args)
{
    char text[TEXT_MAX];
    rb_lint_label(block, text);
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, sizeof text - used, ": ");
    vsnprintf(text + used, sizeof text - used, rb_text(id), args);
    add(lint, block->file, place_of(lint, block, field), level, text);
}

void rb_lint_error(struct rb_lint *lint, const struct rb_declared *block, const char *field, enum rb_text_id text, ...)
{
    va_list args;
    va_start(args, text);
    add_about(lint, block, field, "error", text, args);
    va_end(args);
}

void rb_lint_warning(struct rb_lint *lint, const struct rb_declared *block, const char *field, enum rb_text_id text,
                     ...)
{
    va_list args;
    va_start(args, text);
    add_about(lint, block, field, "warning", text, args);
    va_end(args);
}

void rb_lint_hint(struct rb_lint *lint, enum rb_text_id text)
{
    json_t *last = json_array_get(lint->problems, json_array_size(lint->problems) - 1);
    json_object_set_new(last, "hint", json_string(rb_text(text)));
}

void rb_lint_file(struct rb_lint *lint, const char *file, int line, const char *text)
{
    char copy[TEXT_MAX];
    snprintf(copy, sizeof copy, "%s", text);
    add(lint, file, line, "error", copy);
}

bool rb_name_valid(const char *name, char extra)
{
    if (name[0] < 'a' || name[0] > 'z' || strlen(name) > 64) {
        return false;
    }
    for (const char *p = name; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == extra)) {
            return false;
        }
    }
    return true;
}

bool rb_path_id_valid(const char *id)
{
    char before = '/';
    for (const char *p = id; *p; before = *p++) {
        bool word = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        if (!word && (before == '/' || (*p != '-' && *p != '/'))) {
            return false;
        }
    }
    return before != '/' && strlen(id) <= 200;
}

bool rb_lint_is_function(const json_t *value)
{
    return json_is_object(value) && json_object_get(value, "$fn");
}

void rb_lint_value(const json_t *value, char out[RB_LABEL_MAX])
{
    if (rb_lint_is_function(value)) {
        snprintf(out, RB_LABEL_MAX, "%s", rb_text(RB_T_catalog_a_function));
    } else if (json_is_object(value) || json_is_array(value)) {
        snprintf(out, RB_LABEL_MAX, "%s", rb_text(RB_T_catalog_a_table));
    } else if (json_is_string(value)) {
        const char *text = json_string_value(value);
        snprintf(out, RB_LABEL_MAX, "\"%.*s\"", rb_cut(text, 60), text);
    } else if (json_is_integer(value)) {
        snprintf(out, RB_LABEL_MAX, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        snprintf(out, RB_LABEL_MAX, "%g", json_real_value(value));
    } else {
        snprintf(out, RB_LABEL_MAX, "%s", json_is_true(value) ? "true" : json_is_false(value) ? "false" : "nil");
    }
}

const char *rb_words_at(const json_t *value, size_t i)
{
    if (json_is_string(value)) {
        return i == 0 ? json_string_value(value) : NULL;
    }
    return json_string_value(json_array_get(value, i));
}

bool rb_json_empty_table(const json_t *value)
{
    return (json_is_object(value) && !json_object_size(value)) || (json_is_array(value) && !json_array_size(value));
}
