/* How the runner gives up its rights. What is left: its own memory, one socket, the clock.
 * Order matters: each step needs rights that a later one takes away. */
#include "runner/internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CPU_SECONDS 300
#define SLACK ((size_t)64 << 20) /* code, stacks, frames outside the counted heap */

static const int plain_calls[] = {
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
#ifdef RUNBOOK_SANITIZED
    /* The sanitizers' own needs when they report. */
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(getrusage),
    SCMP_SYS(close),
#endif
};

#ifdef RUNBOOK_SANITIZED
#define OTHERWISE SCMP_ACT_ERRNO(EPERM)
#else
#define OTHERWISE SCMP_ACT_KILL_PROCESS
#endif

static int allow_plain(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < sizeof plain_calls / sizeof plain_calls[0]; i++) {
        int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain_calls[i], 0);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Calls that are allowed for one value of an argument only. */
static int allow_narrow(scmp_filter_ctx filter, int fd)
{
    struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)fd);
    struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, own);
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, own);
    }
    if (rc == 0) { /* abort() */
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, self);
    }
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec);
    }
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec);
    }
#ifdef RUNBOOK_SANITIZED
    struct scmp_arg_cmp report = SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO);
    if (rc == 0) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, report);
    }
#endif
    return rc;
}

static int filter_calls(int fd)
{
    scmp_filter_ctx filter = seccomp_init(OTHERWISE);
    if (!filter) {
        return -1;
    }
    int rc = allow_plain(filter);
    if (rc == 0) {
        rc = allow_narrow(filter, fd);
    }
    if (rc == 0) {
        rc = seccomp_load(filter); /* sets no_new_privs */
    }
    seccomp_release(filter);
    return rc == 0 ? 0 : -1;
}

static int close_span(unsigned first, unsigned last)
{
    return first > last ? 0 : (int)syscall(SYS_close_range, first, last, 0);
}

/* Every descriptor but fd. A sanitizer needs somewhere to report. */
static int close_others(int fd)
{
    unsigned own = (unsigned)fd, first = 0;
#ifdef RUNBOOK_SANITIZED
    if (own > STDERR_FILENO) {
        first = STDERR_FILENO + 1;
        if (close_span(0, STDERR_FILENO - 1) != 0) {
            return -1;
        }
    }
#endif
    if (own > first && close_span(first, own - 1) != 0) {
        return -1;
    }
    return close_span(own + 1, ~0U);
}

static int limit(int what, rlim_t soft)
{
    struct rlimit limits = {soft, soft};
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)what, &now) != 0) {
        return -1;
    }
    if (now.rlim_max < soft) {
        limits.rlim_cur = limits.rlim_max = now.rlim_max;
    }
    return setrlimit((__rlimit_resource_t)what, &limits);
}

#ifndef RUNBOOK_SANITIZED
/* The address space that exists already (a forked runner shares its parent's) plus what may grow. */
static rlim_t address_space(size_t memory)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%lu", &pages) != 1) {
        pages = SLACK / 4096;
    }
    if (f) {
        (void)fclose(f); /* read only */
    }
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + memory + SLACK;
}
#endif

static int limit_all(size_t memory)
{
    int rc = limit(RLIMIT_CPU, CPU_SECONDS);
    rc |= limit(RLIMIT_NPROC, 0);
    rc |= limit(RLIMIT_FSIZE, 0);
    rc |= limit(RLIMIT_CORE, 0);
#ifdef RUNBOOK_SANITIZED
    (void)memory; /* a sanitizer's shadow is larger than any cap, and it opens /proc files */
#else
    rc |= limit(RLIMIT_AS, address_space(memory));
    rc |= limit(RLIMIT_NOFILE, 1); /* poll() refuses more entries than this */
#endif
    return rc;
}

/* Root's capabilities would be useless behind the filter; none is better than useless. */
static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    memset(none, 0, sizeof none);
    return syscall(SYS_capset, &header, none) == 0 ? 0 : -1;
}

/* What a terminal sends is the host's to answer; the spawner left all others as a new program has them. */
static void ignore_terminal(void)
{
    static const int sent[] = {SIGINT, SIGQUIT, SIGHUP, SIGTSTP};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        (void)sigaction(sent[i], &ignore, NULL);
    }
}

int rb_sandbox_enter(int fd, size_t memory)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0) != 0) {
        return -1;
    }
    ignore_terminal();
    if (limit_all(memory) != 0 || close_others(fd) != 0 || drop_capabilities() != 0) {
        return -1;
    }
    return filter_calls(fd);
}
