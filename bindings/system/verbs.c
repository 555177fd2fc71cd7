/* The binding `system`: this machine's disks, memory, processes and sockets. */
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "bind.h"
#include "system/disk.h"
#include "system/open_files.h"
#include "system/openers.h"
#include "system/process_info.h"
#include "system/sockets.h"
#include "system/stop.h"

static json_t *disk(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);

    (void)work;
    return path ? rb_disk_json(path, err) : NULL;
}

/* Bytes of one line of /proc/meminfo. */
static json_int_t meminfo(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? (json_int_t)strtoll(line + strlen(name), NULL, 10) * 1024 : 0;
}

static json_t *memory(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    char text[8192];
    json_int_t total, available;

    (void)args, (void)work;
    if (rb_bind_slurp("/proc/meminfo", text, sizeof text) <= 0) {
        rb_err_set(err, RB_EDENIED, RB_T_bindings_no_proc);
        return NULL;
    }
    total = meminfo(text, "MemTotal:");
    available = meminfo(text, "MemAvailable:");
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "total", total, "available", available, "free",
                     meminfo(text, "MemFree:"), "available_pct", total > 0 ? available * 100 / total : 0, "swap_total",
                     meminfo(text, "SwapTotal:"), "swap_free", meminfo(text, "SwapFree:"));
}

static json_t *load(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    char text[128], uptime[128];
    double one, five, fifteen;

    (void)args, (void)work;
    if (rb_bind_slurp("/proc/loadavg", text, sizeof text) <= 0 ||
        rb_bind_slurp("/proc/uptime", uptime, sizeof uptime) <= 0 ||
        sscanf(text, "%lf %lf %lf", &one, &five, &fifteen) != 3) {
        rb_err_set(err, RB_EDENIED, RB_T_bindings_no_proc);
        return NULL;
    }
    return json_pack("{s:f, s:f, s:f, s:I, s:I}", "one", one, "five", five, "fifteen", fifteen, "cpus",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "uptime", (json_int_t)strtoll(uptime, NULL, 10));
}

struct filter {
    json_t *found;
    const char *name;
};

static bool on_process(pid_t pid, void *user)
{
    const struct filter *filter = user;
    struct rb_proc proc;

    if (rb_proc_read(pid, &proc) == 0 && (!*filter->name || strcmp(proc.comm, filter->name) == 0)) {
        json_array_append_new(filter->found, rb_proc_json(&proc));
    }
    return true;
}

static json_t *processes(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct filter filter = {json_array(), rb_json_str(args, "name", "")};
    json_int_t pid = rb_json_int(args, "pid", 0);

    (void)work;
    if (pid > 0) {
        (void)on_process((pid_t)pid, &filter);
    } else if (rb_proc_each(on_process, &filter) != 0) {
        json_decref(filter.found);
        rb_err_set(err, RB_EDENIED, RB_T_bindings_no_proc);
        return NULL;
    }
    return filter.found;
}

static const struct rb_arg disk_args[] = {
    RB_BIND_POS("path", "path", "anything on the file system", "该文件系统里的任意路径"), RB_BIND_END};
static const struct rb_arg no_args[] = {RB_BIND_END};
static const struct rb_arg process_args[] = {
    RB_BIND_OPT("pid", "int", "this one only", "只看这个进程"),
    RB_BIND_OPT("name", "string", "the kernel's short name, exactly", "内核里的短名字，完全一致"), RB_BIND_END};
static const struct rb_arg listener_args[] = {RB_BIND_OPT("port", "int", "this one only", "只看这个端口"), RB_BIND_END};
static const struct rb_arg path_args[] = {RB_BIND_POS("path", "path", "the file", "文件"), RB_BIND_END};
static const struct rb_arg deleted_args[] = {RB_BIND_OPTPOS("path", "path",
                                                            "anything on the file system; without it all",
                                                            "该文件系统里的任意路径；不给就看全部"),
                                             RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg stop_args[] = {
    RB_BIND_POS("pid", "int", "the process", "进程号"),
    RB_BIND_MUST("started", "int", "its start in ticks since boot, as processes and locks give it",
                 "它的启动时刻（开机以来的滴答数），来自 processes 或 locks"),
    RB_BIND_OPT("grace", "duration", "time after SIGTERM before SIGKILL; 0 = SIGKILL at once; default 10s",
                "SIGTERM 之后等多久再 SIGKILL；0 表示直接 SIGKILL；默认 10s"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg signal_args[] = {
    RB_BIND_POS("pid", "int", "the process", "进程号"),
    RB_BIND_POS("signal", "string", "TERM KILL HUP INT QUIT USR1 USR2 CONT STOP WINCH",
                "TERM KILL HUP INT QUIT USR1 USR2 CONT STOP WINCH"),
    RB_BIND_MUST("started", "int", "its start in ticks since boot", "它的启动时刻（开机以来的滴答数）"), RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "disk",
     .effect = RB_EFFECT_READ,
     .args = disk_args,
     .returns =
         "{ total, free, used, free_pct, used_pct, inodes, inodes_free, inodes_free_pct, read_only, network, mount, "
         "fstype }",
     .en = "Space of the file system a path lies on: bytes, whole percent rounded down. Errors: not_found denied.",
     .zh = "路径所在文件系统的空间：字节数，百分比向下取整。错误：not_found denied。",
     .work = disk},
    {.name = "memory",
     .effect = RB_EFFECT_READ,
     .args = no_args,
     .returns = "{ total, available, free, available_pct, swap_total, swap_free }",
     .en = "Memory in bytes. Errors: denied.",
     .zh = "内存，单位字节。错误：denied。",
     .work = memory},
    {.name = "load",
     .effect = RB_EFFECT_READ,
     .args = no_args,
     .returns = "{ one, five, fifteen, cpus, uptime }",
     .en = "Load averages, processors, and seconds since boot. Errors: denied.",
     .zh = "平均负载、处理器个数、开机以来的秒数。错误：denied。",
     .work = load},
    {.name = "processes",
     .effect = RB_EFFECT_READ,
     .args = process_args,
     .returns =
         "list of { pid, ppid, uid, user, state, name, command, exe, cwd, started, started_at, rss, cpu_ticks, kernel }",
     .en = "Processes. (pid, started) is the identity; rss in bytes; what may not be seen is nil. Errors: denied.",
     .zh = "进程。(pid, started) 才是身份；rss 单位字节；看不到的是 nil。错误：denied。",
     .work = processes},
    {.name = "listeners",
     .effect = RB_EFFECT_READ,
     .args = listener_args,
     .returns = "{ listeners = list of { proto, addr, port, uid, processes }, hidden }",
     .en = "Listening TCP and unconnected UDP sockets and their processes. hidden: processes that could not be looked "
           "into. Errors: denied.",
     .zh = "监听的 TCP 和未连接的 UDP 套接字及其进程。hidden：看不进去的进程数。错误：denied。",
     .work = rb_sockets_listeners},
    {.name = "openers",
     .effect = RB_EFFECT_READ,
     .args = path_args,
     .returns = "{ openers = list of processes with fds, hidden }",
     .en = "Processes that have a file open. Having it open is not holding a lock. Errors: not_found denied.",
     .zh = "打开着某个文件的进程。打开不等于占锁。错误：not_found denied。",
     .work = rb_openers},
    {.name = "deleted",
     .effect = RB_EFFECT_READ,
     .args = deleted_args,
     .returns = "{ deleted = list of { pid, started, command, path, bytes, fd, inode, dev, service? }, hidden }",
     .en = "Deleted files that take space as long as a process has them open. Errors: not_found denied.",
     .zh = "已删除但还被进程打开、仍占着空间的文件。错误：not_found denied。",
     .work = rb_open_files_deleted},
    {.name = "lock_holders",
     .effect = RB_EFFECT_READ,
     .args = path_args,
     .returns = "list of { type, access, from, to, pid?, started?, command?, confirmed? }",
     .en = "Locks held on one file: posix, flock, ofd, lease, with their bytes. Errors: not_found denied.",
     .zh = "一个文件上的锁：posix、flock、ofd、lease，及其字节范围。错误：not_found denied。",
     .work = rb_openers_locks},
    {.name = "stop",
     .effect = RB_EFFECT_WRITE,
     .args = stop_args,
     .returns = "{ ended = \"term\" | \"kill\" | \"gone\", ms }",
     .timeout = 120,
     .en =
         "Ends a process: SIGTERM, then SIGKILL after grace. Never process 1, the kernel's, this program or those above "
         "it, nor a process that started at another time. Errors: not_running denied timeout usage.",
     .zh =
         "结束进程：先 SIGTERM，过了 grace 再 SIGKILL。绝不动 1 号进程、内核线程、本程序及其上级，也不动启动时刻不符的进程。"
         "错误：not_running denied timeout usage。",
     .work = rb_stop},
    {.name = "signal",
     .effect = RB_EFFECT_WRITE,
     .args = signal_args,
     .returns = "true",
     .en = "Sends one signal to a process, under the rules of stop. Errors: not_running denied usage.",
     .zh = "给进程发一个信号，规则同 stop。错误：not_running denied usage。",
     .work = rb_stop_signal},
    {0}};

const struct rb_binding rb_binding_system = {
    .name = "system",
    .en = "This machine: disks, memory, processes, sockets, locks.",
    .zh = "本机：磁盘、内存、进程、套接字、锁。",
    .verbs = verbs,
};
