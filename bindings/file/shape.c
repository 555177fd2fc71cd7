#include "file/shape.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "file/place.h"

#define KEEP_MAX \
    (64ll << 20) /* it is in memory while the file is cut: a full disk has no room for a copy \
                  */

static bool user_id(const char *name, uid_t *uid)
{
    struct passwd entry, *found = NULL;
    char space[4096];

    (void)getpwnam_r(name, &entry, space, sizeof space, &found);
    *uid = found ? found->pw_uid : (uid_t)-1;
    return found != NULL;
}

static bool group_id(const char *name, gid_t *gid)
{
    struct group entry, *found = NULL;
    char space[16384];

    (void)getgrnam_r(name, &entry, space, sizeof space, &found);
    *gid = found ? found->gr_gid : (gid_t)-1;
    return found != NULL;
}

/* A number as it is, a name looked up; absent = (id)-1, unchanged. */
static int owner_of(const json_t *args, uid_t *uid, gid_t *gid, struct rb_err *err)
{
    const json_t *owner = json_object_get(args, "owner"), *group = json_object_get(args, "group");

    *uid = json_is_integer(owner) ? (uid_t)json_integer_value(owner) : (uid_t)-1;
    *gid = json_is_integer(group) ? (gid_t)json_integer_value(group) : (gid_t)-1;
    if (json_is_string(owner) && !user_id(json_string_value(owner), uid)) {
        return rb_err_set(err, RB_ENOT_FOUND, RB_T_bindings_no_user, json_string_value(owner));
    }
    if (json_is_string(group) && !group_id(json_string_value(group), gid)) {
        return rb_err_set(err, RB_ENOT_FOUND, RB_T_bindings_no_group, json_string_value(group));
    }
    return *uid == (uid_t)-1 && *gid == (gid_t)-1 ? rb_err_set(err, RB_EUSAGE, RB_T_bindings_owner) : 0;
}

json_t *rb_file_chown(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct rb_place place;
    struct stat st;
    uid_t uid;
    gid_t gid;
    int rc = path ? owner_of(args, &uid, &gid, err) : RB_EUSAGE;

    if (rc != 0 || rb_place_open(&place, path, err) != 0) {
        return NULL;
    }
    rc = rb_place_stat(&place, work, &st, err);
    if (rc == 0 && fchownat(place.dir, place.name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
        rc = rb_err_errno(err, errno, "%s", path);
    }
    rb_place_close(&place);
    return rc == 0 ? json_pack("{s:{s:I, s:I}}", "before", "uid", (json_int_t)st.st_uid, "gid", (json_int_t)st.st_gid)
                   : NULL;
}

json_t *rb_file_parent(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    char *slash, *copy, *real;
    json_t *out;

    (void)work;
    if (!path) {
        return NULL;
    }
    copy = rb_xstrdup(path);
    slash = strrchr(copy, '/');
    *(slash == copy ? slash + 1 : slash) = '\0';
    real = realpath(copy, NULL);
    if (!real && errno != ENOENT && errno != ENOTDIR) {
        rb_err_errno(err, errno, "%s", copy);
        free(copy);
        return NULL;
    }
    out = real ? rb_json_bytes(real, strlen(real)) : json_null();
    free(real);
    free(copy);
    return out;
}

/* ---- cut ---- */

struct cut {
    const char *path;
    char *kept;
    size_t len;
    int64_t before;
};

/* The last whole lines of at most keep bytes. */
static int read_end(struct cut *c, int fd, int64_t keep, struct rb_err *err)
{
    int64_t from = c->before > keep ? c->before - keep : 0;
    const char *newline;
    ssize_t n = 0;

    c->kept = malloc((size_t)(c->before - from) + 1);
    while (c->kept && from + (int64_t)c->len < c->before &&
           (n = pread(fd, c->kept + c->len, (size_t)(c->before - from) - c->len, from + (off_t)c->len)) > 0) {
        c->len += (size_t)n;
    }
    if (!c->kept || n < 0) {
        return rb_err_errno(err, errno, "%s", c->path);
    }
    newline = from > 0 && c->len > 0 ? memchr(c->kept, '\n', c->len) : NULL;
    if (newline) {
        c->len -= (size_t)(newline + 1 - c->kept);
        memmove(c->kept, newline + 1, c->len);
    }
    return 0;
}

/* In place: whoever has it open goes on writing into it. What is written in the instant between is lost. */
static int rewrite(const struct cut *c, int fd, struct rb_err *err)
{
    if (ftruncate(fd, 0) != 0) {
        return rb_err_errno(err, errno, "%s", c->path);
    }
    errno = ENOSPC; /* what a short write means */
    if (c->len > 0 && write(fd, c->kept, c->len) != (ssize_t)c->len) {
        return rb_err_errno(err, errno, "%s", c->path);
    }
    return fsync(fd) == 0 ? 0 : rb_err_errno(err, errno, "%s", c->path);
}

json_t *rb_file_cut(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    int64_t keep = rb_json_int(args, "keep", 0);
    struct cut c = {.path = rb_bind_path(args, "path", err)};
    struct stat st;
    int fd, rc;

    if (!c.path) {
        return NULL;
    }
    if (keep < 0 || keep > KEEP_MAX) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_cut_keep, KEEP_MAX);
        return NULL;
    }
    fd = rb_bind_open(work, c.path, O_RDWR | O_APPEND | O_NOFOLLOW, &st, err);
    if (fd < 0) {
        return NULL;
    }
    c.before = st.st_size;
    rc = S_ISREG(st.st_mode) ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, c.path);
    rc = rc == 0 && c.before > keep ? read_end(&c, fd, keep, err) : rc;
    rc = rc == 0 && c.before > keep ? rewrite(&c, fd, err) : rc;
    free(c.kept);
    close(fd);
    return rc == 0 ? json_pack("{s:I, s:I}", "before", (json_int_t)c.before, "size",
                               (json_int_t)(c.before > keep ? (int64_t)c.len : c.before))
                   : NULL;
}
