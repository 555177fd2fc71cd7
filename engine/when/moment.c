#include "when/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The offset at the end, "Z", "+08:00" or "+0800", is cut off; false when there is none. */
static bool cut_offset(char *text, int *offset)
{
    size_t len = strlen(text);
    int hours, minutes, used = 0;
    *offset = 0;
    if (len > 1 && strchr("Zz", text[len - 1])) {
        text[len - 1] = 0;
        return true;
    }
    size_t width = len >= 17 && text[len - 3] == ':' ? 6 : 5;
    if (len < 11 + width || !strchr("+-", text[len - width]) ||
        sscanf(text + len - width + 1, width == 6 ? "%2d:%2d%n" : "%2d%2d%n", &hours, &minutes, &used) != 2 ||
        used != (int)width - 1 || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return false;
    }
    *offset = (text[len - width] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    text[len - width] = 0;
    return true;
}

/* "2026-03-08", with "T05:30" or " 05:30", with ":00", as if it were UTC. */
static int civil(char *text, int64_t *seconds)
{
    static const char rest[] = "T00:00:00Z";
    char full[64];
    int64_t us;
    size_t len = strlen(text);
    if (len > 10 && strchr(" t", text[10])) {
        text[10] = 'T';
    }
    if (len != 10 && len != 16 && (len < 19 || len > 29)) {
        return RB_EUSAGE;
    }
    snprintf(full, sizeof full, "%.30s%s", text, len < 19 ? rest + (len - 10) : "Z");
    if (rb_clock_parse(full, &us)) {
        return RB_EUSAGE;
    }
    *seconds = us / 1000000 - (us % 1000000 < 0);
    return 0;
}

static int absolute(const char *text, const struct rb_zone *zone, int64_t *utc)
{
    char copy[40];
    int offset;
    int64_t local;
    enum rb_local how;
    if (strlen(text) >= sizeof copy) {
        return RB_EUSAGE;
    }
    snprintf(copy, sizeof copy, "%s", text);
    bool known = cut_offset(copy, &offset);
    if (civil(copy, &local)) {
        return RB_EUSAGE;
    }
    *utc = known ? local - offset : rb_zone_first(zone, local, &how);
    return 0;
}

int rb_moment_parse(const char *text, const struct rb_zone *zone, int64_t now, int64_t *utc, struct rb_err *err)
{
    double seconds;
    *utc = now;
    if (!strcmp(text, "now")) {
        return 0;
    }
    if (text[0] == '+' && rb_duration_parse(text + 1, &seconds) == 0) {
        *utc = now + (int64_t)seconds;
        return 0;
    }
    if (absolute(text, zone, utc)) {
        rb_err_set(err, RB_EUSAGE, RB_T_schedule_moment, text);
        rb_err_hint(err, RB_T_schedule_moment_forms);
        return RB_EUSAGE;
    }
    return 0;
}

static void wall(int64_t utc, const struct rb_zone *zone, char out[RB_TIME_MAX], int32_t *offset)
{
    struct rb_span span;
    rb_zone_span(zone, utc, &span);
    *offset = span.offset;
    rb_clock_format((utc + span.offset) * 1000000, 0, out);
    out[strcspn(out, "Z")] = 0;
}

void rb_moment_format(int64_t utc, const struct rb_zone *zone, char out[RB_TIME_MAX])
{
    int32_t offset;
    wall(utc, zone, out, &offset);
    size_t len = strlen(out);
    int minutes = abs(offset) / 60;
    snprintf(out + len, RB_TIME_MAX - len, "%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void rb_moment_local(int64_t utc, const struct rb_zone *zone, char out[RB_TIME_MAX])
{
    int32_t offset;
    wall(utc, zone, out, &offset);
    out[strcspn(out, "T")] = ' ';
}
