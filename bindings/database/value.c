#include "database/value.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define NUMBER_MAX 400 /* characters of a double, written out */

static json_t *text(const char *data, size_t len)
{
    return rb_json_bytes(data, len);
}

static json_t *boolean(const char *data, size_t len)
{
    return len == 1 && (*data == 't' || *data == 'f') ? json_boolean(*data == 't') : text(data, len);
}

static json_t *integer(const char *data, size_t len)
{
    char copy[32], *end = copy;
    if (len == 0 || len >= sizeof copy || isspace((unsigned char)*data)) {
        return text(data, len);
    }
    memcpy(copy, data, len);
    copy[len] = '\0';
    errno = 0;
    long long n = strtoll(copy, &end, 10);
    return errno == 0 && end == copy + len ? json_integer(n) : text(data, len);
}

static json_t *real(const char *data, size_t len)
{
    char copy[NUMBER_MAX], *end = copy;
    if (len == 0 || len >= sizeof copy || isspace((unsigned char)*data)) {
        return text(data, len);
    }
    memcpy(copy, data, len);
    copy[len] = '\0';
    double n = strtod(copy, &end);
    return end == copy + len && isfinite(n) ? json_real(n) : text(data, len);
}

static json_t *parsed(const char *data, size_t len)
{
    json_t *value = rb_json_parse(data, len, NULL);
    return value ? value : text(data, len);
}

/* "2026-01-02 03:04:05.678+08" -> "2026-01-02T03:04:05.678+08:00"; +00 is Z. Anything else stays as it is. */
static json_t *moment(const char *data, size_t len)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd";
    char out[48];
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        if (i >= len || (shape[i] == 'd' ? !isdigit((unsigned char)data[i]) : data[i] != shape[i])) {
            return text(data, len);
        }
    }
    size_t at = sizeof shape - 1;
    if (at < len && data[at] == '.') {
        for (at++; at < len && isdigit((unsigned char)data[at]); at++) {
        }
    }
    size_t left = len - at;
    if (len + 4 > sizeof out || (left > 0 && data[at] != '+' && data[at] != '-')) {
        return text(data, len);
    }
    memcpy(out, data, len);
    out[10] = 'T';
    if (left == 3 && memcmp(data + at, "+00", 3) == 0) {
        out[at] = 'Z';
        len = at + 1;
    } else if (left == 3) {
        memcpy(out + len, ":00", 3);
        len += 3;
    }
    return text(out, len);
}

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

static json_t *hex(const char *data, size_t len)
{
    if (len < 2 || len % 2 != 0 || data[0] != '\\' || data[1] != 'x') {
        return text(data, len);
    }
    char *bytes = malloc(len / 2 + 1);
    if (!bytes) {
        return NULL;
    }
    for (size_t i = 2; i < len; i += 2) {
        int high = digit(data[i]), low = digit(data[i + 1]);
        if (high < 0 || low < 0) {
            free(bytes);
            return text(data, len);
        }
        bytes[i / 2 - 1] = (char)(high << 4 | low);
    }
    json_t *value = text(bytes, len / 2 - 1);
    free(bytes);
    return value;
}

static json_t *bits(const char *data, size_t len)
{
    unsigned long long n = 0;
    if (len > sizeof n) {
        return text(data, len);
    }
    for (size_t i = 0; i < len; i++) {
        n = n << 8 | (unsigned char)data[i];
    }
    return n > INT64_MAX ? json_sprintf("%llu", n) : json_integer((json_int_t)n);
}

json_t *rb_value_json(enum rb_value_kind kind, const char *data, size_t len)
{
    static json_t *(*const of[])(const char *, size_t) = {
        [RB_VALUE_TEXT] = text,   [RB_VALUE_BOOL] = boolean,  [RB_VALUE_INT] = integer, [RB_VALUE_REAL] = real,
        [RB_VALUE_JSON] = parsed, [RB_VALUE_MOMENT] = moment, [RB_VALUE_HEX] = hex,     [RB_VALUE_BITS] = bits,
    };
    return of[kind](data, len);
}
