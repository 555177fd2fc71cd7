/* The last line of a zone file, a POSIX TZ string with RFC 8536's wider times: the rules for all years to
 * come. */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "when/zone_private.h"

#define DAY 86400
#define TIME_MAX (167 * 3600 + 3599)
#define CHANGES 6 /* two a year, three years around the instant */

struct reader {
    const char *at, *end;
};

static bool take(struct reader *r, char c)
{
    bool there = r->at < r->end && *r->at == c;
    r->at += there;
    return there;
}

static bool number(struct reader *r, int max, int *value)
{
    const char *start = r->at;
    for (*value = 0; r->at < r->end && isdigit((unsigned char)*r->at) && *value <= max; r->at++) {
        *value = *value * 10 + (*r->at - '0');
    }
    return r->at > start && *value <= max;
}

/* "EST" or "<+1030>"; only its length matters here. */
static bool name(struct reader *r)
{
    const char *start = r->at;
    if (take(r, '<')) {
        while (r->at < r->end && *r->at != '>') {
            r->at++;
        }
        return r->at - start > 1 && take(r, '>');
    }
    while (r->at < r->end && isalpha((unsigned char)*r->at)) {
        r->at++;
    }
    return r->at - start >= 3;
}

/* "[+-]hh[:mm[:ss]]" in seconds. */
static bool clock_time(struct reader *r, int hours_max, int32_t *seconds)
{
    int sign = take(r, '-') ? -1 : 1, hours, minutes = 0, rest = 0;
    if (sign == 1) {
        (void)take(r, '+');
    }
    bool good = number(r, hours_max, &hours);
    if (good && take(r, ':')) {
        good = number(r, 59, &minutes);
        if (good && take(r, ':')) {
            good = number(r, 59, &rest);
        }
    }
    *seconds = good ? sign * (hours * 3600 + minutes * 60 + rest) : 0;
    return good;
}

static bool month_day(struct reader *r, struct rule *rule)
{
    return number(r, 12, &rule->month) && rule->month >= 1 && take(r, '.') && number(r, 5, &rule->week) &&
           rule->week >= 1 && take(r, '.') && number(r, 6, &rule->day);
}

static bool rule_read(struct reader *r, struct rule *rule)
{
    *rule = (struct rule){.kind = take(r, 'M') ? 'M' : take(r, 'J') ? 'J' : 'N', .time = 2 * 3600};
    bool good = rule->kind == 'M' ? month_day(r, rule) : number(r, 365, &rule->day);
    if (rule->kind == 'J' && rule->day < 1) {
        return false;
    }
    if (good && take(r, '/')) {
        good = clock_time(r, 167, &rule->time);
    }
    return good;
}

static bool dst_read(struct reader *r, struct footer *footer)
{
    int32_t west;
    footer->dst = true;
    footer->dst_offset = footer->offset + 3600;
    if (!name(r)) {
        return false;
    }
    if (r->at < r->end && *r->at != ',') {
        if (!clock_time(r, 24, &west)) {
            return false;
        }
        footer->dst_offset = -west;
    }
    return take(r, ',') && rule_read(r, &footer->start) && take(r, ',') && rule_read(r, &footer->end);
}

bool footer_parse(struct footer *footer, const char *text, size_t len)
{
    struct reader r = {text, text + len};
    int32_t west;
    *footer = (struct footer){.any = true};
    if (!name(&r) || !clock_time(&r, 24, &west)) {
        return false;
    }
    footer->offset = -west;
    return (r.at == r.end || dst_read(&r, footer)) && r.at == r.end;
}

/* ---- the changes of a year ---- */

static int64_t days_of(int year, int month)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};
    return timegm(&tm) / DAY;
}

static int days_in_month(int year, int month)
{
    return (int)(days_of(year, month + 1) - days_of(year, month));
}

static bool leap(int year)
{
    return days_in_month(year, 2) == 29;
}

/* The week'th weekday of a month; the fifth is the last. */
static int64_t nth_weekday(const struct rule *rule, int year)
{
    int64_t first = days_of(year, rule->month);
    int weekday = (int)((first + 4) % 7); /* 1970 began on a Thursday */
    weekday = weekday < 0 ? weekday + 7 : weekday;
    int day = (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
    return first + (day >= days_in_month(year, rule->month) ? day - 7 : day);
}

/* Seconds of a change, on the clock that shows offset until then. */
static int64_t change_at(const struct rule *rule, int year, int32_t offset)
{
    int64_t day;
    if (rule->kind == 'M') {
        day = nth_weekday(rule, year);
    } else if (rule->kind == 'J') {
        day = days_of(year, 1) + rule->day - 1 + (leap(year) && rule->day >= 60);
    } else {
        day = days_of(year, 1) + rule->day;
    }
    return day * DAY + rule->time - offset;
}

struct change {
    int64_t at;
    int32_t offset;
};

/* By insertion, and stable: of two changes at one instant the later one holds. */
static void insert(struct change *changes, int count, struct change one)
{
    int i = count;
    for (; i > 0 && changes[i - 1].at > one.at; i--) {
        changes[i] = changes[i - 1];
    }
    changes[i] = one;
}

static void changes_around(const struct footer *f, int year, struct change changes[CHANGES])
{
    int count = 0;
    for (int y = year - 1; y <= year + 1; y++) {
        struct change starts = {change_at(&f->start, y, f->offset), f->dst_offset};
        struct change ends = {change_at(&f->end, y, f->dst_offset), f->offset};
        bool north = starts.at <= ends.at;
        insert(changes, count++, north ? starts : ends);
        insert(changes, count++, north ? ends : starts);
    }
}

void footer_span(const struct footer *f, int64_t utc, struct rb_span *span)
{
    struct change changes[CHANGES];
    struct tm tm;
    time_t t = utc;
    *span = (struct rb_span){INT64_MIN, INT64_MAX, f->offset};
    if (!f->dst || !gmtime_r(&t, &tm)) {
        return;
    }
    changes_around(f, tm.tm_year + 1900, changes);
    for (int i = 0; i < CHANGES; i++) {
        if (changes[i].at > utc) {
            span->end = changes[i].at;
            return;
        }
        span->start = changes[i].at;
        span->offset = changes[i].offset;
    }
}
