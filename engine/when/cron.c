#include "when/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY 86400
#define SEARCH_DAYS 36525 /* 29 February on a given weekday may be 40 years away */

/* ---- reading ---- */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY_OF_MONTH, MONTH, WEEKDAY, FIELDS };

static const struct {
    enum rb_text_id name;
    int min, max;
    const char *const *names; /* of min, min + 1, … */
    const char *allowed;
} fields[FIELDS] = {
    {RB_T_schedule_minute, 0, 59, NULL, "0-59"},
    {RB_T_schedule_hour, 0, 23, NULL, "0-23"},
    {RB_T_schedule_day, 1, 31, NULL, "1-31"},
    {RB_T_schedule_month, 1, 12, month_names, "1-12, jan-dec"},
    {RB_T_schedule_weekday, 0, 7, day_names, "0-7, sun-sat (0, 7 = sun)"},
};

struct reader {
    const char *at;
    int field;
    const char *start; /* of the field */
    int len;
    struct rb_err *err;
};

static int refuse(const struct reader *r, enum rb_text_id why)
{
    rb_err_set(r->err, RB_EUSAGE, RB_T_schedule_cron_field, r->field + 1, rb_text(fields[r->field].name), r->len,
               r->start, rb_text(why));
    rb_err_hint(r->err, RB_T_schedule_cron_allowed, fields[r->field].allowed);
    return RB_EUSAGE;
}

static bool take(struct reader *r, char c)
{
    bool there = *r->at == c;
    r->at += there;
    return there;
}

static int digits(struct reader *r, int *value)
{
    *value = 0;
    for (; isdigit((unsigned char)*r->at); r->at++) {
        *value = *value < 1000 ? *value * 10 + (*r->at - '0') : *value;
    }
    return 0;
}

static int named(struct reader *r, int *value)
{
    const char *const *names = fields[r->field].names;
    size_t len = strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (int i = 0; names && names[i]; i++) {
        if (len == strlen(names[i]) && strncasecmp(r->at, names[i], len) == 0) {
            r->at += len;
            *value = fields[r->field].min + i;
            return 0;
        }
    }
    return refuse(r, RB_T_schedule_cron_word);
}

static int value(struct reader *r, int *out)
{
    int rc = isdigit((unsigned char)*r->at) ? digits(r, out) : named(r, out);
    if (!rc && (*out < fields[r->field].min || *out > fields[r->field].max)) {
        rc = refuse(r, RB_T_schedule_cron_range);
    }
    return rc;
}

/* "5", "1-5", "*"; *single: nothing but one value was given. */
static int range(struct reader *r, int *from, int *to, bool *single)
{
    *from = fields[r->field].min;
    *to = fields[r->field].max;
    *single = false;
    if (take(r, '*')) {
        return 0;
    }
    int rc = value(r, from);
    *to = *from;
    *single = !rc && !take(r, '-');
    if (rc || *single) {
        return rc;
    }
    bool word = isalpha((unsigned char)*r->at);
    rc = value(r, to);
    if (!rc && word && r->field == WEEKDAY && *to == 0 && *from > 0) {
        *to = 7; /* "fri-sun" */
    }
    return !rc && *to < *from ? refuse(r, RB_T_schedule_cron_backwards) : rc;
}

static int item(struct reader *r, uint64_t *set)
{
    int from, to, step = 1;
    bool single;
    int rc = range(r, &from, &to, &single);
    if (!rc && take(r, '/')) {
        if (!isdigit((unsigned char)*r->at)) {
            return refuse(r, RB_T_schedule_cron_step);
        }
        rc = digits(r, &step);
        to = single ? fields[r->field].max : to; /* "5/15": from 5 on */
    }
    if (!rc && step < 1) {
        return refuse(r, RB_T_schedule_cron_step);
    }
    for (int i = from; !rc && i <= to; i += step) {
        *set |= UINT64_C(1) << i;
    }
    return rc;
}

static int field(struct reader *r, uint64_t *set)
{
    int rc = 0;
    *set = 0;
    r->start = r->at;
    r->len = (int)strcspn(r->at, " \t");
    do {
        rc = item(r, set);
    } while (!rc && take(r, ','));
    if (!rc && r->at != r->start + r->len) {
        rc = refuse(r, RB_T_schedule_cron_word);
    }
    return rc;
}

static const char *blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static int count_fields(const char *text)
{
    int count = 0;
    for (text = blanks(text); *text; text = blanks(text + strcspn(text, " \t"))) {
        count++;
    }
    return count;
}

/* What is written for the five fields; NULL when it is no such word. */
static const char *nickname(const char *text)
{
    static const char *const words[][2] = {
        {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
        {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
    text = blanks(text);
    size_t len = strcspn(text, " \t");
    for (size_t i = 0; i < sizeof words / sizeof *words && !*blanks(text + len); i++) {
        if (strlen(words[i][0]) == len && strncasecmp(text, words[i][0], len) == 0) {
            return words[i][1];
        }
    }
    return NULL;
}

/* With both days required, some month must have the day; either alone always comes. */
static bool possible(const struct rb_cron *cron)
{
    static const int days[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++) {
        uint64_t has = (UINT64_C(2) << days[month]) - 2;
        if ((cron->months >> month & 1) && (cron->either || (cron->days & has))) {
            return true;
        }
    }
    return false;
}

static int wrong_shape(const char *text, struct rb_err *err)
{
    const char *start = blanks(text);
    if (*start == '@') {
        rb_err_set(err, RB_EUSAGE, RB_T_schedule_cron_nickname, start);
        rb_err_hint(err, RB_T_schedule_cron_nicknames);
        return RB_EUSAGE;
    }
    rb_err_set(err, RB_EUSAGE, RB_T_schedule_cron_count, text, count_fields(text));
    rb_err_hint(err, RB_T_schedule_cron_fields);
    return RB_EUSAGE;
}

int rb_cron_parse(struct rb_cron *cron, const char *text, struct rb_err *err)
{
    struct rb_err ignored;
    err = err ? err : &ignored;
    const char *full = nickname(text), *start = full ? full : text;
    if (count_fields(start) != FIELDS) {
        return wrong_shape(text, err);
    }
    uint64_t *const sets[FIELDS] = {&cron->minutes, &cron->hours, &cron->days, &cron->months, &cron->weekdays};
    bool any[FIELDS];
    struct reader r = {.at = start, .err = err};
    for (r.field = 0; r.field < FIELDS; r.field++) {
        r.at = blanks(r.at);
        any[r.field] = *r.at == '*';
        int rc = field(&r, sets[r.field]);
        if (rc) {
            return rc;
        }
    }
    cron->weekdays |= cron->weekdays >> 7; /* 7 is Sunday too */
    cron->either = !any[DAY_OF_MONTH] && !any[WEEKDAY];
    cron->any_hour = any[HOUR];
    if (!possible(cron)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_schedule_cron_never, text);
    }
    return 0;
}

/* ---- firing ---- */

static int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

/* The first minute of the day, at or after from, that matches; -1 when none is left. */
static int minute_of_day(const struct rb_cron *cron, int from)
{
    for (int hour = from / 60; hour < 24; hour++) {
        if (cron->hours >> hour & 1) {
            uint64_t left = cron->minutes & UINT64_MAX << (hour == from / 60 ? from % 60 : 0);
            if (left) {
                return hour * 60 + __builtin_ctzll(left);
            }
        }
    }
    return -1;
}

static bool day_matches(const struct rb_cron *cron, const struct tm *tm)
{
    bool day = cron->days >> tm->tm_mday & 1, weekday = cron->weekdays >> tm->tm_wday & 1;
    return cron->either ? day || weekday : day && weekday;
}

/* The first matching minute at or after local, both as seconds of a clock without any zone. */
static int64_t next_local(const struct rb_cron *cron, int64_t local)
{
    int64_t first = floor_to(local, DAY), last = first + (int64_t)SEARCH_DAYS * DAY;
    int64_t start = (local - first + 59) / 60; /* 1440 when only the day's last seconds are left */
    for (int64_t day = first; day < last; day += DAY) {
        struct tm tm;
        time_t at = day;
        if (!gmtime_r(&at, &tm)) {
            return RB_NEVER;
        }
        if (!(cron->months >> (tm.tm_mon + 1) & 1)) {
            struct tm month = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon + 1, .tm_mday = 1};
            day = timegm(&month) - DAY;
        } else if (day_matches(cron, &tm)) {
            int minute = minute_of_day(cron, day == first ? (int)start : 0);
            if (minute >= 0) {
                return day + minute * 60;
            }
        }
    }
    return RB_NEVER;
}

/* Span by span: within one, the clock on the wall and real time differ by a constant. */
static int64_t next_real(const struct rb_cron *cron, const struct rb_zone *zone, int64_t after, enum rb_local *how)
{
    struct rb_span span;
    int64_t end = after + (int64_t)SEARCH_DAYS * DAY;
    *how = RB_LOCAL_ONCE;
    for (int64_t at = after + 1; at < end; at = span.end) {
        rb_zone_span(zone, at, &span);
        int64_t local = next_local(cron, at + span.offset);
        if (local == RB_NEVER) {
            return RB_NEVER;
        }
        if (local - span.offset < span.end) {
            return local - span.offset;
        }
    }
    return RB_NEVER;
}

int64_t rb_cron_next(const struct rb_cron *cron, const struct rb_zone *zone, int64_t after, enum rb_local *how)
{
    if (cron->any_hour) {
        return next_real(cron, zone, after, how);
    }
    struct rb_span span;
    rb_zone_span(zone, after, &span);
    int64_t local = after + span.offset;
    for (;;) { /* what the first pass of a repeated hour did, the second does not repeat */
        local = next_local(cron, local + 1);
        if (local == RB_NEVER) {
            return RB_NEVER;
        }
        int64_t utc = rb_zone_first(zone, local, how);
        if (utc > after) {
            return utc;
        }
    }
}
