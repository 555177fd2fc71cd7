/* The driver for MariaDB and MySQL. */
#ifndef RB_BINDINGS_MARIADB_MARIADB_H
#define RB_BINDINGS_MARIADB_MARIADB_H

#include <mysql.h>

#include "database/database.h"

#define RB_MY_INLINE 64 /* bytes of a value that need no second look */

/* What libmariadb is doing; each is a row of a table in its file: start, continue, what follows. */
struct rb_my;
struct rb_my_op {
    int (*start)(struct rb_my *my); /* MYSQL_WAIT_* or 0 */
    int (*cont)(struct rb_my *my, int ready);
    /* RB_DB_WAIT: my->op says what is next. 0: all is done. Negative with db.err. */
    int (*after)(struct rb_my *my);
};

struct rb_my_column {
    char small[RB_MY_INLINE]; /* bound: what does not fit is fetched again, into large */
    char *large;
    unsigned long len;
    my_bool null;
};

struct rb_my {
    struct rb_db db;
    MYSQL *mysql;
    const struct rb_my_op *op;   /* under way, NULL between two runs */
    int waits;                   /* MYSQL_WAIT_* of it */
    struct rb_my_thread *thread; /* while it connects by TLS */
    unsigned error;              /* of the last failure */

    /* what the library's calls answer */
    MYSQL *connected;
    MYSQL_ROW row;
    int failed;
    my_bool closed;

    const struct rb_db_step *steps;
    size_t count;
    MYSQL_RES *result;
    MYSQL_STMT *stmt;
    MYSQL_BIND *binds; /* of values, and their bytes */
    char **bound;
    size_t bound_count;
    struct rb_cell *cells;
    struct rb_my_column *columns;
    size_t column_count;
};

/* wait.c */
int rb_my_begin(struct rb_my *my, const struct rb_my_op *op);
int rb_my_go_on(struct rb_db *db, int events);

/* connect.c */
int rb_my_connect(struct rb_db *db);
/* Lets go of a connection that is being made in a thread; it closes itself. */
void rb_my_connect_abandon(struct rb_my *my);

/* query.c: without values, in the text protocol. */
int rb_my_run(struct rb_db *db, const struct rb_db_step *steps, size_t count);
/* Begins the step after the one that is done. */
int rb_my_next_step(struct rb_my *my);
/* What the steps hold, let go of. */
void rb_my_drop(struct rb_my *my);
/* The cells as a row of the answer, if somebody wants it. */
int rb_my_row(struct rb_my *my, struct rb_answer *answer);
/* Cells for the columns of a result. */
int rb_my_columns(struct rb_my *my, MYSQL_RES *result);

/* prepared.c: with values. */
extern const struct rb_my_op rb_my_prepare;

/* error.c: what the library says, in our codes, into db.err; its code. */
int rb_my_error(struct rb_my *my, unsigned number, const char *text);
int rb_my_last_error(struct rb_my *my);

#endif
