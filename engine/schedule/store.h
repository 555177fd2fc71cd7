/* What was decided about each firing: one small SQLite file beside the journal, shared by every service and
 * terminal of this host. A firing has one row or none (schedule, at), whoever asks and however often.
 *
 * All decisions of one moment are one transaction: rb_store_begin … rb_store_commit. */
#ifndef RB_SCHEDULE_STORE_H
#define RB_SCHEDULE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"

struct rb_store;

#define RB_PAUSED_FOREVER INT64_MAX

/* Where a schedule stands. */
struct rb_mark {
    int64_t since;   /* known from then on */
    int64_t checked; /* every firing up to here is decided */
    int64_t paused;  /* until then; 0 = not paused */
    bool tripped;    /* the circuit breaker is open */
};

/* <folder>/schedule.db; write: created when missing, else a missing file is RB_ENOT_FOUND. */
int rb_store_open(struct rb_store **out, const char *folder, bool write, struct rb_err *err);
void rb_store_close(struct rb_store *store);

int rb_store_begin(struct rb_store *store, struct rb_err *err);
int rb_store_commit(struct rb_store *store, struct rb_err *err);
void rb_store_rollback(struct rb_store *store);

/* A schedule that is new, or whose spec is another one, is known from now on. RB_ENOT_FOUND only for a
 * reader. */
int rb_store_mark(struct rb_store *store, const char *name, const char *spec, int64_t now, struct rb_mark *mark,
                  struct rb_err *err);
int rb_store_checked(struct rb_store *store, const char *name, int64_t checked, struct rb_err *err);
/* until 0 ends the pause. */
int rb_store_pause(struct rb_store *store, const char *name, int64_t until, const char *reason, struct rb_err *err);
int rb_store_trip(struct rb_store *store, const char *name, bool tripped, const char *reason, struct rb_err *err);
/* {"paused_reason", "tripped_reason"} as far as there are any. New reference. */
json_t *rb_store_words(struct rb_store *store, const char *name);

struct rb_firing {
    const char *schedule;
    int64_t at;
    const char *state;  /* due, queued, running, ended, missed, skipped */
    const char *reason; /* down, late, paused, window, blackout, overlap, tripped, gap, first, …, or NULL */
    const char *run;    /* id, or NULL */
    int acted;          /* repairs it made */
};

/* 1: the row is ours; 0: that firing was decided before. */
int rb_store_add(struct rb_store *store, const struct rb_firing *firing, struct rb_err *err);
/* due or queued -> running, by this process. 0, or RB_EBUSY when another one was faster. */
int rb_store_start(struct rb_store *store, const struct rb_firing *firing, int64_t now, struct rb_err *err);
int rb_store_end(struct rb_store *store, const struct rb_firing *firing, const char *result, int64_t now,
                 struct rb_err *err);
/* How many of the newest firings that ended repaired something, at most limit and without a gap; *since: the
 * first of them. Resetting the circuit breaker begins a new count. */
int rb_store_streak(struct rb_store *store, const char *name, int limit, int64_t *since);
/* Another state of a row that did not start, or whose process is gone. */
int rb_store_state(struct rb_store *store, const struct rb_firing *firing, struct rb_err *err);

/* What people hear of a schedule, as long as its trouble is not over: a restart neither repeats nor loses it.
 */
struct rb_trouble {
    int64_t last;      /* when it was seen last … */
    int64_t since;     /* … and when it first needed a person; 0 = never yet */
    int64_t told;      /* people were told then; 0 = not yet … */
    int64_t escalated; /* … and those to turn to, when nobody had decided in time */
    int times, rank;   /* how often it was seen; how bad it was when it was told */
    bool stands;       /* it needs a person now */
};

/* 1: there is trouble; 0: there is none. */
int rb_store_trouble(struct rb_store *store, const char *name, struct rb_trouble *out, struct rb_err *err);
/* last, times, since, stands. */
int rb_store_trouble_seen(struct rb_store *store, const char *name, const struct rb_trouble *trouble,
                          struct rb_err *err);
int rb_store_trouble_told(struct rb_store *store, const char *name, int rank, int64_t now, struct rb_err *err);
/* 1: it is over; 0: another service was faster. */
int rb_store_trouble_over(struct rb_store *store, const char *name, struct rb_err *err);
/* 1: it is ours to tell; 0: it was told. */
int rb_store_escalate(struct rb_store *store, const char *name, int64_t now, struct rb_err *err);
/* Rows {schedule, since, …} of what needs a person and was not escalated. */
json_t *rb_store_troubles(struct rb_store *store, struct rb_err *err);

/* Rows as objects {schedule, at, state, reason, run, started, ended, result, owner}, oldest first; times in
 * seconds. */
json_t *rb_store_firings(struct rb_store *store, const char *name, int64_t from, int64_t to, struct rb_err *err);
/* Rows that are due, queued or running; name NULL = of all. */
json_t *rb_store_open_firings(struct rb_store *store, const char *name, struct rb_err *err);
/* The newest row that ran, or NULL. */
json_t *rb_store_last(struct rb_store *store, const char *name);
/* Rows that ended before an instant go. */
int rb_store_prune(struct rb_store *store, int64_t before, struct rb_err *err);
/* Is the process that wrote this owner still there? */
bool rb_store_owner_lives(const char *owner);

#endif
