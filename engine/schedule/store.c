#include "schedule/store.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/json.h"
#include "journal/journal.h"

#define WAIT_MS 5000
#define FIRINGS_MAX 200000 /* of one answer */
#define ACTIVE "state IN ('due', 'queued', 'running')"

/* Rollback journal, synced: few writers, small transactions, and none of the WAL's checkpoints to guard. */
static const char schema[] =
    "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS schedules(name TEXT PRIMARY KEY, spec TEXT NOT NULL, since INTEGER NOT NULL, "
    "checked INTEGER NOT NULL, paused INTEGER NOT NULL DEFAULT 0, paused_reason TEXT, "
    "tripped INTEGER NOT NULL DEFAULT 0, tripped_reason TEXT) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS firings(schedule TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, "
    "reason TEXT, run TEXT, started INTEGER, ended INTEGER, result TEXT, owner TEXT, "
    "acted INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(schedule, at)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS troubles(schedule TEXT PRIMARY KEY, last INTEGER NOT NULL, times INTEGER NOT "
    "NULL, "
    "since INTEGER NOT NULL, stands INTEGER NOT NULL, rank INTEGER NOT NULL DEFAULT 0, told INTEGER NOT NULL "
    "DEFAULT 0, "
    "escalated INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS active ON firings(schedule, at) WHERE " ACTIVE ";"
    "PRAGMA user_version=1; COMMIT";

struct rb_store {
    sqlite3 *db;
    char path[PATH_MAX];
    char *owner; /* this process, so that it is known again: rb_journal_process as text */
    bool writer;
};

bool rb_store_owner_lives(const char *owner)
{
    json_t *process = owner ? rb_json_parse(owner, strlen(owner), NULL) : NULL;
    bool lives = process && rb_journal_alive(process);
    json_decref(process);
    return lives;
}

/* ---- the file ---- */

static int cannot(struct rb_store *store, struct rb_err *err)
{
    int code = sqlite3_errcode(store->db) & 0xff;
    return rb_err_set(err,
                      code == SQLITE_FULL   ? RB_ENO_SPACE
                      : code == SQLITE_BUSY ? RB_EBUSY
                                            : RB_EIO,
                      RB_T_schedule_store, store->path, sqlite3_errmsg(store->db));
}

static int open_file(struct rb_store *store, struct rb_err *err)
{
    int flags = store->writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    mode_t old = umask(077);
    int rc = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, NULL);
    (void)sqlite3_busy_timeout(store->db, WAIT_MS);
    rc = rc || !store->writer ? rc : sqlite3_exec(store->db, schema, NULL, NULL, NULL);
    umask(old);
    return rc ? cannot(store, err) : 0;
}

int rb_store_open(struct rb_store **out, const char *folder, bool write, struct rb_err *err)
{
    struct rb_store *store = rb_xcalloc(1, sizeof *store);
    char real[PATH_MAX];
    int rc = write ? rb_files_mkdirs(folder, 0700, err) : 0;
    if (!rc && (!realpath(folder, real) ||
                snprintf(store->path, sizeof store->path, "%s/schedule.db", real) >= (int)sizeof store->path ||
                (!write && access(store->path, F_OK) != 0))) {
        rc = rb_err_set(err, RB_ENOT_FOUND, RB_T_schedule_no_store, folder);
    }
    store->writer = write;
    json_t *process = rb_journal_process();
    store->owner = rb_json_canonical(process);
    json_decref(process);
    rc = rc ? rc : open_file(store, err);
    if (rc) {
        rb_store_close(store);
        return rc;
    }
    *out = store;
    return 0;
}

void rb_store_close(struct rb_store *store)
{
    if (store) {
        (void)sqlite3_close(store->db); /* statements never outlive their call */
        free(store->owner);
        free(store);
    }
}

/* ---- one statement ---- */

/* types: s text or NULL, i int64_t. */
static int bind_all(sqlite3_stmt *s, const char *types, va_list values)
{
    int rc = SQLITE_OK;
    for (int i = 0; types[i] && !rc; i++) {
        if (types[i] == 's') {
            const char *text = va_arg(values, const char *);
            rc = text ? sqlite3_bind_text(s, i + 1, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(s, i + 1);
        } else {
            rc = sqlite3_bind_int64(s, i + 1, va_arg(values, int64_t));
        }
    }
    return rc;
}

static sqlite3_stmt *prepare(struct rb_store *store, const char *sql, const char *types, va_list values)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &s, NULL);
    if (rc || bind_all(s, types, values)) {
        (void)sqlite3_finalize(s);
        return NULL;
    }
    return s;
}

/* Changes rows; how many, or an error. */
static int change(struct rb_store *store, struct rb_err *err, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    sqlite3_stmt *s = prepare(store, sql, types, values);
    va_end(values);
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
    int result = rc == SQLITE_DONE ? sqlite3_changes(store->db) : cannot(store, err);
    (void)sqlite3_finalize(s); /* reported above */
    return result;
}

static json_t *column(sqlite3_stmt *s, int i)
{
    const char *text;
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(s, i));
    case SQLITE_NULL:
        return json_null();
    default:
        text = (const char *)sqlite3_column_text(s, i);
        return rb_json_bytes(text ? text : "", text ? strlen(text) : 0);
    }
}

/* All rows as objects by the names of their columns. New reference, NULL with *err. */
static json_t *rows(struct rb_store *store, struct rb_err *err, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    sqlite3_stmt *s = prepare(store, sql, types, values);
    va_end(values);
    json_t *list = json_array();
    int rc = SQLITE_ERROR;
    while (s && json_array_size(list) < FIRINGS_MAX && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        json_t *row = json_object();
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            json_object_set_new(row, sqlite3_column_name(s, i), column(s, i));
        }
        json_array_append_new(list, row);
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        (void)cannot(store, err);
        json_decref(list);
        list = NULL;
    }
    (void)sqlite3_finalize(s); /* reported above */
    return list;
}

static int simple(struct rb_store *store, const char *sql, struct rb_err *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) ? cannot(store, err) : 0;
}

static int done(int changed)
{
    return changed < 0 ? changed : 0;
}

/* ---- decisions ---- */

int rb_store_begin(struct rb_store *store, struct rb_err *err)
{
    return simple(store, "BEGIN IMMEDIATE", err);
}

int rb_store_commit(struct rb_store *store, struct rb_err *err)
{
    int rc = simple(store, "COMMIT", err);
    if (rc) {
        rb_store_rollback(store);
    }
    return rc;
}

void rb_store_rollback(struct rb_store *store)
{
    if (!sqlite3_get_autocommit(store->db)) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* fails only when it is done already */
    }
}

static int64_t number(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}

int rb_store_mark(struct rb_store *store, const char *name, const char *spec, int64_t now, struct rb_mark *mark,
                  struct rb_err *err)
{
    *mark = (struct rb_mark){.since = now, .checked = now};
    json_t *found = rows(store, err, "SELECT * FROM schedules WHERE name = ?1", "s", name);
    if (!found) {
        return RB_EIO;
    }
    const json_t *row = json_array_get(found, 0);
    bool same = row && !strcmp(json_string_value(json_object_get(row, "spec")), spec);
    int rc = row ? 0 : RB_ENOT_FOUND;
    if (row) {
        mark->paused = number(row, "paused");
        mark->tripped = number(row, "tripped");
    }
    if (same) {
        mark->since = number(row, "since");
        mark->checked = number(row, "checked");
    } else if (store->writer) {
        rc = done(
            change(store, err,
                   "INSERT INTO schedules(name, spec, since, checked) VALUES (?1, ?2, ?3, ?3) ON CONFLICT(name) DO "
                   "UPDATE SET spec = ?2, since = ?3, checked = ?3",
                   "ssi", name, spec, now));
    }
    json_decref(found);
    return rc;
}

int rb_store_checked(struct rb_store *store, const char *name, int64_t checked, struct rb_err *err)
{
    return done(change(store, err, "UPDATE schedules SET checked = ?2 WHERE name = ?1", "si", name, checked));
}

int rb_store_pause(struct rb_store *store, const char *name, int64_t until, const char *reason, struct rb_err *err)
{
    return done(change(store, err, "UPDATE schedules SET paused = ?2, paused_reason = ?3 WHERE name = ?1", "sis", name,
                       until, reason));
}

int rb_store_trip(struct rb_store *store, const char *name, bool tripped, const char *reason, struct rb_err *err)
{
    int rc = done(change(store, err, "UPDATE schedules SET tripped = ?2, tripped_reason = ?3 WHERE name = ?1", "sis",
                         name, (int64_t)tripped, reason));
    if (!rc && !tripped) { /* what led to it does not count again */
        rc = done(change(store, err, "UPDATE firings SET acted = 0 WHERE schedule = ?1", "s", name));
    }
    return rc;
}

json_t *rb_store_words(struct rb_store *store, const char *name)
{
    json_t *found = rows(store, NULL, "SELECT paused_reason, tripped_reason FROM schedules WHERE name = ?1", "s", name);
    json_t *words = json_incref(json_array_get(found, 0));
    json_decref(found);
    return words ? words : json_object();
}

int rb_store_add(struct rb_store *store, const struct rb_firing *f, struct rb_err *err)
{
    return change(store, err,
                  "INSERT OR IGNORE INTO firings(schedule, at, state, reason, run, owner) VALUES (?1, ?2, "
                  "?3, ?4, ?5, ?6)",
                  "sissss", f->schedule, f->at, f->state, f->reason, f->run, store->owner);
}

int rb_store_start(struct rb_store *store, const struct rb_firing *f, int64_t now, struct rb_err *err)
{
    int changed = change(store, err,
                         "UPDATE firings SET state = 'running', run = ?3, started = ?4, owner = ?5 WHERE schedule = ?1 "
                         "AND at = ?2 AND state IN ('due', 'queued')",
                         "sisis", f->schedule, f->at, f->run, now, store->owner);
    return changed == 0 ? rb_err_set(err, RB_EBUSY, RB_T_schedule_taken, f->schedule) : done(changed);
}

int rb_store_end(struct rb_store *store, const struct rb_firing *f, const char *result, int64_t now, struct rb_err *err)
{
    return done(
        change(store, err,
               "UPDATE firings SET state = 'ended', result = ?3, ended = ?4, acted = ?5 WHERE schedule = ?1 AND at "
               "= ?2",
               "sisii", f->schedule, f->at, result, now, (int64_t)f->acted));
}

int rb_store_streak(struct rb_store *store, const char *name, int limit, int64_t *since)
{
    size_t i;
    json_t *row,
        *newest = rows(store, NULL,
                       "SELECT at, acted FROM firings WHERE schedule = ?1 AND state = 'ended' ORDER BY at DESC "
                       "LIMIT ?2",
                       "si", name, (int64_t)limit);
    int streak = 0;
    json_array_foreach(newest, i, row) {
        if (!number(row, "acted")) {
            break;
        }
        *since = number(row, "at");
        streak++;
    }
    json_decref(newest);
    return streak;
}

int rb_store_state(struct rb_store *store, const struct rb_firing *f, struct rb_err *err)
{
    return done(change(
        store, err, "UPDATE firings SET state = ?3, reason = ?4, run = ?5, owner = ?6 WHERE schedule = ?1 AND at = ?2",
        "sissss", f->schedule, f->at, f->state, f->reason, f->run, store->owner));
}

/* ---- trouble ---- */

int rb_store_trouble(struct rb_store *store, const char *name, struct rb_trouble *out, struct rb_err *err)
{
    *out = (struct rb_trouble){0};
    json_t *found = rows(store, err, "SELECT * FROM troubles WHERE schedule = ?1", "s", name);
    const json_t *row = json_array_get(found, 0);
    int rc = !found ? RB_EIO : row != NULL;
    if (row) {
        *out = (struct rb_trouble){.last = number(row, "last"),
                                   .since = number(row, "since"),
                                   .told = number(row, "told"),
                                   .escalated = number(row, "escalated"),
                                   .times = (int)number(row, "times"),
                                   .rank = (int)number(row, "rank"),
                                   .stands = number(row, "stands") != 0};
    }
    json_decref(found);
    return rc;
}

int rb_store_trouble_seen(struct rb_store *store, const char *name, const struct rb_trouble *t, struct rb_err *err)
{
    return done(
        change(store, err,
               "INSERT INTO troubles(schedule, last, times, since, stands) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT "
               "DO UPDATE SET last = ?2, times = ?3, since = ?4, stands = ?5",
               "siiii", name, t->last, (int64_t)t->times, t->since, (int64_t)t->stands));
}

int rb_store_trouble_told(struct rb_store *store, const char *name, int rank, int64_t now, struct rb_err *err)
{
    return done(change(store, err, "UPDATE troubles SET rank = ?2, told = ?3 WHERE schedule = ?1", "sii", name,
                       (int64_t)rank, now));
}

int rb_store_trouble_over(struct rb_store *store, const char *name, struct rb_err *err)
{
    return change(store, err, "DELETE FROM troubles WHERE schedule = ?1", "s", name);
}

int rb_store_escalate(struct rb_store *store, const char *name, int64_t now, struct rb_err *err)
{
    return change(store, err, "UPDATE troubles SET escalated = ?2 WHERE schedule = ?1 AND escalated = 0", "si", name,
                  now);
}

json_t *rb_store_troubles(struct rb_store *store, struct rb_err *err)
{
    return rows(store, err, "SELECT * FROM troubles WHERE stands <> 0 AND escalated = 0", "");
}

/* ---- reading ---- */

json_t *rb_store_firings(struct rb_store *store, const char *name, int64_t from, int64_t to, struct rb_err *err)
{
    return rows(store, err, "SELECT * FROM firings WHERE schedule = ?1 AND at >= ?2 AND at < ?3 ORDER BY at", "sii",
                name, from, to);
}

json_t *rb_store_open_firings(struct rb_store *store, const char *name, struct rb_err *err)
{
    static const char all[] = "SELECT * FROM firings INDEXED BY active WHERE " ACTIVE " ORDER BY at";
    static const char one[] = "SELECT * FROM firings INDEXED BY active WHERE " ACTIVE " AND schedule = ?1 ORDER BY at";
    return name ? rows(store, err, one, "s", name) : rows(store, err, all, "");
}

json_t *rb_store_last(struct rb_store *store, const char *name)
{
    json_t *found =
        rows(store, NULL, "SELECT * FROM firings WHERE schedule = ?1 AND started IS NOT NULL ORDER BY at DESC LIMIT 1",
             "s", name);
    json_t *last = json_incref(json_array_get(found, 0));
    json_decref(found);
    return last;
}

int rb_store_prune(struct rb_store *store, int64_t before, struct rb_err *err)
{
    return done(change(store, err, "DELETE FROM firings WHERE at < ?1 AND NOT " ACTIVE, "i", before));
}
