/* One process as /proc shows it. A pid alone names nothing: (pid, started) does. */
#ifndef RB_BINDINGS_PROCESS_INFO_H
#define RB_BINDINGS_PROCESS_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

struct rb_proc {
    pid_t pid, ppid;
    char state;       /* R S D T t Z I … */
    char comm[64];    /* the kernel's short name */
    uint64_t started; /* clock ticks since boot: the identity */
    uint64_t cpu_ticks;
    int64_t rss; /* bytes */
    bool kernel; /* a kernel thread */
};

/* 0, or -1 when there is no such process or /proc hides it. */
int rb_proc_read(pid_t pid, struct rb_proc *out);
/* The arguments joined by spaces, at most 300 bytes, or "[comm]". New reference. */
json_t *rb_proc_command(const struct rb_proc *proc);
/* Everything known, the way system.processes returns it. New reference. */
json_t *rb_proc_json(const struct rb_proc *proc);
/* The systemd unit ("mall.service") the process belongs to. False when it belongs to none. */
bool rb_proc_service(pid_t pid, char *out, size_t size);
/* Calls fn for every process until it returns false. 0, or -1 when /proc cannot be read. */
int rb_proc_each(bool (*fn)(pid_t pid, void *user), void *user);
/* Calls fn for every open descriptor of a process. 0, or -1 when they cannot be seen. */
int rb_proc_each_fd(pid_t pid, bool (*fn)(pid_t pid, const char *path, void *user), void *user);

#endif
