/* Every text exists in both languages and takes the same arguments in the same order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/utf8.h"

/* The same in every language: a command line, a type, foreign words with punctuation around them. */
static const char *const neutral[] = {
    "base_file_mode_hint",     "journal_folder_hint", "catalog_want_function", "catalog_want_severity",
    "catalog_param_bad_value", "catalog_param_json",  "catalog_bad_file",      "bindings_sql_failed",
    "schedule_because",        "trust_lock_at",       "cli_from_also",         "cli_from_note",
};

static bool is_neutral(const char *name)
{
    for (size_t i = 0; i < sizeof neutral / sizeof *neutral; i++) {
        if (strcmp(neutral[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static size_t character(const unsigned char *u)
{
    return *u >= 0xf0 ? 4 : *u >= 0xe0 ? 3 : *u >= 0xc0 ? 2 : 1;
}

/* U+3400-U+9FFF in UTF-8 begin with E3 90 .. E9 BF. */
static bool is_han(const unsigned char *u)
{
    return (*u == 0xe3 && u[1] >= 0x90) || (*u >= 0xe4 && *u <= 0xe9);
}

static bool is_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool has_cjk(const char *s)
{
    for (const unsigned char *u = (const unsigned char *)s; *u != 0; u += character(u)) {
        if (is_han(u)) {
            return true;
        }
    }
    return false;
}

/* "%-5.2lld" -> "lld", one after the other; "%%" is no argument, "*" is one. */
static void conversions(const char *format, char out[256])
{
    size_t n = 0;
    for (const char *s = strchr(format, '%'); s != NULL; s = strchr(s, '%')) {
        if (*++s == '%') {
            s++;
            continue;
        }
        for (; *s != '\0' && strchr("-+ #0123456789.*", *s) != NULL; s++) {
            if (*s == '*' && n + 2 < 256) {
                out[n++] = '*';
            }
        }
        while (*s != '\0' && strchr("hljztL", *s) != NULL && n + 2 < 256) {
            out[n++] = *s++;
        }
        if (*s != '\0' && n + 2 < 256) {
            out[n++] = *s++;
            out[n++] = ' ';
        }
    }
    out[n] = '\0';
}

static void test_both_languages_are_there(void **state)
{
    (void)state;
    int bad = 0;
    for (int id = RB_T_none + 1; id < RB_T_COUNT; id++) {
        const char *name = rb_text_name(id), *en = rb_text_in(id, RB_LANG_EN), *zh = rb_text_in(id, RB_LANG_ZH);
        bool ok = en[0] != '\0' && zh[0] != '\0' && !has_cjk(en) && (has_cjk(zh) || is_neutral(name)) &&
                  rb_utf8_valid(zh, strlen(zh));
        if (!ok) {
            print_error("%s: \"%s\" / \"%s\"\n", name, en, zh);
            bad++;
        }
    }
    assert_true(RB_T_COUNT > 100);
    assert_int_equal(bad, 0);
}

static void test_both_take_the_same_arguments(void **state)
{
    (void)state;
    int bad = 0;
    for (int id = RB_T_none + 1; id < RB_T_COUNT; id++) {
        char en[256], zh[256];
        conversions(rb_text_in(id, RB_LANG_EN), en);
        conversions(rb_text_in(id, RB_LANG_ZH), zh);
        if (strcmp(en, zh) == 0) {
            conversions(rb_text_n_in(id, 1, RB_LANG_EN), en);
        }
        if (strcmp(en, zh) != 0) {
            print_error("%s: \"%s\" / \"%s\"\n", rb_text_name(id), en, zh);
            bad++;
        }
    }
    assert_int_equal(bad, 0);
}

/* The comparison above is only worth something if it sees a difference. */
static void test_the_comparison_sees_order_and_length(void **state)
{
    (void)state;
    char a[256], b[256];
    conversions("%s of %d, 5%% %lld %*s", a);
    assert_string_equal(a, "s d lld *s ");
    conversions("%d of %s", b);
    assert_string_not_equal(a, b);
}

/* No space between Chinese and Latin or digits reads badly: conventions.md 1, C34. Quotes, punctuation and % are free.
 */
static void test_chinese_has_spaces_around_latin(void **state)
{
    (void)state;
    int bad = 0;
    for (int id = RB_T_none + 1; id < RB_T_COUNT; id++) {
        const unsigned char *before = (const unsigned char *)"";
        for (const unsigned char *u = (const unsigned char *)rb_text_in(id, RB_LANG_ZH); *u != 0; u += character(u)) {
            if ((is_han(before) && is_word(*u)) || (is_word(*before) && is_han(u))) {
                print_error("%s: %s\n", rb_text_name(id), rb_text_in(id, RB_LANG_ZH));
                bad++;
                break;
            }
            before = u;
        }
    }
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_languages_are_there),
        cmocka_unit_test(test_both_take_the_same_arguments),
        cmocka_unit_test(test_the_comparison_sees_order_and_length),
        cmocka_unit_test(test_chinese_has_spaces_around_latin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
