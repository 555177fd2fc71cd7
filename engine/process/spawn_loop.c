#include "process/spawn_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "process/become.h"
#include "process/keeper.h"
#include "process/task.h"
#include "process/wire.h"

#define IDLE_MAX 8 /* keepers that wait for more to do */

/* An entry that may write needs no keeper: it is our own code, forks nothing and is killed
 * with us. A thousand runs are then a thousand runners and not twice as many processes. */
struct job {
    struct job *next;
    pid_t pid;
    int ctl; /* to the host, or to the keeper */
    bool keeper, idle;
};

struct loop {
    int control, children, epoll;
    const struct rb_entry *entries;
    size_t count;
    struct rlimit files;
    struct job *jobs;
    int idle;
};

static void tell(int fd, int kind, enum rb_stage stage, int value, pid_t pid)
{
    struct rb_wire msg = {.kind = kind, .stage = (int)stage, .value = value, .pid = pid};
    (void)rb_wire_send(fd, &msg, NULL, 0, 0); /* an error: the host is gone, or soon */
}

static bool watch(struct loop *l, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Taken out first: a fork under way may hold a copy, and epoll would go on reporting it. */
static void drop_ctl(struct loop *l, struct job *job)
{
    if (job->ctl >= 0) {
        (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, job->ctl, NULL);
        rb_wire_close(&job->ctl, 1);
    }
}

static _Noreturn void run_entry(struct loop *l, const struct rb_task *task, const int *fds, pid_t parent)
{
    struct rb_become b = {.entries = l->entries, .task = task, .files = l->files, .parent = parent};
    b.link = b.err = b.in = -1;
    b.out = fds[RB_FD_OUT];
    rb_become(&b);
}

static struct job *add_job(struct loop *l, pid_t pid, int ctl)
{
    struct job *job = rb_xcalloc(1, sizeof(*job));
    *job = (struct job){.next = l->jobs, .pid = pid, .ctl = ctl};
    l->jobs = job;
    if (!watch(l, job->ctl, job)) {
        (void)kill(pid, SIGKILL); /* nobody could end it; its end is told as usual */
    }
    return job;
}

/* Gives a START to a keeper that has nothing to do. */
static bool pass_on(struct loop *l, const int *fds, size_t count)
{
    struct rb_wire msg = {.kind = RB_WIRE_START};
    for (struct job *job = l->idle > 0 ? l->jobs : NULL; job; job = job->next) {
        if (job->idle) {
            job->idle = false;
            l->idle--;
            if (rb_wire_send(job->ctl, &msg, fds, count, MSG_DONTWAIT) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* 0 or -errno. */
static int new_keeper(struct loop *l, const int *fds, size_t count)
{
    struct rb_keeper_work work = {.entries = l->entries, .files = l->files, .count = count};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return -errno;
    }
    memcpy(work.fds, fds, count * sizeof(int));
    work.spawner = pair[1];
    pid_t pid = _Fork();
    if (pid == 0) {
        rb_keeper_main(&work);
    }
    int rc = pid < 0 ? -errno : 0;
    (void)close(pair[1]);
    if (pid < 0) {
        (void)close(pair[0]);
    } else {
        add_job(l, pid, pair[0])->keeper = true;
    }
    return rc;
}

/* 0 or -errno. */
static int new_entry(struct loop *l, const struct rb_task *task, int *fds)
{
    pid_t self = getpid(), pid = _Fork();
    if (pid == 0) {
        run_entry(l, task, fds, self);
    }
    if (pid < 0) {
        return -errno;
    }
    struct job *job = add_job(l, pid, fds[RB_FD_CTL]);
    fds[RB_FD_CTL] = -1;
    tell(job->ctl, RB_WIRE_STARTED, RB_STAGE_FORK, 0, pid);
    return 0;
}

static void start(struct loop *l, int *fds, size_t count)
{
    struct rb_task task = {0};
    int rc = rb_task_read(fds[RB_FD_SPEC], &task);
    /* by _Fork: no handlers of libraries that were used before us (libuv's would close our descriptors) */
    if (rc == 0 && task.entry >= 0 && task.access == RB_CHILD_WRITE) {
        rc = new_entry(l, &task, fds);
    } else if (rc == 0 && !pass_on(l, fds, count)) {
        rc = new_keeper(l, fds, count);
    }
    if (rc != 0) {
        tell(fds[RB_FD_CTL], RB_WIRE_FAILED, RB_STAGE_FORK, -rc, 0);
    }
    free(task.argv);
    free(task.env);
    free(task.bytes);
}

static _Noreturn void end_entries(struct loop *l)
{
    for (struct job *job = l->jobs; job; job = job->next) {
        if (!job->keeper) {
            (void)kill(job->pid, SIGKILL);
        }
    }
    _exit(0); /* keepers see the end of the host by themselves */
}

static void on_control(struct loop *l)
{
    struct rb_wire msg;
    int fds[RB_WIRE_FDS];
    size_t count = 0;
    int rc = rb_wire_recv(l->control, &msg, fds, &count, MSG_DONTWAIT);
    if (rc == 0) {
        end_entries(l);
    }
    if (rc == 1 && msg.kind == RB_WIRE_START && count > RB_FD_CTL) {
        start(l, fds, count);
    }
    rb_wire_close(fds, rc == 1 ? count : 0);
}

/* It has nothing to do, or is gone: then its end is on the way. */
static void on_keeper(struct loop *l, struct job *job)
{
    struct rb_wire msg;
    int rc = rb_wire_recv(job->ctl, &msg, NULL, NULL, MSG_DONTWAIT);
    if (rc == 1 && msg.kind == RB_WIRE_IDLE && l->idle < IDLE_MAX) {
        job->idle = true;
        l->idle++;
    } else if (rc != -EAGAIN) {
        drop_ctl(l, job); /* it leaves when it sees that */
    }
}

static void on_job(struct loop *l, struct job *job)
{
    struct rb_wire msg;
    if (job->keeper) {
        on_keeper(l, job);
        return;
    }
    int rc = rb_wire_recv(job->ctl, &msg, NULL, NULL, MSG_DONTWAIT);
    if (rc == 0 || (rc == 1 && msg.kind == RB_WIRE_KILL)) {
        /* an entry has nothing to tidy up: its grace is none */
        (void)kill(job->pid, SIGKILL);
    }
    if (rc == 0) {
        drop_ctl(l, job);
    }
}

static void on_children(struct loop *l)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;
    (void)!read(l->children, &info, sizeof(info)); /* only a bell */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct job **at = &l->jobs;
        while (*at && (*at)->pid != pid) {
            at = &(*at)->next;
        }
        struct job *job = *at;
        if (job) {
            *at = job->next;
            if (!job->keeper) {
                tell(job->ctl, RB_WIRE_EXIT, RB_STAGE_FORK, rb_keeper_status(status), 0);
            }
            l->idle -= job->idle;
            drop_ctl(l, job);
            free(job);
        }
    }
}

static void detach(struct loop *l)
{
    struct rlimit most;
    (void)prctl(PR_SET_NAME, "runbook-spawn", 0, 0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    (void)setsid(); /* Ctrl-C is for the host */
    rb_become_ignore_signals();
    (void)getrlimit(RLIMIT_NOFILE, &l->files);
    most = l->files;
    most.rlim_cur = most.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &most); /* a descriptor an entry; children get the host's limit back */
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
#ifdef RUNBOOK_SANITIZED
    const int last = 1; /* reports go to the host's stderr */
#else
    const int last = 2;
#endif
    for (int fd = 0; null >= 0 && fd <= last; fd++) {
        (void)dup2(null, fd);
    }
    rb_wire_close_others(&l->control, 1);
}

static void open_loop(struct loop *l)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
    l->children = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->children < 0 || l->epoll < 0 || !watch(l, l->control, &l->control) ||
        !watch(l, l->children, &l->children)) {
        _exit(1); /* the host sees its socket closed */
    }
}

_Noreturn void rb_spawn_loop(int control, const struct rb_entry *entries, size_t count)
{
    struct loop l = {.control = control, .entries = entries, .count = count};
    detach(&l);
    open_loop(&l);
    for (;;) {
        /* one at a time: handling one event may free the job of another */
        struct epoll_event event;
        if (epoll_wait(l.epoll, &event, 1, -1) != 1) {
            continue;
        }
        if (event.data.ptr == &l.control) {
            on_control(&l);
        } else if (event.data.ptr == &l.children) {
            on_children(&l);
        } else {
            on_job(&l, event.data.ptr);
        }
    }
}
