/* Two runs of the same runbook on the same target exclude each other (design.md 3, promise 6).
 * The kernel's lock on a small file in the state folder: it goes with the process that holds it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/files.h"
#include "run/state.h"

static int lock_path(const char *target, char *path, size_t size, struct rb_err *err)
{
    char state[PATH_MAX], hex[RB_HEX_SIZE];
    int rc = rb_files_state_dir(state, err);
    if (rc < 0) {
        return rc;
    }
    rb_hash_hex(target, strlen(target), hex);
    snprintf(path, size, "%s/locks", state);
    rc = rb_files_mkdirs(path, 0700, err);
    snprintf(path, size, "%s/locks/%.32s", state, hex);
    return rc;
}

static int busy(int fd, const char *target, struct rb_err *err)
{
    char owner[256] = "";
    ssize_t n = pread(fd, owner, sizeof owner - 1, 0);
    owner[n > 0 ? n : 0] = 0;
    close(fd);
    rb_err_set(err, RB_EBUSY, RB_T_run_busy, target, owner);
    return RB_EBUSY;
}

static void write_owner(int fd, const char *run)
{
    char when[RB_TIME_MAX], owner[256];
    rb_clock_format(rb_clock_utc_us(), 0, when);
    int n = snprintf(owner, sizeof owner, "%s pid %d %s", run, (int)getpid(), when);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, owner, (size_t)n, 0) != n) {
        return; /* the name is a courtesy; the lock itself holds (a full disk must not stop a run) */
    }
}

int rb_target_lock(const char *target, const char *run, int *fd_out, struct rb_err *err)
{
    char path[PATH_MAX + 64];
    int rc = lock_path(target, path, sizeof path, err);
    if (rc < 0) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return busy(fd, target, err);
    }
    write_owner(fd, run);
    *fd_out = fd;
    return 0;
}
