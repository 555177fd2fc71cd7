/* Texts (all folders' at once), errors and buffers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"

#define ARGS_MAX 16

/* The conversion of each argument of a format; %2$s (another order in one language) counts as the second. */
static int conversions(const char *format, char out[ARGS_MAX][16])
{
    int count = 0;
    for (const char *at = strchr(format, '%'); at; at = strchr(at, '%')) {
        if (at[1] == '%') {
            at += 2;
            continue;
        }
        char *end;
        long place = strtol(at + 1, &end, 10);
        const char *rest = place > 0 && *end == '$' ? end + 1 : at + 1;
        int index = rest == at + 1 ? count : (int)place - 1;
        size_t len = strcspn(rest, "diouxXeEfFgGaAcspn") + 1;
        assert_in_range(index, 0, ARGS_MAX - 1);
        assert_in_range(len, 1, 15);
        memcpy(out[index], rest, len);
        count++;
        at = rest + len;
    }
    return count;
}

static void check_text(enum rb_text_id id)
{
    char en[ARGS_MAX][16] = {""}, zh[ARGS_MAX][16] = {""};
    int count = conversions(rb_text_in(id, RB_LANG_EN), en);
    if (count != conversions(rb_text_in(id, RB_LANG_ZH), zh) || memcmp(en, zh, sizeof en) != 0) {
        fail_msg("%s: the two languages take different arguments", rb_text_name(id));
    }
    assert_true(rb_text_in(id, RB_LANG_EN)[0] && rb_text_in(id, RB_LANG_ZH)[0]);
    assert_true(rb_utf8_valid(rb_text_in(id, RB_LANG_ZH), strlen(rb_text_in(id, RB_LANG_ZH))));
}

static void both_languages_take_the_same_arguments(void **state)
{
    (void)state;
    for (int id = 1; id < RB_T_COUNT; id++) {
        check_text((enum rb_text_id)id);
    }
}

static void languages_are_named_as_in_the_environment(void **state)
{
    (void)state;
    enum rb_lang lang = RB_LANG_EN;
    assert_int_equal(rb_text_lang_parse("zh_CN.UTF-8", &lang), 0);
    assert_int_equal(lang, RB_LANG_ZH);
    assert_int_equal(rb_text_lang_parse("en", &lang), 0);
    assert_int_equal(lang, RB_LANG_EN);
    static const char *const others[] = {"", "z", "C", "POSIX", "de_DE", "zhx", "english"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(rb_text_lang_parse(others[i], &lang), -1);
    }
}

static void a_runbooks_text_falls_back_to_the_other_language(void **state)
{
    (void)state;
    json_t *both = json_pack("{s:s,s:s}", "zh", "磁盘", "en", "disk");
    json_t *only = json_pack("{s:s}", "zh", "磁盘");
    json_t *plain = json_string("same");
    assert_string_equal(rb_text_json(both), "disk");
    assert_string_equal(rb_text_json(only), "磁盘");
    assert_string_equal(rb_text_json(plain), "same");
    assert_string_equal(rb_text_json(NULL), "");
    rb_text_lang_set(RB_LANG_ZH);
    assert_string_equal(rb_text_json(both), "磁盘");
    rb_text_lang_set(RB_LANG_EN);
    json_decref(both);
    json_decref(only);
    json_decref(plain);
}

static void every_code_has_a_name_and_back(void **state)
{
    (void)state;
#define X(symbol, number, name) \
    assert_string_equal(rb_err_name(RB_E##symbol), name); \
    assert_int_equal(rb_err_code(name), number);
    RB_ERROR_CODES(X)
#undef X
    assert_int_equal(rb_err_code("no such code"), RB_EINTERNAL);
    assert_int_equal(rb_err_code(NULL), RB_EINTERNAL);
    assert_string_equal(rb_err_name(12345), "internal");
}

static void errno_becomes_a_code_a_runbook_can_act_on(void **state)
{
    (void)state;
    struct rb_err err = {0};
    assert_int_equal(rb_err_errno(&err, ENOENT, "%s", "/etc/x"), RB_ENOT_FOUND);
    assert_string_equal(err.text, "/etc/x: No such file or directory");
    rb_text_lang_set(RB_LANG_ZH);
    assert_int_equal(rb_err_errno(&err, EACCES, "/etc/x"), RB_EDENIED);
    assert_string_equal(err.text, "/etc/x: 权限不够");
    rb_text_lang_set(RB_LANG_EN);
    assert_int_equal(rb_err_errno(NULL, ENOSPC, "x"), RB_ENO_SPACE);
    assert_int_equal(rb_err_errno(NULL, EACCES, "x"), RB_EDENIED);
    assert_int_equal(rb_err_errno(NULL, ECONNREFUSED, "x"), RB_EREFUSED);
    assert_int_equal(rb_err_errno(NULL, EIO, "x"), RB_EIO);
}

static void a_long_error_is_cut_between_characters(void **state)
{
    (void)state;
    struct rb_err err = {0};
    char path[2000] = "";
    for (int shift = 0; shift < 3; shift++) { /* 中 has three bytes: each way the end can fall */
        memset(path, 'x', (size_t)shift);
        for (size_t i = (size_t)shift; i + 4 < sizeof path; i += 3) {
            memcpy(path + i, "中", 4);
        }
        rb_err_foreign(&err, RB_EIO, "%s", path);
        assert_true(strlen(err.text) > 1000);
        assert_true(rb_utf8_valid(err.text, strlen(err.text)));
    }
}

static void an_error_may_be_wrapped_by_itself(void **state)
{
    (void)state;
    struct rb_err err = {0};
    rb_err_foreign(&err, RB_EIO, "inner");
    rb_err_foreign(&err, RB_ELOAD, "outer: %s", err.text);
    assert_string_equal(err.text, "outer: inner");
    assert_int_equal(err.code, RB_ELOAD);
}

static void a_new_error_has_no_old_hint(void **state)
{
    (void)state;
    struct rb_err err = {0};
    rb_err_foreign(&err, RB_EIO, "first");
    rb_err_hint(&err, RB_T_base_file_mode_hint, "file");
    assert_string_equal(err.hint, "chmod go-w file");
    rb_err_foreign(&err, RB_EIO, "second");
    assert_string_equal(err.hint, "");
}

static void a_buffer_keeps_its_maximum(void **state)
{
    (void)state;
    struct rb_buf b;
    rb_buf_init(&b, 10);
    assert_string_equal(rb_buf_str(&b), "");
    assert_int_equal(rb_buf_adds(&b, "12345"), 0);
    assert_int_equal(rb_buf_addf(&b, "%d", 67890), 0);
    assert_int_equal(rb_buf_add(&b, "x", 1), RB_ETOO_LARGE);
    assert_int_equal(rb_buf_addf(&b, "%s", "x"), RB_ETOO_LARGE);
    assert_int_equal(rb_buf_add(&b, "x", SIZE_MAX), RB_ETOO_LARGE);
    assert_string_equal(rb_buf_str(&b), "1234567890");
    rb_buf_consume(&b, 4);
    assert_string_equal(rb_buf_str(&b), "567890");
    rb_buf_consume(&b, 99);
    assert_int_equal(b.len, 0);
    char *taken = rb_buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    rb_buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_languages_take_the_same_arguments),
        cmocka_unit_test(languages_are_named_as_in_the_environment),
        cmocka_unit_test(a_runbooks_text_falls_back_to_the_other_language),
        cmocka_unit_test(every_code_has_a_name_and_back),
        cmocka_unit_test(errno_becomes_a_code_a_runbook_can_act_on),
        cmocka_unit_test(a_long_error_is_cut_between_characters),
        cmocka_unit_test(an_error_may_be_wrapped_by_itself),
        cmocka_unit_test(a_new_error_has_no_old_hint),
        cmocka_unit_test(a_buffer_keeps_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
