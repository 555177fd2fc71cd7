/* The binding `pm2`: what its daemon says of its processes. */
#include "list.h"

#include "bind.h"
#include "pm2/ask.h"

static const struct rb_arg list_args[] = {
    RB_BIND_OPT("home", "path", "PM2_HOME, default $PM2_HOME or ~/.pm2 of whoever runs this program",
                "PM2_HOME，默认 $PM2_HOME，或运行本程序的用户的 ~/.pm2"),
    RB_BIND_TIMEOUT, RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "list",
     .effect = RB_EFFECT_READ,
     .args = list_args,
     .timeout = 10,
     .returns = "list of { id, name, namespace, status, pid, restarts, unstable_restarts, started_at, "
                "memory, cpu, mode, "
                "script, cwd, interpreter, out_log, err_log, user, autorestart, watch, exit_code? }",
     .en = "Processes of a pm2 daemon, asked on its socket: no daemon is ever started, and their environment "
           "is left out. "
           "started_at in UTC seconds, memory in bytes. Errors: not_running denied reset too_large status "
           "timeout.",
     .zh = "pm2 守护进程管理的进程，直接问它的套接字：绝不会启动守护进程，也不取环境变量。started_at 为 UTC "
           "秒，memory 单位字节。"
           "错误：not_running denied reset too_large status timeout。",
     .start = rb_pm2_list,
     .cancel = rb_pm2_cancel},
    {0}};

const struct rb_binding rb_binding_pm2 = {
    .name = "pm2",
    .en = "Node processes kept by pm2.",
    .zh = "pm2 管理的 Node 进程。",
    .verbs = verbs,
};
