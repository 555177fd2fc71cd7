/* Time zones from the system's own tzdata (TZif, RFC 8536), read without touching this process's TZ. */
#ifndef RB_WHEN_ZONE_H
#define RB_WHEN_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rb_zone;
struct rb_zones;

/* Between two changes the offset stays. end is not part of it. */
struct rb_span {
    int64_t start, end; /* seconds UTC; INT64_MIN and INT64_MAX where there is none */
    int32_t offset;     /* seconds east of UTC */
};

/* The zones in use. A file that changed on the disk is read again by the next rb_zones_get. */
struct rb_zones *rb_zones_new(void);
void rb_zones_free(struct rb_zones *zones);
/* name: "Asia/Shanghai"; NULL or "" is the machine's ($TZ, else /etc/localtime). Borrowed, valid until the
 * zone's file changes and it is asked for again; NULL with RB_EUSAGE and the likely name. */
const struct rb_zone *rb_zones_get(struct rb_zones *zones, const char *name, struct rb_err *err);
/* Does a zone of that name exist? Without reading it. */
int rb_zone_known(const char *name, struct rb_err *err);

/* The name it was asked for by; of the machine's zone where its link leads, else "local". */
const char *rb_zone_name(const struct rb_zone *zone);
/* The span around an instant. */
void rb_zone_span(const struct rb_zone *zone, int64_t utc, struct rb_span *span);
/* The first instant at which clocks there show local (seconds as if it were UTC); when they never do, the end
 * of the gap it falls into. *how: RB_LOCAL_*. */
enum rb_local { RB_LOCAL_ONCE, RB_LOCAL_GAP, RB_LOCAL_TWICE };
int64_t rb_zone_first(const struct rb_zone *zone, int64_t local, enum rb_local *how);

/* tzif.c: one file's bytes. RB_ECORRUPT with what is wrong with them. */
int rb_zone_parse(struct rb_zone **out, const void *data, size_t len, struct rb_err *err);
void rb_zone_free(struct rb_zone *zone);

#endif
