#include "when/hours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "when/cron.h"
#include "when/moment.h"

#define DAY 86400
#define HOURS_MAX 64

static int bad(const char *what, const char *given, struct rb_err *err)
{
    rb_err_set(err, RB_EUSAGE, RB_T_schedule_hours, what, given);
    rb_err_hint(err, RB_T_schedule_hours_forms);
    return RB_EUSAGE;
}

/* "22:00", "24:00" */
static int time_of_day(const char *text, int64_t *seconds)
{
    int hour, minute, used = 0;
    bool good = sscanf(text, "%2d:%2d%n", &hour, &minute, &used) == 2 && !text[used] && hour >= 0 && minute >= 0 &&
                minute < 60 && hour * 60 + minute <= 1440;
    *seconds = good ? hour * 3600 + minute * 60 : 0;
    return good ? 0 : RB_EUSAGE;
}

/* "mon-fri", { "sat", "sun" }: the weekday field of cron. */
static int read_days(const json_t *value, uint64_t *weekdays, struct rb_err *err)
{
    char text[128] = "* * * * ";
    struct rb_cron cron;
    size_t i, len = strlen(text);
    json_t *day;
    *weekdays = 0x7f;
    if (!value) {
        return 0;
    }
    if (json_is_string(value)) {
        snprintf(text + len, sizeof text - len, "%s", json_string_value(value));
    }
    json_array_foreach((json_t *)value, i, day) {
        size_t at = strlen(text);
        const char *word = json_is_string(day) ? json_string_value(day) : "?";
        snprintf(text + at, sizeof text - at, "%s%s", i ? "," : "", word);
    }
    int rc = rb_cron_parse(&cron, text, err);
    *weekdays = rc ? 0 : cron.weekdays & 0x7f;
    return rc;
}

static int read_one(struct rb_hours *h, const json_t *map, const struct rb_zone *zone, struct rb_err *err)
{
    const char *key, *from = rb_json_str(map, "from", "00:00"), *to = rb_json_str(map, "to", "24:00");
    json_t *value;
    json_object_foreach((json_t *)map, key, value) {
        if (strcmp(key, "from") && strcmp(key, "to") && strcmp(key, "days")) {
            return bad(key, "", err);
        }
    }
    if (!json_is_object(map)) {
        return bad("?", "", err);
    }
    h->dates = strchr(from, '-') || strchr(to, '-');
    if (h->dates) {
        bool good = rb_moment_parse(from, zone, 0, &h->from, NULL) == 0 &&
                    rb_moment_parse(to, zone, 0, &h->to, NULL) == 0 && h->from < h->to && !json_object_get(map, "days");
        return good ? 0 : bad(from, to, err);
    }
    if (time_of_day(from, &h->from) || time_of_day(to, &h->to) || h->from == h->to) {
        return bad(from, to, err);
    }
    return read_days(json_object_get(map, "days"), &h->weekdays, err);
}

int rb_hours_read(struct rb_hours **out, size_t *count, const json_t *value, const struct rb_zone *zone,
                  struct rb_err *err)
{
    size_t n = json_is_array(value) ? json_array_size(value) : value ? 1 : 0;
    *out = n ? rb_xcalloc(n, sizeof **out) : NULL;
    *count = n;
    int rc = n > HOURS_MAX ? bad("?", "", err) : 0;
    for (size_t i = 0; i < n && !rc; i++) {
        rc = read_one(&(*out)[i], json_is_array(value) ? json_array_get(value, i) : value, zone, err);
    }
    return rc;
}

static bool weekday_in(uint64_t weekdays, int64_t day)
{
    int64_t weekday = (day + 4) % 7; /* 1970 began on a Thursday */
    return weekdays >> (weekday < 0 ? weekday + 7 : weekday) & 1;
}

static bool contains(const struct rb_hours *h, int64_t local, int64_t at)
{
    if (h->dates) {
        return at >= h->from && at < h->to;
    }
    int64_t day = local / DAY - (local % DAY < 0), time = local - day * DAY;
    if (h->from < h->to) {
        return time >= h->from && time < h->to && weekday_in(h->weekdays, day);
    }
    return (time >= h->from && weekday_in(h->weekdays, day)) || (time < h->to && weekday_in(h->weekdays, day - 1));
}

bool rb_hours_contain(const struct rb_hours *hours, size_t count, const struct rb_zone *zone, int64_t at)
{
    struct rb_span span;
    rb_zone_span(zone, at, &span);
    for (size_t i = 0; i < count; i++) {
        if (contains(&hours[i], at + span.offset, at)) {
            return true;
        }
    }
    return false;
}

int rb_hours_inside(const json_t *value, int64_t at, bool *inside, struct rb_err *err)
{
    struct rb_hours *hours = NULL;
    size_t count = 0;
    struct rb_zones *zones = rb_zones_new();
    const struct rb_zone *zone = rb_zones_get(zones, NULL, err);
    int rc = zone ? rb_hours_read(&hours, &count, value, zone, err) : RB_EUSAGE;
    *inside = rc == 0 && rb_hours_contain(hours, count, zone, at);
    free(hours);
    rb_zones_free(zones);
    return rc;
}
