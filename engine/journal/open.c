/* Opening the journal, or refusing to, and closing it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "journal/private.h"

static const char *const companions[] = {"", "-wal", "-shm", ".lock", ".reserve", ".seals", ".seal-key"};

static const char *reason(struct rb_journal *j, char out[256])
{
    int errnum = j->db ? sqlite3_system_errno(j->db) : 0;
    char text[96];
    (void)snprintf(out, 256, "%s%s%s", j->db ? sqlite3_errmsg(j->db) : "", errnum ? ": " : "",
                   errnum ? strerror_r(errnum, text, sizeof text) : "");
    return out;
}

bool journal_disk_full(struct rb_journal *j)
{
    int errnum = sqlite3_system_errno(j->db);
    return sqlite3_errcode(j->db) == SQLITE_FULL ||
           (sqlite3_errcode(j->db) == SQLITE_IOERR && (errnum == ENOSPC || errnum == EDQUOT));
}

int journal_cannot_write(struct rb_journal *j, struct rb_err *err)
{
    char why[256];
    rb_err_set(err, RB_EJOURNAL, RB_T_journal_write, j->path, reason(j, why));
    if (journal_disk_full(j)) {
        rb_err_hint(err, RB_T_journal_full_hint, j->path);
    } else if (sqlite3_errcode(j->db) == SQLITE_BUSY) {
        rb_err_hint(err, RB_T_journal_busy_hint, j->path);
    } else {
        rb_err_hint(err, RB_T_journal_write_hint, j->path);
    }
    return RB_EJOURNAL;
}

int journal_cannot_read(struct rb_journal *j, struct rb_err *err)
{
    char why[256];
    int code = sqlite3_errcode(j->db);
    bool corrupt = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
    return rb_err_set(err, corrupt ? RB_ECORRUPT : RB_EJOURNAL, RB_T_journal_read, j->path, reason(j, why));
}

/* SQLite's own handler sleeps longer and longer, up to 100 ms: among writers that are never idle it then finds the file
 * taken each time it looks, until it gives up. One that looks each millisecond gets its turn. */
static int wait_turn(void *user, int tries)
{
    struct rb_journal *j = user;
    int64_t now = rb_clock_mono_ns();
    if (tries == 0) {
        j->wait_until_ns = now + j->wait_ms * INT64_C(1000000);
    }
    if (now >= j->wait_until_ns) {
        return 0;
    }
    journal_pause_ms(1);
    return 1;
}

void journal_patience(struct rb_journal *j, int ms)
{
    j->wait_ms = ms;
    (void)sqlite3_busy_handler(j->db, wait_turn, j); /* fails only on a handle that is none */
}

int journal_prepare(struct rb_journal *j, sqlite3_stmt **out, const char *sql)
{
    return sqlite3_prepare_v3(j->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

int journal_refuse(struct rb_journal *j, enum rb_text_id why, struct rb_err *err)
{
    return rb_err_set(err, RB_EJOURNAL, RB_T_journal_open, j->path, rb_text(why));
}

static int refuse_errno(struct rb_journal *j, int errnum, struct rb_err *err)
{
    char text[96];
    return rb_err_set(err, RB_EJOURNAL, RB_T_journal_open, j->path, strerror_r(errnum, text, sizeof text));
}

/* A folder where others can write is one where they can swap the files below us. */
static int check_folder(struct rb_journal *j, const char *folder, struct rb_err *err)
{
    struct stat st;
    if (stat(folder, &st)) {
        return refuse_errno(j, errno, err);
    }
    j->shared = (st.st_mode & (S_ISGID | S_IWGRP | S_IWOTH)) == (S_ISGID | S_IWGRP); /* nobody makes one by mistake */
    j->group = st.st_gid;
    if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0 && !j->shared) {
        return journal_refuse(j, RB_T_journal_folder_owner, err);
    }
    if (st.st_mode & 022 && !(st.st_mode & S_ISVTX) && !j->shared) {
        journal_refuse(j, RB_T_journal_folder_mode, err);
        rb_err_hint(err, RB_T_journal_folder_hint, folder);
        return RB_EJOURNAL;
    }
    return 0;
}

/* Resolved once, so that SQLITE_OPEN_NOFOLLOW speaks of the file alone and not of its parents. */
static int resolve(struct rb_journal *j, const char *path, struct rb_err *err)
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    int len = !slash ? 1 : slash == path ? 1 : (int)(slash - path);
    (void)snprintf(j->path, sizeof j->path, "%s", path); /* for the messages until it is resolved */
    if (snprintf(folder, sizeof folder, "%.*s", len, slash ? path : ".") >= (int)sizeof folder || !name[0]) {
        return refuse_errno(j, ENAMETOOLONG, err);
    }
    struct rb_err why = {0};
    if (j->writer && rb_files_mkdirs(folder, 0700, &why)) {
        return rb_err_set(err, RB_EJOURNAL, RB_T_journal_open, j->path, why.text);
    }
    if (!realpath(folder, real)) {
        return errno == ENOENT && !j->writer ? rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_none, path)
                                             : refuse_errno(j, errno, err);
    }
    if (snprintf(j->path, sizeof j->path, "%s/%s", real[1] ? real : "", name) >= (int)sizeof j->path) {
        return refuse_errno(j, ENAMETOOLONG, err);
    }
    return check_folder(j, real, err);
}

/* By name and not by descriptor: closing a descriptor of the file drops every lock this process has on it. */
static int check_file(struct rb_journal *j, const char *suffix, bool *exists, struct rb_err *err)
{
    char path[COMPANION_MAX];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s%s", j->path, suffix);
    *exists = false;
    if (lstat(path, &st)) {
        return errno == ENOENT ? 0 : refuse_errno(j, errno, err);
    }
    *exists = true;
    if (!S_ISREG(st.st_mode)) {
        return journal_refuse(j, RB_T_journal_file_kind, err);
    }
    if (st.st_nlink != 1) {
        return journal_refuse(j, RB_T_journal_file_links, err);
    }
    bool ours = st.st_uid == geteuid() || (j->shared && st.st_gid == j->group);
    if (!ours && (j->writer || geteuid() != 0)) {
        return journal_refuse(j, RB_T_journal_file_owner, err);
    }
    if (j->writer && st.st_mode & (j->shared ? 07 : 077) && chmod(path, j->shared ? 0660 : 0600)) {
        return refuse_errno(j, errno, err);
    }
    return 0;
}

int journal_make(const struct rb_journal *j, const char *path, int flags)
{
    int fd = open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && j->shared && fchmod(fd, 0660)) { /* whatever the umask is */
        close(fd);
        return -1;
    }
    return fd >= 0 || errno != EEXIST || flags & O_EXCL ? fd : open(path, flags | O_CLOEXEC | O_NOFOLLOW);
}

/* A file that is new has no locks to lose; SQLite would create it with the umask's mode. */
static int create_file(struct rb_journal *j, struct rb_err *err)
{
    int fd = journal_make(j, j->path, O_RDWR | O_EXCL);
    if (fd < 0 && errno != EEXIST) {
        return refuse_errno(j, errno, err);
    }
    if (fd >= 0) {
        close(fd);
    }
    return 0;
}

static int check_files(struct rb_journal *j, struct rb_err *err)
{
    bool exists, ignored;
    int rc = check_file(j, "", &exists, err);
    for (size_t i = 1; !rc && i < sizeof companions / sizeof companions[0]; i++) {
        rc = check_file(j, companions[i], &ignored, err);
    }
    if (!rc && !exists) {
        rc = j->writer ? create_file(j, err) : rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_none, j->path);
    }
    return rc;
}

static int open_lock(struct rb_journal *j, struct rb_err *err)
{
    char path[COMPANION_MAX];
    (void)snprintf(path, sizeof path, "%s.lock", j->path);
    j->lock_fd = journal_make(j, path, O_RDWR);
    return j->lock_fd < 0 ? refuse_errno(j, errno, err) : 0;
}

static int wal_hook(void *user, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct rb_journal *)user)->wal_pages = pages;
    return SQLITE_OK;
}

static int open_db(struct rb_journal *j, struct rb_err *err)
{
    /* No pages in advance: it would touch twenty for each cache before it needs one, three times in a short run.
     * Refused when SQLite is in use already; then this was said before. */
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    int flags = (j->writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOFOLLOW |
                SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(j->path, &j->db, flags, JOURNAL_VFS) != SQLITE_OK) {
        char why[256];
        return rb_err_set(err, RB_EJOURNAL, RB_T_journal_open, j->path, reason(j, why));
    }
    (void)sqlite3_extended_result_codes(j->db, 0);
    journal_patience(j, JOURNAL_WAIT_MS);
    (void)sqlite3_db_config(j->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(j->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_wal_autocheckpoint(j->db, 0);
    (void)sqlite3_wal_hook(j->db, wal_hook, j); /* never together with an automatic checkpoint: it is one */
    if (sqlite3_exec(j->db, "PRAGMA cell_size_check=1; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=16777216",
                     NULL, NULL, NULL) != SQLITE_OK) {
        return journal_cannot_read(j, err);
    }
    return 0;
}

static int prepare_all(struct rb_journal *j, struct rb_err *err)
{
    bool failed =
        journal_prepare(j, &j->begin, "BEGIN IMMEDIATE") || journal_prepare(j, &j->commit, "COMMIT") ||
        journal_prepare(j, &j->rollback, "ROLLBACK") ||
        journal_prepare(j, &j->newest, "SELECT id, hash FROM events ORDER BY id DESC LIMIT 1") ||
        journal_prepare(j, &j->since, "SELECT run, seq FROM events WHERE id > ?1 ORDER BY id") ||
        journal_prepare(j, &j->seq_of, "SELECT seq FROM events NOT INDEXED WHERE run = ?1 ORDER BY id DESC LIMIT 1") ||
        journal_prepare(j, &j->insert, "INSERT INTO events VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)") ||
        journal_prepare(j, &j->put_blob, "INSERT OR IGNORE INTO blobs VALUES(?1,?2)");
    return failed ? journal_cannot_read(j, err) : 0;
}

static int open_any(struct rb_journal **out, const char *path, bool writer, struct rb_err *err)
{
    struct rb_journal *j = rb_xcalloc(1, sizeof *j);
    j->writer = writer;
    j->lock_fd = -1;
    j->end = &j->first;
    *out = NULL;
    int rc = resolve(j, path, err);
    rc = rc ? rc : check_files(j, err);
    rc = rc || !writer ? rc : open_lock(j, err);
    rc = rc ? rc : open_db(j, err);
    rc = rc ? rc : schema_check(j, err);
    rc = rc || !writer ? rc : prepare_all(j, err);
    if (rc) {
        rb_journal_close(j);
        return rc;
    }
    j->sealed_ns = rb_clock_mono_ns();
    if (writer) {
        (void)reserve_keep(j); /* none on a disk that is full already */
    }
    *out = j;
    return 0;
}

int rb_journal_open(struct rb_journal **out, const char *path, struct rb_err *err)
{
    return open_any(out, path, true, err);
}

int rb_journal_open_reader(struct rb_journal **out, const char *path, struct rb_err *err)
{
    return open_any(out, path, false, err);
}

void rb_journal_close(struct rb_journal *j)
{
    if (!j) {
        return;
    }
    sqlite3_stmt *all[] = {j->begin, j->commit, j->rollback, j->newest, j->since, j->seq_of, j->insert, j->put_blob};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        (void)sqlite3_finalize(all[i]); /* repeats the error of the last step */
    }
    if (j->db) {
        checkpoint_at_close(j);
        if (j->writer) {
            (void)reserve_keep(j); /* a run that needed it may have made room */
        }
        (void)sqlite3_close(j->db); /* nothing is open in it any more */
    }
    if (j->lock_fd >= 0) {
        close(j->lock_fd);
    }
    queue_free(j);
    rb_journal_close(j->beside);
    free(j->blind);
    for (size_t i = 0; i < j->sink_count; i++) {
        free(j->sinks[i]);
    }
    free(j->actor);
    free(j);
}

int rb_journal_default_path(char *out, size_t size, struct rb_err *err)
{
    char folder[PATH_MAX];
    int rc = rb_files_state_dir(folder, err);
    if (rc) {
        return rc;
    }
    int n = snprintf(out, size, "%s/journal.db", folder);
    return n > 0 && (size_t)n < size ? 0 : rb_err_errno(err, ENAMETOOLONG, "%s", folder);
}

bool rb_journal_owns(const struct rb_journal *j, uint64_t dev, uint64_t ino)
{
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
        char path[COMPANION_MAX];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s%s", j->path, companions[i]);
        if (stat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino) {
            return true;
        }
    }
    return j->beside && rb_journal_owns(j->beside, dev, ino);
}
