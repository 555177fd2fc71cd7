/* file.env and file.env_set: values stay in the file, and every byte that was not asked for stays as it is.
 */
#include "harness.h"

#include "calls.h"
#include "file/env_text.h"

static const char SAMPLE[] = "# database\r\n"
                             "DB_POOL_SIZE=10   # connections\r\n"
                             "export JWT_SECRET=\"a b\\\"c\\\\d\\n$e\"\n"
                             "API_KEY='new_api_key'\n"
                             "EMPTY=\n"
                             "  SPACED = x y  \n"
                             "MULTI=\"one\ntwo\"\n"
                             "JWT_SECRET=later\n"
                             "not an assignment\n"
                             "=nothing\n"
                             "OPEN=\"never closed\n"
                             "HASH=a#b\n"
                             "LAST=end";

static json_t *entry_of(json_t *answer, const char *name, int line)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(answer, "entries"), i, one) {
        if (strcmp(rb_json_str(one, "name", ""), name) == 0 && (line == 0 || rb_json_int(one, "line", 0) == line)) {
            return one;
        }
    }
    fail_msg("no %s", name);
    return NULL;
}

static void listing(void **state)
{
    const char *path = in(state, ".env");
    put(path, SAMPLE, sizeof SAMPLE - 1);
    json_t *answer = must("file.env", json_pack("{s:s, s:[s, s, s, s, s]}", "path", path, "show", "DB_POOL_SIZE",
                                                "MULTI", "SPACED", "HASH", "LAST"));
    assert_string_equal(rb_json_str(entry_of(answer, "DB_POOL_SIZE", 2), "value", ""), "10");
    assert_string_equal(rb_json_str(entry_of(answer, "SPACED", 0), "value", ""), "x y");
    assert_string_equal(rb_json_str(entry_of(answer, "MULTI", 7), "value", ""), "one\ntwo");
    assert_string_equal(rb_json_str(entry_of(answer, "HASH", 0), "value", ""), "a#b");
    assert_string_equal(rb_json_str(entry_of(answer, "LAST", 0), "value", ""), "end");
    json_t *secret = entry_of(answer, "JWT_SECRET", 3);
    assert_null(json_object_get(secret, "value"));
    assert_int_equal(rb_json_int(secret, "length", 0), 10);
    assert_true(truth(secret, "overridden"));
    assert_true(truth(secret, "exported"));
    assert_true(truth(entry_of(answer, "API_KEY", 0), "placeholder"));
    assert_false(truth(entry_of(answer, "EMPTY", 0), "set"));
    assert_int_equal(json_array_size(json_object_get(answer, "bad_lines")), 3);
    char *text = json_dumps(answer, 0);
    assert_null(strstr(text, "later"));
    assert_null(strstr(text, "new_api_key"));
    free(text);
    json_decref(answer);
    assert_true(json_is_null(must("file.env", json_pack("{s:s}", "path", in(state, "none")))));
}

static void against_a_process(void **state)
{
    const char *path = in(state, ".env");
    put(path, "A=1\nB=2\n", 8);
    const char *const argv[] = {"env", "-i", "A=1", "B=old", "PATH=/usr/bin:/bin", "sh", "-c", "echo up; sleep 100",
                                NULL};
    struct helper h = start_ready(argv);
    json_t *answer = must("file.env", json_pack("{s:s, s:i}", "path", path, "pid", (int)h.pid));
    assert_true(truth(entry_of(answer, "A", 0), "loaded"));
    assert_false(truth(entry_of(answer, "B", 0), "loaded"));
    json_decref(answer);
    end_helper(&h);
}

static json_t *set(const char *path, const char *name, const char *value)
{
    return must("file.env_set", json_pack("{s:s, s:s, s:s}", "path", path, "name", name, "value", value));
}

static void setting(void **state)
{
    const char *path = in(state, ".env");
    char wanted[sizeof SAMPLE + 64];
    put(path, SAMPLE, sizeof SAMPLE - 1);
    assert_int_equal(chmod(path, 0600), 0);
    json_t *answer = set(path, "DB_POOL_SIZE", "20");
    assert_false(truth(answer, "added"));
    char *backup = slurp(rb_json_str(answer, "backup", ""));
    assert_string_equal(backup, SAMPLE);
    free(backup);
    json_decref(answer);
    memcpy(wanted, SAMPLE, sizeof SAMPLE);
    memcpy(strstr(wanted, "=10 "), "=20 ", 4);
    char *text = slurp(path);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(set(path, "JWT_SECRET", "latest")); /* the line that counts */
    text = slurp(path);
    assert_non_null(strstr(text, "\nJWT_SECRET=latest\n"));
    assert_non_null(strstr(text, "export JWT_SECRET=\"a b"));
    free(text);
    answer = set(path, "NEW_KEY", "it's $HOME");
    assert_true(truth(answer, "added"));
    json_decref(answer);
    text = slurp(path);
    assert_non_null(strstr(text, "LAST=end\nNEW_KEY=\"it's \\$HOME\"\n"));
    free(text);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    json_decref(set(in(state, "fresh"), "A", "1"));
    assert_int_equal(stat(in(state, "fresh"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    static const char *const names[] = {"", "A B", "A=B", "1A", "A\nB", "A;B", "a.b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(
            code_of("file.env_set", json_pack("{s:s, s:s, s:s}", "path", path, "name", names[i], "value", "x")),
            RB_EUSAGE);
    }
}

/* What is written is what a shell, node's and our own reader make of it. */
static void values_survive(void **state)
{
    static const char *const values[] = {"",
                                         "plain",
                                         "two words",
                                         "it's",
                                         "say \"hi\"",
                                         "$HOME `id` $(id)",
                                         "back\\slash",
                                         "a#b # c",
                                         "line\nbreak\ttab",
                                         "'\"$\\",
                                         "中文 🔑",
                                         " edge ",
                                         "=",
                                         "#",
                                         "$2b$10$abc",
                                         "x\r\ny"};
    const char *path = in(state, ".env");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (int quote = 0; quote < 3; quote++) {
            const char *const before[] = {"V=old # c\n", "V='old' # c\n", "V=\"old\" # c\n"};
            put(path, before[quote], strlen(before[quote]));
            json_decref(set(path, "V", values[i]));
            json_t *answer = must("file.env", json_pack("{s:s, s:[s]}", "path", path, "show", "V"));
            assert_int_equal(json_array_size(json_object_get(answer, "entries")), 1);
            assert_string_equal(rb_json_str(entry_of(answer, "V", 1), "value", "?"), values[i]);
            json_decref(answer);
            if (strpbrk(values[i], "\n\r\t")) {
                continue; /* written as \n, which a shell does not undo */
            }
            const char *const argv[] = {"sh", "-c", ". \"$1\"; test \"$V\" = \"$2\"", "sh", path, values[i], NULL};
            assert_int_equal(run_argv(argv), 0);
        }
    }
}

static void secrets_stay_out_of_errors(void **state)
{
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000};
    struct rb_err err = {0};
    assert_null(call_with(
        &work, "file.env_set",
        json_pack("{s:s, s:s, s:s}", "path", in(state, "no/such/.env"), "name", "A", "value", "canary"), &err));
    assert_null(strstr(err.text, "canary"));
    assert_null(call_with(&work, "file.env_set",
                          json_pack("{s:s, s:s, s:[s]}", "path", in(state, ".env"), "name", "A", "value", "canary"),
                          &err));
    assert_int_equal(err.code, RB_EUSAGE);
    assert_null(strstr(err.text, "canary"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listing, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(against_a_process, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(setting, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(values_survive, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(secrets_stay_out_of_errors, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
