/* Who holds which lock on a database for a while: private to locks.c. */
#ifndef RB_BINDINGS_SQLITE_WATCH_H
#define RB_BINDINGS_SQLITE_WATCH_H

#include <sys/stat.h>

#include "bind.h"
#include "sqlite/file.h"

#define RB_LOCK_OWNERS 256 /* of one sample; a database with more connections is not stuck for want of names */

/* Locks of one owner, as bits. The first six keep writers out. */
enum {
    RB_LOCK_EXCLUSIVE = 1,
    RB_LOCK_PENDING = 2,
    RB_LOCK_RESERVED = 4,
    RB_LOCK_WAL_WRITE = 8,
    RB_LOCK_WAL_CHECKPOINT = 16,
    RB_LOCK_WAL_RECOVER = 32,
    RB_LOCK_WRITING = RB_LOCK_EXCLUSIVE | RB_LOCK_PENDING | RB_LOCK_RESERVED | RB_LOCK_WAL_WRITE | RB_LOCK_WAL_RECOVER,
    RB_LOCK_SHARED = 64,
    RB_LOCK_WAL_READ = 128, /* five of them: RB_LOCK_WAL_READ << (byte - 123) */
    RB_LOCK_WAL_READS = RB_LOCK_WAL_READ * 31,
    RB_LOCK_READING = RB_LOCK_SHARED | RB_LOCK_WAL_READS,
};

struct rb_lock_owner {
    pid_t pid; /* <= 0: somebody without a name */
    unsigned bits;
    int64_t cpu_ns; /* used when the watch began */
    bool idle;      /* it held its locks for the whole watch and hardly ran */
};

struct rb_lock_owners {
    struct rb_lock_owner of[RB_LOCK_OWNERS];
    size_t count;
};

struct rb_lock_probe {
    const char *path;
    int db, shm; /* -1 = no such file */
    struct stat db_st, shm_st;
    enum rb_sqlite_kind kind;
    bool blind; /* /proc/locks cannot be read */
};

/* Watches until nobody has held a lock all the time, or until wait (seconds) is over. held: who did. */
void rb_lock_watch(struct rb_lock_probe *probe, const struct rb_work *work, double wait, struct rb_lock_owners *held);
unsigned rb_lock_bits(const struct rb_lock_owners *set);

#endif
