/* Several processes on one journal, processes that are killed, and a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "journal/journal.h"

#include "journal_folder.h"

#define WRITERS 4
#define EACH 200
#define KILLS 25
#define SKIPPED 77

static int make_folder(void **state)
{
    (void)state;
    return journal_folder_make("/tmp");
}

static int remove_folder(void **state)
{
    (void)state;
    return journal_folder_remove();
}

static void name_run(char out[RB_ID_MAX], int a, int b)
{
    (void)snprintf(out, RB_ID_MAX, "r-%03d-%03d", a, b);
}

/* With the others always at it, the lock may not come within the five seconds that a commit waits: on a busy machine it
 * is asked for again, for a minute. Nothing is lost by that: the events stay queued. */
static int commit_patiently(struct rb_journal *j, struct rb_err *err)
{
    int64_t until = rb_clock_mono_ns() + 60000000000;
    int rc;
    do {
        rc = rb_journal_commit(j, err);
    } while (rc == RB_EJOURNAL && rb_clock_mono_ns() < until);
    return rc;
}

static int open_patiently(struct rb_journal **j, struct rb_err *err)
{
    int64_t until = rb_clock_mono_ns() + 60000000000;
    int rc;
    do {
        rc = rb_journal_open(j, path, err);
    } while (rc == RB_EJOURNAL && rb_clock_mono_ns() < until);
    return rc;
}

/* Returns how many events are committed; calls acked after each commit. */
static int write_events(int a, int b, int count, int ack_fd)
{
    struct rb_journal *j = NULL;
    struct rb_err err = {0};
    char run[RB_ID_MAX], text[2048];
    json_t *body;
    int done = 0;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    name_run(run, a, b);
    body = json_pack("{s:s}", "text", text); /* long: so that checkpoints happen too */
    if (open_patiently(&j, &err) == 0) {
        for (; done < count; done++) {
            if (rb_journal_add(j, run, done ? "note" : "run.started", body, &err) || commit_patiently(j, &err) ||
                (ack_fd >= 0 && write(ack_fd, "x", 1) != 1)) {
                break;
            }
        }
    }
    if (done < count) {
        print_error("%s: %d of %d: %s\n", run, done, count, err.text);
    }
    json_decref(body);
    rb_journal_close(j);
    return done;
}

struct totals {
    char run[RB_ID_MAX];
    int64_t events, last_seq;
};

static int count_event(const struct rb_event *event, void *user)
{
    struct totals *t = user;
    assert_string_equal(event->run, t->run);
    assert_int_equal(event->seq, t->last_seq + 1);
    t->last_seq = event->seq;
    t->events++;
    return 0;
}

static int64_t check_run(struct rb_journal *j, int a, int b, int64_t at_least)
{
    struct totals t = {.events = 0};
    name_run(t.run, a, b);
    assert_int_equal(rb_journal_read(j, t.run, 0, count_event, &t, NULL), 0);
    if (t.events < at_least) {
        fail_msg("%s: %lld events were acknowledged, %lld are there", t.run, (long long)at_least, (long long)t.events);
    }
    return t.events;
}

static void check_chain(struct rb_journal *j, int64_t events)
{
    struct rb_verify v;
    assert_int_equal(rb_journal_verify(j, NULL, &v, NULL), 0);
    if (!v.ok || v.events != events) {
        fail_msg("%lld events, %lld expected; event %lld of %s: %s", (long long)v.events, (long long)events,
                 (long long)v.id, v.run, v.why);
    }
}

static void wait_ok(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* They also race to create the file. */
static void several_processes_write_one_chain(void **state)
{
    (void)state;
    pid_t pids[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            _exit(write_events(i, 0, EACH, -1) == EACH ? 0 : 1);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        wait_ok(pids[i]);
    }
    struct rb_journal *j = NULL;
    assert_int_equal(rb_journal_open(&j, path, NULL), 0);
    check_chain(j, WRITERS * EACH);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(check_run(j, i, 0, EACH), EACH);
    }
    rb_journal_close(j);
}

struct writer {
    pid_t pid;
    int ack_fd;
    int64_t acknowledged;
};

static void start_writer(struct writer *w, int a, int b)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (w->pid == 0) {
        _exit(write_events(a, b, 1000, fds[1]) ? 0 : 1); /* fewer than a pipe holds */
    }
    close(fds[1]);
    w->ack_fd = fds[0];
}

/* On a busy machine it may not have come to anything yet. */
static void wait_for_first(const struct writer *w)
{
    struct pollfd p = {.fd = w->ack_fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 60000), 1);
}

static void kill_writer(struct writer *w)
{
    char acks[1024];
    int status;
    w->acknowledged = 0;
    assert_int_equal(kill(w->pid, SIGKILL), 0);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    for (ssize_t n; (n = read(w->ack_fd, acks, sizeof acks)) > 0;) {
        w->acknowledged += n;
    }
    close(w->ack_fd);
}

/* Two at a time, killed at other moments each round: while opening, committing, checkpointing, recovering. */
static void what_was_acknowledged_survives_a_kill(void **state)
{
    (void)state;
    struct writer writers[KILLS][2];
    int64_t events = 0, acknowledged = 0;
    for (int i = 0; i < KILLS; i++) {
        start_writer(&writers[i][0], i, 0);
        start_writer(&writers[i][1], i, 1);
        if (i % 2) { /* half of them are killed at work, the others perhaps while they open */
            wait_for_first(&writers[i][0]);
            wait_for_first(&writers[i][1]);
        }
        struct timespec t = {.tv_nsec = 1000000L * (2 + i * 7 % 61)};
        (void)nanosleep(&t, NULL);
        kill_writer(&writers[i][0]);
        kill_writer(&writers[i][1]);
    }
    struct rb_journal *j = NULL;
    assert_int_equal(rb_journal_open(&j, path, NULL), 0);
    for (int i = 0; i < KILLS; i++) {
        for (int k = 0; k < 2; k++) {
            acknowledged += writers[i][k].acknowledged;
            events += check_run(j, i, k, writers[i][k].acknowledged);
        }
    }
    assert_true(acknowledged >= KILLS / 2 * 2); /* or nothing was tested */
    check_chain(j, events);
    rb_journal_close(j);
}

static void a_commit_gives_up_when_the_lock_is_never_free(void **state)
{
    (void)state;
    struct rb_journal *j = NULL;
    struct rb_err err = {0};
    char name[128];
    assert_int_equal(rb_journal_open(&j, path, NULL), 0);
    assert_int_equal(rb_journal_add(j, "r-a", "run.started", NULL, NULL), 0);
    (void)snprintf(name, sizeof name, "%s.lock", path);
    int fd = open(name, O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    int64_t start = rb_clock_mono_ns();
    assert_int_equal(rb_journal_commit(j, &err), RB_EJOURNAL);
    double seconds = (double)(rb_clock_mono_ns() - start) / 1e9;
    assert_true(seconds > 4 && seconds < 60);
    assert_non_null(strstr(err.hint, "fuser"));
    close(fd);
    assert_int_equal(rb_journal_commit(j, &err), 0); /* the event stayed queued */
    check_chain(j, 1);
    rb_journal_close(j);
}

static void fill_disk(const char *name)
{
    char block[4096] = {1};
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0) {
    }
    close(fd);
}

/* Fills the disk, writes on into the reserve and past it. The number of events, -1 when that went wrong. */
static int write_until_full(struct rb_journal *j, struct rb_err *err)
{
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    json_t *body = json_pack("{s:s}", "text", text);
    int count = 0, rc = 0;
    while (!rc && count < 10000) {
        assert_int_equal(rb_journal_add(j, "r-a", count ? "note" : "run.started", body, NULL), 0);
        rc = rb_journal_commit(j, err);
        count++;
    }
    json_decref(body);
    return rc == RB_EJOURNAL ? count : -1;
}

static void on_a_full_disk(void)
{
    struct rb_journal *j = NULL;
    struct rb_err err = {0};
    char filler[128];
    (void)snprintf(filler, sizeof filler, "%s/filler", folder);
    assert_int_equal(rb_journal_open(&j, path, &err), 0);
    fill_disk(filler);
    int count = write_until_full(j, &err);
    assert_true(count > 20); /* the reserve is for the runbook that frees the disk */
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.hint, "RUNBOOK_STATE"));
    check_chain(j, count - 1);
    assert_int_equal(rb_journal_commit(j, &err), RB_EJOURNAL);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(rb_journal_commit(j, &err), 0); /* the event stayed queued */
    check_chain(j, count);
    rb_journal_close(j);
}

static bool mount_small_disk(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", folder, "tmpfs", 0, "size=3m,mode=0700") == 0;
}

/* In a child with mounts of its own. A failed assertion there ends it with another code than 0. */
static void a_full_disk_is_said_and_nothing_is_lost(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!mount_small_disk()) {
            _exit(SKIPPED);
        }
        on_a_full_disk();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        print_message("SKIPPED: a file system cannot be mounted here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(several_processes_write_one_chain),
        TEST(what_was_acknowledged_survives_a_kill),
        TEST(a_commit_gives_up_when_the_lock_is_never_free),
        TEST(a_full_disk_is_said_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
