/* The driver for PostgreSQL. */
#ifndef RB_BINDINGS_POSTGRES_POSTGRES_H
#define RB_BINDINGS_POSTGRES_POSTGRES_H

#include <libpq-fe.h>

#include "database/database.h"

#define RB_PG_STATE 6 /* an SQLSTATE and its NUL */

struct rb_pg {
    struct rb_db db;
    PGconn *conn;
    bool connecting, running, pinned;

    const struct rb_db_step *steps;
    size_t count;
    bool columns_told, flushed; /* of the step whose rows come; all was sent */
    int64_t unread;             /* bytes that came since the last result */
    int failed;                 /* what the first failing step said */
    char state[RB_PG_STATE];    /* of its error */
};

/* connect.c */
int rb_pg_connect(struct rb_db *db);
int rb_pg_connecting(struct rb_pg *pg, int events);
/* query.c */
int rb_pg_run(struct rb_db *db, const struct rb_db_step *steps, size_t count);
int rb_pg_running(struct rb_pg *pg, int events);
/* error.c: what libpq says, in our codes. Both set pg->db.err and lost, and return its code. */
int rb_pg_connect_error(struct rb_pg *pg);
int rb_pg_result_error(struct rb_pg *pg, const PGresult *result);

#endif
