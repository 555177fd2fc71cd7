/* Receipts of writes on a SQLite file: a row of the same transaction, which says after a crash whether it was
 * committed. */
#include "sqlite_lab.h"

#include "calls.h"

#define RECEIPTS \
    "CREATE TABLE runbook_receipts(receipt VARCHAR(64) PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
#define ENDLESS \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO t(v) SELECT 'x' FROM n WHERE i < 0"

static const char *make(void **state, bool receipts)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    if (receipts) {
        shell_sql(db, RECEIPTS);
    }
    return db;
}

static json_t *one(const char *db, const char *query, const char *receipt)
{
    return json_pack("{s:s, s:s, s:s}", "connection", db, "query", query, "$receipt", receipt);
}

static long long number(const char *db, const char *query)
{
    json_t *value = must("sql.value", json_pack("{s:s, s:s}", "connection", db, "query", query));
    long long n = json_integer_value(value);
    json_decref(value);
    return n;
}

static long long rows_of(const char *db, const char *v)
{
    char query[128];
    (void)snprintf(query, sizeof query, "SELECT count(*) FROM t WHERE v = '%s'", v);
    return number(db, query);
}

/* What the host asks after a crash. */
static bool was_committed(const char *verb, const char *db, const char *receipt)
{
    json_t *said = must(verb, json_pack("{s:s, s:s, s:b, s:s, s:[]}", "connection", db, "$receipt", receipt, "$look", 1,
                                        "query", "INSERT INTO t(v) VALUES ('looked')", "statements"));
    assert_true(json_is_boolean(said));
    assert_int_equal(rows_of(db, "looked"), 0);
    return json_is_true(said); /* a static value: nothing to release */
}

static void one_is_left_and_found(void **state)
{
    const char *db = make(state, true);
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000};
    struct rb_err err = {0};
    json_t *answer = call_with(&work, "sql.exec", one(db, "INSERT INTO t(id, v) VALUES (5000, 'a')", "r-1#7"), &err);
    assert_non_null(answer);
    assert_string_equal(work.announced, "{\"decisive\": true, \"receipt\": \"r-1#7\"}");
    assert_int_equal(rb_json_int(answer, "changes", 0), 1); /* the write's own, without the receipt */
    assert_int_equal(rb_json_int(answer, "last_id", 0), 5000);
    json_decref(answer);
    assert_true(was_committed("sql.exec", db, "r-1#7"));
    assert_true(was_committed("sql.tx", db, "r-1#7"));
    assert_false(was_committed("sql.exec", db, "r-1#8"));
}

static void a_write_that_fails_leaves_none(void **state)
{
    const char *db = make(state, true);
    assert_int_equal(code_of("sql.exec", one(db, "INSERT INTO t(id, v) VALUES (1, 'a')", "r-1#1")), RB_ESQL);
    assert_int_equal(
        code_of("sql.tx", json_pack("{s:s, s:s, s:[s, s]}", "connection", db, "$receipt", "r-1#2", "statements",
                                    "INSERT INTO t(v) VALUES ('b')", "INSERT INTO t(id, v) VALUES (1, 'b')")),
        RB_ESQL);
    assert_int_equal(code_of("sql.tx", json_pack("{s:s, s:s, s:[s, s]}", "connection", db, "$receipt", "r-1#3",
                                                 "statements", "INSERT INTO t(v) VALUES ('c')", "COMMIT")),
                     RB_EUSAGE);
    assert_false(was_committed("sql.exec", db, "r-1#1") || was_committed("sql.tx", db, "r-1#2") ||
                 was_committed("sql.tx", db, "r-1#3"));
    assert_int_equal(rows_of(db, "b") + rows_of(db, "c"), 0);
}

static void the_same_write_is_not_made_twice(void **state)
{
    const char *db = make(state, true);
    json_decref(must("sql.exec", one(db, "INSERT INTO t(v) VALUES ('d')", "r-1#1")));
    assert_int_equal(code_of("sql.exec", one(db, "INSERT INTO t(v) VALUES ('d')", "r-1#1")), RB_ESQL);
    assert_int_equal(rows_of(db, "d"), 1);
}

static void without_the_table_all_is_as_ever(void **state)
{
    const char *db = make(state, false);
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000};
    struct rb_err err = {0};
    json_decref(call_with(&work, "sql.exec", one(db, "INSERT INTO t(v) VALUES ('e')", "r-1#1"), &err));
    assert_string_equal(work.announced, "{}");
    assert_int_equal(rows_of(db, "e"), 1);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'runbook_receipts'"),
                     0); /* never made by a run */
    assert_int_equal(
        code_of("sql.exec", json_pack("{s:s, s:s, s:b}", "connection", db, "$receipt", "r-1#1", "$look", 1)),
        RB_ENOT_FOUND);
}

static void what_commits_by_itself_leaves_none(void **state)
{
    const char *db = make(state, true);
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000};
    struct rb_err err = {0};
    json_decref(call_with(&work, "sql.exec", one(db, "CREATE TABLE made(a)", "r-1#1"), &err));
    assert_string_equal(work.announced, "{}");
    assert_int_equal(number(db, "SELECT count(*) FROM runbook_receipts"), 0);
}

/* Does the write in a process of its own, which is killed before anybody hears of it: after COMMIT, or in the middle.
 */
static void write_and_die(const char *db, const char *query, const char *receipt)
{
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        json_t *answer = must("sql.exec", one(db, query, receipt));
        (void)kill(getpid(), answer ? SIGKILL : SIGABRT);
    }
    if (strcmp(query, ENDLESS) == 0) {
        wait_state(pid, "R");
        (void)poll(NULL, 0, 300);
        (void)kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void killed_between_commit_and_reply_it_counts(void **state)
{
    const char *db = make(state, true);
    write_and_die(db, "INSERT INTO t(v) VALUES ('f')", "r-1#1");
    assert_true(was_committed("sql.exec", db, "r-1#1"));
    assert_int_equal(rows_of(db, "f"), 1);
}

static void killed_before_commit_it_never_was(void **state)
{
    const char *db = make(state, true);
    write_and_die(db, ENDLESS, "r-1#1");
    assert_false(was_committed("sql.exec", db, "r-1#1"));
    json_decref(
        must("sql.exec", one(db, "INSERT INTO t(v) VALUES ('g')", "r-1#1"))); /* and is made now, under the same name */
    assert_true(was_committed("sql.exec", db, "r-1#1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_dir, teardown_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_is_left_and_found),
        TEST(a_write_that_fails_leaves_none),
        TEST(the_same_write_is_not_made_twice),
        TEST(without_the_table_all_is_as_ever),
        TEST(what_commits_by_itself_leaves_none),
        TEST(killed_between_commit_and_reply_it_counts),
        TEST(killed_before_commit_it_never_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
