#include "system/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "system/process_info.h"

#define KILL_WAIT 5.0 /* seconds; a process that outlives SIGKILL this long hangs in the kernel */
#define ANCESTORS_MAX 64

/* Not the worker this runs in, not the host above it, nor the shell or service above that. */
static bool is_own(pid_t pid)
{
    pid_t at = getpid();
    struct rb_proc proc;

    for (int i = 0; i < ANCESTORS_MAX && at > 0; i++) {
        if (at == pid) {
            return true;
        }
        at = rb_proc_read(at, &proc) == 0 ? proc.ppid : 0;
    }
    return false;
}

static int gone(struct rb_err *err, pid_t pid)
{
    return rb_err_set(err, RB_ENOT_RUNNING, RB_T_bindings_stop_gone, (int)pid);
}

/* May this process be touched, and is it still the one that was meant? */
static int check(const json_t *args, struct rb_proc *proc, struct rb_err *err)
{
    const json_t *started = json_object_get(args, "started");
    json_int_t pid = rb_json_int(args, "pid", 0);

    if (pid <= 0 || pid > 1 << 30) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_pid, (int)pid);
    }
    if (!json_is_integer(started)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_stop_started);
    }
    if (pid == 1) {
        return rb_err_set(err, RB_EDENIED, RB_T_bindings_stop_init);
    }
    if (rb_proc_read((pid_t)pid, proc) != 0) {
        return gone(err, (pid_t)pid);
    }
    if (proc->started != (uint64_t)json_integer_value(started)) {
        return rb_err_set(err, RB_ENOT_RUNNING, RB_T_bindings_stop_another, (int)pid);
    }
    if (proc->kernel) {
        return rb_err_set(err, RB_EDENIED, RB_T_bindings_stop_kernel, (int)pid, proc->comm);
    }
    if (is_own((pid_t)pid)) {
        return rb_err_set(err, RB_EDENIED, RB_T_bindings_stop_own, (int)pid, proc->comm);
    }
    return proc->state == 'Z' ? gone(err, (pid_t)pid) : 0;
}

/* The pidfd is taken first: what is checked afterwards stays the same process for as long as it is held. */
static int open_process(const json_t *args, struct rb_proc *proc, struct rb_err *err)
{
    pid_t pid = (pid_t)rb_json_int(args, "pid", 0);
    int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    int failed = errno, rc = check(args, proc, err);

    if (rc == 0 && fd < 0) {
        rc = failed == ESRCH ? gone(err, pid) : rb_err_errno(err, failed, "pidfd_open");
    }
    if (rc != 0 && fd >= 0) {
        close(fd);
    }
    return rc != 0 ? rc : fd;
}

static int send_signal(int fd, int number, const struct rb_proc *proc, struct rb_err *err)
{
    if (syscall(SYS_pidfd_send_signal, fd, number, NULL, 0) == 0 || errno == ESRCH) {
        return 0;
    }
    return rb_err_errno(err, errno, "kill %d (%s)", (int)proc->pid, proc->comm);
}

/* A pidfd is readable once every thread has ended, whether or not the parent has collected it. */
static bool wait_end(int fd, double seconds)
{
    struct pollfd end = {.fd = fd, .events = POLLIN};
    int64_t until = rb_clock_mono_ns() + (int64_t)(seconds * 1e9), left;

    do {
        left = (until - rb_clock_mono_ns()) / 1000000;
        if (poll(&end, 1, left > 0 ? (int)left : 0) > 0) {
            return true;
        }
    } while (left > 0);
    return false;
}

static int end_process(int fd, const struct rb_proc *proc, double grace, const char **how, struct rb_err *err)
{
    struct rb_proc now;
    int rc = 0;

    *how = "term";
    if (grace > 0) {
        rc = send_signal(fd, SIGTERM, proc, err);
        rc = rc == 0 ? send_signal(fd, SIGCONT, proc, err) : rc; /* a stopped process does not see SIGTERM */
        if (rc != 0 || wait_end(fd, grace)) {
            return rc;
        }
    }
    *how = "kill";
    rc = send_signal(fd, SIGKILL, proc, err);
    if (rc != 0 || wait_end(fd, KILL_WAIT)) {
        return rc;
    }
    return rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_stop_survived, (int)proc->pid, proc->comm, KILL_WAIT,
                      rb_proc_read(proc->pid, &now) == 0 ? now.state : '?');
}

static json_t *ended(const char *how, int64_t since)
{
    return json_pack("{s:s, s:I}", "ended", how, "ms", (json_int_t)((rb_clock_mono_ns() - since) / 1000000));
}

json_t *rb_stop(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    double grace = rb_bind_real(args, "grace", 10);
    int64_t since = rb_clock_mono_ns();
    struct rb_err why = {0};
    struct rb_proc proc = {0};
    const char *how = NULL;
    int fd, rc;

    if (grace < 0 || grace + KILL_WAIT + 1 > rb_work_left(work)) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_stop_grace);
        return NULL;
    }
    fd = open_process(args, &proc, &why);
    if (fd < 0) {
        /* Gone is what was wanted; another process under its number is not. */
        bool absent = why.code == RB_ENOT_RUNNING && (proc.state == '\0' || proc.state == 'Z');
        if (!absent && err) {
            *err = why;
        }
        return absent ? ended("gone", since) : NULL;
    }
    rc = end_process(fd, &proc, grace, &how, err);
    close(fd);
    return rc == 0 ? ended(how, since) : NULL;
}

static int signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } names[] = {{"TERM", SIGTERM}, {"KILL", SIGKILL}, {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT},
                 {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"WINCH", SIGWINCH}};

    name += strncmp(name, "SIG", 3) == 0 ? 3 : 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].number;
        }
    }
    return 0;
}

json_t *rb_stop_signal(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *name = rb_json_str(args, "signal", "");
    int number = signal_number(name), fd, rc;
    struct rb_proc proc;

    (void)work;
    if (number == 0) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_signal_name, name);
        return NULL;
    }
    fd = open_process(args, &proc, err);
    if (fd < 0) {
        return NULL;
    }
    rc = send_signal(fd, number, &proc, err);
    close(fd);
    return rc == 0 ? json_true() : NULL;
}
