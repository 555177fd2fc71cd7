/* Instants as people write and read them, in a time zone. */
#ifndef RB_WHEN_MOMENT_H
#define RB_WHEN_MOMENT_H

#include <stdbool.h>

#include "base/clock.h"
#include "when/zone.h"

/* "2026-03-08T05:30:00Z", "2026-03-08 05:30+08:00", "2026-03-08 05:30" and "2026-03-08" in the zone, "now",
 * and
 * "+2h" from now. Seconds UTC. RB_EUSAGE says what is understood. */
int rb_moment_parse(const char *text, const struct rb_zone *zone, int64_t now, int64_t *utc, struct rb_err *err);
/* "2026-03-08T03:00:00-04:00" */
void rb_moment_format(int64_t utc, const struct rb_zone *zone, char out[RB_TIME_MAX]);
/* "2026-03-08 03:00:00", for people who know the zone. */
void rb_moment_local(int64_t utc, const struct rb_zone *zone, char out[RB_TIME_MAX]);

#endif
