/* Statements on a SQLite database: the verbs sql.rows row value exec tx. */
#ifndef RB_BINDINGS_SQLITE_QUERY_H
#define RB_BINDINGS_SQLITE_QUERY_H

#include "bind.h"
#include "sqlite/open.h"

json_t *rb_sqlite_rows(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_row(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_value(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_exec(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_sqlite_tx(const json_t *args, struct rb_work *work, struct rb_err *err);

/* For write.c. One statement, its values bound; rows up to max. */
int rb_sqlite_prepare(struct rb_sqlite *c, const char *query, const json_t *params, sqlite3_stmt **out,
                      struct rb_err *err);
json_t *rb_sqlite_all_rows(struct rb_sqlite *c, sqlite3_stmt *stmt, size_t max, struct rb_err *err);
/* Is word one of words, which end with NULL? Case does not matter. */
bool rb_sqlite_one_of(const char *word, const char *const *words);

#endif
