/* ws against a real server (npm ws) and against liars: dialogues, closing, verification, limits. */
#include "peer.h"

static struct peer server;
static char folder[] = "/tmp/runbook-test-ws-XXXXXX";

static json_t *to(const char *scheme, const char *path)
{
    char url[200];
    const char *port = strcmp(scheme, "wss") == 0 ? "secure" : strcmp(scheme, "raw") == 0 ? "raw" : "port";
    (void)snprintf(url, sizeof url, "%s://localhost:%d%s", strcmp(scheme, "raw") ? scheme : "ws",
                   (int)rb_json_int(server.ready, port, 0), path);
    return json_pack("{s:s, s:{s:s, s:s}}", "url", url, "tls", "mode", "verify", "ca",
                     rb_json_str(server.ready, "ca", ""));
}

static struct rb_call talk(const char *verb, json_t *url, const char *more, int cancel_ms)
{
    json_t *args = json_loads(more, 0, NULL);
    if (!args) {
        fail_msg("%s", more);
    }
    json_object_set_new(args, "url", url);
    return run_call(verb, args, strcmp(verb, "ws.read") == 0, cancel_ms);
}

static void assert_answered(const struct rb_call *c)
{
    if (c->err.code) {
        fail_msg("%s: %s", rb_err_name(c->err.code), c->err.text);
    }
}

static const char *message(const struct rb_call *c, size_t i)
{
    const char *text = json_string_value(json_array_get(json_object_get(c->value, "messages"), i));
    return text ? text : "(none)";
}

/* The lines of the server up to one that holds key. */
static json_t *heard(const char *key)
{
    for (;;) {
        json_t *line = peer_line(&server);
        assert_non_null(line);
        if (json_object_get(line, key)) {
            return line;
        }
        json_decref(line);
    }
}

static void a_dialogue_is_one_call(void **state)
{
    (void)state;
    struct rb_call c = talk("ws.send", to("ws", "/echo?a=1"),
                            "{\"send\":[\"你好\",{\"binary\":{\"$b64\":\"AP8B\"}}],\"receive\":2,"
                            "\"protocols\":[\"v1\",\"v2\"],\"headers\":{\"X-Token\":\"t\"}}",
                            0);
    assert_answered(&c);
    assert_true(json_is_true(json_object_get(c.value, "ok")));
    assert_int_equal(rb_json_int(c.value, "status", 0), 101);
    assert_string_equal(message(&c, 0), "你好");
    assert_string_equal(rb_json_str(json_array_get(json_object_get(c.value, "messages"), 1), "$b64", ""), "AP8B");
    assert_string_equal(rb_json_str(c.value, "protocol", ""), "v2");
    json_t *line = heard("path");
    assert_string_equal(rb_json_str(line, "url", ""), "/echo?a=1");
    assert_string_equal(rb_json_str(line, "token", ""), "t");
    json_decref(line);
    line = heard("closed");
    assert_int_equal(rb_json_int(line, "closed", 0), 1000);
    json_decref(line);
    drop(&c);
}

/* Nothing is waited for: the close comes after the messages all the same. */
static void all_is_said_before_the_end(void **state)
{
    (void)state;
    static const char *const words[] = {"one", "two", "three"};
    struct rb_call c = talk("ws.send", to("ws", "/mute-ear"), "{\"send\":[\"one\",\"two\",\"three\"]}", 0);
    assert_answered(&c);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_t *line = heard("got");
        assert_string_equal(rb_json_str(line, "got", ""), words[i]);
        json_decref(line);
    }
    json_t *line = heard("closed");
    assert_int_equal(rb_json_int(line, "closed", 0), 1000);
    json_decref(line);
    drop(&c);
}

static void a_read_only_listens(void **state)
{
    (void)state;
    struct rb_call c = talk("ws.read", to("ws", "/greet"), "{\"receive\":1}", 0);
    assert_answered(&c);
    assert_string_equal(message(&c, 0), "hello 世界");
    drop(&c);
    c = talk("ws.read", to("ws", "/ticks"), "{\"until\":\"tick 3\"}", 0);
    assert_answered(&c);
    assert_int_equal(json_array_size(json_object_get(c.value, "messages")), 4);
    drop(&c);
    c = talk("ws.read", to("ws", "/silent"), "{\"listen\":0.3}", 0);
    assert_answered(&c);
    assert_true(json_is_true(json_object_get(c.value, "ok"))); /* it lived */
    assert_in_range(rb_json_int(c.value, "ms", 0), 290, 5000);
    drop(&c);
    c = talk("ws.read", to("ws", "/silent"), "{\"listen\":0.3,\"receive\":1}", 0);
    assert_answered(&c);
    assert_false(json_is_true(json_object_get(c.value, "ok")));
    drop(&c);
    c = talk("ws.read", to("ws", "/parts"), "{\"receive\":1,\"ping\":true}", 0);
    assert_answered(&c);
    assert_string_equal(message(&c, 0), "one two");
    assert_int_equal(rb_json_int(c.value, "pongs", 0), 1);
    drop(&c);
    c = talk("ws.read", to("ws", "/glued"), "{\"receive\":1}", 0);
    assert_answered(&c);
    assert_string_equal(message(&c, 0), "glued");
    drop(&c);
}

static void how_it_closes_is_data(void **state)
{
    (void)state;
    struct rb_call c = talk("ws.read", to("ws", "/leave"), "{\"receive\":1}", 0);
    assert_answered(&c);
    json_t *close = json_object_get(c.value, "close");
    assert_int_equal(rb_json_int(close, "code", 0), 1012);
    assert_string_equal(rb_json_str(close, "reason", ""), "restarting");
    assert_false(json_is_true(json_object_get(c.value, "ok")));
    drop(&c);
    c = talk("ws.read", to("ws", "/drop"), "{\"listen\":5}", 0);
    assert_answered(&c);
    assert_int_equal(rb_json_int(json_object_get(c.value, "close"), "code", 0), 1006);
    drop(&c);
    c = talk("ws.probe", to("ws", "/once"), "{\"send\":[\"x\"],\"receive\":1}", 0);
    assert_answered(&c);
    assert_int_equal(rb_json_int(json_object_get(c.value, "close"), "code", 0), 4001);
    drop(&c);
    c = talk("ws.send", to("ws", "/once"), "{\"send\":[\"x\"],\"receive\":1}", 0);
    assert_int_equal(c.err.code, RB_ERESET); /* sent, and not answered: the engine makes it unknown */
    drop(&c);
    c = talk("ws.read", to("ws", "/refused"), "{}", 0);
    assert_answered(&c);
    assert_int_equal(rb_json_int(c.value, "status", 0), 403);
    drop(&c);
    c = talk("ws.send", to("ws", "/refused"), "{\"send\":[\"x\"]}", 0);
    assert_int_equal(c.err.code, RB_ESTATUS);
    drop(&c);
}

static void tls_is_verified(void **state)
{
    (void)state;
    struct rb_call c = talk("ws.read", to("wss", "/greet"), "{\"receive\":1}", 0);
    assert_answered(&c);
    assert_string_equal(message(&c, 0), "hello 世界");
    drop(&c);
    json_t *stranger = to("wss", "/greet");
    json_object_del(json_object_get(stranger, "tls"), "ca");
    c = talk("ws.read", stranger, "{}", 0);
    assert_int_equal(c.err.code, RB_ETLS);
    drop(&c);
}

static void liars_and_floods(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *path, *more;
        int code;
    } rows[] = {
        {"ws", "/lies", "{\"receive\":1}", RB_ERESET},
        {"ws", "/extra", "{\"receive\":1,\"protocols\":[\"v1\"]}", RB_ERESET},
        {"ws", "/big", "{\"receive\":1}", RB_ETOO_LARGE},
        {"ws", "/headers", "{}", RB_ETOO_LARGE},
        {"raw", "/", "{}", RB_ERESET},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rb_call c = talk("ws.read", to(rows[i].scheme, rows[i].path), rows[i].more, 0);
        if (c.err.code != rows[i].code) {
            fail_msg("%s: %s %s", rows[i].path, rb_err_name(c.err.code), c.err.text);
        }
        drop(&c);
    }
    struct rb_call c = talk("ws.read", to("ws", "/flood"), "{\"listen\":10}", 0);
    assert_answered(&c);
    assert_in_range(json_array_size(json_object_get(c.value, "messages")), 1, 1000);
    assert_in_range(rb_json_int(c.value, "ms", 0), 0, 9000);
    drop(&c);
    c = talk("ws.read", to("ws", "/nonsense"), "{\"listen\":5}", 0);
    assert_answered(&c);
    assert_int_equal(rb_json_int(json_object_get(c.value, "close"), "code", 0), 1006);
    drop(&c);
}

static void nobody_there(void **state)
{
    (void)state;
    struct rb_call c = talk("ws.read", json_pack("{s:s}", "url", "ws://127.0.0.1:1/"), "{}", 0);
    assert_int_equal(c.err.code, RB_EREFUSED);
    drop(&c);
    c = talk("ws.read", json_pack("{s:s}", "url", "http://127.0.0.1:1/"), "{}", 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
    c = talk("ws.read", to("ws", "/greet"), "{\"headers\":{\"A\":\"x\\r\\nB: y\"}}", 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
    c = talk("ws.send", to("ws", "/greet"), "{\"send\":[7]}", 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
    c = talk("ws.read", to("ws", "/mute"), "{}", 200);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    drop(&c);
    c = talk("ws.read", to("ws", "/silent"), "{\"receive\":1}", 300);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    drop(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dialogue_is_one_call), cmocka_unit_test(all_is_said_before_the_end),
        cmocka_unit_test(a_read_only_listens),    cmocka_unit_test(how_it_closes_is_data),
        cmocka_unit_test(tls_is_verified),        cmocka_unit_test(liars_and_floods),
        cmocka_unit_test(nobody_there),
    };
    (void)setenv("no_proxy", "*", 1);
    uv_loop_init(&loop);
    if (!mkdtemp(folder)) {
        return 1;
    }
    server = peer_python("ws.py", folder, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(rb_json_str(server.ready, "ca", ""));
    peer_stop(&server);
    (void)rmdir(folder);
    return failed ? failed : async_close();
}
