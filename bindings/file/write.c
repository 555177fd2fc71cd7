#include "file/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "file/place.h"
#include "file/read.h"

#define BACKUP_NAMES 100 /* of one second */

int rb_file_mode(const json_t *args, int fallback, struct rb_err *err)
{
    const json_t *mode = json_object_get(args, "mode");
    char *end = NULL;
    long value = fallback;

    if (json_is_string(mode)) {
        value = strtol(json_string_value(mode), &end, 8);
        value = *json_string_value(mode) && !*end ? value : -1;
    } else if (json_is_integer(mode)) {
        value = (long)json_integer_value(mode);
    } else if (mode && !json_is_null(mode)) {
        value = -1;
    } else {
        return fallback;
    }
    if (value < 0 || value > 07777) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_mode);
        return -1;
    }
    return (int)value;
}

int rb_file_part(const char *path, char part[PATH_MAX], struct rb_err *err)
{
    int fd;

    (void)snprintf(part, PATH_MAX, "%s.part-%d", path, (int)getpid());
    fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 ? fd : rb_err_errno(err, errno, "%s", part);
}

static int write_all(int fd, const char *data, size_t len, const char *name, struct rb_err *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0) {
            return rb_err_errno(err, errno, "%s", name);
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int get_data(const json_t *args, struct rb_buf *out, struct rb_err *err)
{
    rb_buf_init(out, RB_FILE_PIECE * 2);
    if (rb_json_bytes_get(json_object_get(args, "data"), out) != 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_data);
    }
    return 0;
}

json_t *rb_file_probe(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *dir = rb_bind_path(args, "dir", err);
    char part[PATH_MAX], name[PATH_MAX];
    struct rb_err why = {0};
    int fd;

    (void)work;
    if (!dir) {
        return NULL;
    }
    (void)snprintf(name, sizeof name, "%s/.runbook-probe", dir);
    fd = rb_file_part(name, part, &why);
    if (fd < 0) {
        return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", rb_err_name(why.code), "message", why.text);
    }
    if (write_all(fd, "probe\n", 6, part, &why) == 0 && fsync(fd) != 0) {
        rb_err_errno(&why, errno, "%s", part);
    }
    if (unlink(part) != 0 && why.code == 0) {
        rb_err_errno(&why, errno, "%s", part);
    }
    close(fd);
    return why.code == 0 ? json_pack("{s:b}", "ok", 1)
                         : json_pack("{s:b, s:s, s:s}", "ok", 0, "code", rb_err_name(why.code), "message", why.text);
}

/* One folder, three names in it: the file, its next content, and its last. */
struct replacing {
    char path[PATH_MAX]; /* links resolved: the file itself is replaced, not the link to it */
    struct rb_place at, part, backup;
    struct stat old_st;
    int old; /* -1 = a new file */
    int mode;
    bool kept;
};

/* A new name PATH.bak-TIME. Its descriptor or a negative RB_E*. */
static int create_backup(struct replacing *r, struct rb_err *err)
{
    char time[RB_TIME_MAX], suffix[RB_TIME_MAX + 32];
    struct rb_err why = {0};
    int fd = RB_EEXISTS;

    rb_clock_format(rb_clock_utc_us(), 0, time);
    for (int i = 0; i < BACKUP_NAMES && fd == RB_EEXISTS; i++) {
        (void)(i == 0 ? snprintf(suffix, sizeof suffix, ".bak-%s", time)
                      : snprintf(suffix, sizeof suffix, ".bak-%s-%d", time, i));
        fd = rb_place_beside(&r->at, suffix, &r->backup, &why);
        fd = fd == 0 ? rb_place_create(&r->backup, &why) : fd;
    }
    if (fd < 0 && err) {
        *err = why;
    }
    return fd;
}

/* The old content under another name, with its owner and mode. */
static int keep_old(struct replacing *r, struct rb_work *work, struct rb_err *err)
{
    int fd = create_backup(r, err), rc;

    if (fd < 0) {
        return fd;
    }
    rc = rb_file_pump(r->old, fd, r->path, work, err);
    if (rc == 0 && (fchown(fd, r->old_st.st_uid, r->old_st.st_gid) != 0 || fchmod(fd, r->old_st.st_mode & 07777) != 0 ||
                    fsync(fd) != 0)) {
        rc = rb_err_errno(err, errno, "%s", r->backup.name);
    }
    close(fd);
    if (rc != 0) {
        (void)unlinkat(r->backup.dir, r->backup.name, 0);
    }
    r->kept = rc == 0;
    return rc;
}

static int write_part(struct replacing *r, const struct rb_buf *data, struct rb_err *err)
{
    char suffix[32];
    int fd, rc;

    (void)snprintf(suffix, sizeof suffix, ".part-%d", (int)getpid());
    rc = rb_place_beside(&r->at, suffix, &r->part, err);
    fd = rc == 0 ? rb_place_create(&r->part, err) : rc;
    if (fd < 0) {
        return fd;
    }
    rc = write_all(fd, rb_buf_str(data), data->len, r->path, err);
    if (rc == 0 && ((r->old >= 0 && fchown(fd, r->old_st.st_uid, r->old_st.st_gid) != 0) ||
                    fchmod(fd, (mode_t)r->mode) != 0 || fsync(fd) != 0)) {
        rc = rb_err_errno(err, errno, "%s", r->path);
    }
    close(fd);
    if (rc == 0 && renameat(r->part.dir, r->part.name, r->at.dir, r->at.name) != 0) {
        rc = rb_err_errno(err, errno, "%s", r->path);
    }
    if (rc != 0) {
        (void)unlinkat(r->part.dir, r->part.name, 0);
    }
    return rc;
}

/* Of a file that is not there yet, its folder is real. */
static int real_path(const char *path, char out[PATH_MAX], struct rb_err *err)
{
    char parent[PATH_MAX], *slash;
    size_t len;

    if (rb_place_stays(path, err) != 0) {
        return RB_EUSAGE;
    }
    if (realpath(path, out)) {
        return 0;
    }
    (void)snprintf(parent, sizeof parent, "%s", path);
    slash = strrchr(parent, '/');
    *slash = '\0';
    if (errno != ENOENT || !realpath(*parent ? parent : "/", out)) {
        return rb_err_errno(err, errno, "%s", path);
    }
    len = strlen(out);
    if (snprintf(out + len, PATH_MAX - len, "%s%s", len == 1 ? "" : "/", slash + 1) >= (int)(PATH_MAX - len)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_long, "path");
    }
    return 0;
}

static int resolve(struct replacing *r, const char *path, const json_t *args, const struct rb_work *work,
                   struct rb_err *err)
{
    struct rb_err why = {0};
    int rc = real_path(path, r->path, err);

    rc = rc == 0 ? rb_place_open_real(&r->at, r->path, err) : rc;
    if (rc != 0) {
        return rc;
    }
    r->old = rb_place_read(&r->at, work, &r->old_st, &why);
    if (r->old < 0 && why.code != RB_ENOT_FOUND) {
        if (err) {
            *err = why;
        }
        return why.code;
    }
    r->mode = rb_file_mode(args, r->old >= 0 ? (int)(r->old_st.st_mode & 07777) : 0644, err);
    return r->mode < 0 ? RB_EUSAGE : 0;
}

static int replace(struct replacing *r, const struct rb_buf *data, bool backup, struct rb_work *work,
                   struct rb_err *err)
{
    int rc = backup && r->old >= 0 ? keep_old(r, work, err) : 0;

    rc = rc == 0 ? write_part(r, data, err) : rc;
    return rc == 0 ? rb_place_sync(&r->at, err) : rc;
}

static json_t *replaced(const struct replacing *r, size_t bytes)
{
    char backup[PATH_MAX + NAME_MAX];
    size_t folder = (size_t)(strrchr(r->path, '/') + 1 - r->path);

    (void)snprintf(backup, sizeof backup, "%.*s%s", (int)folder, r->path, r->backup.name);
    return json_pack("{s:o, s:I, s:o*}", "path", rb_json_bytes(r->path, strlen(r->path)), "bytes", (json_int_t)bytes,
                     "backup", r->kept ? rb_json_bytes(backup, strlen(backup)) : NULL);
}

json_t *rb_file_write(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct replacing r = {.old = -1, .at.dir = -1};
    struct rb_buf data;
    json_t *out = NULL;

    if (!path) {
        return NULL;
    }
    if (get_data(args, &data, err) == 0 && resolve(&r, path, args, work, err) == 0 &&
        replace(&r, &data, rb_json_bool(args, "backup", true), work, err) == 0) {
        out = replaced(&r, data.len);
    }
    if (r.old >= 0) {
        close(r.old);
    }
    rb_place_close(&r.at);
    rb_buf_deinit(&data);
    return out;
}

json_t *rb_file_append(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct stat st = {0};
    struct rb_buf data;
    json_t *out = NULL;
    int fd = -1;

    if (!path) {
        return NULL;
    }
    if (get_data(args, &data, err) == 0) {
        fd = rb_bind_open(work, path, O_WRONLY | O_APPEND | O_CREAT, &st, err);
    }
    if (fd >= 0 && !S_ISREG(st.st_mode)) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, path);
    } else if (fd >= 0 && write_all(fd, rb_buf_str(&data), data.len, path, err) == 0) {
        if (fsync(fd) != 0) {
            rb_err_errno(err, errno, "%s", path);
        } else if (rb_bind_sync_parent(path, err) == 0) {
            out = json_pack("{s:I, s:I}", "bytes", (json_int_t)data.len, "size",
                            (json_int_t)(st.st_size + (off_t)data.len));
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    rb_buf_deinit(&data);
    return out;
}

json_t *rb_file_mkdir(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    int mode = path ? rb_file_mode(args, 0755, err) : -1;
    struct stat st;
    int rc = 0;

    (void)work;
    if (mode < 0) {
        return NULL;
    }
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return json_pack("{s:b}", "created", 0);
    }
    if (rb_json_bool(args, "parents", true)) {
        rc = rb_files_mkdirs(path, mode, err);
    } else if (mkdir(path, (mode_t)mode) != 0) {
        rc = rb_err_errno(err, errno, "%s", path);
    }
    rc = rc == 0 ? rb_bind_sync_parent(path, err) : rc;
    return rc == 0 ? json_pack("{s:b}", "created", 1) : NULL;
}

json_t *rb_file_chmod(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    int mode = path ? rb_file_mode(args, -1, err) : -1;
    struct stat st;
    json_t *out = NULL;
    int fd;

    if (mode < 0) {
        if (path && err && err->code == 0) {
            rb_err_set(err, RB_EUSAGE, RB_T_bindings_mode);
        }
        return NULL;
    }
    fd = rb_bind_open(work, path, O_RDONLY, &st, err);
    if (fd < 0) {
        return NULL;
    }
    if (fchmod(fd, (mode_t)mode) != 0) {
        rb_err_errno(err, errno, "%s", path);
    } else {
        out = json_pack("{s:i}", "before", (int)(st.st_mode & 07777));
    }
    close(fd);
    return out;
}
