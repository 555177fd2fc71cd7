/* Times, durations and sizes, ids and digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

static void times_are_written_in_utc(void **state)
{
    (void)state;
    char out[RB_TIME_MAX];
    rb_clock_format(INT64_C(1772947800123456), 1, out);
    assert_string_equal(out, "2026-03-08T05:30:00.123Z");
    rb_clock_format(INT64_C(1772947800123456), 0, out);
    assert_string_equal(out, "2026-03-08T05:30:00Z");
    rb_clock_format(-1, 1, out);
    assert_string_equal(out, "1969-12-31T23:59:59.999Z");
    rb_clock_format(INT64_MAX, 1, out); /* from a forged row: anything short will do */
    assert_true(strlen(out) < RB_TIME_MAX);
    rb_clock_format(INT64_MIN, 1, out);
    assert_true(strlen(out) < RB_TIME_MAX);
}

static void times_are_read_back(void **state)
{
    (void)state;
    int64_t us = 0;
    assert_int_equal(rb_clock_parse("2026-03-08T05:30:00.123456Z", &us), 0);
    assert_true(us == INT64_C(1772947800123456));
    assert_int_equal(rb_clock_parse("2024-02-29T00:00:00Z", &us), 0);
    static const char *const bad[] = {"",
                                      "2026-03-08",
                                      "2026-03-08T05:30:00",
                                      "2026-03-08 05:30:00Z",
                                      "2026-02-29T00:00:00Z",
                                      "2026-13-01T00:00:00Z",
                                      "2026-03-08T24:00:00Z",
                                      "2026-03-08T05:30:00.Z",
                                      "2026-03-08T05:30:00.1234567890Z",
                                      "2026-03-08T05:30:00Zx",
                                      "+026-03-08T05:30:00Z",
                                      "2026-03-08T05:30:00+08:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(rb_clock_parse(bad[i], &us), -1);
    }
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"250ms", 0.25}, {"5s", 5}, {"2m", 120}, {"3h", 10800}, {"7d", 604800}, {"1.5", 1.5}, {"0", 0}};
    double seconds;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(rb_duration_parse(good[i].text, &seconds), 0);
        assert_true(seconds == good[i].seconds);
    }
    static const char *const bad[] = {
        "", "s", "-1s", "1 s", "1.s", ".5s", "1e3", "0x10", "inf", "nan", "5sec", "5S", "99999999999999d", "5s "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(rb_duration_parse(bad[i], &seconds), RB_EUSAGE);
    }
}

static void durations_are_short_to_read(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } all[] = {{0, "0ms"},        {0.0042, "4ms"}, {0.9999, "1.0s"},        {10.2, "10.2s"},
               {59.96, "1m 00s"}, {245, "4m 05s"}, {3599.6, "1h 00m"},      {7260, "2h 01m"},
               {90000, "1d 01h"}, {-3, "0ms"},     {1e300, "11574074d 01h"}};
    char out[RB_TIME_MAX];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        rb_duration_format(all[i].seconds, out);
        assert_string_equal(out, all[i].text);
    }
}

static void sizes_know_both_kinds_of_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {{"512", 512},           {"64MB", 64000000}, {"64MiB", 64 << 20},
                {"1.5GiB", 1610612736}, {"2 kb", 2000},     {"0", 0}};
    int64_t bytes;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(rb_size_parse(good[i].text, &bytes), 0);
        assert_true(bytes == good[i].bytes);
    }
    static const char *const bad[] = {"", "MB", "-1", "64M", "64 M B", "1e9", "99999999999TiB"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(rb_size_parse(bad[i], &bytes), RB_EUSAGE);
    }
}

static void sizes_are_short_to_read(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *text;
    } all[] = {{0, "0 B"},
               {1023, "1023 B"},
               {1536, "1.5 KiB"},
               {(1 << 20) - 1, "1.0 MiB"},
               {INT64_C(150) << 30, "150 GiB"},
               {INT64_MAX, "8.0 EiB"}};
    char out[RB_TIME_MAX];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        rb_size_format(all[i].bytes, out);
        assert_string_equal(out, all[i].text);
    }
}

static void digests_are_sha256(void **state)
{
    (void)state;
    char hex[RB_HEX_SIZE];
    rb_hash_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    rb_hash_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void ids_are_random_and_unmistakable(void **state)
{
    (void)state;
    char ids[64][RB_ID_MAX];
    for (int i = 0; i < 64; i++) {
        rb_id_new('r', ids[i]);
        assert_int_equal(strlen(ids[i]), 12);
        assert_memory_equal(ids[i], "r-", 2);
        assert_int_equal(strspn(ids[i] + 2, "0123456789abcdefghjkmnpqrstvwxyz"), 10);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(ids[i], ids[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_written_in_utc),
        cmocka_unit_test(times_are_read_back),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(durations_are_short_to_read),
        cmocka_unit_test(sizes_know_both_kinds_of_units),
        cmocka_unit_test(sizes_are_short_to_read),
        cmocka_unit_test(digests_are_sha256),
        cmocka_unit_test(ids_are_random_and_unmistakable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
