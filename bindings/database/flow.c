/* The stages of a call: connect, make the session ours, look at the account and at what the statement calls,
 * do it, commit. Each ends in the callback that begins the next. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "database/job.h"

#define CONNECT_MAX 10.0 /* seconds */

static void connect_next(struct rb_job *job);
static void session(struct rb_job *job);
static void work(struct rb_job *job);
static void run_statements(struct rb_job *job);

/* An idle connection may have died without a word: once more on a new one, when it never answered. Whatever
 * was sent in a transaction is then gone with it. */
static bool try_again(struct rb_job *job)
{
    struct rb_db *db = job->db;
    if (!db->lost || !db->reused || db->finished > 0 || job->retried || job->cancelled ||
        job->stage > RB_JOB_WORK) {
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

static void fail_at_look(struct rb_job *job)
{
    if (!try_again(job)) {
        job->err = job->db->err;
        rb_job_fail(job, true);
    }
}

/* ---- connecting ---- */

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
        session(job);
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
    job->lookup = rb_lookup_start(job->pool->resolver, rb_json_str(job->plan.target, "host", "localhost"),
                                  CONNECT_MAX, looked_up, job);
}

void rb_job_open(struct rb_job *job)
{
    job->stage = RB_JOB_BEGIN;
    job->address = 0;
    job->db = job->retried ? NULL : rb_pool_take(job->pool, job->plan.target);
    if (job->db) {
        job->db->owner = job;
        session(job);
        return;
    }
    uv_timer_start(job->timer, connect_late, (uint64_t)(CONNECT_MAX * 1000), 0);
    if (*rb_json_str(job->plan.target, "socket", "")) {
        connect_next(job);
    } else {
        look_up(job);
    }
}

/* ---- looking ---- */

/* Our own question; its one value is in asked. */
static void ask(struct rb_job *job, const char *sql, const json_t *params,
                void (*done)(struct rb_db *db, int rc))
{
    job->stage = RB_JOB_LOOK;
    rb_answer_deinit(&job->asked);
    rb_answer_init(&job->asked, 1);
    free(job->steps);
    job->steps = rb_xcalloc(1, sizeof *job->steps);
    job->steps[0] = (struct rb_db_step){.sql = sql, .params = params, .answer = &job->asked};
    rb_db_run(job->db, job->steps, 1, done);
}

/* The answer as text, or NULL. Borrowed. */
static const char *asked_text(const struct rb_job *job)
{
    const json_t *row = json_array_get(job->asked.rows, 0);
    return row ? json_string_value(json_object_iter_value(json_object_iter((json_t *)row))) : NULL;
}

static void refuse_call(struct rb_job *job, const char *name)
{
    rb_err_set(&job->err, RB_EFORBIDDEN, RB_T_servers_sql_function, name);
    rb_err_hint(&job->err, RB_T_servers_sql_function_hint);
    rb_job_fail(job, true);
}

static void calls_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    const char *name = rc == 0 ? asked_text(job) : NULL;
    if (rc < 0) {
        fail_at_look(job);
    } else if (name) {
        refuse_call(job, name);
    } else {
        work(job);
    }
}

static const char *not_pure(const struct rb_job *job, const json_t *calls)
{
    char word[RB_STATEMENT_WORD * 2];
    size_t i;
    const json_t *name;
    json_array_foreach(calls, i, name)
    {
        const char *text = json_is_string(name) ? json_string_value(name) : "?";
        size_t len = 0;
        for (; text[len] && len < sizeof word - 1; len++) {
            word[len] = (char)(text[len] >= 'a' && text[len] <= 'z' ? text[len] - 32 : text[len]);
        }
        word[len] = '\0';
        if (text[len] || !rb_statement_word_in(word, job->driver->pure)) {
            return text;
        }
    }
    return NULL;
}

/* Which of these does more than compute? */
static void ask_about(struct rb_job *job, const json_t *calls, void (*done)(struct rb_db *db, int rc))
{
    char *names = rb_json_canonical(calls);
    json_t *params = json_pack("[s, b]", names, job->db->harmless);
    free(names);
    json_object_set_new(job->plan.args, "$calls", params); /* lives as long as the job */
    ask(job, job->driver->calls, params, done);
}

/* What a reading statement calls must be known not to write. */
static void look_at_calls(struct rb_job *job)
{
    const json_t *calls = job->plan.count ? job->plan.statements[0].calls : NULL;
    if (!job->plan.reading || json_array_size(calls) == 0) {
        work(job);
        return;
    }
    if (job->driver->pure) {
        const char *name = not_pure(job, calls);
        name ? refuse_call(job, name) : work(job);
        return;
    }
    ask_about(job, calls, calls_asked);
}

static void account_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc < 0) {
        fail_at_look(job);
        return;
    }
    const char *right = asked_text(job);
    bool configured = rb_json_bool(job->plan.target, "read_account", false);
    db->checked = true;
    db->harmless = configured && !right;
    if (!db->harmless) {
        struct rb_err text = {0};
        rb_err_set(&text, RB_EDENIED,
                   configured ? RB_T_servers_sql_account_more : RB_T_servers_sql_account_none,
                   rb_json_str(job->plan.target, "user", ""), right ? right : "");
        rb_call_remark(job->call, "unenforced", text.text);
    }
    look_at_calls(job);
}

static void look_at_account(struct rb_job *job)
{
    if (job->plan.reading && !job->db->checked) {
        ask(job, job->driver->account, NULL, account_asked);
    } else {
        look_at_calls(job);
    }
}

static void session_set(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc < 0) {
        fail_at_look(job);
        return;
    }
    db->limits = job->plan.limits;
    look_at_account(job);
}

static void session(struct rb_job *job)
{
    const struct rb_db_limits *now = &job->db->limits, *wanted = &job->plan.limits;
    bool set = now->timeout == wanted->timeout && now->wait == wanted->wait;
    if (!job->driver->session_settings || set) {
        look_at_account(job);
        return;
    }
    rb_buf_clear(&job->text);
    job->driver->settings(job->db, wanted, false, &job->text);
    ask(job, rb_buf_str(&job->text), NULL, session_set);
}

/* ---- doing ---- */

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
        alone_done(
            db,
            rc < 0 ? rc : rb_err_set(&db->err, RB_ECANCELLED, RB_T_servers_sql_cancelled, db->driver->name));
        return;
    }
    job->stage = RB_JOB_ALONE;
    job->steps[0] = (struct rb_db_step){.sql = rb_buf_str(&job->plan.statements[0].text),
                                        .params = job->plan.params[0],
                                        .answer = &job->answer};
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
    rb_job_done(job,
                json_pack("{s:b, s:s, s:s}", "ok", 0, "code", rb_err_name(err->code), "message", err->text));
    return true;
}

static void work_failed(struct rb_job *job)
{
    struct rb_db *db = job->db;
    if (try_again(job) || probe_answers(job)) {
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
        steps[i] = (struct rb_db_step){.sql = rb_buf_str(&job->plan.statements[i].text),
                                       .params = job->plan.params[i],
                                       .answer = &job->answer};
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

/* ---- receipts ---- */

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
        fail_at_look(job);
    } else {
        rb_job_done(job, json_boolean(asked_text(job) != NULL));
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
        run_statements(job);
    }
}

static void announce_and_do(struct rb_job *job)
{
    rb_call_announce(job->call, facts(job), announced);
}

static void effects_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    job->decisive = rc == 0 && !asked_text(job);
    rc < 0 ? fail_at_look(job) : announce_and_do(job);
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
        ask_about(job, calls, effects_asked);
    } else {
        announce_and_do(job);
    }
    json_decref(calls);
}

static void receipts_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    bool kept = rc == 0 && asked_text(job) != NULL;
    if (rc < 0) {
        fail_at_look(job);
    } else if (job->cancelled) {
        fail_cancelled(job);
    } else if (job->plan.look && kept) {
        job->receipt_params = json_pack("[s]", job->plan.receipt);
        ask(job, job->driver->find_receipt, job->receipt_params, receipt_asked);
    } else if (job->plan.look) {
        rb_err_set(&job->err, RB_ENOT_FOUND, RB_T_bindings_sql_no_receipts, job->driver->name);
        rb_job_fail(job, true);
    } else if (kept) {
        leave_receipt(job);
    } else {
        announce_and_do(job);
    }
}

/* The last stage before it: a write says first that it comes, and whether a receipt will say that it was. */
static void work(struct rb_job *job)
{
    if (job->plan.reading || job->plan.verb == RB_DB_PROBE) {
        run_statements(job);
    } else if (job->plan.receipt) {
        json_decref(job->receipt_params);
        job->receipt_params = NULL;
        ask(job, job->driver->receipts, NULL, receipts_asked);
    } else {
        announce_and_do(job);
    }
}

static size_t add_receipt(const struct rb_job *job, struct rb_db_step *steps)
{
    steps[0] = (struct rb_db_step){.sql = job->driver->leave_receipt, .params = job->receipt_params};
    return job->receipt_params ? 1 : 0;
}

/* BEGIN, settings, the statements; reading ends with ROLLBACK in the same go. */
static void run_statements(struct rb_job *job)
{
    const struct rb_db_driver *driver = job->driver;
    size_t n = 0;
    free(job->steps);
    job->steps = rb_xcalloc(job->plan.count + 16, sizeof *job->steps);
    job->steps[n++] =
        (struct rb_db_step){.sql = job->plan.reading ? driver->begin_read : driver->begin_write};
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
