/* What the engine gives to the verbs, small: calls verb->work directly; programs that hold
 * real locks in child processes. One test program includes it once. */
#ifndef RB_TESTS_BINDINGS_HARNESS_H
#define RB_TESTS_BINDINGS_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/port.h"
#include "binding.h"

struct rb_work {
    int64_t deadline_ns;
    bool read_only;
    uint64_t forbidden_dev, forbidden_ino;
    int progress; /* how often it was told */
    int64_t last_write_us;
    char announced[256]; /* the facts of a write that came to what cannot be taken back */
};

void rb_work_progress(struct rb_work *work, int64_t done, int64_t total, const char *unit)
{
    assert_true(done <= total || total == 0);
    assert_non_null(unit);
    work->progress++;
}

int rb_work_announce(struct rb_work *work, json_t *facts, struct rb_err *err)
{
    (void)err;
    char *text = json_dumps(facts, JSON_SORT_KEYS);
    (void)snprintf(work->announced, sizeof work->announced, "%s", text);
    free(text);
    json_decref(facts);
    return 0;
}

double rb_work_left(const struct rb_work *work)
{
    int64_t left = work->deadline_ns - rb_clock_mono_ns();
    return left > 0 ? (double)left / 1e9 : 0;
}

int64_t rb_work_last_write(const struct rb_work *work)
{
    return work->last_write_us;
}

bool rb_work_read_only(const struct rb_work *work)
{
    return work->read_only;
}

bool rb_work_forbidden_file(const struct rb_work *work, uint64_t dev, uint64_t ino)
{
    return work->forbidden_ino != 0 && work->forbidden_dev == dev && work->forbidden_ino == ino;
}

static inline const struct rb_verb *verb_of(const char *full)
{
    char name[128];
    for (size_t i = 0; rb_bindings[i]; i++) {
        for (const struct rb_verb *verb = rb_bindings[i]->verbs; verb->name; verb++) {
            (void)snprintf(name, sizeof name, "%s.%s", rb_bindings[i]->name, verb->name);
            if (strcmp(name, full) == 0) {
                return verb;
            }
        }
    }
    fail_msg("no verb %s", full);
    return NULL;
}

static inline json_t *call_with(struct rb_work *work, const char *verb, json_t *args, struct rb_err *err)
{
    json_t *value = verb_of(verb)->work(args, work, err);
    json_decref(args);
    return value;
}

/* The answer; an error fails the test. Takes args. */
static inline json_t *must(const char *verb, json_t *args)
{
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000};
    struct rb_err err = {0};
    assert_non_null(args);
    json_t *value = call_with(&work, verb, args, &err);
    if (!value) {
        fail_msg("%s: %s (%s)", verb, err.text, rb_err_name(err.code));
    }
    return value;
}

/* The error's code; an answer fails the test. Takes args. */
static inline int code_of(const char *verb, json_t *args)
{
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000};
    struct rb_err err = {0};
    assert_non_null(args);
    json_t *value = call_with(&work, verb, args, &err);
    if (value) {
        fail_msg("%s answered %s", verb, json_dumps(value, JSON_ENCODE_ANY));
    }
    assert_int_not_equal(err.code, 0);
    assert_true(err.text[0] != '\0');
    return err.code;
}

static inline bool truth(const json_t *value, const char *key)
{
    assert_true(json_is_boolean(json_object_get(value, key)));
    return json_is_true(json_object_get(value, key));
}

/* ---- folders and files ---- */

static inline int setup_dir(void **state)
{
    char name[] = "/tmp/bindings-XXXXXX";
    assert_non_null(mkdtemp(name));
    assert_int_equal(chmod(name, 0755), 0);
    *state = strdup(name);
    return 0;
}

static inline int run_argv(const char *const *argv)
{
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int teardown_dir(void **state)
{
    const char *const argv[] = {"rm", "-rf", *state, NULL};
    (void)run_argv(argv);
    free(*state);
    return 0;
}

static inline const char *in(void **state, const char *name)
{
    static char paths[8][PATH_MAX];
    static int at;
    at = (at + 1) % 8;
    (void)snprintf(paths[at], PATH_MAX, "%s/%s", (const char *)*state, name);
    return paths[at];
}

static inline void put(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static inline char *slurp(const char *path)
{
    char *out = calloc(1, 1 << 16);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, out, (1 << 16) - 1) < 0) {
        free(out);
        out = NULL;
    }
    if (fd >= 0) {
        close(fd);
    }
    return out;
}

/* For a server that is started later: nobody else takes it as long as this program runs. */
static inline int free_port(void)
{
    int claim, port = rb_port_claim(&claim);
    assert_int_not_equal(port, 0);
    return port;
}

/* ---- processes ---- */

struct helper {
    pid_t pid;
    int out;
};

/* Starts argv and waits, at most 60 s, for one line on its output. */
static inline struct helper start_ready(const char *const *argv)
{
    struct helper h = {0};
    int ends[2];
    char line[64];
    assert_int_equal(pipe(ends), 0);
    h.pid = fork();
    if (h.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing outlives a failed test */
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(ends[1]);
    h.out = ends[0];
    struct pollfd ready = {.fd = h.out, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 60000), 1);
    assert_true(read(h.out, line, sizeof line) > 0);
    return h;
}

static inline void end_helper(struct helper *h)
{
    if (h->pid > 0) {
        (void)kill(h->pid, SIGKILL);
        (void)waitpid(h->pid, NULL, 0);
        close(h->out);
        h->pid = 0;
    }
}

static inline long long started_of(pid_t pid)
{
    json_t *list = must("system.processes", json_pack("{s:i}", "pid", (int)pid));
    assert_int_equal(json_array_size(list), 1);
    long long started = rb_json_int(json_array_get(list, 0), "started", -1);
    json_decref(list);
    assert_true(started > 0);
    return started;
}

/* Waits until the process is in the state; fails after 60 s. */
static inline void wait_state(pid_t pid, const char *wanted)
{
    for (int i = 0; i < 6000; i++) {
        json_t *list = must("system.processes", json_pack("{s:i}", "pid", (int)pid));
        bool there = strcmp(rb_json_str(json_array_get(list, 0), "state", ""), wanted) == 0;
        json_decref(list);
        if (there) {
            return;
        }
        (void)poll(NULL, 0, 10);
    }
    fail_msg("process %d never came to state %s", (int)pid, wanted);
}

#endif
