/* Plays the host for one runner: forks it on a socketpair and talks in frames. Used by the
 * runner's tests only; every wait has a deadline. */
#ifndef TESTS_RUNNER_HOST_H
#define TESTS_RUNNER_HOST_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/frame.h"
#include "base/json.h"
#include "runner/internal.h"
#include "runner/runner.h"

struct host {
    pid_t pid;
    int fd;
    struct rb_buf in;
};

#define HOST_WAIT_MS 20000
#define KILLED 1000 /* host_end: + the signal */

static inline void host_fork(struct host *h, size_t memory, const char *boot)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    h->pid = fork();
    assert_true(h->pid >= 0);
    if (h->pid == 0) {
        (void)close(pair[0]);
        _exit(rb_runner_serve(pair[1], memory, boot));
    }
    (void)close(pair[1]);
    h->fd = pair[0];
    rb_buf_init(&h->in, RB_FRAME_MAX + 4);
}

/* Steals value. */
static inline void host_send(struct host *h, json_t *value)
{
    assert_non_null(value);
    assert_int_equal(rb_frame_write(h->fd, value, NULL), 0);
    json_decref(value);
}

/* The runner runs boot in place of stdlib/boot.lua; start is the start frame, and may say how much memory there is. */
static inline void host_start(struct host *h, const char *boot, json_t *start)
{
    host_fork(h, (size_t)rb_json_int(start, "memory", RB_RUNNER_MEMORY), boot);
    host_send(h, json_pack("{s:o}", "start", start ? start : json_object()));
}

static inline int host_bytes(struct host *h, int64_t until_ns)
{
    char part[65536];
    int64_t left = (until_ns - rb_clock_mono_ns()) / 1000000;
    struct pollfd p = {.fd = h->fd, .events = POLLIN};
    if (left <= 0 || poll(&p, 1, (int)left) <= 0) {
        return -1;
    }
    ssize_t n = read(h->fd, part, sizeof part);
    return n > 0 ? rb_buf_add(&h->in, part, (size_t)n) : -1;
}

/* The next frame, or NULL at the end of the runner or after ms. */
static inline json_t *host_recv_within(struct host *h, int ms)
{
    json_t *value = NULL;
    int64_t until = rb_clock_mono_ns() + (int64_t)ms * 1000000;
    while (rb_frame_decode(&h->in, &value, NULL) == 0) {
        if (host_bytes(h, until) != 0) {
            return NULL;
        }
    }
    assert_non_null(value);
    return value;
}

static inline json_t *host_recv(struct host *h)
{
    return host_recv_within(h, HOST_WAIT_MS);
}

static inline json_int_t host_seq(const json_t *call)
{
    return rb_json_int(call, "seq", -1);
}

/* Answers a call and forgets it. Steals both. */
static inline void host_ok(struct host *h, json_t *call, json_t *value)
{
    host_send(h, json_pack("{s:I, s:o}", "seq", host_seq(call), "ok", value));
    json_decref(call);
}

/* The exit code, KILLED + signal, or -1 when it had to be killed here. */
static inline int host_end_within(struct host *h, int ms)
{
    int pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int ended = poll(&p, 1, ms) == 1;
    int status = 0;
    if (!ended) {
        (void)kill(h->pid, SIGKILL);
    }
    (void)waitpid(h->pid, &status, 0);
    (void)close(pidfd);
    (void)close(h->fd);
    rb_buf_deinit(&h->in);
    if (!ended) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
}

static inline int host_end(struct host *h)
{
    return host_end_within(h, HOST_WAIT_MS);
}

#endif
