/* The seccomp filter of a read-only child, as BPF: what only looks is allowed, all else is
 * asked (SECCOMP_RET_USER_NOTIF), and the keeper answers (refusal.h). */
#ifndef RB_PROCESS_FILTER_H
#define RB_PROCESS_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

#define RB_FILTER_MAX 1024

struct rb_filter {
    struct sock_filter code[RB_FILTER_MAX];
    unsigned short len; /* RB_FILTER_MAX: too long, not to be used */
};

void rb_filter_build(struct rb_filter *filter, bool net);

#endif
