/* What the files of a zone share. Nobody else includes it. */
#ifndef RB_WHEN_ZONE_PRIVATE_H
#define RB_WHEN_ZONE_PRIVATE_H

#include <stdbool.h>

#include "when/zone.h"

#define OFFSET_MAX 93599 /* 25:59:59, the most RFC 8536 allows */
#define ZONE_NAME_MAX 128

/* One change of the year in a footer: "M3.2.0/2", "J60", "59". */
struct rule {
    char kind; /* 'M', 'J', or 'N' for days counted with 29 February */
    int month, week, day;
    int32_t time; /* seconds after local midnight; may be negative, or days long */
};

/* "EST5EDT,M3.2.0,M11.1.0": what holds after the last change of the file. */
struct footer {
    bool any, dst;
    int32_t offset, dst_offset;
    struct rule start, end;
};

struct rb_zone {
    char name[ZONE_NAME_MAX];
    size_t count;
    int64_t *at;     /* count changes, ascending … */
    int32_t *offset; /* … and the offset from each on */
    int32_t first;   /* the offset before all of them */
    struct footer footer;
};

/* footer.c: text is not terminated. false when it is no POSIX TZ string. */
bool footer_parse(struct footer *footer, const char *text, size_t len);
/* The span by the rules alone. */
void footer_span(const struct footer *footer, int64_t utc, struct rb_span *span);

#endif
