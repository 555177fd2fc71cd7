/* sql on a real PostgreSQL server. */
#include "server_lab.h"

static struct server pg;
static json_t *admin, *tcp, *reader; /* superuser by socket, by TCP; the read account */

static const char *bin(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "/usr/lib/postgresql/15/bin/%s", name);
    return path;
}

static void start_server(void)
{
    char port[16], folder[PATH_MAX + 32];
    (void)snprintf(port, sizeof port, "%d", pg.port);
    (void)snprintf(folder, sizeof folder, "%s/data", pg.dir);
    const char *const argv[] = {bin("postgres"),
                                "-D",
                                folder,
                                "-k",
                                pg.dir,
                                "-p",
                                port,
                                "-c",
                                "listen_addresses=127.0.0.1",
                                "-c",
                                "fsync=off",
                                "-c",
                                "max_connections=12",
                                "-c",
                                "ssl=on",
                                "-c",
                                "ssl_cert_file=../server.crt",
                                "-c",
                                "ssl_key_file=../server.key",
                                "-c",
                                "log_min_messages=warning",
                                NULL};
    pg.pid = spawn_as(&pg, argv);
    for (int i = 0; i < 400; i++) {
        struct rb_call call = run_call("sql.value", with(admin, "SELECT 1", NULL), true, 0);
        bool up = call.value != NULL;
        drop(&call);
        if (up) {
            return;
        }
        (void)poll(NULL, 0, 25);
    }
    fail_msg("PostgreSQL did not start; see %s/log", pg.dir);
}

static int setup(void **state)
{
    (void)state;
    char folder[PATH_MAX + 32], password[PATH_MAX + 32];
    uv_loop_init(&loop);
    server_dir(&pg, "postgres");
    (void)snprintf(folder, sizeof folder, "%s/data", pg.dir);
    (void)snprintf(password, sizeof password, "%s/password", pg.dir);
    put(password, "se'cret", 7);
    const char *const init[] = {bin("initdb"),
                                "--no-sync",
                                "-D",
                                folder,
                                "-U",
                                "admin",
                                "--auth-local=trust",
                                "--auth-host=scram-sha-256",
                                "--pwfile",
                                password,
                                "--no-locale",
                                "-E",
                                "UTF8",
                                NULL};
    run_as(&pg, init);
    const char *const cert[] = {
        "openssl", "req",        "-x509", "-newkey",     "rsa:2048", "-nodes",
        "-days",   "2",          "-subj", "/CN=db.test", "-addext",  "subjectAltName=IP:127.0.0.1",
        "-keyout", "server.key", "-out",  "server.crt",  NULL};
    run_as(&pg, cert);
    admin = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s}", "name", "main", "driver", "postgres", "socket", pg.dir, "port",
                      pg.port, "user", "admin", "database", "postgres");
    tcp = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "name", "main", "driver", "postgres", "host", "127.0.0.1",
                    "port", pg.port, "user", "admin", "password", "se'cret", "database", "postgres");
    start_server();
    exec_ok(admin, "CREATE TABLE orders (id bigserial PRIMARY KEY, state text, amount numeric(12,2))");
    exec_ok(admin, "INSERT INTO orders (state, amount) SELECT 'paid', n FROM generate_series(1, 5) n");
    exec_ok(admin, "CREATE ROLE reader LOGIN PASSWORD 'r'");
    exec_ok(admin, "GRANT pg_read_all_data, pg_monitor TO reader");
    reader = json_deep_copy(tcp);
    json_object_set_new(reader, "user", json_string("reader"));
    json_object_set_new(reader, "password", json_string("r"));
    json_object_set_new(reader, "read_account", json_true());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(admin);
    json_decref(tcp);
    json_decref(reader);
    server_stop(&pg, SIGQUIT);
    server_remove(&pg);
    return 0;
}

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *query, *expected;
    } cases[] = {
        {"SELECT 9007199254740993", "9007199254740993"},
        {"SELECT -9223372036854775808", "-9223372036854775808"},
        {"SELECT 12345678901234567890", "\"12345678901234567890\""},
        {"SELECT 1.10::numeric", "\"1.10\""},
        {"SELECT 0.1::float8", "0.1"},
        {"SELECT 'NaN'::float8", "\"NaN\""},
        {"SELECT '-Infinity'::float4", "\"-Infinity\""},
        {"SELECT true", "true"},
        {"SELECT NULL::bool", "null"},
        {"SELECT '{\"a\": [1, 2.5, null]}'::jsonb", "{\"a\": [1, 2.5, null]}"},
        {"SELECT '{\"a\": 12345678901234567890}'::json", "\"{\\\"a\\\": 12345678901234567890}\""},
        {"SELECT '2026-01-02 03:04:05.678+00'::timestamptz AT TIME ZONE 'UTC'", "\"2026-01-02T03:04:05.678\""},
        {"SELECT date '2026-01-02'", "\"2026-01-02\""},
        {"SELECT 'infinity'::timestamptz", "\"infinity\""},
        {"SELECT '\\x00ff'::bytea", "{\"$b64\": \"AP8=\"}"},
        {"SELECT '\\x'::bytea", "\"\""},
        {"SELECT '中文'", "\"中文\""},
        {"SELECT 'a;b -- c /* d ?'", "\"a;b -- c /* d ?\""},
        {"SELECT $$ ?;' $$ -- ?", "\" ?;' \""},
        {"SELECT E'it\\'s'", "\"it's\""},
        {"SELECT 1;", "1"},
        {"SELECT 1 WHERE false", "null"},
        {"SHOW server_encoding", "\"UTF8\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        is_json(value_of(admin, cases[i].query, NULL), cases[i].expected);
        is_json(value_of(tcp, cases[i].query, NULL), cases[i].expected);
    }
    json_t *moment = value_of(admin, "SELECT timestamptz '2026-01-02 03:04:05.678+00'", NULL);
    const char *text = json_string_value(moment);
    assert_int_equal(text[10], 'T');
    assert_true(strchr("Z+-", text[23]) != NULL);
    json_decref(moment);
}

static void bound_values(void **state)
{
    (void)state;
    is_json(value_of(tcp, "SELECT ?::text || $x$?$x$", json_pack("[s]", "a")), "\"a?\"");
    is_json(value_of(tcp, "SELECT $2::int - $1::int", json_pack("[i, i]", 1, 3)), "2");
    is_json(value_of(tcp, "SELECT '{\"k\": 1}'::jsonb ? $1", json_pack("[s]", "k")), "true");
    is_json(value_of(tcp, "SELECT ?::bool", json_pack("[b]", 1)), "true");
    is_json(value_of(tcp, "SELECT ?::int8 + 0", json_pack("[I]", (json_int_t)9007199254740993)), "9007199254740993");
    is_json(value_of(tcp, "SELECT ?::float8", json_pack("[f]", 0.1)), "0.1");
    is_json(value_of(tcp, "SELECT ?::text IS NULL", json_pack("[n]")), "true");
    is_json(value_of(tcp, "SELECT length(?::bytea)", json_pack("[{s:s}]", "$b64", "AP8=")), "2");
    is_json(value_of(tcp, "SELECT ?::text", json_pack("[s]", "")), "\"\"");
    fails("sql.value", with(tcp, "SELECT ?::int", json_pack("[s]", "1; DROP TABLE orders")), RB_ESQL, 0);
    fails("sql.value", with(tcp, "SELECT ?", NULL), RB_EUSAGE, 0);
    fails("sql.value", with(tcp, "SELECT 1", json_pack("[i]", 1)), RB_EUSAGE, 0);
    fails("sql.value", with(tcp, "SELECT ?", json_pack("[[]]")), RB_EUSAGE, 0);
}

/* What may look like SQL arrives as the value it is, and comes back so. */
static void injection(void **state)
{
    (void)state;
    static const char *const payloads[] = {"'; DROP TABLE orders; --",
                                           "\\'; DROP TABLE orders; --",
                                           "' OR '1'='1",
                                           "$$; DROP TABLE orders; $$",
                                           "?",
                                           "$1",
                                           "%s%n",
                                           "\"; SELECT pg_terminate_backend(1); --",
                                           "a\r\nb",
                                           "\\",
                                           "''",
                                           "/* */",
                                           "--",
                                           "\x1b[31m",
                                           "中'文",
                                           "{\"a\":1}",
                                           "NULL",
                                           "\\x41",
                                           "E'\\''",
                                           "0x27; DROP TABLE orders"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        json_t *expected = json_string(payloads[i]);
        json_t *got = value_of(tcp, "SELECT ?::text", json_pack("[s]", payloads[i]));
        assert_true(json_equal(got, expected));
        json_decref(got);
        json_decref(
            answer("sql.exec", with(tcp, "INSERT INTO orders (state) VALUES (?)", json_pack("[s]", payloads[i]))));
        got = value_of(tcp, "SELECT state FROM orders WHERE state = ? LIMIT 1", json_pack("[s]", payloads[i]));
        assert_true(json_equal(got, expected));
        json_decref(got);
        json_decref(answer("sql.exec", with(tcp, "DELETE FROM orders WHERE state = ?", json_pack("[s]", payloads[i]))));
        json_decref(expected);
    }
    assert_int_equal(int_of(admin, "SELECT count(*) FROM orders"), 5);
}

static void rows_and_caps(void **state)
{
    (void)state;
    is_json(answer("sql.rows", with(tcp, "SELECT id, state FROM orders WHERE id <= 2 ORDER BY id", NULL)),
            "[{\"id\": 1, \"state\": \"paid\"}, {\"id\": 2, \"state\": \"paid\"}]");
    is_json(answer("sql.rows", with(tcp, "SELECT id FROM orders WHERE false", NULL)), "[]");
    is_json(answer("sql.row", with(tcp, "SELECT id FROM orders ORDER BY id", NULL)), "{\"id\": 1}");
    is_json(answer("sql.row", with(tcp, "SELECT id FROM orders WHERE false", NULL)), "null");
    fails("sql.rows", with(tcp, "SELECT n FROM generate_series(1, 1001) n", NULL), RB_ETOO_LARGE, 0);
    json_t *args = with(tcp, "SELECT n FROM generate_series(1, 3) n", NULL);
    json_object_set_new(args, "max_rows", json_integer(2));
    fails("sql.rows", args, RB_ETOO_LARGE, 0);
    fails("sql.rows", with(tcp, "SELECT repeat('x', 3000000) FROM generate_series(1, 2)", NULL), RB_ETOO_LARGE, 0);
    fails("sql.rows", with(tcp, "SELECT repeat('x', 60000000)", NULL), RB_ETOO_LARGE, 0);
    fails("sql.rows", with(tcp, "SELECT repeat('x', 300000000)", NULL), RB_ETOO_LARGE, 0);
    fails("sql.rows", with(tcp, "SELECT 1 AS a, 2 AS a", NULL), RB_EUSAGE, 0);
    fails("sql.rows", with(tcp, "SELECT 1 AS a, 2 AS a WHERE false", NULL), RB_EUSAGE, 0);
    fails("sql.value", with(tcp, "SELECT 1, 2", NULL), RB_EUSAGE, 0);
    fails("sql.rows", with(tcp, "SELECT 1; SELECT 2", NULL), RB_EUSAGE, 0);
    fails("sql.rows", with(tcp, "", NULL), RB_EUSAGE, 0);
    fails("sql.rows", with(tcp, "SELECT 'a", NULL), RB_EUSAGE, 0);
    fails("sql.rows", with(tcp, "SELECT nothing FROM nowhere", NULL), RB_ESQL, 0);
    assert_int_equal(int_of(tcp, "SELECT 1"), 1);
}

static void writing(void **state)
{
    (void)state;
    is_json(answer("sql.exec", with(tcp, "UPDATE orders SET state = ? WHERE id <= 2", json_pack("[s]", "sent"))),
            "{\"changes\": 2}");
    is_json(answer("sql.exec", with(tcp, "INSERT INTO orders (id, state) VALUES (99, 'x') RETURNING id", NULL)),
            "{\"changes\": 1, \"rows\": [{\"id\": 99}]}");
    is_json(answer("sql.tx", json_pack("{s:O, s:[[s, [i]], s]}", "connection", tcp, "statements",
                                       "DELETE FROM orders WHERE id = ?", 99, "UPDATE orders SET state = 'paid'")),
            "{\"changes\": 6}");
    fails("sql.tx",
          json_pack("{s:O, s:[s, s]}", "connection", tcp, "statements", "DELETE FROM orders",
                    "INSERT INTO orders (id) VALUES (1), (1)"),
          RB_ESQL, 0);
    fails("sql.tx",
          json_pack("{s:O, s:[s, s, s]}", "connection", tcp, "statements", "DELETE FROM orders", "COMMIT", "nonsense"),
          RB_EUSAGE, 0);
    assert_int_equal(int_of(tcp, "SELECT count(*) FROM orders WHERE state = 'paid'"), 5);
    static const char *const not_alone[] = {"BEGIN", "COMMIT", "START TRANSACTION", "ROLLBACK", "SAVEPOINT a"};
    for (size_t i = 0; i < sizeof not_alone / sizeof *not_alone; i++) {
        fails("sql.exec", with(tcp, not_alone[i], NULL), RB_EUSAGE, 0);
    }
    fails("sql.exec", with(tcp, "COPY orders TO STDOUT", NULL), RB_EUSAGE, 0);
    fails("sql.exec", with(tcp, "COPY orders FROM STDIN", NULL), RB_EUSAGE, 0);
    exec_ok(tcp, "VACUUM orders");
    exec_ok(tcp, "CREATE INDEX CONCURRENTLY orders_state ON orders (state)");
    exec_ok(tcp, "CREATE DATABASE other");
    exec_ok(tcp, "DROP DATABASE other");
    exec_ok(tcp, "SET search_path = nowhere");
    assert_int_equal(int_of(tcp, "SELECT count(*) FROM orders"), 5); /* nothing stays in a session */
}

static void probing(void **state)
{
    (void)state;
    is_json(answer("sql.probe", json_pack("{s:O}", "connection", tcp)), "{\"ok\": true}");
    assert_int_equal(int_of(tcp, "SELECT count(*) FROM pg_class WHERE relname = 'runbook_probe'"), 0);
    json_t *other = changed_target(admin, "database", json_string("postgres"));
    exec_ok(admin, "CREATE ROLE frozen LOGIN");
    exec_ok(admin, "ALTER ROLE frozen SET default_transaction_read_only = on");
    json_object_set_new(other, "user", json_string("frozen"));
    json_t *said = answer("sql.probe", json_pack("{s:O}", "connection", other));
    assert_false(truth(said, "ok"));
    assert_string_equal(rb_json_str(said, "code", ""), "denied");
    json_decref(said);
    json_decref(other);
}

/* ---- what a check may do: what it may not is in tests/fault/writes ---- */

static void reads_that_look_like_writes(void **state)
{
    (void)state;
    static const char *const fine[] = {"SELECT 'DELETE FROM orders'",
                                       "SELECT count(*) FROM orders -- INSERT",
                                       "(SELECT 1) UNION (SELECT 2)",
                                       "SELECT pg_database_size('postgres') > 0",
                                       "SELECT now() > clock_timestamp()",
                                       "SELECT coalesce(NULL, upper('x'))",
                                       "SELECT count(*) FROM pg_stat_activity",
                                       "SELECT to_json(pg_blocking_pids(pg_backend_pid()))",
                                       "EXPLAIN DELETE FROM orders",
                                       "SELECT extract(epoch FROM now()) > 0",
                                       "SHOW max_connections",
                                       "SELECT * FROM pg_locks WHERE pid = 0",
                                       "SELECT $$ pg_reload_conf() $$"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        json_decref(answer("sql.rows", with(admin, fine[i], NULL)));
    }
    exec_ok(admin, "CREATE FUNCTION adds(a int, b int) RETURNS int LANGUAGE sql AS $$ SELECT a + b $$");
    assert_int_equal(fails("sql.value", with(admin, "SELECT adds(1, 2)", NULL), RB_EFORBIDDEN, 0).err.hint[0] != 0, 1);
    assert_int_equal(int_of(reader, "SELECT adds(1, 2)"), 3); /* its own rights are the fence */
}

static void says_what_is_not_enforced(void **state)
{
    (void)state;
    json_t *fresh = changed_target(admin, "name", json_string("fresh")),
           *claims = changed_target(tcp, "read_account", json_true());
    struct rb_call call = run_call("sql.value", with(fresh, "SELECT 1", NULL), true, 0);
    assert_int_equal(json_array_size(call.remarks), 1);
    assert_string_equal(rb_json_str(json_array_get(call.remarks, 0), "kind", ""), "unenforced");
    drop(&call);
    call = run_call("sql.value", with(fresh, "SELECT 1", NULL), true, 0);
    assert_int_equal(json_array_size(call.remarks), 0); /* once a connection */
    drop(&call);
    call = run_call("sql.value", with(claims, "SELECT 1", NULL), true, 0);
    assert_non_null(strstr(rb_json_str(json_array_get(call.remarks, 0), "text", ""), "superuser"));
    drop(&call);
    json_t *other = changed_target(reader, "name", json_string("fresh reader"));
    call = run_call("sql.value", with(other, "SELECT 1", NULL), true, 0);
    assert_int_equal(json_array_size(call.remarks), 0);
    drop(&call);
    json_decref(fresh);
    json_decref(claims);
    json_decref(other);
}

/* ---- servers that do not answer ---- */

static void errors_of_connecting(void **state)
{
    (void)state;
    json_t *t = changed_target(tcp, "password", json_string("wrong"));
    struct rb_call call = fails("sql.value", with(t, "SELECT 1", NULL), RB_EAUTH, 0);
    assert_non_null(strstr(call.err.text, "28P01"));
    assert_null(strstr(call.err.text, "wrong"));
    json_decref(t);
    t = changed_target(tcp, "database", json_string("nowhere"));
    assert_non_null(strstr(fails("sql.value", with(t, "SELECT 1", NULL), RB_ENOT_FOUND, 0).err.text, "3D000"));
    json_decref(t);
    t = changed_target(tcp, "port", json_integer(free_port()));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_EREFUSED, 0);
    assert_false(fails("sql.exec", with(t, "SELECT 1", NULL), RB_EREFUSED, 0).err.code == RB_ERESET);
    json_decref(t);
    t = changed_target(admin, "socket", json_string("/tmp/runbook-nowhere"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_EREFUSED, 0);
    json_decref(t);
    t = changed_target(tcp, "host", json_string("nowhere.invalid"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_EDNS, 0);
    json_decref(t);
    t = changed_target(tcp, "host", json_string("localhost"));
    assert_int_equal(int_of(t, "SELECT 1"), 1);
    json_decref(t);
}

static void impostors(void **state)
{
    (void)state;
    static const char auth[] = "R\0\0\0\b\0\0\0\0";
    static const struct impostor list[] = {
        {.what = "never accepts"},
        {.what = "silent", .accepts = true},
        {.what = "resets", .accepts = true, .ends = true},
        {.what = "talks HTTP", .bytes = "HTTP/1.1 400 Bad Request\r\n\r\n", .len = 28, .accepts = true, .ends = true},
        {.what = "half an answer", .bytes = "R\0\0", .len = 3, .accepts = true},
        {.what = "endless error", .bytes = "E\x7f\xff\xff\xffSFATAL", .len = 11, .accepts = true, .again = true},
        {.what = "says yes for ever", .bytes = auth, .len = 9, .accepts = true, .again = true},
        {.what = "claims an enormous message", .bytes = "S\x3f\xff\xff\xff", .len = 5, .accepts = true, .again = true},
    };
    json_t *off = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "off")),
           *require = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "require"));
    meet_impostors(off, list, sizeof list / sizeof *list);
    meet_impostors(require, list, sizeof list / sizeof *list);
    json_decref(off);
    json_decref(require);
}

static void transport_security(void **state)
{
    (void)state;
    char ca[PATH_MAX + 16];
    (void)snprintf(ca, sizeof ca, "%s/server.crt", pg.dir);
    json_t *t = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "require"));
    is_json(value_of(t, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL), "true");
    json_decref(t);
    t = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "off"));
    is_json(value_of(t, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL), "false");
    json_decref(t);
    t = changed_target(tcp, "tls", json_pack("{s:s, s:s}", "mode", "verify", "ca", ca));
    is_json(value_of(t, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL), "true");
    json_t *named = changed_target(t, "host", json_string("localhost")); /* the certificate names the address alone */
    fails("sql.value", with(named, "SELECT 1", NULL), RB_ETLS, 0);
    json_decref(named);
    json_decref(t);
    t = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "verify"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_ETLS, 0);
    json_decref(t);
    t = changed_target(tcp, "tls", json_pack("{s:s, s:s}", "mode", "require", "pin", "x"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_EUSAGE, 0);
    json_decref(t);
    t = changed_target(
        tcp, "tls",
        json_pack("{s:s, s:s}", "mode", "require", "pin", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    struct rb_call other = fails("sql.exec", with(t, "DELETE FROM orders", NULL), RB_ETLS, 0);
    json_decref(t);
    (void)snprintf(ca, sizeof ca, "%.52s", strstr(other.err.text, "sha256//"));
    t = changed_target(tcp, "tls", json_pack("{s:s, s:s}", "mode", "require", "pin", ca));
    is_json(value_of(t, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", NULL), "true");
    json_decref(t);
}

static double seconds_since(int64_t from)
{
    return (double)(rb_clock_mono_ns() - from) / 1e9;
}

/* By the socket, where the second connection that cancels is quick on a slow machine too. */
static void cancelled_on_the_server(void **state)
{
    (void)state;
    int64_t from = rb_clock_mono_ns();
    fails("sql.value", with(admin, "SELECT pg_sleep(30)", NULL), RB_ETIMEOUT, 300);
    assert_true(seconds_since(from) < 20);
    assert_int_equal(int_of(admin, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' "
                                   "AND state = 'active'"),
                     0);
    struct rb_call call =
        fails("sql.exec", with(admin, "UPDATE orders SET state = pg_sleep(30)::text", NULL), RB_ETIMEOUT, 300);
    assert_true(call.undone); /* the server said so */
    assert_int_equal(int_of(admin, "SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock'"), 0);
    json_t *args = with(admin, "SELECT pg_sleep(30)", NULL); /* the server's own limit, a second after ours */
    json_object_set_new(args, "timeout", json_real(0.2));
    from = rb_clock_mono_ns();
    fails("sql.value", args, RB_ETIMEOUT, 0);
    assert_true(seconds_since(from) < 20);
}

/* How many sessions are at such a statement. */
#define ACTIVE(begins) \
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '" begins \
    "%'"

static void lock_waits(void **state)
{
    (void)state;
    struct started holder;
    begin(&holder, "sql.tx",
          json_pack("{s:O, s:[s, s]}", "connection", tcp, "statements", "UPDATE orders SET state = 'held' WHERE id = 1",
                    "SELECT pg_sleep(4)"),
          false);
    wait_until(admin, ACTIVE("SELECT pg_sleep(4)"), 1);
    json_t *args = with(tcp, "UPDATE orders SET state = 'mine' WHERE id = 1", NULL);
    json_object_set_new(args, "wait", json_real(0.2));
    struct rb_call call = fails("sql.exec", args, RB_EBUSY, 0);
    assert_non_null(strstr(call.err.text, "55P03"));
    finish(&holder);
    assert_non_null(holder.call.value);
    drop(&holder.call);
}

static void a_stopped_server(void **state)
{
    (void)state;
    assert_int_equal(int_of(tcp, "SELECT 1"), 1);
    int backend = (int)int_of(tcp, "SELECT pg_backend_pid()");
    stop_process(pg.pid);
    stop_process(backend);
    int64_t from = rb_clock_mono_ns();
    fails("sql.value", with(tcp, "SELECT 2", NULL), RB_ECANCELLED, 300);
    assert_true(seconds_since(from) < 10); /* far below the server's own deadlines, with room for a busy machine */
    struct rb_call call = fails("sql.exec", with(tcp, "DELETE FROM orders", NULL), RB_ECANCELLED, 300);
    assert_true(call.undone);
    kill(backend, SIGCONT);
    kill(pg.pid, SIGCONT);
    assert_int_equal(int_of(tcp, "SELECT count(*) FROM orders WHERE id <= 5"), 5);
}

static void a_killed_session(void **state)
{
    (void)state;
    char gone[96];
    int backend = (int)int_of(tcp, "SELECT pg_backend_pid()");
    json_decref(answer("sql.exec", with(admin, "SELECT pg_terminate_backend(?::int)", json_pack("[i]", backend))));
    (void)snprintf(gone, sizeof gone, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d", backend);
    wait_until(admin, gone, 0);
    assert_int_equal(int_of(tcp, "SELECT 1"), 1); /* an idle one that died is replaced */
    struct started s;
    begin(&s, "sql.exec", with(tcp, "UPDATE orders SET state = pg_sleep(20)::text", NULL), false);
    wait_until(admin, ACTIVE("UPDATE"), 1);
    exec_ok(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'UPDATE%'");
    finish(&s);
    assert_int_equal(s.call.err.code, RB_ERESET);
    assert_true(s.call.undone); /* COMMIT was never sent */
    drop(&s.call);
}

static void a_killed_server(void **state)
{
    (void)state;
    struct started s;
    begin(&s, "sql.value", with(tcp, "SELECT pg_sleep(20)::text", NULL), true);
    wait_until(admin, ACTIVE("SELECT pg_sleep(20)"), 1);
    server_stop(&pg, SIGQUIT);
    finish(&s);
    assert_int_equal(s.call.err.code, RB_ERESET);
    drop(&s.call);
    fails("sql.value", with(tcp, "SELECT 1", NULL), RB_EREFUSED, 0);
    start_server();
    assert_int_equal(int_of(tcp, "SELECT 1"), 1);
}

static void no_slots(void **state)
{
    (void)state;
    struct started held[12];
    size_t n = sizeof held / sizeof *held;
    for (size_t i = 0; i < n; i++) {
        begin(&held[i], "sql.value", with(tcp, "SELECT pg_sleep(5)::text", NULL), true);
    }
    fill_slots(held, n, admin, ACTIVE("SELECT pg_sleep(5)"));
    struct rb_call call = fails("sql.value", with(reader, "SELECT 1", NULL), RB_EBUSY, 0);
    assert_non_null(strstr(call.err.text, "53300"));
    for (size_t i = 0; i < n; i++) {
        finish(&held[i]);
        drop(&held[i].call);
    }
}

/* Many at once, each on a connection of its own; one is kept. */
static void together(void **state)
{
    (void)state;
    static const char mine[] = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'runbook'";
    long long before = int_of(tcp, mine);
    struct started s[6];
    for (size_t i = 0; i < 6; i++) {
        begin(&s[i], "sql.value", with(tcp, "SELECT pg_backend_pid() + pg_sleep(0.1)::text::int", NULL), true);
    }
    for (size_t i = 0; i < 6; i++) {
        finish(&s[i]);
        drop(&s[i].call);
    }
    wait_until(tcp, mine, before);
}

static void leaves_receipts(void **state)
{
    (void)state;
    receipts(tcp, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(bound_values),
        cmocka_unit_test(injection),
        cmocka_unit_test(rows_and_caps),
        cmocka_unit_test(writing),
        cmocka_unit_test(leaves_receipts),
        cmocka_unit_test(probing),
        cmocka_unit_test(errors_of_connecting),
        cmocka_unit_test(impostors),
        cmocka_unit_test(transport_security),
        cmocka_unit_test(says_what_is_not_enforced),
        cmocka_unit_test(together),
        cmocka_unit_test(cancelled_on_the_server),
        cmocka_unit_test(lock_waits),
        cmocka_unit_test(a_stopped_server),
        cmocka_unit_test(a_killed_session),
        cmocka_unit_test(no_slots),
        cmocka_unit_test(a_killed_server),
        cmocka_unit_test(reads_that_look_like_writes),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    return async_close() || failed ? 1 : 0;
}
