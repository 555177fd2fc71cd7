/* The two tables, and whether a database has them and nothing that would change what is written. */
#include <stdio.h>

#include "journal/private.h"

#define APPLICATION_ID 1381647970 /* "RZbb", also for file(1) */
#define TABLE \
    "CREATE TABLE events(id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL, " \
    "utc INTEGER NOT NULL, mono INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, body TEXT, " \
    "body_digest BLOB NOT NULL, hash BLOB NOT NULL) STRICT"
/* What is too large for an event, or the same in many runs: bytes by their SHA-256. The event that names
 * the hash is what the chain protects. */
#define BLOBS "CREATE TABLE blobs(digest BLOB PRIMARY KEY, data BLOB NOT NULL) STRICT"
/* Some entries a run: lists of runs, plans and approvals need no walk through all events, appending pays next to
 * nothing. */
#define INDEX "CREATE INDEX runs ON events(kind, id, run) WHERE " RUNS_CONDITION
#define VERSION 4 /* 2, 3: the index had other conditions */
#define OLDEST 2

/* One integer; -1 when SQLite will not say. */
static int64_t ask(struct rb_journal *j, const char *sql)
{
    static const char *const definitions[] = {TABLE, BLOBS, INDEX}; /* ?1 … of whoever asks for them */
    sqlite3_stmt *s = NULL;
    int64_t value = -1;
    int rc = journal_prepare(j, &s, sql);
    for (int i = 0; rc == SQLITE_OK && i < sqlite3_bind_parameter_count(s); i++) {
        rc = sqlite3_bind_text(s, i + 1, definitions[i], -1, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        value = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s); /* repeats the error of the step */
    return value;
}

enum state { BROKEN, EMPTY, FOREIGN, OLDER, READY };

/* A trigger or another definition of the table would write other rows than the ones that were hashed. */
static enum state look(struct rb_journal *j)
{
    int64_t id = ask(j, "PRAGMA application_id");
    int64_t objects = ask(j, "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'trigger')");
    if (id < 0 || objects < 0) {
        return BROKEN;
    }
    if (objects == 0 && id == 0) {
        return EMPTY;
    }
    int64_t ours = ask(j, "SELECT count(*) FROM sqlite_schema WHERE sql IN (?1, ?2, ?3)");
    int64_t version = ask(j, "PRAGMA user_version");
    if (id != APPLICATION_ID || objects != 2) {
        return FOREIGN;
    }
    return ours == 3 && version == VERSION                       ? READY
           : ours == 2 && version >= OLDEST && version < VERSION ? OLDER
                                                                 : FOREIGN;
}

int schema_touch(struct rb_journal *j)
{
    char text[64];
    (void)snprintf(text, sizeof text, "PRAGMA user_version=%d", VERSION);
    return sqlite3_exec(j->db, text, NULL, NULL, NULL);
}

/* Only the index differs; the events and what protects them stay as they are. */
static int renew_index(struct rb_journal *j)
{
    int rc = sqlite3_exec(j->db, "BEGIN IMMEDIATE; DROP INDEX IF EXISTS runs; " INDEX, NULL, NULL, NULL);
    rc = rc ? rc : schema_touch(j);
    rc = rc ? rc : sqlite3_exec(j->db, "COMMIT", NULL, NULL, NULL);
    if (rc) {
        (void)sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL); /* fails when nothing was begun */
    }
    return rc;
}

static int create(struct rb_journal *j)
{
    static const char tables[] = "BEGIN IMMEDIATE; " TABLE "; " BLOBS "; " INDEX ";";
    char end[96];
    (void)snprintf(end, sizeof end, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", APPLICATION_ID,
                   VERSION);
    int rc = sqlite3_exec(j->db, tables, NULL, NULL, NULL);
    return rc ? rc : sqlite3_exec(j->db, end, NULL, NULL, NULL);
}

static bool in_wal_mode(struct rb_journal *j)
{
    return ask(j, "SELECT journal_mode = 'wal' FROM pragma_journal_mode") == 1;
}

/* Under the exclusive lock: switching to WAL answers "busy" at once, whatever the timeout says. */
static int create_schema(struct rb_journal *j, struct rb_err *err)
{
    int rc = lock_take(j, true, err);
    if (rc) {
        return rc;
    }
    bool failed = sqlite3_exec(j->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    enum state state = failed ? BROKEN : look(j);
    failed = failed || (state == EMPTY && create(j)) || (state == OLDER && renew_index(j));
    rc = failed ? journal_cannot_write(j, err) : 0;
    lock_release(j);
    return rc;
}

int schema_check(struct rb_journal *j, struct rb_err *err)
{
    enum state state = look(j);
    if (j->writer && (state == EMPTY || state == OLDER || (state == READY && !in_wal_mode(j)))) {
        int rc = create_schema(j, err);
        if (rc) {
            return rc;
        }
        state = look(j);
    }
    switch (state) {
    case READY:
        return 0;
    case OLDER: /* a reader: whoever writes next makes its index anew */
        return journal_refuse(j, RB_T_journal_older, err);
    case BROKEN:
        return journal_cannot_read(j, err);
    case EMPTY:
        return rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_none, j->path);
    default:
        return journal_refuse(j, RB_T_journal_foreign, err);
    }
}
