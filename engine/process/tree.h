/* The processes below one of ours, found in /proc. */
#ifndef RB_PROCESS_TREE_H
#define RB_PROCESS_TREE_H

#include <stdbool.h>
#include <sys/types.h>

/* Signals every process below root (not root itself). Each is pinned by a pidfd and its
 * process group read again first: a stranger that got the number meanwhile is in another. Returns how many.
 */
int rb_tree_signal(pid_t root, int sig);
/* Is this process or thread below root? */
bool rb_tree_has(pid_t root, pid_t pid);
/* Are all members of the process group below root (and is there one)? */
bool rb_tree_has_group(pid_t root, pid_t group);

#endif
