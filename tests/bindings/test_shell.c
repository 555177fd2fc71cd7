/* shell over the real spawner: what a command says comes back exactly, and what it may not do it cannot. */
#include "async.h"

static struct rb_call shell(const char *verb, json_t *args, int cancel_ms)
{
    return run_call(verb, args, true, cancel_ms);
}

static bool remarked(const struct rb_call *call, const char *kind)
{
    size_t i;
    const json_t *one;
    json_array_foreach(call->remarks, i, one) {
        if (strcmp(rb_json_str(one, "kind", ""), kind) == 0) {
            return true;
        }
    }
    return false;
}

static void reads(void **state)
{
    (void)state;
    struct rb_call c = shell("shell.read", json_pack("{s:[s, s, s]}", "argv", "printf", "%s|", "a b; $HOME '*"), 0);
    assert_int_equal(c.err.code, 0);
    assert_true(truth(c.value, "ok"));
    assert_string_equal(rb_json_str(c.value, "out", ""), "a b; $HOME '*|");
    assert_string_equal(rb_json_str(c.value, "err", "?"), "");
    assert_null(json_object_get(c.value, "truncated"));
    drop(&c);
    c = shell("shell.read",
              json_pack("{s:s, s:[s, s]}", "sh", "printf '%s-%s-%s' \"$0\" \"$1\" \"$2\"; printf e >&2; exit 3", "args",
                        "$(reboot)", "two words"),
              0);
    assert_false(truth(c.value, "ok")); /* and yet an answer */
    assert_int_equal(rb_json_int(c.value, "code", 0), 3);
    assert_string_equal(rb_json_str(c.value, "out", ""), "sh-$(reboot)-two words");
    assert_string_equal(rb_json_str(c.value, "err", ""), "e");
    assert_int_equal(c.live[1], 22);
    assert_int_equal(c.live[2], 1);
    drop(&c);
    c = shell("shell.read", json_pack("{s:s}", "sh", "printf '\\326\\320'"), 0);
    assert_string_equal(rb_json_str(json_object_get(c.value, "out"), "$b64", ""), "1tA=");
    drop(&c);
    c = shell("shell.read", json_pack("{s:[s], s:s, s:s}", "argv", "cat", "stdin", "fed\n", "cwd", "/tmp"), 0);
    assert_string_equal(rb_json_str(c.value, "out", ""), "fed\n");
    drop(&c);
    c = shell("shell.read",
              json_pack("{s:s, s:s, s:{s:s}}", "sh", "pwd; echo $ADDED; echo ${PATH:+path}", "cwd", "/tmp", "env",
                        "ADDED", "x y"),
              0);
    assert_string_equal(rb_json_str(c.value, "out", ""), "/tmp\nx y\npath\n");
    drop(&c);
}

static void reading_cannot_write(void **state)
{
    const char *path = in(state, "made");
    struct rb_call c = shell("shell.read", json_pack("{s:s, s:[s]}", "sh", "echo x > \"$1\"", "args", path), 0);
    assert_int_equal(c.err.code, 0);
    assert_false(truth(c.value, "ok"));
    assert_true(remarked(&c, "refused"));
    assert_false(remarked(&c, "unenforced"));
    assert_int_equal(access(path, F_OK), -1);
    drop(&c);
    c = shell("shell.read", json_pack("{s:[s], s:b}", "argv", "true", "net", 1), 0);
    assert_true(remarked(&c, "unenforced"));
    drop(&c);
    c = shell("shell.run", json_pack("{s:s, s:[s]}", "sh", "echo x > \"$1\"", "args", path), 0);
    assert_int_equal(c.err.code, 0);
    assert_int_equal(access(path, F_OK), 0);
    drop(&c);
}

static void run_succeeds_or_raises(void **state)
{
    (void)state;
    struct rb_call c = shell("shell.run", json_pack("{s:s}", "sh", "echo first >&2; echo 最后 >&2; exit 3"), 0);
    assert_null(c.value);
    assert_int_equal(c.err.code, RB_EEXIT);
    assert_non_null(strstr(c.err.text, "3"));
    assert_non_null(strstr(c.err.text, "最后"));
    assert_non_null(strstr(c.err.text, "sh -c"));
    drop(&c);
    c = shell("shell.run", json_pack("{s:s, s:[i, i]}", "sh", "exit 3", "ok", 0, 3), 0);
    assert_int_equal(rb_json_int(c.value, "code", 0), 3);
    assert_true(truth(c.value, "ok"));
    drop(&c);
    c = shell("shell.run", json_pack("{s:[s]}", "argv", "no-such-program-here"), 0);
    assert_int_equal(c.err.code, RB_EMISSING);
    drop(&c);
}

static void much_output(void **state)
{
    (void)state;
    /* 3 bytes a character, so that a blind cut would split one. */
    struct rb_call c = shell(
        "shell.read",
        json_pack("{s:[s, s, s]}", "argv", "/usr/bin/python3", "-c", "print('begin' + '中' * 1000000 + 'end')"), 0);
    const char *out = rb_json_str(c.value, "out", "");
    size_t len = strlen(out);
    assert_true(len > (1 << 20) - 16 && len < (1 << 20) + 100);
    assert_memory_equal(out, "begin中", 8);
    assert_string_equal(out + len - 7, "中end\n");
    assert_non_null(strstr(out, "bytes left out"));
    assert_int_equal(rb_json_int(json_object_get(c.value, "truncated"), "out", 0), 3000009);
    assert_int_equal(c.live[1], 3000009);
    drop(&c);
    c = shell("shell.read", json_pack("{s:s}", "sh", "head -c 1048576 /dev/zero | tr '\\0' x"), 0);
    assert_int_equal(strlen(rb_json_str(c.value, "out", "")), 1 << 20);
    assert_null(json_object_get(c.value, "truncated"));
    drop(&c);
}

static void cancelling(void **state)
{
    (void)state;
    int64_t since = rb_clock_mono_ns();
    struct rb_call c = shell("shell.read", json_pack("{s:[s, s]}", "argv", "sleep", "60"), 200);
    assert_null(c.value);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    assert_true(rb_clock_mono_ns() - since < 30000000000);
    drop(&c);
}

static void bad_arguments(void **state)
{
    (void)state;
    json_t *bad[] = {json_object(),
                     json_pack("{s:[]}", "argv"),
                     json_pack("{s:[i]}", "argv", 1),
                     json_pack("{s:[s], s:s}", "argv", "true", "cwd", "relative"),
                     json_pack("{s:[s], s:s}", "argv", "true", "env", "A=1"),
                     json_pack("{s:[s], s:{s:s}}", "argv", "true", "env", "A=B", "1"),
                     json_pack("{s:[s#]}", "argv", "a\0b", 3),
                     json_pack("{s:[s], s:i}", "argv", "cat", "stdin", 7)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rb_call c = shell("shell.read", bad[i], 0);
        assert_int_equal(c.err.code, RB_EUSAGE);
        drop(&c);
    }
}

static void previews(void **state)
{
    (void)state;
    json_t *args = json_pack("{s:[s, s, s, s]}", "argv", "rm", "--", "it's here", "");
    char *text = verb_of("shell.run")->preview(args);
    assert_string_equal(text, "rm -- 'it'\\''s here' ''");
    free(text);
    json_decref(args);
    args = json_pack("{s:s, s:[s]}", "sh", "echo $1 | wc", "args", "a");
    text = verb_of("shell.run")->preview(args);
    assert_string_equal(text, "sh -c 'echo $1 | wc' sh a");
    free(text);
    json_decref(args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test_setup_teardown(reading_cannot_write, setup_dir, teardown_dir),
        cmocka_unit_test(run_succeeds_or_raises),
        cmocka_unit_test(much_output),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(previews),
    };
    struct rb_err err = {0};
    if (rb_spawner_fork(&spawner, NULL, 0, &err) != 0 || uv_loop_init(&loop) != 0 ||
        rb_spawner_attach(spawner, &loop, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rb_spawner_close(spawner);
    return failed | async_close();
}
