/* The binding `notify`: messages to people. Its code is in the module net. */
#include "list.h"

#include <stdlib.h>

#include "base/json.h"
#include "bind.h"

#define CHANNEL RB_BIND_POS("channel", "channel", "the name of a channel in the configuration", "配置里一个渠道的名字")
#define MESSAGE \
    RB_BIND_POS( \
        "message", "any", \
        "a text, or { title, text, level = \"P0\" … \"P4\", facts = { { label, value }, … }, links = { { label, url } }, " \
        "mention = { users, mobiles, all }, event, target, dedup, thread, lang }", \
        "一段文字，或 { title, text, level = \"P0\" … \"P4\", facts = { { 名称, 值 }, … }, links = { { label, url } }, " \
        "mention = { users, mobiles, all }, event, target, dedup, thread, lang }")

static const struct rb_arg send_args[] = {CHANNEL, MESSAGE, RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg preview_args[] = {CHANNEL, MESSAGE, RB_BIND_END};

static const char *module(const json_t *args)
{
    (void)args;
    return "net";
}

/* Neither the channel's secrets nor a page of text belong into a plan. */
static char *preview(const json_t *args)
{
    const json_t *channel = json_object_get(args, "channel"), *message = json_object_get(args, "message");
    const json_t *title = json_object_get(message, "title");
    const char *name = json_is_string(channel) ? json_string_value(channel) : rb_json_str(channel, "name", "?");
    const json_t *words = title ? title : json_object_get(message, "text");
    struct rb_buf out;
    rb_buf_init(&out, 1 << 20);
    (void)rb_buf_addf(&out, "%s: %s", name, rb_text_json(json_is_string(message) ? message : words));
    return out.data ? rb_buf_take(&out) : rb_xstrdup(name);
}

static const struct rb_verb verbs[] = {
    {.name = "send",
     .effect = RB_EFFECT_WRITE,
     .args = send_args,
     .timeout = 60,
     .returns = "{ channel, kind, tries, status?, reply?, id?, merged? }",
     .en =
         "Sends a message to a channel, written notify(channel, message). What a chat calls a success is its own code, "
         "not only the HTTP status. Network errors, 429 and 5xx are tried again (after 1, 5 and 30 s, or as asked), so a "
         "message may arrive twice; a wrong signature or format is not. More than the channel takes is merged into one "
         "message. id: for thread of a later message. Errors: auth denied not_found busy status too_large timeout refused "
         "dns tls reset unreachable usage.",
     .zh =
         "向渠道发一条消息，写作 notify(channel, message)。是否成功看平台自己的返回码，不只看 HTTP 状态。网络错误、429、5xx "
         "会重试（1、5、30 秒后，或按对方要求），所以消息可能收到两次；签名或格式错误不重试。超过渠道频率的消息合并成一条。"
         "id：供后续消息的 thread 使用。错误：auth denied not_found busy status too_large timeout refused dns tls reset "
         "unreachable usage。",
     .module = module,
     .preview = preview},
    {.name = "preview",
     .effect = RB_EFFECT_READ,
     .args = preview_args,
     .returns = "{ channel, kind, url, headers, body, to? }",
     .en = "The exact request that notify would send, secrets masked; sends nothing. Errors: usage.",
     .zh = "notify 将发出的完整请求，密钥以 *** 代替；什么都不发。错误：usage。",
     .module = module,
     .preview = preview},
    {0}};

const struct rb_binding rb_binding_notify = {
    .name = "notify",
    .en = "Messages to people: Slack, Telegram, mail, WeCom, DingTalk, Feishu, PagerDuty, webhooks, the terminal.",
    .zh = "通知人：Slack、Telegram、邮件、企业微信、钉钉、飞书、PagerDuty、webhook、终端。",
    .verbs = verbs,
};
