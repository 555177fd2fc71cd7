/* What the spawner process does all its life. */
#ifndef RB_PROCESS_SPAWN_LOOP_H
#define RB_PROCESS_SPAWN_LOOP_H

#include <stddef.h>

#include "process/spawner.h"

/* In the forked process; control: the socket to the host. Never returns. */
_Noreturn void rb_spawn_loop(int control, const struct rb_entry *entries, size_t count);

#endif
