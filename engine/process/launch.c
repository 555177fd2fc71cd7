/* The descriptors of a child, and their way to the spawner. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "process/host.h"
#include "process/task.h"

/* The ends of the host, and in the order of enum rb_start_fd those of the child. */
struct ends {
    struct rb_child_ends ours;
    int theirs[RB_WIRE_FDS];
};

static int pair_of(int type, int *ours, int *theirs)
{
    int pair[2];
    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    *ours = pair[0];
    *theirs = pair[1];
    return 0;
}

static int pipe_of(int *reader, int *writer)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) != 0) {
        return -errno;
    }
    *reader = pair[0];
    *writer = pair[1];
    return 0;
}

/* Its bytes come as they were written, and what it is told is not said back to us. */
static bool prepare_terminal(int fd, const struct rb_child *child)
{
    struct winsize size = {.ws_row = child->rows, .ws_col = child->cols};
    struct termios mode;
    if (tcgetattr(fd, &mode) != 0) {
        return false;
    }
    mode.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    mode.c_oflag &= ~(tcflag_t)OPOST;
    return tcsetattr(fd, TCSANOW, &mode) == 0 && ioctl(fd, TIOCSWINSZ, &size) == 0;
}

static int dup_of(int fd, int *out)
{
    *out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *out < 0 ? -errno : 0;
}

static int terminal_of(const struct rb_child *child, struct ends *e)
{
    char name[64];
    int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    e->ours.streams[0] = ours;
    if (ours < 0 || grantpt(ours) != 0 || unlockpt(ours) != 0 || ptsname_r(ours, name, sizeof(name)) != 0) {
        return -errno;
    }
    int theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    e->theirs[RB_FD_OUT] = theirs;
    if (theirs < 0 || !prepare_terminal(theirs, child)) {
        return -errno;
    }
    int rc = dup_of(theirs, &e->theirs[RB_FD_ERR]);
    rc = rc ? rc : dup_of(theirs, &e->theirs[RB_FD_IN]);
    return rc ? rc : dup_of(ours, &e->ours.in);
}

static int make_ends(const struct rb_child *child, struct ends *e)
{
    *e = (struct ends){{-1, -1, {-1, -1}, -1}, {-1, -1, -1, -1, -1, -1}};
    int rc = rb_task_store(&child->task, &e->theirs[RB_FD_SPEC]);
    if (rc == 0 && child->hold) {
        rc = pipe_of(&e->theirs[RB_FD_GATE], &e->ours.gate);
    }
    if (child->entry) {
        return rc ? rc : pair_of(SOCK_STREAM, &e->ours.streams[0], &e->theirs[RB_FD_OUT]);
    }
    if (child->lasting) {
        return rc;
    }
    if (child->rows > 0) {
        return rc ? rc : terminal_of(child, e);
    }
    rc = rc ? rc : pipe_of(&e->ours.streams[0], &e->theirs[RB_FD_OUT]);
    rc = rc ? rc : pipe_of(&e->ours.streams[1], &e->theirs[RB_FD_ERR]);
    if (rc == 0 && child->input) {
        rc = pipe_of(&e->theirs[RB_FD_IN], &e->ours.in);
    }
    return rc;
}

/* A keeper at rest takes it; one that died meanwhile is left out. */
static bool give_to_rested(struct rb_spawner *sp, struct ends *e)
{
    while (sp->resting_count > 0) {
        int ctl = sp->resting[--sp->resting_count];
        if (rb_wire_start(ctl, e->theirs, false) == 0) {
            e->ours.ctl = ctl;
            return true;
        }
        (void)close(ctl);
    }
    return false;
}

static int send_start(const struct rb_child *child, struct ends *e)
{
    bool unkept = child->entry && child->may_write;
    if (!unkept && give_to_rested(child->spawner, e)) {
        return 0;
    }
    int rc = pair_of(SOCK_SEQPACKET, &e->ours.ctl, &e->theirs[RB_FD_CTL]);
    return rc ? rc : rb_wire_start(child->spawner->control, e->theirs, unkept);
}

static bool is_passing(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -EAGAIN || rc == -ETOOMANYREFS || rc == -ENOBUFS || rc == -ENOMEM;
}

int rb_child_launch(struct rb_child *child, struct rb_child_ends *ours)
{
    struct ends e;
    int rc = make_ends(child, &e);
    rc = rc ? rc : send_start(child, &e);
    rb_wire_close(e.theirs, RB_WIRE_FDS);
    *ours = e.ours;
    if (rc != 0) {
        rb_wire_close(&ours->ctl, 1);
        rb_wire_close(&ours->gate, 1);
        rb_wire_close(&ours->in, 1);
        rb_wire_close(ours->streams, 2);
        return is_passing(rc) ? -EAGAIN : rc;
    }
    rb_buf_deinit(&child->task);
    return 0;
}
