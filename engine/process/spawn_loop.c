#include "process/spawn_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
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

/* An entry that may write needs no keeper: it is our own code, forks nothing and is killed
 * with us. A thousand runs are then a thousand runners and not twice as many processes. */
struct job {
    struct job *next;
    pid_t pid;
    int ctl; /* of an entry, to the host; -1: it has a keeper, which talks to the host itself */
};

struct loop {
    int control, children, epoll;
    const struct rb_entry *entries;
    size_t count;
    struct rlimit files;
    struct job *jobs;
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
    b.link = b.gate = b.err = b.in = -1;
    b.out = fds[RB_FD_OUT];
    rb_become(&b);
}

static struct job *add_job(struct loop *l, pid_t pid, int ctl)
{
    struct job *job = rb_xcalloc(1, sizeof(*job));
    *job = (struct job){.next = l->jobs, .pid = pid, .ctl = ctl};
    l->jobs = job;
    if (job->ctl >= 0 && !watch(l, job->ctl, job)) {
        (void)kill(pid, SIGKILL); /* nobody could end it; its end is told as usual */
    }
    return job;
}

/* 0 or -errno. By _Fork: no handlers of libraries that were used before us (libuv's would close our descriptors). */
static int new_keeper(struct loop *l, const int *fds)
{
    struct rb_keeper_work work = {.entries = l->entries, .files = l->files};
    memcpy(work.fds, fds, sizeof(work.fds));
    pid_t pid = _Fork();
    if (pid == 0) {
        rb_keeper_main(&work);
    }
    if (pid < 0) {
        return -errno;
    }
    (void)add_job(l, pid, -1);
    return 0;
}

/* 0 or -errno. */
static int new_entry(struct loop *l, int *fds)
{
    struct rb_task task = {0};
    int rc = rb_task_read(fds[RB_FD_SPEC], &task);
    pid_t self = getpid(), pid = rc == 0 ? _Fork() : -1;
    if (pid == 0) {
        run_entry(l, &task, fds, self);
    }
    rc = rc == 0 && pid < 0 ? -errno : rc;
    rb_task_free(&task);
    if (rc != 0) {
        return rc;
    }
    struct job *job = add_job(l, pid, fds[RB_FD_CTL]);
    fds[RB_FD_CTL] = -1;
    tell(job->ctl, RB_WIRE_STARTED, RB_STAGE_FORK, 0, pid);
    return 0;
}

static void start(struct loop *l, int *fds, bool unkept)
{
    int rc = unkept ? new_entry(l, fds) : new_keeper(l, fds);
    if (rc != 0) {
        tell(fds[RB_FD_CTL], RB_WIRE_FAILED, RB_STAGE_FORK, -rc, 0);
    }
}

static _Noreturn void end_entries(struct loop *l)
{
    for (struct job *job = l->jobs; job; job = job->next) {
        if (job->ctl >= 0) {
            (void)kill(job->pid, SIGKILL);
        }
    }
    _exit(0); /* keepers see the end of the host by themselves */
}

static void on_control(struct loop *l)
{
    struct rb_wire msg;
    int came[RB_WIRE_FDS], fds[RB_WIRE_FDS];
    size_t count = 0;
    int rc = rb_wire_recv(l->control, &msg, came, &count, MSG_DONTWAIT);
    if (rc == 0) {
        end_entries(l);
    }
    if (rc != 1) {
        return;
    }
    if (msg.kind == RB_WIRE_START && rb_wire_started(&msg, came, count, fds) && fds[RB_FD_CTL] >= 0) {
        start(l, fds, msg.stage == 1);
        rb_wire_close(fds, RB_WIRE_FDS);
    } else {
        rb_wire_close(came, count);
    }
}

static void on_job(struct loop *l, struct job *job)
{
    struct rb_wire msg;
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
            if (job->ctl >= 0) {
                tell(job->ctl, RB_WIRE_EXIT, RB_STAGE_FORK, rb_keeper_status(status), 0);
            }
            drop_ctl(l, job);
            free(job);
        }
    }
}

static void detach(struct loop *l)
{
    struct rlimit most;
    (void)seccomp_api_get(); /* what the kernel can do is asked once, and not by each child */
    (void)prctl(PR_SET_NAME, "runbook-spawn", 0, 0, 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    (void)setsid(); /* Ctrl-C is for the host */
    rb_become_reset_signals();
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
    if (l->children < 0 || l->epoll < 0 || !watch(l, l->control, &l->control) || !watch(l, l->children, &l->children)) {
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
