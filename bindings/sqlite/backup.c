#include "sqlite/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "file/hash.h"
#include "sqlite/open.h"

#define PAGES 512  /* a step: 2 MiB */
#define RESTARTS 3 /* then writers wait until the copy is done */
#define BUSY_MS 20

struct copy {
    struct rb_sqlite from;
    sqlite3 *to;
    char part[PATH_MAX]; /* the copy until it is complete; "" = not made */
    int restarts;
    double wait; /* seconds a lock may keep us out */
};

/* Holds the snapshot: other processes' commits no longer start the copy over. In WAL mode that costs
 * writers nothing; with a rollback journal they wait. */
static int hold_snapshot(struct copy *copy)
{
    if (!sqlite3_get_autocommit(copy->from.db)) {
        return SQLITE_OK;
    }
    return sqlite3_exec(copy->from.db, "BEGIN; SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
}

static bool is_busy(int rc)
{
    return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
}

static int step_all(struct copy *copy, sqlite3_backup *backup, struct rb_work *work)
{
    int64_t give_up = 0; /* set while a lock keeps us out */
    int rc = SQLITE_OK, before = 0;

    while (rc == SQLITE_OK || is_busy(rc)) {
        int left, total;
        if (is_busy(rc) && rb_clock_mono_ns() >= give_up) {
            return rc;
        }
        if (rb_work_left(work) <= 0) {
            return is_busy(rc) ? rc : SQLITE_INTERRUPT;
        }
        if (!is_busy(rc)) {
            give_up = rb_clock_mono_ns() + (int64_t)(copy->wait * 1e9);
        }
        rc = sqlite3_backup_step(backup, PAGES);
        left = sqlite3_backup_remaining(backup);
        total = sqlite3_backup_pagecount(backup);
        if (total - left < before && ++copy->restarts >= RESTARTS) {
            (void)hold_snapshot(copy); /* when that fails the next step says so */
        }
        before = total - left;
        rb_work_progress(work, before, total, "pages");
        if (is_busy(rc)) {
            (void)rb_bind_wait_ms(work, BUSY_MS);
        }
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int copy_pages(struct copy *copy, struct rb_work *work, struct rb_err *err)
{
    sqlite3_backup *backup;
    int rc, closed;

    backup = sqlite3_backup_init(copy->to, "main", copy->from.db, "main");
    if (!backup) {
        return rb_err_foreign(err, RB_ESQL, "%s: %s", copy->part, sqlite3_errmsg(copy->to));
    }
    rc = step_all(copy, backup, work);
    closed = sqlite3_backup_finish(backup);
    rc = rc == SQLITE_OK ? closed : rc;
    return rc == SQLITE_OK ? 0 : rb_sqlite_err(err, &copy->from, rc);
}

/* A private empty file; an interrupted backup leaves NAME.part-PID, which is never taken for a backup. */
static int make_part(struct copy *copy, const char *to, struct rb_err *err)
{
    struct stat st;
    int fd;

    if (lstat(to, &st) == 0) {
        return rb_err_set(err, RB_EEXISTS, RB_T_bindings_exists, to);
    }
    (void)snprintf(copy->part, sizeof copy->part, "%s.part-%d", to, (int)getpid());
    fd = open(copy->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int rc = rb_err_errno(err, errno, "%s", copy->part);
        copy->part[0] = '\0';
        return rc;
    }
    close(fd);
    return 0;
}

/* The copy, not the original: what will be restored is what must be whole. */
static int check_copy(struct copy *copy, struct rb_err *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *word = NULL;
    int rc = sqlite3_prepare_v2(copy->to, "PRAGMA integrity_check(1)", -1, &stmt, NULL);

    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        word = (const char *)sqlite3_column_text(stmt, 0);
    }
    rc = 0;
    if (!word || strcmp(word, "ok") != 0) {
        rc = rb_err_set(err, RB_ECORRUPT, RB_T_bindings_sql_backup_corrupt, copy->from.path,
                        word ? word : sqlite3_errmsg(copy->to));
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int fill_part(struct copy *copy, struct rb_work *work, struct rb_err *err)
{
    int rc = sqlite3_open_v2(copy->part, &copy->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE, "unix");

    if (rc != SQLITE_OK) {
        return rb_err_foreign(err, rb_sqlite_code(rc), "%s: %s", copy->part, sqlite3_errstr(rc));
    }
    rc = copy_pages(copy, work, err);
    if (rc == 0) {
        rc = check_copy(copy, err);
    }
    (void)sqlite3_close_v2(copy->to);
    copy->to = NULL;
    return rc;
}

/* On disk, hashed, then under its name; never over another file. */
static json_t *finish(struct copy *copy, const char *to, struct rb_work *work, struct rb_err *err)
{
    char hash[RB_HEX_SIZE];
    struct stat st;
    json_t *out = NULL;
    int fd = open(copy->part, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0 || fstat(fd, &st) != 0) {
        rb_err_errno(err, errno, "%s", copy->part);
        goto done;
    }
    if (rb_file_hash(fd, work, copy->part, hash, err) != 0) {
        goto done;
    }
    if (renameat2(AT_FDCWD, copy->part, AT_FDCWD, to, RENAME_NOREPLACE) != 0) {
        rb_err_errno(err, errno, "%s", to);
        goto done;
    }
    copy->part[0] = '\0';
    if (rb_bind_sync_parent(to, err) == 0) {
        out = json_pack("{s:s, s:I, s:s}", "path", to, "size", (json_int_t)st.st_size, "sha256", hash);
    }
done:
    if (fd >= 0) {
        close(fd);
    }
    return out;
}

static int backup_once(struct copy *copy, const json_t *args, const char *to, struct rb_work *work, struct rb_err *err)
{
    int rc = rb_sqlite_open_read(&copy->from, args, 0, work, err);

    if (rc != 0) {
        return rc;
    }
    rc = make_part(copy, to, err);
    if (rc == 0 && copy->from.wal_mode) {
        rc = hold_snapshot(copy) == SQLITE_OK ? 0 : rb_sqlite_err(err, &copy->from, sqlite3_errcode(copy->from.db));
    }
    rc = rc == 0 ? fill_part(copy, work, err) : rc;
    if (rc == 0 && !rb_sqlite_unchanged(&copy->from)) {
        rc = rb_err_set(err, RB_EBUSY, RB_T_bindings_sql_changing, copy->from.path);
    }
    rb_sqlite_close(&copy->from);
    return rc;
}

static void remove_part(struct copy *copy)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", NULL};
    char name[PATH_MAX + 16];

    for (const char *const *suffix = suffixes; copy->part[0] && *suffix; suffix++) {
        (void)snprintf(name, sizeof name, "%s%s", copy->part, *suffix);
        (void)unlink(name); /* most of them never existed */
    }
    copy->part[0] = '\0';
}

json_t *rb_sqlite_backup(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *to = rb_bind_path(args, "to", err);
    struct copy copy = {.wait = rb_bind_real(args, "wait", 5)};
    json_t *out = NULL;
    int rc;

    if (!to) {
        return NULL;
    }
    rc = backup_once(&copy, args, to, work, err);
    if (rc == 0) {
        out = finish(&copy, to, work, err);
    }
    remove_part(&copy);
    return out;
}
