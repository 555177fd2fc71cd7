/* Our own questions to the server, and a second try on a new connection. */
#include <stdlib.h>

#include "base/json.h"
#include "database/job.h"

void rb_job_ask(struct rb_job *job, const char *sql, const json_t *params, void (*done)(struct rb_db *db, int rc))
{
    job->stage = RB_JOB_LOOK;
    rb_answer_deinit(&job->asked);
    rb_answer_init(&job->asked, 1);
    free(job->steps);
    job->steps = rb_xcalloc(1, sizeof *job->steps);
    job->steps[0] = (struct rb_db_step){.sql = sql, .params = params, .answer = &job->asked};
    rb_db_run(job->db, job->steps, 1, done);
}

const char *rb_job_asked_text(const struct rb_job *job)
{
    const json_t *row = json_array_get(job->asked.rows, 0);
    return row ? json_string_value(json_object_iter_value(json_object_iter((json_t *)row))) : NULL;
}

void rb_job_ask_about(struct rb_job *job, const json_t *calls, void (*done)(struct rb_db *db, int rc))
{
    char *names = rb_json_canonical(calls);
    json_t *params = json_pack("[s, b]", names, job->db->harmless);
    free(names);
    json_object_set_new(job->plan.args, "$calls", params); /* lives as long as the job */
    rb_job_ask(job, job->driver->calls, params, done);
}

/* An idle connection may have died without a word: once more on a new one, when it never answered. Whatever
 * was sent in a transaction is then gone with it. */
bool rb_job_again(struct rb_job *job)
{
    struct rb_db *db = job->db;
    if (!db->lost || !db->reused || db->finished > 0 || job->retried || job->cancelled || job->stage > RB_JOB_WORK) {
        return false;
    }
    job->retried = true;
    rb_db_abort(db);
    job->db = NULL;
    rb_answer_deinit(&job->answer);
    rb_answer_init(&job->answer, job->plan.max_rows);
    job->answer.no_rows = job->plan.verb == RB_DB_TX;
    rb_job_open(job);
    return true;
}

void rb_job_look_failed(struct rb_job *job)
{
    if (!rb_job_again(job)) {
        job->err = job->db->err;
        rb_job_fail(job, true);
    }
}
