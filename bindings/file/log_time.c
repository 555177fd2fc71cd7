#include "file/log_time.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define LOOK_MAX 256
#define NO_ZONE INT32_MAX

struct cursor {
    const char *at, *end;
};

static bool is_digit(const struct cursor *c, size_t i)
{
    return c->at + i < c->end && isdigit((unsigned char)c->at[i]);
}

/* Exactly n digits. */
static bool digits(struct cursor *c, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit(c, 0)) {
            return false;
        }
        *out = *out * 10 + (*c->at++ - '0');
    }
    return true;
}

static bool one_of(struct cursor *c, const char *set, char *which)
{
    if (c->at >= c->end || !*c->at || !strchr(set, *c->at)) {
        return false;
    }
    *which = *c->at++;
    return true;
}

static bool month_name(struct cursor *c, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; i < 12 && c->end - c->at >= 3; i++) {
        if (memcmp(c->at, names + (ptrdiff_t)3 * i, 3) == 0) {
            c->at += 3;
            *month = i + 1;
            return true;
        }
    }
    return false;
}

/* 05:30:00, and a fraction after . or , */
static bool clock_time(struct cursor *c, struct tm *tm)
{
    char colon;

    if (!digits(c, 2, &tm->tm_hour) || !one_of(c, ":", &colon) || !digits(c, 2, &tm->tm_min) ||
        !one_of(c, ":", &colon) || !digits(c, 2, &tm->tm_sec) || tm->tm_hour > 23 || tm->tm_min > 59 ||
        tm->tm_sec > 60) {
        return false;
    }
    if (c->at < c->end && (*c->at == '.' || *c->at == ',') && is_digit(c, 1)) {
        c->at++;
        while (is_digit(c, 0)) {
            c->at++;
        }
    }
    return true;
}

/* Z, +08:00, +0800, with or without a blank before it; else NO_ZONE. In seconds. */
static int32_t zone(struct cursor *c)
{
    struct cursor z = *c;
    int hours, minutes;
    char sign;

    if (z.at < z.end && *z.at == 'Z') {
        return 0;
    }
    if (z.at < z.end && *z.at == ' ') {
        z.at++;
    }
    if (!one_of(&z, "+-", &sign) || !digits(&z, 2, &hours)) {
        return NO_ZONE;
    }
    if (z.at < z.end && *z.at == ':') {
        z.at++;
    }
    if (!digits(&z, 2, &minutes) || hours > 14 || minutes > 59) {
        return NO_ZONE;
    }
    return (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static bool finish(struct tm *tm, int year, int month, int32_t offset, int64_t *utc)
{
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || tm->tm_mday < 1 || tm->tm_mday > 31) {
        return false;
    }
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_isdst = -1;
    *utc = offset == NO_ZONE ? (int64_t)mktime(tm) : (int64_t)timegm(tm) - offset;
    return *utc >= 0;
}

/* 2026-03-08T05:30:00, 2026/03/08 05:30:00 */
static bool iso(struct cursor c, int64_t *utc)
{
    struct tm tm = {0};
    int year, month;
    char first, second, gap;

    return digits(&c, 4, &year) && one_of(&c, "-/", &first) && digits(&c, 2, &month) && one_of(&c, "-/", &second) &&
           first == second && digits(&c, 2, &tm.tm_mday) && one_of(&c, "T _", &gap) && clock_time(&c, &tm) &&
           finish(&tm, year, month, zone(&c), utc);
}

/* 08/Mar/2026:05:30:00 +0000 */
static bool access_log(struct cursor c, int64_t *utc)
{
    struct tm tm = {0};
    int year, month;
    char gap;

    return digits(&c, 2, &tm.tm_mday) && one_of(&c, "/-", &gap) && month_name(&c, &month) && one_of(&c, "/-", &gap) &&
           digits(&c, 4, &year) && one_of(&c, ": ", &gap) && clock_time(&c, &tm) &&
           finish(&tm, year, month, zone(&c), utc);
}

/* Mar  8 05:30:00: no year, so it is the last one that is not in the future. */
static bool syslog(struct cursor c, int64_t now, int64_t *utc)
{
    time_t seconds = (time_t)now;
    struct tm tm = {0}, today, again;
    int month;
    char gap;

    if (!month_name(&c, &month) || !one_of(&c, " ", &gap)) {
        return false;
    }
    if (c.at < c.end && *c.at == ' ') {
        c.at++;
        if (!digits(&c, 1, &tm.tm_mday)) {
            return false;
        }
    } else if (!digits(&c, 2, &tm.tm_mday)) {
        return false;
    }
    if (!one_of(&c, " ", &gap) || !clock_time(&c, &tm) || !localtime_r(&seconds, &today)) {
        return false;
    }
    again = tm;
    return finish(&tm, today.tm_year + 1900, month, NO_ZONE, utc) &&
           (*utc <= now + 86400 || finish(&again, today.tm_year + 1899, month, NO_ZONE, utc));
}

/* 10 digits of seconds or 13 of milliseconds, of this century. */
static bool epoch(struct cursor c, int64_t *utc)
{
    int64_t value = 0;
    int n = 0;

    while (is_digit(&c, (size_t)n) && n < 14) {
        value = value * 10 + (c.at[n++] - '0');
    }
    *utc = n == 13 ? value / 1000 : value;
    return (n == 10 || n == 13) && *utc >= 946684800 && *utc < 4102444800;
}

bool rb_log_time(const char *line, size_t len, int64_t now, int64_t *utc)
{
    struct cursor c = {line, line + (len < LOOK_MAX ? len : LOOK_MAX)};
    bool inside = false; /* a word goes on: nothing begins here */

    for (; c.at < c.end; c.at++) {
        bool digit = isdigit((unsigned char)*c.at);
        if (!inside && ((digit && (iso(c, utc) || access_log(c, utc) || epoch(c, utc))) ||
                        (isupper((unsigned char)*c.at) && syslog(c, now, utc)))) {
            return true;
        }
        inside = digit || isalpha((unsigned char)*c.at);
    }
    return false;
}
