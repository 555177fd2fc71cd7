/* The last stage of a call: its statements in a transaction, and the transaction's end. */
#include <stdlib.h>

#include "base/json.h"
#include "database/job.h"

/* Its own failure is nothing new: the connection is then closed, which rolls back too. */
static void rolled_back(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    bool undone = job->driver->transactional || (rc == 0 && db->warnings == 0);
    db->lost |= rc != 0;
    if (job->plan.verb == RB_DB_PROBE && !job->err.code) {
        rb_job_done(job, NULL);
    } else {
        rb_job_fail(job, undone);
    }
}

static void roll_back(struct rb_job *job)
{
    static const struct rb_db_step step = {.sql = "ROLLBACK"};
    job->stage = RB_JOB_ROLLBACK;
    rb_db_run(job->db, &step, 1, rolled_back);
}

static void committed(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc == 0) {
        rb_job_done(job, NULL);
        return;
    }
    job->err = db->err;
    if (db->lost) {
        rb_err_set(&job->err, RB_ERESET, RB_T_servers_sql_commit_doubt, job->driver->name, db->err.text);
    }
    rb_job_fail(job, !db->lost);
}

static void commit(struct rb_job *job)
{
    static const struct rb_db_step step = {.sql = "COMMIT"};
    job->stage = RB_JOB_COMMIT;
    rb_db_run(job->db, &step, 1, committed);
}

static void alone_done(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    job->plan.keeps_session = false; /* its settings are ours */
    if (rc == 0) {
        rb_job_done(job, NULL);
        return;
    }
    job->err = db->err;
    rb_job_fail(job, !db->lost);
}

static void alone_ready(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc < 0 || job->cancelled) {
        alone_done(db, rc < 0 ? rc : rb_err_set(&db->err, RB_ECANCELLED, RB_T_servers_sql_cancelled, db->driver->name));
        return;
    }
    job->stage = RB_JOB_ALONE;
    job->steps[0] = (struct rb_db_step){
        .sql = rb_buf_str(&job->plan.statements[0].text), .params = job->plan.params[0], .answer = &job->answer};
    rb_db_run(db, job->steps, 1, alone_done);
}

static void alone(struct rb_job *job)
{
    rb_buf_clear(&job->text);
    job->driver->settings(job->db, &job->plan.limits, false, &job->text);
    job->stage = RB_JOB_LOOK;
    job->steps[0] = (struct rb_db_step){.sql = "ROLLBACK"};
    job->steps[1] = (struct rb_db_step){.sql = rb_buf_str(&job->text)};
    rb_db_run(job->db, job->steps, 2, alone_ready);
}

/* A probe answers what the server said; only silence is an error. */
static bool probe_answers(struct rb_job *job)
{
    const struct rb_err *err = &job->db->err;
    if (job->plan.verb != RB_DB_PROBE || job->db->lost || job->cancelled) {
        return false;
    }
    job->plan.keeps_session = false;
    rb_job_done(job, json_pack("{s:b, s:s, s:s}", "ok", 0, "code", rb_err_name(err->code), "message", err->text));
    return true;
}

static void work_failed(struct rb_job *job)
{
    struct rb_db *db = job->db;
    if (rb_job_again(job) || probe_answers(job)) {
        return;
    }
    job->err = db->err;
    if (db->lost) {
        rb_job_fail(job, job->driver->transactional || job->plan.reading);
    } else if (job->plan.verb == RB_DB_EXEC && !job->cancelled && job->driver->wants_alone(db)) {
        alone(job);
    } else {
        roll_back(job);
    }
}

static void worked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc < 0) {
        work_failed(job);
    } else if (job->cancelled) { /* done before it could be stopped, and taken back */
        rb_err_set(&job->err, RB_ECANCELLED, RB_T_servers_sql_cancelled, job->driver->name);
        job->plan.reading ? rb_job_fail(job, true) : roll_back(job);
    } else if (job->plan.reading) {
        rb_job_done(job, NULL);
    } else if (job->plan.verb == RB_DB_PROBE) {
        roll_back(job);
    } else {
        commit(job);
    }
}

static size_t add_statements(struct rb_job *job, struct rb_db_step *steps)
{
    for (size_t i = 0; i < job->plan.count; i++) {
        steps[i] = (struct rb_db_step){
            .sql = rb_buf_str(&job->plan.statements[i].text), .params = job->plan.params[i], .answer = &job->answer};
    }
    return job->plan.count;
}

static size_t add_probe(const struct rb_job *job, struct rb_db_step *steps)
{
    size_t n = 0;
    for (; job->plan.verb == RB_DB_PROBE && job->driver->probe[n]; n++) {
        steps[n] = (struct rb_db_step){.sql = job->driver->probe[n]};
    }
    return n;
}

static size_t add_receipt(const struct rb_job *job, struct rb_db_step *steps)
{
    steps[0] = (struct rb_db_step){.sql = job->driver->leave_receipt, .params = job->receipt_params};
    return job->receipt_params ? 1 : 0;
}

/* BEGIN, settings, the statements; reading ends with ROLLBACK in the same go. */
void rb_job_work(struct rb_job *job)
{
    const struct rb_db_driver *driver = job->driver;
    size_t n = 0;
    free(job->steps);
    job->steps = rb_xcalloc(job->plan.count + 16, sizeof *job->steps);
    job->steps[n++] = (struct rb_db_step){.sql = job->plan.reading ? driver->begin_read : driver->begin_write};
    if (!driver->session_settings) {
        rb_buf_clear(&job->text);
        driver->settings(job->db, &job->plan.limits, true, &job->text);
        job->steps[n++] = (struct rb_db_step){.sql = rb_buf_str(&job->text)};
    }
    n += add_receipt(job, job->steps + n);
    n += add_statements(job, job->steps + n);
    n += add_probe(job, job->steps + n);
    if (job->plan.reading) {
        job->steps[n++] = (struct rb_db_step){.sql = "ROLLBACK"};
    }
    job->stage = RB_JOB_WORK;
    rb_db_run(job->db, job->steps, n, worked);
}
