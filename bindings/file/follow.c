/* What is added to logs while one waits. A call is one batch; where it ended is given back to the next one,
 * so that nothing stays open in between and a log may be rotated at any time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/pattern.h"
#include "file/lines.h"
#include "file/scan.h"

#define LOOK_MS 100
#define WITHIN_DEFAULT 1.0
#define LINES_DEFAULT 100
#define LINES_MAX 10000
#define PATHS_MAX 64
#define BYTES_MAX (1 << 20) /* of a batch */
#define SIBLINGS_MAX 10000  /* files beside a log that are looked at for the one it was */

struct follow {
    struct rb_work *work;
    struct rb_pattern *pattern; /* NULL = all lines */
    json_t *lines, *at, *rotated, *lost;
    size_t max, bytes;
    int64_t passed; /* lines that were looked at */
    bool from_start;
};

/* Where a log was read to. inode 0: it was not there. A number is used again at once, so its birth counts
 * too. */
struct mark {
    int64_t inode, born, offset;
};

static int64_t born(int fd)
{
    struct statx stx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) != 0 || !(stx.stx_mask & STATX_BTIME)) {
        return 0; /* this file system does not know */
    }
    return (int64_t)stx.stx_btime.tv_sec * 1000000000 + stx.stx_btime.tv_nsec;
}

static bool is_same(const struct mark *mark, int fd, const struct stat *st)
{
    return mark->inode == (int64_t)st->st_ino && mark->born == born(fd);
}

static bool mark_get(const struct follow *f, const char *path, struct mark *mark)
{
    const json_t *had = json_object_get(f->at, path);

    *mark = (struct mark){rb_json_int(had, "inode", 0), rb_json_int(had, "born", 0), rb_json_int(had, "offset", 0)};
    return had != NULL;
}

static void mark_set(struct follow *f, const char *path, const struct mark *mark)
{
    json_object_set_new(f->at, path,
                        json_pack("{s:I, s:I, s:I}", "inode", (json_int_t)mark->inode, "born", (json_int_t)mark->born,
                                  "offset", (json_int_t)mark->offset));
}

static void add_once(json_t *list, const char *path)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        if (strcmp(json_string_value(one), path) == 0) {
            return;
        }
    }
    json_array_append_new(list, json_string(path));
}

static bool is_full(const struct follow *f)
{
    return json_array_size(f->lines) >= f->max || f->bytes >= BYTES_MAX;
}

static int take(struct follow *f, const char *path, const char *line, size_t len, struct rb_err *err)
{
    struct rb_span spans[RB_PATTERN_GROUPS];
    int rc = f->pattern ? rb_pattern_find(f->pattern, line, len, 0, spans, err) : 1;

    f->passed++;
    if (rc > 0) {
        json_array_append_new(f->lines, json_pack("{s:s, s:o}", "path", path, "line", rb_json_bytes(line, len)));
        f->bytes += len;
    }
    return rc < 0 ? rc : 0;
}

/* Reads fd from the mark on; takes fd. whole: what has no end yet is a line too, nobody will go on with it.
 */
static int drain(struct follow *f, const char *path, int fd, struct mark *mark, bool whole, struct rb_err *err)
{
    struct rb_lines *lines = rb_lines_new(fd, mark->offset, path);
    const char *line;
    size_t len;
    int rc = 1;

    while (rc == 1 && !is_full(f) && rb_work_left(f->work) > 0) {
        rc = rb_lines_next(lines, &line, &len, whole, err);
        if (rc == 1) {
            rc = take(f, path, line, len, err) < 0 ? -1 : 1;
        }
    }
    mark->offset = rb_lines_at(lines);
    rb_lines_free(lines);
    return rc < 0 ? err->code : 0;
}

/* The file that had the name before: rotated, it lies beside the new one. -1 when it is gone. */
static int open_former(const char *path, const struct mark *mark)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    struct dirent *entry;
    DIR *list;
    int fd = -1, seen = 0;

    (void)snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    list = opendir(dir);
    while (list && fd < 0 && seen++ < SIBLINGS_MAX && (entry = readdir(list)) != NULL) {
        struct stat st;
        if ((int64_t)entry->d_ino != mark->inode) {
            continue;
        }
        fd = openat(dirfd(list), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || !is_same(mark, fd, &st))) {
            close(fd);
            fd = -1;
        }
    }
    if (list) {
        closedir(list);
    }
    return fd;
}

static int leave_former(struct follow *f, const char *path, struct mark *mark, struct rb_err *err)
{
    int fd = open_former(path, mark), rc = 0;

    add_once(f->rotated, path);
    if (fd < 0) {
        add_once(f->lost, path);
    } else {
        rc = drain(f, path, fd, mark, true, err);
    }
    if (rc == 0 && !is_full(f)) {
        *mark = (struct mark){0};
    }
    return rc;
}

static int look_at(struct follow *f, const char *path, struct rb_err *err)
{
    struct rb_err why = {0};
    struct mark mark;
    struct stat st;
    bool known = mark_get(f, path, &mark);
    int fd = rb_bind_open(f->work, path, O_RDONLY, &st, &why), rc = 0;

    if (fd < 0 && why.code != RB_ENOT_FOUND) {
        *err = why;
        return why.code;
    }
    if (fd >= 0 && !S_ISREG(st.st_mode)) {
        close(fd);
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, path);
    }
    if (mark.inode != 0 && (fd < 0 || !is_same(&mark, fd, &st))) {
        rc = leave_former(f, path, &mark, err);
    }
    if (fd >= 0 && rc == 0 && mark.inode == 0) {
        mark = (struct mark){(int64_t)st.st_ino, born(fd), known || f->from_start ? 0 : st.st_size};
    }
    if (fd >= 0 && rc == 0 && is_same(&mark, fd, &st)) {
        if (st.st_size < mark.offset) { /* copied and cut */
            add_once(f->rotated, path);
            mark.offset = 0;
        }
        rc = drain(f, path, fd, &mark, false, err);
    } else if (fd >= 0) {
        close(fd);
    }
    mark_set(f, path, &mark);
    return rc;
}

static int batch(struct follow *f, const json_t *paths, double within, struct rb_err *err)
{
    int64_t end = rb_clock_mono_ns() + (int64_t)(within * 1e9);
    const json_t *path;
    size_t i;
    int rc = 0;

    do {
        json_array_foreach(paths, i, path) {
            rc = rc == 0 && !is_full(f) ? look_at(f, json_string_value(path), err) : rc;
        }
        if (rc != 0 || is_full(f) || rb_clock_mono_ns() >= end) {
            break;
        }
    } while (rb_bind_wait_ms(f->work, LOOK_MS));
    return rc;
}

static int check(const json_t *paths, struct rb_err *err)
{
    const json_t *path;
    size_t i;

    if (json_array_size(paths) == 0 || json_array_size(paths) > PATHS_MAX) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_follow_paths, PATHS_MAX);
    }
    json_array_foreach(paths, i, path) {
        if (!json_is_string(path) || json_string_value(path)[0] != '/' || json_string_length(path) >= PATH_MAX) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_absolute, "paths",
                              json_is_string(path) ? json_string_value(path) : "?");
        }
    }
    return 0;
}

json_t *rb_file_follow(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const json_t *paths = json_object_get(args, "paths"), *match = json_object_get(args, "match");
    json_int_t max = rb_json_int(args, "max", LINES_DEFAULT);
    struct follow f = {.work = work, .from_start = rb_json_bool(args, "from_start", false)};
    struct rb_err why = {0};
    int rc = check(paths, &why);

    f.max = max < 1 ? 1 : max > LINES_MAX ? LINES_MAX : (size_t)max;
    f.at = json_is_object(json_object_get(args, "at")) ? json_deep_copy(json_object_get(args, "at")) : json_object();
    f.lines = json_array();
    f.rotated = json_array();
    f.lost = json_array();
    if (rc == 0 && json_is_string(match)) {
        rc = rb_pattern_new(&f.pattern, json_string_value(match), json_string_length(match), false, &why);
    }
    rc = rc == 0 ? batch(&f, paths, rb_bind_real(args, "within", WITHIN_DEFAULT), &why) : rc;
    rb_pattern_free(f.pattern);
    json_t *out = json_pack("{s:o, s:o, s:o, s:o, s:I}", "lines", f.lines, "at", f.at, "rotated", f.rotated, "lost",
                            f.lost, "passed", (json_int_t)f.passed);
    if (rc != 0) {
        json_decref(out);
        *err = why;
        return NULL;
    }
    return out;
}
