/* Any bytes in a message, any channel: the request is valid UTF-8 (and JSON), within its limit, and holds no markup
 * that calls somebody. The first byte chooses the channel. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "notify/channel.h"

static const char *const channels[] = {
    "{\"kind\":\"slack\",\"url\":\"https://hooks.slack.com/services/x\"}",
    "{\"kind\":\"telegram\",\"token\":\"1:a\",\"chat\":\"1\"}",
    "{\"kind\":\"wecom\",\"token\":\"k\"}",
    "{\"kind\":\"wecom\",\"token\":\"k\",\"style\":\"card\"}",
    "{\"kind\":\"dingtalk\",\"token\":\"t\",\"sign\":\"SEC\"}",
    "{\"kind\":\"feishu\",\"token\":\"t\",\"sign\":\"s\"}",
    "{\"kind\":\"feishu\",\"token\":\"t\",\"card\":\"2.0\"}",
    "{\"kind\":\"pagerduty\",\"token\":\"t\"}",
    "{\"kind\":\"webhook\",\"url\":\"https://x\"}",
    "{\"kind\":\"smtp\",\"host\":\"h\",\"from\":\"a@b\",\"to\":\"c@d\"}",
    "{\"kind\":\"console\"}",
};

/* None of these can come from a text. */
static void check_markup(const struct rb_notify_kind *kind, const char *body)
{
    static const char *const slack[] = {"<!", "<@"}, *const wecom[] = {"<@", "[x]("}, *const feishu[] = {"<at"};
    bool bad = false;
    for (size_t i = 0; i < 2 && kind == &rb_notify_slack; i++) {
        const char *blocks = strstr(body, "\"mrkdwn\"");
        bad = bad || (blocks && strstr(strstr(blocks, "\"text\":"), slack[i]));
    }
    for (size_t i = 0; i < 2 && kind == &rb_notify_wecom && strstr(body, "\"markdown\""); i++) {
        bad = bad || strstr(body, wecom[i]);
    }
    if (kind == &rb_notify_feishu) {
        const char *md = strstr(body, "\"lark_md\"");
        bad = bad || (md && strstr(md, feishu[0]));
    }
    if (bad) {
        abort();
    }
}

static json_t *message_of(const uint8_t *data, size_t len)
{
    json_t *facts = json_array();
    size_t third = len / 3;
    for (size_t i = 0; i < 12; i++) {
        json_array_append_new(facts,
                              json_pack("[o, o]", rb_json_bytes(data, third / 4), rb_json_bytes(data + third, third)));
    }
    return json_pack("{s:o, s:o, s:o, s:s, s:o}", "title", rb_json_bytes(data, third + 1), "text",
                     rb_json_bytes(data, len), "facts", facts, "level", "P1", "run",
                     rb_json_bytes(data + third, third));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2) {
        return 0;
    }
    json_t *channel = json_loads(channels[data[0] % (sizeof channels / sizeof *channels)], 0, NULL);
    json_t *given = message_of(data + 1, len - 1);
    const struct rb_notify_kind *kind = rb_notify_kind(channel, NULL);
    struct rb_notify_message message;
    struct rb_notify_request request;
    struct rb_err err = {0};
    if (rb_notify_message_init(&message, given, channel, 1760000000000000, &err) == 0) {
        struct rb_notify_job job = {.message = &message, .channel = channel, .now_us = 1760000000000000, .id = "n-1"};
        if (rb_notify_render(kind, &job, &request, &err) == 0) {
            const char *body = rb_buf_str(&request.body);
            size_t size = kind->measure ? kind->measure(&request) : request.body.len;
            if (!rb_utf8_valid(body, request.body.len) || size > kind->limit || strlen(body) != request.body.len) {
                abort();
            }
            check_markup(kind, body);
            json_decref(rb_notify_shown(kind, &request));
            rb_notify_request_deinit(&request);
        }
        rb_notify_message_deinit(&message);
    }
    json_decref(given);
    json_decref(channel);
    return 0;
}
