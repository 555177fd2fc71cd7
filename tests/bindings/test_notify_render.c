/* What each channel is sent, byte for byte; the published signing vectors; limits, escaping, answers. Golden files:
 * those of tests/bindings/notify, written anew by this program with RUNBOOK_GOLDEN=1 in its environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/utf8.h"
#include "notify/channel.h"
#include "notify/mail.h"
#include "notify/sign.h"
#include "notify/text.h"

#define NOW_US 1760000000000000 /* 2025-10-09T08:53:20Z */

static const char APPROVAL[] =
    "{\"event\":\"approval.requested\",\"level\":\"P1\",\"lang\":\"zh\",\"title\":\"需要审批：结束空闲会话 4711\","
    "\"runbook\":{\"id\":\"db-locked\",\"title\":\"数据库锁等待 / 死锁\"},\"run\":\"r-7k2m9q\",\"target\":\"orders\","
    "\"facts\":[[\"表\",\"shop.orders\"],[\"堵住\",\"7 个会话\"],[\"最久\",\"95s\"]],"
    "\"text\":\"会话 4711 将被结束，未提交的修改会回滚。\","
    "\"links\":[{\"label\":\"查看并审批\",\"url\":\"https://rb.corp/a/a-31\"}],"
    "\"mention\":{\"users\":[\"wangwu\"]},\"dedup\":\"db-locked/idle-blocker/4711\",\"at\":\"2025-10-09T08:53:20Z\"}";

/* Everything that means something to one of them. */
static const char HOSTILE[] =
    "{\"level\":\"P2\",\"lang\":\"en\",\"title\":\"<!channel> @all <@wangwu> *b* [x](http://e.vil) `c` # _i_ & \\u202e\\u0007\\r\\nBcc: a@b\","
    "\"facts\":[[\"<at id=all></at>\",\"<@U1> </code><b>x</b> **y**\\nline > two\"]],"
    "\"text\":\"@everyone <font color=\\\"warning\\\">x</font> ![p](http://e.vil/p.png)\\n.\\n# h\\r\\n> q <!here> <at id=all></at>\"}";

static const struct {
    const char *name, *channel, *message;
} goldens[] = {
    {"slack", "{\"name\":\"ops\",\"kind\":\"slack\",\"url\":\"https://hooks.slack.com/services/T0/B0/XYZ\"}", APPROVAL},
    {"slack-hostile", "{\"name\":\"ops\",\"kind\":\"slack\",\"url\":\"https://hooks.slack.com/services/T0/B0/XYZ\"}",
     HOSTILE},
    {"telegram",
     "{\"name\":\"ops\",\"kind\":\"telegram\",\"token\":\"123:ABC\",\"chat\":\"-1001234567890\",\"topic\":42}",
     APPROVAL},
    {"telegram-hostile", "{\"name\":\"ops\",\"kind\":\"telegram\",\"token\":\"123:ABC\",\"chat\":\"@ops\"}", HOSTILE},
    {"wecom", "{\"name\":\"ops\",\"kind\":\"wecom\",\"token\":\"k-1\"}", APPROVAL},
    {"wecom-card", "{\"name\":\"ops\",\"kind\":\"wecom\",\"token\":\"k-1\",\"style\":\"card\"}", APPROVAL},
    {"wecom-hostile", "{\"name\":\"ops\",\"kind\":\"wecom\",\"token\":\"k-1\"}", HOSTILE},
    {"dingtalk",
     "{\"name\":\"ops\",\"kind\":\"dingtalk\",\"token\":\"t-1\",\"sign\":"
     "\"SECexample0000000000000000000000000000000000000000000000000000000001\"}",
     APPROVAL},
    {"dingtalk-card", "{\"name\":\"ops\",\"kind\":\"dingtalk\",\"token\":\"t-1\",\"style\":\"card\"}", APPROVAL},
    {"dingtalk-hostile", "{\"name\":\"ops\",\"kind\":\"dingtalk\",\"token\":\"t-1\",\"keyword\":\"告警\"}", HOSTILE},
    {"feishu", "{\"name\":\"ops\",\"kind\":\"feishu\",\"token\":\"id-1\",\"sign\":\"example-feishu-secret\"}",
     APPROVAL},
    {"feishu-2",
     "{\"name\":\"ops\",\"kind\":\"feishu\",\"url\":\"https://open.feishu.cn/open-apis/bot/v2/hook/id-1?x=1\",\"card\":\"2.0\"}",
     APPROVAL},
    {"feishu-hostile", "{\"name\":\"ops\",\"kind\":\"feishu\",\"token\":\"id-1\"}", HOSTILE},
    {"pagerduty", "{\"name\":\"ops\",\"kind\":\"pagerduty\",\"token\":\"0123456789abcdef0123456789abcdef\"}", APPROVAL},
    {"webhook",
     "{\"name\":\"ops\",\"kind\":\"webhook\",\"url\":\"https://corp.example/hook?key=s\",\"sign\":"
     "\"whsec_cnVuYm9vay1leGFtcGxlLWtleS0zMi1ieXRlcy1sbmc=\",\"headers\":{\"Authorization\":\"Bearer s\"}}",
     APPROVAL},
    {"smtp",
     "{\"name\":\"ops\",\"kind\":\"smtp\",\"host\":\"smtp.corp.cn\",\"port\":465,\"from\":\"运维 Runbook <runbook@corp.cn>\","
     "\"to\":[\"dba-oncall@corp.cn\",\"Ops <ops@corp.cn>\"]}",
     APPROVAL},
    {"smtp-hostile",
     "{\"name\":\"ops\",\"kind\":\"smtp\",\"host\":\"smtp.corp.cn\",\"from\":\"runbook@corp.cn\",\"to\":\"a@corp.cn\"}",
     HOSTILE},
    {"console", "{\"name\":\"console\",\"kind\":\"console\"}", APPROVAL},
};

struct made {
    struct rb_notify_message message;
    struct rb_notify_request request;
    const struct rb_notify_kind *kind;
    json_t *channel;
};

static json_t *parsed(const char *text)
{
    struct rb_err err = {0};
    json_t *value = rb_json_parse(text, strlen(text), &err);
    if (!value) {
        fail_msg("%s: %s", text, err.text);
    }
    return value;
}

static int try_make(struct made *out, const char *channel, const json_t *message, struct rb_err *err)
{
    struct rb_notify_job job = {.message = &out->message, .now_us = NOW_US, .id = "evt_01J9ZQ"};
    memset(out, 0, sizeof *out);
    out->channel = parsed(channel);
    job.channel = out->channel;
    out->kind = rb_notify_kind(out->channel, err);
    int rc = out->kind ? rb_notify_message_init(&out->message, message, out->channel, NOW_US, err) : RB_EUSAGE;
    return rc ? rc : rb_notify_render(out->kind, &job, &out->request, err);
}

static void unmake(struct made *out)
{
    rb_notify_request_deinit(&out->request);
    rb_notify_message_deinit(&out->message);
    json_decref(out->channel);
}

static struct made make(const char *channel, const char *message)
{
    struct made out;
    struct rb_err err = {0};
    json_t *value = parsed(message);
    int rc = try_make(&out, channel, value, &err);
    json_decref(value);
    if (rc != 0) {
        fail_msg("%s: %s", channel, err.text);
    }
    return out;
}

/* ---- golden files ---- */

/* What goes out: the address, the headers, and the body as it is; a JSON body is shown as JSON. */
static char *golden_text(const struct made *m)
{
    json_t *body = m->request.payload ? json_incref(m->request.payload) : json_string(rb_buf_str(&m->request.body));
    json_t *all = json_pack("{s:s, s:s, s:O, s:o}", "url", rb_buf_str(&m->request.url), "shown",
                            rb_buf_str(&m->request.shown), "headers", m->request.headers, "body", body);
    char *compact = m->request.payload ? json_dumps(m->request.payload, JSON_COMPACT) : NULL;
    if (compact) {
        assert_string_equal(compact, rb_buf_str(&m->request.body));
    }
    char *text = json_dumps(all, JSON_INDENT(1));
    free(compact);
    json_decref(all);
    return text;
}

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        char path[512];
        struct made m = make(goldens[i].channel, goldens[i].message);
        char *text = golden_text(&m);
        (void)snprintf(path, sizeof path, "%s/tests/bindings/notify/%s.json", RUNBOOK_SOURCE, goldens[i].name);
        if (getenv("RUNBOOK_GOLDEN")) {
            FILE *f = fopen(path, "w");
            assert_non_null(f);
            (void)fprintf(f, "%s\n", text);
            (void)fclose(f);
        }
        struct rb_buf golden;
        rb_buf_init(&golden, 1 << 20);
        FILE *f = fopen(path, "r");
        char part[4096];
        assert_non_null(f);
        for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;) {
            assert_int_equal(rb_buf_add(&golden, part, n), 0);
        }
        (void)fclose(f);
        assert_true(golden.len > 1);
        golden.data[golden.len - 1] = '\0'; /* the last line end */
        if (strcmp(golden.data, text) != 0) {
            fail_msg("%s is not\n%s", goldens[i].name, text);
        }
        rb_buf_deinit(&golden);
        free(text);
        unmake(&m);
    }
}

/* ---- signatures ---- */

static void test_published_vectors(void **state)
{
    (void)state;
    char *ding =
        rb_notify_sign_dingtalk("SECexample0000000000000000000000000000000000000000000000000000000001", 1760000000000);
    assert_string_equal(ding, "3PgYugeNjbkwKfh+IoK7aufl7hAX8i5C7UTxHv7jH5g=");
    free(ding);
    char *feishu = rb_notify_sign_feishu("example-feishu-secret", 1760000000);
    assert_string_equal(feishu, "kzJqrKPd5UsGzvuunEHAs2nT90l6cdLT3E7tf/WUJdQ=");
    free(feishu);
    struct rb_buf body;
    struct rb_err err = {0};
    rb_buf_init(&body, 1000);
    rb_buf_adds(
        &body,
        "{\"type\":\"run.finished\",\"timestamp\":\"2025-10-09T08:53:20Z\",\"data\":{\"run\":\"r-7K2M\",\"status\":\"fixed\"}}");
    assert_int_equal(body.len, 99);
    char *hook = rb_notify_sign_webhook("whsec_cnVuYm9vay1leGFtcGxlLWtleS0zMi1ieXRlcy1sbmc=", "evt_01J9ZQ", 1760000000,
                                        &body, &err);
    assert_non_null(hook);
    assert_string_equal(hook, "v1,h6pcGmRQBO/JHjxZzcirqpn/1E1kEnF21u1e05uP1TA=");
    free(hook);
    assert_null(rb_notify_sign_webhook("secret", "x", 1, &body, &err));
    assert_null(rb_notify_sign_webhook("whsec_", "x", 1, &body, &err));
    rb_buf_deinit(&body);
}

static void test_dingtalk_signature_is_encoded_once(void **state)
{
    (void)state;
    struct made m = make(goldens[7].channel, APPROVAL);
    assert_non_null(strstr(rb_buf_str(&m.request.url),
                           "&timestamp=1760000000000&sign=3PgYugeNjbkwKfh%2BIoK7aufl7hAX8i5C7UTxHv7jH5g%3D"));
    assert_null(strstr(rb_buf_str(&m.request.shown), "3PgY"));
    assert_null(strstr(rb_buf_str(&m.request.shown), "t-1"));
    unmake(&m);
}

static void test_no_secret_is_shown(void **state)
{
    (void)state;
    static const char *const secrets[] = {"XYZ",   "123:ABC", "k-1",        "t-1",  "id-1", "0123456789abcdef",
                                          "key=s", "Bearer",  "SECexample", "kzJqr"};
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        struct made m = make(goldens[i].channel, APPROVAL);
        json_t *shown = rb_notify_shown(m.kind, &m.request);
        char *text = json_dumps(shown, 0);
        for (size_t k = 0; k < sizeof secrets / sizeof *secrets; k++) {
            if (strstr(text, secrets[k])) {
                fail_msg("%s shows %s: %s", goldens[i].name, secrets[k], text);
            }
        }
        free(text);
        json_decref(shown);
        unmake(&m);
    }
}

/* ---- limits ---- */

static json_t *huge(const char *piece, size_t times)
{
    struct rb_buf text;
    rb_buf_init(&text, 64 << 20);
    for (size_t i = 0; i < times; i++) {
        assert_int_equal(rb_buf_adds(&text, piece), 0);
    }
    json_t *facts = json_array();
    for (int i = 0; i < 60; i++) {
        json_array_append_new(facts, json_pack("[s, s]", rb_buf_str(&text), rb_buf_str(&text)));
    }
    json_t *message = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:[{s:s, s:s}], s:{s:[s]}}", "title", rb_buf_str(&text),
                                "text", rb_buf_str(&text), "facts", facts, "run", rb_buf_str(&text), "target",
                                rb_buf_str(&text), "dedup", rb_buf_str(&text), "links", "label", rb_buf_str(&text),
                                "url", "https://rb.corp/x", "mention", "users", "wangwu");
    rb_buf_deinit(&text);
    assert_non_null(message);
    return message;
}

static void test_everything_fits(void **state)
{
    (void)state;
    static const char *const pieces[] = {"数据库锁", "\n",   "<&>\"*[]`", "\xf0\x9f\x94\xa5",
                                         "a ",       "\\\"", "\x01",      "@x "};
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        for (size_t times = 10; times <= 40000; times *= 20) {
            json_t *message = huge(pieces[k], times);
            for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
                struct made m;
                struct rb_err err = {0};
                int rc = try_make(&m, goldens[i].channel, message, &err);
                if (rc != 0) {
                    fail_msg("%s, %zu times \"%s\": %s", goldens[i].name, times, pieces[k], err.text);
                }
                size_t size = m.kind->measure ? m.kind->measure(&m.request) : m.request.body.len;
                if (size > m.kind->limit || !rb_utf8_valid(rb_buf_str(&m.request.body), m.request.body.len)) {
                    fail_msg("%s, %zu times \"%s\": %zu of %zu", goldens[i].name, times, pieces[k], size,
                             m.kind->limit);
                }
                unmake(&m);
            }
            json_decref(message);
        }
    }
}

static void test_cut_says_how_much(void **state)
{
    (void)state;
    struct rb_buf out;
    rb_buf_init(&out, 1000);
    rb_notify_put(&out, "数据库<锁", rb_notify_mrkdwn, 3);
    assert_string_equal(rb_buf_str(&out), "数据库… (+2)");
    rb_buf_clear(&out);
    rb_notify_put(&out, "a<b", rb_notify_mrkdwn, 3);
    assert_string_equal(rb_buf_str(&out), "a&lt;b");
    rb_buf_deinit(&out);
}

/* ---- bad input ---- */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *channel, *message, *words;
    } rows[] = {
        {"{\"kind\":\"fax\"}", "\"x\"", "there are: console slack"},
        {"{\"name\":\"a\",\"kind\":\"slack\"}", "\"x\"", "channel a: url is not set"},
        {"{\"kind\":\"console\"}", "{\"titel\":\"x\"}", "did you mean \"title\""},
        {"{\"kind\":\"console\"}", "\"\"", "needs a title"},
        {"{\"kind\":\"console\"}", "{\"title\":\"x\",\"level\":\"high\"}", "P0 P1"},
        {"{\"kind\":\"console\"}", "{\"title\":\"x\",\"facts\":{\"a\":\"b\"}}", "list of"},
        {"{\"kind\":\"console\"}", "{\"title\":\"x\",\"links\":[{\"url\":\"javascript:alert(1)\"}]}", "http://"},
        {"{\"kind\":\"console\"}", "{\"title\":\"x\",\"links\":[{\"url\":\"https://a/) [x](https://b\"}]}", "http://"},
        {"{\"kind\":\"console\"}", "{\"title\":\"x\",\"mention\":{\"users\":[\"a> <@all\"]}}", "mention"},
        {"{\"kind\":\"telegram\",\"token\":\"1/../x\",\"chat\":1}", "\"x\"", "token"},
        {"{\"kind\":\"pagerduty\",\"token\":\"k\"}", "{\"title\":\"x\",\"event\":\"fix.verified\"}", "dedup"},
        {"{\"kind\":\"smtp\",\"host\":\"h\",\"from\":\"a@b\\r\\nBcc: c@d\",\"to\":\"a@b\"}", "\"x\"", "mail address"},
        {"{\"kind\":\"smtp\",\"host\":\"h\",\"from\":\"a@b\",\"to\":\"a@b, c@d\"}", "\"x\"", "mail address"},
        {"{\"kind\":\"smtp\",\"host\":\"h\",\"from\":\"a@b\",\"to\":[]}", "\"x\"", "1 to 50"},
        {"{\"kind\":\"wecom\",\"token\":\"k\",\"mention\":[\"a b\"]}", "\"x\"", "mention"},
        {"{\"kind\":\"webhook\",\"url\":\"https://a\",\"sign\":\"plain\"}", "\"x\"", "whsec_"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made m;
        struct rb_err err = {0};
        json_t *message = parsed(rows[i].message);
        assert_int_equal(try_make(&m, rows[i].channel, message, &err), RB_EUSAGE);
        if (!strstr(err.text, rows[i].words)) {
            fail_msg("%s %s: %s", rows[i].channel, rows[i].message, err.text);
        }
        json_decref(message);
        unmake(&m);
    }
}

static void test_a_text_is_enough(void **state)
{
    (void)state;
    struct made m = make("{\"kind\":\"console\"}", "\"first line\\nsecond\"");
    assert_string_equal(rb_buf_str(&m.request.body), "first line\nsecond\n");
    unmake(&m);
    m = make("{\"kind\":\"console\"}",
             "{\"title\":{\"zh\":\"坏了\",\"en\":\"broken\"},\"lang\":\"zh\",\"facts\":[[\"n\",7]]}");
    assert_string_equal(rb_buf_str(&m.request.body), "坏了\n  n: 7\n");
    unmake(&m);
}

static void test_mail_headers(void **state)
{
    (void)state;
    struct rb_buf out;
    rb_buf_init(&out, 1 << 20);
    rb_mail_header(&out, "Subject", "a\r\nBcc: x@y");
    assert_string_equal(rb_buf_str(&out), "Subject: =?UTF-8?B?YQ0KQmNjOiB4QHk=?=\r\n");
    rb_buf_clear(&out);
    rb_mail_header(&out, "Subject", "数据库锁等待数据库锁等待数据库锁等待数据库锁等待数据库锁等待数据库锁等待");
    for (char *line = out.data; *line;) {
        char *end = strstr(line, "\r\n");
        assert_non_null(end);
        assert_true(end - line <= 76 + 8);
        line = end + 2;
    }
    rb_buf_deinit(&out);
}

static void test_the_channel_names_people(void **state)
{
    (void)state;
    struct made m =
        make("{\"kind\":\"wecom\",\"token\":\"k\",\"lang\":\"zh\",\"mention\":[\"wangwu\",\"13800000000\",\"all\"]}",
             "{\"title\":{\"zh\":\"坏了\",\"en\":\"broken\"}}");
    assert_string_equal(rb_buf_str(&m.request.body),
                        "{\"msgtype\":\"text\",\"text\":{\"content\":\"坏了\",\"mentioned_list\":[\"wangwu\",\"@all\"],"
                        "\"mentioned_mobile_list\":[\"13800000000\"]}}");
    unmake(&m);
}

static void test_digest(void **state)
{
    (void)state;
    struct made a =
        make("{\"kind\":\"console\"}", "{\"title\":\"one\",\"level\":\"P3\",\"mention\":{\"users\":[\"u1\"]}}");
    struct made b =
        make("{\"kind\":\"console\"}",
             "{\"title\":\"two\",\"level\":\"P1\",\"run\":\"r-1\",\"mention\":{\"users\":[\"u1\",\"u2\"]}}");
    const struct rb_notify_message *both[] = {&a.message, &b.message};
    struct rb_notify_message digest;
    assert_int_equal(rb_notify_message_merge(&digest, both, 2), 0);
    assert_string_equal(digest.title, "2 messages");
    assert_string_equal(digest.level, "P1");
    assert_string_equal(digest.text, "- [P3] one\n- [P1] two (r-1)\n");
    assert_int_equal(json_array_size(digest.users), 2);
    rb_notify_message_deinit(&digest);
    unmake(&a);
    unmake(&b);
}

/* ---- answers ---- */

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        long status;
        const char *body;
        enum rb_notify_fate fate;
        int code;
        double wait;
    } rows[] = {
        {"slack", 200, "ok", RB_NOTIFY_OK, 0, 0},
        {"slack", 200, "<html>", RB_NOTIFY_FINAL, RB_ESTATUS, 0},
        {"slack", 400, "invalid_payload", RB_NOTIFY_FINAL, RB_ESTATUS, 0},
        {"slack", 404, "no_service", RB_NOTIFY_FINAL, RB_ENOT_FOUND, 0},
        {"slack", 429, "", RB_NOTIFY_AGAIN, RB_EBUSY, 7},
        {"slack", 503, "x", RB_NOTIFY_AGAIN, RB_ESTATUS, 7},
        {"telegram", 200, "{\"ok\":true,\"result\":{\"message_id\":9}}", RB_NOTIFY_OK, 0, 0},
        {"telegram", 429, "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":3}}", RB_NOTIFY_AGAIN,
         RB_EBUSY, 3},
        {"telegram", 401, "{\"ok\":false,\"description\":\"Unauthorized\"}", RB_NOTIFY_FINAL, RB_EAUTH, 0},
        {"wecom", 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", RB_NOTIFY_OK, 0, 0},
        {"wecom", 200, "{\"errcode\":45009,\"errmsg\":\"api freq\"}", RB_NOTIFY_AGAIN, RB_EBUSY, 0},
        {"wecom", 200, "{\"errcode\":40058,\"errmsg\":\"exceed\"}", RB_NOTIFY_FINAL, RB_ETOO_LARGE, 0},
        {"wecom", 200, "{\"errcode\":93000,\"errmsg\":\"bad key\"}", RB_NOTIFY_FINAL, RB_EAUTH, 0},
        {"wecom", 200, "", RB_NOTIFY_FINAL, RB_ESTATUS, 0},
        {"dingtalk", 200, "{\"errcode\":0}", RB_NOTIFY_OK, 0, 0},
        {"dingtalk", 200, "{\"errcode\":310000,\"errmsg\":\"sign not match\"}", RB_NOTIFY_FINAL, RB_EAUTH, 0},
        {"dingtalk", 200, "{\"errcode\":130101,\"errmsg\":\"send too fast\"}", RB_NOTIFY_AGAIN, RB_EBUSY, 0},
        {"feishu", 200, "{\"code\":0,\"msg\":\"success\"}", RB_NOTIFY_OK, 0, 0},
        {"feishu", 200, "{\"StatusCode\":0,\"StatusMessage\":\"success\"}", RB_NOTIFY_OK, 0, 0},
        {"feishu", 200, "{\"code\":19021,\"msg\":\"sign match fail\"}", RB_NOTIFY_FINAL, RB_EAUTH, 0},
        {"feishu", 200, "{\"code\":11232,\"msg\":\"frequency limited\"}", RB_NOTIFY_AGAIN, RB_EBUSY, 0},
        {"pagerduty", 202, "{\"status\":\"success\",\"dedup_key\":\"k\"}", RB_NOTIFY_OK, 0, 0},
        {"pagerduty", 200, "{}", RB_NOTIFY_FINAL, RB_ESTATUS, 0},
        {"webhook", 204, "", RB_NOTIFY_OK, 0, 0},
        {"webhook", 302, "", RB_NOTIFY_FINAL, RB_ESTATUS, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *channel = json_pack("{s:s}", "kind", rows[i].kind);
        struct rb_notify_reply reply = {
            .status = rows[i].status, .body = rows[i].body, .len = strlen(rows[i].body), .retry_after = 7};
        struct rb_notify_verdict verdict;
        rb_notify_judge(rb_notify_kind(channel, NULL), &reply, &verdict);
        if (verdict.fate != rows[i].fate || verdict.why.code != rows[i].code ||
            (int)verdict.wait != (int)rows[i].wait) {
            fail_msg("row %zu: fate %d code %s wait %g: %s", i, verdict.fate, rb_err_name(verdict.why.code),
                     verdict.wait, verdict.why.text);
        }
        json_decref(channel);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_no_secret_is_shown),
        cmocka_unit_test(test_dingtalk_signature_is_encoded_once),
        cmocka_unit_test(test_everything_fits),
        cmocka_unit_test(test_cut_says_how_much),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_text_is_enough),
        cmocka_unit_test(test_mail_headers),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_the_channel_names_people),
    };
    (void)setenv("TZ", "Asia/Shanghai", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
