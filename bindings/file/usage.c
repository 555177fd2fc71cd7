/* What takes the space below a folder: one walk of one file system, with a time limit. */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "file/read.h"
#include "file/tree.h"

#define TOP_DEFAULT 20
#define TOP_MAX 1000
#define MARGIN 0.1 /* of the time: a part of the answer is better than a deadline */

struct item {
    char *path;
    int64_t bytes, files, mtime;
};

/* The largest items so far, the smallest of them first. */
struct top {
    struct item *items;
    size_t count, max;
};

static void sift(struct top *top, size_t at)
{
    for (;;) {
        size_t least = at, child = 2 * at + 1;
        for (size_t i = child; i < child + 2 && i < top->count; i++) {
            least = top->items[i].bytes < top->items[least].bytes ? i : least;
        }
        if (least == at) {
            return;
        }
        struct item swap = top->items[at];
        top->items[at] = top->items[least];
        top->items[least] = swap;
        at = least;
    }
}

static void offer(struct top *top, const char *path, struct item item)
{
    size_t at = 0;

    if (top->max == 0 || (top->count == top->max && item.bytes <= top->items[0].bytes)) {
        return;
    }
    if (top->count == top->max) {
        free(top->items[0].path);
    } else {
        at = top->count++;
    }
    item.path = rb_xstrdup(path);
    top->items[at] = item;
    while (at > 0 && top->items[(at - 1) / 2].bytes > top->items[at].bytes) {
        struct item swap = top->items[at];
        top->items[at] = top->items[(at - 1) / 2];
        top->items[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
    sift(top, at);
}

static int largest_first(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    return x->bytes != y->bytes ? (x->bytes < y->bytes) - (x->bytes > y->bytes) : strcmp(x->path, y->path);
}

static json_t *top_json(struct top *top, bool folders)
{
    json_t *out = json_array();

    qsort(top->items, top->count, sizeof *top->items, largest_first);
    for (size_t i = 0; i < top->count; i++) {
        const struct item *item = &top->items[i];
        json_array_append_new(out, json_pack("{s:o, s:I, s:I}", "path", rb_json_bytes(item->path, strlen(item->path)),
                                             "bytes", (json_int_t)item->bytes, folders ? "files" : "mtime",
                                             (json_int_t)(folders ? item->files : item->mtime)));
        free(item->path);
    }
    free(top->items);
    return out;
}

struct usage {
    struct top files, folders;
    int64_t bytes, count, hidden;
    int64_t branch_bytes, branch_files; /* of the folder directly below that the walk is in */
    bool complete;
};

/* A file with several names counts its share for each. */
static int64_t bytes_of(const FTSENT *e)
{
    return (int64_t)e->fts_statp->st_blocks * 512 /
           (e->fts_info == FTS_F && e->fts_statp->st_nlink > 1 ? (int64_t)e->fts_statp->st_nlink : 1);
}

static void add_entry(struct usage *u, const FTSENT *e)
{
    if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS) {
        u->hidden++;
        return;
    }
    if (e->fts_level == 1 && e->fts_info == FTS_D) {
        u->branch_bytes = u->branch_files = 0;
    }
    if (e->fts_info != FTS_DP) {
        u->bytes += bytes_of(e);
        u->branch_bytes += bytes_of(e);
        u->count += e->fts_info == FTS_F;
        u->branch_files += e->fts_info == FTS_F;
    }
    if (e->fts_info == FTS_F) {
        offer(&u->files, e->fts_path,
              (struct item){.bytes = (int64_t)e->fts_statp->st_blocks * 512, .mtime = e->fts_statp->st_mtime});
    } else if (e->fts_info == FTS_DP && e->fts_level == 1) {
        offer(&u->folders, e->fts_path, (struct item){.bytes = u->branch_bytes, .files = u->branch_files});
    }
}

static int measure(struct usage *u, const char *dir, struct rb_work *work, struct rb_err *err)
{
    char *const roots[] = {(char *)dir, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    double margin = rb_work_left(work) * MARGIN;
    FTSENT *e;

    if (!walk) {
        return rb_err_errno(err, errno, "%s", dir);
    }
    while (!u->complete && rb_work_left(work) > margin) {
        e = fts_read(walk);
        u->complete = e == NULL;
        if (e) {
            add_entry(u, e);
        }
    }
    (void)fts_close(walk);
    return 0;
}

json_t *rb_file_usage(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    json_int_t top = rb_json_int(args, "top", TOP_DEFAULT);
    struct usage u = {0};
    char *real = rb_file_folder(args, err);

    if (!real) {
        return NULL;
    }
    u.files.max = u.folders.max = top < 0 ? 0 : top > TOP_MAX ? TOP_MAX : (size_t)top;
    u.files.items = rb_xcalloc(u.files.max + 1, sizeof *u.files.items);
    u.folders.items = rb_xcalloc(u.folders.max + 1, sizeof *u.folders.items);
    int rc = measure(&u, real, work, err);
    json_t *out = json_pack("{s:I, s:I, s:b, s:I, s:o, s:o}", "bytes", (json_int_t)u.bytes, "files",
                            (json_int_t)u.count, "complete", u.complete, "hidden", (json_int_t)u.hidden, "biggest",
                            top_json(&u.files, false), "folders", top_json(&u.folders, true));
    free(real);
    if (rc != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}
