/* What PostgreSQL and MariaDB share: one connection to a server, driven on the loop, behind a driver that
 * knows its library. Compiled into both modules.
 *
 *   statement.c  the text of a statement, before it is sent
 *   value.c      what a server sends, as JSON
 *   answer.c     rows within their caps
 *   wire.c       a connection and its steps on the loop
 *   pool.c       what a run keeps: idle connections
 *   call.c       the verbs: connect, look, do, commit; cancelling
 *   plan.c       a call's arguments, and the statements it comes to */
#ifndef RB_BINDINGS_DATABASE_DATABASE_H
#define RB_BINDINGS_DATABASE_DATABASE_H

#include <uv.h>

#include "database/answer.h"
#include "database/statement.h"

enum { RB_DB_WAIT = 1 }; /* a step is not done: it waits for db->wants on db->fd */

/* One statement to run. */
struct rb_db_step {
    const char *sql;
    const json_t *params;     /* list, or NULL */
    struct rb_answer *answer; /* where its rows and changes go; NULL: nowhere */
};

/* What a call sets for itself. */
struct rb_db_limits {
    double timeout; /* seconds after which the server ends a statement by itself */
    double wait;    /* for a lock */
};

/* A connection. The driver's own struct begins with it; it lives on the heap. */
struct rb_db {
    const struct rb_db_driver *driver;
    json_t *target;   /* the connection as the host resolved it */
    char address[64]; /* what was connected to; "" is the socket */
    uv_loop_t *loop;
    uv_poll_t *poll;
    int fd, wants; /* what go_on waits for: UV_READABLE, UV_WRITABLE; wants 0: the driver calls rb_db_resume */
    struct rb_err err;
    bool lost;     /* nothing can be asked any more */
    bool checked;  /* was asked what its account may; then harmless counts */
    bool harmless; /* its account can only read */
    bool reused;
    struct rb_db_limits limits; /* of its session, where they are the session's */
    size_t finished;            /* steps of the last run that the server has done */
    unsigned warnings;          /* of the last one */
    void (*done)(struct rb_db *db, int rc);
    void *owner;
    struct rb_db *next; /* in the pool */
};

struct rb_db_driver {
    const char *name; /* "PostgreSQL" */
    int port;
    size_t size;           /* of its struct */
    bool transactional;    /* what was not committed never was, whatever the statement */
    bool session_settings; /* settings are set once for a session, else in each transaction */
    const struct rb_dialect *dialect;
    /* Begins to connect to db->address. RB_DB_WAIT, 0, or negative with db->err. */
    int (*connect)(struct rb_db *db);
    /* Begins to run steps in order, up to the first that fails. The steps stay until it is done. */
    int (*run)(struct rb_db *db, const struct rb_db_step *steps, size_t count);
    /* Goes on after events. Events < 0: give up and unwind, without waiting. */
    int (*go_on)(struct rb_db *db, int events);
    /* Is it still there, between two calls? Does not ask the server. */
    bool (*usable)(struct rb_db *db);
    void (*close)(struct rb_db *db);
    /* The statement that sets limits and how values are written: for the session, or for the transaction
     * only. */
    void (*settings)(const struct rb_db *db, const struct rb_db_limits *limits, bool local, struct rb_buf *out);
    /* Ends what db is doing, asked on another connection of the account. */
    void (*kill)(const struct rb_db *db, struct rb_buf *out);
    const char *begin_read, *begin_write;
    const char *account;      /* one value: NULL, or the first right of the account that is more than reading */
    const char *calls;        /* one value, of (names, harmless): NULL, or the first that a read may not call */
    const char *const *pure;  /* or: what it may call */
    const char *const *probe; /* statements that write and leave nothing; ends with NULL */
    /* One value: not NULL when there is a table of receipts that the account may use. Then: the two that use it, of
     * (receipt). */
    const char *receipts, *leave_receipt, *find_receipt;
    /* Did the server refuse only because a transaction was open? Then the statement goes alone. */
    bool (*wants_alone)(const struct rb_db *db);
};

/* wire.c. Each ends by exactly one db->done, perhaps before it returns. */
struct rb_db *rb_db_new(const struct rb_db_driver *driver, const json_t *target, uv_loop_t *loop);
void rb_db_connect(struct rb_db *db, const char *address, void (*done)(struct rb_db *db, int rc));
void rb_db_run(struct rb_db *db, const struct rb_db_step *steps, size_t count, void (*done)(struct rb_db *db, int rc));
/* From a driver: what it did elsewhere than on db->fd has come to this. */
void rb_db_resume(struct rb_db *db, int rc);
/* What is under way ends without done; then the connection is closed and freed. */
void rb_db_abort(struct rb_db *db);
/* Off the loop, to lie idle; its poll handle is closed. */
void rb_db_rest(struct rb_db *db);

/* pool.c: the state of the module in a run. */
struct rb_resolver;
struct rb_pool {
    struct rb_resolver *resolver;
    struct rb_db *idle;
};
struct rb_pool *rb_pool_of(void **state);
/* An idle connection to exactly this target that is still there; not in the pool any more. Or NULL. */
struct rb_db *rb_pool_take(struct rb_pool *pool, const json_t *target);
/* Keeps it, one for each target; closes it otherwise. */
void rb_pool_give(struct rb_pool *pool, struct rb_db *db);
void rb_pool_close(void *state);

/* call.c: the functions behind the verbs, for a driver's module. */
struct rb_call;
int rb_db_start(struct rb_call *call, const struct rb_db_driver *driver, int verb, const json_t *args,
                struct rb_err *err);
void rb_db_cancel(struct rb_call *call);

#endif
