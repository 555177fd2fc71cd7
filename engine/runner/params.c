/* One parameter: from what was given to its declared type. A wrong value is refused
 * before anything runs, in the parameter's own words. */
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"
#include "runner/language_lint.h"
#include "runner/params.h"

#define VALUE_MAX 65536
#define LIST_MAX 1000
#define PATTERN_MAX 256
#define REPEAT_MAX 1000

/* ---- the types of one value: text to JSON; NULL when it is none ---- */

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

static json_t *to_string(const char *text)
{
    return json_string(text);
}

static json_t *to_int(const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool digits = text[0] == '-' ? text[1] >= '0' && text[1] <= '9' : text[0] >= '0' && text[0] <= '9';
    return digits && !*end && !errno ? json_integer(value) : NULL;
}

static json_t *to_number(const char *text)
{
    char *end;
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text)) {
        return NULL;
    }
    json_t *whole = to_int(text);
    if (whole) {
        return whole;
    }
    double value = strtod(text, &end);
    return !*end && isfinite(value) ? json_real(value) : NULL;
}

static json_t *to_bool(const char *text)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    if (rb_word_in(text, yes, 3)) {
        return json_true();
    }
    return rb_word_in(text, no, 3) ? json_false() : NULL;
}

static json_t *whole_or_real(double value)
{
    return value == floor(value) && fabs(value) < 0x1p53 ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *to_duration(const char *text)
{
    double seconds;
    return rb_duration_parse(text, &seconds) == 0 ? whole_or_real(seconds) : NULL;
}

static json_t *to_size(const char *text)
{
    int64_t bytes;
    return rb_size_parse(text, &bytes) == 0 ? json_integer(bytes) : NULL;
}

/* UTC seconds, as now() gives them. */
static json_t *to_time(const char *text)
{
    char day[RB_TIME_MAX];
    int64_t us;
    snprintf(day, sizeof day, "%.20sT00:00:00Z", text);
    if (rb_clock_parse(text, &us) == 0 || (strlen(text) == 10 && rb_clock_parse(day, &us) == 0)) {
        return whole_or_real((double)us / 1e6);
    }
    return NULL;
}

/* A leading "-" would be read as an option by the programs it is handed to. */
static json_t *to_path(const char *text)
{
    return *text && *text != '-' && strlen(text) < 4096 && !has_control(text) ? json_string(text) : NULL;
}

static json_t *only(const char *text, const char *more, size_t max)
{
    for (const char *p = text; *p; p++) {
        bool word = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!word && !strchr(more, *p)) {
            return NULL;
        }
    }
    return *text && *text != '-' && strlen(text) <= max ? json_string(text) : NULL;
}

static json_t *to_host(const char *text)
{
    return only(text, ".-_:[]%", 255);
}

static json_t *to_user(const char *text)
{
    return only(text, ".-_@\\$", 64);
}

static json_t *to_connection(const char *text)
{
    return only(text, ".-_/", 128);
}

/* The name of a secret, never the secret. */
static json_t *to_secret(const char *text)
{
    return only(text, ".-_:/@", 512);
}

static json_t *to_url(const char *text)
{
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    bool fits = scheme > 0 && text[0] >= 'a' && text[0] <= 'z' && strncmp(text + scheme, "://", 3) == 0 && text[scheme + 3];
    return fits && !has_control(text) && !strpbrk(text, " <>\"\\^`{|}") && strlen(text) < 8192 ? json_string(text) : NULL;
}

static json_t *to_json(const char *text)
{
    return rb_json_parse(text, strlen(text), NULL);
}

static json_t *to_regex(const char *text)
{
    return *text && strlen(text) <= 4096 ? json_string(text) : NULL;
}

static const struct param_type {
    const char *name;
    json_t *(*from_text)(const char *text);
    enum rb_text_id wanted;
    const char *example;
} types[] = {
    {"string", to_string, RB_T_catalog_param_string, "TEXT"},
    {"int", to_int, RB_T_catalog_param_int, "10"},
    {"number", to_number, RB_T_catalog_param_number, "0.5"},
    {"bool", to_bool, RB_T_catalog_param_bool, "true"},
    {"enum", to_string, RB_T_catalog_param_string, "WORD"},
    {"duration", to_duration, RB_T_catalog_param_duration, "30s"},
    {"size", to_size, RB_T_catalog_param_size, "64MB"},
    {"time", to_time, RB_T_catalog_param_time, "2026-03-08T05:30:00Z"},
    {"host", to_host, RB_T_catalog_param_host, "HOST"},
    {"url", to_url, RB_T_catalog_param_url, "URL"},
    {"path", to_path, RB_T_catalog_param_path, "PATH"},
    {"regex", to_regex, RB_T_catalog_param_regex, "REGEX"},
    {"json", to_json, RB_T_catalog_param_json, "JSON"},
    {"secret", to_secret, RB_T_catalog_param_secret, "SECRET-NAME"},
    {"user", to_user, RB_T_catalog_param_user, "USER"},
    {"sql", to_connection, RB_T_catalog_param_connection, "CONNECTION"},
    {"redis", to_connection, RB_T_catalog_param_connection, "CONNECTION"},
    {"rpc", to_connection, RB_T_catalog_param_connection, "CONNECTION"},
};

static const struct param_type *find_type(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strlen(types[i].name) == len && strncmp(types[i].name, name, len) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

/* The item type of "list(int)"; NULL when it is no list. */
static const struct param_type *item_type(const char *type)
{
    size_t len = strlen(type);
    bool list = strncmp(type, "list(", 5) == 0 && len > 6 && type[len - 1] == ')';
    return list ? find_type(type + 5, len - 6) : NULL;
}

bool rb_param_type_valid(const char *type)
{
    return find_type(type, strlen(type)) || item_type(type);
}

const char *rb_param_type_nearest(const char *type)
{
    const char *names[sizeof types / sizeof *types];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        names[i] = types[i].name;
    }
    return rb_utf8_nearest(type, names, sizeof types / sizeof *types);
}

const char *rb_param_example(const json_t *param)
{
    const char *type = rb_json_str(param, "type", "string");
    const struct param_type *found = item_type(type);
    found = found ? found : find_type(type, strlen(type));
    return found ? found->example : "VALUE";
}

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

static json_t *refuse(const char *name, const json_t *param, const json_t *given, const char *wanted, struct rb_err *err)
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

static json_t *from_json(const struct param_type *type, const json_t *given)
{
    bool number = json_is_number(given) && isfinite(json_number_value(given));
    if (json_is_string(given)) {
        const char *text = json_string_value(given);
        bool whole = strlen(text) == json_string_length(given) && strlen(text) <= VALUE_MAX;
        return whole ? type->from_text(text) : NULL;
    }
    if (type->from_text == to_json) {
        return json_deep_copy(given);
    }
    if (number && (type->from_text == to_duration || type->from_text == to_size || type->from_text == to_time)) {
        return json_number_value(given) >= 0 ? whole_or_real(json_number_value(given)) : NULL;
    }
    if (number && type->from_text == to_int) {
        json_t *value = whole_or_real(json_number_value(given));
        json_t *whole = json_is_integer(given) ? json_copy((json_t *)given) : json_is_integer(value) ? json_incref(value) : NULL;
        json_decref(value);
        return whole;
    }
    if (number && (type->from_text == to_number || strcmp(type->name, "enum") == 0)) {
        return json_copy((json_t *)given);
    }
    return json_is_boolean(given) && type->from_text == to_bool ? json_copy((json_t *)given) : NULL;
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
        return json_equal(a, b) || (json_is_number(a) && json_is_number(b) && json_number_value(a) == json_number_value(b));
    }
    snprintf(left, sizeof left, "\"%g\"", json_number_value(json_is_string(a) ? b : a)); /* "5" given, 5 declared */
    rb_lint_value(json_is_string(a) ? a : b, right);
    return strcmp(left, right) == 0;
}

/* The declared choice the value is, or NULL. The words of all choices go to wanted. */
static const json_t *chosen(const struct param_type *type, const json_t *choices, const json_t *value, char *wanted, size_t size)
{
    size_t i, used = 0;
    json_t *choice;
    const json_t *found = NULL;
    wanted[0] = 0;
    json_array_foreach((json_t *)choices, i, choice) {
        char one[RB_LABEL_MAX];
        json_t *converted = from_json(type, choice_value(choice));
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

static bool beyond(const struct param_type *type, const json_t *limit, double value, int sign)
{
    json_t *bound = limit ? from_json(type, limit) : NULL;
    bool past = json_is_number(bound) && (value - json_number_value(bound)) * sign > 0;
    json_decref(bound);
    return past;
}

/* Words for min and max as they are written, for the message. */
static json_t *check_range(const char *name, const json_t *param, const struct param_type *type, double amount,
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

static json_t *one_value(const char *name, const json_t *param, const struct param_type *type, const json_t *given,
                         bool list, struct rb_err *err)
{
    char wanted[512];
    json_t *value = from_json(type, given);
    if (!value) {
        return refuse(name, param, given, rb_text(type->wanted), err);
    }
    const json_t *choices = json_object_get(param, "choices");
    if (json_is_array(choices)) {
        const json_t *found = chosen(type, choices, value, wanted, sizeof wanted);
        json_decref(value);
        return found ? from_json(type, found) : refuse(name, param, given, wanted, err);
    }
    const char *pattern = rb_json_str(param, "pattern", NULL);
    if (pattern && json_is_string(value) && rb_param_pattern(pattern, json_string_value(value)) != 1) {
        snprintf(wanted, sizeof wanted, rb_text(RB_T_catalog_param_like), rb_cut(pattern, 200), pattern);
        json_decref(value);
        return refuse(name, param, given, wanted, err);
    }
    return list || !json_is_number(value) ? value : check_range(name, param, type, json_number_value(value), given, value, err);
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

static json_t *list_value(const char *name, const json_t *param, const struct param_type *type, const json_t *given,
                          struct rb_err *err)
{
    json_t *items = json_is_string(given) ? split(json_string_value(given))
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
    list = check_range(name, param, find_type("int", 3), (double)json_array_size(list), given, list, err);
done:
    json_decref(items);
    return list;
}

json_t *rb_param_convert(const char *name, const json_t *param, const json_t *given, struct rb_err *err)
{
    const char *name_of_type = rb_json_str(param, "type", "string");
    const struct param_type *item = item_type(name_of_type);
    const struct param_type *type = find_type(name_of_type, strlen(name_of_type));
    if (!item && !type) {
        rb_err_set(err, RB_ELOAD, RB_T_catalog_param_type, rb_cut(name, 64), name, rb_cut(name_of_type, 64), name_of_type);
        return NULL;
    }
    return item ? list_value(name, param, item, given, err) : one_value(name, param, type, given, false, err);
}
