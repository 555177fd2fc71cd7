/* The reading verbs where the kernel refuses every write, as in a check: nothing they do may need one. */
#include "sqlite_lab.h"

#include "base/frame.h"
#include "calls.h"
#include "process/spawner.h"

struct asked {
    json_t *reply;
    char refused[1024];
    bool ended;
};

static uv_loop_t loop;
static struct rb_spawner *spawner;

/* In the child: one request, one reply. */
static int serve(int fd)
{
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 20000000000, .read_only = true};
    struct rb_err err = {0};
    struct rb_buf scratch;
    json_t *request = NULL;
    rb_buf_init(&scratch, RB_FRAME_MAX + 64);
    if (rb_frame_read(fd, &scratch, &request, &err) < 0) {
        return 1;
    }
    json_t *value =
        call_with(&work, rb_json_str(request, "verb", ""), json_incref(json_object_get(request, "args")), &err);
    json_t *reply = value ? json_pack("{s:o}", "ok", value) : json_pack("{s:s}", "error", err.text);
    int rc = rb_frame_write(fd, reply, &err);
    json_decref(reply);
    json_decref(request);
    rb_buf_deinit(&scratch);
    return rc < 0;
}

static void on_frame(struct rb_child *child, json_t *value, void *user)
{
    struct asked *asked = user;
    (void)child;
    asked->reply = json_incref(value);
}

static void on_refused(struct rb_child *child, const char *what, void *user)
{
    struct asked *asked = user;
    size_t len = strlen(asked->refused);
    (void)child;
    (void)snprintf(asked->refused + len, sizeof asked->refused - len, "%s\n", what);
}

static void on_exit_event(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user)
{
    struct asked *asked = user;
    (void)child, (void)status, (void)orphaned, (void)err;
    asked->ended = true;
}

/* The verb's answer in a read-only child; every refused call fails the test. Takes args. */
static json_t *read_only(const char *verb, json_t *args)
{
    static const struct rb_child_events events = {.frame = on_frame, .refused = on_refused, .exit = on_exit_event};
    struct rb_child_spec spec = {.entry = "verb", .access = RB_CHILD_READ};
    struct asked asked = {0};
    struct rb_err err = {0};
    struct rb_child *child = rb_child_start(spawner, &spec, &events, &asked, &err);
    json_t *request = json_pack("{s:s, s:o}", "verb", verb, "args", args);
    assert_non_null(child);
    assert_int_equal(rb_child_send(child, request, &err), 0);
    json_decref(request);
    while (!asked.ended) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_string_equal(asked.refused, "");
    assert_non_null(asked.reply);
    json_t *value = json_object_get(asked.reply, "ok");
    if (!value) {
        fail_msg("%s: %s", verb, rb_json_str(asked.reply, "error", "?"));
    }
    json_incref(value);
    json_decref(asked.reply);
    return value;
}

static void read_all(const char *db, long long rows)
{
    json_t *value =
        read_only("sql.value", json_pack("{s:s, s:s}", "connection", db, "query", "SELECT count(*) FROM t"));
    assert_int_equal(json_integer_value(value), rows);
    json_decref(value);
    value = read_only("sql.integrity", json_pack("{s:s}", "connection", db));
    assert_string_equal(rb_json_str(value, "state", ""), "ok");
    json_decref(value);
}

static void clean(void **state)
{
    const char *db = in(state, "wal"), *other = in(state, "rollback");
    make_db(db, "wal");
    make_db(other, "delete");
    read_all(db, 1000);
    read_all(other, 1000);
}

static void live_and_crashed(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "wal");
    struct helper h =
        python(db, "c.execute('PRAGMA wal_autocheckpoint = 0')\nc.execute(\"INSERT INTO t(v) VALUES('x')\")\n"
                   "c.execute('BEGIN IMMEDIATE')\nprint('on', flush=True)\ntime.sleep(300)\n");
    read_all(db, 1001);
    json_t *answer = read_only("sql.locks", json_pack("{s:s, s:f}", "connection", db, "wait", 0.1));
    assert_holder(answer, h.pid, "wal_write");
    json_decref(answer);
    end_helper(&h);
    read_all(db, 1001);
    assert_int_equal(unlink(in(state, "db-shm")), 0);
    read_all(db, 1001);
}

static void rollback_locks(void **state)
{
    const char *db = in(state, "db");
    make_db(db, "delete");
    struct helper h = holder(db, "BEGIN EXCLUSIVE");
    json_t *answer = read_only("sql.locks", json_pack("{s:s, s:f}", "connection", db, "wait", 0.1));
    assert_holder(answer, h.pid, "exclusive");
    assert_non_null(json_object_get(json_array_get(json_object_get(answer, "holders"), 0), "exe"));
    json_decref(answer);
    answer = read_only("sql.integrity", json_pack("{s:s, s:f}", "connection", db, "wait", 0.1));
    assert_string_equal(rb_json_str(answer, "state", ""), "busy");
    json_decref(answer);
    end_helper(&h);
}

static void machine_and_files(void **state)
{
    const char *path = in(state, "f");
    put(path, "x", 1);
    const char *const verbs[] = {"system.memory", "system.load", "system.processes", "system.listeners"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        json_decref(read_only(verbs[i], json_object()));
    }
    const char *const with_path[] = {"system.disk", "system.openers", "system.lock_holders", "file.read", "file.stat",
                                     "file.tail",   "file.hash"};
    for (size_t i = 0; i < sizeof with_path / sizeof *with_path; i++) {
        json_decref(read_only(with_path[i], json_pack("{s:s}", "path", path)));
    }
    json_decref(read_only("file.list", json_pack("{s:s}", "dir", *state)));
    json_decref(read_only("file.find", json_pack("{s:s}", "dir", *state)));
}

int main(void)
{
    static const struct rb_entry entries[] = {{"verb", serve}};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clean, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(live_and_crashed, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(rollback_locks, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(machine_and_files, setup_dir, teardown_dir),
    };
    struct rb_err err = {0};
    if (rb_spawner_fork(&spawner, entries, 1, &err) != 0 || uv_loop_init(&loop) != 0 ||
        rb_spawner_attach(spawner, &loop, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rb_spawner_close(spawner);
    (void)uv_loop_close(&loop);
    return failed;
}
