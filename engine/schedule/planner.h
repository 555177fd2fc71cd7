/* Decides each firing, once: what is due now runs, or is recorded with the reason why it does not. It starts
 * nothing itself and asks no clock, so a week can be tried in a second. */
#ifndef RB_SCHEDULE_PLANNER_H
#define RB_SCHEDULE_PLANNER_H

#include "schedule/schedule.h"
#include "schedule/store.h"

struct rb_planner;

struct rb_planner_events {
    /* A firing to be run now; the row is "due" and ours. */
    void (*due)(void *user, const struct rb_schedule *s, int64_t at);
    /* A firing that was decided not to run (or, count > 1, that many up to at); committed. */
    void (*passed)(void *user, const struct rb_schedule *s, const struct rb_firing *firing, int64_t count);
};

/* schedules and store are borrowed. */
struct rb_planner *rb_planner_new(struct rb_schedules *schedules, struct rb_store *store,
                                  const struct rb_planner_events *events, void *user);
void rb_planner_free(struct rb_planner *planner);

/* Looks up where every schedule stands: at the start, after a reload, and when the clock was set. A clock set
 * back by less than three hours keeps quiet until it has caught up; by more, firings go on from now, and what
 * ran already does not run again. */
int rb_planner_look(struct rb_planner *planner, int64_t now, struct rb_err *err);
/* Takes over what a service that is gone left: what had not begun is decided anew, what had is ended
 * "interrupted". began: does the journal know this run? At the start, and now and then. */
int rb_planner_recover(struct rb_planner *planner, bool (*began)(void *user, const char *run), int64_t now,
                       struct rb_err *err);
/* Decides all that is due at now. *next: the next instant something will be due; RB_NEVER. After an error
 * nothing of this moment is decided; ask again later. */
int rb_planner_tick(struct rb_planner *planner, int64_t now, int64_t *next, struct rb_err *err);
/* A run of s ended: a firing that waited for it becomes due. */
int rb_planner_ended(struct rb_planner *planner, const struct rb_schedule *s, int64_t now, struct rb_err *err);

#endif
