/* The binding `net`; the module net does it. */
#include "list.h"

#include "bind.h"

static const char *module(const json_t *args)
{
    (void)args;
    return "net";
}

#define HOST RB_BIND_POS("host", "string", "name or address", "主机名或地址")

static const struct rb_arg resolve_args[] = {
    RB_BIND_POS("name", "string", "host name", "主机名"),
    RB_BIND_OPT("server", "string", "address or address:port of the name server to ask, default those of the system",
                "要询问的域名服务器，写作 地址 或 地址:端口，默认用系统的"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg tcp_args[] = {HOST, RB_BIND_POS("port", "int", "TCP port", "TCP 端口"), RB_BIND_TIMEOUT,
                                         RB_BIND_END};
static const struct rb_arg certificate_args[] = {
    HOST, RB_BIND_OPTPOS("port", "int", "default 443", "默认 443"),
    RB_BIND_OPT("ca", "path", "file with the trusted certificates, default those of the system",
                "受信任证书的文件，默认用系统的"),
    RB_BIND_TIMEOUT, RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "resolve",
     .effect = RB_EFFECT_READ,
     .args = resolve_args,
     .returns = "{ name, addresses, ms, server? }",
     .timeout = 10,
     .en =
         "The addresses of a host name, in the order in which they are tried. /etc/hosts counts. Errors: dns usage timeout.",
     .zh = "主机名的地址，按尝试的先后排列；/etc/hosts 也算。错误：dns usage timeout。",
     .module = module},
    {.name = "tcp",
     .effect = RB_EFFECT_READ,
     .args = tcp_args,
     .returns = "{ open, code?, message?, remote, ms }",
     .timeout = 5,
     .en =
         "Is a TCP port open? Connects and closes again, without a proxy. code: refused timeout unreachable reset. Errors: dns usage.",
     .zh = "TCP 端口开着吗？连上后立即断开，不经过代理。code：refused timeout unreachable reset。错误：dns usage。",
     .module = module},
    {.name = "certificate",
     .effect = RB_EFFECT_READ,
     .args = certificate_args,
     .returns = "{ subject, issuer, names, starts_at, expires_at, days, valid, problem?, remote, ms }",
     .timeout = 15,
     .en =
         "The certificate a TLS server shows, also one that is not valid; problem says why. days: whole days left, negative once "
         "it has expired. Errors: refused timeout dns tls reset unreachable usage.",
     .zh = "TLS 服务器出示的证书，无效的也能看；problem 说明原因。days：还剩几整天，过期为负。"
           "错误：refused timeout dns tls reset unreachable usage。",
     .module = module},
    {0}};

const struct rb_binding rb_binding_net = {
    .name = "net",
    .en = "Names, ports and certificates of other machines.",
    .zh = "其他机器的域名、端口和证书。",
    .verbs = verbs,
};
