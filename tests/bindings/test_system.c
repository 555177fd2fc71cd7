/* system: looking at the machine, and ending processes by identity. */
#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "calls.h"

static struct helper script(const char *text)
{
    const char *const argv[] = {"sh", "-c", text, NULL};
    return start_ready(argv);
}

static json_t *stop_args(pid_t pid, long long started, double grace)
{
    return json_pack("{s:i, s:I, s:f}", "pid", (int)pid, "started", (json_int_t)started, "grace", grace);
}

static void assert_ended(json_t *answer, const char *how)
{
    assert_string_equal(rb_json_str(answer, "ended", ""), how);
    assert_true(rb_json_int(answer, "ms", -1) >= 0);
    json_decref(answer);
}

static int status_of(struct helper *h)
{
    int status = 0;
    assert_int_equal(waitpid(h->pid, &status, 0), h->pid);
    close(h->out);
    h->pid = 0;
    return WIFSIGNALED(status) ? WTERMSIG(status) : -1;
}

static void stop_term(void **state)
{
    (void)state;
    struct helper h = script("echo up; exec sleep 300");
    long long started = started_of(h.pid);
    assert_ended(must("system.stop", stop_args(h.pid, started, 10)), "term");
    /* Not yet collected by us, its parent: a zombie is gone. */
    assert_ended(must("system.stop", stop_args(h.pid, started, 1)), "gone");
    pid_t pid = h.pid;
    assert_int_equal(status_of(&h), SIGTERM);
    assert_ended(must("system.stop", stop_args(pid, started, 1)), "gone");
    assert_int_equal(code_of("system.signal", json_pack("{s:i, s:s, s:I}", "pid", (int)pid, "signal", "TERM", "started",
                                                        (json_int_t)started)),
                     RB_ENOT_RUNNING);
}

static void stop_deaf(void **state)
{
    (void)state;
    struct helper h = script("trap '' TERM; echo up; exec sleep 300");
    int64_t since = rb_clock_mono_ns();
    assert_ended(must("system.stop", stop_args(h.pid, started_of(h.pid), 0.3)), "kill");
    assert_true(rb_clock_mono_ns() - since >= 300000000);
    assert_int_equal(status_of(&h), SIGKILL);
    h = script("echo up; exec sleep 300");
    assert_ended(must("system.stop", stop_args(h.pid, started_of(h.pid), 0)), "kill");
    assert_int_equal(status_of(&h), SIGKILL);
}

/* A stopped process sees SIGTERM only once it goes on; it must get the chance to end cleanly. */
static void stop_suspended(void **state)
{
    (void)state;
    struct helper h = script("echo up; exec sleep 300");
    assert_int_equal(kill(h.pid, SIGSTOP), 0);
    wait_state(h.pid, "T");
    assert_ended(must("system.stop", stop_args(h.pid, started_of(h.pid), 10)), "term");
    assert_int_equal(status_of(&h), SIGTERM);
}

static void stop_refuses(void **state)
{
    (void)state;
    struct helper h = script("echo up; exec sleep 300");
    long long started = started_of(h.pid);
    assert_int_equal(code_of("system.stop", stop_args(h.pid, started + 1, 1)), RB_ENOT_RUNNING);
    assert_int_equal(code_of("system.stop", json_pack("{s:i}", "pid", (int)h.pid)), RB_EUSAGE);
    assert_int_equal(code_of("system.stop", stop_args(h.pid, started, 100)), RB_EUSAGE);
    assert_int_equal(code_of("system.stop", stop_args(0, started, 1)), RB_EUSAGE);
    assert_int_equal(code_of("system.stop", stop_args(-1, started, 1)), RB_EUSAGE);
    assert_int_equal(code_of("system.stop", stop_args(1, 1, 1)), RB_EDENIED);
    assert_int_equal(code_of("system.stop", stop_args(getpid(), started_of(getpid()), 1)), RB_EDENIED);
    assert_int_equal(code_of("system.stop", stop_args(getppid(), started_of(getppid()), 1)), RB_EDENIED);
    assert_int_equal(code_of("system.signal", json_pack("{s:i, s:s, s:I}", "pid", (int)h.pid, "signal", "NONE",
                                                        "started", (json_int_t)started)),
                     RB_EUSAGE);
    wait_state(h.pid, "S"); /* alive after all that */
    json_decref(must("system.signal", json_pack("{s:i, s:s, s:I}", "pid", (int)h.pid, "signal", "STOP", "started",
                                                (json_int_t)started)));
    wait_state(h.pid, "T");
    end_helper(&h);
}

static void kernel_threads_are_refused(void **state)
{
    (void)state;
    json_t *all = must("system.processes", json_object());
    size_t i;
    json_t *one;
    json_array_foreach(all, i, one) {
        if (truth(one, "kernel")) {
            assert_int_equal(
                code_of("system.stop", stop_args((pid_t)rb_json_int(one, "pid", 0), rb_json_int(one, "started", 0), 1)),
                RB_EDENIED);
            break;
        }
    }
    json_decref(all);
}

static void process_fields(void **state)
{
    (void)state;
    const char *const argv[] = {"/usr/bin/python3", "-c", "import time; print('up', flush=True); time.sleep(299)",
                                NULL};
    struct helper h = start_ready(argv);
    json_t *list = must("system.processes", json_pack("{s:i}", "pid", (int)h.pid));
    const json_t *one = json_array_get(list, 0);
    int64_t started_at = 0, now = rb_clock_utc_us();
    assert_string_equal(rb_json_str(one, "command", ""),
                        "/usr/bin/python3 -c import time; print('up', flush=True); time.sleep(299)");
    assert_string_equal(rb_json_str(one, "name", ""), "python3");
    assert_int_equal(rb_json_int(one, "ppid", 0), getpid());
    assert_int_equal(rb_json_int(one, "uid", -1), getuid());
    assert_string_equal(rb_json_str(one, "cwd", "")[0] == '/' ? "/" : "", "/");
    assert_non_null(strstr(rb_json_str(one, "exe", ""), "python3"));
    assert_int_equal(rb_clock_parse(rb_json_str(one, "started_at", ""), &started_at), 0);
    assert_true(now - started_at > -3000000 && now - started_at < 30000000);
    assert_true(rb_json_int(one, "rss", 0) > 0);
    json_decref(list);
    end_helper(&h);
    list = must("system.processes", json_pack("{s:s}", "name", "no such name"));
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
}

static void listener(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    json_t *answer = must("system.listeners", json_pack("{s:i}", "port", ntohs(at.sin_port)));
    const json_t *list = json_object_get(answer, "listeners"), *one = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(rb_json_str(one, "proto", ""), "tcp");
    assert_string_equal(rb_json_str(one, "addr", ""), "127.0.0.1");
    assert_int_equal(rb_json_int(one, "port", 0), ntohs(at.sin_port));
    assert_int_equal(rb_json_int(json_array_get(json_object_get(one, "processes"), 0), "pid", 0), getpid());
    json_decref(answer);
    close(fd);
    answer = must("system.listeners", json_pack("{s:i}", "port", ntohs(at.sin_port)));
    assert_int_equal(json_array_size(json_object_get(answer, "listeners")), 0);
    json_decref(answer);
}

static void openers_and_locks(void **state)
{
    const char *path = in(state, "file"), *other = in(state, "other");
    char text[2 * PATH_MAX];
    put(path, "x", 1);
    put(other, "x", 1);
    (void)snprintf(text, sizeof text, "exec 9<%s; exec 8<%s; flock -x 9; echo up; exec sleep 300", path, other);
    struct helper h = script(text);
    json_t *answer = must("system.openers", json_pack("{s:s}", "path", path));
    const json_t *list = json_object_get(answer, "openers");
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(rb_json_int(json_array_get(list, 0), "pid", 0), h.pid);
    assert_int_equal(rb_json_int(json_array_get(list, 0), "fds", 0), 1);
    json_decref(answer);
    answer = must("system.lock_holders", json_pack("{s:s}", "path", path));
    assert_int_equal(json_array_size(answer), 1);
    assert_string_equal(rb_json_str(json_array_get(answer, 0), "type", ""), "flock");
    assert_string_equal(rb_json_str(json_array_get(answer, 0), "access", ""), "write");
    json_decref(answer);
    answer = must("system.lock_holders", json_pack("{s:s}", "path", other));
    assert_int_equal(json_array_size(answer), 0);
    json_decref(answer);
    end_helper(&h);
    assert_int_equal(code_of("system.openers", json_pack("{s:s}", "path", in(state, "none"))), RB_ENOT_FOUND);
}

static void disk_memory_load(void **state)
{
    json_t *disk = must("system.disk", json_pack("{s:s}", "path", *state));
    long long total = rb_json_int(disk, "total", 0), free_bytes = rb_json_int(disk, "free", -1);
    assert_true(total > 0 && free_bytes >= 0 && free_bytes <= total);
    assert_int_equal(rb_json_int(disk, "free_pct", -1) + rb_json_int(disk, "used_pct", -1), 100);
    assert_false(truth(disk, "read_only"));
    assert_false(truth(disk, "network"));
    assert_int_equal(rb_json_str(disk, "mount", "")[0], '/');
    json_decref(disk);
    disk = must("system.disk", json_pack("{s:s}", "path", "/proc/self"));
    assert_string_equal(rb_json_str(disk, "fstype", ""), "proc");
    assert_string_equal(rb_json_str(disk, "mount", ""), "/proc");
    json_decref(disk);
    json_t *memory = must("system.memory", json_object());
    assert_true(rb_json_int(memory, "available", 0) > 0 &&
                rb_json_int(memory, "available", 0) <= rb_json_int(memory, "total", 0));
    json_decref(memory);
    json_t *load = must("system.load", json_object());
    assert_true(rb_json_int(load, "cpus", 0) >= 1 && rb_json_int(load, "uptime", 0) > 0);
    json_decref(load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stop_term),
        cmocka_unit_test(stop_deaf),
        cmocka_unit_test(stop_suspended),
        cmocka_unit_test(stop_refuses),
        cmocka_unit_test(kernel_threads_are_refused),
        cmocka_unit_test(process_fields),
        cmocka_unit_test(listener),
        cmocka_unit_test_setup_teardown(openers_and_locks, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(disk_memory_load, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
