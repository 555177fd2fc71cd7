/* The second stage of a call: the session is made ours, the account and what a reading statement calls are
 * looked at. */
#include "base/json.h"
#include "database/job.h"

static void refuse_call(struct rb_job *job, const char *name)
{
    rb_err_set(&job->err, RB_EFORBIDDEN, RB_T_servers_sql_function, name);
    rb_err_hint(&job->err, RB_T_servers_sql_function_hint);
    rb_job_fail(job, true);
}

static void calls_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    const char *name = rc == 0 ? rb_job_asked_text(job) : NULL;
    if (rc < 0) {
        rb_job_look_failed(job);
    } else if (name) {
        refuse_call(job, name);
    } else {
        rb_job_announce(job);
    }
}

static const char *not_pure(const struct rb_job *job, const json_t *calls)
{
    char word[RB_STATEMENT_WORD * 2];
    size_t i;
    const json_t *name;
    json_array_foreach(calls, i, name) {
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

/* What a reading statement calls must be known not to write. */
static void look_at_calls(struct rb_job *job)
{
    const json_t *calls = job->plan.count ? job->plan.statements[0].calls : NULL;
    if (!job->plan.reading || json_array_size(calls) == 0) {
        rb_job_announce(job);
        return;
    }
    if (job->driver->pure) {
        const char *name = not_pure(job, calls);
        name ? refuse_call(job, name) : rb_job_announce(job);
        return;
    }
    rb_job_ask_about(job, calls, calls_asked);
}

static void account_asked(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc < 0) {
        rb_job_look_failed(job);
        return;
    }
    const char *right = rb_job_asked_text(job);
    bool configured = rb_json_bool(job->plan.target, "read_account", false);
    db->checked = true;
    db->harmless = configured && !right;
    if (!db->harmless) {
        struct rb_err text = {0};
        rb_err_set(&text, RB_EDENIED, configured ? RB_T_servers_sql_account_more : RB_T_servers_sql_account_none,
                   rb_json_str(job->plan.target, "user", ""), right ? right : "");
        rb_call_remark(job->call, "unenforced", text.text);
    }
    look_at_calls(job);
}

static void look_at_account(struct rb_job *job)
{
    if (job->plan.reading && !job->db->checked) {
        rb_job_ask(job, job->driver->account, NULL, account_asked);
    } else {
        look_at_calls(job);
    }
}

static void session_set(struct rb_db *db, int rc)
{
    struct rb_job *job = db->owner;
    if (rc < 0) {
        rb_job_look_failed(job);
        return;
    }
    db->limits = job->plan.limits;
    look_at_account(job);
}

void rb_job_look(struct rb_job *job)
{
    const struct rb_db_limits *now = &job->db->limits, *wanted = &job->plan.limits;
    bool set = now->timeout == wanted->timeout && now->wait == wanted->wait;
    if (!job->driver->session_settings || set) {
        look_at_account(job);
        return;
    }
    rb_buf_clear(&job->text);
    job->driver->settings(job->db, wanted, false, &job->text);
    rb_job_ask(job, rb_buf_str(&job->text), NULL, session_set);
}
