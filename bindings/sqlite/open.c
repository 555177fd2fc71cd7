#include "sqlite/open.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "sqlite/vfs.h"

#define PROGRESS_OPS 2000 /* virtual-machine steps between two looks at the deadline: well below 1 ms */

static int on_progress(void *user)
{
    /* Shortly before the host would kill us, so that the answer can say what ran out of time. */
    return rb_work_left(user) <= 0.1;
}

int rb_sqlite_code(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RB_EBUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return RB_ECORRUPT;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return RB_EDENIED;
    case SQLITE_AUTH:
        return RB_EUSAGE;
    case SQLITE_FULL:
        return RB_ENO_SPACE;
    case SQLITE_INTERRUPT:
        return RB_ETIMEOUT;
    case SQLITE_IOERR:
        return RB_EIO;
    case SQLITE_NOMEM:
        return RB_EMEMORY;
    case SQLITE_TOOBIG:
        return RB_ETOO_LARGE;
    default:
        return RB_ESQL;
    }
}

int rb_sqlite_err(struct rb_err *err, const struct rb_sqlite *c, int code)
{
    const char *why = c->db && sqlite3_errcode(c->db) == (code & 0xff) ? sqlite3_errmsg(c->db) : sqlite3_errstr(code);

    if ((code & 0xff) == SQLITE_AUTH) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_not_here, c->path);
    }
    if ((code & 0xff) == SQLITE_INTERRUPT) {
        return rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_sql_timeout, c->path);
    }
    return rb_err_set(err, rb_sqlite_code(code), RB_T_bindings_sql_failed, c->path, why, code);
}

static void secure(struct rb_sqlite *c, double wait)
{
    int on = 0;

    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, &on);
    sqlite3_limit(c->db, SQLITE_LIMIT_SQL_LENGTH, 1 << 20);
    sqlite3_limit(c->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_progress_handler(c->db, PROGRESS_OPS, on_progress, (void *)c->work);
    sqlite3_busy_timeout(c->db, (int)(wait * 1000));
}

static int exec_all(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Existing, allowed, and a database; the descriptor is closed before SQLite opens its own, because closing
 * any descriptor of a file drops the process's locks on it. */
static int inspect(struct rb_sqlite *c, const json_t *args, enum rb_sqlite_kind *kind, struct rb_err *err)
{
    int fd;

    c->path = rb_sqlite_path(args, err);
    if (!c->path) {
        return RB_EUSAGE;
    }
    fd = rb_bind_open(c->work, c->path, O_RDONLY, &c->file, err);
    if (fd < 0) {
        return fd;
    }
    if (!S_ISREG(c->file.st_mode)) {
        close(fd);
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, c->path);
    }
    if (rb_sqlite_kind(fd, kind) != 0) {
        *kind = RB_SQLITE_FOREIGN; /* SQLite says what is wrong with it */
    }
    close(fd);
    return 0;
}

static void stat_wal(const char *path, struct stat *out)
{
    char name[PATH_MAX];

    rb_sqlite_companion(name, path, "-wal");
    if (stat(name, out) != 0) {
        memset(out, 0, sizeof *out);
    }
}

/* "file:…" with everything but plain characters as %XX, so that no name is read as an option. */
static void uri(char *out, size_t size, const char *path, const char *query)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    size_t len = (size_t)snprintf(out, size, "file://");

    for (const char *s = path; *s && len + 4 < size; s++) {
        if (strchr(plain, *s)) {
            out[len++] = *s;
        } else {
            len += (size_t)snprintf(out + len, size - len, "%%%02X", (unsigned char)*s);
        }
    }
    (void)snprintf(out + len, size - len, "%s", query);
}

static int open_with(struct rb_sqlite *c, double wait, struct rb_err *err)
{
    char name[3 * PATH_MAX + 64];
    int rc = rb_sqlite_vfs_register();

    rb_sqlite_vfs_quiet(1);
    uri(name, sizeof name, c->path, c->still ? "" : "?readonly_shm=1");
    if (rc == SQLITE_OK) {
        rc = sqlite3_open_v2(name, &c->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE,
                             c->still ? RB_VFS_STILL : RB_VFS_LIVE);
    }
    if (rc == SQLITE_OK) {
        int on = 0;
        secure(c, wait);
        sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 0);
        sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
        rc = exec_all(c->db, c->still
                                 ? "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON"
                                 : "PRAGMA temp_store = MEMORY; PRAGMA query_only = ON");
    }
    if (rc != SQLITE_OK) {
        rc = rb_sqlite_err(err, c, rc);
        rb_sqlite_close(c);
    }
    return rc;
}

int rb_sqlite_open_read(struct rb_sqlite *out, const json_t *args, double wait, struct rb_work *work,
                        struct rb_err *err)
{
    enum rb_sqlite_kind kind = RB_SQLITE_EMPTY;
    int rc;

    memset(out, 0, sizeof *out);
    out->work = work;
    rc = inspect(out, args, &kind, err);
    if (rc != 0) {
        return rc;
    }
    stat_wal(out->path, &out->wal);
    out->wal_mode = kind == RB_SQLITE_WAL;
    out->still = out->wal_mode && !rb_sqlite_wal_live(out->path);
    return open_with(out, wait, err);
}

int rb_sqlite_open_write(struct rb_sqlite *out, const json_t *args, double wait, struct rb_work *work,
                         struct rb_err *err)
{
    enum rb_sqlite_kind kind = RB_SQLITE_EMPTY;
    int rc;

    memset(out, 0, sizeof *out);
    out->work = work;
    rc = inspect(out, args, &kind, err);
    if (rc != 0) {
        return rc;
    }
    rb_sqlite_vfs_quiet(0);
    rc = sqlite3_open_v2(out->path, &out->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE, "unix");
    if (rc == SQLITE_OK && sqlite3_db_readonly(out->db, "main") == 1) {
        rc = SQLITE_READONLY;
    }
    if (rc == SQLITE_OK) {
        secure(out, wait);
    } else {
        rc = rb_sqlite_err(err, out, rc);
        rb_sqlite_close(out);
    }
    return rc;
}

void rb_sqlite_close(struct rb_sqlite *c)
{
    (void)sqlite3_close_v2(c->db); /* nothing can be done about an error here */
    c->db = NULL;
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool rb_sqlite_unchanged(const struct rb_sqlite *c)
{
    struct stat file, wal;

    if (!c->still) {
        return true;
    }
    stat_wal(c->path, &wal);
    return stat(c->path, &file) == 0 && same(&file, &c->file) && same(&wal, &c->wal);
}

json_t *rb_sqlite_reading(const json_t *args, struct rb_work *work, double wait,
                          json_t *(*fn)(struct rb_sqlite *c, const json_t *args, struct rb_err *err),
                          struct rb_err *err)
{
    for (int i = 0; i < RB_SQLITE_RETRIES; i++) {
        struct rb_sqlite c;
        json_t *out;
        bool good;

        if (rb_sqlite_open_read(&c, args, wait, work, err) != 0) {
            return NULL;
        }
        out = fn(&c, args, err);
        good = rb_sqlite_unchanged(&c);
        rb_sqlite_close(&c);
        if (good) {
            return out;
        }
        json_decref(out);
    }
    rb_err_set(err, RB_EBUSY, RB_T_bindings_sql_changing, rb_json_str(args, "connection", ""));
    return NULL;
}
