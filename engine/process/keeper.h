/* One small process per command or read-only child at a time: it is the reaper of
 * all that descends from it, answers the filter's questions, and is done only when
 * nothing is left that must not stay. With nobody left below it, it serves the next
 * one: half of what a command costs is a fork. */
#ifndef RB_PROCESS_KEEPER_H
#define RB_PROCESS_KEEPER_H

#include <sys/resource.h>

#include "process/task.h"
#include "process/wire.h"

struct rb_keeper_work {
    const struct rb_entry *entries;
    struct rlimit files;  /* as the host had it */
    int fds[RB_WIRE_FDS]; /* of the first START, or only its ctl, through which the next ones come */
};

/* In a process of its own. Ends with the host. */
_Noreturn void rb_keeper_main(struct rb_keeper_work *work);
/* Exit code, or 128 + signal. */
int rb_keeper_status(int wait_status);

#endif
