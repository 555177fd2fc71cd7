/* The binding `redis`: what the host knows of it. The rest is modules/redis.so. */
#include "list.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bind.h"

#define PREVIEW_MAX 4096
#define WORD_SHOWN 200

static const char *in_module(const json_t *args)
{
    (void)args;
    return "redis";
}

static const char *name_of(const json_t *args)
{
    const json_t *connection = json_object_get(args, "connection");
    return json_is_string(connection) ? json_string_value(connection) : rb_json_str(connection, "name", "redis");
}

static void add_word(struct rb_buf *out, const json_t *word)
{
    (void)rb_buf_adds(out, " ");
    if (json_is_string(word)) {
        const char *text = json_string_value(word);
        size_t len = json_string_length(word), shown = len > WORD_SHOWN ? rb_bind_whole_chars(text, WORD_SHOWN) : len;
        bool plain = len > 0 && !memchr(text, ' ', len);
        (void)rb_buf_adds(out, plain ? "" : "\"");
        (void)rb_buf_add(out, text, shown);
        (void)rb_buf_adds(out, shown < len ? "..." : "");
        (void)rb_buf_adds(out, plain ? "" : "\"");
    } else {
        char *text = rb_json_canonical(word); /* a number; bytes and secrets by what stands for them */
        (void)rb_buf_add(out, text ? text : "?",
                         text && strlen(text) < WORD_SHOWN ? strlen(text)
                         : text                            ? WORD_SHOWN
                                                           : 1);
        free(text);
    }
}

/* "cache: SET greeting hello" */
static char *preview_command(const json_t *args)
{
    size_t i;
    const json_t *word;
    struct rb_buf out;
    rb_buf_init(&out, PREVIEW_MAX);
    (void)rb_buf_addf(&out, "%s:", name_of(args));
    json_array_foreach(json_object_get(args, "command"), i, word) {
        add_word(&out, word);
    }
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

/* "cache: UNLINK app:cache:* except stock:lock:*" */
static char *preview_unlink(const json_t *args)
{
    size_t i;
    const json_t *word, *keys = json_object_get(args, "keys"), *protect = json_object_get(args, "protect");
    struct rb_buf out;
    rb_buf_init(&out, PREVIEW_MAX);
    (void)rb_buf_addf(&out, "%s: UNLINK", name_of(args));
    if (json_object_get(args, "match")) {
        add_word(&out, json_object_get(args, "match"));
    }
    json_array_foreach(keys, i, word) {
        add_word(&out, word);
    }
    json_array_foreach(protect, i, word) {
        (void)rb_buf_adds(&out, i == 0 ? " except" : "");
        add_word(&out, word);
    }
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

#define CONNECTION \
    RB_BIND_POS("connection", "connection", "a connection of the configuration, or redis://user@host:port/db", \
                "配置里的连接名，或 redis://user@host:port/db")
#define COMMAND \
    RB_BIND_POS("command", "list", "the command's words: strings, bytes, numbers", \
                "命令的各个单词：字符串、字节串、数字")
#define COUNT \
    RB_BIND_OPT("count", "int", "keys that the server looks at in one go, default 1000", \
                "服务器每次查看多少个键，默认 1000")

static const struct rb_arg command_args[] = {CONNECTION, COMMAND, RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg scan_args[] = {
    CONNECTION,
    RB_BIND_OPT("match", "string", "a pattern of Redis: * ? [ab]; default all", "Redis 的通配模式：* ? [ab]；默认全部"),
    RB_BIND_OPT("type", "string", "string list set zset hash stream", "string list set zset hash stream"),
    COUNT,
    RB_BIND_OPT("max", "int", "stops there, at most 100000, default 1000", "到此为止，最多 100000，默认 1000"),
    RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg unlink_args[] = {
    CONNECTION,
    RB_BIND_OPT("match", "string", "keys of this pattern, which must hold three characters of its own",
                "符合这个模式的键；模式里至少要有三个非通配字符"),
    RB_BIND_OPT("keys", "list", "or these keys", "或者就这些键"),
    RB_BIND_OPT("protect", "list(string)", "keys of these patterns stay", "符合这些模式的键保留"),
    RB_BIND_OPT("batch", "int", "keys in one UNLINK, default 500", "每次 UNLINK 多少个键，默认 500"),
    COUNT,
    RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg probe_args[] = {CONNECTION, RB_BIND_TIMEOUT, RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "ask",
     .effect = RB_EFFECT_READ,
     .args = command_args,
     .returns = "the reply: string, integer, list, nil; { error } inside a list",
     .en = "Sends a command that the server itself marks read-only (COMMAND INFO), or one of the harmless "
           "questions: INFO, "
           "PING, CONFIG GET (passwords masked), CLIENT LIST, SLOWLOG GET, MEMORY USAGE … Never scripts, "
           "KEYS, and what "
           "would change anything. An error reply raises: auth (NOAUTH, WRONGPASS), denied (NOPERM, "
           "READONLY, MISCONF), "
           "no_space (OOM), busy (LOADING, BUSY, CLUSTERDOWN, too many clients), exists, not_found, else "
           "status; its words "
           "are the message. Errors: those, refused unreachable dns timeout reset tls too_large forbidden "
           "usage.",
     .zh = "发送服务器自己标为只读的命令（COMMAND INFO），或无害的查询：INFO、PING、CONFIG "
           "GET（密码遮掉）、CLIENT LIST、"
           "SLOWLOG GET、MEMORY USAGE 等。绝不执行脚本、KEYS "
           "或任何有改动的命令。服务器报错时的错误码：auth（NOAUTH、"
           "WRONGPASS）、denied（NOPERM、READONLY、MISCONF）、no_"
           "space（OOM）、busy（LOADING、BUSY、CLUSTERDOWN、连接数满）、"
           "exists、not_found，其余为 status；消息就是服务器的原话。错误：以上各项，以及 refused unreachable "
           "dns timeout reset "
           "tls too_large forbidden usage。",
     .module = in_module,
     .preview = preview_command},
    {.name = "scan",
     .effect = RB_EFFECT_READ,
     .args = scan_args,
     .returns = "{ keys, complete }",
     .timeout = 60,
     .en = "Keys, by SCAN, without holding the server up. A key may come twice. complete: there were no more "
           "than max. "
           "Errors: as ask.",
     .zh = "用 SCAN 列出键，不会卡住服务器。同一个键可能出现两次。complete：没有超过 max。错误：同 ask。",
     .module = in_module},
    {.name = "probe",
     .effect = RB_EFFECT_PROBE,
     .args = probe_args,
     .returns = "{ ok, ms, code?, message? }",
     .timeout = 10,
     .en = "Can it be written? Sets a key of its own (runbook:probe:…, gone by itself after 10 s) and "
           "deletes it. What the "
           "server refuses is the answer, with its code. Errors: refused unreachable dns timeout reset tls.",
     .zh = "能不能写？写一个自己的键（runbook:probe:…，10 秒后自动消失）再删掉。服务器拒绝就是结果，带错误码。"
           "错误：refused unreachable dns timeout reset tls。",
     .module = in_module},
    {.name = "call",
     .effect = RB_EFFECT_WRITE,
     .args = command_args,
     .returns = "the reply, as ask",
     .en = "Sends any command, except those that change the connection (AUTH, SELECT, MULTI, SUBSCRIBE …). "
           "Errors: as ask.",
     .zh = "发送任意命令，只有改变连接状态的除外（AUTH、SELECT、MULTI、SUBSCRIBE 等）。错误：同 ask。",
     .module = in_module,
     .preview = preview_command},
    {.name = "unlink",
     .effect = RB_EFFECT_WRITE,
     .args = unlink_args,
     .returns = "{ removed, seen, kept }",
     .timeout = 600,
     .en = "Removes keys in batches, by pattern or by name, with progress. kept: those that protect names. "
           "Errors: as ask.",
     .zh = "按模式或按名字分批删除键，显示进度。kept：被 protect 保留的个数。错误：同 ask。",
     .module = in_module,
     .preview = preview_unlink},
    {0}};

const struct rb_binding rb_binding_redis = {
    .name = "redis",
    .en = "Redis servers. Reading is what the server itself calls reading.",
    .zh = "Redis 服务器。什么算只读，以服务器自己的标记为准。",
    .verbs = verbs,
};
