/* sql.locks names exactly those who keep writers out. */
#include "sqlite_lab.h"

#include "calls.h"

static void exclusive(void **state)
{
    const char *db = in(state, "a b%.sqlite");
    make_db(db, "delete");
    struct helper h = holder(db, "BEGIN EXCLUSIVE");
    json_t *answer = locks(db, 0.2);
    assert_holder(answer, h.pid, "exclusive");
    const json_t *one = json_array_get(json_object_get(answer, "holders"), 0);
    assert_int_equal(rb_json_int(one, "started", 0), started_of(h.pid));
    assert_int_equal(rb_json_int(one, "ppid", 0), getpid());
    assert_int_equal(rb_json_int(json_object_get(one, "parent"), "pid", 0), getpid());
    assert_false(truth(one, "orphan"));
    assert_true(truth(one, "visible"));
    assert_string_equal(rb_json_str(one, "state", ""), "S");
    assert_non_null(strstr(rb_json_str(one, "command", ""), "python3"));
    assert_string_equal(rb_json_str(answer, "mode", ""), "rollback");
    assert_non_null(json_object_get(json_object_get(answer, "files"), "db"));
    assert_null(json_object_get(json_object_get(answer, "files"), "wal"));
    json_decref(answer);
    end_helper(&h);
    answer = locks(db, 0.2);
    assert_free(answer);
    json_decref(answer);
}

static void immediate(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct helper h = holder(db, "BEGIN IMMEDIATE");
    json_t *answer = locks(db, 0.2);
    assert_holder(answer, h.pid, "reserved");
    json_decref(answer);
    end_helper(&h);
}

static void wal_writer_and_idle_opener(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    struct helper idle = holder(db, "SELECT count(*) FROM t");
    json_t *answer = locks(db, 0.2);
    assert_free(answer);
    assert_string_equal(rb_json_str(answer, "mode", ""), "wal");
    json_decref(answer);
    struct helper h = holder(db, "BEGIN IMMEDIATE");
    answer = locks(db, 0.2);
    assert_holder(answer, h.pid, "wal_write");
    json_decref(answer);
    end_helper(&h);
    end_helper(&idle);
}

static void suspended(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct helper h = holder(db, "BEGIN IMMEDIATE");
    assert_int_equal(kill(h.pid, SIGSTOP), 0);
    wait_state(h.pid, "T");
    json_t *answer = locks(db, 0.2);
    assert_holder(answer, h.pid, "reserved");
    assert_string_equal(rb_json_str(json_array_get(json_object_get(answer, "holders"), 0), "state", ""), "T");
    json_decref(answer);
    end_helper(&h);
}

static void bystanders(void **state)
{
    const char *db = in(state, "db"), *other = in(state, "other");
    make_db(db, "delete");
    make_db(other, "delete");
    struct helper elsewhere = holder(other, "BEGIN EXCLUSIVE"), idle = holder(db, "SELECT 1"), h;
    json_t *answer = locks(db, 0.2);
    assert_free(answer);
    assert_int_equal(json_array_size(json_object_get(answer, "readers")), 0);
    json_decref(answer);
    h = holder(db, "BEGIN EXCLUSIVE");
    answer = locks(db, 0.2);
    assert_holder(answer, h.pid, "exclusive");
    json_decref(answer);
    end_helper(&h);
    end_helper(&idle);
    end_helper(&elsewhere);
}

static void busy_is_not_locked(void **state)
{
    static const char *const modes[] = {"delete", "wal"};
    for (size_t i = 0; i < 2; i++) {
        const char *db = in(state, modes[i]);
        make_db(db, modes[i]);
        struct helper h = python(db, "print('on', flush=True)\n"
                                     "while True:\n c.execute('BEGIN IMMEDIATE')\n"
                                     " c.execute(\"UPDATE t SET v = v || '' WHERE id = 7\")\n c.execute('COMMIT')\n");
        json_t *answer = locks(db, 1.0);
        assert_free(answer);
        json_decref(answer);
        end_helper(&h);
    }
}

static void old_reader(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    struct helper h = python(db, "c.execute('BEGIN')\nc.execute('SELECT * FROM t').fetchone()\n"
                                 "print('reading', flush=True)\ntime.sleep(300)\n");
    shell_sql(db, "INSERT INTO t(v) VALUES('later')");
    json_t *answer = locks(db, 0.2);
    assert_free(answer);
    const json_t *readers = json_object_get(answer, "readers");
    assert_int_equal(json_array_size(readers), 1);
    assert_int_equal(rb_json_int(json_array_get(readers, 0), "pid", 0), h.pid);
    assert_non_null(strstr(json_string_value(json_array_get(json_object_get(json_array_get(readers, 0), "locks"), 0)),
                           "wal_read_"));
    json_decref(answer);
    end_helper(&h);
}

/* Without a WAL no commit gets past a read that was left open, though "BEGIN IMMEDIATE" still works. */
static void read_left_open(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct helper h = python(db, "c.execute('BEGIN')\nc.execute('SELECT * FROM t').fetchone()\n"
                                 "print('reading', flush=True)\ntime.sleep(300)\n");
    json_t *answer = locks(db, 0.3);
    assert_holder(answer, h.pid, "shared");
    json_decref(answer);
    answer = locks(db, 0); /* one look says nothing: it may be any read */
    assert_free(answer);
    json_decref(answer);
    end_helper(&h);
}

/* A writer that waits for a reader is the one who suffers: whoever stops it has stopped the wrong one. */
static void reader_in_the_way_of_a_writer(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct helper reader = python(db, "c.execute('BEGIN')\nc.execute('SELECT * FROM t').fetchone()\n"
                                      "print('reading', flush=True)\nwhile True: pass\n");
    struct helper writer =
        python(db, "c.execute('BEGIN IMMEDIATE')\nc.execute(\"UPDATE t SET v = 'new' WHERE id = 7\")\n"
                   "print('committing', flush=True)\nc.execute('COMMIT')\n");
    json_t *answer = locks(db, 0.2);
    for (int i = 0; i < 100 && !truth(answer, "locked"); i++) {
        json_decref(answer);
        answer = locks(db, 0.2);
    }
    assert_holder(answer, reader.pid, "shared");
    json_decref(answer);
    end_helper(&reader);
    end_helper(&writer);
}

/* One query after the other, with next to nothing between them: that is work, not a lock. */
static void busy_readers_are_not_locked(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct helper h = python(db, "print('on', flush=True)\n"
                                 "while True: c.execute('SELECT count(*) FROM t a, t b WHERE a.v < b.v').fetchone()\n");
    json_t *answer = locks(db, 1.0);
    assert_free(answer);
    json_decref(answer);
    end_helper(&h);
}

static void orphan(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct helper h = python(db, "c.close()\nparent = os.getpid()\nif os.fork(): os._exit(0)\n"
                                 "while os.getppid() == parent: time.sleep(0.01)\n"
                                 "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                                 "c.execute('BEGIN EXCLUSIVE')\nprint('holding', flush=True)\ntime.sleep(300)\n");
    assert_int_equal(waitpid(h.pid, NULL, 0), h.pid);
    json_t *answer = locks(db, 0.2);
    const json_t *one = json_array_get(json_object_get(answer, "holders"), 0);
    pid_t pid = (pid_t)rb_json_int(one, "pid", 0);
    assert_holder(answer, pid, "exclusive");
    assert_int_not_equal(pid, h.pid);
    assert_int_equal(truth(one, "orphan"), rb_json_int(one, "ppid", 0) == 1);
    json_decref(answer);
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    close(h.out);
}

static void hot_journal(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    /* A tiny cache: the transaction spills into the file, so the journal was synced. */
    struct helper h = python(db, "c.execute('PRAGMA cache_size = 1')\nc.execute('BEGIN')\n"
                                 "c.execute(\"UPDATE t SET v = hex(randomblob(500))\")\n"
                                 "print('spilt', flush=True)\ntime.sleep(300)\n");
    json_t *answer = locks(db, 0.2);
    assert_false(truth(answer, "hot_journal")); /* its owner is alive */
    assert_true(truth(answer, "locked"));
    json_decref(answer);
    end_helper(&h);
    answer = locks(db, 0.2);
    assert_free(answer);
    assert_true(truth(answer, "hot_journal"));
    assert_non_null(json_object_get(json_object_get(answer, "files"), "journal"));
    json_decref(answer);
    answer = must("sql.integrity", json_pack("{s:s}", "connection", db));
    assert_string_equal(rb_json_str(answer, "state", ""), "hot_journal");
    json_decref(answer);
    answer = must("sql.probe", json_pack("{s:s}", "connection", db));
    assert_false(truth(answer, "ok"));
    assert_string_equal(rb_json_str(answer, "code", ""), "hot_journal");
    json_decref(answer);
    answer = must("sql.recover", json_pack("{s:s}", "connection", db));
    assert_true(truth(answer, "rolled_back"));
    json_decref(answer);
    answer = must("sql.value",
                  json_pack("{s:s, s:s}", "connection", db, "query", "SELECT count(*) FROM t WHERE v = 'row ' || id"));
    assert_int_equal(json_integer_value(answer), 1000);
    json_decref(answer);
}

/* Its index would have to be rebuilt, which needs the lock that the writer holds: said in words, not "locking
 * protocol". */
static void damaged_wal_index(void **state)
{
    const char *db = in(state, "db");
    char index[PATH_MAX], noise[4096];
    make_db(db, "wal");
    struct helper h = holder(db, "BEGIN IMMEDIATE");
    snprintf(index, sizeof index, "%s-shm", db);
    memset(noise, 'g', sizeof noise);
    int fd = open(index, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 0), sizeof noise);
    close(fd);
    json_t *answer = must("sql.integrity", json_pack("{s:s}", "connection", db));
    assert_string_equal(rb_json_str(answer, "state", ""), "unreadable");
    assert_non_null(strstr(rb_json_str(answer, "message", ""), "-shm"));
    json_decref(answer);
    end_helper(&h);
}

static void missing_stays_missing(void **state)
{
    const char *db = in(state, "none");
    struct stat st;
    static const char *const verbs[] = {"sql.locks", "sql.probe", "sql.integrity", "sql.checkpoint", "sql.recover"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        assert_int_equal(code_of(verbs[i], json_pack("{s:s}", "connection", db)), RB_ENOT_FOUND);
        assert_int_equal(stat(db, &st), -1);
    }
    assert_int_equal(code_of("sql.exec", json_pack("{s:s, s:s}", "connection", db, "query", "CREATE TABLE x(a)")),
                     RB_ENOT_FOUND);
    assert_int_equal(stat(db, &st), -1);
}

/* An ordinary user still learns who it is, though not everything about it. */
static void unprivileged(void **state)
{
    const char *db = in(state, "db");
    if (getuid() != 0) {
        skip();
    }
    make_db(db, "delete");
    struct helper h = holder(db, "BEGIN EXCLUSIVE");
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000};
        if (setgid(65534) != 0 || setuid(65534) != 0) {
            _exit(9);
        }
        json_t *answer = call_with(&work, "sql.locks", json_pack("{s:s, s:f}", "connection", db, "wait", 0.1), NULL);
        const json_t *one = json_array_get(json_object_get(answer, "holders"), 0);
        bool good = answer && json_is_true(json_object_get(answer, "locked")) && rb_json_int(one, "pid", 0) == h.pid &&
                    rb_json_bool(one, "visible", false) && rb_json_int(one, "started", 0) > 0 &&
                    !json_object_get(one, "exe");
        json_decref(answer);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    end_helper(&h);
}

/* A lock that no process owns alone has no pid: it must be said, not passed over. */
static void open_file_description_lock(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000000, .l_len = 512};
    int fd = open(db, O_RDWR | O_CLOEXEC);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    json_t *answer = locks(db, 0.05);
    assert_true(truth(answer, "locked"));
    assert_true(truth(answer, "hidden"));
    assert_int_equal(json_array_size(json_object_get(answer, "holders")), 0);
    json_decref(answer);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exclusive, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(immediate, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(wal_writer_and_idle_opener, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(suspended, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(bystanders, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(busy_is_not_locked, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(old_reader, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(read_left_open, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(reader_in_the_way_of_a_writer, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(busy_readers_are_not_locked, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(orphan, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(hot_journal, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(damaged_wal_index, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(missing_stays_missing, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(unprivileged, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(open_file_description_lock, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
