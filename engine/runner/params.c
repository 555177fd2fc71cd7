/* One parameter: from what was given to its declared type. A wrong value is refused
 * before anything runs, in the parameter's own words. */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "runner/language.h"
#include "runner/language_lint.h"
#include "runner/params.h"

#define LIST_MAX 1000
#define PATTERN_MAX 256
#define REPEAT_MAX 1000

/* ---- what a value must keep besides its type ---- */

void rb_param_label(const char *name, const json_t *param, char out[RB_LABEL_MAX])
{
    const char *title = rb_text_json(json_object_get(param, "title"));
    if (title[0]) {
        snprintf(out, RB_LABEL_MAX, "%.*s (%.*s)", rb_cut(name, 40), name, rb_cut(title, 100), title);
    } else {
        snprintf(out, RB_LABEL_MAX, "%.*s", rb_cut(name, 64), name);
    }
}

static bool is_secret(const json_t *param)
{
    const char *type = rb_json_str(param, "type", "");
    return strcmp(type, "secret") == 0 || strcmp(type, "list(secret)") == 0;
}

static json_t *refuse(const char *name, const json_t *param, const json_t *given, const char *wanted,
                      struct rb_err *err)
{
    char label[RB_LABEL_MAX], got[RB_LABEL_MAX];
    rb_param_label(name, param, label);
    rb_lint_value(given, got);
    if (is_secret(param)) { /* what was typed there may be the secret itself */
        rb_err_set(err, RB_EUSAGE, RB_T_catalog_param_refused_secret, label, wanted);
    } else {
        rb_err_set(err, RB_EUSAGE, RB_T_catalog_param_refused, label, wanted, got);
    }
    return NULL;
}

/* {n} repeats copy the expression: their product bounds what regcomp may build. */
static bool pattern_is_small(const char *pattern)
{
    long product = 1;
    for (const char *p = strchr(pattern, '{'); p; p = strchr(p + 1, '{')) {
        long most = 1;
        for (const char *q = p + 1; *q && *q != '}'; q++) {
            long n = strtol(q, NULL, 10);
            most = n > most ? n : most;
        }
        product = most > REPEAT_MAX ? REPEAT_MAX + 1 : product * most;
        if (product > REPEAT_MAX) {
            return false;
        }
    }
    return strlen(pattern) <= PATTERN_MAX;
}

int rb_param_pattern(const char *pattern, const char *text)
{
    char whole[PATTERN_MAX + 8];
    regex_t regex;
    if (!pattern_is_small(pattern)) {
        return RB_EUSAGE;
    }
    snprintf(whole, sizeof whole, "^(%s)$", pattern);
    if (regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB)) {
        return RB_EUSAGE;
    }
    int rc = text ? regexec(&regex, text, 0, NULL, 0) == 0 : 0;
    regfree(&regex);
    return rc;
}

static const json_t *choice_value(const json_t *choice)
{
    return json_is_object(choice) ? json_object_get(choice, "value") : choice;
}

static bool same(const json_t *a, const json_t *b)
{
    char left[RB_LABEL_MAX], right[RB_LABEL_MAX];
    if (json_is_string(a) == json_is_string(b)) {
        return json_equal(a, b) ||
               (json_is_number(a) && json_is_number(b) && json_number_value(a) == json_number_value(b));
    }
    snprintf(left, sizeof left, "\"%g\"", json_number_value(json_is_string(a) ? b : a)); /* "5" given, 5 declared */
    rb_lint_value(json_is_string(a) ? a : b, right);
    return strcmp(left, right) == 0;
}

/* The declared choice the value is, or NULL. The words of all choices go to wanted. */
static const json_t *chosen(const struct rb_param_type *type, const json_t *choices, const json_t *value, char *wanted,
                            size_t size)
{
    size_t i, used = 0;
    json_t *choice;
    const json_t *found = NULL;
    wanted[0] = 0;
    json_array_foreach((json_t *)choices, i, choice) {
        char one[RB_LABEL_MAX];
        json_t *converted = rb_param_from_json(type, choice_value(choice));
        if (!found && converted && same(converted, value)) {
            found = choice_value(choice);
        }
        json_decref(converted);
        rb_lint_value(choice_value(choice), one);
        if (used + strlen(one) + 8 < size) {
            used += (size_t)snprintf(wanted + used, size - used, "%s%s", used ? ", " : "", one);
        }
    }
    return found;
}

static bool beyond(const struct rb_param_type *type, const json_t *limit, double value, int sign)
{
    json_t *bound = limit ? rb_param_from_json(type, limit) : NULL;
    bool past = json_is_number(bound) && (value - json_number_value(bound)) * sign > 0;
    json_decref(bound);
    return past;
}

/* Words for min and max as they are written, for the message. */
static json_t *check_range(const char *name, const json_t *param, const struct rb_param_type *type, double amount,
                           const json_t *given, json_t *value, struct rb_err *err)
{
    const json_t *min = json_object_get(param, "min"), *max = json_object_get(param, "max");
    char wanted[2 * RB_LABEL_MAX + 64], bound[RB_LABEL_MAX];
    bool low = beyond(type, min, amount, -1), high = beyond(type, max, amount, 1);
    if (!low && !high) {
        return value;
    }
    rb_lint_value(low ? min : max, bound);
    snprintf(wanted, sizeof wanted, rb_text(low ? RB_T_catalog_param_at_least : RB_T_catalog_param_at_most), bound);
    json_decref(value);
    return refuse(name, param, given, wanted, err);
}

static json_t *one_value(const char *name, const json_t *param, const struct rb_param_type *type, const json_t *given,
                         bool list, struct rb_err *err)
{
    char wanted[512];
    json_t *value = rb_param_from_json(type, given);
    if (!value) {
        return refuse(name, param, given, rb_text(type->wanted), err);
    }
    const json_t *choices = json_object_get(param, "choices");
    if (json_is_array(choices)) {
        const json_t *found = chosen(type, choices, value, wanted, sizeof wanted);
        json_decref(value);
        return found ? rb_param_from_json(type, found) : refuse(name, param, given, wanted, err);
    }
    const char *pattern = rb_json_str(param, "pattern", NULL);
    if (pattern && json_is_string(value) && rb_param_pattern(pattern, json_string_value(value)) != 1) {
        snprintf(wanted, sizeof wanted, rb_text(RB_T_catalog_param_like), rb_cut(pattern, 200), pattern);
        json_decref(value);
        return refuse(name, param, given, wanted, err);
    }
    return list || !json_is_number(value) ? value
                                          : check_range(name, param, type, json_number_value(value), given, value, err);
}

/* "a, b" to ["a","b"]; a text that begins with [ is JSON. */
static json_t *split(const char *text)
{
    if (text[strspn(text, " ")] == '[') {
        return rb_json_parse(text, strlen(text), NULL);
    }
    json_t *list = json_array();
    while (*text) {
        size_t len = strcspn(text, ","), start = strspn(text, " ");
        size_t begin = start < len ? start : len, end = len;
        while (end > begin && text[end - 1] == ' ') {
            end--;
        }
        json_array_append_new(list, json_stringn(text + begin, end - begin));
        text += len + (text[len] == ',');
    }
    return list;
}

static json_t *list_value(const char *name, const json_t *param, const struct rb_param_type *type, const json_t *given,
                          struct rb_err *err)
{
    json_t *items = json_is_string(given)        ? split(json_string_value(given))
                    : rb_json_empty_table(given) ? json_array()
                                                 : json_incref((json_t *)given);
    json_t *list = json_array(), *item;
    size_t i;
    if (!json_is_array(items) || json_array_size(items) > LIST_MAX) {
        json_decref(list);
        list = refuse(name, param, given, rb_text(RB_T_catalog_param_list), err);
        goto done;
    }
    json_array_foreach(items, i, item) {
        json_t *value = one_value(name, param, type, item, true, err);
        if (!value) {
            json_decref(list);
            list = NULL;
            goto done;
        }
        json_array_append_new(list, value);
    }
    list = check_range(name, param, rb_param_type_find("int", 3), (double)json_array_size(list), given, list, err);
done:
    json_decref(items);
    return list;
}

json_t *rb_param_convert(const char *name, const json_t *param, const json_t *given, struct rb_err *err)
{
    const char *name_of_type = rb_json_str(param, "type", "string");
    const struct rb_param_type *item = rb_param_type_item(name_of_type);
    const struct rb_param_type *type = rb_param_type_find(name_of_type, strlen(name_of_type));
    if (!item && !type) {
        rb_err_set(err, RB_ELOAD, RB_T_catalog_param_type, rb_cut(name, 64), name, rb_cut(name_of_type, 64),
                   name_of_type);
        return NULL;
    }
    return item ? list_value(name, param, item, given, err) : one_value(name, param, type, given, false, err);
}
