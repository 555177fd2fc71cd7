#include "file/read.h"

#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "system/open_files.h"

#define LIST_MAX 10000
#define FIND_DEFAULT 1000 /* more is an error, not a shorter list */
#define DEPTH_MAX 64

struct wanted {
    const char *name;     /* pattern, NULL = all */
    const char *type;     /* as rb_file_type says, NULL = any */
    const json_t *except; /* patterns */
    double older, newer;  /* seconds, 0 = any age */
    int64_t larger;       /* bytes, -1 = any size */
    size_t max;
    int depth;                        /* 1 = the folder itself */
    const struct rb_open_files *open; /* these are left out; NULL = none */
};

static bool is_excepted(const json_t *patterns, const char *name)
{
    const json_t *one;
    size_t i;

    json_array_foreach(patterns, i, one) {
        if (json_is_string(one) && fnmatch(json_string_value(one), name, 0) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_age(const struct wanted *wanted, const struct stat *st)
{
    double age = difftime(time(NULL), st->st_mtime);

    return (wanted->older <= 0 || age >= wanted->older) && (wanted->newer <= 0 || age <= wanted->newer);
}

static bool matches(const struct wanted *wanted, const FTSENT *entry)
{
    if (wanted->type && strcmp(rb_file_type(entry->fts_statp), wanted->type) != 0) {
        return false;
    }
    if ((wanted->name && fnmatch(wanted->name, entry->fts_name, FNM_PERIOD) != 0) ||
        is_excepted(wanted->except, entry->fts_name)) {
        return false;
    }
    return has_age(wanted, entry->fts_statp) && (wanted->larger < 0 || entry->fts_statp->st_size > wanted->larger) &&
           !(wanted->open && rb_open_files_has(wanted->open, entry->fts_statp));
}

static json_t *entry_json(const FTSENT *entry)
{
    return json_pack("{s:o, s:o, s:s, s:I, s:I}", "path", rb_json_bytes(entry->fts_path, entry->fts_pathlen), "name",
                     rb_json_bytes(entry->fts_name, entry->fts_namelen), "type", rb_file_type(entry->fts_statp), "size",
                     (json_int_t)entry->fts_statp->st_size, "mtime", (json_int_t)entry->fts_statp->st_mtime);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* One entry of the walk. 0 to go on. */
static int visit(FTS *walk, FTSENT *entry, const struct wanted *wanted, json_t *out, const char *dir,
                 struct rb_err *err)
{
    if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS) {
        return 0; /* seen on the way in, or gone between two looks */
    }
    if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR) {
        /* A folder that cannot be read: an answer without it would be wrong. */
        return rb_err_errno(err, entry->fts_errno, "%s", entry->fts_path);
    }
    if (entry->fts_level > 0 && matches(wanted, entry)) {
        if (json_array_size(out) == wanted->max) {
            return rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_list_many, dir, (int)wanted->max);
        }
        json_array_append_new(out, entry_json(entry));
    }
    if (entry->fts_info == FTS_D && entry->fts_level >= wanted->depth) {
        (void)fts_set(walk, entry, FTS_SKIP);
    }
    return 0;
}

static json_t *walk_dir(const char *dir, const struct wanted *wanted, const struct rb_work *work, struct rb_err *err)
{
    char *const roots[] = {(char *)dir, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, by_name);
    json_t *out = json_array();
    FTSENT *entry;
    int rc = 0;

    if (!walk) {
        rc = rb_err_errno(err, errno, "%s", dir);
    }
    while (rc == 0 && (entry = fts_read(walk)) != NULL) {
        rc = rb_work_left(work) > 0 ? visit(walk, entry, wanted, out, dir, err)
                                    : rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, dir);
    }
    if (walk) {
        (void)fts_close(walk);
    }
    if (rc != 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

char *rb_file_folder(const json_t *args, struct rb_err *err)
{
    char *real;
    const char *dir = rb_bind_path(args, "dir", err);
    struct stat st;

    if (!dir) {
        return NULL;
    }
    if (stat(dir, &st) != 0) {
        rb_err_errno(err, errno, "%s", dir);
        return NULL;
    }
    if (!S_ISDIR(st.st_mode)) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_directory, dir);
        return NULL;
    }
    real = realpath(dir, NULL);
    if (!real) {
        rb_err_errno(err, errno, "%s", dir);
    }
    return real;
}

static json_t *search(const json_t *args, const struct wanted *wanted, const struct rb_work *work, struct rb_err *err)
{
    char *real = rb_file_folder(args, err);
    json_t *out;

    if (!real) {
        return NULL;
    }
    out = walk_dir(real, wanted, work, err);
    free(real);
    return out;
}

json_t *rb_file_list(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct wanted wanted = {
        .name = json_string_value(json_object_get(args, "pattern")), .larger = -1, .max = LIST_MAX, .depth = 1};

    return search(args, &wanted, work, err);
}

json_t *rb_file_find(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    json_int_t max = rb_json_int(args, "max", FIND_DEFAULT), depth = rb_json_int(args, "depth", DEPTH_MAX);
    const char *type = rb_json_str(args, "type", "file");
    struct rb_open_files open = {0};
    struct wanted wanted = {.name = json_string_value(json_object_get(args, "name")),
                            .type = strcmp(type, "any") == 0 ? NULL : type,
                            .except = json_object_get(args, "except"),
                            .older = rb_bind_real(args, "older", 0),
                            .newer = rb_bind_real(args, "newer", 0),
                            .larger = rb_json_int(args, "larger", -1),
                            .max = max < 0          ? 0
                                   : max > LIST_MAX ? LIST_MAX
                                                    : (size_t)max,
                            .depth = depth < 1           ? 1
                                     : depth > DEPTH_MAX ? DEPTH_MAX
                                                         : (int)depth};
    json_t *out;

    if (rb_json_bool(args, "closed", false)) {
        rb_open_files_read(&open);
        wanted.open = &open;
    }
    out = search(args, &wanted, work, err);
    rb_open_files_free(&open);
    return out;
}
