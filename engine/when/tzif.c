/* One zone file: foreign bytes, so nothing is read before it is known to be there. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "when/zone_private.h"

#define HEADER 44
#define CHANGES_MAX 10000
#define TYPES_MAX 256
#define TYPE_SIZE 6

struct bytes {
    const unsigned char *at;
    size_t left;
};

/* The counts of a header, in the file's order. */
struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static const unsigned char *skip(struct bytes *b, size_t n)
{
    const unsigned char *at = b->at;
    if (n > b->left) {
        return NULL;
    }
    b->at += n;
    b->left -= n;
    return at;
}

static int64_t big_endian(const unsigned char *at, size_t width)
{
    uint64_t value = at[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < width; i++) {
        value = value << 8 | at[i];
    }
    return (int64_t)value;
}

static int bad(const char *what, struct rb_err *err)
{
    return rb_err_set(err, RB_ECORRUPT, RB_T_schedule_zone_bad, what);
}

static int header(struct bytes *b, struct counts *counts, int *version, struct rb_err *err)
{
    const unsigned char *at = skip(b, HEADER);
    if (!at || memcmp(at, "TZif", 4) != 0) {
        return bad("TZif", err);
    }
    *version = at[4] ? at[4] - '0' : 1;
    uint32_t *const fields[] = {&counts->isut, &counts->isstd, &counts->leap,
                                &counts->time, &counts->type,  &counts->chars};
    for (size_t i = 0; i < 6; i++) {
        *fields[i] = (uint32_t)big_endian(at + 20 + 4 * i, 4);
    }
    bool good = counts->time <= CHANGES_MAX && counts->type >= 1 && counts->type <= TYPES_MAX &&
                counts->chars <= 4096 && counts->isut <= TYPES_MAX && counts->isstd <= TYPES_MAX &&
                counts->leap <= CHANGES_MAX;
    return good ? 0 : bad("header", err);
}

static size_t body_size(const struct counts *c, size_t width)
{
    return c->time * (width + 1) + (size_t)c->type * TYPE_SIZE + c->chars + c->leap * (width + 4) + c->isstd + c->isut;
}

/* b holds the whole body. */
static int read_changes(struct rb_zone *zone, struct bytes *b, const struct counts *c, size_t width, struct rb_err *err)
{
    const unsigned char *times = skip(b, c->time * width), *kinds = skip(b, c->time);
    const unsigned char *types = skip(b, (size_t)c->type * TYPE_SIZE);
    (void)skip(b, c->chars + c->leap * (width + 4) + c->isstd + c->isut);
    zone->at = rb_xcalloc(c->time + 1, sizeof *zone->at);
    zone->offset = rb_xcalloc(c->time + 1, sizeof *zone->offset);
    zone->first = (int32_t)big_endian(types, 4);
    for (uint32_t i = 0; i < c->type; i++) {
        int64_t offset = big_endian(types + (size_t)i * TYPE_SIZE, 4);
        if (offset > OFFSET_MAX || offset < -OFFSET_MAX) {
            return bad("offset", err);
        }
    }
    for (uint32_t i = 0; i < c->time; i++, zone->count++) {
        zone->at[i] = big_endian(times + i * width, width);
        if (kinds[i] >= c->type || (i && zone->at[i] <= zone->at[i - 1])) {
            return bad("transitions", err);
        }
        zone->offset[i] = (int32_t)big_endian(types + (size_t)kinds[i] * TYPE_SIZE, 4);
    }
    return 0;
}

static int read_footer(struct rb_zone *zone, const struct bytes *b, struct rb_err *err)
{
    const unsigned char *end = b->left > 1 && b->at[0] == '\n' ? memchr(b->at + 1, '\n', b->left - 1) : NULL;
    if (!end) {
        return bad("footer", err);
    }
    size_t len = (size_t)(end - b->at) - 1;
    if (len && !footer_parse(&zone->footer, (const char *)b->at + 1, len)) {
        return bad("footer", err);
    }
    return 0;
}

static int read_body(struct rb_zone *zone, struct bytes *b, const struct counts *c, size_t width, struct rb_err *err)
{
    if (c->leap) {
        return bad("leap seconds", err); /* "right/…": not the time of this system */
    }
    return body_size(c, width) > b->left ? bad("size", err) : read_changes(zone, b, c, width, err);
}

int rb_zone_parse(struct rb_zone **out, const void *data, size_t len, struct rb_err *err)
{
    struct bytes b = {data, len};
    struct counts counts;
    int version;
    int rc = header(&b, &counts, &version, err);
    if (rc) {
        return rc;
    }
    size_t width = 4;
    if (version >= 2) { /* the same again with 64 bits follows */
        rc = skip(&b, body_size(&counts, width)) ? header(&b, &counts, &version, err) : bad("size", err);
        width = 8;
    }
    struct rb_zone *zone = rb_xcalloc(1, sizeof *zone);
    rc = rc ? rc : read_body(zone, &b, &counts, width, err);
    rc = rc || width == 4 ? rc : read_footer(zone, &b, err);
    if (rc) {
        rb_zone_free(zone);
        return rc;
    }
    *out = zone;
    return 0;
}

void rb_zone_free(struct rb_zone *zone)
{
    if (zone) {
        free(zone->at);
        free(zone->offset);
        free(zone);
    }
}
