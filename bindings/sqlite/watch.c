/* Looks again and again at the locks of a database, at /proc/locks and by asking the file system. */
#include "sqlite/watch.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "system/proc_locks.h"
#include "system/process_info.h"

#define SAMPLE_MS 3

struct sample {
    struct rb_lock_owners *into;
    unsigned ignore;
    bool shm;
};

static bool touches(const struct rb_file_lock *lock, int64_t from, int64_t to)
{
    return lock->from <= to && lock->to >= from;
}

static unsigned db_bits(const struct rb_file_lock *lock)
{
    unsigned bits = 0;

    if (touches(lock, RB_SQLITE_SHARED, RB_SQLITE_SHARED_LAST)) {
        bits |= lock->write ? RB_LOCK_EXCLUSIVE : RB_LOCK_SHARED;
    }
    if (lock->write && touches(lock, RB_SQLITE_PENDING, RB_SQLITE_PENDING)) {
        bits |= RB_LOCK_PENDING;
    }
    if (lock->write && touches(lock, RB_SQLITE_RESERVED, RB_SQLITE_RESERVED)) {
        bits |= RB_LOCK_RESERVED;
    }
    return bits;
}

static unsigned shm_bits(const struct rb_file_lock *lock)
{
    unsigned bits = 0;

    if (lock->write && touches(lock, RB_SQLITE_WAL_WRITE, RB_SQLITE_WAL_WRITE)) {
        bits |= RB_LOCK_WAL_WRITE;
    }
    if (lock->write && touches(lock, RB_SQLITE_WAL_CHECKPOINT, RB_SQLITE_WAL_CHECKPOINT)) {
        bits |= RB_LOCK_WAL_CHECKPOINT;
    }
    if (lock->write && touches(lock, RB_SQLITE_WAL_RECOVER, RB_SQLITE_WAL_RECOVER)) {
        bits |= RB_LOCK_WAL_RECOVER;
    }
    for (int i = 0; i <= RB_SQLITE_WAL_READ_LAST - RB_SQLITE_WAL_READ; i++) {
        if (touches(lock, RB_SQLITE_WAL_READ + i, RB_SQLITE_WAL_READ + i)) {
            bits |= (unsigned)RB_LOCK_WAL_READ << i;
        }
    }
    return bits;
}

static struct rb_lock_owner *owner_of(struct rb_lock_owners *set, pid_t pid)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->of[i].pid == pid) {
            return &set->of[i];
        }
    }
    return NULL;
}

static void collect(const struct rb_file_lock *lock, void *user)
{
    const struct sample *sample = user;
    unsigned bits = (sample->shm ? shm_bits(lock) : db_bits(lock)) & ~sample->ignore;
    struct rb_lock_owner *owner = owner_of(sample->into, lock->pid);

    if (bits == 0 || lock->pid == getpid()) {
        return;
    }
    if (!owner && sample->into->count < RB_LOCK_OWNERS) {
        owner = &sample->into->of[sample->into->count++];
        *owner = (struct rb_lock_owner){.pid = lock->pid};
    }
    if (owner) {
        owner->bits |= bits;
    }
}

/* The file system's own answer, for what /proc/locks does not show (other hosts, other containers). */
static void ask(int fd, int64_t from, int64_t to, struct sample *sample)
{
    struct rb_file_lock lock;

    if (fd >= 0 && rb_file_lock_ask(fd, from, to, &lock)) {
        collect(&lock, sample);
    }
}

static void look(struct rb_lock_probe *probe, struct rb_lock_owners *out)
{
    /* In WAL mode every connection holds RB_LOCK_SHARED for as long as it is open: it says nothing. */
    struct sample db = {out, probe->kind == RB_SQLITE_WAL ? RB_LOCK_SHARED : 0, false}, shm = {out, 0, true};

    out->count = 0;
    ask(probe->db, RB_SQLITE_PENDING, RB_SQLITE_PENDING, &db);
    ask(probe->db, RB_SQLITE_RESERVED, RB_SQLITE_RESERVED, &db);
    ask(probe->db, RB_SQLITE_SHARED, RB_SQLITE_SHARED_LAST, &db);
    for (int byte = RB_SQLITE_WAL_WRITE; byte <= RB_SQLITE_WAL_READ_LAST; byte++) {
        ask(probe->shm, byte, byte, &shm);
    }
    probe->blind = rb_proc_locks(&probe->db_st, collect, &db) != 0;
    if (probe->shm >= 0) {
        (void)rb_proc_locks(&probe->shm_st, collect, &shm);
    }
}

/* What of the first set is still held in the second. A read counts by its own mark: a reader that moves on
 * takes another one. */
static void keep_common(struct rb_lock_owners *held, struct rb_lock_owners *now, bool progress)
{
    size_t kept = 0;

    for (size_t i = 0; i < held->count; i++) {
        const struct rb_lock_owner *same = owner_of(now, held->of[i].pid);
        struct rb_lock_owner left = held->of[i];
        /* A writer may pass from one write lock to the next and still be the same writer. */
        unsigned writing = same && !progress && (left.bits & RB_LOCK_WRITING) ? same->bits & RB_LOCK_WRITING : 0;

        left.bits = writing | (same ? left.bits & same->bits & ~(unsigned)RB_LOCK_WRITING : 0);
        if (left.bits != 0) {
            held->of[kept++] = left;
        }
    }
    held->count = kept;
}

unsigned rb_lock_bits(const struct rb_lock_owners *set)
{
    unsigned bits = 0;

    for (size_t i = 0; i < set->count; i++) {
        bits |= set->of[i].bits;
    }
    return bits;
}

/* Commits are counted in the database header, or in WAL mode in the header of the -shm. A counter that
 * moves means that transactions come to an end: busy, not stuck. */
struct counter {
    unsigned char bytes[48];
};

static void read_counter(const struct rb_lock_probe *probe, struct counter *out)
{
    memset(out, 0, sizeof *out);
    if (probe->kind == RB_SQLITE_WAL) {
        if (probe->shm >= 0) {
            (void)!pread(probe->shm, out->bytes, sizeof out->bytes, 0);
        }
    } else {
        (void)!pread(probe->db, out->bytes, 4, 24);
    }
}

static void note_cpu(struct rb_lock_owners *held)
{
    for (size_t i = 0; i < held->count; i++) {
        held->of[i].cpu_ns = held->of[i].pid > 0 ? rb_clock_cpu_ns(held->of[i].pid) : 0;
    }
}

/* On a crowded machine also one that works gets little of the processor; but then it waits for it (R), or for the
 * disk (D). */
static void note_idle(struct rb_lock_owners *held, int64_t watched_ns)
{
    struct rb_proc proc;

    for (size_t i = 0; i < held->count; i++) {
        struct rb_lock_owner *one = &held->of[i];
        one->idle = one->pid > 0 && rb_proc_read(one->pid, &proc) == 0 && !strchr("RD", proc.state) &&
                    rb_clock_cpu_ns(one->pid) - one->cpu_ns < watched_ns / 4;
    }
}

void rb_lock_watch(struct rb_lock_probe *probe, const struct rb_work *work, double wait, struct rb_lock_owners *held)
{
    int64_t start = rb_clock_mono_ns(), end = start + (int64_t)(wait * 1e9);
    struct counter before, after;
    struct rb_lock_owners now;

    read_counter(probe, &before);
    look(probe, held);
    note_cpu(held);
    while ((rb_lock_bits(held) & (RB_LOCK_WRITING | RB_LOCK_READING)) && rb_clock_mono_ns() < end &&
           rb_bind_wait_ms(work, SAMPLE_MS)) {
        look(probe, &now);
        read_counter(probe, &after);
        keep_common(held, &now, memcmp(&before, &after, sizeof before) != 0);
        before = after;
    }
    if (wait > 0) {
        note_idle(held, rb_clock_mono_ns() - start);
    }
}
