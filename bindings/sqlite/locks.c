#include "sqlite/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "sqlite/file.h"
#include "system/disk.h"
#include "system/proc_locks.h"
#include "system/process_info.h"

#define SAMPLE_MS 3
#define MAX_OWNERS 256 /* of one sample; a database with more connections is not stuck for want of names */

/* Locks of one owner, as bits. The first six keep writers out. */
enum {
    EXCLUSIVE = 1,
    PENDING = 2,
    RESERVED = 4,
    WAL_WRITE = 8,
    WAL_CHECKPOINT = 16,
    WAL_RECOVER = 32,
    WRITING = EXCLUSIVE | PENDING | RESERVED | WAL_WRITE | WAL_RECOVER,
    SHARED = 64,
    WAL_READ = 128, /* five of them: WAL_READ << (byte - 123) */
    WAL_READS = WAL_READ * 31,
    READING = SHARED | WAL_READS,
};

struct owner {
    pid_t pid; /* <= 0: somebody without a name */
    unsigned bits;
    int64_t cpu_ns; /* used when the watch began */
    bool idle;      /* it held its locks for the whole watch and hardly ran */
};

struct owners {
    struct owner of[MAX_OWNERS];
    size_t count;
};

struct probe {
    const char *path;
    int db, shm; /* -1 = no such file */
    struct stat db_st, shm_st;
    enum rb_sqlite_kind kind;
    bool blind; /* /proc/locks cannot be read */
};

struct sample {
    struct owners *into;
    unsigned ignore;
    bool shm;
};

static const struct {
    unsigned bit;
    const char *name;
} lock_names[] = {
    {EXCLUSIVE, "exclusive"},
    {PENDING, "pending"},
    {RESERVED, "reserved"},
    {WAL_RECOVER, "wal_recover"},
    {WAL_WRITE, "wal_write"},
    {WAL_CHECKPOINT, "wal_checkpoint"},
    {SHARED, "shared"},
    {WAL_READ, "wal_read_0"},
    {WAL_READ << 1, "wal_read_1"},
    {WAL_READ << 2, "wal_read_2"},
    {WAL_READ << 3, "wal_read_3"},
    {WAL_READ << 4, "wal_read_4"},
};

static bool touches(const struct rb_file_lock *lock, int64_t from, int64_t to)
{
    return lock->from <= to && lock->to >= from;
}

static unsigned db_bits(const struct rb_file_lock *lock)
{
    unsigned bits = 0;

    if (touches(lock, RB_SQLITE_SHARED, RB_SQLITE_SHARED_LAST)) {
        bits |= lock->write ? EXCLUSIVE : SHARED;
    }
    if (lock->write && touches(lock, RB_SQLITE_PENDING, RB_SQLITE_PENDING)) {
        bits |= PENDING;
    }
    if (lock->write && touches(lock, RB_SQLITE_RESERVED, RB_SQLITE_RESERVED)) {
        bits |= RESERVED;
    }
    return bits;
}

static unsigned shm_bits(const struct rb_file_lock *lock)
{
    unsigned bits = 0;

    if (lock->write && touches(lock, RB_SQLITE_WAL_WRITE, RB_SQLITE_WAL_WRITE)) {
        bits |= WAL_WRITE;
    }
    if (lock->write && touches(lock, RB_SQLITE_WAL_CHECKPOINT, RB_SQLITE_WAL_CHECKPOINT)) {
        bits |= WAL_CHECKPOINT;
    }
    if (lock->write && touches(lock, RB_SQLITE_WAL_RECOVER, RB_SQLITE_WAL_RECOVER)) {
        bits |= WAL_RECOVER;
    }
    for (int i = 0; i <= RB_SQLITE_WAL_READ_LAST - RB_SQLITE_WAL_READ; i++) {
        if (touches(lock, RB_SQLITE_WAL_READ + i, RB_SQLITE_WAL_READ + i)) {
            bits |= (unsigned)WAL_READ << i;
        }
    }
    return bits;
}

static struct owner *owner_of(struct owners *set, pid_t pid)
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
    struct owner *owner = owner_of(sample->into, lock->pid);

    if (bits == 0 || lock->pid == getpid()) {
        return;
    }
    if (!owner && sample->into->count < MAX_OWNERS) {
        owner = &sample->into->of[sample->into->count++];
        *owner = (struct owner){.pid = lock->pid};
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

static void look(struct probe *probe, struct owners *out)
{
    /* In WAL mode every connection holds SHARED for as long as it is open: it says nothing. */
    struct sample db = {out, probe->kind == RB_SQLITE_WAL ? SHARED : 0, false}, shm = {out, 0, true};

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
static void keep_common(struct owners *held, struct owners *now, bool progress)
{
    size_t kept = 0;

    for (size_t i = 0; i < held->count; i++) {
        const struct owner *same = owner_of(now, held->of[i].pid);
        struct owner left = held->of[i];
        /* A writer may pass from one write lock to the next and still be the same writer. */
        unsigned writing = same && !progress && (left.bits & WRITING) ? same->bits & WRITING : 0;

        left.bits = writing | (same ? left.bits & same->bits & ~(unsigned)WRITING : 0);
        if (left.bits != 0) {
            held->of[kept++] = left;
        }
    }
    held->count = kept;
}

static unsigned all_bits(const struct owners *set)
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

static void read_counter(const struct probe *probe, struct counter *out)
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

static void note_cpu(struct owners *held)
{
    for (size_t i = 0; i < held->count; i++) {
        held->of[i].cpu_ns = held->of[i].pid > 0 ? rb_clock_cpu_ns(held->of[i].pid) : 0;
    }
}

/* On a crowded machine also one that works gets little of the processor; but then it waits for it (R), or for the
 * disk (D). */
static void note_idle(struct owners *held, int64_t watched_ns)
{
    struct rb_proc proc;

    for (size_t i = 0; i < held->count; i++) {
        struct owner *one = &held->of[i];
        one->idle = one->pid > 0 && rb_proc_read(one->pid, &proc) == 0 && !strchr("RD", proc.state) &&
                    rb_clock_cpu_ns(one->pid) - one->cpu_ns < watched_ns / 4;
    }
}

/* Watches until nobody has held a lock all the time, or until wait is over. held: who did. */
static void watch(struct probe *probe, const struct rb_work *work, double wait, struct owners *held)
{
    int64_t start = rb_clock_mono_ns(), end = start + (int64_t)(wait * 1e9);
    struct counter before, after;
    struct owners now;

    read_counter(probe, &before);
    look(probe, held);
    note_cpu(held);
    while ((all_bits(held) & (WRITING | READING)) && rb_clock_mono_ns() < end && rb_bind_wait_ms(work, SAMPLE_MS)) {
        look(probe, &now);
        read_counter(probe, &after);
        keep_common(held, &now, memcmp(&before, &after, sizeof before) != 0);
        before = after;
    }
    if (wait > 0) {
        note_idle(held, rb_clock_mono_ns() - start);
    }
}

/* ---- who is in whose way ---- */

static bool reads_only(const struct owner *one)
{
    return (one->bits & SHARED) && !(one->bits & WRITING);
}

/* It wants to commit and lets nobody begin to read any more; those who read already are in its way. */
static bool waits(const struct owner *one)
{
    return (one->bits & (PENDING | EXCLUSIVE)) == PENDING;
}

static bool any(const struct owners *held, bool (*is)(const struct owner *one))
{
    for (size_t i = 0; i < held->count; i++) {
        if (is(&held->of[i])) {
            return true;
        }
    }
    return false;
}

/* Where there is no WAL a commit needs every reader to end. A reader is in its way when a writer waits, or when
 * nothing happens any more: a read that was left open. One that works comes to an end by itself, and a pool of
 * readers that are always at work lets a writer in between them. */
static unsigned in_the_way(const struct owners *held, const struct owner *one)
{
    if (reads_only(one)) {
        return one->idle || any(held, waits) ? SHARED : 0;
    }
    return waits(one) && any(held, reads_only) ? 0 : one->bits & WRITING;
}

static struct owners blockers_of(const struct owners *held)
{
    struct owners out = {.count = 0};

    for (size_t i = 0; i < held->count; i++) {
        if (in_the_way(held, &held->of[i])) {
            out.of[out.count++] = held->of[i];
        }
    }
    return out;
}

static json_t *locks_json(unsigned bits)
{
    json_t *out = json_array();

    for (size_t i = 0; i < sizeof lock_names / sizeof *lock_names; i++) {
        if (bits & lock_names[i].bit) {
            json_array_append_new(out, json_string(lock_names[i].name));
        }
    }
    return out;
}

static void add_parent(json_t *out, const struct rb_proc *proc)
{
    struct rb_proc parent;

    if (proc->ppid <= 0 || rb_proc_read(proc->ppid, &parent) != 0) {
        return;
    }
    json_object_set_new(out, "parent",
                        json_pack("{s:i, s:o, s:I}", "pid", (int)parent.pid, "command", rb_proc_command(&parent),
                                  "started", (json_int_t)parent.started));
}

/* Also of a process that /proc hides. */
static bool exists(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0 || errno != ESRCH;
}

/* NULL for an owner without a name or one that is gone. */
static json_t *owner_json(const struct owner *owner, bool *hidden)
{
    char service[256];
    struct rb_proc proc;
    json_t *out;

    if (owner->pid <= 0) {
        *hidden = true;
        return NULL;
    }
    if (rb_proc_read(owner->pid, &proc) != 0) {
        *hidden = true;
        if (!exists(owner->pid)) {
            return NULL; /* a process of another host, or one that has just ended */
        }
        return json_pack("{s:i, s:b, s:o}", "pid", (int)owner->pid, "visible", 0, "locks", locks_json(owner->bits));
    }
    out = rb_proc_json(&proc);
    add_parent(out, &proc);
    json_object_set_new(out, "locks", locks_json(owner->bits));
    json_object_set_new(out, "orphan", json_boolean(proc.ppid == 1));
    json_object_set_new(out, "visible", json_true());
    json_object_set_new(out, "service",
                        rb_proc_service(proc.pid, service, sizeof service) ? json_string(service) : NULL);
    return out;
}

static json_t *owners_json(const struct owners *set, unsigned wanted, bool *hidden)
{
    json_t *out = json_array(), *one;

    for (size_t i = 0; i < set->count; i++) {
        if ((set->of[i].bits & wanted) && (one = owner_json(&set->of[i], hidden)) != NULL) {
            json_array_append_new(out, one);
        }
    }
    return out;
}

static json_t *file_json(const char *path, const char *suffix)
{
    char name[PATH_MAX], space[4096];
    struct passwd entry, *owner = NULL;
    struct stat st;

    rb_sqlite_companion(name, path, suffix);
    if (stat(name, &st) != 0) {
        return NULL;
    }
    (void)getpwuid_r(st.st_uid, &entry, space, sizeof space, &owner);
    return json_pack("{s:I, s:i, s:I, s:s*, s:I}", "size", (json_int_t)st.st_size, "mode", (int)(st.st_mode & 07777),
                     "uid", (json_int_t)st.st_uid, "owner", owner ? owner->pw_name : NULL, "mtime",
                     (json_int_t)st.st_mtime);
}

static const char *kind_name(unsigned bits)
{
    for (size_t i = 0; i < sizeof lock_names / sizeof *lock_names; i++) {
        if (bits & lock_names[i].bit & (WRITING | SHARED)) {
            return lock_names[i].name;
        }
    }
    return NULL;
}

static json_t *report(const struct probe *probe, const struct owners *held)
{
    struct owners blockers = blockers_of(held);
    unsigned bits = all_bits(&blockers);
    bool locked = blockers.count > 0, hidden = false, unseen_reader = false;
    json_t *holders = owners_json(&blockers, WRITING | SHARED, &hidden);
    json_t *readers = owners_json(held, READING, &unseen_reader);

    return json_pack("{s:b, s:s*, s:s, s:o, s:o, s:b, s:b, s:b, s:{s:o, s:o*, s:o*, s:o*}}", "locked", locked, "kind",
                     kind_name(bits), "mode", probe->kind == RB_SQLITE_WAL ? "wal" : "rollback", "holders", holders,
                     "readers", readers, "hidden", locked && (hidden || probe->blind), "network_fs",
                     rb_disk_network(probe->path), "hot_journal", rb_sqlite_hot_journal(probe->path), "files", "db",
                     file_json(probe->path, ""), "wal", file_json(probe->path, "-wal"), "shm",
                     file_json(probe->path, "-shm"), "journal", file_json(probe->path, "-journal"));
}

json_t *rb_sqlite_locks(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct probe probe = {.db = -1, .shm = -1};
    struct owners held;
    char name[PATH_MAX];
    json_t *out = NULL;

    probe.path = rb_sqlite_path(args, err);
    if (!probe.path) {
        return NULL;
    }
    probe.db = rb_bind_open(work, probe.path, O_RDONLY, &probe.db_st, err);
    if (probe.db < 0) {
        return NULL;
    }
    if (rb_sqlite_kind(probe.db, &probe.kind) != 0) {
        rb_err_errno(err, errno, "%s", probe.path);
        goto done;
    }
    rb_sqlite_companion(name, probe.path, "-shm");
    probe.shm = rb_bind_open(work, name, O_RDONLY, &probe.shm_st, err);
    if (probe.shm < 0 && probe.shm != RB_ENOT_FOUND) {
        goto done; /* it is there and cannot be looked at: nothing can be said of its locks */
    }
    watch(&probe, work, rb_bind_real(args, "wait", 2), &held);
    out = report(&probe, &held);
done:
    if (probe.shm >= 0) {
        close(probe.shm);
    }
    close(probe.db);
    return out;
}
