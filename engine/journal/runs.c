/* The list of runs, from their first and last events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "journal/private.h"

static json_t *parse(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    json_t *value = text ? rb_json_parse(text, (size_t)sqlite3_column_bytes(s, column), NULL) : NULL;
    return value ? value : json_object(); /* pruned or broken: the list goes on without it */
}

static bool same_boot(const char *boot)
{
    struct rb_buf now;
    rb_buf_init(&now, 64);
    bool unknown = !boot[0] || rb_files_read("/proc/sys/kernel/random/boot_id", 64, 0, &now, NULL);
    bool same = unknown || (now.len >= strlen(boot) && strncmp(now.data, boot, strlen(boot)) == 0);
    rb_buf_deinit(&now);
    return same;
}

/* Field 22 of /proc/PID/stat, counted behind the name, which may contain anything; -1 = no such process. */
static long long start_ticks(long long pid)
{
    char path[64];
    struct rb_buf text;
    long long ticks = -1;
    rb_buf_init(&text, 4096);
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    const char *at = rb_files_read(path, 4096, 0, &text, NULL) ? NULL : strrchr(rb_buf_str(&text), ')');
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at) {
        ticks = strtoll(at + 1, NULL, 10);
    }
    rb_buf_deinit(&text);
    return ticks;
}

/* A pid alone says little: it may have been given to another process since. */
static bool alive(const json_t *started)
{
    json_int_t pid = rb_json_int(started, "pid", 0);
    if (pid <= 0 || !same_boot(rb_json_str(started, "boot", ""))) {
        return false;
    }
    long long ticks = start_ticks(pid);
    return ticks >= 0 && ticks == rb_json_int(started, "started", ticks);
}

static json_t *time_json(int64_t utc_us)
{
    char text[RB_TIME_MAX];
    rb_clock_format(utc_us, 1, text);
    return json_string(text);
}

static void copy(json_t *to, const json_t *from, const char *key, const char *as)
{
    json_t *value = json_object_get(from, key);
    (void)json_object_set_new(to, as, value ? json_incref(value) : json_null());
}

static void put_end(json_t *entry, const json_t *started, const json_t *ended, json_t *when)
{
    (void)json_object_set_new(entry, "ended", when);
    copy(entry, ended, "exit", "exit");
    copy(entry, ended, "ms", "ms");
    copy(entry, ended, "fixed", "fixes");
    if (!json_is_array(json_object_get(entry, "fixes"))) {
        (void)json_object_set_new(entry, "fixes", json_array());
    }
    if (json_is_null(when)) {
        (void)json_object_set_new(entry, "result", json_string(alive(started) ? "running" : "interrupted"));
    } else {
        copy(entry, ended, "result", "result");
    }
}

/* s: id, run, utc, actor, body of run.started; end: utc and body of the run.ended after it. */
static int describe(sqlite3_stmt *s, sqlite3_stmt *end, json_t *started, json_t *entry)
{
    (void)json_object_set_new(entry, "run",
                              rb_json_bytes(sqlite3_column_text(s, 1), (size_t)sqlite3_column_bytes(s, 1)));
    copy(entry, started, "runbook", "runbook");
    copy(entry, started, "mode", "mode");
    copy(entry, started, "target", "target");
    copy(entry, started, "params", "params");
    (void)json_object_set_new(entry, "started", time_json(sqlite3_column_int64(s, 2)));
    (void)json_object_set_new(entry, "actor", parse(s, 3));
    int rc = sqlite3_bind_int64(end, 1, sqlite3_column_int64(s, 0));
    rc = rc ? rc : sqlite3_bind_text(end, 2, (const char *)sqlite3_column_text(s, 1), -1, SQLITE_TRANSIENT);
    rc = rc ? rc : sqlite3_step(end);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        json_t *ended = rc == SQLITE_ROW ? parse(end, 1) : json_object();
        put_end(entry, started, ended,
                rc == SQLITE_ROW ? time_json(sqlite3_column_int64(end, 0)) : json_null());
        json_decref(ended);
        rc = SQLITE_OK;
    }
    (void)sqlite3_reset(end); /* repeats rc */
    return rc;
}

static int list(sqlite3_stmt *s, sqlite3_stmt *end, const char *runbook, int limit, json_t *runs)
{
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && json_array_size(runs) < (size_t)limit && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        json_t *started = parse(s, 4);
        rc = SQLITE_OK;
        if (!runbook || strcmp(rb_json_str(started, "runbook", ""), runbook) == 0) {
            json_t *entry = json_object();
            rc = describe(s, end, started, entry);
            (void)json_array_append_new(runs, entry);
        }
        json_decref(started);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

json_t *rb_journal_runs(struct rb_journal *j, const char *runbook, int limit, struct rb_err *err)
{
    sqlite3_stmt *s = NULL, *end = NULL;
    json_t *runs = json_array();
    RB_REQUIRE(runs);
    int rc =
        journal_prepare(j, &s,
                        "SELECT id, run, utc, actor, body FROM events INDEXED BY runs WHERE " RUNS_CONDITION
                        " AND kind = 'run.started' ORDER BY id DESC");
    rc = rc ? rc
            : journal_prepare(j, &end,
                              "SELECT utc, body FROM events INDEXED BY runs WHERE " RUNS_CONDITION
                              " AND kind = 'run.ended' AND id > ?1 AND run = ?2 ORDER BY id DESC LIMIT 1");
    rc = rc ? rc : list(s, end, runbook, limit > 0 ? limit : 0, runs);
    if (rc) {
        journal_cannot_read(j, err);
        json_decref(runs);
        runs = NULL;
    }
    (void)sqlite3_finalize(s); /* reported above */
    (void)sqlite3_finalize(end);
    return runs;
}
