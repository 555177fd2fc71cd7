#include "file/read.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "file/hash.h"
#include "file/tree.h"

#define READ_DEFAULT (1ll << 20)
#define TAIL_DEFAULT (64ll << 10)

const char *rb_file_type(const struct stat *st)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "dir";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    case S_IFBLK:
        return "block";
    default:
        return "char";
    }
}

/* A descriptor of a regular file; -1 with *missing when there is none. */
static int open_regular(const json_t *args, const struct rb_work *work, struct stat *st, bool *missing,
                        struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct rb_err why = {0};
    int fd;

    *missing = false;
    if (!path) {
        return -1;
    }
    fd = rb_bind_open(work, path, O_RDONLY, st, &why);
    if (fd >= 0 && !S_ISREG(st->st_mode)) {
        close(fd);
        fd = rb_err_set(&why, RB_EUSAGE, RB_T_bindings_not_regular, path);
    }
    *missing = why.code == RB_ENOT_FOUND;
    if (fd < 0 && err) {
        *err = why;
    }
    return fd < 0 ? -1 : fd;
}

/* At most max bytes from offset; files of /proc say size 0 and still have content. */
static json_t *read_part(int fd, const char *path, int64_t offset, int64_t max, struct rb_err *err)
{
    char *data = malloc((size_t)max + 1);
    json_t *out = NULL;
    int64_t len = 0;
    ssize_t n = 0;

    if (!data) {
        rb_err_errno(err, errno, "%s", path);
        return NULL;
    }
    while (len < max && (n = pread(fd, data + len, (size_t)(max - len), offset + len)) > 0) {
        len += n;
    }
    if (n < 0) {
        rb_err_errno(err, errno, "%s", path);
    } else {
        out = rb_json_bytes(data, (size_t)len);
    }
    free(data);
    return out;
}

/* The argument `max` or `bytes`, or -1 with RB_EUSAGE when it is too much for one answer. */
static int64_t limit(const json_t *args, const char *key, int64_t fallback, struct rb_err *err)
{
    int64_t max = rb_json_int(args, key, fallback);

    if (max >= 0 && max <= RB_FILE_PIECE) {
        return max;
    }
    rb_err_set(err, RB_EUSAGE, RB_T_bindings_file_max, RB_FILE_PIECE);
    return -1;
}

json_t *rb_file_read(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    int64_t offset = rb_json_int(args, "offset", 0), max = limit(args, "max", READ_DEFAULT, err);
    const char *path = rb_json_str(args, "path", "");
    struct stat st;
    json_t *out = NULL;
    bool missing;
    int fd;

    if (max < 0) {
        return NULL;
    }
    fd = open_regular(args, work, &st, &missing, err);
    if (fd < 0) {
        return missing ? json_null() : NULL;
    }
    if (!json_is_integer(json_object_get(args, "max")) && st.st_size - offset > max) {
        /* A part that nobody asked for would be taken for the whole. */
        rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_file_large, path, (long long)st.st_size, RB_FILE_PIECE);
    } else {
        out = read_part(fd, path, offset > 0 ? offset : 0, max, err);
    }
    close(fd);
    return out;
}

static json_t *user_name(uid_t uid)
{
    struct passwd entry, *found = NULL;
    char space[4096];

    (void)getpwuid_r(uid, &entry, space, sizeof space, &found);
    return found ? rb_json_bytes(found->pw_name, strlen(found->pw_name)) : NULL;
}

static json_t *group_name(gid_t gid)
{
    struct group entry, *found = NULL;
    char space[16384];

    (void)getgrgid_r(gid, &entry, space, sizeof space, &found);
    return found ? rb_json_bytes(found->gr_name, strlen(found->gr_name)) : NULL;
}

json_t *rb_file_stat(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct stat st;
    char real[PATH_MAX];

    (void)work;
    if (!path) {
        return NULL;
    }
    if ((rb_json_bool(args, "follow", true) ? stat(path, &st) : lstat(path, &st)) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return json_null();
        }
        rb_err_errno(err, errno, "%s", path);
        return NULL;
    }
    return json_pack("{s:I, s:I, s:i, s:I, s:I, s:o*, s:o*, s:s, s:s, s:I, s:I, s:I}", "size", (json_int_t)st.st_size,
                     "mtime", (json_int_t)st.st_mtime, "mode", (int)(st.st_mode & 07777), "uid", (json_int_t)st.st_uid,
                     "gid", (json_int_t)st.st_gid, "owner", user_name(st.st_uid), "group", group_name(st.st_gid),
                     "type", rb_file_type(&st), "path", realpath(path, real) ? real : path, "dev",
                     (json_int_t)st.st_dev, "inode", (json_int_t)st.st_ino, "links", (json_int_t)st.st_nlink);
}

/* Where the last `lines` lines of data begin. */
static size_t last_lines(const char *data, size_t len, int64_t lines)
{
    size_t at = len;

    if (at > 0 && data[at - 1] == '\n') {
        at--; /* ends the last line, begins none */
    }
    while (at > 0) {
        if (data[at - 1] == '\n' && --lines <= 0) {
            return at;
        }
        at--;
    }
    return 0;
}

/* Whole lines, unless a single one is longer than what may be read. */
static json_t *tail_part(int fd, const char *path, int64_t size, int64_t bytes, int64_t lines, struct rb_err *err)
{
    int64_t from = size > bytes ? size - bytes : 0;
    char *data = malloc((size_t)bytes + 1);
    const char *newline;
    size_t start = 0;
    json_t *out;
    ssize_t n = data ? pread(fd, data, (size_t)(size - from), from) : -1;

    if (n < 0) {
        rb_err_errno(err, errno, "%s", path);
        free(data);
        return NULL;
    }
    if (from > 0 && (newline = memchr(data, '\n', (size_t)n)) != NULL && newline + 1 < data + n) {
        start = (size_t)(newline + 1 - data);
    }
    if (lines > 0) {
        start += last_lines(data + start, (size_t)n - start, lines);
    }
    out = rb_json_bytes(data + start, (size_t)n - start);
    free(data);
    return out;
}

json_t *rb_file_tail(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    int64_t lines = rb_json_int(args, "lines", 0);
    int64_t bytes = limit(args, "bytes", lines > 0 ? READ_DEFAULT : TAIL_DEFAULT, err);
    struct stat st;
    json_t *out;
    bool missing;
    int fd;

    if (bytes < 0) {
        return NULL;
    }
    fd = open_regular(args, work, &st, &missing, err);
    if (fd < 0) {
        return missing ? json_null() : NULL;
    }
    out = tail_part(fd, rb_json_str(args, "path", ""), st.st_size, bytes, lines, err);
    close(fd);
    return out;
}

json_t *rb_file_digest(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_json_str(args, "path", "");
    char hash[RB_HEX_SIZE], real[PATH_MAX];
    struct stat st;
    bool missing;
    int fd, rc;

    if (path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode) && realpath(path, real)) {
        return rb_tree_digest(real, work, hash, err) == 0 ? json_string(hash) : NULL;
    }
    fd = open_regular(args, work, &st, &missing, err);
    if (fd < 0) {
        return missing ? json_null() : NULL;
    }
    rc = rb_file_hash(fd, work, rb_json_str(args, "path", ""), hash, err);
    close(fd);
    return rc == 0 ? json_string(hash) : NULL;
}
