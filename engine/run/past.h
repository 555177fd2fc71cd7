/* What the journal holds of one run: for resume, resolve, locks and replay. */
#ifndef RB_RUN_PAST_H
#define RB_RUN_PAST_H

#include "journal/journal.h"

struct rb_past {
    char run[RB_ID_MAX];
    json_t *events;  /* [{seq, utc, kind, body}…]; without what a later run.resumed put aside */
    json_t *started; /* of run.started, borrowed like the two below */
    json_t *ended;   /* of the run.ended that stands, NULL when it did not end */
    json_t *owner;   /* pid, started, boot of the process that had it last */
    json_t *open;    /* intents of writes of which nobody knows whether they happened */
    json_t *settled; /* {"CALL": done?} as a person said, and nobody went on since */
    int64_t started_us, last_us;
};

/* RB_ENOT_FOUND; RB_ECORRUPT when it has no readable beginning. */
int rb_past_read(struct rb_past *past, struct rb_journal *journal, const char *run, struct rb_err *err);
void rb_past_free(struct rb_past *past);
/* Does it hold its locks although nobody executes it: a write may have happened, and nobody said. */
bool rb_past_unknown(const struct rb_past *past);
/* Is the process that had it last still there? */
bool rb_past_running(const struct rb_past *past);
/* What it did last: "fix stop-process", "check lock". Of the id and kind of its newest block; "" = none. */
void rb_past_step(const struct rb_past *past, char *out, size_t size);
/* How far the record counts for going on; what follows happens anew. RB_EUSAGE when that cannot be. */
struct rb_cut {
    int64_t after; /* a seq */
    bool beside;   /* what went on in other tasks of the same block counts, too */
};
int rb_past_cut(const struct rb_past *past, struct rb_cut *cut, struct rb_err *err);
void rb_past_forget(struct rb_past *past, const struct rb_cut *cut);

#endif
