/* Cron expressions, and when they fire in a time zone. */
#ifndef RB_WHEN_CRON_H
#define RB_WHEN_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "when/zone.h"

struct rb_cron {
    uint64_t minutes, hours, days, months, weekdays; /* a bit a value; Sunday is 0 */
    bool either;   /* both days are restricted: one of them is enough, as in every cron since Vixie's */
    bool any_hour; /* the hours begin with "*": real time is followed, not the clock on the wall */
};

/* "20 3 * * mon-fri", "@daily". RB_EUSAGE says which field is wrong and what is allowed there. */
int rb_cron_parse(struct rb_cron *cron, const char *text, struct rb_err *err);

#define RB_NEVER INT64_MAX
/* The first firing after an instant, seconds UTC; RB_NEVER when there is none within a century.
 * A fixed hour fires once: in a gap of the clock at the first instant after it, in a repeated hour the first
 * time. With "*" hours every instant fires whose local time matches. *how says which rule was applied. */
int64_t rb_cron_next(const struct rb_cron *cron, const struct rb_zone *zone, int64_t after, enum rb_local *how);

#endif
