/* Reading events, and finding a run by the beginning of its id. */
#include <string.h>

#include "journal/private.h"

#define COLUMNS "id, run, seq, utc, mono, kind, actor, body, body_digest, hash"

static const char *text(sqlite3_stmt *s, int column)
{
    const char *t = (const char *)sqlite3_column_text(s, column);
    return t ? t : "";
}

/* "" for what is no hash: verify names such a row. */
static void hex_of(sqlite3_stmt *s, int column, char out[RB_HEX_SIZE])
{
    const void *hash = sqlite3_column_blob(s, column);
    out[0] = '\0';
    if (hash && sqlite3_column_bytes(s, column) == RB_HASH_SIZE) {
        rb_hex(hash, out);
    }
}

static int deliver(sqlite3_stmt *s, rb_event_fn *fn, void *user)
{
    char digest[RB_HEX_SIZE], hash[RB_HEX_SIZE];
    hex_of(s, 8, digest);
    hex_of(s, 9, hash);
    struct rb_event event = {.id = sqlite3_column_int64(s, 0),
                             .run = text(s, 1),
                             .seq = sqlite3_column_int64(s, 2),
                             .utc_us = sqlite3_column_int64(s, 3),
                             .mono_ns = sqlite3_column_int64(s, 4),
                             .kind = text(s, 5),
                             .actor = text(s, 6),
                             .body = (const char *)sqlite3_column_text(s, 7),
                             .digest = digest,
                             .hash = hash};
    return fn(&event, user);
}

/* The event before a run's first one. A run is never older than its run.started. */
static int64_t run_start(struct rb_journal *j, const char *run)
{
    sqlite3_stmt *s = NULL;
    int64_t id = 0;
    if (journal_prepare(j, &s,
                        "SELECT min(id) FROM events INDEXED BY runs WHERE " RUNS_CONDITION
                        " AND kind = 'run.started' AND run = ?1") == SQLITE_OK &&
        sqlite3_bind_text(s, 1, run, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        id = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s); /* the read itself meets the same error and reports it */
    return id > 0 ? id - 1 : 0;
}

static int deliver_all(struct rb_journal *j, sqlite3_stmt *s, int rc, rb_event_fn *fn, void *user, struct rb_err *err)
{
    int found = 0;
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        found = deliver(s, fn, user);
        rc = found ? SQLITE_DONE : SQLITE_OK;
    }
    if (rc != SQLITE_DONE) {
        found = journal_cannot_read(j, err);
    }
    (void)sqlite3_finalize(s); /* reported above */
    return found;
}

int rb_journal_read(struct rb_journal *j, const char *run, int64_t after, rb_event_fn *fn, void *user,
                    struct rb_err *err)
{
    sqlite3_stmt *s = NULL;
    j = journal_of(j, run);
    int64_t start = run ? run_start(j, run) : 0;
    int rc = journal_prepare(j, &s,
                             run ? "SELECT " COLUMNS " FROM events NOT INDEXED WHERE id > ?1 AND run = ?2 ORDER BY id"
                                 : "SELECT " COLUMNS " FROM events NOT INDEXED WHERE id > ?1 ORDER BY id");
    rc = rc ? rc : sqlite3_bind_int64(s, 1, start > after ? start : after);
    rc = rc || !run ? rc : sqlite3_bind_text(s, 2, run, -1, SQLITE_STATIC);
    return deliver_all(j, s, rc, fn, user, err);
}

int rb_journal_read_kind(struct rb_journal *j, const char *kind, const char *run, int64_t after, rb_event_fn *fn,
                         void *user, struct rb_err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM events INDEXED BY runs WHERE " RUNS_CONDITION
                              " AND kind = ?1 AND id > ?2 AND (?3 IS NULL OR run = ?3) ORDER BY id";
    sqlite3_stmt *s = NULL;
    j = journal_of(j, run);
    int rc = journal_prepare(j, &s, sql);
    rc = rc ? rc : sqlite3_bind_text(s, 1, kind, -1, SQLITE_STATIC);
    rc = rc ? rc : sqlite3_bind_int64(s, 2, after);
    rc = rc ? rc : sqlite3_bind_text(s, 3, run, -1, SQLITE_STATIC);
    return deliver_all(j, s, rc, fn, user, err);
}

/* At most two runs that begin so; one that is named whole comes first. */
struct named {
    char run[2][RB_ID_MAX];
    int count;
};

static int find_runs(struct rb_journal *j, const char *prefix, struct named *named, struct rb_err *err)
{
    static const char sql[] =
        "SELECT DISTINCT run FROM events INDEXED BY runs WHERE " RUNS_CONDITION
        " AND kind = 'run.started' AND (substr(run, 1, length(?1)) = ?1 OR substr(run, 3, length(?1)) = ?1) "
        "ORDER BY run = ?1 DESC, run LIMIT 2";
    sqlite3_stmt *s = NULL;
    int rc = journal_prepare(j, &s, sql);
    rc = rc ? rc : sqlite3_bind_text(s, 1, prefix, -1, SQLITE_STATIC);
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        bool whole = strcmp(text(s, 0), prefix) == 0;
        char *to = named->run[whole ? 0 : named->count ? 1 : 0];
        strncpy(to, text(s, 0), RB_ID_MAX - 1); /* the last byte stays 0 */
        named->count++;
        rc = SQLITE_OK;
    }
    rc = rc == SQLITE_DONE ? 0 : journal_cannot_read(j, err);
    (void)sqlite3_finalize(s); /* reported above */
    return rc;
}

int rb_journal_find_run(struct rb_journal *j, const char *prefix, char out[RB_ID_MAX], struct rb_err *err)
{
    struct named named = {0};
    int rc = find_runs(j, prefix, &named, err);
    rc = rc || !j->beside ? rc : find_runs(j->beside, prefix, &named, err);
    memcpy(out, named.run[0], RB_ID_MAX);
    if (rc || named.count == 1 || (named.count && strcmp(out, prefix) == 0)) {
        return rc;
    }
    return named.count ? rb_err_set(err, RB_EUSAGE, RB_T_journal_run_many, prefix, out, named.run[1])
                       : rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_run_none, prefix);
}
