/* The binding `docker`: what a check may ask inside a container. All other reading of Docker is http.get on its socket,
 * all writing is its command (stdlib/docker.lua). */
#include "list.h"

#include "bind.h"
#include "docker/ask.h"

static const struct rb_arg ask_args[] = {
    RB_BIND_POS("connection", "connection", "a connection of the configuration with driver \"compose\"",
                "配置里 driver 为 “compose” 的连接"),
    RB_BIND_POS("service", "string", "one of its asks", "其 asks 里的服务名"),
    RB_BIND_POS("name", "string", "the question's name there", "该服务下的查询名"), RB_BIND_TIMEOUT, RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "ask",
     .effect = RB_EFFECT_READ,
     .args = ask_args,
     .returns = "{ ok, code, out, err, ms }",
     .en =
         "Written compose.ask(connection, service, name). Runs in a running container of a compose service the argument list that the configuration declares under this "
         "name. No kernel sees what it does there: whoever writes the configuration says that it only looks; recorded as "
         "unenforced. Errors: not_found (no such question) not_running missing status timeout.",
     .zh =
         "写作 compose.ask(连接, 服务, 名字)。在 compose 服务的一个运行中的容器里，执行配置里以这个名字声明的命令。它在里面做什么内核看不到：由写配置的人保证只读；"
         "记为 unenforced。错误：not_found（没有这个查询）not_running missing status timeout。",
     .start = rb_docker_ask,
     .cancel = rb_docker_cancel},
    {0}};

const struct rb_binding rb_binding_docker = {
    .name = "docker",
    .en = "Questions to the inside of containers, declared in the configuration.",
    .zh = "对容器内部的查询，须在配置里声明。",
    .verbs = verbs,
};
