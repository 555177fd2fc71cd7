/* http and net against servers of our own, honest ones and others (peers.py), and nginx for TLS and HTTP/2. */
#include "async.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

static struct helper peers, nginx;
static json_t *ports;
static char *folder;
static int tls_port, expired_port, other_port, h2c_port;

/* The longest time between two ticks of the loop while calls run: nothing may block it. A thread that only sleeps says
 * how much of that is the machine's. */
static struct {
    uv_timer_t timer;
    uv_thread_t thread;
    int64_t last_ns, worst_ns, machine_ns;
    atomic_bool stop;
} tick;

static void only_sleep(void *unused)
{
    (void)unused;
    while (!tick.stop) {
        int64_t since = rb_clock_mono_ns();
        uv_sleep(10);
        int64_t took = rb_clock_mono_ns() - since;
        tick.machine_ns = took > tick.machine_ns ? took : tick.machine_ns;
    }
}

static void ticked(uv_timer_t *timer)
{
    int64_t now = rb_clock_mono_ns();
    (void)timer;
    tick.worst_ns = now - tick.last_ns > tick.worst_ns ? now - tick.last_ns : tick.worst_ns;
    tick.last_ns = now;
}

static const char *url(const char *peer, const char *path)
{
    static char urls[8][4096];
    static int at;
    at = (at + 1) % 8;
    assert_non_null(json_object_get(ports, peer));
    (void)snprintf(urls[at], sizeof urls[at], "http://127.0.0.1:%d%s", (int)rb_json_int(ports, peer, 0), path);
    return urls[at];
}

static const char *https(int port, const char *path)
{
    static char urls[4][256];
    static int at;
    at = (at + 1) % 4;
    (void)snprintf(urls[at], sizeof urls[at], "https://localhost:%d%s", port, path);
    return urls[at];
}

static struct rb_call http(const char *verb, json_t *args)
{
    return run_call(verb, args, strcmp(verb, "http.get") == 0, 0);
}

/* What the echo server got. Drops the call. */
static json_t *echoed(struct rb_call call)
{
    if (!call.value) {
        fail_msg("%s", call.err.text);
    }
    json_t *got = json_incref(json_object_get(call.value, "json"));
    assert_non_null(got);
    drop(&call);
    return got;
}

static const char *got_header(const json_t *got, const char *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(got, "headers"), i, one) {
        if (!strcasecmp(json_string_value(json_array_get(one, 0)), name)) {
            return json_string_value(json_array_get(one, 1));
        }
    }
    return NULL;
}

static void answers(void **state)
{
    (void)state;
    struct rb_call c = http("http.get", json_pack("{s:s}", "url", url("echo", "/a")));
    assert_int_equal(c.err.code, 0);
    assert_true(truth(c.value, "ok"));
    assert_int_equal(rb_json_int(c.value, "status", 0), 200);
    assert_string_equal(rb_json_str(c.value, "http", ""), "1.1");
    assert_string_equal(rb_json_str(c.value, "url", ""), url("echo", "/a"));
    assert_string_equal(rb_json_str(c.value, "remote", ""), url("echo", "") + 7);
    const json_t *headers = json_object_get(c.value, "headers"), *timing = json_object_get(c.value, "timing");
    assert_string_equal(rb_json_str(headers, "content-type", ""), "application/json; charset=utf-8");
    assert_int_equal(json_array_size(json_object_get(headers, "x-twice")), 2);
    assert_string_equal(rb_json_str(json_object_get(headers, "x-odd"), "$b64", ""), "1tA=");
    assert_int_equal(rb_json_int(json_object_get(c.value, "json"), "big", 0), 9007199254740993);
    assert_true(json_real_value(json_object_get(timing, "total")) >=
                json_real_value(json_object_get(timing, "first_byte")));
    assert_true(json_real_value(json_object_get(timing, "first_byte")) > 0);
    assert_null(json_object_get(c.value, "certificate"));
    drop(&c);
    c = http("http.get", json_pack("{s:s}", "url", url("echo", "/status/503"))); /* a read answers */
    assert_int_equal(rb_json_int(c.value, "status", 0), 503);
    assert_false(truth(c.value, "ok"));
    drop(&c);
    c = http("http.head", json_pack("{s:s}", "url", url("echo", "/")));
    assert_int_equal(rb_json_int(c.value, "status", 0), 200);
    assert_string_equal(rb_json_str(c.value, "body", "?"), "");
    drop(&c);
    json_t *got = echoed(http("http.options", json_pack("{s:s}", "url", url("echo", "/"))));
    assert_string_equal(rb_json_str(got, "method", ""), "OPTIONS");
    json_decref(got);
    c = http("http.get", json_pack("{s:s, s:s+}", "url", "http://anything/x", "socket", folder, "/echo.sock"));
    assert_int_equal(rb_json_int(c.value, "status", 0), 200);
    drop(&c);
}

static void requests(void **state)
{
    (void)state;
    static const char *const methods[] = {"post", "put", "patch", "delete"};
    for (size_t i = 0; i < 4; i++) {
        char verb[32];
        (void)snprintf(verb, sizeof verb, "http.%s", methods[i]);
        json_t *got =
            echoed(http(verb, json_pack("{s:s, s:{s:i, s:n}}", "url", url("echo", "/"), "json", "a", 1, "b")));
        assert_int_equal(strcasecmp(rb_json_str(got, "method", ""), methods[i]), 0);
        assert_string_equal(rb_json_str(got, "body", ""), "eyJhIjoxLCJiIjpudWxsfQ=="); /* {"a":1,"b":null} */
        assert_string_equal(got_header(got, "content-type"), "application/json");
        assert_null(got_header(got, "expect"));
        json_decref(got);
    }
    json_t *got = echoed(http("http.post", json_pack("{s:s, s:{s:s, s:[i, s]}}", "url", url("echo", "/"), "form", "a b",
                                                     "1&2=3", "l", 1, "中")));
    assert_string_equal(rb_json_str(got, "body", ""), "YSUyMGI9MSUyNjIlM0QzJmw9MSZsPSVFNCVCOCVBRA==");
    json_decref(got);
    got = echoed(http("http.post", json_pack("{s:s, s:{s:s}}", "url", url("echo", "/"), "body", "$b64", "AP8N")));
    assert_string_equal(rb_json_str(got, "body", ""), "AP8N");
    json_decref(got);
    got = echoed(http("http.delete", json_pack("{s:s}", "url", url("echo", "/"))));
    assert_string_equal(rb_json_str(got, "body", "?"), "");
    json_decref(got);
    got = echoed(http("http.get", json_pack("{s:s, s:{s:s, s:s}}", "url", url("echo", "/"), "basic", "user", "us",
                                            "password", "p:w\xc3\xa4")));
    assert_string_equal(got_header(got, "authorization"), "Basic dXM6cDp3w6Q=");
    json_decref(got);
    got = echoed(http("http.get", json_pack("{s:s, s:s}", "url", url("echo", "/"), "bearer", "tok")));
    assert_string_equal(got_header(got, "authorization"), "Bearer tok");
    json_decref(got);
}

/* What comes from outside is data wherever it goes. */
static void injection(void **state)
{
    (void)state;
    static const char *const payloads[] = {"a b",
                                           "x&admin=1",
                                           "x#y",
                                           "?z=1",
                                           "../../etc/passwd",
                                           "a/b",
                                           "%0d%0aX: 1",
                                           "a\r\nX-Injected: 1",
                                           "\n\nGET / HTTP/1.1",
                                           "' OR 1=1 --",
                                           "$(reboot)",
                                           "{{x}}",
                                           "中文",
                                           "\x7f\x01",
                                           "@host",
                                           "a;b=c\\d",
                                           "+"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        json_t *got =
            echoed(http("http.get", json_pack("{s:s, s:[s, s], s:{s:s, s:s}}", "url", url("echo", "/base/"), "path",
                                              "seg", payloads[i], "query", "q", payloads[i], "r", "end")));
        const char *target = rb_json_str(got, "target", "");
        assert_int_equal(strncmp(target, "/base/seg/", 10), 0);
        assert_null(strpbrk(target + 10, "/#@'$ "));
        assert_non_null(strstr(target, "&r=end"));
        assert_null(got_header(got, "x-injected"));
        json_decref(got);
        got = echoed(http("http.post", json_pack("{s:s, s:{s:s}}", "url", url("echo", "/"), "json", "v", payloads[i])));
        assert_null(got_header(got, "x-injected"));
        json_decref(got);
        struct rb_call c =
            http("http.get", json_pack("{s:s, s:{s:s}}", "url", url("echo", "/"), "headers", "x-v", payloads[i]));
        bool control = strpbrk(payloads[i], "\r\n\x7f\x01");
        assert_int_equal(c.err.code, control ? RB_EUSAGE : 0);
        if (!control) {
            assert_string_equal(got_header(json_object_get(c.value, "json"), "x-v"), payloads[i]);
        }
        drop(&c);
    }
}

static void bad_arguments(void **state)
{
    (void)state;
    const char *good = url("echo", "/");
    json_t *bad[] = {json_pack("{s:s}", "url", "ftp://127.0.0.1/"),
                     json_pack("{s:s}", "url", "file:///etc/passwd"),
                     json_pack("{s:s}", "url", "127.0.0.1"),
                     json_pack("{s:s}", "url", ""),
                     json_pack("{s:s}", "url", "http://"),
                     json_pack("{s:s}", "url", "http://u:p@127.0.0.1/"),
                     json_pack("{s:s}", "url", "http://127.0.0.1/\r\nX: 1"),
                     json_pack("{s:s}", "url", "http://127.0.0.1:99999/"),
                     json_pack("{s:s, s:{s:s}}", "url", good, "headers", "a b", "x"),
                     json_pack("{s:s, s:{s:s}}", "url", good, "headers", "a:", "x"),
                     json_pack("{s:s, s:{s:s}}", "url", good, "headers", "", "x"),
                     json_pack("{s:s, s:{s:s#}}", "url", good, "headers", "a", "x\0y", 3),
                     json_pack("{s:s, s:{s:s}}", "url", good, "headers", "Content-Length", "3"),
                     json_pack("{s:s, s:{s:s}}", "url", good, "headers", "transfer-encoding", "chunked"),
                     json_pack("{s:s, s:s}", "url", good, "bearer", "a\r\nb: c"),
                     json_pack("{s:s, s:s, s:{s:s}}", "url", good, "bearer", "a", "headers", "Authorization", "b"),
                     json_pack("{s:s, s:{s:s}}", "url", good, "basic", "user", "a:b"),
                     json_pack("{s:s, s:[s]}", "url", good, "path", ".."),
                     json_pack("{s:s, s:[s]}", "url", good, "path", ""),
                     json_pack("{s:s, s:s, s:s}", "url", good, "json", "a", "body", "b"),
                     json_pack("{s:s, s:i}", "url", good, "redirects", 99),
                     json_pack("{s:s, s:{s:i}}", "url", good, "retry", "times", 99),
                     json_pack("{s:s, s:{}}", "url", good, "retry"),
                     json_pack("{s:s, s:s}", "url", good, "version", "9"),
                     json_pack("{s:s, s:i}", "url", good, "max_body", 1 << 30),
                     json_pack("{s:s, s:s}", "url", good, "socket", "relative")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rb_call c = http("http.post", bad[i]);
        if (c.err.code != RB_EUSAGE) {
            fail_msg("bad argument %zu: %s", i, c.err.text);
        }
        drop(&c);
    }
}

static void writes_succeed_or_raise(void **state)
{
    (void)state;
    struct rb_call c = http("http.post", json_pack("{s:s}", "url", url("echo", "/status/503")));
    assert_int_equal(c.err.code, RB_ESTATUS);
    assert_non_null(strstr(c.err.text, "503"));
    assert_non_null(strstr(c.err.text, "because 理由"));
    assert_null(strchr(c.err.text, '\x1b'));
    drop(&c);
    c = http("http.post", json_pack("{s:s, s:[i, i]}", "url", url("echo", "/status/409"), "ok", 200, 409));
    assert_int_equal(rb_json_int(c.value, "status", 0), 409);
    drop(&c);
    c = http("http.post",
             json_pack("{s:s, s:i}", "url", url("echo", "/big?n=5000"), "max_body", 1000)); /* it was done */
    assert_true(truth(c.value, "truncated"));
    assert_int_equal(strlen(rb_json_str(c.value, "body", "")), 1000);
    drop(&c);
    c = http("http.get", json_pack("{s:s, s:i}", "url", url("echo", "/big?n=1000"), "max_body", 1000));
    assert_int_equal(strlen(rb_json_str(c.value, "body", "")), 1000);
    drop(&c);
}

static void redirects(void **state)
{
    char to[512];
    (void)state;
    (void)snprintf(to, sizeof to, "/to?u=%s", url("echo", "/there"));
    struct rb_call c = http("http.get", json_pack("{s:s}", "url", url("echo", to)));
    assert_int_equal(rb_json_int(c.value, "status", 0), 302); /* off by default */
    drop(&c);
    c = http("http.get", json_pack("{s:s, s:i, s:s}", "url", url("echo", to), "redirects", 1, "bearer", "tok"));
    assert_int_equal(json_array_size(json_object_get(c.value, "hops")), 1);
    assert_int_equal(json_array_size(c.remarks), 1);
    assert_string_equal(rb_json_str(c.value, "url", ""), url("echo", "/there"));
    assert_string_equal(got_header(json_object_get(c.value, "json"), "authorization"),
                        "Bearer tok"); /* the same origin */
    drop(&c);
    (void)snprintf(to, sizeof to, "/to?u=http://localhost:%d/there", (int)rb_json_int(ports, "echo", 0));
    c = http("http.get", json_pack("{s:s, s:i, s:s, s:{s:s, s:s}}", "url", url("echo", to), "redirects", 1, "bearer",
                                   "tok", "headers", "x-api-key", "k", "accept", "text/x"));
    const json_t *got = json_object_get(c.value, "json");
    assert_null(got_header(got, "authorization"));
    assert_null(got_header(got, "x-api-key"));
    assert_string_equal(got_header(got, "accept"), "text/x");
    drop(&c);
    c = http("http.get",
             json_pack("{s:s, s:i}", "url", url("echo", "/to?u=/to"), "redirects", 5)); /* no ?u= there: it breaks */
    assert_int_equal(c.err.code, RB_ERESET);
    drop(&c);
    c = http("http.get", json_pack("{s:s, s:i}", "url", url("echo", "/to?u=%2Fto%3Fu%3D%2F"), "redirects", 1));
    assert_int_equal(c.err.code, RB_ESTATUS); /* one more than allowed */
    drop(&c);
    static const char *const nowhere[] = {"/to?u=file:///etc/passwd", "/to?u=http://", "/to?u=http://u:p@127.0.0.1/",
                                          "/to?u=gopher://127.0.0.1:6379/_x"};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        c = http("http.get", json_pack("{s:s, s:i}", "url", url("echo", nowhere[i]), "redirects", 5));
        assert_int_equal(c.err.code, RB_ESTATUS);
        drop(&c);
    }
}

static void writes_are_not_led_astray(void **state)
{
    char to[512];
    (void)state;
    static const int statuses[] = {301, 302, 303};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(to, sizeof to, "/to?s=%d&u=/there", statuses[i]);
        struct rb_call c =
            http("http.post", json_pack("{s:s, s:i, s:s}", "url", url("echo", to), "redirects", 3, "body", "x"));
        assert_int_equal(c.err.code, RB_ESTATUS);
        drop(&c);
    }
    json_t *got = echoed(http("http.post", json_pack("{s:s, s:i, s:s}", "url", url("echo", "/to?s=307&u=/there"),
                                                     "redirects", 3, "body", "x")));
    assert_string_equal(rb_json_str(got, "method", ""), "POST");
    assert_string_equal(rb_json_str(got, "body", ""), "eA==");
    json_decref(got);
    (void)snprintf(to, sizeof to, "/to?s=307&u=http://localhost:%d/there", (int)rb_json_int(ports, "echo", 0));
    struct rb_call c =
        http("http.post", json_pack("{s:s, s:i, s:s}", "url", url("echo", to), "redirects", 3, "body", "x"));
    assert_int_equal(c.err.code, RB_ESTATUS);
    drop(&c);
}

static int requests_counted(void)
{
    char *count = slurp(in((void **)&folder, "count"));
    int n = count ? (int)strlen(count) : 0;
    free(count);
    return n;
}

static void retries(void **state)
{
    (void)state;
    struct rb_call c = http("http.get", json_pack("{s:s, s:{s:i, s:s}}", "url", url("echo", "/flaky?id=a&n=2"), "retry",
                                                  "times", 3, "wait", "10ms"));
    assert_int_equal(rb_json_int(c.value, "status", 0), 200);
    assert_int_equal(rb_json_int(c.value, "tries", 0), 3);
    assert_int_equal(json_array_size(c.remarks), 2);
    drop(&c);
    c = http("http.get", json_pack("{s:s, s:{s:i, s:f}}", "url", url("echo", "/flaky?id=b&n=2&how=cut"), "retry",
                                   "times", 3, "wait", 0.01));
    assert_int_equal(rb_json_int(c.value, "status", 0), 200);
    drop(&c);
    int before = requests_counted(); /* a POST that was sent is never sent again by itself */
    c = http("http.post", json_pack("{s:s, s:{s:i, s:s}}", "url", url("echo", "/flaky?id=c&n=1&how=cut"), "retry",
                                    "times", 3, "wait", "10ms"));
    assert_int_equal(c.err.code, RB_ERESET);
    assert_int_equal(requests_counted() - before, 1);
    assert_false(c.undone);
    drop(&c);
    c = http("http.post", json_pack("{s:s, s:{s:i, s:s, s:b}}", "url", url("echo", "/flaky?id=c&n=1"), "retry", "times",
                                    3, "wait", "10ms", "idempotent", 1));
    assert_int_equal(rb_json_int(c.value, "status", 0), 200);
    drop(&c);
    c = http("http.post",
             json_pack("{s:s, s:{s:i, s:s}}", "url", url("closed", "/"), "retry", "times", 3, "wait", "10ms"));
    assert_int_equal(c.err.code, RB_EREFUSED);
    assert_int_equal(json_array_size(c.remarks), 2); /* nothing was sent */
    assert_true(c.undone);
    drop(&c);
}

/* A connection that died in between: a GET is asked again by libcurl, a POST always gets a new one. */
static void one_post_is_one_request(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct rb_call c = http("http.get", json_pack("{s:s}", "url", url("echo", "/")));
        assert_int_equal(c.err.code, 0);
        drop(&c);
        int before = requests_counted();
        c = http("http.post", json_pack("{s:s}", "url", url("echo", "/flaky?id=never&n=99&how=cut")));
        assert_int_equal(c.err.code, RB_ERESET);
        assert_int_equal(requests_counted() - before, 1);
        drop(&c);
    }
}

/* For a machine that is busy with other things. */
#define ROOM_S 20

static void hostile(void **state)
{
    (void)state;
    static const struct {
        const char *peer;
        int code; /* by itself, or 0: only its deadline ends it */
    } cases[] = {
        {"deaf", 0},
        {"silent", 0},
        {"drip", 0},
        {"drip_body", 0},
        {"half_status", 0},
        {"slam", RB_ERESET},
        {"nothing", RB_ERESET},
        {"reset", RB_ERESET},
        {"garbage", RB_ERESET},
        {"bad_chunk", RB_ERESET},
        {"short_chunk", RB_ERESET},
        {"huge_chunk", RB_ERESET},
        {"short_body", RB_ERESET},
        {"bad_gzip", RB_ERESET},
        {"endless_headers", RB_ETOO_LARGE},
        {"endless_continue", RB_ETOO_LARGE},
        {"endless_body", RB_ETOO_LARGE},
        {"endless_chunks", RB_ETOO_LARGE},
        {"bomb", RB_ETOO_LARGE},
        {"closed", RB_EREFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t since = rb_clock_mono_ns();
        struct rb_call c =
            run_call("http.get", json_pack("{s:s}", "url", url(cases[i].peer, "/")), true, cases[i].code ? 50000 : 700);
        double took = (double)(rb_clock_mono_ns() - since) / 1e9;
        if (c.value || c.err.code != (cases[i].code ? cases[i].code : RB_ETIMEOUT) ||
            took > (cases[i].code ? 45 : 0.7 + ROOM_S)) {
            fail_msg("%s: %s (%s) after %.2f s", cases[i].peer, c.err.text, rb_err_name(c.err.code), took);
        }
        assert_non_null(strstr(c.err.text, "127.0.0.1"));
        drop(&c);
    }
    struct rb_call c = run_call("http.get", json_pack("{s:s}", "url", url("endless_line", "/")), true, 50000);
    assert_true(c.err.code == RB_ETOO_LARGE || c.err.code == RB_ERESET); /* libcurl has a limit for one line as well */
    drop(&c);
    c = run_call("http.post", json_pack("{s:s}", "url", url("deaf", "/")), false, 300);
    assert_true(c.undone); /* nothing was sent: the write did not happen */
    drop(&c);
    c = run_call("http.post", json_pack("{s:s}", "url", url("silent", "/")), false, 2000);
    assert_false(c.undone);
    drop(&c);
}

static void tls(void **state)
{
    const char *ca = in(state, "ca.pem");
    struct rb_call c = http("http.get", json_pack("{s:s, s:s}", "url", https(tls_port, "/"), "ca", ca));
    if (!c.value) {
        fail_msg("%s", c.err.text);
    }
    assert_string_equal(rb_json_str(c.value, "http", ""), "2"); /* by ALPN */
    const json_t *certificate = json_object_get(c.value, "certificate");
    assert_non_null(strstr(rb_json_str(certificate, "subject", ""), "CN = localhost"));
    assert_non_null(strstr(rb_json_str(certificate, "issuer", ""), "Runbook Test CA"));
    assert_true(rb_json_int(certificate, "days", 0) >= 28 && rb_json_int(certificate, "days", 0) <= 30);
    assert_int_equal(strlen(rb_json_str(certificate, "expires_at", "")), 20);
    assert_string_equal(json_string_value(json_array_get(json_object_get(certificate, "names"), 0)), "localhost");
    assert_true(json_real_value(json_object_get(json_object_get(c.value, "timing"), "tls")) > 0);
    drop(&c);
    c = http("http.get",
             json_pack("{s:s, s:s}", "url", https(tls_port, "/"), "ca", ca)); /* the same connection again */
    assert_non_null(json_object_get(c.value, "certificate"));
    drop(&c);
    c = http("http.get", json_pack("{s:s, s:s, s:s}", "url", https(tls_port, "/"), "ca", ca, "version", "1.1"));
    assert_string_equal(rb_json_str(c.value, "http", ""), "1.1");
    drop(&c);
    char plain[64];
    (void)snprintf(plain, sizeof plain, "http://127.0.0.1:%d/", h2c_port);
    c = http("http.get", json_pack("{s:s, s:s}", "url", plain, "version", "2"));
    assert_string_equal(rb_json_str(c.value, "http", ""), "2"); /* by prior knowledge */
    drop(&c);
    c = http("http.get", json_pack("{s:s, s:b}", "url", https(expired_port, "/"), "insecure", 1));
    assert_int_equal(rb_json_int(c.value, "status", 0), 200);
    assert_string_equal(rb_json_str(json_array_get(c.remarks, 0), "kind", ""), "insecure");
    drop(&c);
    c = http("http.get", json_pack("{s:s, s:s, s:i}", "url", https(tls_port, "/down"), "ca", ca, "redirects", 3));
    assert_int_equal(c.err.code, RB_ESTATUS); /* it leads to http:// */
    drop(&c);
}

static void tls_refused(void **state)
{
    const char *ca = in(state, "ca.pem");
    struct {
        json_t *args;
        const char *says;
    } cases[] = {
        {json_pack("{s:s}", "url", https(tls_port, "/")), "certificate"},
        {json_pack("{s:s, s:s}", "url", https(expired_port, "/"), "ca", ca), "expired"},
        {json_pack("{s:s, s:s}", "url", https(other_port, "/"), "ca", ca), "localhost"},
        {json_pack("{s:s, s:s, s:s}", "url", https(tls_port, "/"), "ca", ca, "pin",
                   "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
         "pinned"},
        {json_pack("{s:s, s:s}", "url", https(tls_port, "/"), "ca", "/nonexistent"), "TLS"},
        {json_pack("{s:s}", "url", https(h2c_port, "/")), "TLS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rb_call c = http("http.post", cases[i].args);
        if (c.err.code != RB_ETLS || !strstr(c.err.text, cases[i].says)) {
            fail_msg("case %zu: %s (%s)", i, c.err.text, rb_err_name(c.err.code));
        }
        assert_true(c.undone);
        drop(&c);
    }
}

static void looking(void **state)
{
    const char *ca = in(state, "ca.pem");
    struct rb_call c =
        http("net.certificate", json_pack("{s:s, s:i, s:s}", "host", "localhost", "port", tls_port, "ca", ca));
    assert_true(truth(c.value, "valid"));
    assert_true(rb_json_int(c.value, "days", -1) > 0);
    drop(&c);
    c = http("net.certificate", json_pack("{s:s, s:i, s:s}", "host", "localhost", "port", expired_port, "ca", ca));
    assert_false(truth(c.value, "valid"));
    assert_true(rb_json_int(c.value, "days", 1) < 0);
    assert_non_null(strstr(rb_json_str(c.value, "problem", ""), "expired"));
    drop(&c);
    c = http("net.certificate",
             json_pack("{s:s, s:i}", "host", "127.0.0.1", "port", (int)rb_json_int(ports, "closed", 0)));
    assert_int_equal(c.err.code, RB_EREFUSED);
    drop(&c);
    c = http("net.tcp", json_pack("{s:s, s:i}", "host", "localhost", "port", (int)rb_json_int(ports, "echo", 0)));
    assert_true(truth(c.value, "open"));
    drop(&c);
    c = http("net.tcp", json_pack("{s:s, s:i}", "host", "127.0.0.1", "port", (int)rb_json_int(ports, "closed", 0)));
    assert_false(truth(c.value, "open"));
    assert_string_equal(rb_json_str(c.value, "code", ""), "refused");
    drop(&c);
    c = http("net.tcp", json_pack("{s:s, s:i, s:f}", "host", "127.0.0.1", "port", (int)rb_json_int(ports, "deaf", 0),
                                  "timeout", 0.5));
    assert_string_equal(rb_json_str(c.value, "code", ""), "timeout");
    drop(&c);
    c = http("net.tcp", json_pack("{s:s, s:i}", "host", "a/b", "port", 80));
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
    c = http("net.resolve", json_pack("{s:s}", "name", "localhost"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(c.value, "addresses"), 0)), "127.0.0.1");
    drop(&c);
    c = http("net.resolve", json_pack("{s:s, s:s, s:f}", "name", "x.test", "server", "127.0.0.1:1", "timeout", 1.0));
    assert_int_equal(c.err.code, RB_EDNS);
    drop(&c);
}

/* A thousand at once, cut off in all states: nothing is left, which async_close proves. */
static void many(void **state)
{
    static struct started calls[1000];
    int64_t until = rb_clock_mono_ns() + 60000000000;
    size_t ended = 0;
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        begin(&calls[i], "http.get", json_pack("{s:s}", "url", url(i % 10 ? "echo" : "silent", "/slow?s=0.1")), true);
    }
    while (ended < 900 && rb_clock_mono_ns() < until) {
        uv_run(&loop, UV_RUN_ONCE);
        ended = 0;
        for (size_t i = 0; i < 1000; i++) {
            ended += (size_t)calls[i].call.ended;
        }
    }
    assert_int_equal(ended, 900);
    for (size_t i = 0; i < 1000; i++) {
        if (!calls[i].call.ended) {
            calls[i].cancel(&calls[i].call);
        }
        assert_int_equal(calls[i].call.ended, 1);
        assert_int_equal(calls[i].call.err.code, i % 10 ? 0 : RB_ECANCELLED);
        json_decref(calls[i].args);
        drop(&calls[i].call);
    }
}

static void loop_was_never_blocked(void **state)
{
    (void)state;
    assert_true(tick.last_ns > 0);
    if (tick.worst_ns > 2000000000 + 3 * tick.machine_ns) { /* without sanitizers and neighbours: a few ms */
        fail_msg("the loop stood still for %lld ms", (long long)(tick.worst_ns / 1000000));
    }
}

/* ---- servers ---- */

static void start_nginx(void)
{
    char config[4096], path[PATH_MAX];
    tls_port = free_port();
    expired_port = free_port();
    other_port = free_port();
    h2c_port = free_port();
    const char *const make[] = {"/bin/sh", RUNBOOK_SOURCE "/tests/bindings/certificates.sh", folder, NULL};
    assert_int_equal(run_argv(make), 0);
    (void)snprintf(
        config, sizeof config,
        "daemon off; master_process off; pid %1$s/nginx.pid; error_log stderr warn;\nevents { worker_connections 64; }\n"
        "http { access_log off; client_body_temp_path %1$s/b; proxy_temp_path %1$s/p; fastcgi_temp_path %1$s/f; uwsgi_temp_path %1$s/u;"
        " scgi_temp_path %1$s/s;\n"
        "server { listen 127.0.0.1:%2$d ssl http2; ssl_certificate %1$s/good.pem; ssl_certificate_key %1$s/good.key;"
        " location / { return 200 hello; } location /down { return 302 http://localhost:%5$d/; } }\n"
        "server { listen 127.0.0.1:%3$d ssl; ssl_certificate %1$s/expired.pem; ssl_certificate_key %1$s/expired.key; location / { return 200 hello; } }\n"
        "server { listen 127.0.0.1:%4$d ssl; ssl_certificate %1$s/other.pem; ssl_certificate_key %1$s/other.key; location / { return 200 hello; } }\n"
        "server { listen 127.0.0.1:%5$d http2; location / { return 200 hello; } } }\n",
        folder, tls_port, expired_port, other_port, h2c_port);
    (void)snprintf(path, sizeof path, "%s/nginx.conf", folder);
    put(path, config, strlen(config));
    /* It says nothing when it is ready: a shell does, once the port takes connections. */
    const char *const argv[] = {"/usr/bin/python3", RUNBOOK_SOURCE "/tests/bindings/ready.py", path, NULL};
    nginx = start_ready(argv);
}

static int start_servers(void **state)
{
    assert_int_equal(setup_dir(state), 0);
    folder = *state;
    const char *const argv[] = {"/usr/bin/python3", RUNBOOK_SOURCE "/tests/bindings/peers.py", folder, NULL};
    peers = start_ready(argv);
    char *text = slurp(in(state, "ports.json"));
    ports = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(ports);
    start_nginx();
    uv_timer_init(&loop, &tick.timer);
    tick.last_ns = 0;
    return 0;
}

static int stop_servers(void **state)
{
    end_helper(&peers);
    end_helper(&nginx);
    json_decref(ports);
    return teardown_dir(state);
}

static int watch_loop(void **state)
{
    (void)state;
    tick.last_ns = rb_clock_mono_ns();
    uv_timer_start(&tick.timer, ticked, 10, 10);
    return uv_thread_create(&tick.thread, only_sleep, NULL);
}

static int unwatch_loop(void **state)
{
    (void)state;
    uv_timer_stop(&tick.timer);
    tick.stop = true;
    return uv_thread_join(&tick.thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(requests),
        cmocka_unit_test(injection),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(writes_succeed_or_raise),
        cmocka_unit_test(redirects),
        cmocka_unit_test(writes_are_not_led_astray),
        cmocka_unit_test(retries),
        cmocka_unit_test(one_post_is_one_request),
        cmocka_unit_test_setup_teardown(hostile, watch_loop, unwatch_loop),
        cmocka_unit_test(loop_was_never_blocked),
        cmocka_unit_test(tls),
        cmocka_unit_test(tls_refused),
        cmocka_unit_test(looking),
        cmocka_unit_test(many),
    };
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL); /* as the host does */
    if (uv_loop_init(&loop) != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, start_servers, stop_servers);
    uv_close((uv_handle_t *)&tick.timer, NULL);
    return failed | async_close();
}
