/* Windows and blackouts, of schedules and of policies. */
#ifndef RB_WHEN_HOURS_H
#define RB_WHEN_HOURS_H

#include <stdbool.h>

#include <jansson.h>

#include "when/zone.h"

/* Part of a day on some days of the week, or from one date to another. */
struct rb_hours {
    bool dates;
    int64_t from, to;  /* seconds since local midnight, to < from goes past midnight; or seconds UTC */
    uint64_t weekdays; /* of the day it begins on; Sunday is bit 0 */
};

/* value: one map, a list of them, or NULL. { from = "22:00", to = "06:00", days = "mon-fri" } or
 * { from = "2026-12-24", to = "2026-12-27" }. */
int rb_hours_read(struct rb_hours **out, size_t *count, const json_t *value, const struct rb_zone *zone,
                  struct rb_err *err);
bool rb_hours_contain(const struct rb_hours *hours, size_t count, const struct rb_zone *zone, int64_t at);
/* The same of an instant (seconds UTC) in the machine's zone; RB_EUSAGE when value is no span. */
int rb_hours_inside(const json_t *value, int64_t at, bool *inside, struct rb_err *err);

#endif
