/* The first stage of a call: an idle connection, or a new one to the first address that answers. */
#include "base/json.h"
#include "database/job.h"

#define CONNECT_MAX 10.0 /* seconds */

static void connect_next(struct rb_job *job);

static void fail_to_connect(struct rb_job *job, const struct rb_err *err)
{
    job->err = *err;
    rb_job_fail(job, true);
}

static void connect_late(uv_timer_t *timer)
{
    struct rb_job *job = timer->data;
    const json_t *target = job->plan.target;
    const char *socket = rb_json_str(target, "socket", "");
    rb_err_set(&job->err, RB_ETIMEOUT, RB_T_servers_connect_timeout, job->driver->name,
               *socket ? socket : rb_json_str(target, "host", "localhost"), CONNECT_MAX);
    rb_job_fail(job, true);
}

static void connected(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc == 0) {
        uv_timer_stop(job->timer);
        rb_job_look(job);
        return;
    }
    struct rb_err err = db->err;
    bool other = rc == RB_EREFUSED || rc == RB_EUNREACHABLE || rc == RB_ETIMEOUT || rc == RB_ERESET;
    rb_db_abort(db);
    job->db = NULL;
    job->address++;
    if (other && job->address < job->addresses.count) {
        connect_next(job);
    } else {
        fail_to_connect(job, &err);
    }
}

static void connect_next(struct rb_job *job)
{
    job->stage = RB_JOB_CONNECT;
    job->db = rb_db_new(job->driver, job->plan.target, rb_call_loop(job->call));
    job->db->owner = job;
    rb_db_connect(job->db, job->addresses.count ? job->addresses.list[job->address].text : "", connected);
}

static void looked_up(void *user, const struct rb_addresses *found, const struct rb_err *err)
{
    struct rb_job *job = user;
    job->lookup = NULL;
    if (!found) {
        fail_to_connect(job, err);
        return;
    }
    job->addresses = *found;
    connect_next(job);
}

static void look_up(struct rb_job *job)
{
    struct rb_err err = {0};
    if (!job->pool->resolver) {
        job->pool->resolver = rb_resolver_new(rb_call_loop(job->call), NULL, &err);
    }
    if (!job->pool->resolver) {
        fail_to_connect(job, &err);
        return;
    }
    job->lookup = rb_lookup_start(job->pool->resolver, rb_json_str(job->plan.target, "host", "localhost"), CONNECT_MAX,
                                  looked_up, job);
}

void rb_job_open(struct rb_job *job)
{
    job->stage = RB_JOB_BEGIN;
    job->address = 0;
    job->db = job->retried ? NULL : rb_pool_take(job->pool, job->plan.target);
    if (job->db) {
        job->db->owner = job;
        rb_job_look(job);
        return;
    }
    uv_timer_start(job->timer, connect_late, (uint64_t)(CONNECT_MAX * 1000), 0);
    if (*rb_json_str(job->plan.target, "socket", "")) {
        connect_next(job);
    } else {
        look_up(job);
    }
}
