/* The kernel's table of file locks, /proc/locks, for one file. */
#ifndef RB_BINDINGS_PROC_LOCKS_H
#define RB_BINDINGS_PROC_LOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct rb_file_lock {
    char type[8]; /* POSIX FLOCK OFDLCK LEASE */
    bool write;
    pid_t pid;        /* -1: an open-file-description lock; 0: a process we cannot see */
    int64_t from, to; /* bytes, inclusive; INT64_MAX = to the end */
};

/* Calls fn for each lock that is held (not waited for) on the file. 0, or -1 when the table cannot be read. */
int rb_proc_locks(const struct stat *st, void (*fn)(const struct rb_file_lock *lock, void *user), void *user);
/* Who would keep us from locking [from, to] for writing? Asks the file system, takes nothing. True and
 * *out when somebody would. */
bool rb_file_lock_ask(int fd, int64_t from, int64_t to, struct rb_file_lock *out);

#endif
