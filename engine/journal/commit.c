/* Events wait in memory for the next transaction; there they get their place in the run and in the chain. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/json.h"
#include "journal/private.h"

#define SEAL_EVERY_NS (60 * INT64_C(1000000000)) /* of a run that goes on; its end is sealed anyway */

static void queued_free(struct queued *q)
{
    if (q) {
        free(q->body);
        free(q);
    }
}

static void queue_clear(struct rb_journal *j)
{
    while (j->first) {
        struct queued *q = j->first;
        j->first = q->next;
        queued_free(q);
    }
    j->end = &j->first;
    blobs_clear(j);
    j->queued_bytes = 0;
}

static void runs_forget(struct rb_journal *j)
{
    tdestroy(j->runs, free);
    j->runs = NULL;
}

void queue_free(struct rb_journal *j)
{
    queue_clear(j);
    runs_forget(j);
}

static void actor_default(struct rb_journal *j)
{
    if (!j->actor) {
        json_t *actor = rb_journal_actor_find();
        rb_journal_actor_set(j, actor);
        json_decref(actor);
    }
}

static struct queued *queued_new(struct rb_journal *j, const char *run, const char *kind, const json_t *body,
                                 struct rb_err *err)
{
    if (!j->writer || !run[0] || strlen(run) >= RB_ID_MAX || !kind[0]) {
        rb_err_set(err, RB_EINTERNAL, RB_T_journal_event_bad, run, kind);
        return NULL;
    }
    char *text = body ? rb_json_canonical(body) : rb_xstrdup("{}");
    size_t size = text ? strlen(text) : 0;
    if (!text || size > QUEUE_MAX - j->queued_bytes) {
        free(text);
        rb_err_set(err, RB_EJOURNAL, RB_T_journal_queue_full, j->path);
        return NULL;
    }
    actor_default(j);
    size_t kind_size = strlen(kind) + 1, actor_size = strlen(j->actor) + 1;
    struct queued *q = rb_xcalloc(1, sizeof *q + kind_size + actor_size);
    q->utc_us = rb_clock_utc_us();
    q->mono_ns = rb_clock_mono_ns();
    memcpy(q->run, run, strlen(run) + 1);
    q->kind = memcpy(q->text, kind, kind_size);
    q->actor = memcpy(q->text + kind_size, j->actor, actor_size);
    q->body = text;
    rb_hash(text, size, q->digest);
    return q;
}

int rb_journal_add(struct rb_journal *j, const char *run, const char *kind, const json_t *body, struct rb_err *err)
{
    struct rb_err why = {0};
    struct queued *q = queued_new(j, run, kind, body, &why);
    if (!q) {
        if (err) {
            *err = why;
        }
        return why.code;
    }
    j->queued_bytes += strlen(q->body);
    *j->end = q;
    j->end = &q->next;
    return 0;
}

static int run_compare(const void *a, const void *b)
{
    return strcmp(((const struct run_seq *)a)->run, ((const struct run_seq *)b)->run);
}

static struct run_seq *run_find(struct rb_journal *j, const char *run)
{
    struct run_seq key;
    (void)snprintf(key.run, sizeof key.run, "%s", run);
    struct run_seq *const *found = tfind(&key, &j->runs, run_compare);
    return found ? *found : NULL;
}

static void run_end(struct rb_journal *j, const char *run)
{
    struct run_seq *r = run_find(j, run);
    if (r) {
        (void)tdelete(r, &j->runs, run_compare);
        free(r);
    }
}

/* A run starts with run.started, so a new id costs no search. Else its newest event is near the end. */
static int run_lookup(struct rb_journal *j, const struct queued *q, struct run_seq **out)
{
    *out = run_find(j, q->run);
    if (*out) {
        return SQLITE_OK;
    }
    int64_t seq = 0;
    int rc = SQLITE_DONE;
    if (strcmp(q->kind, "run.started") != 0) {
        rc = sqlite3_bind_text(j->seq_of, 1, q->run, -1, SQLITE_STATIC);
        rc = rc ? rc : sqlite3_step(j->seq_of);
        seq = rc == SQLITE_ROW ? sqlite3_column_int64(j->seq_of, 0) : 0;
        (void)sqlite3_reset(j->seq_of); /* repeats rc */
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return rc;
    }
    struct run_seq *r = rb_xcalloc(1, sizeof *r);
    memcpy(r->run, q->run, sizeof r->run);
    r->seq = seq;
    const void *node = tsearch(r, &j->runs, run_compare);
    RB_REQUIRE(node);
    *out = r;
    return SQLITE_OK;
}

/* What other processes appended since our last commit may belong to runs of ours (an approval). */
static int learn_seqs(struct rb_journal *j)
{
    if (!j->runs) {
        return SQLITE_OK;
    }
    int rc = sqlite3_bind_int64(j->since, 1, j->last_id);
    while (rc == SQLITE_OK && (rc = sqlite3_step(j->since)) == SQLITE_ROW) {
        struct run_seq *r = run_find(j, (const char *)sqlite3_column_text(j->since, 0));
        if (r) {
            r->seq = sqlite3_column_int64(j->since, 1);
        }
        rc = SQLITE_OK;
    }
    (void)sqlite3_reset(j->since); /* repeats rc */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int catch_up(struct rb_journal *j)
{
    int rc = sqlite3_step(j->newest);
    int64_t id = 0;
    if (rc == SQLITE_ROW) {
        id = sqlite3_column_int64(j->newest, 0);
        const void *hash = sqlite3_column_blob(j->newest, 1);
        if (sqlite3_column_bytes(j->newest, 1) == RB_HASH_SIZE && hash) {
            memcpy(j->last_hash, hash, RB_HASH_SIZE);
        } else {
            memset(j->last_hash, 0, RB_HASH_SIZE); /* a broken row: verify names it, work goes on */
        }
    } else if (rc == SQLITE_DONE) {
        memset(j->last_hash, 0, RB_HASH_SIZE);
    } else {
        (void)sqlite3_reset(j->newest);
        return rc;
    }
    (void)sqlite3_reset(j->newest);
    rc = id == j->last_id ? SQLITE_OK : learn_seqs(j);
    j->last_id = id;
    return rc;
}

static int bind(sqlite3_stmt *s, const struct queued *q, int64_t id, int64_t seq, const unsigned char *hash)
{
    return sqlite3_bind_int64(s, 1, id) || sqlite3_bind_text(s, 2, q->run, -1, SQLITE_STATIC) ||
           sqlite3_bind_int64(s, 3, seq) || sqlite3_bind_int64(s, 4, q->utc_us) ||
           sqlite3_bind_int64(s, 5, q->mono_ns) || sqlite3_bind_text(s, 6, q->kind, -1, SQLITE_STATIC) ||
           sqlite3_bind_text(s, 7, q->actor, -1, SQLITE_STATIC) ||
           sqlite3_bind_text64(s, 8, q->body, strlen(q->body), SQLITE_STATIC, SQLITE_UTF8) ||
           sqlite3_bind_blob(s, 9, q->digest, RB_HASH_SIZE, SQLITE_STATIC) ||
           sqlite3_bind_blob(s, 10, hash, RB_HASH_SIZE, SQLITE_STATIC);
}

static int insert(struct rb_journal *j, const struct queued *q)
{
    struct run_seq *run;
    int rc = run_lookup(j, q, &run);
    if (rc) {
        return rc;
    }
    struct chain_row row = {.id = j->last_id + 1,
                            .seq = run->seq + 1,
                            .utc_us = q->utc_us,
                            .mono_ns = q->mono_ns,
                            .run = q->run,
                            .run_len = strlen(q->run),
                            .kind = q->kind,
                            .kind_len = strlen(q->kind),
                            .actor = q->actor,
                            .actor_len = strlen(q->actor),
                            .digest = q->digest};
    unsigned char hash[RB_HASH_SIZE];
    chain_hash(&row, j->last_hash, hash);
    rc = bind(j->insert, q, row.id, row.seq, hash) ? SQLITE_ERROR : sqlite3_step(j->insert);
    (void)sqlite3_reset(j->insert); /* repeats rc */
    if (rc != SQLITE_DONE) {
        return rc;
    }
    memcpy(j->last_hash, hash, RB_HASH_SIZE);
    j->last_id = row.id;
    run->seq = row.seq;
    if (strcmp(q->kind, "run.ended") == 0) {
        run_end(j, q->run);
    }
    return SQLITE_OK;
}

static int step(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    (void)sqlite3_reset(s); /* repeats rc */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* An event that is written only if nothing speaks against it, looked up in the transaction itself. */
struct conditional {
    const struct rb_journal_if *event;
    const struct queued *queued;
    int refused; /* by its check */
    struct rb_err *err;
};

static int insert_if(struct rb_journal *j, struct conditional *one)
{
    if (!one) {
        return SQLITE_OK;
    }
    one->refused = one->event->check(j, one->event->user, one->err);
    return one->refused ? SQLITE_OK : insert(j, one->queued);
}

static int transaction(struct rb_journal *j, struct conditional *one, struct rb_err *err)
{
    int rc = step(j->begin);
    rc = rc ? rc : catch_up(j);
    rc = rc ? rc : blobs_insert(j);
    for (const struct queued *q = j->first; !rc && q; q = q->next) {
        rc = insert(j, q);
    }
    rc = rc ? rc : insert_if(j, one);
    rc = rc ? rc : step(j->commit);
    if (!rc) {
        return 0;
    }
    journal_cannot_write(j, err);
    bool full = journal_disk_full(j);
    if (!sqlite3_get_autocommit(j->db)) {
        (void)step(j->rollback); /* fails only when SQLite already rolled back */
    }
    runs_forget(j); /* they counted events that are not there */
    j->last_id = 0;
    return full ? RB_ENO_SPACE : RB_EJOURNAL;
}

/* A file that has lost its name takes every commit, and nobody will ever read it: that is no record. */
static int still_there(struct rb_journal *j, struct rb_err *err)
{
    int moved = 0;
    if (sqlite3_file_control(j->db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved) {
        rb_err_set(err, RB_EJOURNAL, RB_T_journal_write, j->path, rb_text(RB_T_journal_moved));
        rb_err_hint(err, RB_T_journal_write_hint, j->path);
        return RB_EJOURNAL;
    }
    return 0;
}

static int commit(struct rb_journal *j, struct conditional *one, struct rb_err *err)
{
    int rc = still_there(j, err);
    rc = rc ? rc : lock_take(j, false, err);
    if (rc) {
        journal_patience(j, JOURNAL_WAIT_AGAIN_MS);
        return rc;
    }
    RB_CRASH_POINT("commit");
    rc = transaction(j, one, err);
    RB_CRASH_POINT("committed");
    if (rc == RB_ENO_SPACE && reserve_release(j)) {
        rc = transaction(j, one, err);
    }
    lock_release(j);
    if (rc) {
        journal_patience(j, JOURNAL_WAIT_AGAIN_MS);
        return RB_EJOURNAL;
    }
    if (j->wait_ms != JOURNAL_WAIT_MS) {
        journal_patience(j, JOURNAL_WAIT_MS);
    }
    queue_clear(j);
    checkpoint_after_commit(j);
    if (rb_clock_mono_ns() - j->sealed_ns > SEAL_EVERY_NS) {
        (void)rb_journal_seal(j, NULL); /* what is committed is safe; the seal at the run's end says what is wrong */
    }
    return 0;
}

int rb_journal_commit(struct rb_journal *j, struct rb_err *err)
{
    return j->first ? commit(j, NULL, err) : 0;
}

int rb_journal_add_if(struct rb_journal *j, const struct rb_journal_if *event, struct rb_err *err)
{
    struct rb_err why = {0};
    struct queued *q = queued_new(j, event->run, event->kind, event->body, &why);
    struct conditional one = {.event = event, .queued = q, .err = &why};
    int rc = q ? commit(j, &one, &why) : why.code;
    rc = rc ? rc : one.refused;
    queued_free(q);
    if (rc && err) {
        *err = why;
    }
    return rc;
}
