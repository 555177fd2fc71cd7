/* The third stage of a call: a write says first that it comes, and whether a receipt will say that it was. */
#include "base/json.h"
#include "database/job.h"

/* Before anything of it was sent. */
static void fail_cancelled(struct rb_job *job)
{
    rb_err_set(&job->err, RB_ECANCELLED, RB_T_servers_sql_cancelled, job->driver->name);
    rb_job_fail(job, true);
}

/* Only the answer to this counts: a row that is there was committed. */
static void receipt_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc < 0) {
        rb_job_look_failed(job);
    } else {
        rb_job_done(job, json_boolean(rb_job_asked_text(job) != NULL));
    }
}

static json_t *facts(const struct rb_job *job)
{
    return job->receipt_params ? json_pack("{s:s, s:b}", "receipt", job->plan.receipt, "decisive", job->decisive)
                               : json_object();
}

static void announced(struct rb_call *call, const struct rb_err *error)
{
    struct rb_job *job = rb_call_data(call);
    if (error) {
        job->err = *error;
        rb_job_fail(job, true);
    } else if (job->cancelled) {
        fail_cancelled(job);
    } else {
        rb_job_work(job);
    }
}

static void announce_and_do(struct rb_job *job)
{
    rb_call_announce(job->call, facts(job), announced);
}

static void effects_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    job->decisive = rc == 0 && !rb_job_asked_text(job);
    rc < 0 ? rb_job_look_failed(job) : announce_and_do(job);
}

/* Where all is rolled back, what was not committed left no trace: unless it called what acts by itself. */
static void leave_receipt(struct rb_job *job)
{
    json_t *calls = json_array();
    job->receipt_params = json_pack("[s]", job->plan.receipt);
    for (size_t i = 0; i < job->plan.count; i++) {
        json_array_extend(calls, job->plan.statements[i].calls);
    }
    if (job->driver->transactional) {
        rb_job_ask_about(job, calls, effects_asked);
    } else {
        announce_and_do(job);
    }
    json_decref(calls);
}

static void receipts_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    bool kept = rc == 0 && rb_job_asked_text(job) != NULL;
    if (rc < 0) {
        rb_job_look_failed(job);
    } else if (job->cancelled) {
        fail_cancelled(job);
    } else if (job->plan.look && kept) {
        job->receipt_params = json_pack("[s]", job->plan.receipt);
        rb_job_ask(job, job->driver->find_receipt, job->receipt_params, receipt_asked);
    } else if (job->plan.look) {
        rb_err_set(&job->err, RB_ENOT_FOUND, RB_T_bindings_sql_no_receipts, job->driver->name);
        rb_job_fail(job, true);
    } else if (kept) {
        leave_receipt(job);
    } else {
        announce_and_do(job);
    }
}

void rb_job_announce(struct rb_job *job)
{
    if (job->plan.reading || job->plan.verb == RB_DB_PROBE) {
        rb_job_work(job);
    } else if (job->plan.receipt) {
        json_decref(job->receipt_params);
        job->receipt_params = NULL;
        rb_job_ask(job, job->driver->receipts, NULL, receipts_asked);
    } else {
        announce_and_do(job);
    }
}
