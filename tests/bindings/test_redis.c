/* redis against a real server: answers as they are, errors by their codes, nothing written by asking. */
#include "redis_lab.h"

static struct server plain, locked;

static json_t *open_one(void)
{
    return connection(&plain, NULL, NULL);
}

static json_t *admin(void)
{
    return connection(&locked, NULL, PASSWORD);
}

/* ---- answers ---- */

static void answers(void **state)
{
    (void)state;
    SAYS(command("redis.call", open_one(), WORDS("SET", "greeting", "你好\r\n*1\r\n$8\r\nFLUSHALL\r\n")), "\"OK\"");
    SAYS(command("redis.ask", open_one(), WORDS("get", "greeting")), "\"你好\\r\\n*1\\r\\n$8\\r\\nFLUSHALL\\r\\n\"");
    SAYS(command("redis.ask", open_one(), WORDS("GET", "nothing")), "null");
    SAYS(command("redis.call", open_one(), WORDS("RPUSH", "list", "a", "", "c")), "3");
    SAYS(command("redis.ask", open_one(), WORDS("LRANGE", "list", "0", "-1")), "[\"a\",\"\",\"c\"]");
    SAYS(command("redis.call", open_one(),
                 WORDS("EVAL", "return {1, {2, 'x', false}, redis.error_reply('BAD thing')}", "0")),
         "[1,[2,\"x\",null],{\"error\":\"BAD thing\"}]");
    SAYS(command("redis.call", open_one(), WORDS("INCRBY", "n", "9007199254740993")), "9007199254740993");
    SAYS(command("redis.ask", open_one(), WORDS("PING")), "\"PONG\"");
}

static void bytes_and_numbers(void **state)
{
    (void)state;
    struct rb_call c = run_call("redis.call",
                                json_pack("{s:o, s:[s, {s:s}, {s:s}]}", "connection", open_one(), "command", "SET",
                                          "$b64", "1tAA", "$b64", "/wD+"),
                                false, 0);
    SAYS(c, "\"OK\"");
    c = run_call("redis.ask",
                 json_pack("{s:o, s:[s, {s:s}]}", "connection", open_one(), "command", "GET", "$b64", "1tAA"), true, 0);
    SAYS(c, "{\"$b64\":\"/wD+\"}");
    c = run_call("redis.call",
                 json_pack("{s:o, s:[s, s, i, f]}", "connection", open_one(), "command", "RPUSH", "numbers", -7, 1.5),
                 false, 0);
    SAYS(c, "2");
    SAYS(command("redis.ask", open_one(), WORDS("LRANGE", "numbers", "0", "-1")), "[\"-7\",\"1.5\"]");
}

static void databases_and_socket(void **state)
{
    json_t *two = open_one();
    json_object_set_new(two, "database", json_string("2"));
    SAYS(command("redis.call", json_incref(two), WORDS("SET", "only", "here")), "\"OK\"");
    SAYS(command("redis.ask", json_incref(two), WORDS("GET", "only")), "\"here\"");
    json_decref(two);
    SAYS(command("redis.ask", open_one(), WORDS("GET", "only")), "null");
    json_t *by_socket =
        json_pack("{s:s, s:s, s:i}", "driver", "redis", "socket", in(state, "redis.sock"), "database", 2);
    SAYS(command("redis.ask", by_socket, WORDS("GET", "only")), "\"here\"");
    json_t *none = json_pack("{s:s, s:s}", "driver", "redis", "socket", in(state, "none.sock"));
    RAISES(command("redis.ask", none, WORDS("PING")), RB_EREFUSED, "none.sock");
    json_t *many = open_one();
    json_object_set_new(many, "database", json_integer(99));
    RAISES(command("redis.ask", many, WORDS("PING")), RB_ESTATUS, "DB index");
    json_t *named = open_one();
    json_object_set_new(named, "host", json_string("localhost"));
    SAYS(command("redis.ask", named, WORDS("PING")), "\"PONG\"");
}

static void many_at_once(void **state)
{
    (void)state;
    struct started calls[30];
    for (int i = 0; i < 30; i++) {
        begin(&calls[i], "redis.ask", json_pack("{s:o, s:[s, i]}", "connection", open_one(), "command", "ECHO", i),
              true);
    }
    for (int i = 0; i < 30; i++) {
        char expected[16];
        finish(&calls[i]);
        (void)snprintf(expected, sizeof expected, "\"%d\"", i);
        SAYS(calls[i].call, expected);
    }
}

/* ---- accounts ---- */

static void accounts(void **state)
{
    (void)state;
    RAISES(command("redis.ask", connection(&locked, NULL, NULL), WORDS("GET", "x")), RB_EAUTH, "NOAUTH");
    RAISES(command("redis.ask", connection(&locked, NULL, "wrong"), WORDS("GET", "x")), RB_EAUTH, "WRONGPASS");
    RAISES(command("redis.ask", connection(&locked, "nobody", PASSWORD), WORDS("GET", "x")), RB_EAUTH, "WRONGPASS");
    RAISES(command("redis.ask", connection(&plain, NULL, "any"), WORDS("GET", "x")), RB_EAUTH, "without any password");
    SAYS(command("redis.call", admin(), WORDS("SET", "x", "1")), "\"OK\"");
    SAYS(command("redis.call", admin(), WORDS("ACL", "SETUSER", "reader", "on", ">look", "~*", "+@read", "+command")),
         "\"OK\"");
    SAYS(command("redis.call", admin(), WORDS("ACL", "SETUSER", "blind", "on", ">look", "~*", "+@read")), "\"OK\"");
    SAYS(command("redis.ask", connection(&locked, "reader", "look"), WORDS("GET", "x")), "\"1\"");
    RAISES(command("redis.call", connection(&locked, "reader", "look"), WORDS("SET", "x", "2")), RB_EDENIED, "NOPERM");
    struct rb_call c =
        run_call("redis.probe", json_pack("{s:o}", "connection", connection(&locked, "reader", "look")), false, 0);
    assert_false(truth(c.value, "ok"));
    assert_string_equal(rb_json_str(c.value, "code", ""), "denied");
    drop(&c);
}

/* Known from the account above would do; so another server name is asked by a new account only. */
static void account_without_command(void **state)
{
    (void)state;
    json_t *blind = connection(&locked, "blind", "look");
    json_object_set_new(blind, "host",
                        json_string("127.0.0.2")); /* the same server under another name: nothing is known of it */
    RAISES(command("redis.ask", connection(&locked, "blind", "look"), WORDS("STRLEN", "x")), RB_EDENIED,
           "COMMAND INFO");
    json_decref(blind);
}

static void masks(void **state)
{
    (void)state;
    struct rb_call c = command("redis.ask", admin(), WORDS("CONFIG", "GET", "*"));
    char *text = text_of(&c);
    assert_null(strstr(text, "s3cret"));
    assert_non_null(strstr(text, "\"requirepass\",\"***\""));
    assert_non_null(strstr(text, "\"masterauth\",\"\"")); /* that none is set is no secret */
    assert_non_null(strstr(text, "\"maxmemory\",\"0\""));
    free(text);
    drop(&c);
}

/* ---- what may be asked: what may not is in tests/fault/writes ---- */

static void not_of_a_connection(void **state)
{
    (void)state;
    RAISES(command("redis.call", open_one(), WORDS("SELECT", "1")), RB_EUSAGE, "select");
    RAISES(command("redis.call", open_one(), WORDS("MULTI")), RB_EUSAGE, "multi");
    RAISES(command("redis.call", open_one(), WORDS("CLIENT", "REPLY", "OFF")), RB_EUSAGE, "client");
    SAYS(command("redis.ask", open_one(), WORDS("CONFIG", "GET", "maxmemory")), "[\"maxmemory\",\"0\"]");
}

static void harmless_questions(void **state)
{
    (void)state;
    static const char *const asked[][8] = {{"INFO", "memory"},
                                           {"CLIENT", "LIST"},
                                           {"SLOWLOG", "GET", "10"},
                                           {"LATENCY", "LATEST"},
                                           {"MEMORY", "USAGE", "list"},
                                           {"MEMORY", "STATS"},
                                           {"OBJECT", "ENCODING", "list"},
                                           {"DBSIZE"},
                                           {"TTL", "list"},
                                           {"TYPE", "list"},
                                           {"STRLEN", "s"},
                                           {"SCAN", "0"},
                                           {"EXISTS", "list"},
                                           {"ROLE"},
                                           {"LASTSAVE"},
                                           {"TIME"},
                                           {"LLEN", "list"},
                                           {"DUMP", "list"},
                                           {"HGETALL", "h"},
                                           {"ZRANGE", "z", "0", "-1"},
                                           {"COMMAND", "COUNT"},
                                           {"SORT_RO", "list", "ALPHA"}};
    SAYS(command("redis.call", open_one(), WORDS("FLUSHALL")), "\"OK\"");
    SAYS(command("redis.call", open_one(), WORDS("RPUSH", "list", "a")), "1");
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct rb_call c = command("redis.ask", open_one(), asked[i]);
        if (!c.value) {
            fail_msg("%s %s: %s", asked[i][0], asked[i][1] ? asked[i][1] : "", c.err.text);
        }
        drop(&c);
    }
}

/* ---- many keys ---- */

static void fill(const char *prefix, int count)
{
    char n[16];
    (void)snprintf(n, sizeof n, "%d", count);
    struct rb_call c =
        command("redis.call", open_one(),
                WORDS("EVAL", "for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, i) end return 1", "0",
                      prefix, n));
    SAYS(c, "1");
}

static long long count_of(const char *match)
{
    struct rb_call c = run_call(
        "redis.scan", json_pack("{s:o, s:s, s:i}", "connection", open_one(), "match", match, "max", 100000), true, 0);
    assert_non_null(c.value);
    assert_true(truth(c.value, "complete"));
    long long n = (long long)json_array_size(json_object_get(c.value, "keys"));
    drop(&c);
    return n;
}

static void scans_and_unlinks(void **state)
{
    (void)state;
    SAYS(command("redis.call", open_one(), WORDS("FLUSHALL")), "\"OK\"");
    fill("app:cache:", 5000);
    fill("stock:lock:", 20);
    fill("app:cache:lock:", 30);
    assert_int_equal(count_of("app:cache:*"), 5030);
    struct rb_call c = run_call(
        "redis.scan", json_pack("{s:o, s:s, s:i}", "connection", open_one(), "match", "app:*", "max", 100), true, 0);
    assert_false(truth(c.value, "complete"));
    assert_int_equal(json_array_size(json_object_get(c.value, "keys")), 100);
    drop(&c);
    c = run_call("redis.unlink",
                 json_pack("{s:o, s:s, s:[s], s:i}", "connection", open_one(), "match", "app:cache:*", "protect",
                           "app:cache:lock:*", "batch", 100),
                 false, 0);
    assert_int_equal(rb_json_int(c.value, "removed", 0), 5000);
    assert_int_equal(rb_json_int(c.value, "kept", 0), 30);
    drop(&c);
    assert_int_equal(count_of("app:cache:*"), 30);
    assert_int_equal(count_of("stock:lock:*"), 20);
    c = run_call(
        "redis.unlink",
        json_pack("{s:o, s:[s, s, s]}", "connection", open_one(), "keys", "stock:lock:1", "stock:lock:2", "none"),
        false, 0);
    SAYS(c, "{\"removed\":2,\"seen\":3,\"kept\":0}");
    static const char *const bad[] = {"*", "?*", "[ab]*", "a*", "", "**::"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RAISES(run_call("redis.unlink", json_pack("{s:o, s:s}", "connection", open_one(), "match", bad[i]), false, 0),
               RB_EUSAGE, "");
    }
    RAISES(run_call("redis.unlink", json_pack("{s:o}", "connection", open_one()), false, 0), RB_EUSAGE, "match");
    RAISES(run_call("redis.scan", json_pack("{s:o, s:i}", "connection", open_one(), "max", 0), true, 0), RB_EUSAGE,
           "max");
}

static void probes(void **state)
{
    (void)state;
    struct rb_call c = run_call("redis.probe", json_pack("{s:o}", "connection", open_one()), false, 0);
    assert_true(truth(c.value, "ok"));
    drop(&c);
    assert_int_equal(count_of("runbook:probe:*"), 0);
}

/* ---- a server in trouble ---- */

static void out_of_memory(void **state)
{
    (void)state;
    SAYS(command("redis.call", open_one(), WORDS("CONFIG", "SET", "maxmemory", "1")), "\"OK\"");
    RAISES(command("redis.call", open_one(), WORDS("SET", "w", "1")), RB_ENO_SPACE, "OOM");
    struct rb_call c = run_call("redis.probe", json_pack("{s:o}", "connection", open_one()), false, 0);
    assert_false(truth(c.value, "ok"));
    assert_string_equal(rb_json_str(c.value, "code", ""), "no_space");
    drop(&c);
    SAYS(command("redis.call", open_one(), WORDS("CONFIG", "SET", "maxmemory", "0")), "\"OK\"");
    RAISES(command("redis.ask", open_one(), WORDS("LRANGE", "s", "0", "x")), RB_ESTATUS, "not an integer");
}

static void large_reply(void **state)
{
    (void)state;
    SAYS(command("redis.call", open_one(),
                 WORDS("EVAL", "redis.call('SET', 'big', string.rep('x', 5000000)) return 1", "0")),
         "1");
    RAISES(command("redis.ask", open_one(), WORDS("GET", "big")), RB_ETOO_LARGE, "4 MiB");
    SAYS(command("redis.ask", open_one(), WORDS("STRLEN", "big")), "5000000");
    SAYS(command("redis.call", open_one(), WORDS("DEL", "big")), "1");
}

static void busy_with_a_script(void **state)
{
    struct server s = start_redis(state, WORDS("--busy-reply-threshold", "50"));
    struct started loops;
    begin(&loops, "redis.call",
          json_pack("{s:o, s:[s, s, i]}", "connection", connection(&s, NULL, NULL), "command", "EVAL",
                    "while true do end", 0),
          false);
    wait_for_redis(&s, "PING\r\n", "-BUSY");
    RAISES(command("redis.ask", connection(&s, NULL, NULL), WORDS("GET", "x")), RB_EBUSY, "BUSY");
    SAYS(command("redis.call", connection(&s, NULL, NULL), WORDS("SCRIPT", "KILL")), "\"OK\"");
    finish(&loops);
    RAISES(loops.call, RB_ESTATUS, "killed by user");
    end_redis(&s);
}

static void killed_in_mid_call(void **state)
{
    struct server s = start_redis(state, WORDS("--loglevel", "warning"));
    struct started waits;
    begin(&waits, "redis.call",
          json_pack("{s:o, s:[s, s, i]}", "connection", connection(&s, NULL, NULL), "command", "BLPOP", "none", 0),
          false);
    wait_for_redis(&s, "INFO clients\r\n", "blocked_clients:1");
    assert_int_equal(waits.call.ended, 0);
    end_redis(&s);
    finish(&waits);
    RAISES(waits.call, RB_ERESET, "closed");
    int64_t since = rb_clock_mono_ns();
    RAISES(command("redis.ask", connection(&s, NULL, NULL), WORDS("PING")), RB_EREFUSED, "refused");
    assert_true(rb_clock_mono_ns() - since < 20000000000);
}

/* An idle connection whose server was restarted is not used for a write. */
static void restarted_between_calls(void **state)
{
    struct server s = start_redis(state, WORDS("--loglevel", "warning"));
    SAYS(command("redis.call", connection(&s, NULL, NULL), WORDS("SET", "a", "1")), "\"OK\"");
    end_redis(&s);
    RAISES(command("redis.call", connection(&s, NULL, NULL), WORDS("SET", "a", "2")), RB_EREFUSED, "");
}

static void stopped_server(void **state)
{
    struct server s = start_redis(state, WORDS("--loglevel", "warning"));
    SAYS(command("redis.ask", connection(&s, NULL, NULL), WORDS("PING")), "\"PONG\"");
    stop_process(s.pid);
    (void)usleep(300000); /* a call that came at once would trust the answer of a moment ago */
    int64_t since = rb_clock_mono_ns();
    struct rb_call c =
        run_call("redis.call",
                 json_pack("{s:o, s:[s, s, s]}", "connection", connection(&s, NULL, NULL), "command", "SET", "a", "1"),
                 false, 800);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    assert_true(rb_clock_mono_ns() - since < 20000000000);
    drop(&c);
    since = rb_clock_mono_ns();
    RAISES(command("redis.call", connection(&s, NULL, NULL), WORDS("SET", "a", "1")), RB_ETIMEOUT, "5 s");
    assert_true(rb_clock_mono_ns() - since < 20000000000);
    (void)kill(s.pid, SIGCONT);
    SAYS(command("redis.ask", connection(&s, NULL, NULL), WORDS("GET", "a")), "null"); /* it was never sent */
    end_redis(&s);
}

/* ---- strange peers ---- */

static const struct peer {
    const char *says;
    int code;
} peers[] = {
    {"HTTP/1.1 400 Bad Request\r\n\r\n", RB_EUNREACHABLE},
    {"-DENIED Redis is running in protected mode\r\n", RB_EDENIED},
    {"-ERR max number of clients reached\r\n", RB_EBUSY},
    {"*1000000000\r\n", RB_EUNREACHABLE},
    {"$9223372036854775807\r\nxx", RB_EUNREACHABLE},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", RB_EUNREACHABLE},
    {"", RB_EUNREACHABLE},
    {"+PONG\r\n", RB_EUNREACHABLE},
};

static void strange_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        int port, fd = listener(&port, 5);
        pid_t pid = fork();
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            char request[256];
            int peer = accept(fd, NULL, NULL);
            (void)!read(peer, request, sizeof request);
            (void)!write(peer, peers[i].says, strlen(peers[i].says));
            shutdown(peer, SHUT_WR);
            (void)!read(peer, request, sizeof request);
            _exit(0);
        }
        close(fd);
        struct server s = {.port = port};
        struct rb_call c = command("redis.call", connection(&s, NULL, NULL), WORDS("SET", "a", "1"));
        if (c.err.code != peers[i].code && !(i == 7 && c.err.code == RB_ERESET)) {
            fail_msg("peer %zu: %s: %s", i, rb_err_name(c.err.code), c.err.text);
        }
        drop(&c);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
}

/* ---- TLS ---- */

static json_t *secured(const struct server *s, const char *host, const char *mode, const char *ca, const char *pin)
{
    json_t *c = connection(s, NULL, NULL), *tls = json_pack("{s:s}", "mode", mode);
    json_object_set_new(c, "host", json_string(host));
    if (ca) {
        json_object_set_new(tls, "ca", json_string(ca));
    }
    if (pin) {
        json_object_set_new(tls, "pin", json_string(pin));
    }
    json_object_set_new(c, "tls", tls);
    return c;
}

static void over_tls(void **state)
{
    static char big[300001], pin[64];
    const char *const make[] = {"sh", RUNBOOK_SOURCE "/tests/bindings/certificates.sh", *state, NULL};
    char port[16];
    const char *ca = in(state, "ca.pem");
    assert_int_equal(run_argv(make), 0);
    struct server s = {.port = free_port()};
    (void)snprintf(port, sizeof port, "%d", s.port);
    struct server both =
        start_redis(state, WORDS("--tls-port", port, "--tls-cert-file", in(state, "good.pem"), "--tls-key-file",
                                 in(state, "good.key"), "--tls-ca-cert-file", ca, "--tls-auth-clients", "no"));
    memset(big, 'x', sizeof big - 1);
    for (int i = 0; i < 3; i++) { /* the second time on the idle one */
        SAYS(command("redis.ask", secured(&s, "localhost", "verify", ca, NULL), WORDS("PING")), "\"PONG\"");
    }
    SAYS(command("redis.call", secured(&s, "localhost", "verify", ca, NULL), WORDS("SET", "big", big)), "\"OK\"");
    struct rb_call c = command("redis.ask", secured(&s, "localhost", "verify", ca, NULL), WORDS("GET", "big"));
    assert_int_equal(json_string_length(c.value), sizeof big - 1);
    drop(&c);
    SAYS(command("redis.ask", secured(&s, "127.0.0.1", "require", NULL, NULL), WORDS("PING")), "\"PONG\"");
    RAISES(command("redis.ask", secured(&s, "127.0.0.1", "verify", ca, NULL), WORDS("PING")), RB_ETLS,
           "IP address mismatch");
    RAISES(command("redis.ask", secured(&s, "localhost", "verify", NULL, NULL), WORDS("PING")), RB_ETLS, "TLS");
    RAISES(command("redis.ask", secured(&s, "localhost", "verify", "/none.pem", NULL), WORDS("PING")), RB_ETLS, "TLS");
    RAISES(command("redis.ask", secured(&both, "localhost", "verify", ca, NULL), WORDS("PING")), RB_ETLS,
           "TLS"); /* speaks plainly */
    RAISES(command("redis.ask", secured(&s, "localhost", "verify", ca, "sha256//x"), WORDS("PING")), RB_EUSAGE, "pin");
    c = command("redis.call",
                secured(&s, "localhost", "require", NULL, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                WORDS("SET", "pinned", "1"));
    assert_int_equal(c.err.code, RB_ETLS);
    (void)snprintf(pin, sizeof pin, "%.52s", strstr(c.err.text, "sha256//"));
    drop(&c);
    SAYS(command("redis.ask", secured(&s, "localhost", "require", NULL, pin), WORDS("EXISTS", "pinned")), "0");
    end_redis(&both);
    RAISES(command("redis.call", secured(&s, "localhost", "verify", ca, NULL), WORDS("INCR", "n")), RB_EREFUSED,
           "refused");
}

static void bad_arguments(void **state)
{
    (void)state;
    RAISES(command("redis.ask", json_string("cache"), WORDS("PING")), RB_EUSAGE, "");
    RAISES(command("redis.ask", json_pack("{s:s}", "driver", "postgres"), WORDS("PING")), RB_EUSAGE, "");
    RAISES(run_call("redis.ask", json_pack("{s:o, s:[]}", "connection", open_one(), "command"), true, 0), RB_EUSAGE,
           "");
    RAISES(run_call("redis.ask", json_pack("{s:o, s:[[]]}", "connection", open_one(), "command"), true, 0), RB_EUSAGE,
           "");
    RAISES(run_call("redis.call", json_pack("{s:o, s:[s, {s:i}]}", "connection", open_one(), "command", "SET", "a", 1),
                    false, 0),
           RB_EUSAGE, "");
    json_t *unknown = open_one();
    json_object_set_new(unknown, "host", json_string("no-such-host.invalid"));
    RAISES(command("redis.ask", unknown, WORDS("PING")), RB_EDNS, "no-such-host");
}

static void previews(void **state)
{
    (void)state;
    json_t *args = json_pack("{s:{s:s}, s:[s, s, s, i, {s:s}]}", "connection", "name", "cache", "command", "SET", "k",
                             "two words", 7, "$secret", "token");
    char *text = verb_of("redis.call")->preview(args);
    assert_string_equal(text, "cache: SET k \"two words\" 7 {\"$secret\":\"token\"}");
    free(text);
    json_decref(args);
    args = json_pack("{s:s, s:s, s:[s]}", "connection", "cache", "match", "app:cache:*", "protect", "app:cache:lock:*");
    text = verb_of("redis.unlink")->preview(args);
    assert_string_equal(text, "cache: UNLINK app:cache:* except app:cache:lock:*");
    free(text);
    json_decref(args);
}

static int start_both(void **state)
{
    (void)setup_dir(state);
    plain = start_redis(state, WORDS("--enable-debug-command", "yes"));
    locked = start_redis(state, WORDS("--requirepass", PASSWORD, "--unixsocket", in(state, "locked.sock")));
    return 0;
}

static int end_both(void **state)
{
    end_redis(&plain);
    end_redis(&locked);
    return teardown_dir(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(bytes_and_numbers),
        cmocka_unit_test(databases_and_socket),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(accounts),
        cmocka_unit_test(account_without_command),
        cmocka_unit_test(masks),
        cmocka_unit_test(not_of_a_connection),
        cmocka_unit_test(harmless_questions),
        cmocka_unit_test(scans_and_unlinks),
        cmocka_unit_test(probes),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(large_reply),
        cmocka_unit_test(busy_with_a_script),
        cmocka_unit_test(killed_in_mid_call),
        cmocka_unit_test(restarted_between_calls),
        cmocka_unit_test(stopped_server),
        cmocka_unit_test(strange_peers),
        cmocka_unit_test(over_tls),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(previews),
    };
    uv_loop_init(&loop);
    int failed = cmocka_run_group_tests(tests, start_both, end_both);
    return async_close() || failed;
}
