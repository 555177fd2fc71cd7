/* docker.ask: what is declared, and nothing else, with exactly these words. A script stands in for docker here; the
 * real one is in tests/lua/test_docker.py. */
#include "async.h"

static const char script[] =
    "#!/bin/sh\n"
    "printf '%s\\n' \"$*\" >> \"${0%/*}/calls\"\n"
    "case \"$3 $*\" in\n"
    "ps*service=none*) ;;\n"
    "ps*service=odd*) echo 'rm -rf' ;;\n"
    "ps*service=bad*) echo 'cannot connect' >&2; exit 1 ;;\n"
    "ps*) printf '0123456789ab\\nfedcba987654\\n' ;;\n"
    "exec*) shift 4; printf '%s|' \"$@\"; echo inside >&2; [ \"$1\" != wait ] || exec sleep 60; exit 3 ;;\n"
    "esac\n";

static struct rb_call ask(const char *service, const char *name, int cancel_ms)
{
    json_t *connection =
        json_pack("{s:s, s:s, s:s, s:s, s:{s:{s:[s, s], s:[s], s:[], s:[i]}, s:{s:[s]}, s:{s:[s]}, s:{s:[s]}}}", "name",
                  "shop", "driver", "compose", "project", "my shop", "socket", "/run/d.sock", "asks", "backend",
                  "paused", "show", "a b; $HOME", "slow", "wait", "empty", "number", 1, "none", "x", "true", "odd", "x",
                  "true", "bad", "x", "true");
    return run_call("docker.ask",
                    json_pack("{s:o, s:s, s:s}", "connection", connection, "service", service, "name", name), true,
                    cancel_ms);
}

static void asks_what_is_declared(void **state)
{
    struct rb_call c = ask("backend", "paused", 0);
    assert_int_equal(c.err.code, 0);
    assert_false(truth(c.value, "ok"));
    assert_int_equal(rb_json_int(c.value, "code", 0), 3);
    assert_string_equal(rb_json_str(c.value, "out", ""), "show|a b; $HOME|");
    assert_string_equal(rb_json_str(c.value, "err", ""), "inside\n");
    assert_string_equal(rb_json_str(json_array_get(c.remarks, 0), "kind", ""), "unenforced");
    drop(&c);
    char *calls = slurp(in(state, "calls"));
    assert_string_equal(calls,
                        "-H unix:///run/d.sock ps --quiet --filter label=com.docker.compose.project=my shop --filter "
                        "label=com.docker.compose.service=backend --filter status=running\n"
                        "-H unix:///run/d.sock exec 0123456789ab show a b; $HOME\n");
    free(calls);
}

static void nothing_else(void **state)
{
    static const struct {
        const char *service, *name;
        int code;
    } wrong[] = {{"backend", "restart", RB_ENOT_FOUND},
                 {"backend", "empty", RB_ENOT_FOUND},
                 {"backend", "number", RB_ENOT_FOUND},
                 {"frontend", "paused", RB_ENOT_FOUND},
                 {"none", "x", RB_ENOT_RUNNING},
                 {"odd", "x", RB_ENOT_RUNNING},
                 {"bad", "x", RB_ESTATUS}};
    (void)unlink(in(state, "calls"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rb_call c = ask(wrong[i].service, wrong[i].name, 0);
        assert_null(c.value);
        assert_int_equal(c.err.code, wrong[i].code);
        drop(&c);
    }
    char *calls = slurp(in(state, "calls"));
    assert_null(strstr(calls, "exec"));
    free(calls);
    struct rb_call c = run_call(
        "docker.ask", json_pack("{s:{s:s}, s:s, s:s}", "connection", "driver", "redis", "service", "a", "name", "b"),
        true, 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
}

static void cancelling(void **state)
{
    (void)state;
    int64_t since = rb_clock_mono_ns();
    struct rb_call c = ask("backend", "slow", 1500);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    assert_true(rb_clock_mono_ns() - since < 20000000000);
    drop(&c);
}

int main(void)
{
    void *state = NULL;
    char search[2 * PATH_MAX];
    struct rb_err err = {0};
    (void)setup_dir(&state);
    put(in(&state, "docker"), script, sizeof script - 1);
    (void)chmod(in(&state, "docker"), 0755);
    (void)snprintf(search, sizeof search, "%s:%s", (const char *)state, getenv("PATH"));
    (void)setenv("PATH", search, 1);
    if (rb_spawner_fork(&spawner, NULL, 0, &err) != 0 || uv_loop_init(&loop) != 0 ||
        rb_spawner_attach(spawner, &loop, &err) != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(asks_what_is_declared, state),
                                       cmocka_unit_test_prestate(nothing_else, state), cmocka_unit_test(cancelling)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rb_spawner_close(spawner);
    (void)teardown_dir(&state);
    return async_close() || failed;
}
