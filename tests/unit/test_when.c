/* Cron expressions, zones and moments: what is refused, and the vectors that matter, written out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "when/cron.h"
#include "when/moment.h"

static int64_t instant(const char *text)
{
    int64_t us;
    assert_int_equal(rb_clock_parse(text, &us), 0);
    return us / 1000000;
}

/* The firings after from, as "2026-03-08T07:00:00Z …" */
static void fires(const char *cron, const char *zone_name, const char *from, const char *expected)
{
    struct rb_err err = {0};
    struct rb_zones *zones = rb_zones_new();
    const struct rb_zone *zone = rb_zones_get(zones, zone_name, &err);
    struct rb_cron c;
    enum rb_local how;
    char got[512] = "", text[RB_TIME_MAX];
    assert_non_null(zone);
    assert_int_equal(rb_cron_parse(&c, cron, &err), 0);
    int64_t at = instant(from);
    while (strlen(got) < strlen(expected)) {
        at = rb_cron_next(&c, zone, at, &how);
        if (at == RB_NEVER) {
            break;
        }
        rb_clock_format(at * 1000000, 0, text);
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, "%s%s", len ? " " : "", text);
    }
    if (strcmp(got, expected) != 0) {
        print_error("%s in %s\n", cron, zone_name);
    }
    assert_string_equal(got, expected);
    rb_zones_free(zones);
}

static void test_gaps(void **state)
{
    (void)state;
    /* New York, 8 March 2026: 02:00 becomes 03:00 at 07:00 UTC. */
    fires("30 2 * * *", "America/New_York", "2026-03-07T08:00:00Z", "2026-03-08T07:00:00Z 2026-03-09T06:30:00Z");
    fires("0,15,30 2 * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z 2026-03-09T06:00:00Z");
    fires("0 2,3 * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z 2026-03-09T06:00:00Z");
    fires("30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T06:30:00Z 2026-03-08T07:30:00Z");
    fires("30 */2 * * *", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T05:30:00Z 2026-03-08T08:30:00Z");
    /* Havana skips midnight: 00:00 becomes 01:00. */
    fires("0 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", "2026-03-08T05:00:00Z 2026-03-09T04:00:00Z");
    /* Lord Howe skips half an hour: 02:00 becomes 02:30 at 15:30 UTC. */
    fires("10 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z 2026-10-04T15:10:00Z");
    /* Samoa had no 30 December 2011. */
    fires("0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
          "2011-12-29T22:00:00Z 2011-12-30T10:00:00Z 2011-12-30T22:00:00Z");
}

static void test_repeated_hours(void **state)
{
    (void)state;
    /* New York, 1 November 2026: 02:00 becomes 01:00 at 06:00 UTC. */
    fires("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z");
    fires("30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", "2026-11-02T06:30:00Z");
    fires("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z",
          "2026-11-01T05:30:00Z 2026-11-01T06:30:00Z 2026-11-01T07:30:00Z");
    fires("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "2026-04-04T14:45:00Z 2026-04-05T15:15:00Z");
    fires("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:30:00Z",
          "2026-04-04T14:45:00Z 2026-04-04T15:00:00Z 2026-04-04T15:15:00Z 2026-04-04T15:30:00Z");
}

static void test_days(void **state)
{
    (void)state;
    fires("0 0 13 * fri", "UTC", "2026-02-01T00:00:00Z",
          "2026-02-06T00:00:00Z 2026-02-13T00:00:00Z 2026-02-20T00:00:00Z");
    fires("0 0 */2 * fri", "UTC", "2026-02-01T00:00:00Z", "2026-02-13T00:00:00Z 2026-02-27T00:00:00Z");
    fires("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z");
    fires("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z");
    fires("0 0 * * 7", "UTC", "2026-02-01T00:00:00Z", "2026-02-08T00:00:00Z");
    fires("0 0 * * fri-sun", "UTC", "2026-02-01T00:00:00Z",
          "2026-02-06T00:00:00Z 2026-02-07T00:00:00Z 2026-02-08T00:00:00Z 2026-02-13T00:00:00Z");
    fires("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z 2026-05-31T00:00:00Z");
    fires("@Monthly", "UTC", "2026-12-15T00:00:00Z", "2027-01-01T00:00:00Z");
    fires("  5/20\t23 * DEC  Mon ", "UTC", "2026-12-28T00:00:00Z",
          "2026-12-28T23:05:00Z 2026-12-28T23:25:00Z 2026-12-28T23:45:00Z 2027-12-06T23:05:00Z");
}

static void refused(const char *cron, const char *text, const char *hint)
{
    struct rb_err err = {0};
    struct rb_cron c;
    assert_int_equal(rb_cron_parse(&c, cron, &err), RB_EUSAGE);
    if (!strstr(err.text, text) || !strstr(err.hint, hint)) {
        print_error("%s: %s; %s\n", cron, err.text, err.hint);
    }
    assert_non_null(strstr(err.text, text));
    assert_non_null(strstr(err.hint, hint));
}

static void test_refused(void **state)
{
    (void)state;
    refused("", "there are 0", "minute hour");
    refused("* * * *", "there are 4", "minute hour");
    refused("0 * * * * *", "there are 6", "There are no seconds");
    refused("60 * * * *", "field 1 (minute) \"60\": a value out of range", "0-59");
    refused("* 24 * * *", "field 2 (hour)", "0-23");
    refused("* * 0 * *", "field 3 (day of the month)", "1-31");
    refused("* * * 13 *", "field 4 (month)", "jan-dec");
    refused("* * * * 8", "field 5 (day of the week)", "sun-sat");
    refused("* * * * mond", "not understood", "sun-sat");
    refused("* mon * * *", "not understood", "0-23");
    refused("* 22-2 * * *", "backwards", "0-23");
    refused("*/0 * * * *", "a step", "0-59");
    refused("*/ * * * *", "a step", "0-59");
    refused("1,,2 * * * *", "not understood", "0-59");
    refused("1- * * * *", "not understood", "0-59");
    refused("-1 * * * *", "not understood", "0-59");
    refused("1-2-3 * * * *", "not understood", "0-59");
    refused("?\t* * * *", "not understood", "0-59");
    refused("99999999999999999999 * * * *", "out of range", "0-59");
    refused("0 0 30 2 *", "no month has that day", "");
    refused("0 0 31 2,4,6,9,11 *", "no month has that day", "");
    refused("0 0 30 2 */2", "no month has that day", "");
    refused("@dayly", "unknown word", "@daily");
    refused("@daily 5", "unknown word", "@daily");
    refused("@reboot", "unknown word", "@daily");
}

static void test_impossible_dates_with_a_weekday(void **state)
{
    (void)state;
    struct rb_cron c;
    assert_int_equal(rb_cron_parse(&c, "0 0 30 2 mon", NULL), 0); /* every Monday of February */
}

static void test_zones(void **state)
{
    (void)state;
    struct rb_err err = {0};
    struct rb_zones *zones = rb_zones_new();
    static const char *const bad[] = {"Asia/Shangai", "../etc/passwd", "/etc/localtime", "Asia/..", "Asia/",
                                      "a b",          "Asia"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(rb_zones_get(zones, bad[i], &err));
    }
    assert_int_equal(rb_zone_known("Asia/Shangai", &err), RB_EUSAGE);
    assert_non_null(strstr(err.hint, "Asia/Shanghai"));
    assert_int_equal(rb_zone_known("Asia/Shanghai", &err), 0);
    assert_non_null(rb_zones_get(zones, NULL, &err));
    assert_string_equal(rb_zone_name(rb_zones_get(zones, "UTC", &err)), "UTC");
    rb_zones_free(zones);
}

static int32_t offset_in(const char *footer, const char *at)
{
    static const unsigned char head[] = {'T', 'Z', 'i', 'f', '2'};
    unsigned char file[512] = {0};
    size_t len = 0;
    for (int part = 0; part < 2; part++) { /* both parts: one type, no change, one character */
        memcpy(file + len, head, sizeof head);
        file[len + 39] = 1;
        file[len + 43] = 1;
        len += 44 + 6 + 1;
    }
    len += (size_t)snprintf((char *)file + len, sizeof file - len, "\n%s\n", footer);
    struct rb_zone *zone = NULL;
    if (rb_zone_parse(&zone, file, len, NULL) != 0) {
        return -1;
    }
    struct rb_span span;
    rb_zone_span(zone, instant(at), &span);
    rb_zone_free(zone);
    return span.offset;
}

static void test_footers(void **state)
{
    (void)state;
    assert_int_equal(offset_in("EST5EDT,M3.2.0,M11.1.0", "2050-07-01T00:00:00Z"), -4 * 3600);
    assert_int_equal(offset_in("EST5EDT,M3.2.0,M11.1.0", "2050-03-13T06:59:59Z"), -5 * 3600);
    assert_int_equal(offset_in("EST5EDT,M3.2.0,M11.1.0", "2050-03-13T07:00:00Z"), -4 * 3600);
    assert_int_equal(offset_in("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2050-01-01T00:00:00Z"), 11 * 3600);
    assert_int_equal(offset_in("IST-1GMT0,M10.5.0,M3.5.0/1", "2050-01-01T00:00:00Z"), 0);
    assert_int_equal(offset_in("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2050-03-27T00:59:59Z"), -3 * 3600);
    assert_int_equal(offset_in("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2050-03-27T01:00:00Z"), -2 * 3600);
    assert_int_equal(offset_in("EET-2EEST,M3.4.4/50,M10.4.4/50", "2050-03-26T00:00:00Z"), 3 * 3600);
    assert_int_equal(offset_in("XXX3EDT4,0/0,J365/23", "2050-06-01T00:00:00Z"), -4 * 3600); /* all year */
    assert_int_equal(offset_in("A0B,J60/0,J300/0", "2048-02-29T12:00:00Z"), 0 - 1);         /* names of one letter */
    assert_int_equal(offset_in("AAA0BBB,J60/0,J300/0", "2048-02-29T12:00:00Z"), 0);         /* J60 is 1 March */
    assert_int_equal(offset_in("AAA0BBB,J60/0,J300/0", "2048-03-01T00:00:00Z"), 3600);
    assert_int_equal(offset_in("AAA0BBB,59/0,300/0", "2048-02-29T00:00:00Z"), 3600);
    static const char *const bad[] = {"EST",
                                      "EST5EDT",
                                      "EST5EDT,M3.2.0",
                                      "EST5EDT,M13.2.0,M11.1.0",
                                      "EST25",
                                      "EST5EDT,M3.6.0,M11.1.0",
                                      "EST5EDT,M3.2.0,M11.1.0x",
                                      "<+1",
                                      "EST5EDT,J0,J1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(offset_in(bad[i], "2050-01-01T00:00:00Z"), -1);
    }
}

static void put_file(const char *path, int offset_hours)
{
    unsigned char file[128] = {0};
    size_t len = 0;
    for (int part = 0; part < 2; part++) {
        memcpy(file + len, "TZif2", 5);
        file[len + 39] = 1;
        file[len + 43] = 1;
        len += 51;
    }
    len += (size_t)snprintf((char *)file + len, sizeof file - len, "\nAAA-%d\n", offset_hours);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(file, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int32_t offset_now(struct rb_zones *zones)
{
    struct rb_span span;
    rb_zone_span(rb_zones_get(zones, "Test/Here", NULL), 0, &span);
    return span.offset / 3600;
}

static void test_a_changed_file_is_read_again(void **state)
{
    (void)state;
    char folder[] = "/tmp/rb-when-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/Test", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/Test/Here", folder);
    put_file(path, 3);
    assert_int_equal(setenv("TZDIR", folder, 1), 0);
    struct rb_zones *zones = rb_zones_new();
    assert_int_equal(offset_now(zones), 3);
    put_file(path, 11);
    assert_int_equal(offset_now(zones), 11);
    FILE *f = fopen(path, "w"); /* broken, then gone: what was read last stays */
    assert_non_null(f);
    fclose(f);
    assert_int_equal(offset_now(zones), 11);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(offset_now(zones), 11);
    rb_zones_free(zones);
    assert_int_equal(unsetenv("TZDIR"), 0);
    snprintf(path, sizeof path, "%s/Test", folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void moment(const char *text, const char *zone, const char *expected)
{
    struct rb_err err = {0};
    struct rb_zones *zones = rb_zones_new();
    int64_t utc = 0, now = instant("2026-06-01T00:00:00Z");
    int rc = rb_moment_parse(text, rb_zones_get(zones, zone, &err), now, &utc, &err);
    assert_int_equal(rc, expected ? 0 : RB_EUSAGE);
    if (expected) {
        assert_int_equal(utc, instant(expected));
    }
    rb_zones_free(zones);
}

static void test_moments(void **state)
{
    (void)state;
    char out[RB_TIME_MAX];
    moment("2026-03-08T05:30:00Z", "UTC", "2026-03-08T05:30:00Z");
    moment("2026-03-08T05:30:00.5Z", "UTC", "2026-03-08T05:30:00Z");
    moment("2026-03-08T05:30:00+08:00", "UTC", "2026-03-07T21:30:00Z");
    moment("2026-03-08t05:30:00z", "UTC", "2026-03-08T05:30:00Z");
    moment("2026-03-08T05:30:00.999999999+05:30", "UTC", "2026-03-08T00:00:00Z");
    moment("2026-03-08T05:30:00-0330", "UTC", "2026-03-08T09:00:00Z");
    moment("0001-01-01", "UTC", "0001-01-01T00:00:00Z");
    moment("2026-03-08 05:30-05:00", "UTC", "2026-03-08T10:30:00Z");
    moment("2026-03-08 05:30", "Asia/Shanghai", "2026-03-07T21:30:00Z");
    moment("2026-03-08T05:30:10", "Asia/Shanghai", "2026-03-07T21:30:10Z");
    moment("2026-03-08", "America/New_York", "2026-03-08T05:00:00Z");
    moment("now", "UTC", "2026-06-01T00:00:00Z");
    moment("+2h", "UTC", "2026-06-01T02:00:00Z");
    static const char *const bad[] = {"",
                                      "tomorrow",
                                      "2026-02-30",
                                      "2026-03-08T25:00",
                                      "2026-3-8",
                                      "05:30",
                                      "+x",
                                      "2026-03-08T05:30:00+99:00",
                                      "2026-03-08T05:30:00+24:00",
                                      "2026-03-08T05:30:00+9900",
                                      "2026-03-08T05:30:00+08:60",
                                      "2026-03-08T05:30:00+-8:00",
                                      "2026-03-08T05:30:00+08",
                                      "2026-03-08+08:00",
                                      "2026-03-08T05:30:00.1234567890Z",
                                      "2026-03-08T"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        moment(bad[i], "UTC", NULL);
    }
    struct rb_zones *zones = rb_zones_new();
    rb_moment_format(instant("2026-03-08T07:00:00Z"), rb_zones_get(zones, "America/New_York", NULL), out);
    assert_string_equal(out, "2026-03-08T03:00:00-04:00");
    rb_moment_format(instant("2026-03-08T07:00:00Z"), rb_zones_get(zones, "Asia/Kathmandu", NULL), out);
    assert_string_equal(out, "2026-03-08T12:45:00+05:45");
    rb_moment_local(instant("2026-03-08T07:00:00Z"), rb_zones_get(zones, "Asia/Kathmandu", NULL), out);
    assert_string_equal(out, "2026-03-08 12:45:00");
    rb_zones_free(zones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_repeated_hours),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_impossible_dates_with_a_weekday),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_footers),
        cmocka_unit_test(test_a_changed_file_is_read_again),
        cmocka_unit_test(test_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
