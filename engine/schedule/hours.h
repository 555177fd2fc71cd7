/* Windows and blackouts. Private to engine/schedule. */
#ifndef RB_SCHEDULE_HOURS_H
#define RB_SCHEDULE_HOURS_H

#include "schedule/schedule.h"

/* value: one map, a list of them, or NULL. { from = "22:00", to = "06:00", days = "mon-fri" } or
 * { from = "2026-12-24", to = "2026-12-27" }. */
int rb_hours_read(struct rb_hours **out, size_t *count, const json_t *value, const struct rb_zone *zone,
                  struct rb_err *err);
bool rb_hours_contain(const struct rb_hours *hours, size_t count, const struct rb_zone *zone, int64_t at);

#endif
