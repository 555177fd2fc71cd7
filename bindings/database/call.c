/* A call's beginning, its cancelling, and its ends. */
#include <stdlib.h>

#include "database/job.h"

#define KILL_GRACE 450 /* ms for the server to end a statement, connecting to it included */

static void first_tick(uv_timer_t *timer)
{
    rb_job_open(timer->data);
}

int rb_db_start(struct rb_call *call, const struct rb_db_driver *driver, int verb, const json_t *args,
                struct rb_err *err)
{
    struct rb_job *job = rb_xcalloc(1, sizeof *job);
    int rc = rb_db_plan_read(&job->plan, driver, verb, args, err);
    if (rc != 0) {
        free(job);
        return rc;
    }
    job->call = call;
    job->driver = driver;
    job->pool = rb_pool_of(rb_call_state(call));
    rb_answer_init(&job->answer, job->plan.max_rows);
    rb_answer_init(&job->asked, 1);
    job->answer.no_rows = verb == RB_DB_TX;
    rb_buf_init(&job->text, 1 << 16);
    rb_buf_init(&job->kill_text, 1 << 10);
    job->timer = rb_xcalloc(1, sizeof *job->timer);
    uv_timer_init(rb_call_loop(call), job->timer);
    job->timer->data = job;
    uv_timer_start(job->timer, first_tick, 0, 0); /* an end inside start is against the rules */
    rb_call_data_set(call, job);
    return 0;
}

static void job_free(uv_handle_t *timer)
{
    struct rb_job *job = timer->data;
    rb_answer_deinit(&job->answer);
    rb_answer_deinit(&job->asked);
    rb_buf_deinit(&job->text);
    rb_buf_deinit(&job->kill_text);
    rb_db_plan_free(&job->plan);
    json_decref(job->receipt_params);
    free(job->steps);
    free(job);
    free(timer);
}

/* Lets go of all but memory. A connection is kept only when it is at rest and clean. */
static void let_go(struct rb_job *job, bool clean)
{
    if (job->lookup) {
        rb_lookup_cancel(job->lookup);
        job->lookup = NULL;
    }
    if (job->killer) {
        rb_db_abort(job->killer);
    }
    if (job->db && clean && job->plan.keeps_session && !job->db->lost) {
        rb_pool_give(job->pool, job->db);
    } else if (job->db) {
        rb_db_abort(job->db);
    }
    job->db = job->killer = NULL;
    uv_close((uv_handle_t *)job->timer, job_free);
}

void rb_job_done(struct rb_job *job, json_t *value)
{
    struct rb_call *call = job->call;
    struct rb_err err = {0};
    value = value ? value : rb_db_plan_result(&job->plan, &job->answer, &err);
    let_go(job, true);
    if (value) {
        rb_call_done(call, value);
    } else {
        rb_call_fail(call, &err);
    }
}

static void fail_with(struct rb_job *job, bool undone, bool clean)
{
    struct rb_call *call = job->call;
    struct rb_err err = job->err;
    if (undone) {
        rb_call_undone(call);
    }
    let_go(job, clean);
    rb_call_fail(call, &err);
}

void rb_job_fail(struct rb_job *job, bool undone)
{
    fail_with(job, undone, !job->cancelled && job->stage >= RB_JOB_LOOK);
}

/* The server did not answer in time, or there is nobody to ask. */
static void give_up(struct rb_job *job)
{
    bool undone = job->plan.reading || job->stage < RB_JOB_WORK ||
                  (job->driver->transactional && job->stage != RB_JOB_ALONE && job->stage != RB_JOB_COMMIT);
    bool sent = job->stage >= RB_JOB_WORK;
    rb_err_set(&job->err, RB_ECANCELLED, sent ? RB_T_servers_sql_not_confirmed : RB_T_servers_sql_cancelled,
               job->driver->name);
    fail_with(job, undone, false);
}

static void grace_over(uv_timer_t *timer)
{
    give_up(timer->data);
}

static void killed(struct rb_db *killer, int rc)
{
    struct rb_job *job = killer->owner;
    (void)rc; /* what counts is the answer on the other connection */
    job->killer = NULL;
    rb_db_abort(killer);
}

static void killer_connected(struct rb_db *killer, int rc)
{
    struct rb_job *job = killer->owner;
    if (rc < 0) {
        killed(killer, rc);
        return;
    }
    job->driver->kill(job->db, &job->kill_text);
    job->kill_step = (struct rb_db_step){.sql = rb_buf_str(&job->kill_text)};
    rb_db_run(killer, &job->kill_step, 1, killed);
}

/* A COMMIT is not stopped: it has a moment to answer, and is in doubt after it. */
static void stop_statement(struct rb_job *job)
{
    uv_timer_start(job->timer, grace_over, KILL_GRACE, 0);
    if (job->stage != RB_JOB_COMMIT) {
        job->killer = rb_db_new(job->driver, job->plan.target, job->db->loop);
        job->killer->owner = job;
        rb_db_connect(job->killer, job->db->address, killer_connected);
    }
}

void rb_db_cancel(struct rb_call *call)
{
    struct rb_job *job = rb_call_data(call);
    bool again = job->cancelled;
    job->cancelled = true;
    if (again || job->stage < RB_JOB_LOOK) {
        give_up(job);
    } else {
        stop_statement(job);
    }
}
