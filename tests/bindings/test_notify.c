/* notify over the network: vendors as their documents describe them (peers/chat.py checks the signatures), and a real
 * SMTP server. What is sent, tried again, merged, and told when it fails. */
#include "peer.h"

static struct peer chat;

static json_t *channel(const char *kind, const char *path, const char *more)
{
    char url[200];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/%s", (int)rb_json_int(chat.ready, "port", 0), path);
    json_t *c = json_loads(more ? more : "{}", 0, NULL);
    assert_non_null(c);
    json_object_set_new(c, "name", json_string("ops"));
    json_object_set_new(c, "kind", json_string(kind));
    json_object_set_new(c, "url", json_string(url));
    return c;
}

static json_t *args_of(json_t *to, const char *title, double timeout)
{
    return json_pack("{s:o, s:{s:s, s:s}, s:f}", "channel", to, "message", "title", title, "text", "正文 <@all>",
                     "timeout", timeout);
}

static struct rb_call notify(json_t *to, const char *title, double timeout)
{
    return run_call("notify.send", args_of(to, title, timeout), false, 0);
}

static void assert_ok(struct rb_call *c, const char *kind)
{
    if (c->err.code) {
        fail_msg("%s: %s %s", kind, rb_err_name(c->err.code), c->err.text);
    }
    assert_string_equal(rb_json_str(c->value, "kind", ""), kind);
}

static void every_vendor_takes_it(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *path, *more, *id;
    } rows[] = {
        {"slack", "slack/ok", NULL, NULL},
        {"telegram", "", "{\"token\":\"123:ABC\",\"chat\":\"-100\"}", "77"},
        {"wecom", "wecom/ok?key=k", NULL, NULL},
        {"dingtalk", "dingtalk/ok?access_token=t", "{\"sign\":\"SECtest\"}", NULL},
        {"feishu", "feishu/ok", "{\"sign\":\"feishu-test\"}", NULL},
        {"pagerduty", "pagerduty/ok", "{\"token\":\"r\"}", "d"},
        {"webhook", "webhook/ok", "{\"sign\":[\"whsec_MTIz\",\"whsec_MDEyMzQ1Njc4OWFiY2RlZg==\"]}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rb_call c = notify(channel(rows[i].kind, rows[i].path, rows[i].more), "标题", 20);
        assert_ok(&c, rows[i].kind);
        json_t *seen = peer_line(&chat);
        assert_int_equal(rb_json_int(c.value, "tries", 0), 1);
        assert_non_null(strstr(rb_json_str(seen, "body", ""), "标题"));
        assert_string_equal(rb_json_str(json_object_get(seen, "headers"), "content-type", ""),
                            "application/json; charset=utf-8");
        if (rows[i].id) {
            assert_string_equal(rb_json_str(c.value, "id", ""), rows[i].id);
        }
        json_decref(seen);
        drop(&c);
    }
}

static void what_is_shown_is_what_is_sent(void **state)
{
    (void)state;
    json_t *to = channel("slack", "slack/ok", NULL);
    struct rb_call shown =
        run_call("notify.preview", json_pack("{s:O, s:s}", "channel", to, "message", "hello"), true, 0);
    assert_int_equal(shown.err.code, 0);
    assert_false(peer_says(&chat, 200)); /* nothing was sent */
    struct rb_call c = run_call("notify.send", json_pack("{s:o, s:s}", "channel", to, "message", "hello"), false, 0);
    assert_ok(&c, "slack");
    json_t *seen = peer_line(&chat);
    assert_string_equal(rb_json_str(shown.value, "body", ""), rb_json_str(seen, "body", "?"));
    json_decref(seen);
    drop(&shown);
    drop(&c);
}

static void it_is_tried_again(void **state)
{
    (void)state;
    int64_t since = rb_clock_mono_ns();
    struct rb_call c = notify(channel("slack", "slack/limited", NULL), "x", 30);
    assert_ok(&c, "slack");
    assert_int_equal(rb_json_int(c.value, "tries", 0), 3);
    assert_true(rb_clock_mono_ns() - since > 1900000000); /* twice the second it asked for */
    for (int i = 0; i < 3; i++) {
        json_decref(peer_line(&chat));
    }
    drop(&c);
    c = notify(channel("webhook", "webhook/reset", "{\"sign\":\"whsec_MDEyMzQ1Njc4OWFiY2RlZg==\"}"), "x", 30);
    assert_ok(&c, "webhook");
    assert_int_equal(rb_json_int(c.value, "tries", 0), 2);
    json_t *first = peer_line(&chat), *second = peer_line(&chat);
    assert_string_equal(rb_json_str(json_object_get(first, "headers"), "webhook-id", "a"),
                        rb_json_str(json_object_get(second, "headers"), "webhook-id", "b"));
    json_decref(first);
    json_decref(second);
    drop(&c);
}

static void it_is_not_tried_again(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *path, *more;
        int code;
        const char *words, *hint;
    } rows[] = {
        {"slack", "slack/gone", NULL, RB_ENOT_FOUND, "no_service", NULL},
        {"dingtalk", "dingtalk/ok?access_token=SECRET", "{\"sign\":\"SECwrong\"}", RB_EAUTH, "310000 sign not match",
         "security settings"},
        {"dingtalk", "dingtalk/clock", NULL, RB_EAUTH, "invalid timestamp", "clock differs"},
        {"feishu", "feishu/ok", "{\"sign\":\"wrong\"}", RB_EAUTH, "19021", "clock"},
        {"webhook", "webhook/ok", NULL, RB_EAUTH, "401", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rb_call c = notify(channel(rows[i].kind, rows[i].path, rows[i].more), "x", 20);
        assert_int_equal(c.err.code, rows[i].code);
        assert_non_null(strstr(c.err.text, rows[i].words));
        assert_null(strstr(c.err.text, "SECRET"));
        assert_true(!rows[i].hint || strstr(c.err.hint, rows[i].hint));
        json_decref(peer_line(&chat));
        assert_false(peer_says(&chat, 50));
        drop(&c);
    }
}

/* It ends by itself before the deadline, so that the engine need not call it unknown. */
static void the_deadline_is_kept(void **state)
{
    (void)state;
    struct rb_call c = run_call("notify.send", args_of(channel("slack", "slack/silent", NULL), "x", 2), false, 2000);
    assert_int_equal(c.err.code, RB_ETIMEOUT);
    assert_false(c.timed_out);
    json_decref(peer_line(&chat));
    drop(&c);
    int64_t since = rb_clock_mono_ns();
    c = notify(channel("slack", "slack/broken", NULL), "x", 5);
    assert_int_equal(c.err.code, RB_ESTATUS); /* no time left for the third try: told at once */
    assert_non_null(strstr(c.err.text, "oops"));
    assert_non_null(strstr(c.err.text, "tries: 2"));
    assert_true(rb_clock_mono_ns() - since < 4500000000);
    json_decref(peer_line(&chat));
    json_decref(peer_line(&chat));
    drop(&c);
    c = notify(json_pack("{s:s, s:s}", "kind", "slack", "url", "http://127.0.0.1:1/x"), "x", 3);
    assert_int_equal(c.err.code, RB_EREFUSED);
    drop(&c);
    c = run_call("notify.send", args_of(channel("slack", "slack/silent", NULL), "x", 30), false, 200);
    assert_int_equal(c.err.code, RB_ECANCELLED);
    json_decref(peer_line(&chat));
    drop(&c);
}

static void many_become_one(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    struct started calls[COUNT];
    int merged = 0, alone = 0;
    json_t *to = channel("slack", "slack/ok", "{\"note\":\"its own bucket\"}");
    for (int i = 0; i < COUNT; i++) {
        char title[20];
        (void)snprintf(title, sizeof title, "number %d", i);
        begin(&calls[i], "notify.send", args_of(json_incref(to), title, 20), false);
    }
    for (int i = 0; i < COUNT; i++) {
        finish(&calls[i]);
        assert_ok(&calls[i].call, "slack");
        merged += rb_json_int(calls[i].call.value, "merged", 0) == COUNT - 3;
        alone += !json_object_get(calls[i].call.value, "merged");
        drop(&calls[i].call);
    }
    assert_int_equal(alone, 3); /* Slack's burst */
    assert_int_equal(merged, COUNT - 3);
    int digests = 0;
    for (int i = 0; i < 4; i++) {
        json_t *seen = peer_line(&chat);
        bool digest = strstr(rb_json_str(seen, "body", ""), "9 messages");
        digests += digest;
        assert_true(!digest || strstr(rb_json_str(seen, "body", ""), "- number 11"));
        json_decref(seen);
    }
    assert_int_equal(digests, 1);
    assert_false(peer_says(&chat, 50));
    json_decref(to);
}

/* Six are one more than WeCom takes at once; the turn of a seventh is seconds away. */
static void no_turn_before_the_deadline(void **state)
{
    (void)state;
    struct started calls[6];
    json_t *to = channel("wecom", "wecom/ok?key=late", NULL);
    for (int i = 0; i < 6; i++) {
        begin(&calls[i], "notify.send", args_of(json_incref(to), "in time", 20), false);
    }
    struct rb_call late = run_call("notify.send", args_of(to, "too late", 0.2), false, 0);
    assert_int_equal(late.err.code, RB_EBUSY);
    drop(&late);
    for (int i = 0; i < 6; i++) {
        finish(&calls[i]);
        assert_ok(&calls[i].call, "wecom");
        drop(&calls[i].call);
        json_decref(peer_line(&chat));
    }
}

static void without_anything_the_terminal(void **state)
{
    (void)state;
    struct rb_call c = notify(json_pack("{s:s}", "kind", "console"), "hello", 5);
    assert_ok(&c, "console");
    assert_true(c.live[1] > 10);
    drop(&c);
}

static void bad_input_is_told_at_once(void **state)
{
    (void)state;
    struct rb_call c = run_call("notify.send", json_pack("{s:s, s:s}", "channel", "ops", "message", "x"), false, 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
    c = run_call("notify.send", json_pack("{s:{s:s}, s:s}", "channel", "kind", "slack", "message", "x"), false, 0);
    assert_int_equal(c.err.code, RB_EUSAGE);
    drop(&c);
}

/* ---- mail ---- */

static char folder[] = "/tmp/runbook-test-notify-XXXXXX";

static json_t *mailbox(const struct peer *mail, const char *mode, const char *password, const char *to)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:{s:s, s:s}, s:s, s:s, s:s, s:[s]}", "name", "mail", "kind", "smtp", "host",
                     "localhost", "port", (json_int_t)rb_json_int(mail->ready, "port", 0), "tls", "mode", mode, "ca",
                     rb_json_str(mail->ready, "ca", ""), "user", "ops", "password", password, "from",
                     "运维 <runbook@corp.cn>", "to", to);
}

static const char *header(const json_t *mail, const char *name)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(mail, "headers"), i, one) {
        if (strcmp(json_string_value(json_array_get(one, 0)), name) == 0) {
            return json_string_value(json_array_get(one, 1));
        }
    }
    fail_msg("no %s", name);
    return "";
}

static void mail_arrives_whole(const char *server_mode, const char *mode)
{
    struct peer server = peer_python("mail.py", server_mode, folder);
    json_t *message =
        json_pack("{s:s, s:s, s:s, s:[[s, s]], s:s, s:s, s:[{s:s}]}", "lang", "zh", "level", "P1", "title",
                  "数据库锁等待：会话 4711 堵住了 7 个会话，需要马上审批。Bcc: x@y", "facts", "表", "shop.orders <b>",
                  "text", "first\n.\n..two\n.", "run", "r-7k2m9q", "links", "url", "https://rb.corp/a");
    json_t *box = mailbox(&server, mode, "s3cret pass", "dba@corp.cn");
    if (strcmp(server_mode, "tls") == 0) { /* from the first byte, as on port 465 */
        char url[64];
        (void)snprintf(url, sizeof url, "smtps://localhost:%d", (int)rb_json_int(server.ready, "port", 0));
        json_object_set_new(box, "url", json_string(url));
    }
    json_t *args = json_pack("{s:o, s:o, s:i}", "channel", box, "message", message, "timeout", 20);
    struct rb_call c = run_call("notify.send", args, false, 0);
    assert_ok(&c, "smtp");
    json_t *mail = peer_line(&server), *parts = json_object_get(mail, "parts");
    assert_int_equal(json_is_true(json_object_get(mail, "tls")), strcmp(mode, "off") != 0);
    assert_true(json_is_true(json_object_get(mail, "auth")));
    assert_string_equal(rb_json_str(mail, "from", ""), "runbook@corp.cn");
    assert_int_equal(json_array_size(json_object_get(mail, "to")), 1);
    assert_string_equal(header(mail, "Subject"),
                        "[P1] 数据库锁等待：会话 4711 堵住了 7 个会话，需要马上审批。Bcc: x@y");
    assert_string_equal(header(mail, "From"), "运维 <runbook@corp.cn>");
    assert_string_equal(header(mail, "References"), "<r-7k2m9q.0@corp.cn>");
    assert_string_equal(header(mail, "Auto-Submitted"), "auto-generated");
    assert_non_null(strstr(rb_json_str(parts, "text/plain", ""), "first\r\n.\r\n..two\r\n.\r\n"));
    assert_non_null(strstr(rb_json_str(parts, "text/html", ""), "shop.orders &lt;b&gt;"));
    for (const char *line = rb_json_str(mail, "raw", ""), *end; (end = strstr(line, "\r\n")); line = end + 2) {
        assert_true(end - line <= 100); /* far below 998 */
    }
    json_decref(mail);
    drop(&c);
    (void)unlink(rb_json_str(server.ready, "ca", ""));
    peer_stop(&server);
}

static void mail_by_starttls(void **state)
{
    (void)state;
    mail_arrives_whole("starttls", "verify");
}

static void mail_without_tls(void **state)
{
    (void)state;
    mail_arrives_whole("plain", "off");
}

static void mail_by_tls(void **state)
{
    (void)state;
    mail_arrives_whole("tls", "verify");
}

static void mail_is_refused(void **state)
{
    (void)state;
    struct peer server = peer_python("mail.py", "starttls", folder);
    static const struct {
        const char *mode, *password, *to;
        int code, tries;
    } rows[] = {
        {"verify", "wrong", "a@corp.cn", RB_EAUTH, 1},
        {"require", "s3cret pass", "nobody@corp.cn", RB_ESTATUS, 1},
        {"verify", "s3cret pass", "later@corp.cn", RB_EUNREACHABLE, 2},
        {"off", "s3cret pass", "a@corp.cn", RB_EAUTH, 1}, /* the server wants STARTTLS first */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rb_call c =
            notify(mailbox(&server, rows[i].mode, rows[i].password, rows[i].to), "x", rows[i].tries > 1 ? 5 : 20);
        if (c.err.code != rows[i].code || (rows[i].tries > 1) != (strstr(c.err.text, "tries") != NULL)) {
            fail_msg("row %zu: %s %s", i, rb_err_name(c.err.code), c.err.text);
        }
        assert_null(strstr(c.err.text, "s3cret"));
        drop(&c);
    }
    json_t *stranger = mailbox(&server, "verify", "s3cret pass", "a@corp.cn");
    json_object_del(json_object_get(stranger, "tls"), "ca"); /* a certificate nobody vouches for */
    struct rb_call c = notify(stranger, "x", 20);
    assert_int_equal(c.err.code, RB_ETLS);
    drop(&c);
    assert_false(peer_says(&server, 50));
    (void)unlink(rb_json_str(server.ready, "ca", ""));
    peer_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vendor_takes_it),
        cmocka_unit_test(what_is_shown_is_what_is_sent),
        cmocka_unit_test(it_is_tried_again),
        cmocka_unit_test(it_is_not_tried_again),
        cmocka_unit_test(the_deadline_is_kept),
        cmocka_unit_test(many_become_one),
        cmocka_unit_test(no_turn_before_the_deadline),
        cmocka_unit_test(without_anything_the_terminal),
        cmocka_unit_test(bad_input_is_told_at_once),
        cmocka_unit_test(mail_by_starttls),
        cmocka_unit_test(mail_by_tls),
        cmocka_unit_test(mail_is_refused),
        cmocka_unit_test(mail_without_tls),
    };
    (void)setenv("no_proxy", "*", 1);
    uv_loop_init(&loop);
    if (!mkdtemp(folder)) {
        return 1;
    }
    chat = peer_python("chat.py", NULL, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    peer_stop(&chat);
    (void)rmdir(folder);
    return failed ? failed : async_close();
}
