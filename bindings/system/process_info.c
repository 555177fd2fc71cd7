#include "system/process_info.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "bind.h"

#define KERNEL_THREAD 0x00200000u /* PF_KTHREAD */
#define COMMAND_MAX 300

/* Fields 3 to 24 of proc(5) stat; the name before them may hold spaces and parentheses. */
static int parse_stat(const char *text, struct rb_proc *out)
{
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    unsigned long flags = 0;
    uint64_t user = 0, system_ticks = 0;
    int64_t pages = 0;
    int ppid = 0;

    if (!open || !close || close < open) {
        return -1;
    }
    (void)snprintf(out->comm, sizeof out->comm, "%.*s", (int)(close - open - 1), open + 1);
    if (sscanf(close + 1,
               " %c %d %*d %*d %*d %*d %lu %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %*d %*d %*d %*d %*d %*d %" SCNu64
               " %*u %" SCNd64,
               &out->state, &ppid, &flags, &user, &system_ticks, &out->started, &pages) != 7) {
        return -1;
    }
    out->ppid = ppid;
    out->kernel = (flags & KERNEL_THREAD) != 0;
    out->cpu_ticks = user + system_ticks;
    out->rss = pages * sysconf(_SC_PAGESIZE);
    return 0;
}

int rb_proc_read(pid_t pid, struct rb_proc *out)
{
    char path[64], text[2048];

    memset(out, 0, sizeof *out);
    out->pid = pid;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return rb_bind_slurp(path, text, sizeof text) > 0 ? parse_stat(text, out) : -1;
}

json_t *rb_proc_command(const struct rb_proc *proc)
{
    char path[64], text[COMMAND_MAX + 1], name[sizeof proc->comm + 2];
    long len;

    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)proc->pid);
    len = rb_bind_slurp(path, text, sizeof text);
    while (len > 0 && text[len - 1] == '\0') {
        len--;
    }
    if (len <= 0) {
        (void)snprintf(name, sizeof name, "[%s]", proc->comm);
        return rb_json_bytes(name, strlen(name));
    }
    for (long i = 0; i < len; i++) {
        if (text[i] == '\0') {
            text[i] = ' ';
        }
    }
    return rb_json_bytes(text, rb_bind_whole_chars(text, (size_t)len));
}

static json_t *link_json(pid_t pid, const char *what)
{
    char path[64], target[PATH_MAX];
    ssize_t len;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    len = readlink(path, target, sizeof target);
    return len > 0 ? rb_json_bytes(target, (size_t)len) : NULL;
}

static json_t *user_json(uid_t uid)
{
    struct passwd entry, *found = NULL;
    char space[4096];

    if (getpwuid_r(uid, &entry, space, sizeof space, &found) != 0 || !found) {
        return NULL;
    }
    return rb_json_bytes(found->pw_name, strlen(found->pw_name));
}

/* The effective user from status: the owner of /proc/PID is root for processes that may not be dumped. */
static long uid_of(pid_t pid)
{
    char path[64], text[4096];
    const char *line;
    long real, effective;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (rb_bind_slurp(path, text, sizeof text) <= 0) {
        return -1;
    }
    line = strstr(text, "\nUid:");
    return line && sscanf(line, "\nUid: %ld %ld", &real, &effective) == 2 ? effective : -1;
}

/* Ticks since boot as UTC text; the boot time in /proc/stat is in whole seconds. */
static json_t *started_json(uint64_t ticks)
{
    char text[16384], out[RB_TIME_MAX];
    const char *line;
    long long boot;

    if (rb_bind_slurp("/proc/stat", text, sizeof text) <= 0) {
        return NULL;
    }
    line = strstr(text, "\nbtime ");
    if (!line || sscanf(line, "\nbtime %lld", &boot) != 1) {
        return NULL;
    }
    rb_clock_format((boot + (int64_t)(ticks / (uint64_t)sysconf(_SC_CLK_TCK))) * 1000000, 0, out);
    return json_string(out);
}

json_t *rb_proc_json(const struct rb_proc *proc)
{
    char state[2] = {proc->state, '\0'};
    long uid = uid_of(proc->pid);
    json_t *out = json_pack("{s:i, s:i, s:s, s:I, s:I, s:I, s:b}", "pid", (int)proc->pid, "ppid", (int)proc->ppid,
                            "state", state, "started", (json_int_t)proc->started, "cpu_ticks",
                            (json_int_t)proc->cpu_ticks, "rss", (json_int_t)proc->rss, "kernel", proc->kernel);

    json_object_set_new(out, "command", rb_proc_command(proc));
    /* What cannot be seen is left out: setting NULL sets nothing. */
    json_object_set_new(out, "name", rb_json_bytes(proc->comm, strlen(proc->comm)));
    json_object_set_new(out, "exe", link_json(proc->pid, "exe"));
    json_object_set_new(out, "cwd", link_json(proc->pid, "cwd"));
    json_object_set_new(out, "uid", uid >= 0 ? json_integer(uid) : NULL);
    json_object_set_new(out, "user", uid >= 0 ? user_json((uid_t)uid) : NULL);
    json_object_set_new(out, "started_at", started_json(proc->started));
    return out;
}

/* The innermost *.service of the cgroup path; user@N.service is the login, not a service. */
bool rb_proc_service(pid_t pid, char *out, size_t size)
{
    char path[64], text[4096];
    char *save = NULL;
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    if (rb_bind_slurp(path, text, sizeof text) <= 0) {
        return false;
    }
    for (char *part = strtok_r(text, "/\n", &save); part; part = strtok_r(NULL, "/\n", &save)) {
        size_t len = strlen(part);
        if (len > 8 && len < size && strcmp(part + len - 8, ".service") == 0 && strncmp(part, "user@", 5) != 0) {
            memcpy(out, part, len + 1);
            found = true;
        }
    }
    return found;
}

int rb_proc_each(bool (*fn)(pid_t pid, void *user), void *user)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;

    if (!dir) {
        return -1;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]) && !fn((pid_t)strtol(entry->d_name, NULL, 10), user)) {
            break;
        }
    }
    closedir(dir);
    return 0;
}

int rb_proc_each_fd(pid_t pid, bool (*fn)(pid_t pid, const char *path, void *user), void *user)
{
    char path[64 + NAME_MAX];
    const struct dirent *entry;
    DIR *dir;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir) {
        return errno == ENOENT ? 0 : -1; /* it has ended: nothing is hidden */
    }
    while ((entry = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, entry->d_name);
        if (entry->d_name[0] != '.' && !fn(pid, path, user)) {
            break;
        }
    }
    closedir(dir);
    return 0;
}
