/* One child process, as its owner in the host sees it. */
#ifndef RB_PROCESS_CHILD_H
#define RB_PROCESS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/err.h"

struct rb_spawner;
struct rb_child;

enum rb_child_access {
    RB_CHILD_READ,     /* every write is refused by the kernel, no sockets */
    RB_CHILD_READ_NET, /* the same, but TCP and UDP clients may connect: recorded as "network unenforced" */
    RB_CHILD_WRITE     /* as the host itself */
};

/* The kernel's limits for one process; 0 = as the host has it. */
struct rb_child_limits {
    unsigned long long cpu, memory, files, processes, file_size;
};

struct rb_child_spec {
    const char *entry;       /* a name of the entries, or NULL for a command */
    const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH */
    const char *const *env;  /* NULL-terminated "NAME=value"; NULL = what rb_child_inherits lets through */
    const char *cwd;         /* NULL = "/" */
    const void *stdin_data;  /* written to its stdin, then closed */
    size_t stdin_len;
    enum rb_child_access access;
    bool hold;                            /* starts only after rb_child_release */
    const mode_t *umask;                  /* NULL = the host's */
    const struct rb_child_limits *limits; /* may be NULL */
    unsigned short rows, cols;            /* not 0: on a terminal of its own, whose output is stream 1 */
    /* May be let go: its output goes to the end of log (NULL = nowhere), there are no output events. */
    bool lasting;
    const char *log;
};

struct rb_child_events {
    /* stream 1 or 2; commands only. */
    void (*output)(struct rb_child *child, int stream, const char *data, size_t len, void *user);
    /* It is there and has its pid; a held one waits. */
    void (*started)(struct rb_child *child, void *user);
    /* One frame from an entry; value is borrowed. */
    void (*frame)(struct rb_child *child, json_t *value, void *user);
    /* A system call the kernel refused in a read-only child: "unlink /tmp/x". */
    void (*refused)(struct rb_child *child, const char *what, void *user);
    /* A UNIX socket that a read-only child was connected to, because its words are in the table of
     * shape.h: "/run/systemd/private". */
    void (*granted)(struct rb_child *child, const char *socket, void *user);
    /* The last event, exactly once: exit code, or 128 + signal; err is set when it could not be
     * started (RB_EMISSING, RB_EDENIED, …). orphaned: somebody still holds its pipe. The child is
     * freed after this returns. Never called from inside rb_child_start. */
    void (*exit)(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user);
    /* A lasting one: it is the command now. */
    void (*running)(struct rb_child *child, void *user);
};

/* May a child inherit this "NAME=value" of the host? The list is short, and nothing on it is a secret. */
bool rb_child_inherits(const char *variable);

/* Asynchronous; NULL only for a spec that cannot be (too long, no such entry). */
struct rb_child *rb_child_start(struct rb_spawner *sp, const struct rb_child_spec *spec,
                                const struct rb_child_events *events, void *user, struct rb_err *err);
/* Lets a held command go. */
void rb_child_release(struct rb_child *child);
/* One frame to an entry. */
int rb_child_send(struct rb_child *child, const json_t *value, struct rb_err *err);
/* Ends it and all its descendants: SIGTERM, then SIGKILL after grace_ms (0 = SIGKILL at once). */
void rb_child_kill(struct rb_child *child, int grace_ms);
/* Another owner from here on. */
void rb_child_hand_over(struct rb_child *child, const struct rb_child_events *events, void *user);
/* A lasting one goes on without the host; there is no event any more, and child must not be used. */
void rb_child_let_go(struct rb_child *child);
/* Something an entry does, by the processor time it takes: a busy machine is not its fault. */
struct rb_child_effort {
    int64_t since_ns, had_ns; /* when it began, and what the child had had of a processor by then */
};
struct rb_child_effort rb_child_effort_begin(const struct rb_child *child);
/* The limit in seconds that it is over: the one given, or that of waiting for a processor, a minute. 0 = neither. */
double rb_child_effort_over(const struct rb_child *child, const struct rb_child_effort *effort, double seconds);
/* 0 until it was started. */
pid_t rb_child_pid(const struct rb_child *child);
/* The signal that ended it, else 0. For the exit event. */
int rb_child_signal(const struct rb_child *child);

#endif
