/* The journal: what is written is read back, lists of runs, and files that are refused. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/json.h"
#include "journal/journal.h"

#include "journal_folder.h"

static int make_folder(void **state)
{
    (void)state;
    return journal_folder_make("/tmp");
}

static int remove_folder(void **state)
{
    (void)state;
    return journal_folder_remove();
}

static struct rb_journal *open_journal(void)
{
    struct rb_err err = {0};
    struct rb_journal *j = NULL;
    if (rb_journal_open(&j, path, &err)) {
        fail_msg("%s", err.text);
    }
    return j;
}

static void add(struct rb_journal *j, const char *run, const char *kind, json_t *body)
{
    assert_int_equal(rb_journal_add(j, run, kind, body, NULL), 0);
    json_decref(body);
}

static void commit(struct rb_journal *j)
{
    struct rb_err err = {0};
    if (rb_journal_commit(j, &err)) {
        fail_msg("%s", err.text);
    }
}

static int collect(const struct rb_event *event, void *user)
{
    char line[512];
    (void)snprintf(line, sizeof line, "%lld %s %lld %s %s %s %zu\n", (long long)event->id, event->run,
                   (long long)event->seq, event->kind, event->actor, event->body ? event->body : "NULL",
                   strlen(event->hash));
    assert_true(event->utc_us > 0 && event->mono_ns > 0);
    return rb_buf_adds(user, line);
}

static void check_events(struct rb_journal *j, const char *run, int64_t after, const char *expected)
{
    struct rb_buf text;
    rb_buf_init(&text, 65536);
    assert_int_equal(rb_journal_read(j, run, after, collect, &text, NULL), 0);
    assert_string_equal(rb_buf_str(&text), expected);
    rb_buf_deinit(&text);
}

static void events_are_read_back_in_order(void **state)
{
    (void)state;
    struct rb_journal *j = open_journal();
    json_t *actor = json_pack("{s:s}", "login", "op");
    rb_journal_actor_set(j, actor);
    json_decref(actor);
    add(j, "r-a", "run.started", json_pack("{s:i,s:s}", "b", 1, "a", "磁盘"));
    add(j, "r-b", "run.started", NULL);
    check_events(j, NULL, 0, ""); /* nothing before the commit */
    commit(j);
    add(j, "r-a", "note", json_pack("{s:n}", "x"));
    commit(j);
    check_events(j, NULL, 0,
                 "1 r-a 1 run.started {\"login\":\"op\"} {\"a\":\"磁盘\",\"b\":1} 64\n"
                 "2 r-b 1 run.started {\"login\":\"op\"} {} 64\n"
                 "3 r-a 2 note {\"login\":\"op\"} {\"x\":null} 64\n");
    check_events(j, "r-b", 0, "2 r-b 1 run.started {\"login\":\"op\"} {} 64\n");
    check_events(j, "r-a", 1, "3 r-a 2 note {\"login\":\"op\"} {\"x\":null} 64\n");
    check_events(j, "r-none", 0, "");
    rb_journal_close(j);
}

static int stop_at_two(const struct rb_event *event, void *user)
{
    ++*(int *)user;
    return event->id == 2 ? 77 : 0;
}

static void reading_ends_when_the_reader_says_so(void **state)
{
    (void)state;
    struct rb_journal *j = open_journal();
    int seen = 0;
    for (int i = 0; i < 5; i++) {
        add(j, "r-a", i ? "note" : "run.started", NULL);
    }
    commit(j);
    assert_int_equal(rb_journal_read(j, NULL, 0, stop_at_two, &seen, NULL), 77);
    assert_int_equal(seen, 2);
    rb_journal_close(j);
}

static void two_handles_count_one_run_together(void **state)
{
    (void)state;
    struct rb_journal *a = open_journal(), *b = open_journal();
    struct rb_verify v;
    add(a, "r-a", "run.started", NULL);
    commit(a);
    add(b, "r-a", "approval.given", NULL); /* another terminal */
    commit(b);
    add(a, "r-a", "note", NULL);
    add(a, "r-a", "run.ended", NULL);
    commit(a);
    add(b, "r-a", "note", NULL);
    commit(b);
    int64_t seqs[8], n = 0;
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT seq FROM events ORDER BY id", -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW && n < 8) {
        seqs[n++] = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    assert_int_equal(n, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(seqs[i], i + 1);
    }
    assert_int_equal(rb_journal_verify(a, NULL, &v, NULL), 0);
    assert_true(v.ok);
    rb_journal_close(a);
    rb_journal_close(b);
}

static void a_run_is_found_by_a_unique_prefix(void **state)
{
    (void)state;
    struct rb_journal *j = open_journal();
    struct rb_err err = {0};
    char id[RB_ID_MAX];
    add(j, "r-7k2m9qaaaa", "run.started", NULL);
    add(j, "r-7k2x", "run.started", NULL);
    add(j, "r-7k2x9", "run.started", NULL);
    add(j, "r-other", "note", NULL);
    commit(j);
    assert_int_equal(rb_journal_find_run(j, "r-7k2m", id, &err), 0);
    assert_string_equal(id, "r-7k2m9qaaaa");
    assert_int_equal(rb_journal_find_run(j, "7k2m", id, &err), 0);
    assert_string_equal(id, "r-7k2m9qaaaa");
    assert_int_equal(rb_journal_find_run(j, "r-7k2x", id, &err), 0); /* whole, though another goes on */
    assert_string_equal(id, "r-7k2x");
    assert_int_equal(rb_journal_find_run(j, "r-7k2", id, &err), RB_EUSAGE);
    assert_non_null(strstr(err.text, "r-7k2m9qaaaa"));
    assert_int_equal(rb_journal_find_run(j, "r-zzz", id, &err), RB_ENOT_FOUND);
    assert_int_equal(rb_journal_find_run(j, "%", id, &err), RB_ENOT_FOUND);
    rb_journal_close(j);
}

/* Field 22 of our own stat line. */
static json_int_t my_ticks(void)
{
    char text[1024] = "";
    FILE *f = fopen("/proc/self/stat", "re");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    char *at = strrchr(text, ')');
    for (int field = 2; field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return strtoll(at, NULL, 10);
}

static json_t *started(const char *runbook, json_int_t pid, json_int_t ticks, const char *boot)
{
    return json_pack("{s:s,s:s,s:{s:s},s:I,s:I,s:s}", "runbook", runbook, "target", "db1", "params", "file", "/x",
                     "pid", pid, "started", ticks, "boot", boot);
}

static void check_run(const json_t *runs, size_t i, const char *run, const char *result)
{
    const json_t *entry = json_array_get(runs, i);
    assert_string_equal(rb_json_str(entry, "run", ""), run);
    assert_string_equal(rb_json_str(entry, "result", ""), result);
    assert_true(json_is_array(json_object_get(entry, "fixes")));
    assert_int_equal(strlen(rb_json_str(entry, "started", "")), strlen("2026-03-08T05:30:00.123Z"));
}

static void runs_are_listed_newest_first(void **state)
{
    (void)state;
    struct rb_journal *j = open_journal();
    add(j, "r-ended", "run.started", started("a/one", 1, 1, ""));
    add(j, "r-ended", "run.ended",
        json_pack("{s:s,s:i,s:i,s:[s]}", "result", "fixed", "exit", 0, "ms", 1200, "fixed", "clear-lock"));
    add(j, "r-here", "run.started", started("a/two", getpid(), my_ticks(), ""));
    add(j, "r-reused", "run.started", started("a/one", getpid(), my_ticks() + 1, ""));
    add(j, "r-boot", "run.started", started("a/one", getpid(), my_ticks(), "00000000-0000-0000-0000-000000000000"));
    add(j, "r-gone", "run.started", started("a/one", 0x7ffffff0, 1, ""));
    commit(j);
    json_t *runs = rb_journal_runs(j, NULL, 10, NULL);
    assert_int_equal(json_array_size(runs), 5);
    check_run(runs, 0, "r-gone", "interrupted");
    check_run(runs, 1, "r-boot", "interrupted");
    check_run(runs, 2, "r-reused", "interrupted"); /* the pid is another process's now */
    check_run(runs, 3, "r-here", "running");
    check_run(runs, 4, "r-ended", "fixed");
    const json_t *ended = json_array_get(runs, 4);
    assert_int_equal(rb_json_int(ended, "ms", -1), 1200);
    assert_string_equal(json_string_value(json_array_get(json_object_get(ended, "fixes"), 0)), "clear-lock");
    assert_true(json_is_string(json_object_get(ended, "ended")));
    assert_true(json_is_null(json_object_get(json_array_get(runs, 3), "ended")));
    json_decref(runs);
    runs = rb_journal_runs(j, "a/one", 2, NULL);
    assert_int_equal(json_array_size(runs), 2);
    check_run(runs, 1, "r-boot", "interrupted");
    json_decref(runs);
    rb_journal_close(j);
}

static void the_actor_is_found(void **state)
{
    (void)state;
    json_t *actor = rb_journal_actor_find();
    assert_int_equal(rb_json_int(actor, "uid", -1), (int)getuid());
    assert_int_equal(rb_json_int(actor, "pid", -1), getpid());
    assert_true(rb_json_str(actor, "host", "")[0] != '\0');
    json_decref(actor);
}

static mode_t mode_of(const char *suffix)
{
    char name[128];
    struct stat st;
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    assert_int_equal(stat(name, &st), 0);
    return st.st_mode & 07777;
}

static void files_are_for_their_owner_alone(void **state)
{
    (void)state;
    mode_t before = umask(0);
    struct rb_journal *j = open_journal();
    add(j, "r-a", "run.started", NULL);
    commit(j);
    static const char *const names[] = {"", "-wal", "-shm", ".lock", ".reserve"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[128];
        struct stat st;
        assert_int_equal(mode_of(names[i]), 0600);
        (void)snprintf(name, sizeof name, "%s%s", path, names[i]);
        assert_int_equal(stat(name, &st), 0);
        assert_true(rb_journal_owns(j, st.st_dev, st.st_ino));
        assert_false(rb_journal_owns(j, st.st_dev + 1, st.st_ino));
    }
    rb_journal_close(j);
    umask(before);
    assert_int_equal(chmod(path, 0644), 0);
    rb_journal_close(open_journal());
    assert_int_equal(mode_of(""), 0600);
}

static void check_refused(const char *what)
{
    struct rb_err err = {0};
    struct rb_journal *j = NULL;
    int rc = rb_journal_open(&j, path, &err);
    if (rc != RB_EJOURNAL || !err.text[0] || j) {
        fail_msg("%s: %d %s", what, rc, err.text);
    }
}

static void unsafe_places_are_refused(void **state)
{
    (void)state;
    char other[128];
    (void)snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(symlink(other, path), 0);
    check_refused("a symbolic link");
    assert_int_equal(access(other, F_OK), -1);
    assert_int_equal(unlink(path), 0);
    rb_journal_close(open_journal());
    assert_int_equal(link(path, other), 0);
    check_refused("a hard link");
    assert_int_equal(unlink(other), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    check_refused("a folder others may write");
    assert_int_equal(chmod(folder, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
        check_refused("another user's file");
        assert_int_equal(chown(path, 0, 0), 0);
    }
    rb_journal_close(open_journal());
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    check_refused("a folder");
    assert_int_equal(rmdir(path), 0);
}

static void change(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message)) {
        fail_msg("%s: %s", sql, message);
    }
    sqlite3_close(db);
}

static void databases_that_are_no_journal_are_refused(void **state)
{
    (void)state;
    struct rb_err err = {0};
    struct rb_journal *j = NULL;
    change("CREATE TABLE customers(x)");
    check_refused("another program's database");
    assert_int_equal(rb_journal_open_reader(&j, path, &err), RB_EJOURNAL);
    assert_int_equal(unlink(path), 0);
    rb_journal_close(open_journal());
    change("CREATE TRIGGER t AFTER INSERT ON events BEGIN SELECT 1; END");
    check_refused("a journal with a trigger");
    change("DROP TRIGGER t; ALTER TABLE events ADD COLUMN x ANY");
    check_refused("a journal with another column");
    assert_int_equal(unlink(path), 0);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++) {
        fputs("this is not a database\n", f);
    }
    fclose(f);
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(rb_journal_open(&j, path, &err) < 0);
    assert_null(j);
}

static void a_reader_creates_nothing(void **state)
{
    (void)state;
    struct rb_err err = {0};
    struct rb_journal *j = NULL;
    assert_int_equal(rb_journal_open_reader(&j, path, &err), RB_ENOT_FOUND);
    assert_int_equal(access(path, F_OK), -1);
    struct rb_journal *writer = open_journal();
    add(writer, "r-a", "run.started", NULL);
    commit(writer);
    assert_int_equal(rb_journal_open_reader(&j, path, &err), 0);
    assert_int_equal(rb_journal_add(j, "r-a", "note", NULL, &err), RB_EINTERNAL);
    add(writer, "r-a", "note", NULL);
    commit(writer);
    struct rb_verify v;
    assert_int_equal(rb_journal_verify(j, NULL, &v, &err), 0);
    assert_int_equal(v.events, 2);
    rb_journal_close(writer);
    rb_journal_close(j);
    assert_int_equal(rb_journal_open_reader(&j, path, &err), 0); /* nobody else has it open */
    assert_int_equal(rb_journal_verify(j, NULL, &v, &err), 0);
    assert_int_equal(v.events, 2);
    rb_journal_close(j);
}

static void events_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct rb_journal *j = open_journal();
    assert_int_equal(rb_journal_add(j, "", "note", NULL, NULL), RB_EINTERNAL);
    assert_int_equal(rb_journal_add(j, "r-0123456789abcdef", "note", NULL, NULL), RB_EINTERNAL);
    assert_int_equal(rb_journal_add(j, "r-a", "", NULL, NULL), RB_EINTERNAL);
    commit(j);
    check_events(j, NULL, 0, "");
    rb_journal_close(j);
}

static void a_long_log_is_moved_into_the_file(void **state)
{
    (void)state;
    struct rb_journal *j = open_journal();
    struct stat st;
    char name[128], text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)snprintf(name, sizeof name, "%s-wal", path);
    for (int i = 0; i < 3000; i++) {
        add(j, "r-a", i ? "note" : "run.started", json_pack("{s:s}", "t", text));
        commit(j);
    }
    assert_int_equal(stat(name, &st), 0);
    assert_in_range(st.st_size, 1, 8 << 20); /* 12 MB and more were written */
    for (int i = 0; i < 500; i++) {
        add(j, "r-a", "note", json_pack("{s:s}", "t", text));
    }
    commit(j);
    rb_journal_close(j); /* what is long is not left to the next process */
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_size, 0);
    j = open_journal();
    struct rb_verify v;
    assert_int_equal(rb_journal_verify(j, NULL, &v, NULL), 0);
    assert_true(v.ok);
    assert_int_equal(v.events, 3500);
    rb_journal_close(j);
}

/* Dead, and its parent does not look: its end is known all the same. */
static void a_process_that_nobody_waits_for_is_gone(void **state)
{
    (void)state;
    int gate[2];
    char byte;
    assert_int_equal(pipe(gate), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    json_t *process = rb_journal_process_of(pid);
    assert_true(rb_journal_alive(process));
    close(gate[0]);
    close(gate[1]);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(rb_journal_alive(process));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    json_decref(process);
}

static json_t *started_of(const char *runbook)
{
    return json_pack("{s:s, s:i}", "runbook", runbook, "pid", 1);
}

/* A second journal, opened to read beside the first; closed with it. */
static void add_second(struct rb_journal *j, char second[128], char hex[RB_HEX_SIZE])
{
    struct rb_journal *other = NULL;
    (void)snprintf(second, 128, "%s/second.db", folder);
    assert_int_equal(rb_journal_open(&other, second, NULL), 0);
    add(other, "r-second1", "run.started", started_of("t/far"));
    assert_int_equal(rb_journal_blob_add(other, "far", 3, hex, NULL), 0);
    add(other, "r-second1", "note", NULL);
    commit(other);
    rb_journal_close(other);
    assert_int_equal(rb_journal_open_reader(&other, second, NULL), 0);
    rb_journal_beside_set(j, other, NULL);
}

static void a_run_is_found_in_the_journal_beside(void **state)
{
    (void)state;
    char second[128], hex[RB_HEX_SIZE], id[RB_ID_MAX], name[160];
    struct rb_buf bytes;
    struct rb_journal *j = open_journal();
    add(j, "r-first11", "run.started", started_of("t/near"));
    commit(j);
    add_second(j, second, hex);
    assert_true(rb_journal_has(j, "r-first11") && !rb_journal_has(j, "r-second1"));
    assert_int_equal(rb_journal_find_run(j, "sec", id, NULL), 0);
    assert_string_equal(id, "r-second1");
    assert_int_equal(rb_journal_find_run(j, "r-", id, NULL), RB_EUSAGE); /* one of each */
    assert_int_equal(rb_journal_find_run(j, "r-none", id, NULL), RB_ENOT_FOUND);
    json_t *run = rb_journal_run(j, "r-second1", NULL), *runs = rb_journal_runs(j, NULL, 10, NULL),
           *one = rb_journal_runs(j, NULL, 1, NULL);
    assert_string_equal(rb_json_str(run, "runbook", ""), "t/far");
    assert_int_equal(json_array_size(runs), 2);
    assert_string_equal(rb_json_str(json_array_get(runs, 0), "run", ""), "r-second1"); /* the newest first */
    assert_int_equal(json_array_size(one), 1);
    rb_buf_init(&bytes, 64);
    assert_int_equal(rb_journal_blob(j, hex, &bytes, NULL), 0);
    assert_string_equal(rb_buf_str(&bytes), "far");
    rb_buf_deinit(&bytes);
    json_decref(run);
    json_decref(runs);
    json_decref(one);
    rb_journal_close(j);
    static const char *const ends[] = {"", "-wal", "-shm", ".lock", ".reserve"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        (void)snprintf(name, sizeof name, "%s%s", second, ends[i]);
        (void)unlink(name);
    }
}

static void trying_leaves_no_event(void **state)
{
    (void)state;
    struct rb_verify v;
    struct rb_journal *j = open_journal();
    add(j, "r-1", "run.started", started_of("t/near"));
    commit(j);
    assert_int_equal(rb_journal_try(j, NULL), 0);
    add(j, "r-1", "run.ended", NULL);
    commit(j);
    assert_int_equal(rb_journal_verify(j, NULL, &v, NULL), 0);
    assert_true(v.ok);
    assert_int_equal(v.events, 2);
    rb_journal_close(j);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_are_read_back_in_order),
        TEST(reading_ends_when_the_reader_says_so),
        TEST(two_handles_count_one_run_together),
        TEST(a_run_is_found_by_a_unique_prefix),
        TEST(runs_are_listed_newest_first),
        TEST(a_run_is_found_in_the_journal_beside),
        TEST(trying_leaves_no_event),
        cmocka_unit_test(a_process_that_nobody_waits_for_is_gone),
        cmocka_unit_test(the_actor_is_found),
        TEST(files_are_for_their_owner_alone),
        TEST(unsafe_places_are_refused),
        TEST(databases_that_are_no_journal_are_refused),
        TEST(a_reader_creates_nothing),
        TEST(events_that_cannot_be_are_refused),
        TEST(a_long_log_is_moved_into_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
