/* What must be on disk before something goes on. Whatever waits for that at the end of one turn of the loop, of all
 * runs of the process, gets there by one commit: a sync costs more than all the work between two of them. */
#ifndef RB_RUN_TURN_H
#define RB_RUN_TURN_H

#include <stdbool.h>

#include <uv.h>

#include "base/err.h"

struct rb_run;

struct rb_turn *rb_turn_new(uv_loop_t *loop);
/* When no run is left. */
void rb_turn_free(struct rb_turn *turn);

/* error: NULL when it is on disk. */
typedef void rb_turn_fn(void *user, const struct rb_err *error);

/* Calls go_on when what the run recorded so far is on disk and was shown, or could not be written: soon, never inside
 * this call, and in the order of asking. The run lives until then. */
void rb_turn_wait(struct rb_run *run, rb_turn_fn *go_on, void *user);
/* The same once the newest event is sealed, too, or its report says why not: the last of a run. What waits without a
 * seal goes first. */
void rb_turn_wait_sealed(struct rb_run *run, rb_turn_fn *go_on, void *user);

#endif
