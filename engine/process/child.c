#include "process/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/frame.h"
#include "process/host.h"
#include "process/task.h"

#define WAIT_NS 30000000000 /* for a descriptor to become free */
#define WAIT_STEP_MS 5
#define EFFORT_WAIT 60.0 /* seconds, on a machine that has no processor time to give */
#define DRAIN_MS 1000    /* for output after the end, before somebody else is said to hold the pipe */
#define QUEUE_MAX (4 * (size_t)RB_FRAME_MAX)
#define INPUT_MAX (64u << 20)
#define STATUS_KILLED (128 + SIGKILL)
#define STATUS_NOT_RUN 127

static void untell(struct rb_child *child)
{
    if (child->tell.le_prev) {
        LIST_REMOVE(child, tell);
        child->tell.le_prev = NULL;
    }
}

void rb_child_free(struct rb_child *child)
{
    struct rb_spawner *sp = child->spawner;
    untell(child);
    if (child->prev) {
        child->prev->next = child->next;
    } else {
        sp->children = child->next;
    }
    if (child->next) {
        child->next->prev = child->prev;
    }
    rb_buf_deinit(&child->task);
    rb_buf_deinit(&child->frames);
    rb_buf_deinit(&child->waiting);
    free(child->name);
    free(child);
}

static void finish(struct rb_child *child, bool orphaned)
{
    if (child->state == RB_CHILD_OVER) {
        return;
    }
    child->state = RB_CHILD_OVER;
    if (child->events.exit) {
        const struct rb_err *err = child->err.code ? &child->err : NULL;
        child->events.exit(child, child->status, orphaned, err, child->user);
    }
    rb_child_io_close(child);
}

/* Told from the loop, never from inside the call that found out. */
static void fail_later(struct rb_child *child, int status)
{
    child->state = RB_CHILD_FAILED;
    child->status = status;
    rb_spawner_poke(child->spawner, 0);
}

static void on_drained(uv_timer_t *timer)
{
    finish(timer->data, true);
}

static void end(struct rb_child *child, int status)
{
    child->ended = true;
    child->status = status;
    if (!child->reading[0] && !child->reading[1]) {
        finish(child, false);
    } else {
        (void)uv_timer_start(&child->drain, on_drained, DRAIN_MS, 0); /* open, with a callback */
    }
}

void rb_child_on_stream_end(struct rb_child *child)
{
    if (child->ended && !child->reading[0] && !child->reading[1]) {
        finish(child, false);
    }
}

void rb_child_on_bad_frame(struct rb_child *child, const struct rb_err *err)
{
    if (child->err.code == 0) {
        child->err = *err;
    }
    rb_child_kill(child, 0);
}

void rb_child_on_keeper_gone(struct rb_child *child)
{
    if (child->ended || child->state != RB_CHILD_RUNNING) {
        return;
    }
    if (child->let_go) {
        end(child, 0);
        return;
    }
    /* what it had started by then, nobody knows */
    int code = child->may_write && !child->entry ? RB_EUNKNOWN : RB_EINTERNAL;
    (void)rb_err_set(&child->err, code, RB_T_process_keeper_gone, child->name);
    end(child, STATUS_KILLED);
}

static void explain(struct rb_child *child, const struct rb_wire *msg)
{
    struct rb_err *err = &child->err;
    int e = msg->value;
    if (msg->stage == RB_STAGE_READ_ONLY) {
        (void)rb_err_set(err, RB_EDENIED, RB_T_process_unenforced);
        rb_err_hint(err, RB_T_process_unenforced_hint);
    } else if (msg->stage == RB_STAGE_CWD) {
        (void)rb_err_set(err, e == EACCES ? RB_EDENIED : RB_ENOT_FOUND, RB_T_process_cwd, msg->text);
    } else if (msg->stage == RB_STAGE_LOG) {
        (void)rb_err_errno(err, e, "%s", msg->text);
    } else if (msg->stage == RB_STAGE_EXEC && (e == ENOENT || e == ENOTDIR)) {
        (void)rb_err_set(err, RB_EMISSING, RB_T_process_not_found, child->name);
    } else if (msg->stage == RB_STAGE_EXEC && (e == EACCES || e == EPERM)) {
        (void)rb_err_set(err, RB_EDENIED, RB_T_process_not_executable, child->name);
    } else if (msg->stage == RB_STAGE_EXEC && e == E2BIG) {
        (void)rb_err_set(err, RB_ETOO_LARGE, RB_T_process_too_long, RB_TASK_MAX / 1024);
    } else if (msg->stage == RB_STAGE_FORK && e == EAGAIN) {
        (void)rb_err_set(err, RB_EBUSY, RB_T_process_busy, child->name);
    } else {
        (void)rb_err_errno(err, e, "%s", child->name);
    }
}

static void refused(struct rb_child *child, const char *what)
{
    if (child->events.refused) {
        child->events.refused(child, what, child->user);
    }
}

void rb_child_on_told(struct rb_child *child, const struct rb_wire *msg)
{
    char more[RB_WIRE_TEXT];
    switch (msg->kind) {
    case RB_WIRE_STARTED:
        child->pid = msg->pid;
        if (child->events.started) {
            child->events.started(child, child->user);
        }
        break;
    case RB_WIRE_FAILED:
        child->keeper_rests = msg->rests;
        explain(child, msg);
        end(child, STATUS_NOT_RUN);
        break;
    case RB_WIRE_REFUSED:
        refused(child, msg->text);
        break;
    case RB_WIRE_GRANTED:
        if (child->events.granted) {
            child->events.granted(child, msg->text, child->user);
        }
        break;
    case RB_WIRE_MORE:
        (void)snprintf(more, sizeof(more), rb_text(RB_T_process_refused_more), msg->value);
        refused(child, more);
        break;
    case RB_WIRE_RUNNING:
        if (child->events.running) {
            child->events.running(child, child->user);
        }
        break;
    case RB_WIRE_EXIT:
        child->keeper_rests = msg->rests;
        child->signal = msg->stage;
        end(child, msg->value);
        break;
    default:
        break;
    }
}

static void tell(struct rb_child *child, int kind, int value)
{
    struct rb_wire msg = {.kind = kind, .value = value};
    (void)rb_wire_send(child->ctl_fd, &msg, NULL, 0, MSG_DONTWAIT); /* gone: its end is on the way */
}

static void open_gate(struct rb_child *child)
{
    (void)!write(child->gate, "", 1); /* nobody behind it any more: its end is on the way */
    rb_wire_close(&child->gate, 1);
}

static void try_start(struct rb_child *child)
{
    struct rb_child_ends ours;
    int rc = rb_child_launch(child, &ours);
    if (rc == -EAGAIN && rb_clock_mono_ns() < child->give_up) {
        rb_spawner_poke(child->spawner, WAIT_STEP_MS);
        return;
    }
    if (rc == -EAGAIN) {
        (void)rb_err_set(&child->err, RB_EBUSY, RB_T_process_busy, child->name);
    } else if (rc != 0) {
        (void)rb_err_set(&child->err, RB_EINTERNAL, RB_T_process_spawner_gone);
    }
    if (rc != 0) {
        fail_later(child, STATUS_NOT_RUN);
        return;
    }
    child->state = RB_CHILD_RUNNING;
    rc = rb_child_io_open(child, &ours);
    if (rc != 0) {
        (void)rb_err_errno(&child->err, -rc, "%s", child->name);
        fail_later(child, STATUS_NOT_RUN); /* its keeper sees our end close */
    } else if (child->release) {
        open_gate(child);
    }
}

void rb_child_retry_all(struct rb_spawner *sp)
{
    struct rb_child *next;
    for (struct rb_child *child = sp->children; child; child = next) {
        next = child->next; /* finish frees only this one, and events only add in front */
        if (child->state == RB_CHILD_WAITING) {
            try_start(child);
        }
        if (child->state == RB_CHILD_FAILED) {
            finish(child, false);
        }
    }
}

static struct rb_child *new_child(struct rb_spawner *sp, const struct rb_child_spec *spec, const struct rb_buf *task)
{
    struct rb_child *child = rb_xcalloc(1, sizeof(*child));
    child->spawner = sp;
    child->task = *task;
    child->ctl_fd = child->gate = -1;
    child->hold = spec->hold;
    child->entry = spec->entry != NULL;
    child->may_write = spec->access == RB_CHILD_WRITE;
    child->lasting = spec->lasting;
    child->rows = spec->rows;
    child->cols = spec->cols;
    child->name = rb_xstrdup(spec->entry ? spec->entry : spec->argv[0]);
    child->give_up = rb_clock_mono_ns() + WAIT_NS;
    rb_buf_init(&child->frames, RB_FRAME_MAX + 4 + RB_CHUNK_SIZE);
    rb_buf_init(&child->waiting, child->entry ? QUEUE_MAX : INPUT_MAX + 2);
    child->next = sp->children;
    if (child->next) {
        child->next->prev = child;
    }
    sp->children = child;
    return child;
}

/* A terminal has no end of file; a line that is not begun has one: Ctrl-D. A line that is begun ends with the first. */
static void end_of_terminal(struct rb_child *child)
{
    const struct rb_buf *w = &child->waiting;
    bool begun = w->len > 0 && w->data[w->len - 1] != '\n';
    child->input = true;
    RB_REQUIRE(rb_buf_adds(&child->waiting, begun ? "\4\4" : "\4") == 0);
}

struct rb_child *rb_child_start(struct rb_spawner *sp, const struct rb_child_spec *spec,
                                const struct rb_child_events *events, void *user, struct rb_err *err)
{
    struct rb_buf task;
    if (spec->stdin_data && spec->stdin_len > INPUT_MAX) {
        (void)rb_err_set(err, RB_ETOO_LARGE, RB_T_process_too_long, INPUT_MAX / 1024);
        return NULL;
    }
    if (rb_task_encode(spec, sp->entries, sp->count, &task, err) != 0) {
        return NULL;
    }
    uv_update_time(sp->loop); /* a deadline for it begins now, not when the loop last looked at its clock */
    struct rb_child *child = spec->entry && !spec->hold ? rb_child_foreseen(sp, &task) : NULL;
    if (child) {
        rb_buf_deinit(&task);
        rb_child_hand_over(child, events, user);
        return child;
    }
    child = new_child(sp, spec, &task);
    child->events = *events;
    child->user = user;
    if (!child->entry && spec->stdin_data && spec->stdin_len > 0) {
        child->input = true;
        RB_REQUIRE(rb_buf_add(&child->waiting, spec->stdin_data, spec->stdin_len) == 0);
    }
    if (child->rows > 0) {
        end_of_terminal(child);
    }
    try_start(child);
    return child;
}

void rb_child_release(struct rb_child *child)
{
    child->release = true;
    if (child->state == RB_CHILD_RUNNING && child->gate >= 0) {
        open_gate(child);
    }
}

static void send_all(uv_prepare_t *before_wait)
{
    struct rb_spawner *sp = before_wait->data;
    (void)uv_prepare_stop(before_wait);
    for (struct rb_child *child; (child = LIST_FIRST(&sp->told)) != NULL;) {
        struct rb_err err = {0};
        untell(child);
        int rc = child->state == RB_CHILD_RUNNING ? rb_child_io_flush(child) : 0;
        if (rc != 0) {
            (void)rb_err_errno(&err, -rc, "%s", child->name);
            rb_child_on_bad_frame(child, &err);
        }
    }
}

int rb_child_send(struct rb_child *child, const json_t *value, struct rb_err *err)
{
    if (child->state > RB_CHILD_RUNNING || !child->entry) {
        return rb_err_set(err, RB_ERESET, RB_T_process_keeper_gone, child->name);
    }
    uv_stream_t *to = (uv_stream_t *)&child->streams[0];
    if (child->state == RB_CHILD_RUNNING && uv_stream_get_write_queue_size(to) > QUEUE_MAX) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_process_send_full, child->name);
    }
    if (!child->tell.le_prev) {
        LIST_INSERT_HEAD(&child->spawner->told, child, tell);
    }
    (void)uv_prepare_start(&child->spawner->before_wait, send_all); /* cannot fail: it has a callback */
    return rb_frame_encode(&child->waiting, value, err);
}

void rb_child_kill(struct rb_child *child, int grace_ms)
{
    if (child->state == RB_CHILD_RUNNING) {
        tell(child, RB_WIRE_KILL, grace_ms);
    } else if (child->state == RB_CHILD_WAITING) {
        fail_later(child, STATUS_KILLED);
    }
}

void rb_child_hand_over(struct rb_child *child, const struct rb_child_events *events, void *user)
{
    child->events = *events;
    child->user = user;
}

void rb_child_let_go(struct rb_child *child)
{
    child->events = (struct rb_child_events){0};
    child->let_go = true;
    tell(child, RB_WIRE_LET_GO, 0);
}

/* 0 until it was started, and when it is gone. */
static int64_t cpu_ns(const struct rb_child *child)
{
    return child->pid > 0 ? rb_clock_cpu_ns(child->pid) : 0;
}

struct rb_child_effort rb_child_effort_begin(const struct rb_child *child)
{
    return (struct rb_child_effort){rb_clock_mono_ns(), cpu_ns(child)};
}

double rb_child_effort_over(const struct rb_child *child, const struct rb_child_effort *effort, double seconds)
{
    double waited = (double)(rb_clock_mono_ns() - effort->since_ns) / 1e9;
    double had = (double)(cpu_ns(child) - effort->had_ns) / 1e9;
    return waited >= EFFORT_WAIT ? EFFORT_WAIT : had >= seconds ? seconds : 0;
}

pid_t rb_child_pid(const struct rb_child *child)
{
    return child->pid;
}

int rb_child_signal(const struct rb_child *child)
{
    return child->signal;
}
