/* What foreign bytes look like on a terminal, how wide text is there, and which word was meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

static void check_clean(const char *in, size_t len, bool keep_lines, const char *expected)
{
    struct rb_buf out;
    rb_buf_init(&out, 4096);
    assert_int_equal(rb_utf8_clean(&out, in, len, keep_lines), 0);
    assert_string_equal(rb_buf_str(&out), expected);
    rb_buf_deinit(&out);
}

#define CLEAN(in, expected) check_clean(in, sizeof in - 1, true, expected)

static void escape_sequences_are_shown(void **state)
{
    (void)state;
    CLEAN("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m");
    CLEAN("\x1b]0;title\x07", "\\x1b]0;title\\x07");
    CLEAN("\x1b]8;;http://x\x1b\\link", "\\x1b]8;;http://x\\x1b\\link");
    CLEAN("end\x1b", "end\\x1b");
}

static void control_bytes_are_shown(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        char in = (char)c, expected[8];
        bool kept = (c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t';
        (void)snprintf(expected, sizeof expected, kept ? "%c" : "\\x%02x", c);
        check_clean(&in, 1, true, expected);
    }
    CLEAN("a\rb", "a\\x0db");
    CLEAN("\xc2\x9b"
          "31m",
          "<U+009B>31m"); /* C1, as one character: CSI */
    CLEAN("\x9b"
          "31m",
          "\\x9b31m"); /* and as one byte */
}

static void lines_are_kept_only_when_asked(void **state)
{
    (void)state;
    check_clean("a\nb\tc", 5, true, "a\nb\tc");
    check_clean("a\nb\tc", 5, false, "a\\nb\tc");
}

static void invisible_and_turning_characters_are_shown(void **state)
{
    (void)state;
    CLEAN("a\u202e"
          "b",
          "a<U+202E>b");
    CLEAN("\u2066x\u2069", "<U+2066>x<U+2069>");
    CLEAN("\u200b\u200d\ufeff\u2060\u00ad", "<U+200B><U+200D><U+FEFF><U+2060><U+00AD>");
    CLEAN("\u061c\u200e\u200f", "<U+061C><U+200E><U+200F>");
    CLEAN("\u2028\u2029", "<U+2028><U+2029>");
    CLEAN("\U000e0041", "<U+E0041>");
    CLEAN("\u3164", "<U+3164>");
}

static void bytes_that_are_no_text_are_shown(void **state)
{
    (void)state;
    CLEAN("\xff\xfe", "\\xff\\xfe");
    CLEAN("\xc0\xaf", "\\xc0\\xaf");          /* overlong */
    CLEAN("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
    CLEAN("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
    CLEAN("\xe4\xb8", "\\xe4\\xb8"); /* cut */
    CLEAN("\xc4\xe3", "\\xc4\\xe3"); /* 你 in GBK */
}

static void readable_text_stays(void **state)
{
    (void)state;
    CLEAN("磁盘 95% — naïve ✓ ⚠️", "磁盘 95% — naïve ✓ ⚠️");
    CLEAN("", "");
}

static void cleaning_stops_at_the_maximum(void **state)
{
    (void)state;
    struct rb_buf out;
    rb_buf_init(&out, 6);
    assert_int_equal(rb_utf8_clean(&out, "\x01\x02", 2, true), RB_ETOO_LARGE);
    assert_string_equal(rb_buf_str(&out), "\\x01");
    rb_buf_deinit(&out);
}

static void chinese_is_two_columns_wide(void **state)
{
    (void)state;
    assert_int_equal(rb_utf8_width("abc"), 3);
    assert_int_equal(rb_utf8_width("磁盘"), 4);
    assert_int_equal(rb_utf8_width("（）"), 4);
    assert_int_equal(rb_utf8_width("e\u0301"), 1);
    assert_int_equal(rb_utf8_width(""), 0);
}

static void check_pad(const char *in, int width, int max, const char *expected)
{
    struct rb_buf out;
    rb_buf_init(&out, 256);
    assert_int_equal(rb_utf8_pad(&out, in, width, max), 0);
    assert_string_equal(rb_buf_str(&out), expected);
    rb_buf_deinit(&out);
}

static void padding_counts_columns(void **state)
{
    (void)state;
    check_pad("磁盘", 6, 0, "磁盘  ");
    check_pad("longer", 3, 0, "longer");
    check_pad("abcdefgh", 0, 6, "abc...");
    check_pad("磁盘已满", 6, 6, "磁... "); /* half of 盘 does not fit */
    check_pad("磁盘已满", 0, 7, "磁盘...");
    check_pad("磁盘", 0, 4, "磁盘");
    check_pad("abcd", 0, 2, "ab"); /* no room for dots */
}

static void distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(rb_utf8_distance("list", "list"), 0);
    assert_int_equal(rb_utf8_distance("", "abc"), 3);
    assert_int_equal(rb_utf8_distance("kitten", "sitting"), 3);
    assert_int_equal(rb_utf8_distance("lsit", "list"), 1);
    assert_int_equal(rb_utf8_distance("ca", "abc"), 3);
    assert_int_equal(rb_utf8_distance("磁盘", "磁碟"), 1);
}

static void the_nearest_word_is_offered(void **state)
{
    (void)state;
    static const char *const words[] = {"exec", "list", "history", "audit", "db-locked"};
    assert_string_equal(rb_utf8_nearest("lsit", words, 5), "list");
    assert_string_equal(rb_utf8_nearest("histroy", words, 5), "history");
    assert_string_equal(rb_utf8_nearest("db-lokced", words, 5), "db-locked");
    assert_string_equal(rb_utf8_nearest("list", words, 5), "list");
    assert_null(rb_utf8_nearest("frobnicate", words, 5));
    assert_null(rb_utf8_nearest("x", words, 5));
    assert_null(rb_utf8_nearest("", words, 5));
    assert_null(rb_utf8_nearest("list", words, 0));
    char huge[5000];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_null(rb_utf8_nearest(huge, words, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escape_sequences_are_shown),
        cmocka_unit_test(control_bytes_are_shown),
        cmocka_unit_test(lines_are_kept_only_when_asked),
        cmocka_unit_test(invisible_and_turning_characters_are_shown),
        cmocka_unit_test(bytes_that_are_no_text_are_shown),
        cmocka_unit_test(readable_text_stays),
        cmocka_unit_test(cleaning_stops_at_the_maximum),
        cmocka_unit_test(chinese_is_two_columns_wide),
        cmocka_unit_test(padding_counts_columns),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(the_nearest_word_is_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
