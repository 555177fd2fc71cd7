/* SQLite databases made and held by foreign programs: the sqlite3 shell and Python. */
#ifndef RB_TESTS_BINDINGS_SQLITE_LAB_H
#define RB_TESTS_BINDINGS_SQLITE_LAB_H

#include "harness.h"

static inline void shell_sql(const char *db, const char *sql)
{
    const char *const argv[] = {"sqlite3", "-batch", "-bail", db, sql, NULL};
    const char *const quiet[] = {"sh",    "-c", "exec \"$@\" >/dev/null", "sh", argv[0], argv[1], argv[2], argv[3],
                                 argv[4], NULL};
    assert_int_equal(run_argv(quiet), 0);
}

static inline void make_db(const char *db, const char *mode)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA journal_mode = %s; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                   "INSERT INTO t SELECT i, 'row ' || i FROM n;",
                   mode);
    shell_sql(db, sql);
}

/* Runs Python that has c, a connection to the database in autocommit; it must print one line. */
static inline struct helper python(const char *db, const char *code)
{
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "import sqlite3, sys, time, os, signal\n"
                   "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n%s",
                   code);
    const char *const argv[] = {"/usr/bin/python3", "-c", text, db, NULL};
    return start_ready(argv);
}

/* Runs the statement, says so, and stays. */
static inline struct helper holder(const char *db, const char *sql)
{
    char code[1024];
    (void)snprintf(code, sizeof code,
                   "r = c.execute(\"%s\")\nr.fetchone()\nprint('holding', flush=True)\ntime.sleep(300)\n", sql);
    return python(db, code);
}

static inline json_t *locks(const char *db, double wait)
{
    return must("sql.locks", json_pack("{s:s, s:f}", "connection", db, "wait", wait));
}

/* Exactly this process holds it. */
static inline void assert_holder(const json_t *answer, pid_t pid, const char *kind)
{
    const json_t *list = json_object_get(answer, "holders");
    assert_true(truth(answer, "locked"));
    assert_string_equal(rb_json_str(answer, "kind", ""), kind);
    assert_int_equal(json_array_size(list), 1);
    assert_int_equal(rb_json_int(json_array_get(list, 0), "pid", 0), pid);
    assert_false(truth(answer, "hidden"));
}

static inline void assert_free(const json_t *answer)
{
    assert_false(truth(answer, "locked"));
    assert_int_equal(json_array_size(json_object_get(answer, "holders")), 0);
    assert_false(truth(answer, "hidden"));
}

#endif
