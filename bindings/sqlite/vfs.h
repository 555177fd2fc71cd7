/* Two SQLite file systems for looking without leaving a trace. SQLite's own creates -wal and -shm
 * even for a read-only connection; these never create, write, truncate or delete anything.
 *   rb-live    a database some process has open: SQLite's own locks and its -shm, read-only.
 *   rb-still   a WAL database nobody has open: no locks, no -shm; the -wal is read where it lies.
 *              The caller must see to it that nothing changed meanwhile. */
#ifndef RB_BINDINGS_SQLITE_VFS_H
#define RB_BINDINGS_SQLITE_VFS_H

#include <sqlite3.h>

#define RB_VFS_LIVE "rb-live"
#define RB_VFS_STILL "rb-still"

/* Registers both in this process; again is harmless. An SQLite code. */
int rb_sqlite_vfs_register(void);
/* As root SQLite gives a -shm it opens to the owner of the database, which touches its ctime even
 * when nothing changes. quiet: not while a reading connection is opened. */
void rb_sqlite_vfs_quiet(int quiet);

#endif
