/* Private to the stages of a call: call.c -> connect.c -> look.c -> announce.c -> work.c. Each ends in the
 * callback that begins the next, and all in one of the two ends of call.c. */
#ifndef RB_BINDINGS_DATABASE_JOB_H
#define RB_BINDINGS_DATABASE_JOB_H

#include "binding.h"
#include "database/plan.h"
#include "resolve.h"

enum rb_job_stage {
    RB_JOB_BEGIN,   /* nothing was sent */
    RB_JOB_CONNECT, /* nor here */
    RB_JOB_LOOK,    /* our own questions to the server */
    RB_JOB_WORK,    /* the call's statements, in a transaction */
    RB_JOB_ALONE,   /* one that refused to be in a transaction */
    RB_JOB_COMMIT,
    RB_JOB_ROLLBACK,
};

struct rb_job {
    struct rb_call *call;
    struct rb_pool *pool;
    const struct rb_db_driver *driver;
    struct rb_db_plan plan;
    enum rb_job_stage stage;

    struct rb_lookup *lookup;
    struct rb_addresses addresses;
    size_t address; /* which of them */
    uv_timer_t *timer;
    struct rb_db *db, *killer;

    struct rb_answer answer, asked;
    struct rb_buf text, kill_text;
    struct rb_db_step *steps, kill_step;
    json_t *receipt_params; /* NULL: this leaves none */
    bool cancelled, retried, decisive;
    struct rb_err err;
};

/* The stages, in their order. */
void rb_job_open(struct rb_job *job);
void rb_job_look(struct rb_job *job);
void rb_job_announce(struct rb_job *job);
void rb_job_work(struct rb_job *job);

/* ask.c: our own question. Its one value is asked_text afterwards, borrowed; NULL: it has none. */
void rb_job_ask(struct rb_job *job, const char *sql, const json_t *params, void (*done)(struct rb_db *db, int rc));
const char *rb_job_asked_text(const struct rb_job *job);
/* Which of these calls does more than compute? */
void rb_job_ask_about(struct rb_job *job, const json_t *calls, void (*done)(struct rb_db *db, int rc));
/* A question failed: once more on another connection, or the end. */
void rb_job_look_failed(struct rb_job *job);
/* True: an idle connection had died, the call begins anew. */
bool rb_job_again(struct rb_job *job);

/* call.c: the only ends. Each frees the job. */
/* value: NULL for what the plan makes of the answer. Taken. */
void rb_job_done(struct rb_job *job, json_t *value);
/* job->err says why. undone: it is known that nothing was changed. */
void rb_job_fail(struct rb_job *job, bool undone);

#endif
