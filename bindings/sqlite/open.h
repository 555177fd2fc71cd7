/* Opening a foreign SQLite database: for reading without leaving a trace, or for writing. */
#ifndef RB_BINDINGS_SQLITE_OPEN_H
#define RB_BINDINGS_SQLITE_OPEN_H

#include <sqlite3.h>

#include "bind.h"
#include "sqlite/file.h"

#define RB_SQLITE_RETRIES 5

struct rb_sqlite {
    sqlite3 *db;
    const char *path; /* borrowed */
    const struct rb_work *work;
    struct stat file, wal; /* still: what must not have changed; wal.st_ino 0 = absent */
    bool wal_mode;
    sqlite3_int64 own_changes; /* rows that were changed by us, not by the statements */
    bool denied;               /* a statement wanted what its authorizer refuses */
    bool still;                /* nobody had it open and SQLite's locks do not protect us */
};

/* The verbs' argument `connection`. Missing file: RB_ENOT_FOUND, and it stays missing. wait: seconds a
 * lock is waited for. On failure nothing is left open. */
int rb_sqlite_open_read(struct rb_sqlite *out, const json_t *args, double wait, struct rb_work *work,
                        struct rb_err *err);
int rb_sqlite_open_write(struct rb_sqlite *out, const json_t *args, double wait, struct rb_work *work,
                         struct rb_err *err);
void rb_sqlite_close(struct rb_sqlite *c);
/* False when the database was changed under a still connection: what was read must be thrown away. */
bool rb_sqlite_unchanged(const struct rb_sqlite *c);
/* The error of an SQLite code, in our codes. */
int rb_sqlite_err(struct rb_err *err, const struct rb_sqlite *c, int code);
int rb_sqlite_code(int code);
/* Runs a reading function on a fresh connection, again when the database changed under it. */
json_t *rb_sqlite_reading(const json_t *args, struct rb_work *work, double wait,
                          json_t *(*fn)(struct rb_sqlite *c, const json_t *args, struct rb_err *err),
                          struct rb_err *err);

#endif
