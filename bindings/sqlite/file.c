#include "sqlite/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "system/proc_locks.h"

#define HEADER 100
#define HEADER_WRITE_VERSION 18 /* 2 = WAL */

const char *rb_sqlite_path(const json_t *args, struct rb_err *err)
{
    const json_t *connection = json_object_get(args, "connection");

    if (json_is_object(connection)) {
        rb_err_set(err, RB_EUSAGE, RB_T_servers_sqlite_only, rb_json_str(connection, "name", "?"));
        return NULL;
    }
    return rb_bind_path(args, "connection", err);
}

void rb_sqlite_companion(char out[PATH_MAX], const char *path, const char *suffix)
{
    char real[PATH_MAX];

    /* SQLite follows links before it names them: they lie beside the real file. One whose name is too long cannot
     * exist, and must not be taken for the database itself. */
    int n = snprintf(out, PATH_MAX, "%s%s", realpath(path, real) ? real : path, suffix);
    if (n < 0 || n >= PATH_MAX) {
        out[0] = '\0';
    }
}

int rb_sqlite_kind(int fd, enum rb_sqlite_kind *kind)
{
    unsigned char header[HEADER];
    ssize_t n = pread(fd, header, sizeof header, 0);

    if (n < 0) {
        return RB_EIO;
    }
    if (n == 0) {
        *kind = RB_SQLITE_EMPTY;
    } else if (n < HEADER || memcmp(header, "SQLite format 3", 16) != 0) {
        *kind = RB_SQLITE_FOREIGN;
    } else {
        *kind = header[HEADER_WRITE_VERSION] == 2 ? RB_SQLITE_WAL : RB_SQLITE_ROLLBACK;
    }
    return 0;
}

static int open_companion(const char *path, const char *suffix)
{
    char name[PATH_MAX];

    rb_sqlite_companion(name, path, suffix);
    return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

bool rb_sqlite_wal_live(const char *path)
{
    struct rb_file_lock lock;
    int fd = open_companion(path, "-shm");
    bool live = fd >= 0 && rb_file_lock_ask(fd, RB_SQLITE_WAL_LIVE, RB_SQLITE_WAL_LIVE, &lock);

    if (fd >= 0) {
        close(fd);
    }
    return live;
}

bool rb_sqlite_wal_leftover(const char *path)
{
    char name[PATH_MAX];
    struct stat st;

    rb_sqlite_companion(name, path, "-wal");
    return stat(name, &st) == 0 && st.st_size > 0 && !rb_sqlite_wal_live(path);
}

bool rb_sqlite_hot_journal(const char *path)
{
    struct rb_file_lock lock;
    struct stat st;
    char first = '\0';
    int fd = open_companion(path, "-journal"), db = -1;
    bool hot = fd >= 0 && pread(fd, &first, 1, 0) == 1 && first != '\0';

    if (hot) {
        db = open_companion(path, "");
        /* An empty database has nothing to be rolled back. */
        hot = db >= 0 && fstat(db, &st) == 0 && st.st_size > 0 &&
              !rb_file_lock_ask(db, RB_SQLITE_RESERVED, RB_SQLITE_RESERVED, &lock);
    }
    if (db >= 0) {
        close(db);
    }
    if (fd >= 0) {
        close(fd);
    }
    return hot;
}
