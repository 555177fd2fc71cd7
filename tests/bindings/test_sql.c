/* The statements of sql, and that reading leaves no trace. */
#include "sqlite_lab.h"

#include "base/hash.h"
#include "calls.h"

/* Names, inodes, sizes, modes and times of a folder and all in it, folder included. */
static void trace(const char *dir, char *out, size_t size)
{
    static const char script[] =
        "cd \"$1\" && { stat -c '%n %i %s %a %U %Y %y %z' . ; for f in *; do stat -c '%n %i %s %a %U %y %z' \"$f\"; sha256sum \"$f\"; done; }";
    int ends[2];
    ssize_t n;
    size_t len = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        execl("/bin/sh", "sh", "-c", script, "sh", dir, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], out + len, size - 1 - len)) > 0) {
        len += (size_t)n;
    }
    out[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(len > 0);
}

static json_t *ask(const char *verb, const char *db, const char *query, json_t *params)
{
    json_t *args = json_pack("{s:s, s:s, s:o*}", "connection", db, "query", query, "params", params);
    return must(verb, args);
}

static long long count(const char *db)
{
    json_t *value = ask("sql.value", db, "SELECT count(*) FROM t", NULL);
    long long n = json_integer_value(value);
    json_decref(value);
    return n;
}

static void assert_state(const char *db, const char *wanted)
{
    json_t *answer = must("sql.integrity", json_pack("{s:s, s:f}", "connection", db, "wait", 0.1));
    assert_string_equal(rb_json_str(answer, "state", ""), wanted);
    json_decref(answer);
}

static void values_are_exact(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    json_t *rows =
        ask("sql.rows", db, "SELECT ? AS i, ? AS r, ? AS s, NULL AS n, x'ff00' AS b, ? AS t, 9223372036854775807 AS m",
            json_pack("[I, f, s, b]", (json_int_t)9007199254740993, 0.1, "中文", 1));
    const json_t *row = json_array_get(rows, 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_true(json_integer_value(json_object_get(row, "i")) == 9007199254740993);
    assert_true(json_is_real(json_object_get(row, "r")));
    assert_string_equal(rb_json_str(row, "s", ""), "中文");
    assert_true(json_is_null(json_object_get(row, "n")));
    assert_string_equal(rb_json_str(json_object_get(row, "b"), "$b64", ""), "/wA=");
    assert_int_equal(rb_json_int(row, "t", 0), 1);
    assert_true(rb_json_int(row, "m", 0) == INT64_MAX);
    json_decref(rows);
    json_t *none = ask("sql.row", db, "SELECT * FROM t WHERE id < 0", json_object());
    assert_true(json_is_null(none));
    json_decref(none);
}

static void reads_only_read(void **state)
{
    static const char *const refused[] = {"DELETE FROM t",
                                          "CREATE TABLE x(a)",
                                          "PRAGMA journal_mode = wal",
                                          "ATTACH '/tmp/other.sqlite' AS o",
                                          "PRAGMA user_version = 7",
                                          "VACUUM",
                                          "BEGIN IMMEDIATE",
                                          "SELECT 1; DELETE FROM t",
                                          "",
                                          "SELECT load_extension('x')",
                                          "PRAGMA wal_checkpoint(TRUNCATE)",
                                          "SELECT id, id FROM t",
                                          "SELECT ?"};
    const char *db = in(state, "db");
    make_db(db, "delete");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int code = code_of("sql.rows", json_pack("{s:s, s:s}", "connection", db, "query", refused[i]));
        if (code != RB_EUSAGE) {
            fail_msg("%s: %s", refused[i], rb_err_name(code));
        }
    }
    assert_int_equal(code_of("sql.rows", json_pack("{s:s, s:s}", "connection", db, "query", "SELECT nonsense")),
                     RB_ESQL);
    assert_int_equal(
        code_of("sql.rows", json_pack("{s:s, s:s}", "connection", db, "query", "SELECT a.id FROM t a, t b")),
        RB_ETOO_LARGE);
    assert_int_equal(code_of("sql.rows", json_pack("{s:s, s:s}", "connection", "relative", "query", "SELECT 1")),
                     RB_EUSAGE);
    assert_int_equal(count(db), 1000);
    json_t *pragma = ask("sql.rows", db, "PRAGMA table_info(t)", NULL);
    assert_int_equal(json_array_size(pragma), 2);
    json_decref(pragma);
}

static void endless_statement_ends(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 500000000};
    struct rb_err err = {0};
    int64_t since = rb_clock_mono_ns();
    json_t *args = json_pack("{s:s, s:s}", "connection", db, "query",
                             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
    assert_null(call_with(&work, "sql.value", args, &err));
    assert_int_equal(err.code, RB_ETIMEOUT);
    assert_true(rb_clock_mono_ns() - since < 20000000000);
}

static void writes(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    json_t *answer = ask("sql.exec", db, "INSERT INTO t(id, v) VALUES(?, ?)", json_pack("[i, s]", 2000, "new"));
    assert_int_equal(rb_json_int(answer, "changes", 0), 1);
    assert_int_equal(rb_json_int(answer, "last_id", 0), 2000);
    json_decref(answer);
    answer = must("sql.tx", json_pack("{s:s, s:[[s, [i]], {s:s, s:[i]}, s]}", "connection", db, "statements",
                                      "DELETE FROM t WHERE id = ?", 2000, "query", "DELETE FROM t WHERE id = ?",
                                      "params", 1, "DELETE FROM t WHERE id = 2"));
    assert_int_equal(rb_json_int(answer, "changes", 0), 3);
    json_decref(answer);
    assert_int_equal(count(db), 998);
    /* All or nothing, and no statement may end the transaction. */
    assert_int_equal(
        code_of("sql.tx", json_pack("{s:s, s:[s, s]}", "connection", db, "statements", "DELETE FROM t", "nonsense")),
        RB_ESQL);
    assert_int_equal(code_of("sql.tx", json_pack("{s:s, s:[s, s, s]}", "connection", db, "statements", "DELETE FROM t",
                                                 "COMMIT", "nonsense")),
                     RB_EUSAGE);
    assert_int_equal(code_of("sql.exec", json_pack("{s:s, s:s}", "connection", db, "query", "BEGIN")), RB_EUSAGE);
    assert_int_equal(
        code_of("sql.exec", json_pack("{s:s, s:s}", "connection", db, "query", "ATTACH '/tmp/x.sqlite' AS x")),
        RB_EUSAGE);
    assert_int_equal(count(db), 998);
    json_decref(ask("sql.exec", db, "VACUUM", NULL));
    assert_int_equal(count(db), 998);
}

/* Every state of a WAL database, read by every reading verb; nothing may differ afterwards. */
static void read_everything(const char *dir, const char *db, long long rows)
{
    char before[16384], after[16384];
    trace(dir, before, sizeof before);
    assert_int_equal(count(db), rows);
    assert_state(db, "ok");
    json_decref(locks(db, 0));
    trace(dir, after, sizeof after);
    assert_string_equal(before, after);
}

static void no_trace_clean(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    assert_int_equal(access(in(state, "db-wal"), F_OK), -1);
    read_everything(*state, db, 1000);
}

static void no_trace_rollback(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    read_everything(*state, db, 1000);
}

/* A killed writer: -wal and -shm lie around, the last commits are in the -wal alone. */
static void no_trace_crash(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    struct helper h = python(db, "c.execute('PRAGMA wal_autocheckpoint = 0')\n"
                                 "for i in range(5): c.execute(\"INSERT INTO t(v) VALUES('x')\")\n"
                                 "print('done', flush=True)\ntime.sleep(300)\n");
    assert_int_equal(count(db), 1005); /* live */
    end_helper(&h);
    read_everything(*state, db, 1005);
    assert_int_equal(unlink(in(state, "db-shm")), 0);
    read_everything(*state, db, 1005);
    json_t *answer = must("sql.probe", json_pack("{s:s, s:i}", "connection", db, "times", 2));
    assert_true(truth(answer, "ok"));
    json_decref(answer);
    assert_int_equal(count(db), 1005);
}

static void no_trace_live(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    struct helper h = holder(db, "BEGIN IMMEDIATE");
    char before[16384], after[16384];
    trace(*state, before, sizeof before);
    assert_int_equal(count(db), 1000);
    assert_state(db, "ok");
    trace(*state, after, sizeof after);
    assert_string_equal(before, after);
    end_helper(&h);
}

static void states(void **state)
{
    const char *db = in(state, "db"), *junk = in(state, "junk"), *hurt = in(state, "hurt");
    char page[4096];
    make_db(db, "delete");
    struct helper h = holder(db, "BEGIN EXCLUSIVE");
    assert_state(db, "busy");
    end_helper(&h);
    assert_state(db, "ok");
    put(junk,
        "this is no database, and it is long enough to have a header: ...............................................",
        109);
    assert_state(junk, "not_a_database");
    assert_int_equal(
        code_of("sql.rows", json_pack("{s:s, s:s}", "connection", junk, "query", "SELECT * FROM sqlite_master")),
        RB_ECORRUPT);
    make_db(hurt, "delete");
    int fd = open(hurt, O_RDWR | O_CLOEXEC);
    memset(page, 0x5a, sizeof page);
    assert_int_equal(pwrite(fd, page, sizeof page, 4096 * 2), sizeof page);
    close(fd);
    assert_state(hurt, "corrupt");
}

static void header_destroyed(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    int fd = open(db, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "garbage garbage!", 16, 0), 16);
    close(fd);
    assert_state(db, "not_a_database");
    json_t *answer = locks(db, 0.05);
    assert_free(answer);
    json_decref(answer);
}

static void probes(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    struct helper h = holder(db, "BEGIN IMMEDIATE");
    json_t *answer = must("sql.probe", json_pack("{s:s}", "connection", db));
    assert_false(truth(answer, "ok"));
    assert_string_equal(rb_json_str(answer, "code", ""), "busy");
    json_decref(answer);
    end_helper(&h);
    shell_sql(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *content = slurp(db);
    answer = must("sql.probe", json_pack("{s:s, s:i}", "connection", db, "times", 3));
    assert_true(truth(answer, "ok"));
    json_decref(answer);
    char *later = slurp(db);
    assert_string_equal(content, later);
    free(content);
    free(later);
}

static void checkpoints(void **state)
{
    const char *db = in(state, "db");
    struct stat st;
    make_db(db, "wal");
    struct helper reader = python(db, "c.execute('BEGIN')\nc.execute('SELECT * FROM t').fetchone()\n"
                                      "print('reading', flush=True)\ntime.sleep(300)\n");
    struct helper keep = holder(db, "SELECT count(*) FROM t");
    shell_sql(db, "INSERT INTO t(v) VALUES('later')");
    json_t *answer =
        must("sql.checkpoint", json_pack("{s:s, s:s, s:f}", "connection", db, "mode", "truncate", "wait", 0.1));
    assert_true(truth(answer, "busy"));
    json_decref(answer);
    end_helper(&reader);
    answer = must("sql.checkpoint", json_pack("{s:s, s:s}", "connection", db, "mode", "truncate"));
    assert_false(truth(answer, "busy"));
    json_decref(answer);
    assert_int_equal(stat(in(state, "db-wal"), &st), 0);
    assert_int_equal(st.st_size, 0);
    end_helper(&keep);
    assert_int_equal(code_of("sql.checkpoint", json_pack("{s:s, s:s}", "connection", db, "mode", "full")), RB_EUSAGE);
}

static void backup_of(void **state, const char *mode)
{
    const char *db = in(state, mode);
    char to[PATH_MAX], hash[RB_HEX_SIZE];
    struct stat st;
    (void)snprintf(to, sizeof to, "%s.copy", db);
    make_db(db, mode);
    /* A writer that goes on all the time: every commit must be wholly in the copy or not at all. */
    struct helper h = python(
        db, "c.execute('CREATE TABLE pair(a, b)')\nprint('on', flush=True)\ni = 0\n"
            "while True:\n i += 1\n c.execute('BEGIN IMMEDIATE')\n"
            " c.execute('INSERT INTO pair VALUES(?, 0)', (i,))\n"
            " c.execute('UPDATE pair SET b = ? WHERE a = ?', (i, i))\n c.execute('COMMIT')\n time.sleep(0.001)\n");
    json_t *answer = must("sql.backup", json_pack("{s:s, s:s}", "connection", db, "to", to));
    assert_int_equal(stat(to, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(rb_json_int(answer, "size", 0), st.st_size);
    char *content = calloc(1, (size_t)st.st_size);
    int fd = open(to, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, content, (size_t)st.st_size), st.st_size);
    close(fd);
    rb_hash_hex(content, (size_t)st.st_size, hash);
    free(content);
    assert_string_equal(rb_json_str(answer, "sha256", ""), hash);
    json_decref(answer);
    end_helper(&h);
    assert_int_equal(count(to), 1000);
    answer = ask("sql.value", to, "SELECT count(*) FROM pair WHERE a != b", NULL);
    assert_int_equal(json_integer_value(answer), 0);
    json_decref(answer);
    assert_int_equal(code_of("sql.backup", json_pack("{s:s, s:s}", "connection", db, "to", to)), RB_EEXISTS);
}

static void backups(void **state)
{
    backup_of(state, "delete");
    backup_of(state, "wal");
}

static void backup_needs_the_lock_gone(void **state)
{
    const char *db = in(state, "db"), *to = in(state, "copy");
    make_db(db, "delete");
    struct helper h = holder(db, "BEGIN EXCLUSIVE");
    assert_int_equal(code_of("sql.backup", json_pack("{s:s, s:s, s:f}", "connection", db, "to", to, "wait", 0.2)),
                     RB_EBUSY);
    assert_int_equal(access(to, F_OK), -1);
    end_helper(&h);
    const char *const left[] = {"sh", "-c", "! ls \"$1\" | grep -q part", "sh", *state, NULL};
    assert_int_equal(run_argv(left), 0);
}

static void the_journal_is_refused(void **state)
{
    const char *db = in(state, "db");
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 5000000000};
    struct rb_err err;
    struct stat st;
    static const char *const verbs[] = {"sql.rows",   "sql.exec",    "sql.locks",   "sql.probe", "file.read",
                                        "file.write", "file.append", "file.remove", "file.hash", "file.chmod"};
    make_db(db, "delete");
    assert_int_equal(stat(db, &st), 0);
    work.forbidden_dev = st.st_dev;
    work.forbidden_ino = st.st_ino;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        memset(&err, 0, sizeof err);
        json_t *args = json_pack("{s:s, s:s, s:s, s:s, s:i}", "connection", db, "path", db, "query", "SELECT 1", "data",
                                 "x", "mode", 0600);
        json_t *value = call_with(&work, verbs[i], args, &err);
        if (strcmp(verbs[i], "sql.probe") == 0) {
            assert_false(truth(value, "ok"));
            json_decref(value);
            continue;
        }
        assert_null(value);
        assert_int_equal(err.code, RB_EDENIED);
    }
    assert_int_equal(count(db), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_exact, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(reads_only_read, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(endless_statement_ends, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(writes, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(no_trace_clean, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(no_trace_rollback, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(no_trace_crash, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(no_trace_live, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(states, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(header_destroyed, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(probes, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(checkpoints, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(backups, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(backup_needs_the_lock_gone, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(the_journal_is_refused, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
