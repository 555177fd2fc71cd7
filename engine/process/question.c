#include "process/question.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What the record says of a refused call. */
enum shape { NAME, NUMBER, DESCRIPTOR, PATH, FLAGS };

struct refused_call {
    int nr, errnum;
    enum shape shape;
    unsigned arg;
};

/* Calls that are not here are answered ENOSYS: new ones, and those nothing needs. */
static const struct refused_call refused_calls[] = {
    {SCMP_SYS(creat), EROFS, PATH, 0},
    {SCMP_SYS(unlink), EROFS, PATH, 0},
    {SCMP_SYS(unlinkat), EROFS, PATH, 1},
    {SCMP_SYS(rmdir), EROFS, PATH, 0},
    {SCMP_SYS(mkdir), EROFS, PATH, 0},
    {SCMP_SYS(mkdirat), EROFS, PATH, 1},
    {SCMP_SYS(mknod), EROFS, PATH, 0},
    {SCMP_SYS(mknodat), EROFS, PATH, 1},
    {SCMP_SYS(rename), EROFS, PATH, 0},
    {SCMP_SYS(renameat), EROFS, PATH, 1},
    {SCMP_SYS(renameat2), EROFS, PATH, 1},
    {SCMP_SYS(link), EROFS, PATH, 1},
    {SCMP_SYS(linkat), EROFS, PATH, 3},
    {SCMP_SYS(symlink), EROFS, PATH, 1},
    {SCMP_SYS(symlinkat), EROFS, PATH, 2},
    {SCMP_SYS(chmod), EROFS, PATH, 0},
    {SCMP_SYS(fchmod), EROFS, DESCRIPTOR, 0},
    {SCMP_SYS(fchmodat), EROFS, PATH, 1},
    {SCMP_SYS(chown), EROFS, PATH, 0},
    {SCMP_SYS(lchown), EROFS, PATH, 0},
    {SCMP_SYS(fchown), EROFS, DESCRIPTOR, 0},
    {SCMP_SYS(fchownat), EROFS, PATH, 1},
    {SCMP_SYS(utime), EROFS, PATH, 0},
    {SCMP_SYS(utimes), EROFS, PATH, 0},
    {SCMP_SYS(futimesat), EROFS, PATH, 1},
    {SCMP_SYS(utimensat), EROFS, PATH, 1},
    {SCMP_SYS(setxattr), EROFS, PATH, 0},
    {SCMP_SYS(lsetxattr), EROFS, PATH, 0},
    {SCMP_SYS(fsetxattr), EROFS, DESCRIPTOR, 0},
    {SCMP_SYS(removexattr), EROFS, PATH, 0},
    {SCMP_SYS(lremovexattr), EROFS, PATH, 0},
    {SCMP_SYS(fremovexattr), EROFS, DESCRIPTOR, 0},
    {SCMP_SYS(truncate), EROFS, PATH, 0},
    {SCMP_SYS(ftruncate), EROFS, DESCRIPTOR, 0},
    {SCMP_SYS(fallocate), EROFS, DESCRIPTOR, 0},
    {SCMP_SYS(flock), EACCES, DESCRIPTOR, 0},
    {SCMP_SYS(ioctl), ENOTTY, FLAGS, 1},
    {SCMP_SYS(fcntl), EPERM, FLAGS, 1},
    {SCMP_SYS(execveat), EACCES, PATH, 1},
    {SCMP_SYS(memfd_create), EPERM, PATH, 0},
    {SCMP_SYS(memfd_secret), EPERM, NAME, 0},
    {SCMP_SYS(mount), EPERM, PATH, 1},
    {SCMP_SYS(umount2), EPERM, PATH, 0},
    {SCMP_SYS(pivot_root), EPERM, PATH, 0},
    {SCMP_SYS(move_mount), EPERM, PATH, 1},
    {SCMP_SYS(open_tree), EPERM, PATH, 1},
    {SCMP_SYS(fsopen), EPERM, PATH, 0},
    {SCMP_SYS(fspick), EPERM, PATH, 1},
    {SCMP_SYS(mount_setattr), EPERM, PATH, 1},
    {SCMP_SYS(chroot), EPERM, PATH, 0},
    {SCMP_SYS(swapon), EPERM, PATH, 0},
    {SCMP_SYS(swapoff), EPERM, PATH, 0},
    {SCMP_SYS(acct), EPERM, PATH, 0},
    {SCMP_SYS(quotactl), EPERM, PATH, 1},
    {SCMP_SYS(reboot), EPERM, NAME, 0},
    {SCMP_SYS(kexec_load), EPERM, NAME, 0},
    {SCMP_SYS(kexec_file_load), EPERM, NAME, 0},
    {SCMP_SYS(init_module), EPERM, NAME, 0},
    {SCMP_SYS(finit_module), EPERM, NAME, 0},
    {SCMP_SYS(delete_module), EPERM, PATH, 0},
    {SCMP_SYS(sethostname), EPERM, PATH, 0},
    {SCMP_SYS(setdomainname), EPERM, PATH, 0},
    {SCMP_SYS(settimeofday), EPERM, NAME, 0},
    {SCMP_SYS(clock_settime), EPERM, NUMBER, 0},
    {SCMP_SYS(syslog), EPERM, NUMBER, 0},
    {SCMP_SYS(iopl), EPERM, NAME, 0},
    {SCMP_SYS(ioperm), EPERM, NAME, 0},
    {SCMP_SYS(vhangup), EPERM, NAME, 0},
    {SCMP_SYS(bpf), EPERM, NUMBER, 0},
    {SCMP_SYS(perf_event_open), EPERM, NAME, 0},
    {SCMP_SYS(fanotify_init), EPERM, NAME, 0},
    {SCMP_SYS(userfaultfd), EPERM, NAME, 0},
    {SCMP_SYS(prctl), EPERM, NUMBER, 0},
    {SCMP_SYS(ptrace), EPERM, NUMBER, 1},
    {SCMP_SYS(process_vm_writev), EPERM, NUMBER, 0},
    {SCMP_SYS(process_madvise), EPERM, NAME, 0},
    {SCMP_SYS(process_mrelease), EPERM, NAME, 0},
    {SCMP_SYS(pidfd_getfd), EPERM, NAME, 0},
    {SCMP_SYS(migrate_pages), EPERM, NUMBER, 0},
    {SCMP_SYS(move_pages), EPERM, NUMBER, 0},
    {SCMP_SYS(open_by_handle_at), EPERM, NAME, 0},
    {SCMP_SYS(unshare), EPERM, FLAGS, 0},
    {SCMP_SYS(clone), EPERM, FLAGS, 0},
    {SCMP_SYS(setns), EPERM, NAME, 0},
    {SCMP_SYS(shmget), EACCES, NAME, 0},
    {SCMP_SYS(shmat), EACCES, NUMBER, 0},
    {SCMP_SYS(shmctl), EPERM, NUMBER, 0},
    {SCMP_SYS(semget), EACCES, NAME, 0},
    {SCMP_SYS(semop), EACCES, NUMBER, 0},
    {SCMP_SYS(semtimedop), EACCES, NUMBER, 0},
    {SCMP_SYS(semctl), EPERM, NUMBER, 0},
    {SCMP_SYS(msgget), EACCES, NAME, 0},
    {SCMP_SYS(msgsnd), EACCES, NUMBER, 0},
    {SCMP_SYS(msgrcv), EACCES, NUMBER, 0},
    {SCMP_SYS(msgctl), EPERM, NUMBER, 0},
    {SCMP_SYS(mq_open), EACCES, PATH, 0},
    {SCMP_SYS(mq_unlink), EACCES, PATH, 0},
    {SCMP_SYS(socket), EACCES, NUMBER, 0},
    {SCMP_SYS(socketpair), EACCES, NUMBER, 0},
    {SCMP_SYS(listen), EACCES, NAME, 0},
    {SCMP_SYS(sendmsg), EACCES, NAME, 0},
    {SCMP_SYS(sendmmsg), EACCES, NAME, 0},
    /* the program falls back to kill, which is answered by descent */
    {SCMP_SYS(pidfd_send_signal), ENOSYS, NAME, 0},
};

int rb_question_int(const struct rb_question *q, unsigned arg)
{
    return (int)(uint32_t)q->notif->data.args[arg];
}

/* Page by page: what is asked for may end before an unmapped one. stop: also after a NUL. */
static size_t copy_in(const struct rb_question *q, uint64_t from, char *out, size_t len, bool stop)
{
    const size_t page = 4096;
    size_t have = 0;
    while (have < len) {
        size_t n = page - (from + have) % page;
        n = n > len - have ? len - have : n;
        struct iovec here = {out + have, n}, there = {(void *)(uintptr_t)(from + have), n};
        ssize_t got = process_vm_readv((pid_t)q->notif->pid, &here, 1, &there, 1, 0);
        if (got <= 0) {
            break;
        }
        have += (size_t)got;
        if (stop && memchr(here.iov_base, '\0', (size_t)got)) {
            break;
        }
    }
    return have;
}

size_t rb_question_copy(const struct rb_question *q, unsigned arg, void *out, size_t len)
{
    return copy_in(q, q->notif->data.args[arg], out, len, false);
}

bool rb_question_path(const struct rb_question *q, unsigned arg, char out[PATH_MAX])
{
    size_t n = copy_in(q, q->notif->data.args[arg], out, PATH_MAX, true);
    return n > 0 && memchr(out, '\0', n) != NULL;
}

bool rb_question_stands(const struct rb_question *q)
{
    uint64_t id = q->notif->id;
    return ioctl(q->refusals->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int rb_question_dup(const struct rb_question *q, int fd)
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

void rb_question_inject(struct rb_question *q, int fd, int flags)
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

void rb_question_refuse(struct rb_question *q, int errnum)
{
    q->answer.error = -errnum;
    q->answer.val = 0;
    q->answer.flags = 0;
}

void rb_question_describe(struct rb_question *q, const char *format, ...)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, q->notif->data.nr);
    int n = name ? snprintf(q->what, sizeof(q->what), "%s", name)
                 : snprintf(q->what, sizeof(q->what), "syscall %d", q->notif->data.nr);
    free(name);
    va_list args;
    va_start(args, format);
    if (n > 0 && (size_t)n < sizeof(q->what)) {
        (void)vsnprintf(q->what + n, sizeof(q->what) - (size_t)n, format, args);
    }
    va_end(args);
}

static void describe_descriptor(struct rb_question *q, int fd)
{
    char link[64], path[RB_PATH_SHOWN + 1];
    (void)snprintf(link, sizeof(link), "/proc/%u/fd/%d", q->notif->pid, fd);
    ssize_t n = readlink(link, path, RB_PATH_SHOWN);
    path[n > 0 ? n : 0] = '\0';
    rb_question_describe(q, " %s", n > 0 ? path : "?");
}

void rb_question_describe_path(struct rb_question *q, unsigned arg)
{
    char path[PATH_MAX];
    if (q->notif->data.args[arg] == 0) {
        describe_descriptor(q, rb_question_int(q, 0)); /* utimensat(fd, NULL, …) */
    } else if (rb_question_path(q, arg, path)) {
        rb_question_describe(q, " %.*s", RB_PATH_SHOWN, path);
    } else {
        rb_question_describe(q, " ?");
    }
}

void rb_question_refuse_listed(struct rb_question *q)
{
    const struct refused_call unknown = {q->notif->data.nr, ENOSYS, NAME, 0}, *call = &unknown;
    for (size_t i = 0; i < sizeof(refused_calls) / sizeof(*refused_calls); i++) {
        if (refused_calls[i].nr == q->notif->data.nr) {
            call = &refused_calls[i];
        }
    }
    rb_question_refuse(q, call->errnum);
    switch (call->shape) {
    case NAME:
        rb_question_describe(q, "%s", "");
        break;
    case NUMBER:
        rb_question_describe(q, " %d", rb_question_int(q, call->arg));
        break;
    case FLAGS:
        rb_question_describe(q, " 0x%x", (unsigned)rb_question_int(q, call->arg));
        break;
    case DESCRIPTOR:
        describe_descriptor(q, rb_question_int(q, call->arg));
        break;
    case PATH:
        rb_question_describe_path(q, call->arg);
        break;
    }
}
