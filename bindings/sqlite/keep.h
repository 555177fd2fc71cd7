/* Keeping a SQLite database whole: the verbs sql.probe integrity checkpoint recover backup. */
#ifndef RB_BINDINGS_SQLITE_KEEP_H
#define RB_BINDINGS_SQLITE_KEEP_H

#include "bind.h"

json_t *rb_sqlite_probe(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_integrity(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_checkpoint(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_recover(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_backup(const json_t *args, struct rb_work *work, struct rb_err *err); /* sqlite_backup.c */

#endif
