/* A child specification on its way to the process that becomes it: written to
 * an anonymous file by the host, read back by the keeper. */
#ifndef RB_PROCESS_TASK_H
#define RB_PROCESS_TASK_H

#include <stdbool.h>

#include "base/buf.h"
#include "process/child.h"
#include "process/spawner.h"

/* argv and environment together; the kernel's own limit is a quarter of the stack, 2 MiB. */
#define RB_TASK_MAX (2u << 20)

struct rb_task {
    char *bytes; /* owns all strings below */
    const char *cwd;
    char **argv, **env;
    int entry;      /* index in the entries, -1 for a command */
    char **sockets; /* UNIX sockets that it may connect to though it may only read */
    enum rb_child_access access;
    bool terminal, lasting;
    int umask; /* -1 = as it is */
    struct rb_child_limits limits;
    const char *log; /* "" = none */
};

/* Initialises and fills out. 0, or RB_ETOO_LARGE, or RB_EUSAGE for no command and no such entry. */
int rb_task_encode(const struct rb_child_spec *spec, const struct rb_entry *entries, size_t count, struct rb_buf *out,
                   struct rb_err *err);
/* The encoded task as a descriptor: 0 or -errno. */
int rb_task_store(const struct rb_buf *task, int *fd);
/* 0 or -errno; rb_task_free in both cases. task starts as {0}. */
int rb_task_read(int fd, struct rb_task *task);
void rb_task_free(struct rb_task *task);

#endif
