/* Places where tests end the process, to see what a run makes of it. Built only with RUNBOOK_CRASH_POINTS: elsewhere
 * a point is nothing at all. Environment of the process that is to die:
 *
 *   RUNBOOK_CRASH_LOG=FILE     one line a point, so that a first run tells how many there are
 *   RUNBOOK_CRASH_AT=N         SIGKILL at the N-th, from 1
 *   RUNBOOK_CRASH_LOSE=1       as if power failed: what was written to the journal and not synced is gone
 *   RUNBOOK_CRASH_WHO=NAME     not this process but its spawner, runner or worker
 *   RUNBOOK_CRASH_IO=N or N+   the N-th write or sync of the journal fails: once, or for ever */
#ifndef RB_BASE_CRASH_H
#define RB_BASE_CRASH_H

#ifdef RUNBOOK_CRASH_POINTS
#include <stdbool.h>

void rb_crash_point(const char *name);
/* What is done before a death with RUNBOOK_CRASH_LOSE. */
void rb_crash_before(void (*lose)(void));
/* Is it this operation's turn to fail? */
bool rb_crash_io(void);
#define RB_CRASH_POINT(name) rb_crash_point(name)
#else
#define RB_CRASH_POINT(name) ((void)0)
#endif

#endif
