/* Time, durations and sizes: read and written. */
#include "base/clock.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/err.h"

#define DURATION_MAX 3.2e9 /* a century */

int64_t rb_clock_utc_us(void)
{
    struct timespec t;
    RB_REQUIRE(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t rb_clock_mono_ns(void)
{
    struct timespec t;
    RB_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t rb_clock_cpu_ns(pid_t pid)
{
    struct timespec ts = {0};
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    if (pid > 0 && clock_getcpuclockid(pid, &clock) != 0) {
        return 0;
    }
    (void)clock_gettime(clock, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

void rb_clock_format(int64_t utc_us, int ms, char out[RB_TIME_MAX])
{
    int64_t fraction = (utc_us % 1000000 + 1000000) % 1000000;
    time_t seconds = utc_us / 1000000 - (utc_us % 1000000 < 0);
    struct tm tm;
    /* "%04Y" and not "%Y": RFC 3339 has four digits in the year 999 too */
    if (!gmtime_r(&seconds, &tm) || !strftime(out, RB_TIME_MAX, "%04Y-%m-%dT%H:%M:%S", &tm)) {
        (void)snprintf(out, RB_TIME_MAX, "?"); /* a year of six digits: only from a forged row */
        return;
    }
    size_t len = strlen(out);
    if (ms) {
        (void)snprintf(out + len, RB_TIME_MAX - len, ".%03dZ", (int)(fraction / 1000)); /* 25 bytes at most */
    } else {
        (void)snprintf(out + len, RB_TIME_MAX - len, "Z");
    }
}

/* Exactly width digits. */
static int digits(const char **at, int width, int *value)
{
    *value = 0;
    for (int i = 0; i < width; i++, (*at)++) {
        if (!isdigit((unsigned char)**at)) {
            return -1;
        }
        *value = *value * 10 + (**at - '0');
    }
    return 0;
}

/* "2026-03-08T05:30:00": each part follows its mark. */
static int parse_parts(const char **at, int parts[6])
{
    static const char marks[] = "--T::";
    for (int i = 0; i < 6; i++) {
        if (digits(at, i ? 2 : 4, &parts[i])) {
            return -1;
        }
        if (i < 5 && *(*at)++ != marks[i]) {
            return -1;
        }
    }
    return 0;
}

static int parse_fraction(const char **at, int *us)
{
    *us = 0;
    if (**at != '.') {
        return 0;
    }
    (*at)++;
    int scale = 100000;
    const char *start = *at;
    for (; isdigit((unsigned char)**at); (*at)++, scale /= 10) {
        *us += (**at - '0') * scale;
    }
    return *at > start && *at - start <= 9 ? 0 : -1; /* nanoseconds are read, and cut to ours */
}

int rb_clock_parse(const char *text, int64_t *utc_us)
{
    int part[6], us;
    if (parse_parts(&text, part) || parse_fraction(&text, &us) || strcmp(text, "Z") != 0) {
        return -1;
    }
    struct tm tm = {.tm_year = part[0] - 1900,
                    .tm_mon = part[1] - 1,
                    .tm_mday = part[2],
                    .tm_hour = part[3],
                    .tm_min = part[4],
                    .tm_sec = part[5]};
    time_t seconds = timegm(&tm);
    /* timegm turns 31 February into 3 March; a date that moved was none */
    if (tm.tm_year != part[0] - 1900 || tm.tm_mon != part[1] - 1 || tm.tm_mday != part[2] || tm.tm_hour != part[3] ||
        tm.tm_min != part[4] || tm.tm_sec != part[5]) {
        return -1;
    }
    *utc_us = (int64_t)seconds * 1000000 + us;
    return 0;
}

/* Digits with an optional fraction; no sign, exponent, hexadecimal or locale, unlike strtod. */
static int number(const char **at, double *value)
{
    const char *start = *at;
    *value = 0;
    for (; isdigit((unsigned char)**at); (*at)++) {
        *value = *value * 10 + (**at - '0');
    }
    if (*at == start) {
        return RB_EUSAGE;
    }
    if (**at == '.') {
        double scale = 1, fraction = 0;
        start = ++*at;
        for (; isdigit((unsigned char)**at); (*at)++) {
            fraction = fraction * 10 + (**at - '0');
            scale *= 10;
        }
        *value += fraction / scale;
    }
    return *at > start && isfinite(*value) ? 0 : RB_EUSAGE;
}

int rb_duration_parse(const char *text, double *seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    double value;
    if (number(&text, &value)) {
        return RB_EUSAGE;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].name) == 0 && value * units[i].seconds <= DURATION_MAX) {
            *seconds = value * units[i].seconds;
            return 0;
        }
    }
    return RB_EUSAGE;
}

void rb_duration_format(double seconds, char out[RB_TIME_MAX])
{
    double s = seconds > 0 ? seconds : 0; /* also for a NaN */
    s = s < 1e12 ? s : 1e12;
    long long whole = (long long)(s + 0.5);
    if (s < 0.9995) {
        (void)snprintf(out, RB_TIME_MAX, "%.0fms", s * 1000);
    } else if (s < 59.95) {
        (void)snprintf(out, RB_TIME_MAX, "%.1fs", s);
    } else if (whole < 3600) {
        (void)snprintf(out, RB_TIME_MAX, "%lldm %02llds", whole / 60, whole % 60);
    } else if (whole < 86400) {
        (void)snprintf(out, RB_TIME_MAX, "%lldh %02lldm", whole / 3600, whole / 60 % 60);
    } else {
        (void)snprintf(out, RB_TIME_MAX, "%lldd %02lldh", whole / 86400, whole / 3600 % 24);
    }
}

int rb_size_parse(const char *text, int64_t *bytes)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},      {"B", 1},        {"KB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
                 {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
    double value;
    if (number(&text, &value)) {
        return RB_EUSAGE;
    }
    while (*text == ' ') {
        text++;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcasecmp(text, units[i].name) == 0 && value * units[i].bytes < 0x1p53) {
            *bytes = (int64_t)(value * units[i].bytes + 0.5);
            return 0;
        }
    }
    return RB_EUSAGE;
}

void rb_size_format(int64_t bytes, char out[RB_TIME_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = bytes > 0 ? (double)bytes : 0;
    size_t unit = 0;
    for (; value >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]; unit++) {
        value /= 1024;
    }
    (void)snprintf(out, RB_TIME_MAX, unit && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}
