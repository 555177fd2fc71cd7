/* rpc against a real EVM node (anvil), over every transport, and against peers that do not keep to the rules. */
#include "peer.h"

static struct peer peer, anvil, web;
static char folder[] = "/tmp/runbook-test-rpc-XXXXXX";
static char http_url[64], tcp_url[64], unix_url[128], anvil_url[64], ws_url[64];

static json_t *args_of(const char *url, const char *method, const char *params)
{
    json_t *args = json_pack("{s:{s:s, s:s, s:[s, s, s, s]}, s:s}", "connection", "name", "c", "url", url, "safe",
                             "echo", "exact", "fails", "chatty", "method", method);
    if (params) {
        json_object_set_new(args, "params", json_loads(params, 0, NULL));
    }
    return args;
}

/* By a verb that may call anything, so that all peers can be asked. */
static struct rb_call call(const char *url, const char *method, const char *params)
{
    return run_call("rpc.call", args_of(url, method, params), false, 0);
}

static struct rb_call ask(const char *verb, const char *url, const char *method, const char *params)
{
    return run_call(verb, args_of(url, method, params), true, 0);
}

static void assert_answered(const struct rb_call *c)
{
    if (c->err.code) {
        fail_msg("%s: %s", rb_err_name(c->err.code), c->err.text);
    }
}

static void quiet(struct peer *p)
{
    while (peer_says(p, 0)) {
        json_decref(peer_line(p));
    }
}

static void every_transport(void **state)
{
    (void)state;
    const char *const urls[] = {http_url, tcp_url, unix_url, ws_url};
    for (size_t i = 0; i < 4; i++) {
        struct rb_call c = ask("rpc.ask", urls[i], "echo", "[1,\"二\",null,[9007199254740993]]");
        assert_answered(&c);
        json_t *params = json_object_get(c.value, "params");
        assert_int_equal(json_array_size(params), 4);
        assert_string_equal(json_string_value(json_array_get(params, 1)), "二");
        assert_true(json_integer_value(json_array_get(json_array_get(params, 3), 0)) == 9007199254740993 ||
                    urls[i] == ws_url);
        drop(&c);
    }
    struct rb_call c = ask("rpc.ask", tcp_url, "chatty", NULL);
    assert_answered(&c);
    assert_string_equal(json_string_value(c.value), "after a notification");
    drop(&c);
    c = ask("rpc.ask", http_url, "exact", NULL);
    assert_answered(&c);
    assert_true(json_integer_value(json_array_get(c.value, 0)) == 9007199254740993);
    assert_true(json_integer_value(json_array_get(c.value, 1)) == INT64_MIN);
    drop(&c);
    quiet(&peer);
}

static void errors_are_data(void **state)
{
    (void)state;
    const char *const urls[] = {http_url, tcp_url};
    for (size_t i = 0; i < 2; i++) {
        struct rb_call c = ask("rpc.ask", urls[i], "fails", NULL);
        assert_int_equal(c.err.code, RB_ERPC);
        assert_non_null(strstr(c.err.text, "execution reverted"));
        assert_int_equal(rb_json_int(c.details, "code", 0), -32000);
        assert_string_equal(rb_json_str(c.details, "data", ""), "0x08c379a0");
        drop(&c);
        c = ask("rpc.answer", urls[i], "fails", NULL);
        assert_answered(&c);
        assert_false(json_is_true(json_object_get(c.value, "ok")));
        assert_int_equal(rb_json_int(json_object_get(c.value, "error"), "code", 0), -32000);
        drop(&c);
    }
    struct rb_call c = call(tcp_url, "no_id", NULL);
    assert_int_equal(c.err.code, RB_ERPC);
    assert_int_equal(rb_json_int(c.details, "code", 0), -32700);
    drop(&c);
    quiet(&peer);
}

static void only_what_reads_is_asked(void **state)
{
    (void)state;
    static const char *const verbs[] = {"rpc.ask", "rpc.answer"};
    for (size_t i = 0; i < 2; i++) {
        struct rb_call c = ask(verbs[i], http_url, "eth_sendRawTransaction", "[\"0x00\"]");
        assert_int_equal(c.err.code, RB_EFORBIDDEN);
        assert_non_null(strstr(c.err.hint, "safe"));
        drop(&c);
    }
    struct rb_call c =
        run_call("rpc.batch",
                 json_pack("{s:s, s:[[s], [s]]}", "connection", http_url, "calls", "eth_chainId", "evm_mine"), true, 0);
    assert_int_equal(c.err.code, RB_EFORBIDDEN);
    drop(&c);
    assert_false(peer_says(&peer, 100)); /* nothing got out */
}

static void batches_are_matched(void **state)
{
    (void)state;
    const char *const urls[] = {http_url, unix_url};
    for (size_t i = 0; i < 2; i++) {
        json_t *args = args_of(urls[i], "-", NULL);
        json_object_del(args, "method");
        json_object_set_new(args, "calls", json_pack("[[s, i], [s], [s, i]]", "echo", 1, "fails", "echo", 3));
        struct rb_call c = run_call("rpc.batch", args, true, 0);
        assert_answered(&c);
        json_t *third = json_array_get(c.value, 2);
        assert_int_equal(
            json_integer_value(json_array_get(json_object_get(json_object_get(third, "value"), "params"), 0)), 3);
        assert_false(json_is_true(json_object_get(json_array_get(c.value, 1), "ok")));
        drop(&c);
    }
    struct rb_call c = run_call("rpc.batch", json_pack("{s:s, s:[]}", "connection", http_url, "calls"), true, 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
    quiet(&peer);
}

static void ids_are_never_used_again(void **state)
{
    (void)state;
    json_int_t last = 0;
    for (int i = 0; i < 3; i++) {
        struct rb_call c = ask("rpc.ask", tcp_url, "echo", NULL);
        assert_answered(&c);
        json_t *line = peer_line(&peer);
        json_int_t id = rb_json_int(json_object_get(line, "request"), "id", 0);
        assert_true(id > 0 && id != last);
        last = id;
        json_decref(line);
        drop(&c);
    }
}

static void peers_that_break_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        int code; /* of a write, to which something was said */
    } rows[] = {{"wrong_id", RB_ERESET}, {"string_id", RB_ERESET}, {"nothing", RB_ERESET}, {"not_json", RB_ERESET},
                {"deep", RB_ERESET},     {"huge", RB_ERESET},      {"close", RB_ERESET},   {"half", RB_ERESET}};
    const char *const urls[] = {http_url, tcp_url};
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct rb_call c = call(urls[k], rows[i].method, NULL);
            if (c.err.code != rows[i].code) {
                fail_msg("%s %s: %s %s", urls[k], rows[i].method, rb_err_name(c.err.code), c.err.text);
            }
            drop(&c);
        }
    }
    struct rb_call c = run_call("rpc.call", args_of(tcp_url, "never", NULL), false, 300);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    drop(&c);
    c = run_call("rpc.call", args_of(http_url, "never", NULL), false, 300);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    drop(&c);
    quiet(&peer);
}

static json_t *several(json_t *args, const char *first, const char *second)
{
    json_t *connection = json_object_get(args, "connection");
    json_object_set_new(connection, "url", json_string("http://127.0.0.1:1/"));
    json_object_set_new(connection, "urls", json_pack("[s, s]", first, second));
    return args;
}

static void the_next_endpoint(void **state)
{
    (void)state;
    struct rb_call c =
        run_call("rpc.answer", several(args_of("", "echo", NULL), "tcp://127.0.0.1:1", http_url), true, 0);
    assert_answered(&c);
    assert_string_equal(rb_json_str(c.value, "endpoint", ""), http_url);
    assert_int_equal(json_array_size(json_object_get(c.value, "failed")), 2);
    assert_string_equal(rb_json_str(json_array_get(json_object_get(c.value, "failed"), 0), "code", ""), "refused");
    drop(&c);
    /* A write goes on while nothing was sent, and never after. */
    c = run_call("rpc.call", several(args_of("", "echo", NULL), tcp_url, http_url), false, 0);
    assert_answered(&c);
    drop(&c);
    c = run_call("rpc.call", several(args_of("", "close", NULL), tcp_url, http_url), false, 0);
    assert_int_equal(c.err.code, RB_ERESET);
    drop(&c);
    int closes = 0;
    while (peer_says(&peer, 100)) {
        json_t *line = peer_line(&peer);
        closes += strcmp(rb_json_str(json_object_get(line, "request"), "method", ""), "close") == 0;
        json_decref(line);
    }
    assert_int_equal(closes, 1);
    /* An endpoint that is silent gets its share of the time. */
    json_t *args = several(args_of("", "never", NULL), tcp_url, anvil_url);
    json_object_set_new(json_object_get(args, "connection"), "safe", json_pack("[s]", "never"));
    json_object_set_new(args, "timeout", json_real(2));
    c = run_call("rpc.answer", args, true, 0);
    assert_answered(&c);
    assert_int_equal(rb_json_int(json_object_get(c.value, "error"), "code", 0), -32601); /* anvil does not know it */
    assert_string_equal(rb_json_str(json_array_get(json_object_get(c.value, "failed"), 1), "code", ""), "timeout");
    drop(&c);
    c = ask("rpc.ask", "http://127.0.0.1:1/", "echo", NULL);
    assert_int_equal(c.err.code, RB_EREFUSED);
    drop(&c);
    c = ask("rpc.ask", "unix:///tmp/runbook-no-such-socket", "echo", NULL);
    assert_int_equal(c.err.code, RB_ENOT_FOUND);
    drop(&c);
    c = ask("rpc.ask", "ftp://127.0.0.1/", "echo", NULL);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
    quiet(&peer);
}

static void a_real_node(void **state)
{
    (void)state;
    struct rb_call c = ask("rpc.ask", anvil_url, "eth_chainId", NULL);
    assert_answered(&c);
    assert_string_equal(json_string_value(c.value), "0x2105");
    drop(&c);
    char ws_anvil[64];
    (void)snprintf(ws_anvil, sizeof ws_anvil, "ws%s", anvil_url + 4);
    c = ask("rpc.ask", ws_anvil, "net_version", NULL);
    assert_answered(&c);
    assert_string_equal(json_string_value(c.value), "8453");
    drop(&c);
    c = call(anvil_url, "evm_mine", NULL);
    assert_answered(&c);
    drop(&c);
    c = run_call("rpc.batch",
                 json_pack("{s:s, s:[[s], [s, s, s]]}", "connection", anvil_url, "calls", "eth_blockNumber",
                           "eth_getBalance", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "latest"),
                 true, 0);
    assert_answered(&c);
    assert_string_equal(rb_json_str(json_array_get(c.value, 0), "value", ""), "0x1");
    drop(&c);
    c = ask("rpc.ask", anvil_url, "eth_call", "[{\"to\":\"0x12\"}]");
    assert_int_equal(c.err.code, RB_ERPC);
    drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transport),          cmocka_unit_test(errors_are_data),
        cmocka_unit_test(only_what_reads_is_asked), cmocka_unit_test(batches_are_matched),
        cmocka_unit_test(ids_are_never_used_again), cmocka_unit_test(peers_that_break_the_rules),
        cmocka_unit_test(the_next_endpoint),        cmocka_unit_test(a_real_node),
    };
    (void)setenv("no_proxy", "*", 1);
    uv_loop_init(&loop);
    if (!mkdtemp(folder)) {
        return 1;
    }
    char path[sizeof folder + 8];
    (void)snprintf(path, sizeof path, "%s/s", folder);
    peer = peer_python("rpc.py", path, NULL);
    anvil = peer_python("anvil.py", NULL, NULL);
    web = peer_python("ws.py", folder, NULL);
    (void)snprintf(http_url, sizeof http_url, "http://127.0.0.1:%d/", (int)rb_json_int(peer.ready, "http", 0));
    (void)snprintf(tcp_url, sizeof tcp_url, "tcp://127.0.0.1:%d", (int)rb_json_int(peer.ready, "tcp", 0));
    (void)snprintf(unix_url, sizeof unix_url, "unix://%s", path);
    (void)snprintf(anvil_url, sizeof anvil_url, "http://127.0.0.1:%d", (int)rb_json_int(anvil.ready, "port", 0));
    (void)snprintf(ws_url, sizeof ws_url, "ws://127.0.0.1:%d/rpc", (int)rb_json_int(web.ready, "port", 0));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(rb_json_str(web.ready, "ca", ""));
    peer_stop(&peer);
    peer_stop(&anvil);
    peer_stop(&web);
    (void)unlink(path);
    (void)rmdir(folder);
    return failed ? failed : async_close();
}
