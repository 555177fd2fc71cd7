#include "process/refusal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/question.h"
#include "process/tree.h"

#define SEND_MAX 65536

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

/* What the child holds already, for the use it was opened for: nothing is gained by it. Works
 * for a thread, too, whose process has another number. */
static int dup_own(const struct rb_question *q, int fd)
{
    char path[64], line[128];
    pid_t pid = (pid_t)q->notif->pid;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f)) {
            if (strncmp(line, "Tgid:", 5) == 0) {
                pidfd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(line + 5, NULL, 10), 0);
            }
        }
        if (f) {
            (void)fclose(f);
        }
    }
    int dup = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    if (pidfd >= 0) {
        (void)close(pidfd);
    }
    return dup;
}

static int reopen_own(const struct rb_question *q, int fd, int flags)
{
    int own = dup_own(q, fd);
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

static void inject(struct rb_question *q, int fd, int flags)
{
    struct seccomp_notif_addfd add = {.id = q->notif->id, .srcfd = (uint32_t)fd};
    add.flags = SECCOMP_ADDFD_FLAG_SEND;
    add.newfd_flags = flags & O_CLOEXEC ? O_CLOEXEC : 0;
    if (ioctl(q->refusals->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0) {
        q->answered = true;
    } else {
        rb_question_refuse(q, errno == EMFILE ? EMFILE : EROFS);
    }
    (void)close(fd);
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
        inject(q, fd, flags);
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

static int dup_socket(const struct rb_question *q, int fd, int *domain)
{
    int sock = dup_own(q, fd);
    socklen_t len = sizeof(*domain);
    if (sock >= 0 && getsockopt(sock, SOL_SOCKET, SO_DOMAIN, domain, &len) != 0) {
        (void)close(sock);
        sock = -1;
    }
    return sock;
}

/* The keeper binds its own copy of the socket to its own copy of the address: netlink, and
 * with net a client's port. A UNIX socket would leave a file. */
static bool may_bind(const struct rb_question *q, int domain, const struct sockaddr_storage *to)
{
    unsigned port = ntohs(((const struct sockaddr_in *)to)->sin_port); /* in6 has it in the same place */
    if (to->ss_family != domain) {
        return false;
    }
    return domain == AF_NETLINK ||
           (q->refusals->net && (domain == AF_INET || domain == AF_INET6) && (port == 0 || port >= 1024));
}

static void answer_bind(struct rb_question *q)
{
    struct sockaddr_storage to = {0};
    size_t len = q->notif->data.args[2] > sizeof(to) ? 0 : (size_t)q->notif->data.args[2];
    int domain = 0, sock = dup_socket(q, rb_question_int(q, 0), &domain);
    rb_question_refuse(q, EACCES);
    rb_question_describe(q, " %d", domain);
    bool copied = len > 0 && rb_question_copy(q, 1, &to, len) == len && rb_question_stands(q);
    if (sock >= 0 && copied && may_bind(q, domain, &to)) {
        q->quiet = true;
        rb_question_refuse(q, bind(sock, (const struct sockaddr *)&to, (socklen_t)len) == 0 ? 0 : errno);
    }
    if (sock >= 0) {
        (void)close(sock);
    }
}

/* fuser and ifconfig make a datagram socket only to ask about interfaces: they get a TCP socket
 * that is never connected, and so can send nothing. */
static void answer_socket(struct rb_question *q)
{
    int domain = rb_question_int(q, 0), type = rb_question_int(q, 1), protocol = rb_question_int(q, 2);
    bool harmless = (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_DGRAM &&
                    (protocol == 0 || protocol == IPPROTO_UDP);
    int fd = harmless ? socket(domain, SOCK_STREAM | SOCK_CLOEXEC | (type & SOCK_NONBLOCK), 0) : -1;
    if (fd >= 0) {
        q->quiet = true;
        inject(q, fd, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
    } else {
        rb_question_refuse_listed(q);
    }
}

static void describe_address(struct rb_question *q, const struct sockaddr_storage *to)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)to;
    const char *path = ((const struct sockaddr_un *)to)->sun_path;
    if (to->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        rb_question_describe(q, " %s:%u", text, ntohs(in->sin_port));
    } else if (to->ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        rb_question_describe(q, " [%s]:%u", text, ntohs(in6->sin6_port));
    } else if (to->ss_family == AF_UNIX) {
        rb_question_describe(q, " %s%s", path[0] ? path : "@", path[0] ? "" : path + 1);
    } else {
        rb_question_describe(q, " %u", to->ss_family);
    }
}

/* One zero byte stays at the end. */
static void copy_address(const struct rb_question *q, unsigned arg, struct sockaddr_storage *to)
{
    uint64_t said = q->notif->data.args[arg + 1];
    size_t len = said >= sizeof(*to) ? sizeof(*to) - 1 : (size_t)said;
    memset(to, 0, sizeof(*to));
    (void)rb_question_copy(q, arg, to, len);
}

/* Always refused; the address is only for the record. */
static void answer_connect(struct rb_question *q)
{
    struct sockaddr_storage to;
    copy_address(q, 1, &to);
    rb_question_refuse(q, EACCES);
    describe_address(q, &to);
    /* every look-up of a user's name asks the name service cache first */
    const char *path = ((const struct sockaddr_un *)&to)->sun_path;
    q->quiet = to.ss_family == AF_UNIX && strcmp(path, "/var/run/nscd/socket") == 0;
}

/* To the kernel's own netlink (name look-ups ask it for addresses) the keeper sends its copy
 * over its copy of the socket; what the socket may do was fixed when the child opened it. */
static void answer_sendto(struct rb_question *q)
{
    char data[SEND_MAX];
    struct sockaddr_storage to;
    size_t len = (size_t)q->notif->data.args[2];
    int domain = 0, sock = dup_socket(q, rb_question_int(q, 0), &domain);
    copy_address(q, 4, &to);
    rb_question_refuse(q, EACCES);
    describe_address(q, &to);
    bool copied = len <= sizeof(data) && rb_question_copy(q, 1, data, len) == len && rb_question_stands(q);
    if (sock >= 0 && domain == AF_NETLINK && to.ss_family == AF_NETLINK && copied) {
        int flags = rb_question_int(q, 3) | MSG_DONTWAIT | MSG_NOSIGNAL;
        ssize_t n = sendto(sock, data, len, flags, (struct sockaddr *)&to, sizeof(struct sockaddr_nl));
        q->quiet = true;
        rb_question_refuse(q, n < 0 ? errno : 0);
        q->answer.val = n < 0 ? 0 : n;
    }
    if (sock >= 0) {
        (void)close(sock);
    }
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
        answer_bind(q);
    } else if (nr == SCMP_SYS(connect)) {
        answer_connect(q);
    } else if (nr == SCMP_SYS(sendto)) {
        answer_sendto(q);
    } else if (nr == SCMP_SYS(socket)) {
        answer_socket(q);
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
