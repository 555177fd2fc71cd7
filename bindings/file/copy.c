#include "file/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"

#define CHUNK (256 << 10)

int rb_file_pump(int from, int to, const char *name, struct rb_work *work, struct rb_err *err)
{
    char *chunk = rb_xcalloc(1, CHUNK);
    struct stat st = {0};
    off_t at = 0;
    ssize_t n;
    int rc = 0;

    (void)fstat(from, &st);
    while (rc == 0 && (n = pread(from, chunk, CHUNK, at)) != 0) {
        errno = ENOSPC; /* what a short write to a file means: no more room */
        if (n < 0 || write(to, chunk, (size_t)n) != n) {
            rc = rb_err_errno(err, errno, "%s", name);
            break;
        }
        at += n;
        rb_work_progress(work, at, st.st_size, "bytes");
        if (rb_work_left(work) <= 0) {
            rc = rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, name);
        }
    }
    free(chunk);
    return rc;
}

struct pair {
    const char *from, *to;
    struct stat from_st;
    unsigned rename_flags; /* RENAME_NOREPLACE unless overwriting was asked for */
};

static int check_pair(struct pair *p, const json_t *args, const struct rb_work *work, struct rb_err *err)
{
    struct stat to;

    p->from = rb_bind_path(args, "from", err);
    p->to = p->from ? rb_bind_path(args, "to", err) : NULL;
    if (!p->to) {
        return RB_EUSAGE;
    }
    p->rename_flags = rb_json_bool(args, "overwrite", false) ? 0 : RENAME_NOREPLACE;
    if (lstat(p->from, &p->from_st) != 0) {
        return rb_err_errno(err, errno, "%s", p->from);
    }
    if (rb_bind_allowed(work, &p->from_st, p->from, err) != 0) {
        return RB_EDENIED;
    }
    if (lstat(p->to, &to) != 0) {
        return errno == ENOENT ? 0 : rb_err_errno(err, errno, "%s", p->to);
    }
    if (to.st_dev == p->from_st.st_dev && to.st_ino == p->from_st.st_ino) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_same_file, p->from, p->to);
    }
    if (p->rename_flags != 0) {
        return rb_err_set(err, RB_EEXISTS, RB_T_bindings_exists, p->to);
    }
    if (!S_ISREG(to.st_mode)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, p->to);
    }
    return rb_bind_allowed(work, &to, p->to, err);
}

/* Owner, mode and times go along; the owner only where we may. */
static int finish_part(int from, int to, const char *part, struct rb_err *err)
{
    struct stat st;

    if (fstat(from, &st) != 0 || (fchown(to, st.st_uid, st.st_gid) != 0 && errno != EPERM) ||
        fchmod(to, st.st_mode & 07777) != 0 || fsync(to) != 0) {
        return rb_err_errno(err, errno, "%s", part);
    }
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    return futimens(to, times) == 0 ? 0 : rb_err_errno(err, errno, "%s", part);
}

static int copy_file(const struct pair *p, struct rb_work *work, struct rb_err *err)
{
    char part[PATH_MAX];
    struct stat st;
    int from = rb_bind_open(work, p->from, O_RDONLY, &st, err), to, rc;

    if (from < 0) {
        return from;
    }
    if (!S_ISREG(st.st_mode)) {
        close(from);
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, p->from);
    }
    to = rb_file_part(p->to, part, err);
    if (to < 0) {
        close(from);
        return to;
    }
    rc = rb_file_pump(from, to, p->from, work, err);
    rc = rc == 0 ? finish_part(from, to, part, err) : rc;
    if (rc == 0 && renameat2(AT_FDCWD, part, AT_FDCWD, p->to, p->rename_flags) != 0) {
        rc = rb_err_errno(err, errno, "%s", p->to);
    }
    if (rc != 0) {
        (void)unlink(part);
    }
    close(to);
    close(from);
    return rc == 0 ? rb_bind_sync_parent(p->to, err) : rc;
}

json_t *rb_file_copy(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct pair p;

    if (check_pair(&p, args, work, err) != 0 || copy_file(&p, work, err) != 0) {
        return NULL;
    }
    return json_pack("{s:I}", "bytes", (json_int_t)p.from_st.st_size);
}

static int move_across(const struct pair *p, struct rb_work *work, struct rb_err *err)
{
    int rc;

    if (!S_ISREG(p->from_st.st_mode)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_cross, p->to);
    }
    rc = copy_file(p, work, err);
    if (rc == 0 && unlink(p->from) != 0) {
        rc = rb_err_errno(err, errno, "%s", p->from);
    }
    return rc;
}

json_t *rb_file_move(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct pair p;
    int rc = check_pair(&p, args, work, err);

    if (rc == 0 && renameat2(AT_FDCWD, p.from, AT_FDCWD, p.to, p.rename_flags) != 0) {
        rc = errno == EXDEV ? move_across(&p, work, err) : rb_err_errno(err, errno, "%s", p.from);
    }
    rc = rc == 0 ? rb_bind_sync_parent(p.to, err) : rc;
    rc = rc == 0 ? rb_bind_sync_parent(p.from, err) : rc;
    return rc == 0 ? json_pack("{s:I}", "bytes", (json_int_t)p.from_st.st_size) : NULL;
}
