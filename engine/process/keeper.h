/* One small process per command or read-only child: it is the reaper of all
 * that descends from it, answers the filter's questions, and leaves only when
 * nothing is left that must not stay. */
#ifndef RB_PROCESS_KEEPER_H
#define RB_PROCESS_KEEPER_H

#include <sys/resource.h>

#include "process/task.h"
#include "process/wire.h"

/* In a process of its own. fds: those of a START, count of them. Never returns. */
_Noreturn void rb_keeper_main(const struct rb_entry *entries, const struct rb_task *task,
                              const struct rlimit *files, const int *fds, size_t count);
/* Exit code, or 128 + signal. */
int rb_keeper_status(int wait_status);

#endif
