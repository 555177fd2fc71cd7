/* The last steps of a forked process before it is a command or an entry. */
#ifndef RB_PROCESS_BECOME_H
#define RB_PROCESS_BECOME_H

#include <stdbool.h>
#include <sys/resource.h>

#include "process/task.h"

struct rb_become {
    const struct rb_entry *entries;
    const struct rb_task *task;
    struct rlimit files; /* as the host had it */
    int link;            /* to the keeper: failures, the listener; -1 without keeper */
    int gate;            /* the word to go on comes through it; -1: it is given already */
    int out, err, in;    /* of a command, -1: /dev/null; out of an entry: its socket */
    pid_t parent;
};

/* Never returns. A failure is told over link. */
_Noreturn void rb_become(struct rb_become *b);
/* Whatever the host was started with: none ignored, none caught. */
void rb_become_reset_signals(void);
/* For the spawner, which must outlive a terminal and a service manager that signals everybody … */
void rb_become_ignore_signals(void);
/* … and what it starts, which is a program like any other. */
void rb_become_heed_signals(void);

#endif
