/* The lock file between commits and checkpoints, the checkpoint, and the reserve for a full disk.
 *
 * SQLite before 3.51.3 (3.50.7, 3.44.6) can lose a commit when one process writes while another one
 * checkpoints. So a commit holds <journal>.lock shared, and a checkpoint happens only while it is
 * held exclusively. flock, not POSIX locks: those vanish when any descriptor of the file is closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/private.h"

#define WAL_PAGES_MAX 1024 /* of 4 KiB */
#define WAL_PAGES_LEFT 256 /* at close: the next process reads them all before its first event (0.5 ms a MiB) */
#define RESERVE_SIZE (1 << 20)

void journal_pause_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};
    (void)nanosleep(&t, NULL); /* an early return only tries again sooner */
}

int lock_take(struct rb_journal *j, bool exclusive, struct rb_err *err)
{
    int64_t end = rb_clock_mono_ns() + j->wait_ms * INT64_C(1000000);
    while (flock(j->lock_fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            struct rb_err why = {0};
            rb_err_errno(&why, errno, "flock");
            return rb_err_set(err, RB_EJOURNAL, RB_T_journal_write, j->path, why.text);
        }
        if (rb_clock_mono_ns() > end) {
            rb_err_set(err, RB_EJOURNAL, RB_T_journal_busy, j->path, (j->wait_ms + 999) / 1000);
            rb_err_hint(err, RB_T_journal_busy_hint, j->path);
            return RB_EJOURNAL;
        }
        journal_pause_ms(1);
    }
    return 0;
}

void lock_release(struct rb_journal *j)
{
    (void)flock(j->lock_fd, LOCK_UN); /* cannot fail on a descriptor of ours */
}

static void checkpoint(struct rb_journal *j, int pages, int mode)
{
    if (j->wal_pages < pages || flock(j->lock_fd, LOCK_EX | LOCK_NB)) {
        return;
    }
    /* What it leaves because of a reader, or fails at, the next one does: the WAL has it all. */
    (void)sqlite3_wal_checkpoint_v2(j->db, NULL, mode, NULL, NULL);
    lock_release(j);
}

/* PASSIVE keeps the file for the commits that follow: overwriting is cheaper than growing. */
void checkpoint_after_commit(struct rb_journal *j)
{
    checkpoint(j, WAL_PAGES_MAX, SQLITE_CHECKPOINT_PASSIVE);
}

/* TRUNCATE, or the next process would find all pages again and take none for done. */
void checkpoint_at_close(struct rb_journal *j)
{
    journal_patience(j, 0);
    checkpoint(j, WAL_PAGES_LEFT, SQLITE_CHECKPOINT_TRUNCATE);
}

static void reserve_path(const struct rb_journal *j, char out[COMPANION_MAX])
{
    (void)snprintf(out, COMPANION_MAX, "%s.reserve", j->path);
}

/* A nearly full disk is no reason to refuse a journal, so failure only leaves no reserve. */
bool reserve_keep(struct rb_journal *j)
{
    char path[COMPANION_MAX];
    struct stat st;
    reserve_path(j, path);
    if (lstat(path, &st) == 0) {
        return true;
    }
    int fd = journal_make(j, path, O_WRONLY | O_EXCL);
    if (fd < 0) {
        return false;
    }
    bool kept = posix_fallocate(fd, 0, RESERVE_SIZE) == 0;
    if (!kept) {
        (void)unlink(path);
    }
    close(fd);
    return kept;
}

bool reserve_release(struct rb_journal *j)
{
    char path[COMPANION_MAX];
    reserve_path(j, path);
    return unlink(path) == 0;
}
