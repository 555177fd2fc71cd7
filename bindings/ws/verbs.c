/* The binding `ws`: WebSockets. Its code is in the module net. */
#include "list.h"

#include <stdlib.h>

#include "base/json.h"
#include "bind.h"

static const char *module(const json_t *args)
{
    (void)args;
    return "net";
}

static char *preview(const json_t *args)
{
    const json_t *to = json_object_get(args, "url"), *one;
    struct rb_buf out;
    size_t i;
    rb_buf_init(&out, 1 << 20);
    (void)rb_buf_adds(&out, json_is_string(to) ? json_string_value(to)
                                               : rb_json_str(to, "name", rb_json_str(to, "url", "?")));
    json_array_foreach(json_object_get(args, "send"), i, one) {
        char *text = rb_json_canonical(one);
        (void)rb_buf_addf(&out, " %s", text ? text : "?");
        free(text);
    }
    return rb_buf_take(&out);
}

#define COMMON \
    RB_BIND_POS("url", "connection", "ws:// or wss:// address, or a connection of the configuration", \
                "ws:// 或 wss:// 地址，或配置里的连接名"), \
        RB_BIND_OPT("headers", "map", "name = value, sent when it opens", "打开时的请求头：名 = 值"), \
        RB_BIND_OPT("protocols", "list(string)", "subprotocols to offer; the server may choose one of them only", \
                    "提供的子协议；服务器只能选其中一个"), \
        RB_BIND_OPT("receive", "int", "ends after so many messages, default 0", "收到几条后结束，默认 0"), \
        RB_BIND_OPT("until", "string", "ends with the first message that holds this text", \
                    "收到含有这段文字的消息后结束"), \
        RB_BIND_OPT("listen", "duration", "ends after this time at the latest, whatever came", \
                    "最多听多久，到时即结束"), \
        RB_BIND_OPT("ping", "bool", "sends a ping and waits for its pong too; default false", \
                    "发 ping 并等待 pong；默认 false"), \
        RB_BIND_TIMEOUT
#define SEND \
    RB_BIND_OPT("send", "list", "messages: texts, or { binary = bytes }", "要发的消息：文字，或 { binary = 字节 }")
#define RETURNS "{ ok, status, messages, close?, protocol?, pongs, ms, timing }"

static const struct rb_arg read_args[] = {COMMON, RB_BIND_END};
static const struct rb_arg send_args[] = {COMMON, SEND, RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "read",
     .effect = RB_EFFECT_READ,
     .args = read_args,
     .returns = RETURNS,
     .en =
         "Opens a WebSocket, sends no message, and listens. ok: what was asked for came; status: 101, or what the server said "
         "instead; close = { code, reason } when the other side closed, code 1006 when it broke. "
         "Errors: refused timeout dns tls reset unreachable too_large usage.",
     .zh =
         "打开 WebSocket，不发消息，只听。ok：要求的都收到了；status：101，或服务器的其他回答；close = { code, reason }：对方关闭，"
         "1006 表示连接中断。错误：refused timeout dns tls reset unreachable too_large usage。",
     .module = module,
     .preview = preview},
    {.name = "probe",
     .effect = RB_EFFECT_PROBE,
     .args = send_args,
     .returns = RETURNS,
     .en = "A dialogue that leaves nothing behind on the other side, a subscription for example. Otherwise like read.",
     .zh = "不会在对方留下改动的对话，例如订阅。其余同 read。",
     .module = module,
     .preview = preview},
    {.name = "send",
     .effect = RB_EFFECT_WRITE,
     .args = send_args,
     .returns = RETURNS,
     .en =
         "A whole dialogue as one call: open, send, hear what was asked for, close. It raises unless all of that came. "
         "Errors: as read, and status.",
     .zh = "一次调用完成整个对话：打开、发送、收到要求的消息、关闭。没有全部收到就报错。错误：同 read，另有 status。",
     .module = module,
     .preview = preview},
    {0}};

const struct rb_binding rb_binding_ws = {
    .name = "ws",
    .en = "WebSockets, a dialogue a call.",
    .zh = "WebSocket，一次调用一个对话。",
    .verbs = verbs,
};
