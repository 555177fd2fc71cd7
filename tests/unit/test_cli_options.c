/* The line: options anywhere, words in order, and errors that name the likely option. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"

static int parse(struct rb_options *o, struct rb_err *err, int argc, char **argv)
{
    memset(err, 0, sizeof *err);
    return rb_options_parse(o, argc, argv, err);
}

#define PARSE(o, err, ...) \
    parse(o, err, (int)(sizeof((char *[]){"runbook", __VA_ARGS__}) / sizeof(char *)), \
          (char *[]){"runbook", __VA_ARGS__})

static void test_options_stand_anywhere(void **state)
{
    (void)state;
    struct rb_options o;
    struct rb_err err;
    assert_int_equal(
        PARSE(&o, &err, "-ojson", "exec", "--fix=a", "db-locked", "-C", "/tmp", "db=x", "--fix", "b", "-nv"), 0);
    assert_int_equal(o.nwords, 3);
    assert_string_equal(o.words[0], "exec");
    assert_string_equal(o.words[1], "db-locked");
    assert_string_equal(o.words[2], "db=x");
    assert_string_equal(rb_options_get(&o, RB_O_OUTPUT), "json");
    assert_string_equal(rb_options_get(&o, RB_O_DIR), "/tmp");
    assert_int_equal(json_array_size(o.values[RB_O_FIX]), 2);
    assert_string_equal(json_string_value(json_array_get(o.values[RB_O_FIX], 0)), "a");
    assert_true(rb_options_has(&o, RB_O_DRY_RUN));
    assert_true(rb_options_has(&o, RB_O_VERBOSE));
    assert_false(rb_options_has(&o, RB_O_YES));
    rb_options_deinit(&o);
}

static void test_two_dashes_end_the_options(void **state)
{
    (void)state;
    struct rb_options o;
    struct rb_err err;
    assert_int_equal(PARSE(&o, &err, "find", "--", "--yes", "-x"), 0);
    assert_int_equal(o.nwords, 3);
    assert_string_equal(o.words[1], "--yes");
    assert_false(rb_options_has(&o, RB_O_YES));
    rb_options_deinit(&o);
}

static void expect_error(int argc, char **argv, const char *text, const char *hint)
{
    struct rb_options o;
    struct rb_err err;
    assert_int_equal(parse(&o, &err, argc, argv), RB_EUSAGE);
    assert_non_null(strstr(err.text, text));
    assert_non_null(strstr(err.hint, hint));
    rb_options_deinit(&o);
}

static void test_errors_name_what_was_meant(void **state)
{
    (void)state;
    expect_error(3, (char *[]){"runbook", "exec", "--dry-rum"}, "--dry-rum", "--dry-run");
    expect_error(3, (char *[]){"runbook", "exec", "--timeout"}, "timeout", "");
    expect_error(3, (char *[]){"runbook", "list", "--yes=1"}, "yes", "");
    expect_error(3, (char *[]){"runbook", "--lang=fr", "list"}, "fr", "zh en");
    expect_error(3, (char *[]){"runbook", "list", "-Z"}, "-Z", "help");
    expect_error(3, (char *[]){"runbook", "list", "-ojsn"}, "jsn", "json");
}

static void test_an_option_of_another_command_is_refused(void **state)
{
    (void)state;
    struct rb_options o;
    struct rb_err err;
    assert_int_equal(PARSE(&o, &err, "list", "--dry-run"), 0);
    assert_int_equal(rb_options_check(&o, "exec", &err), 0);
    assert_int_equal(rb_options_check(&o, "list", &err), RB_EUSAGE);
    assert_non_null(strstr(err.text, "dry-run"));
    rb_options_deinit(&o);
}

static void test_lists_match_whole_words(void **state)
{
    (void)state;
    assert_true(rb_option_listed("text json jsonl", "json"));
    assert_true(rb_option_listed("text json jsonl", "jsonl"));
    assert_false(rb_option_listed("text jsonl", "json"));
    assert_false(rb_option_listed("text json", ""));
    assert_false(rb_option_listed("text json", "son"));
}

/* An entry out of its place would be parsed as another option. */
static void test_the_table_is_in_order_and_unambiguous(void **state)
{
    (void)state;
    for (int i = 0; i < RB_O_COUNT; i++) {
        const struct rb_option *o = &rb_option_table[i];
        assert_int_equal(o->id, i);
        assert_ptr_equal(rb_option_find(o->name, strlen(o->name)), o);
        assert_true(o->letter == 0 || rb_option_letter(o->letter) == o);
        assert_true(o->help != RB_T_none);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_stand_anywhere),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_errors_name_what_was_meant),
        cmocka_unit_test(test_an_option_of_another_command_is_refused),
        cmocka_unit_test(test_lists_match_whole_words),
        cmocka_unit_test(test_the_table_is_in_order_and_unambiguous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
