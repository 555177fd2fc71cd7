/* One pass over one log: how often what was said, since when, with the last lines that said it. */
#include "file/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/pattern.h"
#include "base/utf8.h"
#include "file/lines.h"
#include "file/log_time.h"

#define BYTES_DEFAULT (64ll << 20)
#define SAMPLES_DEFAULT 100
#define SAMPLES_MAX 1000
#define SAMPLE_BYTES 2000
#define PATTERNS_MAX 64
#define GROUPS_MAX 1000 /* different texts that are counted */
#define BUCKETS_MAX 2000
#define DEADLINE_EVERY 256 /* lines */

struct kind {
    const char *name;
    struct rb_pattern *pattern;
    int64_t count, first, last;
    json_t *groups; /* text -> count */
    int64_t others; /* beyond GROUPS_MAX texts */
};

struct scan {
    struct kind kinds[PATTERNS_MAX];
    size_t kind_count, samples_max;
    json_t *samples, *buckets; /* buckets: time as text -> count */
    int64_t since, now, every;
    int64_t lines, skipped, time; /* time: of the newest line with one; 0 = none yet */
    int64_t first, last;
    bool dated, group;
};

static int add_kind(struct scan *s, const char *name, const json_t *text, bool plain, struct rb_err *err)
{
    struct kind *kind = &s->kinds[s->kind_count];

    if (s->kind_count == PATTERNS_MAX || !json_is_string(text)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_scan_patterns, PATTERNS_MAX);
    }
    kind->name = name;
    kind->groups = json_object();
    s->kind_count++;
    return rb_pattern_new(&kind->pattern, json_string_value(text), json_string_length(text), plain, err);
}

static int add_kinds(struct scan *s, const json_t *args, struct rb_err *err)
{
    json_t *patterns = json_object_get(args, "patterns"), *text;
    bool plain = rb_json_bool(args, "plain", false);
    const char *name;
    int rc = 0;

    if (json_is_string(patterns)) {
        return add_kind(s, "match", patterns, plain, err);
    }
    if (!json_is_object(patterns) || json_object_size(patterns) == 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_scan_patterns, PATTERNS_MAX);
    }
    json_object_foreach(patterns, name, text) {
        rc = rc == 0 ? add_kind(s, name, text, plain, err) : rc;
    }
    return rc;
}

static void forget(struct scan *s)
{
    for (size_t i = 0; i < s->kind_count; i++) {
        struct kind *kind = &s->kinds[i];
        kind->count = kind->first = kind->last = kind->others = 0;
        json_object_clear(kind->groups);
    }
    json_array_clear(s->samples);
    json_object_clear(s->buckets);
}

/* JSON keys are text: bytes that are none are shown as such. */
static void count_group(struct kind *kind, const char *text, size_t len)
{
    struct rb_buf key;
    json_t *had;

    rb_buf_init(&key, 1024);
    (void)rb_utf8_clean(&key, text, len < 200 ? len : 200, false);
    had = json_object_get(kind->groups, rb_buf_str(&key));
    if (had) {
        (void)json_integer_set(had, json_integer_value(had) + 1);
    } else if (json_object_size(kind->groups) < GROUPS_MAX) {
        json_object_set_new(kind->groups, rb_buf_str(&key), json_integer(1));
    } else {
        kind->others++;
    }
    rb_buf_deinit(&key);
}

static void count_bucket(struct scan *s)
{
    char key[32];
    json_t *had;

    if (s->every <= 0 || s->time <= 0) {
        return;
    }
    (void)snprintf(key, sizeof key, "%lld", (long long)(s->time - s->time % s->every));
    had = json_object_get(s->buckets, key);
    if (had) {
        (void)json_integer_set(had, json_integer_value(had) + 1);
    } else if (json_object_size(s->buckets) < BUCKETS_MAX) {
        json_object_set_new(s->buckets, key, json_integer(1));
    }
}

static void keep_sample(struct scan *s, const struct kind *kind, const char *line, size_t len)
{
    size_t cut = len > SAMPLE_BYTES ? rb_bind_whole_chars(line, SAMPLE_BYTES) : len;
    json_t *sample = json_pack("{s:s, s:o}", "name", kind->name, "line", rb_json_bytes(line, cut));

    if (s->time > 0) {
        json_object_set_new(sample, "time", json_integer(s->time));
    }
    if (json_array_size(s->samples) >= s->samples_max) {
        json_array_remove(s->samples, 0);
    }
    json_array_append_new(s->samples, sample);
}

static int match_line(struct scan *s, const char *line, size_t len, struct rb_err *err)
{
    struct rb_span spans[RB_PATTERN_GROUPS];

    for (size_t i = 0; i < s->kind_count; i++) {
        struct kind *kind = &s->kinds[i];
        int rc = rb_pattern_find(kind->pattern, line, len, 0, spans, err);
        if (rc < 0) {
            return rc;
        }
        if (rc == 0) {
            continue;
        }
        kind->count++;
        kind->first = kind->first ? kind->first : s->time;
        kind->last = s->time;
        if (s->group) {
            const struct rb_span *what =
                rc > 1 && spans[1].from <= spans[1].to && spans[1].to != SIZE_MAX ? &spans[1] : &spans[0];
            count_group(kind, line + what->from, what->to - what->from);
        }
        count_bucket(s);
        if (s->samples_max > 0) {
            keep_sample(s, kind, line, len);
        }
    }
    return 0;
}

/* A line without a time belongs to the one before it. Those before the first time belong to nothing that is
 * known. */
static int take_line(struct scan *s, const char *line, size_t len, struct rb_err *err)
{
    int64_t time;

    s->lines++;
    if (rb_log_time(line, len, s->now, &time)) {
        if (!s->dated && s->since > 0) {
            forget(s);
        }
        s->dated = true;
        s->time = time;
        s->first = s->first ? s->first : time;
        s->last = time > s->last ? time : s->last;
    }
    if (s->dated && s->since > 0 && s->time < s->since) {
        s->skipped++;
        return 0;
    }
    return match_line(s, line, len, err);
}

static int pass(struct scan *s, struct rb_lines *lines, const char *path, const struct rb_work *work,
                struct rb_err *err)
{
    const char *line;
    size_t len;
    int rc;

    while ((rc = rb_lines_next(lines, &line, &len, true, err)) == 1) {
        rc = take_line(s, line, len, err);
        if (rc == 0 && s->lines % DEADLINE_EVERY == 0 && rb_work_left(work) <= 0) {
            rc = rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, path);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return rc;
}

static json_t *kinds_json(const struct scan *s)
{
    json_t *out = json_object();

    for (size_t i = 0; i < s->kind_count; i++) {
        const struct kind *kind = &s->kinds[i];
        json_t *one = json_pack("{s:I}", "count", (json_int_t)kind->count);
        if (kind->count > 0 && kind->last > 0) {
            json_object_set_new(one, "first", json_integer(kind->first));
            json_object_set_new(one, "last", json_integer(kind->last));
        }
        if (s->group) {
            json_object_set(one, "groups", kind->groups);
            json_object_set_new(one, "others", json_integer(kind->others));
        }
        json_object_set_new(out, kind->name, one);
    }
    return out;
}

/* Where to begin: behind what was seen already, and never further back than bytes. */
static int64_t beginning(const json_t *args, const struct stat *st)
{
    int64_t from = rb_json_int(args, "from", 0), bytes = rb_json_int(args, "bytes", BYTES_DEFAULT);
    int64_t back = bytes >= 0 && st->st_size > bytes ? st->st_size - bytes : 0;

    from = from > st->st_size ? 0 : from; /* it was cut: all of it is new */
    return from > back ? from : back;
}

static int64_t since_when(const json_t *args, const struct rb_work *work, int64_t now)
{
    double last = rb_bind_real(args, "last", 0);
    int64_t since = (int64_t)rb_bind_real(args, "since", 0),
            wrote = (rb_work_last_write(work) + 999999) / 1000000; /* its own second is not after it */

    if (last > 0 && now - (int64_t)last > since) {
        since = now - (int64_t)last;
    }
    return !rb_json_bool(args, "before_writes", false) && wrote > since ? wrote : since;
}

static bool is_gzip(int fd)
{
    unsigned char magic[2] = {0};

    return pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

static json_t *scan_fd(struct scan *s, int fd, const struct stat *st, const json_t *args, const struct rb_work *work,
                       struct rb_err *err)
{
    const char *path = rb_json_str(args, "path", "");
    int64_t from = is_gzip(fd) ? 0 : beginning(args, st), at;
    struct rb_lines *lines = rb_lines_new(fd, from, path);
    const char *line;
    size_t len;
    int rc = 1;

    if (from > 0 && rb_json_int(args, "from", 0) != from) {
        rc = rb_lines_next(lines, &line, &len, true, err); /* it begins in the middle of one */
    }
    rc = rc < 0 ? rc : pass(s, lines, path, work, err);
    at = rb_lines_at(lines);
    rb_lines_free(lines);
    if (rc < 0) {
        return NULL;
    }
    if (!s->dated && s->since > 0 && st->st_mtime < s->since) {
        forget(s);
    }
    return json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:O, s:O, s:b}", "lines", (json_int_t)s->lines,
                     "dated", s->dated, "first", (json_int_t)s->first, "last", (json_int_t)s->last, "since",
                     (json_int_t)s->since, "size", (json_int_t)st->st_size, "mtime", (json_int_t)st->st_mtime, "inode",
                     (json_int_t)st->st_ino, "at", (json_int_t)at, "matches", kinds_json(s), "samples", s->samples,
                     "buckets", s->buckets, "wrote", rb_work_last_write(work) > 0);
}

json_t *rb_file_scan(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    json_int_t samples = rb_json_int(args, "samples", SAMPLES_DEFAULT);
    struct scan *s = rb_xcalloc(1, sizeof *s);
    struct rb_err why = {0};
    struct stat st;
    json_t *out = NULL;
    int fd = -1;

    s->samples = json_array();
    s->buckets = json_object();
    s->samples_max = samples < 0 ? 0 : samples > SAMPLES_MAX ? SAMPLES_MAX : (size_t)samples;
    s->now = rb_clock_utc_us() / 1000000;
    s->since = since_when(args, work, s->now);
    s->every = (int64_t)rb_bind_real(args, "every", 0);
    s->group = rb_json_bool(args, "group", false);
    if (path && add_kinds(s, args, err) == 0) {
        fd = rb_bind_open(work, path, O_RDONLY, &st, &why);
        if (fd >= 0 && !S_ISREG(st.st_mode)) {
            close(fd);
            fd = rb_err_set(&why, RB_EUSAGE, RB_T_bindings_not_regular, path);
        }
        if (fd >= 0) {
            out = scan_fd(s, fd, &st, args, work, err);
        } else if (why.code == RB_ENOT_FOUND) {
            out = json_null();
        } else {
            *err = why;
        }
    }
    for (size_t i = 0; i < s->kind_count; i++) {
        rb_pattern_free(s->kinds[i].pattern);
        json_decref(s->kinds[i].groups);
    }
    json_decref(s->samples);
    json_decref(s->buckets);
    free(s);
    return out;
}
