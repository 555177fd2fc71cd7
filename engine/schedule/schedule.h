/* The schedules of runbooks: what a schedule block says, made ready to be asked when it fires. */
#ifndef RB_SCHEDULE_SCHEDULE_H
#define RB_SCHEDULE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "base/hash.h"
#include "when/cron.h"
#include "when/hours.h"

struct rb_schedule {
    char *name;             /* "liqpass/log-maintenance/nightly" */
    char *runbook;          /* "liqpass/log-maintenance" */
    char spec[RB_HEX_SIZE]; /* of all that decides when it fires: another spec is another schedule */
    json_t *fields;         /* of the block, with the operator's overrides */
    struct rb_cron cron;
    int64_t every;          /* seconds; 0 = by cron */
    int64_t jitter, within; /* seconds; within 0 = until the next firing */
    bool queue, once, fix;
    struct rb_hours *window, *blackout;
    size_t window_count, blackout_count;
    struct rb_err problem; /* why it cannot fire; code 0 = it can */
};

struct rb_schedules {
    struct rb_schedule *list; /* by name */
    size_t count;
    struct rb_zones *zones;
};

/* All schedules of the runbooks in loaded (rb_catalog_load). config: what config.lua says
 * (NULL = nothing): schedule blocks lie over those of the same full name. Those of runbooks that came with the program
 * exist only where config has a profile of their system, or names a schedule of that runbook. */
struct rb_schedules *rb_schedules_new(const json_t *loaded, const json_t *config);
void rb_schedules_free(struct rb_schedules *schedules);
/* By full name; NULL with RB_ENOT_FOUND and the likely one. */
const struct rb_schedule *rb_schedules_find(const struct rb_schedules *all, const char *name, struct rb_err *err);
/* NULL when the zone cannot be read just now. */
const struct rb_zone *rb_schedule_zone(const struct rb_schedules *all, const struct rb_schedule *s, struct rb_err *err);

/* The first nominal firing after an instant; RB_NEVER. */
int64_t rb_schedule_next(const struct rb_schedule *s, const struct rb_zone *zone, int64_t after, enum rb_local *how);
/* By how much this firing is put off: the same on every service of this host, different between hosts. */
int64_t rb_schedule_delay(const struct rb_schedule *s, int64_t at);
/* May something start at this instant? NULL, or "window" or "blackout". */
const char *rb_schedule_closed(const struct rb_schedule *s, const struct rb_zone *zone, int64_t at);

#endif
