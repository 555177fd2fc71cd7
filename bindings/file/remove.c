/* Removing: one name, or with tree = true a folder and all below it. Folders are gone through by their
 * descriptors, so that a link which takes a folder's place meanwhile leads nowhere. */
#include "file/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "file/place.h"

#define DEPTH_MAX 200 /* a descriptor each */

struct removal {
    const char *path;
    struct rb_work *work;
    dev_t device;
    bool for_real; /* the first round only looks */
    int64_t entries, bytes;
};

static int walk(struct removal *r, int dir, int depth, struct rb_err *err);

static bool is_mount_point(int dir, const char *name)
{
    struct statx stx;

    return statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &stx) == 0 &&
           (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* What may never go, wherever it is. */
static int check_entry(const struct removal *r, int dir, const char *name, const struct stat *st, struct rb_err *err)
{
    if (is_mount_point(dir, name) || st->st_dev != r->device) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_mount_point, r->path, name);
    }
    if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, name);
    }
    return rb_bind_allowed(r->work, st, name, err);
}

static int remove_name(struct removal *r, int dir, const char *name, const struct stat *st, int depth,
                       struct rb_err *err)
{
    int rc = check_entry(r, dir, name, st, err), fd;

    if (rc == 0 && S_ISDIR(st->st_mode)) {
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rc = fd < 0 ? rb_err_errno(err, errno, "%s: %s", r->path, name) : walk(r, fd, depth + 1, err);
    }
    if (rc != 0 || !r->for_real) {
        return rc;
    }
    r->entries++;
    r->bytes += S_ISREG(st->st_mode) ? st->st_size : 0;
    rc = unlinkat(dir, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0);
    return rc == 0 || errno == ENOENT ? 0 : rb_err_errno(err, errno, "%s: %s", r->path, name);
}

/* Takes dir. */
static int walk(struct removal *r, int dir, int depth, struct rb_err *err)
{
    DIR *list = fdopendir(dir);
    struct dirent *entry;
    struct stat st;
    int rc = depth <= DEPTH_MAX ? 0 : rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_tree_deep, r->path, DEPTH_MAX);

    if (!list) {
        rc = rb_err_errno(err, errno, "%s", r->path);
        close(dir);
        return rc;
    }
    while (rc == 0 && (entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (rb_work_left(r->work) <= 0) {
            rc = rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, r->path);
        } else if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            rc = remove_name(r, dir, entry->d_name, &st, depth, err);
        }
    }
    closedir(list);
    return rc;
}

/* "/" and what lies directly in it: never what somebody meant. */
static bool is_top(const struct rb_place *place)
{
    struct stat root, parent;

    return stat("/", &root) == 0 && fstat(place->dir, &parent) == 0 && root.st_dev == parent.st_dev &&
           root.st_ino == parent.st_ino;
}

static int remove_tree(struct removal *r, const struct rb_place *place, const struct stat *st, struct rb_err *err)
{
    int rc;

    if (is_top(place)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_top_folder, r->path);
    }
    r->device = st->st_dev;
    rc = remove_name(r, place->dir, place->name, st, 0, err);
    r->for_real = true;
    return rc == 0 ? remove_name(r, place->dir, place->name, st, 0, err) : rc;
}

static int remove_one(struct removal *r, const struct rb_place *place, const struct stat *st, struct rb_err *err)
{
    bool dir = S_ISDIR(st->st_mode);

    if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, r->path);
    }
    if (unlinkat(place->dir, place->name, dir ? AT_REMOVEDIR : 0) != 0) {
        return dir && (errno == ENOTEMPTY || errno == EEXIST)
                   ? rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_empty, r->path)
                   : rb_err_errno(err, errno, "%s", r->path);
    }
    r->entries = 1;
    r->bytes = S_ISREG(st->st_mode) ? st->st_size : 0;
    return 0;
}

json_t *rb_file_remove(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct removal r = {.path = rb_bind_path(args, "path", err), .work = work};
    struct rb_place place;
    struct stat st;
    int rc;

    if (!r.path || rb_place_open(&place, r.path, err) != 0) {
        return NULL;
    }
    rc = rb_place_stat(&place, work, &st, err);
    if (rc == 0) {
        bool tree = S_ISDIR(st.st_mode) && rb_json_bool(args, "tree", false);
        rc = tree ? remove_tree(&r, &place, &st, err) : remove_one(&r, &place, &st, err);
    }
    rc = rc == 0 ? rb_place_sync(&place, err) : rc;
    rb_place_close(&place);
    return rc == 0 ? json_pack("{s:I, s:I}", "bytes", (json_int_t)r.bytes, "entries", (json_int_t)r.entries) : NULL;
}
