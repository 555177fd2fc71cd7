#include "process/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/become.h"
#include "process/refusal.h"
#include "process/tree.h"

#define ROUND_MS 5            /* between two looks for survivors */
#define GIVE_UP_NS 5000000000 /* a process in an uninterruptible wait cannot be killed */
#define LINK_MESSAGES 3       /* listener, failure, end of file */
#define STATUS_KILLED (128 + SIGKILL)

enum { P_CTL, P_CHILDREN, P_LINK, P_LISTENER, P_COUNT };

struct keeper {
    struct pollfd polls[P_COUNT]; /* fd -1: none (left) */
    int link;                     /* to the child; polled only while something is to be heard before its end */
    pid_t child;
    bool read_only, lasting;
    bool exited, empty; /* the child; everything below us */
    int status, signal;
    bool killing, host_gone;
    int64_t kill_at; /* SIGKILL from then on */
    bool failed;
    struct rb_wire failure;
    struct rb_refusals refusals;
};

int rb_keeper_status(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static void tell(struct keeper *k, const struct rb_wire *msg)
{
    /* an error means that the host is gone, which poll tells, too */
    (void)rb_wire_send(k->polls[P_CTL].fd, msg, NULL, 0, 0);
}

static void tell_refused(void *user, const char *what)
{
    struct rb_wire msg = {.kind = RB_WIRE_REFUSED};
    (void)snprintf(msg.text, sizeof(msg.text), "%s", what);
    tell(user, &msg);
}

static void tell_granted(void *user, const char *what)
{
    struct rb_wire msg = {.kind = RB_WIRE_GRANTED};
    (void)snprintf(msg.text, sizeof(msg.text), "%s", what);
    tell(user, &msg);
}

static void drop(struct keeper *k, int which)
{
    rb_wire_close(&k->polls[which].fd, 1);
}

static void drop_link(struct keeper *k)
{
    rb_wire_close(&k->link, 1);
    k->polls[P_LINK].fd = -1;
}

static void start_killing(struct keeper *k, int grace_ms)
{
    int64_t at = rb_clock_mono_ns() + (int64_t)grace_ms * 1000000;
    if (k->killing && at >= k->kill_at) {
        return; /* an earlier end stands */
    }
    k->killing = true;
    k->kill_at = at;
    if (grace_ms > 0) {
        (void)rb_tree_signal(getpid(), SIGTERM);
        (void)rb_tree_signal(getpid(), SIGCONT); /* a stopped one must hear it, too */
    }
}

static void on_ctl(struct keeper *k)
{
    struct rb_wire msg;
    int rc = rb_wire_recv(k->polls[P_CTL].fd, &msg, NULL, NULL, MSG_DONTWAIT);
    if (rc == 0) {
        k->host_gone = true;
        drop(k, P_CTL);
        start_killing(k, 0);
    } else if (rc == 1 && msg.kind == RB_WIRE_KILL) {
        start_killing(k, msg.value);
    } else if (rc == 1 && msg.kind == RB_WIRE_LET_GO && k->lasting) {
        _exit(0); /* it is the spawner's child now, and nobody's when that ends */
    }
}

/* End of file: it runs, as what it was meant to be. */
static void on_link(struct keeper *k)
{
    struct rb_wire msg;
    int fds[RB_WIRE_FDS];
    size_t count = 0;
    int rc = rb_wire_recv(k->link, &msg, fds, &count, MSG_DONTWAIT);
    if (rc == 1 && msg.kind == RB_WIRE_LISTENER && count == 1) {
        k->polls[P_LISTENER].fd = k->refusals.listener = fds[0];
        k->polls[P_LINK].fd = k->lasting ? k->link : -1;
    } else if (rc == 1 && msg.kind == RB_WIRE_FAILED) {
        k->failed = true;
        k->failure = msg;
    } else if (rc != -EAGAIN) {
        struct rb_wire runs = {.kind = RB_WIRE_RUNNING};
        drop_link(k);
        if (k->lasting && !k->failed) {
            tell(k, &runs);
        }
    }
}

static void reap(struct keeper *k)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
        if (pid == k->child) {
            k->exited = true;
            k->status = rb_keeper_status(status);
            k->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        }
    }
    k->empty = pid < 0 && errno == ECHILD;
}

static void on_children(struct keeper *k)
{
    struct signalfd_siginfo info;
    (void)!read(k->polls[P_CHILDREN].fd, &info, sizeof(info)); /* only a bell: reap looks itself */
    reap(k);
}

static bool may_rest(const struct keeper *k)
{
    return k->exited && k->empty && !k->host_gone;
}

/* The last words of a command. */
static void say_end(struct keeper *k)
{
    struct rb_wire more = {.kind = RB_WIRE_MORE, .value = k->refusals.more};
    struct rb_wire end = {.kind = RB_WIRE_EXIT, .value = STATUS_KILLED, .stage = SIGKILL};
    if (k->exited) {
        end.value = k->status;
        end.stage = k->signal;
    }
    for (int i = 0; i < LINK_MESSAGES && k->link >= 0; i++) {
        on_link(k); /* its last words may still wait there */
    }
    if (more.value > 0) {
        tell(k, &more);
    }
    end = k->failed ? k->failure : end;
    end.rests = may_rest(k);
    tell(k, &end);
}

/* True when there is nothing left to do. */
static bool one_round(struct keeper *k)
{
    int64_t now = rb_clock_mono_ns();
    if (k->exited && k->read_only && !k->empty) {
        start_killing(k, 0);
    }
    if (k->exited && (k->empty || !k->killing)) {
        return true;
    }
    if (k->killing && now >= k->kill_at) {
        (void)rb_tree_signal(getpid(), SIGKILL);
        reap(k);
        return (k->exited && k->empty) || now >= k->kill_at + GIVE_UP_NS;
    }
    return false;
}

static int patience(const struct keeper *k)
{
    if (!k->killing) {
        return -1; /* as long as the command takes: its deadline is the host's to keep */
    }
    int64_t left = (k->kill_at - rb_clock_mono_ns()) / 1000000;
    return left < ROUND_MS ? ROUND_MS : left > 60000 ? 60000 : (int)left;
}

static void watch(struct keeper *k)
{
    while (!one_round(k)) {
        int n = poll(k->polls, P_COUNT, patience(k));
        if (n < 0 && errno != EINTR) {
            return; /* cannot be */
        }
        if (n <= 0) {
            continue;
        }
        if (k->polls[P_LINK].revents) {
            on_link(k);
        }
        if (k->polls[P_LISTENER].revents &&
            !((k->polls[P_LISTENER].revents & POLLIN) && rb_refusals_answer(&k->refusals))) {
            drop(k, P_LISTENER);
        }
        if (k->polls[P_CTL].revents) {
            on_ctl(k);
        }
        if (k->polls[P_CHILDREN].revents) {
            on_children(k);
        }
    }
}

/* What is blocked, not ignored, is a command's own again with one call: nobody's signal ends a keeper. */
static int open_children(void)
{
    sigset_t all, children;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    rb_become_heed_signals();
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

static pid_t fork_child(struct rb_become *b, int link[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) != 0) {
        return -1;
    }
    b->link = link[1];
    b->parent = getpid();
    pid_t pid = _Fork();
    if (pid == 0) {
        (void)close(link[0]);
        rb_become(b);
    }
    (void)close(link[1]);
    return pid;
}

/* Starts it and sees it through. */
static void keep(struct keeper *k, struct rb_become *b)
{
    int link[2] = {-1, -1};
    k->child = fork_child(b, link);
    if (k->child < 0) {
        struct rb_wire msg = {.kind = RB_WIRE_FAILED, .stage = RB_STAGE_FORK, .value = errno};
        tell(k, &msg);
        return;
    }
    k->link = link[0];
    k->polls[P_LINK].fd = k->read_only || k->lasting ? k->link : -1;
    struct rb_wire msg = {.kind = RB_WIRE_STARTED, .pid = k->child};
    tell(k, &msg);
    /* held here, the ends of its pipes would never be seen to close */
    int given[] = {b->out, b->err, b->in, b->gate};
    rb_wire_close(given, 4);
    b->out = b->err = b->in = b->gate = -1;
    watch(k);
    say_end(k);
}

static void init(struct keeper *k, const struct rb_keeper_work *work, const struct rb_task *task, int children)
{
    *k = (struct keeper){.link = -1, .read_only = task->access != RB_CHILD_WRITE, .lasting = task->lasting};
    for (int i = 0; i < P_COUNT; i++) {
        k->polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    }
    k->polls[P_CTL].fd = work->fds[RB_FD_CTL];
    k->polls[P_CHILDREN].fd = children;
    k->refusals = (struct rb_refusals){.listener = -1, .root = getpid(), .tell = tell_refused, .user = k};
    k->refusals.granted = tell_granted;
    k->refusals.net = task->access == RB_CHILD_READ_NET;
    k->refusals.sockets = task->sockets;
}

/* One START to its end. True when nobody is left below us. */
static bool serve(struct rb_keeper_work *work, int children)
{
    struct rb_task task = {0};
    struct keeper k;
    int rc = rb_task_read(work->fds[RB_FD_SPEC], &task);
    rb_wire_close(&work->fds[RB_FD_SPEC], 1);
    if (rc != 0) {
        struct rb_wire msg = {.kind = RB_WIRE_FAILED, .stage = RB_STAGE_FORK, .value = -rc};
        (void)rb_wire_send(work->fds[RB_FD_CTL], &msg, NULL, 0, 0);
        return false;
    }
    struct rb_become b = {.entries = work->entries, .task = &task, .files = work->files};
    b.gate = work->fds[RB_FD_GATE];
    b.out = work->fds[RB_FD_OUT];
    b.err = work->fds[RB_FD_ERR];
    b.in = work->fds[RB_FD_IN];
    init(&k, work, &task, children);
    keep(&k, &b);
    drop_link(&k);
    drop(&k, P_LISTENER);
    rb_task_free(&task);
    return may_rest(&k);
}

/* Waits for more to do. False when the host wants us no longer. A KILL may come that was meant for what has ended. */
static bool rest(struct rb_keeper_work *work)
{
    struct rb_wire msg;
    int ctl = work->fds[RB_FD_CTL], came[RB_WIRE_FDS], rc;
    size_t count = 0;
    do {
        rc = rb_wire_recv(ctl, &msg, came, &count, 0);
    } while (rc == 1 && msg.kind != RB_WIRE_START);
    bool more = rc == 1 && rb_wire_started(&msg, came, count, work->fds);
    work->fds[RB_FD_CTL] = ctl;
    return more;
}

_Noreturn void rb_keeper_main(struct rb_keeper_work *work)
{
    (void)prctl(PR_SET_NAME, "runbook-keep", 0, 0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    rb_wire_close_others(work->fds, RB_WIRE_FDS);
    int children = open_children();
    bool on = children >= 0 && (work->fds[RB_FD_SPEC] < 0 || serve(work, children));
    while (on && rest(work)) {
        on = serve(work, children);
    }
    _exit(0); /* what is left below us is the spawner's now */
}
