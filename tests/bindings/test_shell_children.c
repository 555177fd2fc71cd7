/* shell and children that misbehave, insist on a terminal, or stay: against the real spawner. */
#include "async.h"

#include <sys/resource.h>

static struct rb_call shell(const char *verb, json_t *args, int cancel_ms)
{
    return run_call(verb, args, true, cancel_ms);
}

static bool is_alive(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    char *text = slurp(path);
    const char *after = text ? strrchr(text, ')') : NULL;
    bool alive = after && after[2] != 'Z';
    free(text);
    return alive;
}

static bool is_gone_soon(pid_t pid)
{
    for (int i = 0; i < 3000 && is_alive(pid); i++) {
        (void)poll(NULL, 0, 10);
    }
    return !is_alive(pid);
}

static long own_memory_kib(void)
{
    long pages = 0, rss = 0;
    char *text = slurp("/proc/self/statm");
    assert_int_equal(sscanf(text, "%ld %ld", &pages, &rss), 2);
    free(text);
    return rss * (sysconf(_SC_PAGESIZE) / 1024);
}

/* What a command sees is the documented list, what env adds, and nothing of ours. */
static void environment(void **state)
{
    (void)state;
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "canary", 1), 0);
    assert_int_equal(setenv("RUNBOOK_TOKEN", "canary", 1), 0);
    assert_int_equal(setenv("LC_CTYPE", "C.UTF-8", 1), 0);
    assert_int_equal(setenv("HOME", "/root", 1), 0);
    struct rb_call c = shell("shell.read", json_pack("{s:[s]}", "argv", "env"), 0);
    const char *out = rb_json_str(c.value, "out", "");
    assert_null(strstr(out, "canary"));
    assert_non_null(strstr(out, "PATH="));
    assert_non_null(strstr(out, "HOME=/root"));
    assert_non_null(strstr(out, "LC_CTYPE=C.UTF-8"));
    drop(&c);
    c = shell("shell.read",
              json_pack("{s:[s], s:{s:b, s:b, s:b, s:s, s:{s:s}}}", "argv", "env", "env", "AWS_SECRET_ACCESS_KEY", 1,
                        "RUNBOOK_TOKEN", 1, "HOME", 0, "X", "a\nb=$(id)", "GBK", "$b64", "1tA="),
              0);
    json_t *raw = json_object_get(c.value, "out");
    struct rb_buf bytes;
    rb_buf_init(&bytes, 1 << 20);
    assert_int_equal(rb_json_bytes_get(raw, &bytes), 0); /* GBK among it: it comes as bytes */
    out = rb_buf_str(&bytes);
    assert_non_null(strstr(out, "AWS_SECRET_ACCESS_KEY=canary"));
    assert_null(strstr(out, "RUNBOOK_TOKEN"));
    assert_null(strstr(out, "HOME="));
    assert_non_null(strstr(out, "X=a\nb=$(id)"));
    assert_non_null(strstr(out, "GBK=\xd6\xd0"));
    rb_buf_deinit(&bytes);
    drop(&c);
    assert_int_equal(unsetenv("AWS_SECRET_ACCESS_KEY"), 0);
    assert_int_equal(unsetenv("RUNBOOK_TOKEN"), 0);
}

/* The same bytes go in by every way and come out, whatever a shell would make of them. */
static void payloads_are_data(void **state)
{
    static const char *const payloads[] = {"$(touch /tmp/pwned)",
                                           "`reboot`",
                                           "; rm -rf /",
                                           "a\nb\r\nc",
                                           "--help",
                                           "-n",
                                           "'\"\\",
                                           "* ? [a-z] ~",
                                           "%s%n%00",
                                           "${IFS}",
                                           "中文 \xf0\x9f\x92\xa5",
                                           "",
                                           " ",
                                           "\t",
                                           "\x1b]52;c;aGk=\x07",
                                           "../../etc/passwd",
                                           "|&><",
                                           "!!"};
    (void)state;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        const char *p = payloads[i];
        struct rb_call c =
            shell("shell.run",
                  json_pack("{s:s, s:[s], s:{s:s}, s:s}", "sh", "printf %s \"$1\"; printf %s \"$V\" >&2; cat >&2",
                            "args", p, "env", "V", p, "stdin", p),
                  0);
        char twice[256];
        (void)snprintf(twice, sizeof twice, "%s%s", p, p);
        assert_string_equal(rb_json_str(c.value, "out", "?"), p);
        assert_string_equal(rb_json_str(c.value, "err", "?"), twice);
        drop(&c);
        c = shell("shell.run", json_pack("{s:[s, s, s]}", "argv", "/usr/bin/printf", "%s", p), 0);
        assert_string_equal(rb_json_str(c.value, "out", "?"), p);
        drop(&c);
    }
    assert_int_equal(access("/tmp/pwned", F_OK), -1);
}

static void umask_and_limits(void **state)
{
    (void)state;
    struct rb_call c = shell("shell.run",
                             json_pack("{s:s, s:s, s:{s:i, s:s, s:i}}", "sh", "umask; ulimit -n; ulimit -v; ulimit -t",
                                       "umask", "0027", "limits", "files", 64, "memory", "256MiB", "cpu", 7),
                             0);
    assert_string_equal(rb_json_str(c.value, "out", ""), "0027\n64\n262144\n7\n");
    drop(&c);
    json_t *bad[] = {json_pack("{s:[s], s:s}", "argv", "true", "umask", "9"),
                     json_pack("{s:[s], s:s}", "argv", "true", "umask", ""),
                     json_pack("{s:[s], s:{s:i}}", "argv", "true", "limits", "colour", 1),
                     json_pack("{s:[s], s:{s:i}}", "argv", "true", "limits", "cpu", 0),
                     json_pack("{s:[s], s:b, s:i}", "argv", "true", "pty", 1, "rows", 0)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        c = shell("shell.run", bad[i], 0);
        assert_int_equal(c.err.code, RB_EUSAGE);
        drop(&c);
    }
}

static void signals_are_told(void **state)
{
    (void)state;
    struct rb_call c = shell("shell.read", json_pack("{s:s}", "sh", "kill -9 $$"), 0);
    assert_int_equal(rb_json_int(c.value, "code", 0), 137);
    assert_string_equal(rb_json_str(c.value, "signal", ""), "KILL");
    drop(&c);
    c = shell("shell.read", json_pack("{s:s}", "sh", "exit 137"), 0);
    assert_int_equal(rb_json_int(c.value, "code", 0), 137);
    assert_null(json_object_get(c.value, "signal"));
    drop(&c);
    c = shell("shell.run", json_pack("{s:s}", "sh", "echo last words >&2; kill -SEGV $$"), 0);
    assert_int_equal(c.err.code, RB_EEXIT);
    assert_non_null(strstr(c.err.text, "SEGV"));
    assert_non_null(strstr(c.err.text, "last words"));
    drop(&c);
}

static void terminals(void **state)
{
    (void)state;
    const char *script = "test -t 0 && test -t 1 && test -t 2 && echo three; stty size; cat; echo end >&2";
    for (int write = 0; write < 2; write++) {
        struct rb_call c = shell(write ? "shell.run" : "shell.read",
                                 json_pack("{s:s, s:b, s:i, s:i, s:s}", "sh", script, "pty", 1, "rows", 40, "cols", 132,
                                           "stdin", "geheim\nhalf a line"),
                                 0);
        assert_int_equal(c.err.code, 0);
        assert_string_equal(rb_json_str(c.value, "out", ""), "three\n40 132\ngeheim\nhalf a lineend\n");
        assert_string_equal(rb_json_str(c.value, "err", "?"), "");
        drop(&c);
    }
    struct rb_call c =
        shell("shell.run", json_pack("{s:s, s:b}", "sh", "cat; printf '\\326\\320\\r\\n'; exit 4", "pty", 1), 0);
    assert_int_equal(c.err.code, RB_EEXIT); /* and nothing waited for input that never comes */
    drop(&c);
    c = shell("shell.run", json_pack("{s:s, s:b, s:i}", "sh", "printf '\\326\\320\\r\\n'; exit 4", "pty", 1, "ok", 4),
              0);
    assert_string_equal(rb_json_str(json_object_get(c.value, "out"), "$b64", ""), "1tANCg==");
    drop(&c);
}

/* The kernel hands over what a terminal was told 4 KiB at a time, the last of it when nobody is there any more. */
static void last_words_in_a_terminal(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct rb_call c = shell("shell.read", json_pack("{s:s, s:b}", "sh", "printf '%032000d' 7", "pty", 1), 0);
        assert_int_equal(strlen(rb_json_str(c.value, "out", "")), 32000);
        drop(&c);
    }
}

/* Without end: memory stays, the deadline is kept, what was said last is known. */
static void endless_output(void **state)
{
    (void)state;
    struct rb_call c = shell("shell.read", json_pack("{s:[s]}", "argv", "yes"), 300);
    drop(&c); /* what buffers there are exist now */
    long before = own_memory_kib();
    struct started s;
    int64_t since = rb_clock_mono_ns();
    begin(&s, "shell.run", json_pack("{s:s}", "sh", "trap '' TERM PIPE; while :; do yes; done"), false);
    while (s.call.live[1] < (64 << 20)) {
        assert_true(rb_clock_mono_ns() - since < 60000000000);
        uv_run(&loop, UV_RUN_ONCE);
    }
    s.cancel(&s.call);
    finish(&s); /* the grace of a write, then SIGKILL */
    assert_int_equal(s.call.err.code, RB_ECANCELLED);
    assert_true(own_memory_kib() - before < 16 << 10);
    drop(&s.call);
}

static void silent_child_that_lives(void **state)
{
    (void)state;
    int64_t since = rb_clock_mono_ns();
    struct rb_call c = shell("shell.run", json_pack("{s:s}", "sh", "exec >&- 2>&-; sleep 0.4; exit 0"), 0);
    assert_int_equal(rb_json_int(c.value, "code", -1), 0);
    assert_true(rb_clock_mono_ns() - since > 390000000);
    drop(&c);
    c = shell("shell.read", json_pack("{s:s}", "sh", "exec >&- 2>&-; sleep 60"), 200);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    drop(&c);
}

/* Its own session, its parent gone, deaf to SIGTERM: it ends with the call all the same. */
static void hidden_daemon(void **state)
{
    const char *pids = in(state, "pids");
    struct started s;
    begin(&s, "shell.run",
          json_pack("{s:s, s:[s]}", "sh",
                    "(setsid sh -c 'trap \"\" TERM HUP INT; (sh -c \"trap : TERM; echo \\$\\$ > $1; while :; do "
                    "sleep 1; done\" &) ; sleep 1000' sh \"$1\" >/dev/null 2>&1 &); sleep 1000",
                    "args", pids),
          false);
    pid_t pid = 0;
    for (int i = 0; i < 6000 && pid == 0; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 10);
        char *text = slurp(pids);
        pid = text && strchr(text, '\n') ? (pid_t)strtol(text, NULL, 10) : 0;
        free(text);
    }
    assert_true(pid > 1 && is_alive(pid));
    s.cancel(&s.call); /* asked twice: no grace left */
    s.cancel(&s.call);
    finish(&s);
    assert_int_equal(s.call.err.code, RB_ECANCELLED);
    assert_true(is_gone_soon(pid));
    drop(&s.call);
}

static void a_service_stays(void **state)
{
    const char *log = in(state, "service.log");
    put(log, "ready from yesterday\n", 21);
    struct rb_call c =
        shell("shell.start",
              json_pack("{s:s, s:s, s:s, s:{s:s}}", "sh",
                        "echo pid $$ $KIND; sleep 0.2; printf 'rea'; sleep 0.2; echo dy; exec sleep 1000", "log", log,
                        "ready", "ready", "env", "KIND", "kept"),
              0);
    assert_int_equal(c.err.code, 0);
    pid_t pid = (pid_t)rb_json_int(c.value, "pid", 0);
    char *text = slurp(log), wanted[128];
    (void)snprintf(wanted, sizeof wanted, "ready from yesterday\npid %d kept\nready\n", (int)pid);
    assert_string_equal(text, wanted);
    free(text);
    assert_int_equal(started_of(pid), rb_json_int(c.value, "started", 0));
    assert_int_equal(getsid(pid), pid);
    (void)poll(NULL, 0, 200);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(is_alive(pid)); /* its keeper is gone, it is not */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(is_gone_soon(pid));
    drop(&c);
}

static void a_service_that_does_not_stay(void **state)
{
    const char *log = in(state, "service.log");
    struct rb_call c =
        shell("shell.start", json_pack("{s:s, s:s}", "sh", "echo EADDRINUSE >&2; exit 3", "log", log), 0);
    assert_int_equal(c.err.code, RB_EEXIT);
    assert_non_null(strstr(c.err.text, "EADDRINUSE"));
    drop(&c);
    c = shell("shell.start", json_pack("{s:[s]}", "argv", "no-such-program-here"), 0);
    assert_int_equal(c.err.code, RB_EMISSING);
    drop(&c);
    c = shell("shell.start", json_pack("{s:[s], s:s}", "argv", "true", "log", "/no/such/folder/log"), 0);
    assert_int_equal(c.err.code, RB_ENOT_FOUND);
    drop(&c);
    c = shell("shell.start", json_pack("{s:[s, s], s:s, s:s}", "argv", "sleep", "1000", "log", log, "ready", "never"),
              300);
    assert_int_equal(c.err.code, RB_ECANCELLED); /* its deadline: it was ended */
    drop(&c);
    c = shell("shell.start", json_pack("{s:[s], s:s}", "argv", "true", "ready", "x"), 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment),
        cmocka_unit_test(payloads_are_data),
        cmocka_unit_test(umask_and_limits),
        cmocka_unit_test(signals_are_told),
        cmocka_unit_test(terminals),
        cmocka_unit_test(last_words_in_a_terminal),
        cmocka_unit_test(endless_output),
        cmocka_unit_test(silent_child_that_lives),
        cmocka_unit_test_setup_teardown(hidden_daemon, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(a_service_stays, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(a_service_that_does_not_stay, setup_dir, teardown_dir),
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
