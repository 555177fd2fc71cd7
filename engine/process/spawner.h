/* Child processes. main forks the spawner before anything is opened; only the
 * spawner forks from then on. It holds a command on a pipe until its intent is
 * recorded, runs read-only commands where the kernel refuses every write, and
 * kills every unfinished descendant when the host is gone. */
#ifndef RB_PROCESS_SPAWNER_H
#define RB_PROCESS_SPAWNER_H

#include <stddef.h>
#include <uv.h>

#include "base/err.h"

struct rb_spawner;

/* What a forked process of this binary can become instead of executing a file:
 * it has one socketpair (fd) and talks in frames (base/frame.h). Returns its exit code. */
struct rb_entry {
    const char *name; /* "runner", "worker" */
    int (*main)(int fd);
};

/* Call first in main: no threads, no open files but 0-2. entries outlives the spawner. */
int rb_spawner_fork(struct rb_spawner **out, const struct rb_entry *entries, size_t count, struct rb_err *err);
/* From here on replies arrive on the loop. Call once, before the first child. */
int rb_spawner_attach(struct rb_spawner *sp, uv_loop_t *loop, struct rb_err *err);
/* An entry that may write, and then some command, will be started soon: they get ready meanwhile. */
void rb_spawner_foresee(struct rb_spawner *sp, const char *entry);
/* Kills unfinished children; daemons left behind by finished write commands live on. Runs the loop until its
 * handles are closed. */
void rb_spawner_close(struct rb_spawner *sp);

#endif
