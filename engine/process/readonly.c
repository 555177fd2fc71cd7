#include "process/readonly.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "process/filter.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* Reading anything and seeing other processes' open files is what is left to root. */
static int drop_capabilities(void)
{
    const uint32_t keep = 1u << CAP_DAC_READ_SEARCH | 1u << CAP_SYS_PTRACE;
    for (unsigned cap = 0; cap < 64; cap++) {
        if ((cap >= 32 || !(keep & 1u << cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
            break; /* EINVAL: past the last one; EPERM: not root, no_new_privs is enough */
        }
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
        return -errno;
    }
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) != 0) {
        return -errno;
    }
    data[0].permitted &= keep;
    data[0].effective = data[0].permitted;
    data[1].permitted = data[1].effective = 0;
    data[0].inheritable = data[1].inheritable = 0;
    return syscall(SYS_capset, &head, data) == 0 ? 0 : -errno;
}

int rb_readonly_apply(bool net, int *listener)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -errno;
    }
    int rc = drop_capabilities();
    if (rc != 0) {
        return rc;
    }
    struct rb_filter filter;
    rb_filter_build(&filter, net);
    if (filter.len >= RB_FILTER_MAX) {
        return -E2BIG;
    }
    struct sock_fprog prog = {.len = filter.len, .filter = filter.code};
    /* WAIT_KILLABLE: a signal does not interrupt a question, so nothing is asked twice (5.19) */
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    *listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
    if (*listener < 0 && errno == EINVAL) {
        *listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
    }
    return *listener < 0 ? -errno : 0;
}
