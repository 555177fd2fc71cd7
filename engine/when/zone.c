/* Which zones there are, the ones in use, and what their clocks show. */
#include "when/zone.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/utf8.h"
#include "when/zone_private.h"

#define FOLDER "/usr/share/zoneinfo"
#define MACHINE "/etc/localtime"
#define FILE_MAX (1u << 20)
#define LIST_MAX 1024      /* of names, for "did you mean" */
#define MARGIN (2 * 86400) /* more than any offset, so that an earlier span is seen */

struct cached {
    struct cached *next;
    char name[ZONE_NAME_MAX];
    struct stat seen;
    struct rb_zone *zone;
};

struct rb_zones {
    struct cached *first;
};

/* ---- what the clocks show ---- */

static void span_of_table(const struct rb_zone *zone, int64_t utc, struct rb_span *span)
{
    size_t low = 0, high = zone->count;
    while (low < high) { /* how many changes are not after utc */
        size_t middle = low + (high - low) / 2;
        if (zone->at[middle] <= utc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    span->start = low ? zone->at[low - 1] : INT64_MIN;
    span->end = low < zone->count ? zone->at[low] : INT64_MAX;
    span->offset = low ? zone->offset[low - 1] : zone->first;
}

void rb_zone_span(const struct rb_zone *zone, int64_t utc, struct rb_span *span)
{
    span_of_table(zone, utc, span);
    if (span->end < INT64_MAX || !zone->footer.any) {
        return;
    }
    int64_t last = span->start;
    footer_span(&zone->footer, utc, span);
    span->start = span->start > last ? span->start : last;
}

int64_t rb_zone_first(const struct rb_zone *zone, int64_t local, enum rb_local *how)
{
    struct rb_span span, next;
    for (int64_t at = local - MARGIN;; at = span.end) {
        rb_zone_span(zone, at, &span);
        int64_t utc = local - span.offset;
        if (utc >= span.end) {
            continue;
        }
        if (utc < span.start) {
            *how = RB_LOCAL_GAP;
            return span.start;
        }
        *how = RB_LOCAL_ONCE;
        if (span.end < INT64_MAX) {
            rb_zone_span(zone, span.end, &next);
            *how = local - next.offset >= next.start ? RB_LOCAL_TWICE : RB_LOCAL_ONCE;
        }
        return utc;
    }
}

const char *rb_zone_name(const struct rb_zone *zone)
{
    return zone->name;
}

/* ---- files ---- */

/* A name, not a path: parts of letters, digits and "_+-", none of them "..". */
static bool name_valid(const char *name)
{
    size_t len = strlen(name);
    if (!len || len >= ZONE_NAME_MAX || name[0] == '/' || name[len - 1] == '/') {
        return false;
    }
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("_+-/", *p)) {
            return false;
        }
    }
    return true;
}

static bool is_utc(const char *name)
{
    return !strcmp(name, "UTC") || !strcmp(name, "Etc/UTC");
}

/* Names from the list that comes with the files; where there is none, there is no suggestion. */
static void suggest(const char *name, struct rb_err *err)
{
    struct rb_buf text;
    const char *names[LIST_MAX];
    size_t count = 0;
    rb_buf_init(&text, FILE_MAX);
    if (rb_files_read(FOLDER "/zone1970.tab", FILE_MAX, 0, &text, NULL) == 0 && text.len) {
        for (char *line = text.data, *rest; *line && count < LIST_MAX; line = rest) {
            rest = line + strcspn(line, "\n");
            rest += *rest ? (*rest = 0, 1) : 0;
            char *tab = line[0] == '#' ? NULL : strchr(line, '\t');
            tab = tab ? strchr(tab + 1, '\t') : NULL;
            if (tab) {
                tab[1 + strcspn(tab + 1, "\t")] = 0;
                names[count++] = tab + 1;
            }
        }
    }
    const char *near = rb_utf8_nearest(name, names, count);
    if (near) {
        rb_err_hint(err, RB_T_schedule_zone_near, near);
    }
    rb_buf_deinit(&text);
}

static void path_of(const char *name, char path[PATH_MAX])
{
    const char *folder = getenv("TZDIR");
    if (name[0]) {
        snprintf(path, PATH_MAX, "%s/%s", folder && folder[0] ? folder : FOLDER, name);
    } else {
        snprintf(path, PATH_MAX, "%s", MACHINE);
    }
}

/* $TZ as far as it names a file; "" is /etc/localtime. */
static const char *given_name(const char *name)
{
    const char *tz = getenv("TZ");
    if (name && name[0]) {
        return name;
    }
    tz = tz && tz[0] == ':' ? tz + 1 : tz;
    return tz && name_valid(tz) ? tz : "";
}

static int unknown(const char *name, struct rb_err *err)
{
    rb_err_set(err, RB_EUSAGE, RB_T_schedule_zone_unknown, name);
    suggest(name, err);
    return RB_EUSAGE;
}

int rb_zone_known(const char *name, struct rb_err *err)
{
    char path[PATH_MAX];
    struct stat st;
    if (!name_valid(name)) {
        return unknown(name, err);
    }
    path_of(name, path);
    return is_utc(name) || (stat(path, &st) == 0 && S_ISREG(st.st_mode)) ? 0 : unknown(name, err);
}

/* "/etc/localtime" is a link into the folder of zones; what it is called there. */
static void name_machine(struct rb_zone *zone)
{
    char target[PATH_MAX];
    const char *name = realpath(MACHINE, target) ? strstr(target, "/zoneinfo/") : NULL;
    snprintf(zone->name, sizeof zone->name, "%.*s", ZONE_NAME_MAX - 1, name ? name + strlen("/zoneinfo/") : "local");
}

static struct rb_zone *utc_zone(void)
{
    struct rb_zone *zone = rb_xcalloc(1, sizeof *zone);
    zone->footer.any = true;
    return zone;
}

static struct rb_zone *read_zone(const char *name, const char *path, struct rb_err *err)
{
    struct rb_buf bytes;
    struct rb_zone *zone = NULL;
    rb_buf_init(&bytes, FILE_MAX);
    int rc = rb_files_read(path, FILE_MAX, 0, &bytes, err);
    rc = rc ? rc : rb_zone_parse(&zone, rb_buf_str(&bytes), bytes.len, err);
    rb_buf_deinit(&bytes);
    if (rc && (is_utc(name) || (!name[0] && rc == RB_ENOT_FOUND))) {
        zone = utc_zone(); /* a machine without tzdata still has UTC */
    } else if (rc == RB_ENOT_FOUND) {
        unknown(name, err);
    }
    if (zone) {
        snprintf(zone->name, sizeof zone->name, "%s", name);
    }
    if (zone && !name[0]) {
        name_machine(zone);
    }
    return zone;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

struct rb_zones *rb_zones_new(void)
{
    return rb_xcalloc(1, sizeof(struct rb_zones));
}

void rb_zones_free(struct rb_zones *zones)
{
    while (zones && zones->first) {
        struct cached *one = zones->first;
        zones->first = one->next;
        rb_zone_free(one->zone);
        free(one);
    }
    free(zones);
}

static struct cached *cached(struct rb_zones *zones, const char *name)
{
    struct cached *one = zones->first;
    while (one && strcmp(one->name, name) != 0) {
        one = one->next;
    }
    if (!one) {
        one = rb_xcalloc(1, sizeof *one);
        snprintf(one->name, sizeof one->name, "%s", name);
        one->next = zones->first;
        zones->first = one;
    }
    return one;
}

const struct rb_zone *rb_zones_get(struct rb_zones *zones, const char *name, struct rb_err *err)
{
    char path[PATH_MAX];
    struct stat now = {0};
    name = given_name(name);
    if (name[0] && !name_valid(name)) {
        unknown(name, err);
        return NULL;
    }
    struct cached *one = cached(zones, name);
    path_of(name, path);
    (void)stat(path, &now); /* a file that is gone leaves zeros: read once, then what was read stays */
    if (!one->zone || (now.st_ino && !same_file(&now, &one->seen))) {
        struct rb_zone *fresh = read_zone(name, path, err);
        if (fresh) {
            rb_zone_free(one->zone);
            one->zone = fresh;
        }
        one->seen = now; /* also when it is broken: the last good one stays until it changes again */
    }
    return one->zone;
}
