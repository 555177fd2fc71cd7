#include "file/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "base/json.h"
#include "file/place.h"

#define CHUNK (256 << 10)
#define GZIP (15 + 16)            /* window bits, and a gzip header in place of zlib's */
#define UNPACKED_MAX (16ll << 30) /* of gunzip, unless max says otherwise */

/* Where the bytes of a stream go: a file, or nowhere. */
struct sink {
    int fd; /* -1 = nowhere */
    int64_t size, max;
    const char *name;
};

static int put(struct sink *sink, const unsigned char *data, size_t len, struct rb_err *err)
{
    sink->size += (int64_t)len;
    if (sink->size > sink->max) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_unpacked_large, sink->name, (long long)sink->max);
    }
    while (sink->fd >= 0 && len > 0) {
        ssize_t n = write(sink->fd, data, len);
        if (n < 0) {
            return rb_err_errno(err, errno, "%s", sink->name);
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

struct pump {
    z_stream z;
    unsigned char in[CHUNK], out[CHUNK];
    off_t at;
    int64_t total;
    const char *name;
    struct rb_work *work;
};

/* The next bytes of fd. How many, 0 at its end, or a negative RB_E*. */
static long fill(struct pump *p, int fd, struct rb_err *err)
{
    ssize_t n = pread(fd, p->in, CHUNK, p->at);

    if (n < 0) {
        return rb_err_errno(err, errno, "%s", p->name);
    }
    if (rb_work_left(p->work) <= 0) {
        return rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, p->name);
    }
    p->at += n;
    p->z.next_in = p->in;
    p->z.avail_in = (uInt)n;
    rb_work_progress(p->work, p->at < p->total ? p->at : p->total, p->total, "bytes");
    return n;
}

static struct pump *pump_new(int fd, const char *name, struct rb_work *work)
{
    struct pump *p = rb_xcalloc(1, sizeof *p);
    struct stat st = {0};

    (void)fstat(fd, &st);
    p->total = st.st_size;
    p->name = name;
    p->work = work;
    return p;
}

static int deflate_some(struct pump *p, int flush, struct sink *to, struct rb_err *err)
{
    int rc = 0;

    do {
        p->z.next_out = p->out;
        p->z.avail_out = CHUNK;
        (void)deflate(&p->z, flush); /* cannot fail: the stream is sound and the output never full */
        rc = put(to, p->out, CHUNK - p->z.avail_out, err);
    } while (rc == 0 && p->z.avail_out == 0);
    return rc;
}

static int pack(int from, int to, const char *name, int level, struct rb_work *work, struct rb_err *err)
{
    struct pump *p = pump_new(from, name, work);
    struct sink sink = {.fd = to, .max = INT64_MAX, .name = name};
    long n = 0;
    int rc = deflateInit2(&p->z, level, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) == Z_OK
                 ? 0
                 : rb_err_errno(err, ENOMEM, "%s", name);

    if (rc == 0) {
        while (rc == 0 && (n = fill(p, from, err)) > 0) {
            rc = deflate_some(p, Z_NO_FLUSH, &sink, err);
        }
        rc = n < 0 ? (int)n : rc;
        rc = rc == 0 ? deflate_some(p, Z_FINISH, &sink, err) : rc;
        (void)deflateEnd(&p->z);
    }
    free(p);
    return rc;
}

/* One buffer of input. 1 when a member of the stream ended, 0, or a negative RB_E*. */
static int inflate_some(struct pump *p, struct sink *to, struct rb_err *err)
{
    int said = Z_OK, rc = 0;

    do {
        p->z.next_out = p->out;
        p->z.avail_out = CHUNK;
        said = inflate(&p->z, Z_NO_FLUSH);
        if (said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR) {
            return rb_err_set(err, RB_ECORRUPT, RB_T_bindings_gzip_damaged, p->name, p->z.msg ? p->z.msg : "?");
        }
        rc = put(to, p->out, CHUNK - p->z.avail_out, err);
        if (rc == 0 && rb_work_left(p->work) <= 0) {
            rc = rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, p->name); /* a small input may hold very much */
        }
        if (rc == 0 && said == Z_STREAM_END) {
            if (p->z.avail_in == 0) {
                return 1;
            }
            (void)inflateReset(&p->z); /* another member follows */
        }
    } while (rc == 0 && (p->z.avail_out == 0 || p->z.avail_in > 0) && said != Z_BUF_ERROR);
    return rc;
}

static int unpack(int from, struct sink *to, struct rb_work *work, struct rb_err *err)
{
    struct pump *p = pump_new(from, to->name, work);
    bool ended = false;
    long n = 0;
    int rc = inflateInit2(&p->z, GZIP) == Z_OK ? 0 : rb_err_errno(err, ENOMEM, "%s", to->name);

    if (rc == 0) {
        while (rc >= 0 && (n = fill(p, from, err)) > 0) {
            if (ended) {
                (void)inflateReset(&p->z);
            }
            rc = inflate_some(p, to, err);
            ended = rc == 1;
        }
        (void)inflateEnd(&p->z);
        rc = n < 0 ? (int)n : rc;
    }
    free(p);
    if (rc >= 0 && !ended) {
        return rb_err_set(err, RB_ECORRUPT, RB_T_bindings_gzip_damaged, to->name, "unexpected end of file");
    }
    return rc < 0 ? rc : 0;
}

int rb_pack_verify(int fd, const char *name, struct rb_work *work, int64_t *size, struct rb_err *err)
{
    struct sink nowhere = {.fd = -1, .max = INT64_MAX, .name = name};
    int rc = unpack(fd, &nowhere, work, err);

    *size = nowhere.size;
    return rc;
}

/* A lease to read is to be had only while nobody has the file open for writing. A file system that knows no
 * leases, or a file of somebody else, says nothing. */
static bool is_written(int fd)
{
    bool written;

    (void)fcntl(fd, F_SETSIG, SIGURG); /* whoever opens it meanwhile must not end us */
    written = fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return written;
}

static int check_quiet(int fd, const struct stat *then, const char *path, struct rb_err *err)
{
    struct stat now;

    if (fstat(fd, &now) != 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    if (is_written(fd) || now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != then->st_mtim.tv_nsec) {
        return rb_err_set(err, RB_EBUSY, RB_T_bindings_being_written, path);
    }
    return 0;
}

static int like(int fd, const struct stat *st, const char *path, struct rb_err *err)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    if ((fchown(fd, st->st_uid, st->st_gid) != 0 && errno != EPERM) || fchmod(fd, st->st_mode & 07777) != 0 ||
        futimens(fd, times) != 0 || fsync(fd) != 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    return 0;
}

/* One file in two forms while one takes the other's place. */
struct change {
    struct rb_place from, part, to;
    struct stat st;
    int in, out;
};

static int change_open(struct change *c, const char *path, struct rb_work *work, struct rb_err *err)
{
    int rc;

    c->in = c->out = -1;
    rc = rb_place_open(&c->from, path, err);
    c->in = rc == 0 ? rb_place_read(&c->from, work, &c->st, err) : -1;
    if (c->in < 0) {
        return rc ? rc : c->in;
    }
    c->to = c->from;
    return check_quiet(c->in, &c->st, path, err);
}

static int change_begin(struct change *c, struct rb_err *err)
{
    char suffix[32];
    struct stat there;

    if (fstatat(c->to.dir, c->to.name, &there, AT_SYMLINK_NOFOLLOW) == 0) {
        return rb_err_set(err, RB_EEXISTS, RB_T_bindings_exists, c->to.name);
    }
    (void)snprintf(suffix, sizeof suffix, ".part-%d", (int)getpid());
    if (rb_place_beside(&c->to, suffix, &c->part, err) != 0) {
        return RB_EUSAGE;
    }
    c->out = rb_place_create(&c->part, err);
    return c->out < 0 ? c->out : 0;
}

/* The new form is whole: it gets its name, then the old one goes. */
static int change_end(struct change *c, struct rb_err *err)
{
    int rc = like(c->out, &c->st, c->from.path, err);

    rc = rc == 0 ? check_quiet(c->in, &c->st, c->from.path, err) : rc;
    rc = rc == 0 ? rb_place_move(&c->part, &c->to, err) : rc;
    if (rc != 0) {
        (void)unlinkat(c->part.dir, c->part.name, 0);
        return rc;
    }
    rc = rb_place_sync(&c->to, err);
    if (rc == 0 && unlinkat(c->from.dir, c->from.name, 0) != 0) {
        rc = rb_err_errno(err, errno, "%s", c->from.path);
    }
    return rc == 0 ? rb_place_sync(&c->from, err) : rc;
}

static json_t *change_close(struct change *c, int rc)
{
    json_t *out = NULL;
    struct stat st = {0};

    if (rc == 0) {
        const char *slash = strrchr(c->from.path, '/');
        char path[PATH_MAX + NAME_MAX];
        (void)fstat(c->out, &st);
        (void)snprintf(path, sizeof path, "%.*s/%s", (int)(slash - c->from.path), c->from.path, c->to.name);
        out = json_pack("{s:o, s:I, s:I}", "path", rb_json_bytes(path, strlen(path)), "before",
                        (json_int_t)c->st.st_size, "size", (json_int_t)st.st_size);
    } else if (c->out >= 0) {
        (void)unlinkat(c->part.dir, c->part.name, 0);
    }
    if (c->in >= 0) {
        close(c->in);
    }
    if (c->out >= 0) {
        close(c->out);
    }
    rb_place_close(&c->from);
    return out;
}

json_t *rb_file_gzip(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    json_int_t level = rb_json_int(args, "level", 6);
    struct change c = {.in = -1, .out = -1};
    int64_t size = 0;
    int rc = path ? 0 : RB_EUSAGE;

    if (rc == 0 && (level < 1 || level > 9)) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_gzip_level);
    }
    if (rc != 0) {
        return NULL;
    }
    rc = change_open(&c, path, work, err);
    rc = rc == 0 ? rb_place_beside(&c.from, ".gz", &c.to, err) : rc;
    rc = rc == 0 ? change_begin(&c, err) : rc;
    rc = rc == 0 ? pack(c.in, c.out, path, (int)level, work, err) : rc;
    rc = rc == 0 ? rb_pack_verify(c.out, path, work, &size, err) : rc;
    if (rc == 0 && size != c.st.st_size) {
        rc = rb_err_set(err, RB_EBUSY, RB_T_bindings_being_written, path);
    }
    rc = rc == 0 ? change_end(&c, err) : rc;
    return change_close(&c, rc);
}

json_t *rb_file_gunzip(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct change c = {.in = -1, .out = -1};
    size_t len = path ? strlen(path) : 0;
    struct sink sink = {.max = rb_json_int(args, "max", UNPACKED_MAX), .name = path};
    int rc;

    if (!path) {
        return NULL;
    }
    if (len < 4 || strcmp(path + len - 3, ".gz") != 0 || path[len - 4] == '/') {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_gzip_name, path);
        return NULL;
    }
    rc = change_open(&c, path, work, err);
    if (rc == 0) {
        c.to.name[strlen(c.to.name) - 3] = '\0';
        rc = change_begin(&c, err);
    }
    sink.fd = c.out;
    rc = rc == 0 ? unpack(c.in, &sink, work, err) : rc;
    rc = rc == 0 ? change_end(&c, err) : rc;
    return change_close(&c, rc);
}
