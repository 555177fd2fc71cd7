#include "process/spawner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/host.h"
#include "process/spawn_loop.h"

#define CLOSE_STEP_MS 10
#define REST_MS 2000 /* a step rarely waits longer for the next; each keeper holds a quarter of a megabyte */
#define END_MS 2000  /* the spawner has nothing to do at its end but to leave */

int rb_spawner_fork(struct rb_spawner **out, const struct rb_entry *entries, size_t count, struct rb_err *err)
{
    int pair[2];
    *out = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return rb_err_errno(err, errno, "socketpair");
    }
    pid_t pid = fork();
    if (pid == 0) {
        rb_spawn_loop(pair[1], entries, count);
    }
    (void)close(pair[1]);
    if (pid < 0) {
        int rc = rb_err_errno(err, errno, "fork");
        (void)close(pair[0]);
        return rc;
    }
    struct rb_spawner *sp = rb_xcalloc(1, sizeof(*sp));
    *sp = (struct rb_spawner){.entries = entries, .count = count, .control = pair[0], .pid = pid};
    sp->chunk = malloc(RB_CHUNK_SIZE); /* not touched before it is read into */
    RB_REQUIRE(sp->chunk);
    *out = sp;
    return 0;
}

static void dismiss_all(uv_timer_t *dismissal)
{
    struct rb_spawner *sp = dismissal->data;
    rb_wire_close(sp->resting, sp->resting_count);
    sp->resting_count = 0;
}

void rb_spawner_rest(struct rb_spawner *sp, int ctl)
{
    if (sp->resting_count < RB_RESTING_MAX) {
        sp->resting[sp->resting_count++] = ctl;
        (void)uv_timer_start(&sp->dismissal, dismiss_all, REST_MS, 0); /* cannot fail: it has a callback */
    } else {
        (void)close(ctl);
    }
}

static void on_retry(uv_timer_t *timer)
{
    rb_child_retry_all(timer->data);
}

void rb_spawner_poke(struct rb_spawner *sp, unsigned delay_ms)
{
    /* cannot fail: the handle is open and there is a callback */
    (void)uv_timer_start(&sp->retry, on_retry, delay_ms, 0);
}

int rb_spawner_attach(struct rb_spawner *sp, uv_loop_t *loop, struct rb_err *err)
{
    int rc = uv_timer_init(loop, &sp->retry);
    rc = rc ? rc : uv_timer_init(loop, &sp->dismissal);
    rc = rc ? rc : uv_prepare_init(loop, &sp->before_wait);
    if (rc != 0) {
        return rb_err_errno(err, -rc, "uv_timer_init");
    }
    /* libuv writes to pipes without MSG_NOSIGNAL; a child need not read its input */
    struct sigaction ign = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ign, NULL);
    sp->loop = loop;
    sp->retry.data = sp->dismissal.data = sp->before_wait.data = sp;
    sp->handles = 3;
    uv_unref((uv_handle_t *)&sp->dismissal);
    uv_unref((uv_handle_t *)&sp->before_wait);
    return 0;
}

static void reap(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (fd < 0 || poll(&ended, 1, END_MS) != 1) {
        (void)kill(pid, SIGKILL);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct rb_spawner *sp = handle->data;
    sp->handles--;
}

static void close_all(struct rb_spawner *sp)
{
    for (struct rb_child *child = sp->children; child; child = child->next) {
        rb_child_kill(child, 0);
    }
    while (sp->children) {
        /* one that ends in the timer itself leaves uv_run nothing to come back for */
        rb_spawner_poke(sp, CLOSE_STEP_MS);
        (void)uv_run(sp->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&sp->retry, on_closed);
    uv_close((uv_handle_t *)&sp->dismissal, on_closed);
    uv_close((uv_handle_t *)&sp->before_wait, on_closed);
    while (sp->handles > 0) {
        (void)uv_run(sp->loop, UV_RUN_ONCE);
    }
}

void rb_spawner_close(struct rb_spawner *sp)
{
    if (!sp) {
        return;
    }
    if (sp->handles > 0) {
        close_all(sp);
    }
    rb_wire_close(sp->resting, sp->resting_count);
    (void)close(sp->control);
    reap(sp->pid);
    free(sp->chunk);
    free(sp);
}
