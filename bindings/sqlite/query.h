/* Statements on a SQLite database: the verbs sql.rows row value exec tx. */
#ifndef RB_BINDINGS_SQLITE_QUERY_H
#define RB_BINDINGS_SQLITE_QUERY_H

#include "bind.h"

json_t *rb_sqlite_rows(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_row(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_value(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_exec(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_tx(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
