/* Children from start to end: what they get, what comes back, and that none survives. */
#include "process_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/frame.h"
#include "process/host.h"

/* Answers each frame {"n": x} by {"n": x + 1} until the socket ends; {"open": path} by errno. */
static int echo_main(int fd)
{
    struct rb_buf scratch;
    json_t *in;
    rb_buf_init(&scratch, RB_FRAME_MAX);
    while (rb_frame_read(fd, &scratch, &in, NULL) == 0) {
        const char *path = json_string_value(json_object_get(in, "open"));
        json_t *out;
        if (path) {
            int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            out = json_pack("{s:i}", "errno", file < 0 ? errno : 0);
        } else {
            out = json_pack("{s:I}", "n", json_integer_value(json_object_get(in, "n")) + 1);
        }
        json_decref(in);
        int rc = rb_frame_write(fd, out, NULL);
        json_decref(out);
        if (rc != 0) {
            return 3;
        }
    }
    rb_buf_deinit(&scratch);
    return 7;
}

static int descriptors_main(int fd)
{
    json_t *open_ones = json_array();
    for (int i = 0; i < 256; i++) {
        if (i != fd && fcntl(i, F_GETFD) >= 0) {
            json_array_append_new(open_ones, json_integer(i));
        }
    }
    json_t *out = json_pack("{s:o}", "fds", open_ones);
    int rc = rb_frame_write(fd, out, NULL);
    json_decref(out);
    return rc != 0;
}

static int garbage_main(int fd)
{
    return write(fd, "\xff\xff\xff\xff{}", 6) == 6 && pause() ? 0 : 1;
}

static const struct rb_entry entries[] = {
    {"echo", echo_main}, {"descriptors", descriptors_main}, {"garbage", garbage_main}};
#define ENTRIES 3

static int setup(void **state)
{
    struct host *h = calloc(1, sizeof(*h));
    harness_open(h, entries, ENTRIES);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    harness_close(*state);
    free(*state);
    return 0;
}

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* A zombie is dead. */
static bool is_alive(pid_t pid)
{
    char path[64], text[256] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f) {
        return false;
    }
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    const char *after = strrchr(text, ')');
    return after && after[2] != 'Z';
}

static bool all_dead(const char *pids, int wait_ms)
{
    bool alive = true;
    for (int waited = 0; alive && waited <= wait_ms; waited += 10) {
        char *end = NULL;
        alive = false;
        for (const char *at = pids; *at; at = end) {
            long pid = strtol(at, &end, 10);
            if (end == at) {
                break;
            }
            alive = alive || is_alive((pid_t)pid);
        }
        if (alive) {
            pause_ms(10);
        }
    }
    return !alive;
}

static void test_output_and_status(void **state)
{
    struct result r;
    harness_sh(*state, &r, RB_CHILD_WRITE, "echo out; echo err >&2; exit 9");
    assert_string_equal("out\n", rb_buf_str(&r.out));
    assert_string_equal("err\n", rb_buf_str(&r.err));
    assert_int_equal(9, r.status);
    assert_int_equal(0, r.error.code);
    assert_false(r.orphaned);
    result_free(&r);
    harness_sh(*state, &r, RB_CHILD_WRITE, "kill -SEGV $$");
    assert_int_equal(128 + SIGSEGV, r.status);
    result_free(&r);
}

static void run_argv(struct host *h, struct result *r, const struct rb_child_spec *spec)
{
    (void)harness_start(h, r, spec);
    harness_run(h, 0);
}

static void test_what_cannot_start(void **state)
{
    const char *missing[] = {"no-such-command-here", NULL}, *denied[] = {"/etc/passwd", NULL};
    const char *truth[] = {"true", NULL};
    struct rb_child_spec specs[] = {{.argv = missing}, {.argv = denied}, {.argv = truth, .cwd = "/no/such"}};
    const int codes[] = {RB_EMISSING, RB_EDENIED, RB_ENOT_FOUND};
    const char *names[] = {"no-such-command-here", "/etc/passwd", "/no/such"};
    for (int access = RB_CHILD_READ; access <= RB_CHILD_WRITE; access++) {
        for (int i = 0; i < 3; i++) {
            struct result r;
            specs[i].access = (enum rb_child_access)access;
            run_argv(*state, &r, &specs[i]);
            assert_int_equal(codes[i], r.error.code);
            assert_non_null(strstr(r.error.text, names[i]));
            result_free(&r);
        }
    }
}

static void test_what_cannot_be_asked(void **state)
{
    struct host *h = *state;
    struct rb_child_events none = {0};
    struct rb_err err;
    size_t len = 3u << 20;
    char *large = calloc(1, len + 1);
    memset(large, 'x', len);
    const char *argv[] = {"echo", large, NULL}, *empty[] = {NULL};
    struct rb_child_spec specs[] = {{.argv = argv}, {.argv = empty}, {.entry = "nobody"}};
    const int codes[] = {RB_ETOO_LARGE, RB_EUSAGE, RB_EUSAGE};
    for (int i = 0; i < 3; i++) {
        assert_null(rb_child_start(h->sp, &specs[i], &none, NULL, &err));
        assert_int_equal(codes[i], err.code);
    }
    free(large);
}

static void test_input_environment_folder(void **state)
{
    const char *argv[] = {"sh", "-c", "cat; echo $A-$HOME; pwd; umask", NULL}, *env[] = {"A=1 2", NULL};
    struct rb_child_spec spec = {.argv = argv, .env = env, .cwd = "/usr", .access = RB_CHILD_WRITE};
    struct result r;
    spec.stdin_data = "in\n";
    spec.stdin_len = 3;
    run_argv(*state, &r, &spec);
    assert_string_equal("in\n1 2-\n/usr\n0022\n", rb_buf_str(&r.out));
    result_free(&r);
}

static void test_own_variables_stay(void **state)
{
    struct result r;
    assert_int_equal(0, putenv((char *)"RUNBOOK_TEST_SECRET=hidden"));
    assert_int_equal(0, putenv((char *)"TEST_TOKEN=hidden"));
    assert_int_equal(0, putenv((char *)"LC_TIME=C"));
    harness_sh(*state, &r, RB_CHILD_WRITE, "env | grep -c hidden; echo $LC_TIME; pwd; read x || echo eof");
    assert_string_equal("0\nC\n/\neof\n", rb_buf_str(&r.out));
    result_free(&r);
}

static void test_input_nobody_reads(void **state)
{
    static char data[1u << 20];
    const char *argv[] = {"true", NULL};
    struct rb_child_spec spec = {.argv = argv, .access = RB_CHILD_WRITE, .stdin_data = data};
    struct result r;
    spec.stdin_len = sizeof(data);
    run_argv(*state, &r, &spec);
    assert_int_equal(0, r.status);
    result_free(&r);
}

static void test_large_output_is_whole(void **state)
{
    struct result r;
    const char *line = "head -c 10485760 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2";
    for (int access = RB_CHILD_READ; access <= RB_CHILD_WRITE; access++) {
        harness_sh(*state, &r, (enum rb_child_access)access, line);
        assert_int_equal(10485760, r.out.len);
        assert_int_equal(300000, r.err.len);
        assert_int_equal(r.out.len, strspn(r.out.data, "x"));
        assert_int_equal(r.err.len, strspn(r.err.data, "y"));
        assert_false(r.orphaned);
        result_free(&r);
    }
}

static void test_descriptors_terminal_limits(void **state)
{
    struct result r;
    int extra = open("/etc/passwd", O_RDONLY); /* deliberately without CLOEXEC */
    const char *line = "ls /proc/self/fd | tr '\\n' ' '; (: </dev/tty) 2>/dev/null || echo no-tty;"
                       "ulimit -c; [ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo session;"
                       "grep -E 'SigBlk|SigIgn' /proc/self/status | grep -c 0000000000000000";
    for (int access = RB_CHILD_READ; access <= RB_CHILD_WRITE; access++) {
        harness_sh(*state, &r, (enum rb_child_access)access, line);
        /* 3 is the folder ls itself reads */
        assert_string_equal("0 1 2 3 no-tty\n0\nsession\n2\n", rb_buf_str(&r.out));
        result_free(&r);
    }
    (void)close(extra);
}

static void test_hundred_at_once(void **state)
{
    enum { MANY = 100 };
    struct result *r = calloc(MANY, sizeof(*r));
    char lines[MANY][64];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(lines[i], sizeof(lines[i]), "echo %d; exit %d", i, i % 7);
        const char *argv[] = {"sh", "-c", lines[i], NULL};
        struct rb_child_spec spec = {.argv = argv, .access = i % 2 ? RB_CHILD_WRITE : RB_CHILD_READ};
        (void)harness_start(*state, &r[i], &spec);
    }
    harness_run(*state, 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(i % 7, r[i].status);
        assert_int_equal(i, strtol(rb_buf_str(&r[i].out), NULL, 10));
        result_free(&r[i]);
    }
    free(r);
}

static void test_few_descriptors(void **state)
{
    enum { MANY = 60 };
    struct host h;
    struct rlimit was, few;
    struct result *r = calloc(MANY, sizeof(*r));
    (void)state;
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &was));
    few = was;
    few.rlim_cur = 64;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &few));
    harness_open(&h, entries, ENTRIES);
    for (int i = 0; i < MANY; i++) {
        const char *argv[] = {"sh", "-c", "ulimit -Sn", NULL};
        struct rb_child_spec spec = {.argv = argv, .access = RB_CHILD_WRITE};
        (void)harness_start(&h, &r[i], &spec);
    }
    harness_run(&h, 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(0, r[i].status);
        assert_string_equal("64\n", rb_buf_str(&r[i].out));
        result_free(&r[i]);
    }
    harness_close(&h);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &was));
    free(r);
}

static void test_held_until_released(void **state)
{
    char file[] = "/tmp/runbook-test-XXXXXX", line[64];
    int fd = mkstemp(file);
    struct stat st;
    struct result r;
    (void)snprintf(line, sizeof(line), "echo ran > %s", file);
    const char *argv[] = {"sh", "-c", line, NULL};
    struct rb_child_spec spec = {.argv = argv, .access = RB_CHILD_WRITE, .hold = true};
    struct rb_child *child = harness_start(*state, &r, &spec);
    harness_run(*state, 200);
    assert_int_equal(0, fstat(fd, &st));
    assert_int_equal(0, st.st_size);
    assert_false(r.ended);
    assert_true(rb_child_pid(child) > 0 && is_alive(rb_child_pid(child)));
    rb_child_release(child);
    harness_run(*state, 0);
    assert_int_equal(0, fstat(fd, &st));
    assert_int_equal(4, st.st_size);
    assert_int_equal(0, r.status);
    result_free(&r);
    (void)close(fd);
    (void)unlink(file);
}

static void test_released_before_it_is_there(void **state)
{
    struct result r;
    const char *argv[] = {"echo", "x", NULL};
    struct rb_child_spec spec = {.argv = argv, .access = RB_CHILD_READ, .hold = true};
    rb_child_release(harness_start(*state, &r, &spec));
    harness_run(*state, 0);
    assert_string_equal("x\n", rb_buf_str(&r.out));
    result_free(&r);
}

#define WAITS 6000 /* of 10 ms: a busy machine */

/* Starts a line that prints the pids of what it started, and waits for them. */
static struct rb_child *start_line(struct host *h, struct result *r, enum rb_child_access access, const char *line)
{
    const char *argv[] = {"bash", "-c", line, NULL};
    struct rb_child_spec spec = {.argv = argv, .access = access};
    struct rb_child *child = harness_start(h, r, &spec);
    for (int i = 0; i < WAITS && !(r->out.data && strchr(r->out.data, '\n')); i++) {
        harness_run(h, 10);
    }
    assert_non_null(strchr(rb_buf_str(&r->out), '\n'));
    return child;
}

/* One that ignores TERM, one in its own session, one whose parent left it. */
#define STUBBORN \
    "trap '' TERM; sleep 1000 & a=$!; setsid sleep 1000 & b=$!; " \
    "c=$( (setsid bash -c 'trap \"\" TERM; echo $$; exec >/dev/null 2>&1; sleep 1000; sleep 1000' &) ); " \
    "echo $$ $a $b $c; wait; sleep 1000"

static void test_kill_ends_all(void **state)
{
    for (int access = RB_CHILD_READ; access <= RB_CHILD_WRITE; access++) {
        struct result r;
        struct rb_child *child = start_line(*state, &r, (enum rb_child_access)access, STUBBORN);
        int64_t before = rb_clock_mono_ns();
        rb_child_kill(child, 300);
        harness_run(*state, 0);
        assert_int_equal(128 + SIGKILL, r.status);
        assert_true(rb_clock_mono_ns() - before >= 290 * 1000000LL);
        assert_true(all_dead(rb_buf_str(&r.out), 0));
        assert_false(r.orphaned);
        result_free(&r);
    }
}

static void test_term_is_heard(void **state)
{
    struct result r;
    struct rb_child *child =
        start_line(*state, &r, RB_CHILD_WRITE,
                   /* a shell's child that has not become sleep yet would swallow the signal */
                   "trap 'echo bye; exit 5' TERM; sleep 1000 & until grep -qs sleep /proc/$!/comm; do :; done; "
                   "echo ready; wait");
    int64_t before = rb_clock_mono_ns();
    rb_child_kill(child, 60000);
    harness_run(*state, 0);
    assert_string_equal("ready\nbye\n", rb_buf_str(&r.out));
    assert_int_equal(5, r.status);
    assert_true(rb_clock_mono_ns() - before < 30000 * 1000000LL); /* not by KILL after the grace */
    result_free(&r);
}

static void test_breeding_ends(void **state)
{
    struct result r;
    const char *line = "ulimit -u 400; f() { sleep 0.02; f 2>/dev/null & f 2>/dev/null & wait; }; echo go; f";
    struct rb_child *child = start_line(*state, &r, RB_CHILD_WRITE, line);
    harness_run(*state, 150);
    rb_child_kill(child, 0);
    harness_run(*state, 0);
    assert_int_equal(128 + SIGKILL, r.status);
    assert_false(r.orphaned); /* all ends of its pipes are closed: nobody is left */
    result_free(&r);
}

static void test_daemons(void **state)
{
    const char *line = "(setsid sleep 1000 >/dev/null 2>&1 & echo $!); exit 0";
    struct result r;
    harness_sh(*state, &r, RB_CHILD_WRITE, line);
    pid_t started = (pid_t)strtol(rb_buf_str(&r.out), NULL, 10);
    assert_true(is_alive(started)); /* a started service is the wanted effect */
    assert_false(r.orphaned);
    assert_int_equal(0, kill(started, SIGKILL));
    result_free(&r);
    harness_sh(*state, &r, RB_CHILD_READ, line);
    assert_true(all_dead(rb_buf_str(&r.out), 0));
    assert_int_equal(0, r.status);
    result_free(&r);
}

static void test_orphaned_output(void **state)
{
    struct result r;
    int64_t before = rb_clock_mono_ns();
    harness_sh(*state, &r, RB_CHILD_WRITE, "sleep 1000 & echo $!");
    int64_t ms = (rb_clock_mono_ns() - before) / 1000000;
    assert_true(r.orphaned);
    assert_int_equal(0, r.status);
    assert_in_range(ms, 900, 60000);
    assert_int_equal(0, kill((pid_t)strtol(rb_buf_str(&r.out), NULL, 10), SIGKILL));
    result_free(&r);
}

static void test_frames_both_ways(void **state)
{
    struct rb_child_spec spec = {.entry = "echo", .access = RB_CHILD_WRITE};
    struct result r;
    struct rb_child *child = harness_start(*state, &r, &spec);
    for (int i = 0; i < 100; i++) {
        json_t *frame = json_pack("{s:i}", "n", i);
        assert_int_equal(0, rb_child_send(child, frame, NULL));
        json_decref(frame);
    }
    for (int i = 0; i < WAITS && json_array_size(r.frames) < 100; i++) {
        harness_run(*state, 10);
    }
    assert_int_equal(100, json_array_size(r.frames));
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(i + 1, json_integer_value(json_object_get(json_array_get(r.frames, i), "n")));
    }
    rb_child_kill(child, 1000);
    harness_run(*state, 0);
    assert_true(r.status > 128);
    result_free(&r);
}

/* What was foreseen is what is then asked for, and a keeper is there that serves; what nobody asks for ends with the
 * host. */
static void test_foreseen(void **state)
{
    struct host *h = *state;
    for (int turn = 0; turn < 20; turn++) {
        const struct rb_child_spec other = {.entry = "descriptors", .access = RB_CHILD_WRITE};
        const struct rb_child_spec asked = {.entry = "echo", .access = RB_CHILD_WRITE};
        struct result r, apart;
        rb_spawner_foresee(h->sp, "echo");
        struct rb_child *early = h->sp->foreseen;
        assert_non_null(early);
        assert_true(h->sp->resting_count > 0);
        harness_sh(h, &apart, turn % 2 ? RB_CHILD_READ : RB_CHILD_WRITE,
                   "echo served"); /* at once, or after some turns */
        assert_string_equal("served\n", rb_buf_str(&apart.out));
        result_free(&apart);
        assert_ptr_not_equal(early, harness_start(h, &apart, &other));
        assert_ptr_equal(early, harness_start(h, &r, &asked));
        json_t *frame = json_pack("{s:i}", "n", turn);
        assert_int_equal(0, rb_child_send(early, frame, NULL));
        json_decref(frame);
        for (int i = 0; i < WAITS && json_array_size(r.frames) < 1; i++) {
            harness_run(h, 10);
        }
        assert_int_equal(turn + 1, json_integer_value(json_object_get(json_array_get(r.frames, 0), "n")));
        rb_child_kill(early, 0);
        harness_run(h, 0);
        result_free(&r);
        result_free(&apart);
    }
    rb_spawner_foresee(h->sp, "echo");
}

static void test_read_entry_cannot_write(void **state)
{
    char file[] = "/tmp/runbook-test-entry-XXXXXX";
    (void)close(mkstemp(file));
    for (int access = RB_CHILD_READ; access <= RB_CHILD_WRITE; access++) {
        struct rb_child_spec spec = {.entry = "echo", .access = (enum rb_child_access)access};
        struct result r;
        (void)unlink(file);
        struct rb_child *child = harness_start(*state, &r, &spec);
        json_t *frame = json_pack("{s:s}", "open", file);
        assert_int_equal(0, rb_child_send(child, frame, NULL));
        json_decref(frame);
        for (int i = 0; i < WAITS && json_array_size(r.frames) < 1; i++) {
            harness_run(*state, 10);
        }
        json_int_t code = json_integer_value(json_object_get(json_array_get(r.frames, 0), "errno"));
        assert_int_equal(access == RB_CHILD_WRITE ? 0 : EROFS, code);
        assert_int_equal(access == RB_CHILD_WRITE ? 0 : -1, unlink(file));
        rb_child_kill(child, 0);
        harness_run(*state, 0);
        result_free(&r);
    }
}

static void test_entry_descriptors(void **state)
{
    int extra = open("/etc/passwd", O_RDONLY);
    for (int access = RB_CHILD_READ; access <= RB_CHILD_WRITE; access += 2) {
        struct rb_child_spec spec = {.entry = "descriptors", .access = (enum rb_child_access)access};
        struct result r;
        (void)harness_start(*state, &r, &spec);
        harness_run(*state, 0);
        assert_int_equal(0, r.status);
        json_t *fds = json_object_get(json_array_get(r.frames, 0), "fds");
        assert_int_equal(3, json_array_size(fds));
        assert_int_equal(2, json_integer_value(json_array_get(fds, 2)));
        result_free(&r);
    }
    (void)close(extra);
}

static void test_entry_that_talks_nonsense(void **state)
{
    struct rb_child_spec spec = {.entry = "garbage", .access = RB_CHILD_WRITE};
    struct result r;
    (void)harness_start(*state, &r, &spec);
    harness_run(*state, 0);
    assert_int_equal(RB_EPROTOCOL, r.error.code);
    assert_int_equal(128 + SIGKILL, r.status);
    result_free(&r);
}

/* A host in a process of its own: starts children, writes their pids to out, then is killed. */
static void mini_host(int out, const char *file)
{
    struct host h;
    struct result r[4];
    char line[128], pids[256];
    harness_open(&h, entries, ENTRIES);
    (void)start_line(&h, &r[0], RB_CHILD_WRITE, STUBBORN);
    (void)start_line(&h, &r[1], RB_CHILD_READ, STUBBORN);
    struct rb_child_spec entry = {.entry = "echo", .access = RB_CHILD_WRITE};
    struct rb_child *e = harness_start(&h, &r[2], &entry);
    (void)snprintf(line, sizeof(line), "echo ran > %s", file);
    const char *argv[] = {"sh", "-c", line, NULL};
    struct rb_child_spec held = {.argv = argv, .access = RB_CHILD_WRITE, .hold = true};
    struct rb_child *k = harness_start(&h, &r[3], &held);
    for (int i = 0; i < WAITS && (rb_child_pid(k) == 0 || rb_child_pid(e) == 0); i++) {
        harness_run(&h, 10);
    }
    (void)snprintf(pids, sizeof(pids), "%s %s %d %d\n", strtok_r(r[0].out.data, "\n", &(char *){NULL}),
                   strtok_r(r[1].out.data, "\n", &(char *){NULL}), (int)rb_child_pid(k), (int)rb_child_pid(e));
    (void)!write(out, pids, strlen(pids));
    (void)pause();
}

static void test_host_death_leaves_nobody(void **state)
{
    char file[] = "/tmp/runbook-test-XXXXXX", pids[256] = "";
    int out[2], fd = mkstemp(file);
    struct stat st;
    (void)state;
    assert_int_equal(0, pipe2(out, O_CLOEXEC));
    pid_t host = fork();
    if (host == 0) {
        mini_host(out[1], file);
        _exit(0);
    }
    (void)close(out[1]);
    assert_true(read(out[0], pids, sizeof(pids) - 1) > 0);
    assert_false(all_dead(pids, 0));
    assert_int_equal(0, kill(host, SIGKILL));
    assert_int_equal(host, waitpid(host, NULL, 0));
    assert_true(all_dead(pids, 30000));
    assert_int_equal(0, fstat(fd, &st));
    assert_int_equal(0, st.st_size); /* the held one never ran */
    (void)close(out[0]);
    (void)close(fd);
    (void)unlink(file);
}

static void test_close_kills_the_unfinished(void **state)
{
    struct host h;
    struct result r;
    (void)state;
    harness_open(&h, entries, ENTRIES);
    (void)start_line(&h, &r, RB_CHILD_WRITE, STUBBORN);
    harness_close(&h);
    assert_true(r.ended);
    assert_true(all_dead(rb_buf_str(&r.out), 0));
    result_free(&r);
}

static void test_no_descriptor_stays(void **state)
{
    struct result r;
    harness_sh(*state, &r, RB_CHILD_READ, "true"); /* what libuv opens once */
    result_free(&r);
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)close(before);
    for (int i = 0; i < 20; i++) {
        harness_sh(*state, &r, i % 2 ? RB_CHILD_READ : RB_CHILD_WRITE, "echo x");
        result_free(&r);
    }
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)close(after);
    assert_int_equal(before, after);
}

static pid_t pid_said_by(struct host *h, const char *command)
{
    struct result r;
    harness_sh(h, &r, RB_CHILD_WRITE, command);
    pid_t pid = (pid_t)strtol(rb_buf_str(&r.out), NULL, 10);
    result_free(&r);
    assert_true(pid > 1);
    return pid;
}

static void end_process(pid_t pid)
{
    assert_int_equal(0, kill(pid, SIGKILL));
    while (is_alive(pid)) {
        pause_ms(10);
    }
}

/* One keeper serves command after command; lost, it is replaced. */
static void test_lost_keeper(void **state)
{
    pid_t first = pid_said_by(*state, "echo $PPID");
    assert_int_equal(first, pid_said_by(*state, "echo $PPID"));
    end_process(first);
    assert_int_not_equal(first, pid_said_by(*state, "echo $PPID"));
}

static void test_lost_spawner(void **state)
{
    struct host h;
    struct result r;
    (void)state;
    harness_open(&h, entries, ENTRIES);
    end_process(pid_said_by(&h, "awk '/^PPid/ { print $2 }' /proc/$PPID/status"));
    end_process(pid_said_by(&h, "echo $PPID")); /* a keeper at rest needs no spawner */
    harness_sh(&h, &r, RB_CHILD_WRITE, "echo x");
    assert_int_equal(RB_EINTERNAL, r.error.code);
    assert_true(r.error.text[0] != '\0');
    result_free(&r);
    harness_close(&h);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(test_output_and_status),
        T(test_what_cannot_start),
        T(test_what_cannot_be_asked),
        T(test_input_environment_folder),
        T(test_own_variables_stay),
        T(test_input_nobody_reads),
        T(test_large_output_is_whole),
        T(test_descriptors_terminal_limits),
        T(test_hundred_at_once),
        cmocka_unit_test(test_few_descriptors),
        T(test_held_until_released),
        T(test_released_before_it_is_there),
        T(test_kill_ends_all),
        T(test_term_is_heard),
        T(test_breeding_ends),
        T(test_daemons),
        T(test_orphaned_output),
        T(test_frames_both_ways),
        T(test_foreseen),
        T(test_read_entry_cannot_write),
        T(test_entry_descriptors),
        T(test_entry_that_talks_nonsense),
        cmocka_unit_test(test_host_death_leaves_nobody),
        cmocka_unit_test(test_close_kills_the_unfinished),
        T(test_no_descriptor_stays),
        T(test_lost_keeper),
        cmocka_unit_test(test_lost_spawner),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
