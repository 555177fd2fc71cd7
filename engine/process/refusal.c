#include "process/refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "process/question.h"
#include "process/refusal_sockets.h"
#include "process/tree.h"

/* "/dev/fd/3" and its other names: 3, else -1. */
static int own_descriptor(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"};
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(path, names[i]) == 0) {
            return i;
        }
        size_t n = strlen(folders[i]);
        char *end = NULL;
        if (strncmp(path, folders[i], n) == 0 && path[n] >= '0' && path[n] <= '9') {
            long fd = strtol(path + n, &end, 10);
            return *end == '\0' && fd <= INT_MAX ? (int)fd : -1;
        }
    }
    return -1;
}

/* The devices that keep nothing: null, zero, full. */
static bool is_sink(const struct stat *st)
{
    unsigned n = minor(st->st_rdev);
    return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 && (n == 3 || n == 5 || n == 7);
}

static int reopen_own(const struct rb_question *q, int fd, int flags)
{
    int own = rb_question_dup(q, fd);
    if (own < 0) {
        return -ENOENT;
    }
    int have = fcntl(own, F_GETFL) & O_ACCMODE;
    if (have != O_RDWR && have != (flags & O_ACCMODE)) {
        (void)close(own);
        return -EROFS;
    }
    return own;
}

static int open_device(const char *path, int flags)
{
    struct stat st;
    if (strcmp(path, "/dev/null") != 0 && strcmp(path, "/dev/zero") != 0 && strcmp(path, "/dev/full") != 0) {
        return -EROFS;
    }
    int fd = open(path, (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)) | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &st) != 0 || !is_sink(&st)) {
        (void)close(fd);
        return -EROFS;
    }
    return fd;
}

/* The keeper takes the object itself, looks at what it got, and hands over that: the path in
 * the child's memory may change meanwhile and nothing is gained by it. Names are compared as
 * text, so that no foreign file system is touched. */
static int open_harmless(const struct rb_question *q, const char *path, int flags)
{
    int fd = own_descriptor(path);
    return fd >= 0 ? reopen_own(q, fd, flags) : open_device(path, flags);
}

static void answer_open(struct rb_question *q, unsigned path_arg, int flags)
{
    char path[PATH_MAX];
    if (!rb_question_path(q, path_arg, path)) {
        rb_question_refuse(q, EFAULT);
        rb_question_describe(q, " ?");
        return;
    }
    rb_question_describe(q, " %.*s", RB_PATH_SHOWN, path);
    if (strcmp(path, "/dev/tty") == 0) {
        q->quiet = true; /* there is none: the child has its own session */
        rb_question_refuse(q, ENXIO);
        return;
    }
    int fd = open_harmless(q, path, flags);
    if (fd >= 0) {
        q->quiet = true;
        rb_question_inject(q, fd, flags);
    } else {
        rb_question_refuse(q, -fd);
    }
}

/* Its flags lie in memory, so it is never allowed; programs fall back to openat. */
static void answer_openat2(struct rb_question *q)
{
    uint64_t flags = 0;
    (void)rb_question_copy(q, 2, &flags, sizeof(flags));
    rb_question_refuse_listed(q);
    rb_question_describe_path(q, 1);
    q->quiet = (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND)) == 0;
}

static bool is_own(const struct rb_question *q, pid_t pid)
{
    return pid > 0 && rb_tree_has(q->refusals->root, pid);
}

static void go_on(struct rb_question *q)
{
    q->answer.error = 0;
    q->answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
}

/* The numbers are in registers, which nobody changes while the thread waits here. A process
 * that ends meanwhile would have to have its number used again within microseconds. */
static void answer_process(struct rb_question *q, bool own, pid_t pid)
{
    if (own) {
        q->quiet = true;
        go_on(q);
    } else if (kill(pid, 0) != 0 && errno == ESRCH) {
        q->quiet = true;
        rb_question_refuse(q, ESRCH);
    } else {
        rb_question_refuse(q, EPERM);
        rb_question_describe(q, " %d", (int)pid);
    }
}

static void answer_kill(struct rb_question *q)
{
    pid_t pid = rb_question_int(q, 0);
    bool own = pid > 0 ? is_own(q, pid) : pid == 0 || (pid < -1 && rb_tree_has_group(q->refusals->root, -pid));
    answer_process(q, own, pid);
}

static void answer_priority(struct rb_question *q, int which_process)
{
    pid_t who = rb_question_int(q, 1);
    answer_process(q, rb_question_int(q, 0) == which_process && (who == 0 || is_own(q, who)), who);
}

static void decide(struct rb_question *q)
{
    int nr = q->notif->data.nr;
    if (nr == SCMP_SYS(openat)) {
        answer_open(q, 1, rb_question_int(q, 2));
    } else if (nr == SCMP_SYS(open)) {
        answer_open(q, 0, rb_question_int(q, 1));
    } else if (nr == SCMP_SYS(creat)) {
        answer_open(q, 0, O_WRONLY | O_CREAT | O_TRUNC);
    } else if (nr == SCMP_SYS(openat2)) {
        answer_openat2(q);
    } else if (nr == SCMP_SYS(kill)) {
        answer_kill(q);
    } else if (nr == SCMP_SYS(tkill) || nr == SCMP_SYS(tgkill) || nr == SCMP_SYS(rt_sigqueueinfo) ||
               nr == SCMP_SYS(rt_tgsigqueueinfo) || nr == SCMP_SYS(sched_setparam) ||
               nr == SCMP_SYS(sched_setscheduler) || nr == SCMP_SYS(sched_setattr) ||
               nr == SCMP_SYS(sched_setaffinity)) {
        answer_process(q, is_own(q, rb_question_int(q, 0)), rb_question_int(q, 0));
    } else if (nr == SCMP_SYS(prlimit64)) {
        answer_process(q, q->notif->data.args[2] == 0 || is_own(q, rb_question_int(q, 0)), rb_question_int(q, 0));
    } else if (nr == SCMP_SYS(setpriority)) {
        answer_priority(q, PRIO_PROCESS);
    } else if (nr == SCMP_SYS(ioprio_set)) {
        answer_priority(q, 1 /* IOPRIO_WHO_PROCESS */);
    } else if (nr == SCMP_SYS(bind)) {
        rb_sockets_bind(q);
    } else if (nr == SCMP_SYS(connect)) {
        rb_sockets_connect(q);
    } else if (nr == SCMP_SYS(sendto)) {
        rb_sockets_sendto(q);
    } else if (nr == SCMP_SYS(socket)) {
        rb_sockets_socket(q);
    } else {
        rb_question_refuse_listed(q);
    }
}

static void record(struct rb_refusals *r, const struct rb_question *q)
{
    if (q->quiet) {
        return;
    }
    if (r->told < RB_REFUSALS_MAX) {
        r->told++;
        r->tell(r->user, q->what);
    } else {
        r->more++;
    }
}

/* Sizes as this kernel has them, which may be larger than those of our headers. */
union notice {
    struct seccomp_notif notif;
    char room[512];
};

union reply {
    struct seccomp_notif_resp resp;
    char room[512];
};

bool rb_refusals_answer(struct rb_refusals *r)
{
    union notice notice = {0};
    int rc;
    do {
        rc = ioctl(r->listener, SECCOMP_IOCTL_NOTIF_RECV, &notice.notif);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        return errno == ENOENT; /* the one that asked is gone */
    }
    struct rb_question q = {.refusals = r, .notif = &notice.notif, .answer = {.id = notice.notif.id}};
    decide(&q);
    /* What was read by the thread's number is of this thread only while the question stands. */
    if (q.answered || !rb_question_stands(&q)) {
        return true;
    }
    record(r, &q);
    union reply reply = {.resp = q.answer};
    (void)ioctl(r->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply.resp); /* ENOENT: it is gone */
    return true;
}
