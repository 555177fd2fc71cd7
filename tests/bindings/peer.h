/* A server of a test, in another language: tests/bindings/peers/NAME, which says "ready …" in its first line of JSON
 * and then what it sees, one object a line. It ends with the test: by peer_stop, or when its standard input closes. */
#ifndef RB_TESTS_BINDINGS_PEER_H
#define RB_TESTS_BINDINGS_PEER_H

#include "async.h"

struct peer {
    pid_t pid;
    int out, in;
    struct rb_buf lines;
    json_t *ready;
};

/* NULL at its end. */
static inline json_t *peer_line_within(struct peer *p, int seconds)
{
    int64_t until = rb_clock_mono_ns() + seconds * 1000000000LL;
    for (;;) {
        char *end = p->lines.len ? memchr(p->lines.data, '\n', p->lines.len) : NULL;
        if (end) {
            json_t *line = json_loadb(p->lines.data, (size_t)(end - p->lines.data), 0, NULL);
            if (!line) {
                fail_msg("peer says %.*s", (int)(end - p->lines.data), p->lines.data);
            }
            rb_buf_consume(&p->lines, (size_t)(end + 1 - p->lines.data));
            return line;
        }
        struct pollfd fd = {p->out, POLLIN, 0};
        char part[65536];
        if (rb_clock_mono_ns() > until) {
            fail_msg("the peer is silent");
        }
        if (poll(&fd, 1, 100) > 0) {
            ssize_t n = read(p->out, part, sizeof part);
            if (n <= 0) {
                return NULL;
            }
            assert_int_equal(rb_buf_add(&p->lines, part, (size_t)n), 0);
        }
    }
}

static inline json_t *peer_line(struct peer *p)
{
    return peer_line_within(p, 60);
}

/* Is there a line already, or within ms? */
static inline bool peer_says(struct peer *p, int ms)
{
    struct pollfd fd = {p->out, POLLIN, 0};
    return (p->lines.len && memchr(p->lines.data, '\n', p->lines.len)) || poll(&fd, 1, ms) > 0;
}

static inline struct peer peer_start(const char *const *argv)
{
    struct peer p = {0};
    int out[2], in[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    p.pid = fork();
    assert_true(p.pid >= 0);
    if (p.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(out[1]);
    close(in[0]);
    p.out = out[0];
    p.in = in[1];
    rb_buf_init(&p.lines, 64 << 20);
    p.ready = peer_line_within(&p, 300); /* its package may have to be fetched first */
    if (!p.ready) {
        fail_msg("%s %s does not start", argv[0], argv[1] ? argv[1] : "");
    }
    return p;
}

/* A script of tests/bindings/peers, with the system's Python. */
static inline struct peer peer_python(const char *name, const char *first, const char *second)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/tests/bindings/peers/%s", RUNBOOK_SOURCE, name);
    const char *argv[] = {"/usr/bin/python3", path, first, second, NULL};
    return peer_start(argv);
}

static inline void peer_stop(struct peer *p)
{
    close(p->in);
    (void)kill(p->pid, SIGKILL);
    (void)waitpid(p->pid, NULL, 0);
    close(p->out);
    rb_buf_deinit(&p->lines);
    json_decref(p->ready);
}

#endif
