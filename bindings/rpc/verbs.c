/* The binding `rpc`: JSON-RPC 2.0. Its code is in the module net. */
#include "list.h"

#include <stdlib.h>

#include "base/json.h"
#include "bind.h"

#define CONNECTION \
    RB_BIND_POS("connection", "connection", \
                "a connection of the configuration, or http(s)://, ws(s)://, tcp://, unix:// address", \
                "配置里的连接名，或 http(s)://、ws(s)://、tcp://、unix:// 地址")
#define METHOD RB_BIND_POS("method", "string", "its name", "方法名")
#define PARAMS RB_BIND_REST("params", "list", "its parameters, in order", "方法的参数，按顺序")

static const struct rb_arg method_args[] = {CONNECTION, METHOD, PARAMS, RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg batch_args[] = {
    CONNECTION, RB_BIND_POS("calls", "list", "list of { \"method\", params … }", "{ \"方法\", 参数 … } 的列表"),
    RB_BIND_TIMEOUT, RB_BIND_END};

static const char *module(const json_t *args)
{
    (void)args;
    return "net";
}

static char *preview(const json_t *args)
{
    const json_t *to = json_object_get(args, "connection"), *param;
    struct rb_buf out;
    size_t i;
    rb_buf_init(&out, 1 << 20);
    (void)rb_buf_addf(&out, "%s %s", json_is_string(to) ? json_string_value(to) : rb_json_str(to, "name", "?"),
                      rb_json_str(args, "method", "?"));
    json_array_foreach(json_object_get(args, "params"), i, param) {
        char *text = rb_json_canonical(param);
        (void)rb_buf_addf(&out, " %s", text ? text : "?");
        free(text);
    }
    return rb_buf_take(&out);
}

static const struct rb_verb verbs[] = {
    {.name = "ask",
     .effect = RB_EFFECT_READ,
     .args = method_args,
     .returns = "the result",
     .en =
         "Asks by a method that only reads: one of the known EVM and standard methods, or one that the connection declares "
         "in safe. Endpoints are tried in their order. An error of the other side raises rpc, with err.data = { code, message, "
         "data }. Integers are exact. Errors: rpc auth status refused timeout dns tls reset unreachable too_large usage.",
     .zh =
         "用只读方法查询：已知的 EVM 和标准方法，或连接的 safe 里声明的方法。多个端点按顺序尝试。对方返回错误时报 rpc，"
         "err.data = { code, message, data }。整数精确。错误：rpc auth status refused timeout dns tls reset unreachable "
         "too_large usage。",
     .module = module},
    {.name = "answer",
     .effect = RB_EFFECT_READ,
     .args = method_args,
     .returns = "{ ok, value?, error?, endpoint, ms, failed }",
     .en =
         "Like ask, with what is around it: an error of the other side is an answer too; which endpoint gave it, after how long, "
         "and failed = list of { endpoint, code, message } before it. Errors: as ask, when no endpoint answers.",
     .zh =
         "同 ask，并带上周边信息：对方的错误也算回答；endpoint 是哪个端点回答的，ms 是耗时，failed 是之前失败的端点列表 "
         "{ endpoint, code, message }。错误：没有端点回答时同 ask。",
     .module = module},
    {.name = "batch",
     .effect = RB_EFFECT_READ,
     .args = batch_args,
     .returns = "list of { ok, value?, error? }, in the order of the calls",
     .en = "Many reading calls in one request. Errors: as ask, when there is no answer.",
     .zh = "一次请求里做多个只读调用。错误：没有回答时同 ask。",
     .module = module},
    {.name = "call",
     .effect = RB_EFFECT_WRITE,
     .args = method_args,
     .returns = "the result",
     .timeout = 60,
     .en = "Calls any method. Goes on to the next endpoint only while nothing can have been sent. Errors: as ask.",
     .zh = "调用任意方法。只有在肯定没发出任何内容时才换下一个端点。错误：同 ask。",
     .module = module,
     .preview = preview},
    {0}};

const struct rb_binding rb_binding_rpc = {
    .name = "rpc",
    .en = "JSON-RPC 2.0 over HTTP, TCP, UNIX sockets and WebSockets.",
    .zh = "JSON-RPC 2.0，可走 HTTP、TCP、UNIX socket 和 WebSocket。",
    .verbs = verbs,
};
