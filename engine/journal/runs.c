/* The list of runs, from their first and last events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Field 22 of /proc/PID/stat, counted behind the name, which may contain anything; -1 = no such process, or one that is
 * dead and only waits for its parent: a container's first process may never look. */
static long long start_ticks(long long pid)
{
    char path[64];
    struct rb_buf text;
    long long ticks = -1;
    rb_buf_init(&text, 4096);
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    const char *at = rb_files_read(path, 4096, 0, &text, NULL) ? NULL : strrchr(rb_buf_str(&text), ')');
    bool dead = at && strncmp(at, ") Z", 3) == 0;
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at && !dead) {
        ticks = strtoll(at + 1, NULL, 10);
    }
    rb_buf_deinit(&text);
    return ticks;
}

/* A pid alone says little: it may have been given to another process since. */
bool rb_journal_alive(const json_t *started)
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

json_t *rb_journal_process(void)
{
    return rb_journal_process_of(getpid());
}

json_t *rb_journal_process_of(pid_t pid)
{
    struct rb_buf boot;
    rb_buf_init(&boot, 64);
    json_t *process = json_pack("{s:I, s:I}", "pid", (json_int_t)pid, "started", (json_int_t)start_ticks(pid));
    RB_REQUIRE(process);
    if (rb_files_read("/proc/sys/kernel/random/boot_id", 64, 0, &boot, NULL) == 0) {
        size_t len = strcspn(rb_buf_str(&boot), "\n");
        (void)json_object_set_new(process, "boot", rb_json_bytes(rb_buf_str(&boot), len));
    }
    rb_buf_deinit(&boot);
    return process;
}

/* The statements of a list. first: the first end after an event; taken: the newest run.resumed, run.resolved or
 * run.parked. */
struct queries {
    sqlite3_stmt *started, *first, *taken;
};

/* One event of those two; id 0 = there is none. */
struct mark {
    int64_t id, utc_us;
    bool resolved, parked;
    json_t *body;
};

static int look(sqlite3_stmt *s, int64_t after, const char *run, struct mark *out)
{
    *out = (struct mark){0};
    int rc = sqlite3_bind_int64(s, 1, after);
    rc = rc ? rc : sqlite3_bind_text(s, 2, run, -1, SQLITE_TRANSIENT);
    rc = rc ? rc : sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        out->id = sqlite3_column_int64(s, 0);
        out->utc_us = sqlite3_column_int64(s, 1);
        out->parked = strcmp((const char *)sqlite3_column_text(s, 3), "run.parked") == 0;
        out->resolved = strcmp((const char *)sqlite3_column_text(s, 3), "run.resolved") == 0;
        out->body = parse(s, 2);
    }
    (void)sqlite3_reset(s); /* repeats rc */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A run that a person resolved may be taken up again; what ended it before counts no more. */
static int look_for_end(const struct queries *q, int64_t started, const char *run, struct mark *ended,
                        struct mark *taken)
{
    int rc = look(q->first, started, run, ended);
    rc = rc ? rc : look(q->taken, started, run, taken);
    if (!rc && taken->id > ended->id) {
        json_decref(ended->body);
        rc = look(q->first, taken->id, run, ended);
    }
    return rc;
}

static void put_end(json_t *entry, const struct mark *ended)
{
    (void)json_object_set_new(entry, "ended", ended->id ? time_json(ended->utc_us) : json_null());
    copy(entry, ended->body, "exit", "exit");
    copy(entry, ended->body, "ms", "ms");
    copy(entry, ended->body, "fixed", "fixes");
    if (!json_is_array(json_object_get(entry, "fixes"))) {
        (void)json_object_set_new(entry, "fixes", json_array());
    }
    copy(entry, ended->body, "result", "result");
}

/* taken: who has it since, or that a person resolved it. */
static void put_state(json_t *entry, const json_t *started, const struct mark *taken)
{
    const json_t *owner = taken->id ? taken->body : started;
    bool running = !taken->resolved && !taken->parked && rb_journal_alive(owner);
    const char *state = taken->parked ? "waiting" : running ? "running" : "interrupted";
    (void)json_object_set_new(entry, "result", json_string(state));
    copy(entry, owner, "pid", "pid");
}

static int describe(const struct queries *q, json_t *started, json_t *entry)
{
    sqlite3_stmt *s = q->started;
    struct mark ended = {0}, taken = {0};
    (void)json_object_set_new(entry, "run",
                              rb_json_bytes(sqlite3_column_text(s, 1), (size_t)sqlite3_column_bytes(s, 1)));
    copy(entry, started, "runbook", "runbook");
    copy(entry, started, "mode", "mode");
    copy(entry, started, "target", "target");
    copy(entry, started, "params", "params");
    (void)json_object_set_new(entry, "started", time_json(sqlite3_column_int64(s, 2)));
    (void)json_object_set_new(entry, "actor", parse(s, 3));
    int rc = look_for_end(q, sqlite3_column_int64(s, 0), (const char *)sqlite3_column_text(s, 1), &ended, &taken);
    put_end(entry, &ended);
    if (!ended.id) {
        put_state(entry, started, &taken);
    }
    json_decref(ended.body);
    json_decref(taken.body);
    return rc;
}

static int list(const struct queries *q, const char *runbook, int limit, json_t *runs)
{
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && json_array_size(runs) < (size_t)limit && (rc = sqlite3_step(q->started)) == SQLITE_ROW) {
        json_t *started = parse(q->started, 4);
        rc = SQLITE_OK;
        if (!runbook || strcmp(rb_json_str(started, "runbook", ""), runbook) == 0) {
            json_t *entry = json_object();
            rc = describe(q, started, entry);
            (void)json_array_append_new(runs, entry);
        }
        json_decref(started);
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

#define STARTED \
    "SELECT id, run, utc, actor, body FROM events INDEXED BY runs WHERE " RUNS_CONDITION " AND kind = 'run.started'"
#define MARK "SELECT id, utc, body, kind FROM events INDEXED BY runs WHERE " RUNS_CONDITION

static int prepare(struct rb_journal *j, struct queries *q, bool one)
{
    int rc = journal_prepare(j, &q->started, one ? STARTED " AND run = ?1" : STARTED " ORDER BY id DESC");
    rc =
        rc ? rc
           : journal_prepare(j, &q->first, MARK " AND kind = 'run.ended' AND id > ?1 AND run = ?2 ORDER BY id LIMIT 1");
    return rc ? rc
              : journal_prepare(j, &q->taken,
                                MARK
                                " AND kind IN ('run.resumed', 'run.resolved', 'run.parked') AND id > ?1 AND run = ?2 "
                                "ORDER BY id DESC LIMIT 1");
}

/* All of a runbook (NULL = of every), or the one run. */
static json_t *read_list(struct rb_journal *j, const char *run, const char *runbook, int limit, struct rb_err *err)
{
    struct queries q = {0};
    json_t *runs = json_array();
    RB_REQUIRE(runs);
    int rc = prepare(j, &q, run != NULL);
    rc = rc || !run ? rc : sqlite3_bind_text(q.started, 1, run, -1, SQLITE_STATIC);
    rc = rc ? rc : list(&q, runbook, limit, runs);
    if (rc) {
        journal_cannot_read(j, err);
        json_decref(runs);
        runs = NULL;
    }
    sqlite3_stmt *all[] = {q.started, q.first, q.taken};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        (void)sqlite3_finalize(all[i]); /* reported above */
    }
    return runs;
}

/* Both lists have the newest first; so has what is made of them. */
static json_t *merge(json_t *one, json_t *other, size_t limit)
{
    json_t *all = json_array();
    size_t i = 0, k = 0;
    while (json_array_size(all) < limit && i + k < json_array_size(one) + json_array_size(other)) {
        json_t *a = json_array_get(one, i), *b = json_array_get(other, k);
        bool first = !b || (a && strcmp(rb_json_str(a, "started", ""), rb_json_str(b, "started", "")) >= 0);
        (void)json_array_append(all, first ? a : b);
        i += first;
        k += !first;
    }
    json_decref(one);
    json_decref(other);
    return all;
}

json_t *rb_journal_runs(struct rb_journal *j, const char *runbook, int limit, struct rb_err *err)
{
    json_t *runs = read_list(j, NULL, runbook, limit > 0 ? limit : 0, err);
    json_t *other = runs && j->beside ? rb_journal_runs(j->beside, runbook, limit, err) : NULL;
    if (other || !runs || !j->beside) {
        return other ? merge(runs, other, (size_t)limit) : runs;
    }
    json_decref(runs);
    return NULL;
}

json_t *rb_journal_run(struct rb_journal *j, const char *run, struct rb_err *err)
{
    json_t *runs = read_list(journal_of(j, run), run, NULL, 1, err), *entry = json_incref(json_array_get(runs, 0));
    if (runs && !entry) {
        rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_run_none, run);
    }
    json_decref(runs);
    return entry;
}
