/* sql on a real MariaDB server. */
#include "server_lab.h"

static struct server my;
static json_t *admin, *tcp, *reader; /* root by socket, by TCP; the read account */

/* libmariadb 3.3 leaks the server's certificate with each TLS connection. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so";
}

static void start_server(void)
{
    char port[32], data[PATH_MAX + 32], socket[PATH_MAX + 32];
    (void)snprintf(port, sizeof port, "--port=%d", my.port);
    (void)snprintf(data, sizeof data, "--datadir=%s/data", my.dir);
    (void)snprintf(socket, sizeof socket, "--socket=%s/socket", my.dir);
    const char *const argv[] = {"mariadbd",
                                "--no-defaults",
                                data,
                                socket,
                                port,
                                "--bind-address=127.0.0.1",
                                "--innodb-log-file-size=4M",
                                "--innodb-buffer-pool-size=8M",
                                "--innodb-flush-method=nosync",
                                "--innodb-flush-log-at-trx-commit=0",
                                "--aria-log-file-size=8M",
                                "--max-connections=10",
                                "--ssl-cert=../server.crt",
                                "--ssl-key=../server.key",
                                "--secure-file-priv=",
                                NULL};
    my.pid = spawn_as(&my, argv);
    struct rb_err last = {0};
    for (int i = 0; i < 800; i++) {
        struct rb_call call = run_call("sql.value", with(admin, "SELECT 1", NULL), true, 0);
        bool up = call.value != NULL;
        last = call.err;
        drop(&call);
        if (up) {
            return;
        }
        (void)poll(NULL, 0, 25);
    }
    fail_msg("MariaDB did not start (%s); see %s/log", last.text, my.dir);
}

static int setup(void **state)
{
    (void)state;
    char data[PATH_MAX + 32], socket[PATH_MAX + 32];
    uv_loop_init(&loop);
    server_dir(&my, "mysql");
    (void)snprintf(data, sizeof data, "--datadir=%s/data", my.dir);
    (void)snprintf(socket, sizeof socket, "%s/socket", my.dir);
    const char *const init[] = {"mariadb-install-db",
                                "--no-defaults",
                                data,
                                "--innodb-log-file-size=4M",
                                "--innodb-flush-method=nosync",
                                "--innodb-flush-log-at-trx-commit=0",
                                "--sync-frm=0",
                                "--aria-log-file-size=8M",
                                "--skip-test-db",
                                "--auth-root-authentication-method=normal",
                                NULL};
    run_as(&my, init);
    const char *const cert[] = {
        "openssl", "req",        "-x509", "-newkey",     "rsa:2048", "-nodes",
        "-days",   "2",          "-subj", "/CN=db.test", "-addext",  "subjectAltName=DNS:localhost",
        "-keyout", "server.key", "-out",  "server.crt",  NULL};
    run_as(&my, cert);
    admin = json_pack("{s:s, s:s, s:s, s:s}", "name", "main", "driver", "mysql", "socket", socket, "user", "root");
    start_server();
    exec_ok(admin, "CREATE DATABASE shop CHARACTER SET utf8mb4");
    json_object_set_new(admin, "database", json_string("shop"));
    exec_ok(admin, "CREATE USER boss@'127.0.0.1' IDENTIFIED BY 'se''cret'");
    exec_ok(admin, "GRANT ALL ON *.* TO boss@'127.0.0.1' WITH GRANT OPTION");
    exec_ok(admin, "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'r'");
    exec_ok(admin, "GRANT SELECT, PROCESS ON *.* TO reader@'127.0.0.1'");
    tcp = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "name", "main", "driver", "mysql", "host", "127.0.0.1",
                    "port", my.port, "user", "boss", "password", "se'cret", "database", "shop");
    reader = json_deep_copy(tcp);
    json_object_set_new(reader, "user", json_string("reader"));
    json_object_set_new(reader, "password", json_string("r"));
    json_object_set_new(reader, "read_account", json_true());
    exec_ok(tcp, "CREATE TABLE orders (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, state VARCHAR(200), "
                 "amount DECIMAL(12,2)) ENGINE=InnoDB");
    exec_ok(tcp, "INSERT INTO orders (state, amount) VALUES ('paid', 1), ('paid', 2), ('paid', 3), ('paid', "
                 "4), ('paid', 5)");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(admin);
    json_decref(tcp);
    json_decref(reader);
    server_stop(&my, SIGKILL);
    server_remove(&my);
    return 0;
}

static void values(void **state)
{
    (void)state;
    exec_ok(tcp, "CREATE TABLE kinds (i BIGINT, u BIGINT UNSIGNED, d DECIMAL(30,10), f FLOAT, g DOUBLE, b BIT(10), "
                 "y YEAR, t TIMESTAMP(3) NULL, dt DATETIME, da DATE, ti TIME, j JSON, bl BLOB, tx TEXT, n INT, ok "
                 "BOOL, "
                 "z INT(5) ZEROFILL, lng LONGTEXT)");
    exec_ok(tcp, "INSERT INTO kinds VALUES (-9223372036854775808, 18446744073709551615, 1234567890.1, 0.1, "
                 "0.1, b'1000000001', "
                 "2026, '2026-01-02 03:04:05.678', '2026-01-02 03:04:05', '2026-01-02', '-01:02:03', "
                 "'{\"a\": [1, 2.5, null]}', x'00ff', '中文', NULL, true, 7, repeat('x', 5000))");
    static const char expected[] = "{\"i\": -9223372036854775808, \"u\": \"18446744073709551615\", \"d\": "
                                   "\"1234567890.1000000000\", \"f\": 0.1, "
                                   "\"g\": 0.1, \"b\": 513, \"y\": 2026, \"t\": \"2026-01-02T03:04:05.678\", "
                                   "\"dt\": \"2026-01-02T03:04:05\", "
                                   "\"da\": \"2026-01-02\", \"ti\": \"-01:02:03\", \"j\": {\"a\": [1, 2.5, "
                                   "null]}, \"bl\": {\"$b64\": \"AP8=\"}, "
                                   "\"tx\": \"中文\", \"n\": null, \"ok\": 1, \"z\": 7}";
    static const char text[] = "SELECT i, u, d, f, g, b, y, t, dt, da, ti, j, bl, tx, n, ok, z FROM kinds";
    is_json(answer("sql.row", with(admin, text, NULL)), expected);
    is_json(answer("sql.row", with(tcp, text, NULL)), expected);
    char bound[512];
    (void)snprintf(bound, sizeof bound, "%s WHERE z = ?", text); /* the other protocol says the same */
    is_json(answer("sql.row", with(tcp, bound, json_pack("[i]", 7))), expected);
    is_json(value_of(tcp, "SELECT length(lng) FROM kinds WHERE z = ?", json_pack("[i]", 7)), "5000");
    json_t *large = value_of(tcp, "SELECT lng FROM kinds WHERE z = ?", json_pack("[i]", 7));
    assert_int_equal(json_string_length(large), 5000);
    json_decref(large);
    is_json(value_of(tcp, "SELECT 9007199254740993", NULL), "9007199254740993");
    is_json(value_of(tcp, "SELECT 12345678901234567890123", NULL), "\"12345678901234567890123\"");
    is_json(value_of(tcp, "SELECT 'a;b -- c /* d ?'", NULL), "\"a;b -- c /* d ?\"");
    is_json(value_of(tcp, "SELECT 'it\\'s' # ?", NULL), "\"it's\"");
    is_json(value_of(tcp, "SELECT \"d\"\"q\" -- ?", NULL), "\"d\\\"q\"");
    is_json(value_of(tcp, "SELECT 1;", NULL), "1");
    is_json(value_of(tcp, "SELECT id FROM orders WHERE false", NULL), "null");
}

static void bound_values(void **state)
{
    (void)state;
    is_json(value_of(tcp, "SELECT CONCAT(?, '?')", json_pack("[s]", "a")), "\"a?\"");
    is_json(value_of(tcp, "SELECT ? + 0", json_pack("[I]", (json_int_t)9007199254740993)), "9007199254740993");
    is_json(value_of(tcp, "SELECT ? IS NULL", json_pack("[n]")), "1");
    is_json(value_of(tcp, "SELECT ?", json_pack("[b]", 1)), "1");
    is_json(value_of(tcp, "SELECT ?", json_pack("[f]", 0.1)), "0.1");
    is_json(value_of(tcp, "SELECT ?", json_pack("[s]", "")), "\"\"");
    is_json(value_of(tcp, "SELECT LENGTH(?)", json_pack("[{s:s}]", "$b64", "AP8=")), "2");
    fails("sql.value", with(tcp, "SELECT ?", NULL), RB_EUSAGE, 0);
    fails("sql.value", with(tcp, "SELECT 1", json_pack("[i]", 1)), RB_EUSAGE, 0);
    fails("sql.value", with(tcp, "SELECT ?", json_pack("[[]]")), RB_EUSAGE, 0);
    fails("sql.value", with(tcp, "SELECT nothing FROM orders WHERE id = ?", json_pack("[i]", 1)), RB_ESQL, 0);
    assert_int_equal(int_of(tcp, "SELECT 1"), 1);
}

/* What may look like SQL arrives as the value it is, and comes back so. */
static void injection(void **state)
{
    (void)state;
    static const char *const payloads[] = {"'; DROP TABLE orders; --",
                                           "\\'; DROP TABLE orders; -- ",
                                           "' OR '1'='1",
                                           "\" OR \"\"=\"",
                                           "?",
                                           "%s%n",
                                           "a\r\nb",
                                           "\\",
                                           "''",
                                           "/*! DROP TABLE orders */",
                                           "#",
                                           "`",
                                           "\x1b[31m",
                                           "中'文",
                                           "{\"a\":1}",
                                           "NULL",
                                           "0x27",
                                           "\xE5\x5C'",
                                           "' UNION SELECT user()",
                                           "; SHUTDOWN"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        json_t *expected = rb_json_bytes(payloads[i], strlen(payloads[i]));
        if (json_is_string(expected)) {
            json_t *got = value_of(tcp, "SELECT ?", json_pack("[O]", expected));
            assert_true(json_equal(got, expected));
            json_decref(got);
            json_decref(
                answer("sql.exec", with(tcp, "INSERT INTO orders (state) VALUES (?)", json_pack("[O]", expected))));
            got = value_of(tcp, "SELECT state FROM orders WHERE state = ? LIMIT 1", json_pack("[O]", expected));
            assert_true(json_equal(got, expected));
            json_decref(got);
            json_decref(
                answer("sql.exec", with(tcp, "DELETE FROM orders WHERE state = ?", json_pack("[O]", expected))));
        }
        json_decref(expected);
    }
    assert_int_equal(int_of(admin, "SELECT count(*) FROM orders"), 5);
}

static void rows_and_caps(void **state)
{
    (void)state;
    is_json(answer("sql.rows", with(tcp, "SELECT id, amount FROM orders WHERE id <= 2 ORDER BY id", NULL)),
            "[{\"id\": 1, \"amount\": \"1.00\"}, {\"id\": 2, \"amount\": \"2.00\"}]");
    is_json(answer("sql.rows", with(tcp, "SELECT id FROM orders WHERE false", NULL)), "[]");
    is_json(answer("sql.rows", with(tcp, "SELECT id FROM orders WHERE id = ?", json_pack("[i]", -1))), "[]");
    is_json(answer("sql.row", with(tcp, "SELECT id FROM orders ORDER BY id", NULL)), "{\"id\": 1}");
    fails("sql.rows", with(tcp, "SELECT a.id FROM orders a, orders b, orders c, orders d, orders e", NULL),
          RB_ETOO_LARGE, 0);
    json_t *args = with(tcp, "SELECT id FROM orders WHERE id > ?", json_pack("[i]", 0));
    json_object_set_new(args, "max_rows", json_integer(2));
    fails("sql.rows", args, RB_ETOO_LARGE, 0);
    fails("sql.rows", with(tcp, "SELECT repeat('x', 3000000) FROM orders", NULL), RB_ETOO_LARGE, 0);
    fails("sql.rows", with(tcp, "SELECT repeat('x', 12000000)", NULL), RB_ETOO_LARGE, 0);
    fails("sql.rows", with(tcp, "SELECT 1 AS a, 2 AS a", NULL), RB_EUSAGE, 0);
    fails("sql.rows", with(tcp, "SELECT 1 AS a, id AS a FROM orders WHERE id = ?", json_pack("[i]", 1)), RB_EUSAGE, 0);
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
            "{\"changes\": 2, \"last_id\": 0}");
    is_json(answer("sql.exec", with(tcp, "INSERT INTO orders (id, state) VALUES (99, 'x') RETURNING id", NULL)),
            "{\"changes\": 1, \"rows\": [{\"id\": 99}]}");
    is_json(answer("sql.tx", json_pack("{s:O, s:[[s, [i]], s]}", "connection", tcp, "statements",
                                       "DELETE FROM orders WHERE id = ?", 99, "UPDATE orders SET state = 'done'")),
            "{\"changes\": 6, \"last_id\": 0}");
    fails("sql.tx",
          json_pack("{s:O, s:[s, s]}", "connection", tcp, "statements", "DELETE FROM orders",
                    "INSERT INTO orders (id) VALUES (1), (1)"),
          RB_ESQL, 0);
    fails("sql.tx",
          json_pack("{s:O, s:[s, s]}", "connection", tcp, "statements", "DELETE FROM orders", "CREATE TABLE t (n INT)"),
          RB_EUSAGE, 0);
    assert_int_equal(int_of(tcp, "SELECT count(*) FROM orders WHERE state = 'done'"), 5);
    static const char *const not_alone[] = {"BEGIN",       "COMMIT",       "START TRANSACTION",       "ROLLBACK",
                                            "SAVEPOINT a", "XA START 'a'", "LOCK TABLES orders WRITE"};
    for (size_t i = 0; i < sizeof not_alone / sizeof *not_alone; i++) {
        fails("sql.exec", with(tcp, not_alone[i], NULL), RB_EUSAGE, 0);
    }
    exec_ok(tcp, "OPTIMIZE TABLE orders");
    exec_ok(tcp, "CREATE TABLE made (n INT)");
    exec_ok(tcp, "DROP TABLE made");
    exec_ok(tcp, "SET SESSION sql_mode = 'ANSI_QUOTES'");
    is_json(value_of(tcp, "SELECT \"a\"", NULL), "\"a\""); /* nothing stays in a session */
    fails("sql.exec", with(tcp, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE orders (state)", NULL), RB_ESQL, 0);
}

static void probing(void **state)
{
    (void)state;
    is_json(answer("sql.probe", json_pack("{s:O}", "connection", tcp)), "{\"ok\": true}");
    exec_ok(admin, "CREATE USER plain@localhost");
    exec_ok(admin, "GRANT SELECT, INSERT, CREATE TEMPORARY TABLES ON shop.* TO plain@localhost");
    json_t *plain = changed_target(admin, "user", json_string("plain"));
    is_json(answer("sql.probe", json_pack("{s:O}", "connection", plain)), "{\"ok\": true}");
    exec_ok(admin, "SET GLOBAL read_only = 1");
    json_t *said = answer("sql.probe", json_pack("{s:O}", "connection", plain));
    assert_false(truth(said, "ok"));
    assert_string_equal(rb_json_str(said, "code", ""), "denied");
    json_decref(said);
    exec_ok(admin, "SET GLOBAL read_only = 0");
    json_decref(plain);
}

/* ---- what a check may do: what it may not is in tests/fault/writes ---- */

static void reads_that_look_like_writes(void **state)
{
    (void)state;
    static const char *const fine[] = {"SELECT 'INTO OUTFILE'",
                                       "SELECT COUNT(*) FROM orders -- UPDATE",
                                       "(SELECT 1) UNION (SELECT 2)",
                                       "SELECT table_name, update_time FROM information_schema.tables WHERE "
                                       "table_schema IN ('shop', 'x') LIMIT 3",
                                       "SHOW PROCESSLIST",
                                       "SHOW ENGINE INNODB STATUS",
                                       "DESCRIBE orders",
                                       "EXPLAIN SELECT * FROM orders",
                                       "SELECT IF(1, COALESCE(NULL, UPPER('x')), 2)",
                                       "SELECT `id` FROM `orders` WHERE (id) > 0",
                                       "WITH x AS (SELECT 1 AS n) SELECT n FROM x",
                                       "SELECT SUM(amount) OVER (PARTITION BY state) FROM orders"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        json_decref(answer("sql.rows", with(admin, fine[i], NULL)));
    }
}

static void says_what_is_not_enforced(void **state)
{
    (void)state;
    json_t *fresh = changed_target(admin, "name", json_string("fresh"));
    struct rb_call call = run_call("sql.value", with(fresh, "SELECT 1", NULL), true, 0);
    assert_int_equal(json_array_size(call.remarks), 1);
    assert_string_equal(rb_json_str(json_array_get(call.remarks, 0), "kind", ""), "unenforced");
    drop(&call);
    call = run_call("sql.value", with(fresh, "SELECT 1", NULL), true, 0);
    assert_int_equal(json_array_size(call.remarks), 0); /* once a connection */
    drop(&call);
    json_t *other = changed_target(reader, "name", json_string("fresh reader"));
    call = run_call("sql.value", with(other, "SELECT 1", NULL), true, 0);
    assert_int_equal(json_array_size(call.remarks), 0);
    drop(&call);
    json_t *claims = changed_target(tcp, "read_account", json_true());
    call = run_call("sql.value", with(claims, "SELECT 1", NULL), true, 0);
    assert_int_equal(json_array_size(call.remarks), 1);
    drop(&call);
    json_decref(fresh);
    json_decref(other);
    json_decref(claims);
}

/* ---- servers that do not answer ---- */

static void errors_of_connecting(void **state)
{
    (void)state;
    json_t *t = changed_target(tcp, "password", json_string("wrong"));
    struct rb_call call = fails("sql.value", with(t, "SELECT 1", NULL), RB_EAUTH, 0);
    assert_non_null(strstr(call.err.text, "(1045)"));
    assert_null(strstr(call.err.text, "wrong"));
    json_decref(t);
    t = changed_target(tcp, "database", json_string("nowhere"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_ENOT_FOUND, 0);
    json_decref(t);
    t = changed_target(tcp, "port", json_integer(free_port()));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_EREFUSED, 0);
    json_decref(t);
    t = changed_target(admin, "socket", json_string("/tmp/runbook-nowhere"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_EREFUSED, 0);
    json_decref(t);
    t = changed_target(tcp, "host", json_string("nowhere.invalid"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_EDNS, 0);
    json_decref(t);
}

static void impostors(void **state)
{
    (void)state;
    static const char greeting[] =
        "\x4a\0\0\0\x0a"
        "5.5.5-10.11.0-"
        "MariaDB\0\1\0\0\0abcdefgh\0\xfe\xf7\x2d\2\0\xff\x81\x15\0\0\0\0\0\0\1\0\0\0abcdefghijkl\0";
    static const struct impostor list[] = {
        {.what = "never accepts"},
        {.what = "silent", .accepts = true},
        {.what = "resets", .accepts = true, .ends = true},
        {.what = "talks HTTP", .bytes = "HTTP/1.1 400 Bad Request\r\n\r\n", .len = 28, .accepts = true, .ends = true},
        {.what = "half a greeting", .bytes = greeting, .len = 20, .accepts = true},
        {.what = "greets and is silent", .bytes = greeting, .len = sizeof greeting - 1, .accepts = true},
        {.what = "greets for ever", .bytes = greeting, .len = sizeof greeting - 1, .accepts = true, .again = true},
        {.what = "claims an enormous packet", .bytes = "\xff\xff\xff\0", .len = 4, .accepts = true, .again = true},
    };
    json_t *require = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "require"));
    meet_impostors(tcp, list, sizeof list / sizeof *list);
    meet_impostors(require, list, sizeof list / sizeof *list);
    json_decref(require);
}

static void transport_security(void **state)
{
    (void)state;
    static const char cipher[] = "SHOW SESSION STATUS LIKE 'Ssl_cipher'";
    char ca[PATH_MAX + 16];
    (void)snprintf(ca, sizeof ca, "%s/server.crt", my.dir);
    json_t *t = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "require")), *row;
    row = answer("sql.row", with(t, cipher, NULL));
    assert_true(rb_json_str(row, "Value", "")[0] != '\0');
    json_decref(row);
    json_decref(t);
    row = answer("sql.row", with(tcp, cipher, NULL));
    assert_true(rb_json_str(row, "Value", "x")[0] == '\0');
    json_decref(row);
    t = changed_target(tcp, "tls", json_pack("{s:s, s:s}", "mode", "verify", "ca", ca));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_ETLS, 0); /* the certificate names localhost */
    json_t *named = changed_target(t, "host", json_string("localhost"));
    row = answer("sql.row", with(named, cipher, NULL));
    assert_true(rb_json_str(row, "Value", "")[0] != '\0');
    json_decref(row);
    json_decref(named);
    json_decref(t);
    t = changed_target(tcp, "tls", json_pack("{s:s}", "mode", "verify"));
    fails("sql.value", with(t, "SELECT 1", NULL), RB_ETLS, 0);
    json_decref(t);
}

static double seconds_since(int64_t from)
{
    return (double)(rb_clock_mono_ns() - from) / 1e9;
}

/* How many sessions are at such a statement. */
#define ACTIVE(begins) \
    "SELECT count(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND info LIKE '" begins "%'"

/* By the socket, where the second connection that cancels is quick on a slow machine too. */
static void cancelled_on_the_server(void **state)
{
    (void)state;
    static const char asleep[] = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE "
                                 "'%SLEEP%' AND id <> CONNECTION_ID()";
    int64_t from = rb_clock_mono_ns();
    fails("sql.value", with(admin, "SELECT COUNT(*) FROM orders WHERE SLEEP(30) = 5", NULL), RB_ETIMEOUT, 300);
    assert_true(seconds_since(from) < 20);
    assert_int_equal(int_of(admin, asleep), 0);
    struct rb_call call = fails("sql.exec", with(admin, "UPDATE orders SET state = SLEEP(30)", NULL), RB_ETIMEOUT, 300);
    assert_true(call.undone); /* the server said so, and ROLLBACK left no warning */
    fails("sql.value", with(admin, "SELECT COUNT(*) FROM orders WHERE SLEEP(?) = 5", json_pack("[i]", 30)), RB_ETIMEOUT,
          300);
    assert_int_equal(int_of(admin, asleep), 0);
    json_t *args = with(admin, "SELECT COUNT(*) FROM orders WHERE SLEEP(30) = 5", NULL); /* the server's own limit */
    json_object_set_new(args, "timeout", json_real(0.2));
    fails("sql.value", args, RB_ETIMEOUT, 0);
}

static void lock_waits(void **state)
{
    (void)state;
    struct started holder;
    begin(&holder, "sql.tx",
          json_pack("{s:O, s:[s, s]}", "connection", tcp, "statements", "UPDATE orders SET state = 'held' WHERE id = 1",
                    "SELECT SLEEP(6)"),
          false);
    wait_until(admin, ACTIVE("SELECT SLEEP(6)"), 1);
    json_t *args = with(tcp, "UPDATE orders SET state = 'mine' WHERE id = 1", NULL);
    json_object_set_new(args, "wait", json_real(1));
    struct rb_call call = fails("sql.exec", args, RB_EBUSY, 0);
    assert_non_null(strstr(call.err.text, "(1205)"));
    finish(&holder);
    assert_non_null(holder.call.value);
    drop(&holder.call);
}

static void a_stopped_server(void **state)
{
    (void)state;
    assert_int_equal(int_of(tcp, "SELECT 1"), 1);
    stop_process(my.pid);
    int64_t from = rb_clock_mono_ns();
    fails("sql.value", with(tcp, "SELECT 2", NULL), RB_ECANCELLED, 300);
    assert_true(seconds_since(from) < 10); /* far below the server's own deadlines, with room for a busy machine */
    fails("sql.value", with(tcp, "SELECT ?", json_pack("[i]", 1)), RB_ECANCELLED, 300);
    fails("sql.exec", with(tcp, "DELETE FROM orders", NULL), RB_ECANCELLED, 300);
    kill(my.pid, SIGCONT);
    assert_int_equal(int_of(tcp, "SELECT count(*) FROM orders WHERE id <= 5"), 5);
}

static void a_killed_session(void **state)
{
    (void)state;
    char gone[96];
    int id = (int)int_of(tcp, "SELECT CONNECTION_ID()");
    json_decref(answer("sql.exec", with(admin, "KILL ?", json_pack("[i]", id))));
    (void)snprintf(gone, sizeof gone, "SELECT count(*) FROM information_schema.processlist WHERE id = %d", id);
    wait_until(admin, gone, 0);
    assert_int_equal(int_of(tcp, "SELECT 1"), 1); /* an idle one that died is replaced */
    struct started s;
    begin(&s, "sql.exec", with(tcp, "UPDATE orders SET state = SLEEP(20)", NULL), false);
    wait_until(admin, ACTIVE("UPDATE"), 1);
    int victim = (int)int_of(admin, "SELECT id FROM information_schema.processlist WHERE info LIKE 'UPDATE%'");
    json_decref(answer("sql.exec", with(admin, "KILL ?", json_pack("[i]", victim))));
    finish(&s);
    assert_int_equal(s.call.err.code, RB_ERESET);
    assert_false(s.call.undone); /* a table may be of an engine that does not roll back */
    drop(&s.call);
}

static void no_slots(void **state)
{
    (void)state;
    struct started held[11];
    size_t n = sizeof held / sizeof *held;
    for (size_t i = 0; i < n; i++) {
        begin(&held[i], "sql.value", with(tcp, "SELECT SLEEP(5)", NULL), true);
    }
    fill_slots(held, n, admin, ACTIVE("SELECT SLEEP(5)"));
    struct rb_call call = fails("sql.value", with(reader, "SELECT 1", NULL), RB_EBUSY, 0);
    assert_non_null(strstr(call.err.text, "(1040)"));
    for (size_t i = 0; i < n; i++) {
        finish(&held[i]);
        drop(&held[i].call);
    }
}

static void a_killed_server(void **state)
{
    (void)state;
    static const char *const queries[] = {"SELECT SLEEP(20)", "SELECT SLEEP(?)"};
    for (size_t i = 0; i < 2; i++) {
        struct started s;
        begin(&s, "sql.value", with(tcp, queries[i], i ? json_pack("[i]", 20) : NULL), true);
        wait_until(admin, ACTIVE("SELECT SLEEP("), 1);
        server_stop(&my, SIGKILL);
        finish(&s);
        assert_int_equal(s.call.err.code, RB_ERESET);
        drop(&s.call);
        fails("sql.value", with(tcp, "SELECT 1", NULL), RB_EREFUSED, 0);
        start_server();
        assert_int_equal(int_of(tcp, "SELECT 1"), 1);
    }
}

static void leaves_receipts(void **state)
{
    (void)state;
    receipts(tcp, false);
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
