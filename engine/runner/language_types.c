/* The types of fields (language.h) and what an author is told when a value is none of its type. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "runner/language.h"
#include "runner/language_lint.h"

#define LIST_MAX 1000

static const char *const severities[] = {"P0", "P1", "P2", "P3", "P4"};
static const char *const risks[] = {"low", "medium", "high", "critical"};

bool rb_word_in(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; word && i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A string, or { zh = …, en = … } with nothing else in it. */
bool rb_is_text(const json_t *value)
{
    if (json_is_string(value)) {
        return json_string_length(value) > 0;
    }
    const char *key;
    json_t *one;
    json_object_foreach((json_t *)value, key, one) {
        if ((strcmp(key, "zh") && strcmp(key, "en")) || !json_is_string(one)) {
            return false;
        }
    }
    return json_object_size(value) > 0;
}

static const char *missing_language(const json_t *value)
{
    if (!json_is_object(value)) {
        return NULL;
    }
    const char *zh = rb_json_str(value, "zh", ""), *en = rb_json_str(value, "en", "");
    return !zh[0] ? "zh" : !en[0] ? "en" : NULL;
}

static bool is_list_of(const json_t *value, bool (*one)(const json_t *))
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)value, i, item) {
        if (!one(item)) {
            return false;
        }
    }
    return json_is_array(value) && json_array_size(value) <= LIST_MAX;
}

static bool is_word(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0;
}

static bool is_words(const json_t *value)
{
    return is_word(value) || rb_json_empty_table(value) || is_list_of(value, is_word);
}

static bool is_texts(const json_t *value)
{
    return rb_is_text(value) || rb_json_empty_table(value) || is_list_of(value, rb_is_text);
}

static bool is_duration(const json_t *value)
{
    double seconds;
    if (json_is_number(value)) {
        return json_number_value(value) >= 0;
    }
    return json_is_string(value) && rb_duration_parse(json_string_value(value), &seconds) == 0;
}

static bool is_size(const json_t *value)
{
    int64_t bytes;
    if (json_is_integer(value)) {
        return json_integer_value(value) >= 0;
    }
    return json_is_string(value) && rb_size_parse(json_string_value(value), &bytes) == 0;
}

static bool is_map(const json_t *value)
{
    return (json_is_object(value) && !rb_lint_is_function(value)) || rb_json_empty_table(value);
}

static bool is_choice(const json_t *value)
{
    return json_is_string(value) || json_is_number(value) || json_is_boolean(value) ||
           (json_is_object(value) && json_object_get(value, "value") && !json_is_null(json_object_get(value, "value")));
}

static bool is_date(const json_t *value)
{
    char text[RB_TIME_MAX];
    int64_t us;
    if (!json_is_string(value) || json_string_length(value) != 10) {
        return false;
    }
    snprintf(text, sizeof text, "%sT00:00:00Z", json_string_value(value));
    return rb_clock_parse(text, &us) == 0;
}

static bool is_enum(const char *list, const json_t *value)
{
    const char *word = json_string_value(value);
    size_t len = word ? strlen(word) : 0;
    for (const char *p = list; len && *p; p += strcspn(p, "|"), p += *p == '|') {
        if (strcspn(p, "|") == len && strncmp(p, word, len) == 0) {
            return true;
        }
    }
    return false;
}

bool rb_severity_valid(const char *word)
{
    return rb_word_in(word, severities, 5);
}

static bool is_severity(const json_t *value)
{
    return rb_severity_valid(json_string_value(value));
}

static bool is_risk(const json_t *value)
{
    return rb_word_in(json_string_value(value), risks, 4);
}

static bool is_bool(const json_t *value)
{
    return json_is_boolean(value);
}

static bool is_int(const json_t *value)
{
    double number = json_number_value(value);
    return json_is_integer(value) ||
           (json_is_real(value) && number > -1e9 && number < 1e9 && number == (double)(long)number);
}

static bool is_any(const json_t *value)
{
    return !rb_lint_is_function(value);
}

static bool is_choices(const json_t *value)
{
    return is_list_of(value, is_choice) && json_array_size(value) > 0;
}

static bool is_findings_or_function(const json_t *value)
{
    return is_words(value) || rb_lint_is_function(value);
}

static bool is_words_or_map(const json_t *value)
{
    return is_words(value) || is_map(value);
}

const char *rb_secret_name(const json_t *value)
{
    const char *name = json_object_size(value) == 1 ? rb_json_str(value, "secret", NULL) : NULL;
    return name && name[0] ? name : NULL;
}

static bool is_secret(const json_t *value)
{
    return rb_secret_name(value) != NULL;
}

static bool is_word_or_secret(const json_t *value)
{
    return is_word(value) || is_secret(value);
}

static bool is_command(const json_t *value)
{
    return is_list_of(value, is_word) && json_array_size(value) > 0;
}

static bool is_headers(const json_t *value)
{
    const char *name;
    json_t *one;
    json_object_foreach((json_t *)value, name, one) {
        if (!name[0] || !is_word_or_secret(one)) {
            return false;
        }
    }
    return is_map(value);
}

/* { user = "reader", password = { secret = "name" } }, one of them at least. */
static bool is_account(const json_t *value)
{
    const json_t *user = json_object_get(value, "user"), *password = json_object_get(value, "password");
    size_t known = (user != NULL) + (password != NULL);
    return known && json_object_size(value) == known && (!user || is_word(user)) && (!password || is_secret(password));
}

static const struct type {
    const char *name;
    bool (*holds)(const json_t *);
    enum rb_text_id wanted;
} types[] = {
    {"text", rb_is_text, RB_T_catalog_want_text},
    {"texts", is_texts, RB_T_catalog_want_texts},
    {"string", is_word, RB_T_catalog_want_string},
    {"words", is_words, RB_T_catalog_want_words},
    {"finding", is_word, RB_T_catalog_want_finding},
    {"findings", is_words, RB_T_catalog_want_findings},
    {"findings or function", is_findings_or_function, RB_T_catalog_want_when},
    {"words or map", is_words_or_map, RB_T_catalog_want_links},
    {"duration", is_duration, RB_T_catalog_want_duration},
    {"size", is_size, RB_T_catalog_want_size},
    {"bool", is_bool, RB_T_catalog_want_bool},
    {"int", is_int, RB_T_catalog_want_int},
    {"any", is_any, RB_T_catalog_want_any},
    {"function", rb_lint_is_function, RB_T_catalog_want_function},
    {"questions", is_map, RB_T_catalog_want_questions},
    {"map", is_map, RB_T_catalog_want_map},
    {"choices", is_choices, RB_T_catalog_want_choices},
    {"date", is_date, RB_T_catalog_want_date},
    {"severity", is_severity, RB_T_catalog_want_severity},
    {"risk", is_risk, RB_T_catalog_want_risk},
    {"secret", is_secret, RB_T_config_want_secret},
    {"string or secret", is_word_or_secret, RB_T_config_want_word_or_secret},
    {"command", is_command, RB_T_config_want_command},
    {"headers", is_headers, RB_T_config_want_headers},
    {"account", is_account, RB_T_config_want_account},
};

/* What stands where a secret should may be the secret itself: it is not repeated. */
static void wrong_type(struct rb_lint *lint, const struct rb_declared *block, const char *field,
                       const struct type *type, const json_t *value)
{
    char got[RB_LABEL_MAX];
    if (type->holds == is_secret || type->holds == is_headers || type->holds == is_account) {
        rb_lint_error(lint, block, field, RB_T_config_wrong_secret, field, rb_text(type->wanted));
        return;
    }
    rb_lint_value(value, got);
    rb_lint_error(lint, block, field, RB_T_catalog_wrong_type, field, rb_text(type->wanted), got);
}

static void wrong_enum(struct rb_lint *lint, const struct rb_declared *block, const char *field, const char *list,
                       const json_t *value)
{
    char wanted[256] = "", got[RB_LABEL_MAX];
    size_t used = 0;
    for (const char *p = list; *p && used + 32 < sizeof wanted; p += strcspn(p, "|"), p += *p == '|') {
        used +=
            (size_t)snprintf(wanted + used, sizeof wanted - used, "%s%.*s", used ? ", " : "", (int)strcspn(p, "|"), p);
    }
    rb_lint_value(value, got);
    rb_lint_error(lint, block, field, RB_T_catalog_wrong_enum, field, wanted, got);
}

void rb_lint_translation(struct rb_lint *lint, const struct rb_declared *block, const char *field, const json_t *value)
{
    const char *lang = missing_language(value);
    if (lang) {
        rb_lint_error(lint, block, field, RB_T_catalog_one_language, field, lang);
    }
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)value, i, item) {
        rb_lint_translation(lint, block, field, item);
    }
}

/* False when the value is not what the field takes; the problem is then noted. */
bool rb_lint_type(struct rb_lint *lint, const struct rb_declared *block, const struct rb_field *field,
                  const json_t *value)
{
    if (strncmp(field->type, "enum:", 5) == 0) {
        if (!is_enum(field->type + 5, value)) {
            wrong_enum(lint, block, field->name, field->type + 5, value);
            return false;
        }
        return true;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, field->type) == 0 && !types[i].holds(value)) {
            wrong_type(lint, block, field->name, &types[i], value);
            return false;
        }
    }
    if (strncmp(field->type, "text", 4) == 0) {
        rb_lint_translation(lint, block, field->name, value);
    }
    return true;
}
