#include "sqlite/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/json.h"
#include "sqlite/watch.h"
#include "system/disk.h"
#include "system/process_info.h"

static const struct {
    unsigned bit;
    const char *name;
} lock_names[] = {
    {RB_LOCK_EXCLUSIVE, "exclusive"},
    {RB_LOCK_PENDING, "pending"},
    {RB_LOCK_RESERVED, "reserved"},
    {RB_LOCK_WAL_RECOVER, "wal_recover"},
    {RB_LOCK_WAL_WRITE, "wal_write"},
    {RB_LOCK_WAL_CHECKPOINT, "wal_checkpoint"},
    {RB_LOCK_SHARED, "shared"},
    {RB_LOCK_WAL_READ, "wal_read_0"},
    {RB_LOCK_WAL_READ << 1, "wal_read_1"},
    {RB_LOCK_WAL_READ << 2, "wal_read_2"},
    {RB_LOCK_WAL_READ << 3, "wal_read_3"},
    {RB_LOCK_WAL_READ << 4, "wal_read_4"},
};

/* ---- who is in whose way ---- */

static bool reads_only(const struct rb_lock_owner *one)
{
    return (one->bits & RB_LOCK_SHARED) && !(one->bits & RB_LOCK_WRITING);
}

/* It wants to commit and lets nobody begin to read any more; those who read already are in its way. */
static bool waits(const struct rb_lock_owner *one)
{
    return (one->bits & (RB_LOCK_PENDING | RB_LOCK_EXCLUSIVE)) == RB_LOCK_PENDING;
}

static bool any(const struct rb_lock_owners *held, bool (*is)(const struct rb_lock_owner *one))
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
static unsigned in_the_way(const struct rb_lock_owners *held, const struct rb_lock_owner *one)
{
    if (reads_only(one)) {
        return one->idle || any(held, waits) ? RB_LOCK_SHARED : 0;
    }
    return waits(one) && any(held, reads_only) ? 0 : one->bits & RB_LOCK_WRITING;
}

static struct rb_lock_owners blockers_of(const struct rb_lock_owners *held)
{
    struct rb_lock_owners out = {.count = 0};

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
static json_t *owner_json(const struct rb_lock_owner *owner, bool *hidden)
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

static json_t *owners_json(const struct rb_lock_owners *set, unsigned wanted, bool *hidden)
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
        if (bits & lock_names[i].bit & (RB_LOCK_WRITING | RB_LOCK_SHARED)) {
            return lock_names[i].name;
        }
    }
    return NULL;
}

static json_t *report(const struct rb_lock_probe *probe, const struct rb_lock_owners *held)
{
    struct rb_lock_owners blockers = blockers_of(held);
    unsigned bits = rb_lock_bits(&blockers);
    bool locked = blockers.count > 0, hidden = false, unseen_reader = false;
    json_t *holders = owners_json(&blockers, RB_LOCK_WRITING | RB_LOCK_SHARED, &hidden);
    json_t *readers = owners_json(held, RB_LOCK_READING, &unseen_reader);

    return json_pack("{s:b, s:s*, s:s, s:o, s:o, s:b, s:b, s:b, s:{s:o, s:o*, s:o*, s:o*}}", "locked", locked, "kind",
                     kind_name(bits), "mode", probe->kind == RB_SQLITE_WAL ? "wal" : "rollback", "holders", holders,
                     "readers", readers, "hidden", locked && (hidden || probe->blind), "network_fs",
                     rb_disk_network(probe->path), "hot_journal", rb_sqlite_hot_journal(probe->path), "files", "db",
                     file_json(probe->path, ""), "wal", file_json(probe->path, "-wal"), "shm",
                     file_json(probe->path, "-shm"), "journal", file_json(probe->path, "-journal"));
}

json_t *rb_sqlite_locks(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct rb_lock_probe probe = {.db = -1, .shm = -1};
    struct rb_lock_owners held;
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
    rb_lock_watch(&probe, work, rb_bind_real(args, "wait", 2), &held);
    out = report(&probe, &held);
done:
    if (probe.shm >= 0) {
        close(probe.shm);
    }
    close(probe.db);
    return out;
}
