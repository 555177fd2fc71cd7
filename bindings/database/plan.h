/* The arguments of a call, judged before anything is sent. */
#ifndef RB_BINDINGS_DATABASE_PLAN_H
#define RB_BINDINGS_DATABASE_PLAN_H

#include "database/database.h"

enum rb_db_verb { RB_DB_ROWS, RB_DB_ROW, RB_DB_VALUE, RB_DB_PROBE, RB_DB_EXEC, RB_DB_TX };

struct rb_db_plan {
    enum rb_db_verb verb;
    json_t *args; /* a reference */
    const json_t *target;
    struct rb_db_limits limits;
    size_t max_rows;
    bool reading, keeps_session; /* keeps_session: nothing of it stays in the session, which may be used again */
    const char *receipt; /* its name, where a row of that name may say later that this was committed; else NULL */
    bool look;           /* asks only whether that row is there */
    size_t count;
    struct rb_statement *statements;
    const json_t **params; /* one list for each, or NULL; borrowed from args */
};

/* 0, RB_EUSAGE or RB_EFORBIDDEN. On failure there is nothing to free. */
int rb_db_plan_read(struct rb_db_plan *plan, const struct rb_db_driver *driver, int verb, const json_t *args,
                    struct rb_err *err);
void rb_db_plan_free(struct rb_db_plan *plan);
/* What the call answers. New reference, or NULL with err. */
json_t *rb_db_plan_result(const struct rb_db_plan *plan, const struct rb_answer *answer, struct rb_err *err);

#endif
