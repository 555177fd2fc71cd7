/* A SQLite database as files: the header, its companions, and the bytes SQLite locks.
 * Nothing here opens the database through SQLite or takes a lock. */
#ifndef RB_BINDINGS_SQLITE_FILE_H
#define RB_BINDINGS_SQLITE_FILE_H

#include <limits.h>

#include "bind.h"

/* sqlite3.c, os_unix and wal: the bytes of the database and of the -shm that carry locks. */
#define RB_SQLITE_PENDING 0x40000000
#define RB_SQLITE_RESERVED (RB_SQLITE_PENDING + 1)
#define RB_SQLITE_SHARED (RB_SQLITE_PENDING + 2)
#define RB_SQLITE_SHARED_LAST (RB_SQLITE_SHARED + 509)
#define RB_SQLITE_WAL_WRITE 120
#define RB_SQLITE_WAL_CHECKPOINT 121
#define RB_SQLITE_WAL_RECOVER 122
#define RB_SQLITE_WAL_READ 123
#define RB_SQLITE_WAL_READ_LAST 127
#define RB_SQLITE_WAL_LIVE 128 /* held shared by every connection that has the -shm mapped */

enum rb_sqlite_kind { RB_SQLITE_EMPTY, RB_SQLITE_ROLLBACK, RB_SQLITE_WAL, RB_SQLITE_FOREIGN };

/* The argument `connection` as a path; borrowed. NULL with RB_EUSAGE, also for a server. */
const char *rb_sqlite_path(const json_t *args, struct rb_err *err);
/* path must leave room for the suffix (rb_bind_path sees to it). */
void rb_sqlite_companion(char out[PATH_MAX], const char *path, const char *suffix);
/* What the first bytes say; FOREIGN when it is no SQLite database, RB_E* when it cannot be read. */
int rb_sqlite_kind(int fd, enum rb_sqlite_kind *kind);
/* Does a process have the -shm in use? */
bool rb_sqlite_wal_live(const char *path);
/* A -wal with content that no process has open: what a crash left. */
bool rb_sqlite_wal_leftover(const char *path);
/* A -journal with a header that nobody is writing: the next writer will roll it back. */
bool rb_sqlite_hot_journal(const char *path);

#endif
