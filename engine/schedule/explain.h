/* Every firing of a schedule in a span of time, and why: what was decided, and what will be. */
#ifndef RB_SCHEDULE_EXPLAIN_H
#define RB_SCHEDULE_EXPLAIN_H

#include "schedule/schedule.h"
#include "schedule/store.h"

#define RB_EXPLAIN_MAX 100000

/* Appends {schedule, at, local, state, reason, run, result, started, ended} to list, times as text. state:
 * those of the store, and "planned" (will run), "closed" (will not, see reason), "overdue" (no service
 * decided it yet), "unknown" (before the schedule was known). store may be NULL. */
int rb_schedule_explain(json_t *list, const struct rb_schedules *all, const struct rb_schedule *s,
                        struct rb_store *store, const int64_t span[2], int64_t now, struct rb_err *err);
/* {name, runbook, cron, every, tz, mode, state, next, last, paused, problem}; state: on, paused, tripped,
 * broken. */
json_t *rb_schedule_describe(const struct rb_schedules *all, const struct rb_schedule *s, struct rb_store *store,
                             int64_t now);

#endif
