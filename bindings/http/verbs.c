/* The binding `http`; the module net does it. */
#include "list.h"

#include <stdlib.h>

#include "base/json.h"
#include "bind.h"

static const char *module(const json_t *args)
{
    (void)args;
    return "net";
}

static void add_value(struct rb_buf *out, const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);
    char *text = value ? rb_json_canonical(value) : NULL;
    if (text) {
        (void)rb_buf_addf(out, " %s=%s", name, text); /* past the limit it is cut: the record has the arguments whole */
    }
    free(text);
}

static char *preview(const json_t *args)
{
    static const char *const shown[] = {"socket", "path", "query", "json", "form", "body"};
    struct rb_buf out;
    rb_buf_init(&out, 4096);
    (void)rb_buf_adds(&out, rb_json_str(args, "url", "?"));
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        add_value(&out, args, shown[i]);
    }
    return rb_buf_take(&out);
}

#define URL \
    RB_BIND_POS("url", "string", "whole, http:// or https://; no user name or password in it", \
                "完整的 http:// 或 https:// 地址；里面不能写用户名或密码")
#define COMMON \
    {"path", "any", RB_ARG_PUBLIC, "list of segments that are added to the URL's path, each encoded", \
     "要接在 URL 路径后面的各段，逐段编码"}, \
        RB_BIND_OPT("query", "map", "name = value or list of values, encoded", \
                    "查询参数：名 = 值或值的列表，自动编码"), \
        RB_BIND_OPT("headers", "map", "name = value or list of values", "请求头：名 = 值或值的列表"), \
        RB_BIND_OPT("bearer", "secret", "token for Authorization: Bearer", "用于 Authorization: Bearer 的令牌"), \
        RB_BIND_OPT("basic", "map", "{ user, password }", "{ user, password }"), RB_BIND_TIMEOUT, \
        RB_BIND_OPT("connect_timeout", "duration", "for name, connection and TLS, default 10s", \
                    "解析、连接和 TLS 的时限，默认 10s"), \
        RB_BIND_OPT("ca", "path", "file with the trusted certificates, default those of the system", \
                    "受信任证书的文件，默认用系统的"), \
        RB_BIND_OPT("pin", "string", "sha256//… of the server's public key", "服务器公钥的 sha256//…"), \
        RB_BIND_OPT("insecure", "bool", "do not check the certificate; recorded; default false", \
                    "不检查证书；会记录；默认 false"), \
        RB_BIND_OPT("socket", "path", "UNIX socket to contact instead of the URL's host", \
                    "改连这个 UNIX socket，不连 URL 里的主机"), \
        RB_BIND_OPT("version", "string", \
                    "\"1.0\", \"1.1\" or \"2\"; default the best both sides can; \"2\" on http:// is h2c", \
                    "“1.0”、“1.1” 或 “2”；默认用双方都支持的最高版本；http:// 上的 “2” 即 h2c"), \
        RB_BIND_OPT( \
            "redirects", "int", \
            "how many are followed, default 0; never from https to http, nothing secret to another origin, from elsewhere never to this machine", \
            "最多跟随几次重定向，默认 0；绝不从 https 到 http，不把凭据带到别的站点，也不从外部跟到本机"), \
        RB_BIND_OPT("max_body", "size", "of the answer once unpacked, default 1MiB, at most 4MiB", \
                    "解压后响应体的上限，默认 1MiB，最大 4MiB"), \
        RB_BIND_OPT("keep", "list(string)", \
                    "of an answer in JSON only these members, \"State.Health\"; body is left out, also of the record", \
                    "JSON 响应只保留这些成员，例如 “State.Health”；body 不保留，也不进记录"), \
        RB_BIND_OPT( \
            "retry", "map", \
            "{ times, wait = \"1s\", idempotent = false }: tries in all; the wait doubles. Only what " \
            "was not sent, and GET HEAD OPTIONS PUT DELETE after 408 429 502 503 504 or a break", \
            "{ times, wait = \"1s\", idempotent = false }：总次数，间隔每次翻倍。只重试没有发出去的请求，以及遇到 " \
            "408 429 502 503 504 或断开的 GET HEAD OPTIONS PUT DELETE")
#define SENDS \
    RB_BIND_OPT("body", "bytes", "sent as it is", "原样发送"), \
        RB_BIND_OPT("json", "any", "sent as JSON", "以 JSON 发送"), \
        RB_BIND_OPT("form", "map", "sent as a form, encoded", "以表单发送，自动编码"), \
        RB_BIND_OPT("ok", "any", "status or list of statuses that are a success, default 2xx", \
                    "算成功的状态码或其列表，默认 2xx")

static const struct rb_arg read_args[] = {URL, COMMON, RB_BIND_END};
static const struct rb_arg write_args[] = {URL, SENDS, COMMON, RB_BIND_END};

#define ANSWER \
    "{ ok, status, headers, body, json?, url, ms, timing = { dns, connect, tls, first_byte, total }, remote, http, " \
    "certificate?, proxy?, hops?, tries? }"
#define ERRORS "refused timeout dns tls reset unreachable denied not_found too_large usage"

#define READS(verb, first_en, first_zh) \
    { \
        .name = verb, .effect = RB_EFFECT_READ, .args = read_args, .returns = ANSWER, .module = module, \
        .preview = preview, \
        .en = first_en " Whatever status comes is an answer. Errors: " ERRORS \
                       ", and status for a redirect that cannot be followed.", \
        .zh = first_zh "任何状态码都是结果。错误：" ERRORS "；不能跟随的重定向报 status。" \
    }
#define WRITES(verb, first_en, first_zh) \
    { \
        .name = verb, .effect = RB_EFFECT_WRITE, .args = write_args, .returns = ANSWER, .module = module, \
        .preview = preview, .en = first_en " A status that is not in ok raises status. Errors: status " ERRORS ".", \
        .zh = first_zh "状态码不在 ok 里就报 status。错误：status " ERRORS "。" \
    }

static const struct rb_verb verbs[] = {
    READS(
        "get",
        "Asks a server by GET. headers: names in lower case, a list where one comes several times; json when the answer says it "
        "is JSON and it is; timing in ms: dns, connect and tls each, first_byte and total since the start.",
        "用 GET 请求服务器。headers：名字小写，重复的为列表；响应声明且确是 JSON 时有 json；timing 单位毫秒：dns、connect、tls "
        "是各自耗时，first_byte 和 total 从开始算起。"),
    READS("head", "Like get, by HEAD: the headers only.", "同 get，用 HEAD：只要响应头。"),
    READS("options", "Like get, by OPTIONS.", "同 get，用 OPTIONS。"),
    WRITES(
        "post",
        "Sends to a server by POST; the answer is that of get. An answer longer than max_body is cut (truncated = true).",
        "用 POST 发送；结果同 get。响应超过 max_body 会被截断（truncated = true）。"),
    WRITES("put", "Like post, by PUT.", "同 post，用 PUT。"),
    WRITES("patch", "Like post, by PATCH.", "同 post，用 PATCH。"),
    WRITES("delete", "Like post, by DELETE.", "同 post，用 DELETE。"),
    {0}};

const struct rb_binding rb_binding_http = {
    .name = "http",
    .en = "HTTP services: TLS is checked, redirects are off, everything has a limit. Proxies come from the environment "
          "(http_proxy, https_proxy, all_proxy, no_proxy).",
    .zh =
        "HTTP 服务：检查 TLS，默认不跟随重定向，处处有上限。代理取自环境变量（http_proxy、https_proxy、all_proxy、no_proxy）。",
    .verbs = verbs,
};
