/* An earlier life of a run: its calls are answered from the journal, in the journal's order. */
#ifndef RB_RUN_REPLAY_H
#define RB_RUN_REPLAY_H

#include <stdbool.h>

#include <jansson.h>

struct rb_call;
struct rb_past;
struct rb_replay;
struct rb_run;

/* only: nothing ever goes live; the run ends where the record does. Takes what it needs of past. */
struct rb_replay *rb_replay_new(const struct rb_past *past, bool only);
void rb_replay_free(struct rb_replay *replay);

/* An event that the earlier life recorded already? Another one in its place is a divergence, and ends the run. */
bool rb_replay_has(struct rb_run *run, const char *kind, const json_t *body);
/* A question of the runner that only the past or the present can answer: true when it waits for its turn,
 * then it is served again, with run->recorded set while it comes from the past. */
bool rb_replay_holds_frame(struct rb_run *run, const json_t *frame);
/* The same for a call that passed the gate. Later it gets its outcome, or rb_call_go. */
bool rb_replay_holds_call(struct rb_run *run, struct rb_call *call);
/* Gives the answers whose turn it is. */
void rb_replay_pump(struct rb_run *run);
/* Is everything answered that was recorded? */
bool rb_replay_over(const struct rb_replay *replay);
/* The number the call had, 0 when it is new. */
json_int_t rb_replay_number(const struct rb_run *run);

#endif
