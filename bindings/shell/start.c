#include "shell/start.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "bind.h"
#include "shell/command.h"
#include "shell/output.h"
#include "system/process_info.h"

#define SETTLE_MS 1000
#define LOOK_MS 50
#define LOOK_MAX (64u << 10) /* of new log at one look; what it says to be ready comes early */
#define GRACE_MS 5000

struct start {
    struct rb_call *call;
    struct rb_child *child;
    uv_timer_t *timer;
    struct rb_shell_output said; /* its log since it was started */
    struct rb_buf tail;          /* of the log: where ready may have begun */
    char *log, *ready, *text;
    double settle;
    off_t seen;
    int64_t since;
    bool stopped;
};

static void start_free(struct start *s)
{
    uv_timer_stop(s->timer);
    uv_close((uv_handle_t *)s->timer, (uv_close_cb)free);
    rb_shell_output_deinit(&s->said);
    rb_buf_deinit(&s->tail);
    free(s->log);
    free(s->ready);
    free(s->text);
    free(s);
}

static void ended(struct rb_child *child, int status, bool orphaned, const struct rb_err *given, void *user);

static void started(struct start *s)
{
    struct rb_proc proc = {0};
    pid_t pid = rb_child_pid(s->child);
    json_t *value;

    if (rb_proc_read(pid, &proc) != 0 || proc.state == 'Z') {
        return; /* it ended just now: its exit event is on the way */
    }
    value = json_pack("{s:i, s:I}", "pid", (int)pid, "started", (json_int_t)proc.started);
    rb_call_data_set(s->call, NULL);
    rb_call_leave(s->call, s->child);
    rb_call_done(s->call, value);
    start_free(s);
}

/* What the log says since it was looked at last. */
static void look_at_log(struct start *s)
{
    char *new = s->log ? malloc(LOOK_MAX) : NULL;
    int fd = new ? open(s->log, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    ssize_t n = fd >= 0 ? pread(fd, new, LOOK_MAX, s->seen) : 0;

    if (n > 0) {
        s->seen += n;
        rb_shell_output_add(&s->said, new, (size_t)n);
        rb_call_output(s->call, 1, new, (size_t)n);
        (void)rb_buf_add(&s->tail, new, (size_t)n);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(new);
}

static bool is_ready(struct start *s)
{
    size_t keep = strlen(s->ready) - 1;

    if (s->tail.len > 0 && memmem(s->tail.data, s->tail.len, s->ready, keep + 1)) {
        return true;
    }
    if (s->tail.len > keep) {
        rb_buf_consume(&s->tail, s->tail.len - keep);
    }
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct start *s = timer->data;

    look_at_log(s);
    if (!s->stopped && (!s->ready || is_ready(s))) {
        started(s);
    }
}

static void on_running(struct rb_child *child, void *user)
{
    struct start *s = user;

    (void)child;
    s->since = rb_clock_mono_ns();
    if (s->ready) {
        uv_timer_start(s->timer, on_timer, LOOK_MS, LOOK_MS);
    } else {
        uv_timer_start(s->timer, on_timer, (uint64_t)(s->settle * 1000), LOOK_MS);
    }
}

static void ended(struct rb_child *child, int status, bool orphaned, const struct rb_err *given, void *user)
{
    struct start *s = user;
    struct rb_err err = {0};
    double lived = (double)(rb_clock_mono_ns() - s->since) / 1e9;
    char last[400];

    (void)child;
    (void)orphaned;
    rb_call_data_set(s->call, NULL);
    look_at_log(s);
    rb_shell_output_last(&s->said, last, sizeof last);
    if (given && given->code != 0) {
        err = *given;
    } else if (s->stopped) {
        rb_err_set(&err, RB_ECANCELLED, RB_T_bindings_shell_stopped, s->text);
    } else {
        rb_err_set(&err, RB_EEXIT, *last ? RB_T_bindings_shell_ended_says : RB_T_bindings_shell_ended, s->text, lived,
                   status, last);
    }
    rb_call_fail(s->call, &err);
    start_free(s);
}

static char *copy_of(const json_t *args, const char *key)
{
    const char *text = rb_json_str(args, key, "");

    return *text ? rb_xstrdup(text) : NULL;
}

static int launch(struct start *s, const json_t *args, struct rb_err *err)
{
    static const struct rb_child_events events = {.exit = ended, .running = on_running};
    struct rb_err why = {.code = RB_EINTERNAL};
    struct rb_shell_command command;
    int rc = rb_shell_command_init(&command, args, err);

    if (rc != 0) {
        return rc;
    }
    command.spec.access = RB_CHILD_WRITE;
    command.spec.lasting = true;
    command.spec.log = s->log;
    s->child = rb_child_start(rb_call_spawner(s->call), &command.spec, &events, s, &why);
    rb_shell_command_deinit(&command);
    if (s->child) {
        return 0;
    }
    if (err) {
        *err = why;
    }
    return why.code;
}

static int check(struct start *s, const json_t *args, struct rb_err *err)
{
    struct stat st;

    if (s->log && !rb_bind_path(args, "log", err)) {
        return RB_EUSAGE;
    }
    if (s->ready && !s->log) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_ready_log);
    }
    s->seen = s->log && stat(s->log, &st) == 0 ? st.st_size : 0;
    return 0;
}

int rb_shell_start(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    struct start *s = rb_xcalloc(1, sizeof *s);
    int rc;

    s->call = call;
    s->since = rb_clock_mono_ns();
    s->log = copy_of(args, "log");
    s->ready = copy_of(args, "ready");
    s->text = rb_shell_command_text(args);
    s->settle = rb_bind_real(args, "settle", SETTLE_MS / 1000.0);
    rb_buf_init(&s->tail, 2 * LOOK_MAX);
    s->timer = rb_xcalloc(1, sizeof *s->timer);
    uv_timer_init(rb_call_loop(call), s->timer);
    s->timer->data = s;
    rc = check(s, args, err);
    rc = rc == 0 ? launch(s, args, err) : rc;
    if (rc != 0) {
        start_free(s);
        return rc;
    }
    rb_call_data_set(call, s);
    return 0;
}

void rb_shell_start_cancel(struct rb_call *call)
{
    struct start *s = rb_call_data(call);

    if (s) {
        rb_child_kill(s->child, s->stopped ? 0 : GRACE_MS);
        s->stopped = true;
    }
}
