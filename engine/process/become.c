#include "process/become.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/readonly.h"
#include "process/wire.h"

extern char **environ;

#define STATUS_CANNOT 127 /* nobody sees it: the failure is told over the link */

void rb_become_reset_signals(void)
{
    const struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < NSIG; sig++) {
        (void)sigaction(sig, &dfl, NULL); /* KILL, STOP and glibc's own refuse, rightly */
    }
}

/* Of the spawner; all others have been reset there, once for everything it starts. */
static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2};

static void handle_ignored(void (*handler)(int))
{
    const struct sigaction action = {.sa_handler = handler};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++) {
        (void)sigaction(ignored[i], &action, NULL);
    }
}

void rb_become_ignore_signals(void)
{
    handle_ignored(SIG_IGN);
}

void rb_become_heed_signals(void)
{
    handle_ignored(SIG_DFL);
}

static void unblock_signals(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void give_up(const struct rb_become *b, enum rb_stage stage, int errnum)
{
    struct rb_wire msg = {.kind = RB_WIRE_FAILED, .stage = (int)stage, .value = errnum};
    int link = b->link;
    (void)snprintf(msg.text, sizeof(msg.text), "%s", stage == RB_STAGE_LOG ? b->task->log : b->task->cwd);
    if (link >= 0) {
        (void)rb_wire_send(link, &msg, NULL, 0, 0); /* no keeper: then nobody wants to know */
    }
    _exit(STATUS_CANNOT);
}

/* What the caller asked for; never more than there was. */
static bool limit_further(const struct rb_child_limits *l)
{
    const struct {
        int what;
        unsigned long long most;
    } wanted[] = {{RLIMIT_CPU, l->cpu},
                  {RLIMIT_AS, l->memory},
                  {RLIMIT_NOFILE, l->files},
                  {RLIMIT_NPROC, l->processes},
                  {RLIMIT_FSIZE, l->file_size}};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        struct rlimit now, then = {wanted[i].most, wanted[i].most};
        if (wanted[i].most == 0) {
            continue;
        }
        if (getrlimit((__rlimit_resource_t)wanted[i].what, &now) != 0 ||
            (then.rlim_max <= now.rlim_max && setrlimit((__rlimit_resource_t)wanted[i].what, &then) != 0)) {
            return false;
        }
    }
    return true;
}

/* A lasting command must be able to outlive its keeper; until it is let go the keeper ends it. */
static bool limit(const struct rb_become *b)
{
    struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_NOFILE, &b->files) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 &&
           (b->task->lasting || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0) && getppid() == b->parent &&
           limit_further(&b->task->limits);
}

static int open_log(const struct rb_become *b)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    int fd = open(b->task->log, flags, 0640);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        give_up(b, RB_STAGE_LOG, fd < 0 ? errno : EINVAL);
    }
    (void)fcntl(fd, F_SETFL, O_APPEND); /* O_NONBLOCK was for what is no file */
    return fd;
}

/* The descriptors may be any numbers, 0 to 2 among them, so they go up first. */
static bool arrange(const struct rb_become *b)
{
    int from[3] = {b->in, b->out, b->err};
    for (int i = 0; i < 3; i++) {
        if (from[i] < 0) {
            from[i] = open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
        } else {
            from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
        }
        if (from[i] < 0) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(from[i], i) < 0) {
            return false;
        }
    }
    return !b->task->terminal || ioctl(0, TIOCSCTTY, 0) == 0;
}

/* Before the wait: the filter is in place when the word comes. */
static void make_readonly(const struct rb_become *b)
{
    struct rb_wire msg = {.kind = RB_WIRE_LISTENER};
    int listener = -1;
    if (b->task->access == RB_CHILD_WRITE) {
        return;
    }
    int rc = rb_readonly_apply(b->task->access == RB_CHILD_READ_NET, &listener);
    rc = rc ? rc : rb_wire_send(b->link, &msg, &listener, 1, 0);
    if (rc != 0) {
        give_up(b, RB_STAGE_READ_ONLY, -rc);
    }
    (void)close(listener);
}

static void wait_for_word(const struct rb_become *b)
{
    char word;
    ssize_t n = 1;
    while (b->gate >= 0 && (n = read(b->gate, &word, 1)) < 0 && errno == EINTR) {
    }
    if (n != 1) {
        _exit(STATUS_CANNOT); /* the host is gone: never run */
    }
}

static _Noreturn void become_command(struct rb_become *b)
{
    if (b->task->umask >= 0) {
        (void)umask((mode_t)b->task->umask);
    }
    if (b->task->log[0]) {
        b->out = b->err = open_log(b);
    }
    if (setsid() < 0 || !limit(b) || !arrange(b)) {
        give_up(b, RB_STAGE_SETUP, errno);
    }
    int keep[] = {b->link, b->gate};
    rb_wire_close_others(keep, 2);
    if (chdir(b->task->cwd) != 0) {
        give_up(b, RB_STAGE_CWD, errno);
    }
    make_readonly(b);
    wait_for_word(b);
    unblock_signals(); /* the keeper ignores none */
    environ = b->task->env;
    (void)execvp(b->task->argv[0], b->task->argv);
    give_up(b, RB_STAGE_EXEC, errno);
}

static _Noreturn void become_entry(const struct rb_become *b)
{
    const struct rb_entry *entry = &b->entries[b->task->entry];
    char name[16];
    (void)snprintf(name, sizeof(name), "runbook-%s", entry->name);
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
    int keep[] = {b->out, b->link};
    rb_wire_close_others(keep, 2);
    if (!limit(b) || chdir(b->task->cwd) != 0) {
        give_up(b, RB_STAGE_SETUP, errno);
    }
    environ = b->task->env;
    make_readonly(b);
    if (b->link >= 0) {
        (void)close(b->link);
    }
    rb_become_heed_signals();
    unblock_signals();
    _exit(entry->main(b->out) & 0xff);
}

_Noreturn void rb_become(struct rb_become *b)
{
    if (b->task->entry >= 0) {
        become_entry(b);
    }
    become_command(b);
}
