/* The types of one value: text or JSON to the value a runbook sees; NULL when it is none. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "runner/params.h"

#define VALUE_MAX 65536

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

/* A name, a path or an address; whether there is one is seen when the configuration is known. */
static json_t *to_connection(const char *text)
{
    return strstr(text, "://") || text[0] == '/' ? (has_control(text) ? NULL : json_string(text))
                                                 : only(text, ".-_/", 128);
}

/* The name of a secret, never the secret: a token, which Lua cannot look into. */
static json_t *to_secret(const char *text)
{
    json_t *name = only(text, ".-_:/@", 512);
    return name ? json_pack("{s:o}", "$secret", name) : NULL;
}

static json_t *secret_from_json(const json_t *given)
{
    const char *name = json_object_size(given) == 1 ? rb_json_str(given, "$secret", NULL) : NULL;
    return name ? to_secret(name) : NULL;
}

static json_t *to_url(const char *text)
{
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    bool fits =
        scheme > 0 && text[0] >= 'a' && text[0] <= 'z' && strncmp(text + scheme, "://", 3) == 0 && text[scheme + 3];
    return fits && !has_control(text) && !strpbrk(text, " <>\"\\^`{|}") && strlen(text) < 8192 ? json_string(text)
                                                                                               : NULL;
}

static json_t *to_json(const char *text)
{
    return rb_json_parse(text, strlen(text), NULL);
}

static json_t *to_regex(const char *text)
{
    return *text && strlen(text) <= 4096 ? json_string(text) : NULL;
}

static const struct rb_param_type types[] = {
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

const struct rb_param_type *rb_param_type_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strlen(types[i].name) == len && strncmp(types[i].name, name, len) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const struct rb_param_type *rb_param_type_item(const char *type)
{
    size_t len = strlen(type);
    bool list = strncmp(type, "list(", 5) == 0 && len > 6 && type[len - 1] == ')';
    return list ? rb_param_type_find(type + 5, len - 6) : NULL;
}

bool rb_param_type_valid(const char *type)
{
    return rb_param_type_find(type, strlen(type)) || rb_param_type_item(type);
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
    const struct rb_param_type *found = rb_param_type_item(type);
    found = found ? found : rb_param_type_find(type, strlen(type));
    return found ? found->example : "VALUE";
}

json_t *rb_param_from_json(const struct rb_param_type *type, const json_t *given)
{
    bool number = json_is_number(given) && isfinite(json_number_value(given));
    if (json_is_string(given)) {
        const char *text = json_string_value(given);
        bool whole = strlen(text) == json_string_length(given) && strlen(text) <= VALUE_MAX;
        return whole ? type->from_text(text) : NULL;
    }
    if (type->from_text == to_secret) {
        return secret_from_json(given);
    }
    if (type->from_text == to_json) {
        return json_deep_copy(given);
    }
    if (number && (type->from_text == to_duration || type->from_text == to_size || type->from_text == to_time)) {
        return json_number_value(given) >= 0 ? whole_or_real(json_number_value(given)) : NULL;
    }
    if (number && type->from_text == to_int) {
        json_t *value = whole_or_real(json_number_value(given));
        json_t *whole = json_is_integer(given)   ? json_copy((json_t *)given)
                        : json_is_integer(value) ? json_incref(value)
                                                 : NULL;
        json_decref(value);
        return whole;
    }
    if (number && (type->from_text == to_number || strcmp(type->name, "enum") == 0)) {
        return json_copy((json_t *)given);
    }
    return json_is_boolean(given) && type->from_text == to_bool ? json_copy((json_t *)given) : NULL;
}
