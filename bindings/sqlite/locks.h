/* Who keeps a SQLite database from being written: asked of the kernel, never by taking a lock. */
#ifndef RB_BINDINGS_SQLITE_LOCKS_H
#define RB_BINDINGS_SQLITE_LOCKS_H

#include "bind.h"

/* The verb sql.locks. */
json_t *rb_sqlite_locks(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
