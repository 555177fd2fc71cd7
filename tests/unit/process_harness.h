/* Runs one child to its end and keeps all it said. For test_process*.c and test_readonly*.c. */
#ifndef TESTS_PROCESS_HARNESS_H
#define TESTS_PROCESS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "process/child.h"
#include "process/spawner.h"

struct host {
    struct rb_spawner *sp;
    uv_loop_t loop;
    int running; /* children started with harness_start and not ended */
};

struct result {
    struct host *host;
    struct rb_buf out, err, refused, granted;
    json_t *frames; /* array */
    int refusals, status;
    bool orphaned, ended;
    struct rb_err error;
};

static inline void harness_output(struct rb_child *c, int stream, const char *data, size_t len, void *user)
{
    struct result *r = user;
    (void)c;
    assert_int_equal(0, rb_buf_add(stream == 1 ? &r->out : &r->err, data, len));
}

static inline void harness_frame(struct rb_child *c, json_t *value, void *user)
{
    struct result *r = user;
    (void)c;
    json_array_append(r->frames, value);
}

static inline void harness_refused(struct rb_child *c, const char *what, void *user)
{
    struct result *r = user;
    (void)c;
    r->refusals++;
    (void)rb_buf_addf(&r->refused, "%s\n", what);
}

static inline void harness_granted(struct rb_child *c, const char *socket, void *user)
{
    struct result *r = user;
    (void)c;
    (void)rb_buf_addf(&r->granted, "%s\n", socket);
}

static inline void harness_exit(struct rb_child *c, int status, bool orphaned, const struct rb_err *err, void *user)
{
    struct result *r = user;
    (void)c;
    assert_false(r->ended);
    r->ended = true;
    r->status = status;
    r->orphaned = orphaned;
    r->host->running--;
    if (err) {
        r->error = *err;
    }
}

static inline void harness_open(struct host *h, const struct rb_entry *entries, size_t count)
{
    struct rb_err err = {0};
    memset(h, 0, sizeof(*h));
    assert_int_equal(0, rb_spawner_fork(&h->sp, entries, count, &err));
    assert_int_equal(0, uv_loop_init(&h->loop));
    assert_int_equal(0, rb_spawner_attach(h->sp, &h->loop, &err));
}

/* A loop that does not close has a handle left: a leak. */
static inline void harness_close(struct host *h)
{
    rb_spawner_close(h->sp);
    assert_int_equal(0, uv_loop_close(&h->loop));
}

static inline struct rb_child *harness_start(struct host *h, struct result *r, const struct rb_child_spec *spec)
{
    const struct rb_child_events events = {.output = harness_output,
                                           .frame = harness_frame,
                                           .refused = harness_refused,
                                           .granted = harness_granted,
                                           .exit = harness_exit};
    struct rb_err err = {0};
    memset(r, 0, sizeof(*r));
    r->host = h;
    r->frames = json_array();
    rb_buf_init(&r->out, 64u << 20);
    rb_buf_init(&r->err, 64u << 20);
    rb_buf_init(&r->refused, 1u << 20);
    rb_buf_init(&r->granted, 1u << 20);
    struct rb_child *child = rb_child_start(h->sp, spec, &events, r, &err);
    assert_non_null(child);
    assert_false(r->ended);
    h->running++;
    return child;
}

static inline void harness_tick(uv_timer_t *timer)
{
    (void)timer; /* only so that uv_run comes back */
}

/* Runs the loop until no child is left, at most 60 s, or for ms milliseconds when ms > 0. */
static inline void harness_run(struct host *h, int ms)
{
    int64_t end = rb_clock_mono_ns() + (ms ? ms : 60000) * INT64_C(1000000);
    uv_timer_t timer;
    assert_int_equal(0, uv_timer_init(&h->loop, &timer));
    assert_int_equal(0, uv_timer_start(&timer, harness_tick, 10, 10));
    while (rb_clock_mono_ns() < end && (ms || h->running > 0)) {
        (void)uv_run(&h->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&h->loop, UV_RUN_NOWAIT);
    assert_true(ms || h->running == 0);
}

static inline void result_free(struct result *r)
{
    rb_buf_deinit(&r->out);
    rb_buf_deinit(&r->err);
    rb_buf_deinit(&r->granted);
    rb_buf_deinit(&r->refused);
    json_decref(r->frames);
}

/* A shell line, to its end. */
static inline void harness_sh(struct host *h, struct result *r, enum rb_child_access access, const char *line)
{
    const char *argv[] = {"sh", "-c", line, NULL};
    struct rb_child_spec spec = {.argv = argv, .access = access};
    (void)harness_start(h, r, &spec);
    harness_run(h, 0);
}

#endif
