#include "file/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "file/place.h"

#define ITEMS_MAX 1000
#define NAMES 100 /* of folders of one second */
#define MANIFEST "manifest.json"
#define MANIFEST_MAX (1 << 20)

/* One file on its way. */
struct item {
    char *from_path;
    struct rb_place from, to;
    bool moved;
};

struct batch {
    struct rb_place dir; /* the folder of this quarantine, beside its name */
    int folder;          /* the folder itself */
    char *path;
    struct item *items;
    size_t count;
};

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        rb_place_close(&b->items[i].from);
        free(b->items[i].from_path);
    }
    if (b->folder >= 0) {
        close(b->folder);
    }
    rb_place_close(&b->dir);
    free(b->items);
    free(b->path);
}

/* Back to where everything was; the first error is the one that is told. */
static void undo(struct batch *b, bool forward)
{
    for (size_t i = b->count; i-- > 0;) {
        struct item *item = &b->items[i];
        if (item->moved) {
            (void)(forward ? rb_place_move(&item->to, &item->from, NULL) : rb_place_move(&item->from, &item->to, NULL));
        }
    }
}

static int move_all(struct batch *b, bool forward, struct rb_err *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < b->count; i++) {
        struct item *item = &b->items[i];
        rc = forward ? rb_place_move(&item->from, &item->to, err) : rb_place_move(&item->to, &item->from, err);
        item->moved = rc == 0;
    }
    for (size_t i = 0; rc == 0 && i < b->count; i++) {
        rc = rb_place_sync(&b->items[i].from, err);
    }
    if (rc == 0 && fsync(b->folder) != 0 && errno != EINVAL) {
        rc = rb_err_errno(err, errno, "%s", b->path);
    }
    if (rc != 0) {
        undo(b, forward);
    }
    return rc;
}

/* A new folder quarantine-TIME in dir; nobody else may look into it. */
static int make_folder(struct batch *b, const char *dir, struct rb_err *err)
{
    char time[RB_TIME_MAX], path[PATH_MAX];
    int rc = -1;

    rb_clock_format(rb_clock_utc_us(), 0, time);
    for (int i = 0; i < NAMES && rc != 0; i++) {
        char more[8] = "";
        (void)snprintf(more, sizeof more, i ? "-%d" : "", i);
        if (snprintf(path, sizeof path, "%s/quarantine-%s%s", dir, time, more) >= (int)sizeof path) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_long, "dir");
        }
        rc = mkdir(path, 0700);
        if (rc != 0 && errno != EEXIST) {
            break;
        }
    }
    if (rc != 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    b->path = rb_xstrdup(path);
    rc = rb_place_open(&b->dir, b->path, err);
    b->folder = rc == 0 ? open(b->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    return rc == 0 && b->folder < 0 ? rb_err_errno(err, errno, "%s", b->path) : rc;
}

static void drop_folder(const struct batch *b)
{
    if (b->folder >= 0) {
        (void)unlinkat(b->folder, MANIFEST, 0);
        (void)unlinkat(b->dir.dir, b->dir.name, AT_REMOVEDIR); /* it stays when something is in it */
    }
}

/* What is to be moved, and in *missing what is not there. */
static int gather(struct batch *b, const json_t *paths, json_t *missing, const struct rb_work *work, struct rb_err *err)
{
    const json_t *one;
    size_t i;

    b->items = rb_xcalloc(json_array_size(paths) + 1, sizeof *b->items);
    json_array_foreach(paths, i, one) {
        struct item *item = &b->items[b->count];
        struct rb_err why = {0};
        struct rb_buf path;
        struct stat st;
        rb_buf_init(&path, PATH_MAX);
        if (rb_json_bytes_get(one, &path) != 0 || memchr(rb_buf_str(&path), '\0', path.len)) {
            rb_buf_deinit(&path);
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_name, "paths");
        }
        item->from_path = path.data ? rb_buf_take(&path) : rb_xstrdup("");
        b->count++;
        int rc = rb_place_open(&item->from, item->from_path, &why);
        rc = rc == 0 ? rb_place_stat(&item->from, work, &st, &why) : rc;
        if (rc == RB_ENOT_FOUND) {
            json_array_append(missing, (json_t *)one);
            rb_place_close(&item->from);
            free(item->from_path);
            b->count--;
        } else if (rc != 0) {
            *err = why;
            return rc;
        }
    }
    return b->count > 0 ? 0 : rb_err_set(err, RB_ENOT_FOUND, RB_T_bindings_nothing_there);
}

/* "NNN-name": the names of two folders may be the same. */
static int name_items(struct batch *b, json_t *list, struct rb_err *err)
{
    for (size_t i = 0; i < b->count; i++) {
        struct item *item = &b->items[i];
        item->to = (struct rb_place){.path = b->path, .dir = b->folder};
        if (snprintf(item->to.name, sizeof item->to.name, "%03zu-%s", i + 1, item->from.name) >=
            (int)sizeof item->to.name) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_long, item->from_path);
        }
        json_array_append_new(list,
                              json_pack("{s:o, s:o}", "from", rb_json_bytes(item->from_path, strlen(item->from_path)),
                                        "to", rb_json_bytes(item->to.name, strlen(item->to.name))));
    }
    return 0;
}

/* On disk before anything moves: what is in the folder can always be brought back. */
static int write_manifest(const struct batch *b, const json_t *list, struct rb_err *err)
{
    char time[RB_TIME_MAX];
    rb_clock_format(rb_clock_utc_us(), 0, time);
    json_t *manifest =
        json_pack("{s:s, s:s, s:O}", "schema", "runbook.quarantine/1", "time", time, "files", (json_t *)list);
    char *text = json_dumps(manifest, JSON_INDENT(2) | JSON_SORT_KEYS);
    struct rb_place at = {.path = b->path, .dir = b->folder, .name = MANIFEST};
    int fd = rb_place_create(&at, err), rc = fd < 0 ? fd : 0;

    errno = ENOSPC; /* what a short write means */
    if (rc == 0 && (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) != 0)) {
        rc = rb_err_errno(err, errno, "%s", b->path);
    }
    if (fd >= 0) {
        close(fd);
    }
    rc = rc == 0 ? rb_place_sync(&b->dir, err) : rc;
    free(text);
    json_decref(manifest);
    return rc;
}

json_t *rb_file_quarantine(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const json_t *paths = json_object_get(args, "paths");
    const char *dir = rb_bind_path(args, "dir", err);
    struct batch b = {.folder = -1, .dir.dir = -1};
    json_t *missing = json_array(), *list = json_array(), *out = NULL;
    struct rb_err why = {0};
    int rc = dir ? 0 : RB_EUSAGE;

    if (rc == 0 && json_array_size(paths) > ITEMS_MAX) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_list_many, "paths", ITEMS_MAX);
    }
    if (rc == 0) {
        rc = gather(&b, paths, missing, work, &why);
        rc = rc == 0 ? make_folder(&b, dir, &why) : rc;
        rc = rc == 0 ? name_items(&b, list, &why) : rc;
        rc = rc == 0 ? write_manifest(&b, list, &why) : rc;
        rc = rc == 0 ? move_all(&b, true, &why) : rc;
        if (rc != 0) {
            drop_folder(&b);
            *err = why;
        }
    }
    if (rc == 0) {
        out = json_pack("{s:o, s:O, s:O}", "dir", rb_json_bytes(b.path, strlen(b.path)), "files", list, "missing",
                        missing);
    }
    batch_free(&b);
    json_decref(missing);
    json_decref(list);
    return out;
}

/* ---- back ---- */

static json_t *read_manifest(const struct batch *b, struct rb_err *err)
{
    int fd = openat(b->folder, MANIFEST, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    char *text = fd >= 0 ? rb_xcalloc(1, MANIFEST_MAX) : NULL;
    ssize_t n = fd >= 0 ? read(fd, text, MANIFEST_MAX - 1) : -1;
    json_t *manifest = NULL;

    if (n < 0) {
        rb_err_errno(err, errno, "%s/" MANIFEST, b->path);
    } else {
        manifest = rb_json_parse(text, (size_t)n, err);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(text);
    return manifest;
}

static char *bytes_of(const json_t *value)
{
    struct rb_buf out;

    rb_buf_init(&out, PATH_MAX);
    if (rb_json_bytes_get(value, &out) != 0 || out.len == 0 || memchr(out.data, '\0', out.len)) {
        rb_buf_deinit(&out);
        return NULL;
    }
    return rb_buf_take(&out);
}

/* A manifest is foreign text as well: names stay in the folder. */
static int item_of(struct batch *b, const json_t *one, struct rb_err *err)
{
    char *from = bytes_of(json_object_get(one, "from")), *to = bytes_of(json_object_get(one, "to"));
    struct item *item = &b->items[b->count];
    int rc = 0;

    if (!from || !to || strchr(to, '/') || strcmp(to, ".") == 0 || strcmp(to, "..") == 0 || strlen(to) > NAME_MAX) {
        rc = rb_err_set(err, RB_ECORRUPT, RB_T_bindings_manifest, b->path);
        free(from);
    } else {
        b->count++;
        item->from_path = from;
        item->to = (struct rb_place){.path = b->path, .dir = b->folder};
        (void)snprintf(item->to.name, sizeof item->to.name, "%s", to);
        rc = rb_place_open(&item->from, from, err);
    }
    free(to);
    return rc;
}

static int read_items(struct batch *b, struct rb_err *err)
{
    json_t *manifest = read_manifest(b, err);
    const json_t *files = json_object_get(manifest, "files"), *one;
    size_t i, count = json_array_size(files);
    int rc = manifest ? 0 : RB_ECORRUPT;

    if (rc == 0 && (count == 0 || count > ITEMS_MAX)) {
        rc = rb_err_set(err, RB_ECORRUPT, RB_T_bindings_manifest, b->path);
    }
    b->items = rb_xcalloc(count + 1, sizeof *b->items);
    for (i = 0; rc == 0 && i < count; i++) {
        one = json_array_get(files, i);
        rc = item_of(b, one, err);
    }
    json_decref(manifest);
    return rc;
}

json_t *rb_file_bring_back(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *dir = rb_bind_path(args, "dir", err);
    struct batch b = {.folder = -1, .dir.dir = -1};
    json_t *out = NULL;
    int rc;

    (void)work;
    if (!dir) {
        return NULL;
    }
    b.path = rb_xstrdup(dir);
    rc = rb_place_open(&b.dir, b.path, err);
    b.folder = rc == 0 ? openat(b.dir.dir, b.dir.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (rc == 0 && b.folder < 0) {
        rc = rb_err_errno(err, errno, "%s", dir);
    }
    rc = rc == 0 ? read_items(&b, err) : rc;
    rc = rc == 0 ? move_all(&b, false, err) : rc;
    if (rc == 0) {
        drop_folder(&b);
        out = json_array();
        for (size_t i = 0; i < b.count; i++) {
            json_array_append_new(out, rb_json_bytes(b.items[i].from_path, strlen(b.items[i].from_path)));
        }
        out = json_pack("{s:o}", "files", out);
    }
    batch_free(&b);
    return out;
}

json_t *rb_file_swap(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *one = rb_bind_path(args, "path", err), *other = one ? rb_bind_path(args, "with", err) : NULL;
    struct rb_place a = {.dir = -1}, b = {.dir = -1};
    struct stat st;
    int rc = other ? 0 : RB_EUSAGE;

    rc = rc == 0 ? rb_place_open(&a, one, err) : rc;
    rc = rc == 0 ? rb_place_open(&b, other, err) : rc;
    rc = rc == 0 ? rb_place_stat(&a, work, &st, err) : rc;
    rc = rc == 0 ? rb_place_stat(&b, work, &st, err) : rc;
    if (rc == 0 && renameat2(a.dir, a.name, b.dir, b.name, RENAME_EXCHANGE) != 0) {
        rc = errno == EXDEV ? rb_err_set(err, RB_EUSAGE, RB_T_bindings_other_device, one, other)
                            : rb_err_errno(err, errno, "%s", one);
    }
    rc = rc == 0 ? rb_place_sync(&a, err) : rc;
    rc = rc == 0 ? rb_place_sync(&b, err) : rc;
    rb_place_close(&a);
    rb_place_close(&b);
    return rc == 0 ? json_true() : NULL;
}
