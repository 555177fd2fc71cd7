/* Lines that are too wide go on below their own beginning and never break inside a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "cli/wrap.h"

/* The pieces, NULL at the end, as one text. */
static void assert_wraps(int columns, const char *expected, const char *const *pieces)
{
    struct rb_wrap wrap = {0};
    struct rb_buf out;
    rb_buf_init(&out, 1 << 16);
    for (; *pieces != NULL; pieces++) {
        rb_wrap_add(&wrap, &out, *pieces, strlen(*pieces), columns);
    }
    assert_string_equal(rb_buf_str(&out), expected);
    rb_buf_deinit(&out);
}
#define WRAPS(columns, expected, ...) assert_wraps(columns, expected, (const char *const[]){__VA_ARGS__, NULL})

static void test_words(void **state)
{
    (void)state;
    WRAPS(20, "one two three four\n  five\n", "one two three four five\n");
    WRAPS(20, "    one two three\n      four five\n", "    one two three four five\n");
    WRAPS(20, "exactly twenty chars\n", "exactly twenty chars\n");
    WRAPS(20, "short\nshort\n", "short\nshort\n");
    WRAPS(0, "nothing is ever wrapped when there is no terminal\n",
          "nothing is ever wrapped when there is no terminal\n");
    WRAPS(20, "a  b\n", "a  b\n"); /* columns of a table keep their gaps */
}

static void test_longer_than_a_line(void **state)
{
    (void)state;
    WRAPS(20, "see\n  /a/path/longer/than/the/line\n  ok\n", "see /a/path/longer/than/the/line ok\n");
}

static void test_pieces_are_one_line(void **state)
{
    (void)state;
    WRAPS(20, "  ! locked  the\n    database is\n    locked\n", "  ", "! ", "locked", "  the database is locked\n");
}

static void test_chinese(void **state)
{
    (void)state;
    /* 20 columns are ten characters; no line begins with a closing mark, or ends with an opening one. */
    WRAPS(20, "数据库写不进去，请先\n  停掉占锁的进程\n", "数据库写不进去，请先停掉占锁的进程\n");
    WRAPS(20, "数据库写不进去请先\n  查，再停掉进程\n", "数据库写不进去请先查，再停掉进程\n");
    WRAPS(20, "进程写不进去请先看\n  （用户）再停\n", "进程写不进去请先看（用户）再停\n");
}

static void test_never_wider(void **state)
{
    (void)state;
    static const char *const words[] = {"a", "锁", "process ", "，", "(4711)", " ", "数据库", "e\xcc\x81"};
    unsigned seed = 7;
    for (int round = 0; round < 2000; round++) {
        struct rb_wrap wrap = {0};
        struct rb_buf out;
        rb_buf_init(&out, 1 << 16);
        for (int i = 0; i < 60; i++) {
            seed = seed * 1103515245u + 12345u;
            const char *word = words[(seed >> 16) % 8];
            rb_wrap_add(&wrap, &out, word, strlen(word), 40);
        }
        rb_buf_adds(&out, "\n");
        for (char *line = out.data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = '\0';
            for (char *last = end; last > line && last[-1] == ' ';) {
                *--last = '\0'; /* blanks at the end of a line are not seen */
            }
            assert_true(rb_utf8_width(line) <= 40 + 2); /* a closing mark may hang over */
        }
        rb_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_longer_than_a_line),
        cmocka_unit_test(test_pieces_are_one_line),
        cmocka_unit_test(test_chinese),
        cmocka_unit_test(test_never_wider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
