/* What makes a child read-only: capabilities, no_new_privs, and a seccomp
 * filter that allows the calls that only look, refuses what changes anything,
 * and asks the keeper (refusal.h) where an argument decides.
 *
 * No Landlock: any Landlock domain hides the open files of other processes, and
 * then fuser, lsof and ss -p find nothing. */
#ifndef RB_PROCESS_READONLY_H
#define RB_PROCESS_READONLY_H

#include <stdbool.h>

/* In the child, single-threaded. 0 and *listener, the descriptor on which the
 * keeper is asked; or -errno, and then nothing may run. net: TCP and UDP allowed. */
int rb_readonly_apply(bool net, int *listener);

#endif
