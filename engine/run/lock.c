/* Runs exclude each other: those of one runbook on one target (design.md 3, promise 6), and those that name the same
 * lock. A lock is the kernel's, on a small file in the state folder: it goes with the process that holds it, so nobody
 * ever guesses whether an owner lives. The file says whose it is; it goes on saying so when its run may have left a
 * write half done, and then nobody gets it before a person said what became of that. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/files.h"
#include "base/json.h"
#include "run/state.h"

struct rb_lock {
    struct rb_lock *next;
    int fd;
    char name[RB_HEX_SIZE];
};

/* Has the run, or one that it is a part of, this lock already? Named twice it is one. */
static bool has(const struct rb_run *run, const char *hex)
{
    const struct rb_lock *lock = run->locks;
    while (lock && strcmp(lock->name, hex)) {
        lock = lock->next;
    }
    return lock != NULL;
}

/* In a folder that a group shares, the locks are the group's, too. One that cannot be written any more still has the
 * locks of those who took theirs in time. */
static int lock_open(const char *folder, const char *hex, struct rb_err *err)
{
    char path[PATH_MAX + 64];
    struct stat st = {0};
    bool shared = stat(folder, &st) == 0 && st.st_mode & S_ISGID && st.st_mode & S_IWGRP;
    snprintf(path, sizeof path, "%s/locks", folder);
    bool made = stat(path, &st) != 0;
    if (made && mkdir(path, 0700) != 0 && errno != EEXIST) { /* never the folder itself: its disk may not be mounted */
        return rb_err_errno(err, errno, "%s", path);
    }
    if (shared && made && chmod(path, 02770) != 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    snprintf(path, sizeof path, "%s/locks/%.32s", folder, hex);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    fd = fd < 0 ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : fd;
    if (fd < 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    if (shared) {
        (void)fchmod(fd, 0660); /* of another's, it has been done */
    }
    return fd;
}

/* {run, journal, pid, since, login}; an empty object when nobody is named. */
static json_t *owner_of(int fd)
{
    char text[PATH_MAX + 1024];
    ssize_t n = pread(fd, text, sizeof text, 0);
    json_t *owner = n > 0 ? rb_json_parse(text, (size_t)n, NULL) : NULL;
    return owner ? owner : json_object();
}

static int busy(struct rb_run *run, const char *name, const json_t *owner, struct rb_err *err)
{
    char step[256] = "";
    struct rb_past past;
    struct rb_err ignored;
    const char *id = rb_json_str(owner, "run", "?");
    if (rb_past_read(&past, run->engine.journal, id, &ignored) == 0) {
        rb_past_step(&past, step, sizeof step);
        rb_past_free(&past);
    }
    rb_err_set(err, RB_EBUSY, RB_T_run_busy, name, id, rb_json_str(owner, "login", "?"),
               (int)rb_json_int(owner, "pid", 0), rb_json_str(owner, "since", "?"), step[0] ? step : "-");
    rb_err_hint(err, RB_T_run_busy_hint, id);
    return RB_EBUSY;
}

static void offer(struct rb_run *run, const struct rb_past *past)
{
    char step[256];
    if (past->ended || run->archive ||
        strcmp(rb_json_str(past->started, "runbook", ""), rb_json_str(run->file, "id", "?"))) {
        return;
    }
    rb_past_step(past, step, sizeof step);
    json_decref(run->interrupted);
    run->interrupted = json_pack("{s:s, s:s}", "run", past->run, "step", step);
}

/* Not in our journal: it died before its first event was on disk, or is of another one, whose own affair it is. Only
 * when that one should be seen from here and cannot be, nobody can say how it ended; who ends well leaves no name. */
static int check_unseen(const struct rb_run *run, const char *name, const json_t *owner, struct rb_err *err)
{
    const char *blind = rb_journal_blind(run->engine.journal), *journal = rb_json_str(owner, "journal", "");
    bool ours = !strcmp(journal, rb_journal_path(run->engine.journal));
    return blind && !ours ? rb_err_set(err, RB_EBUSY, RB_T_run_lock_unseen, name, rb_json_str(owner, "run", "?"), blind)
                          : 0;
}

/* The one before us died with it. */
static int check_last(struct rb_run *run, const char *name, const json_t *owner, struct rb_err *err)
{
    struct rb_past past;
    struct rb_err ignored;
    const char *id = rb_json_str(owner, "run", run->id);
    if (!strcmp(id, run->id)) {
        return 0;
    }
    if (rb_past_read(&past, run->engine.journal, id, &ignored) < 0) {
        return check_unseen(run, name, owner, err);
    }
    int rc = 0;
    if (rb_past_unknown(&past)) {
        rc = rb_err_set(err, RB_EBUSY, RB_T_run_lock_unknown, name, id,
                        rb_json_str(json_array_get(past.open, 0), "text", "?"));
        rb_err_hint(err, past.ended ? RB_T_run_lock_resolve : RB_T_run_lock_resume, id);
    } else {
        offer(run, &past);
    }
    rb_past_free(&past);
    return rc;
}

static void write_owner(int fd, const struct rb_run *run)
{
    char since[RB_TIME_MAX], uid[32];
    rb_clock_format(rb_clock_utc_us(), 0, since);
    json_t *actor = rb_journal_actor_find();
    snprintf(uid, sizeof uid, "uid %d", (int)getuid());
    json_t *owner =
        json_pack("{s:s, s:s, s:i, s:s, s:s}", "run", run->id, "journal", rb_journal_path(run->engine.journal), "pid",
                  (int)getpid(), "since", since, "login", rb_json_str(actor, "login", uid));
    char *text = rb_json_canonical(owner);
    size_t len = strlen(text);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, len, 0) != (ssize_t)len) {
        (void)ftruncate(fd,
                        0); /* a full disk must not stop a run: without the name the kernel's lock holds all the same */
    }
    free(text);
    json_decref(owner);
    json_decref(actor);
}

static int try_lock(struct rb_run *run, const char *name, int fd, struct rb_err *err)
{
    bool held = flock(fd, LOCK_EX | LOCK_NB) < 0;
    json_t *owner = owner_of(fd);
    int rc = held ? busy(run, name, owner, err) : check_last(run, name, owner, err);
    json_decref(owner);
    return rc;
}

static int take_in(struct rb_run *run, const char *folder, const char *hex, const char *what, struct rb_err *err)
{
    int fd = lock_open(folder, hex, err);
    if (fd < 0) {
        return fd;
    }
    int rc = try_lock(run, what, fd, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    RB_CRASH_POINT("locked");
    write_owner(fd, run);
    RB_CRASH_POINT("lock named");
    struct rb_lock *lock = rb_xcalloc(1, sizeof *lock);
    *lock = (struct rb_lock){.next = run->locks, .fd = fd};
    memcpy(lock->name, hex, RB_HEX_SIZE);
    run->locks = lock;
    return 0;
}

/* Where there are two journals it is taken beside both, because a run of either counts; beside one when the other's
 * disk is gone. */
int rb_lock_take(struct rb_run *run, const char *name, const char *what, struct rb_err *err)
{
    char hex[RB_HEX_SIZE], state[PATH_MAX];
    struct rb_err why = {0};
    rb_hash_hex(name, strlen(name), hex);
    if (has(run, hex)) {
        return 0;
    }
    int rc = rb_files_state_dir(state, err);
    rc = rc ? rc : take_in(run, state, hex, what, err);
    if (rc == RB_EBUSY || !run->engine.second) {
        return rc;
    }
    int second = take_in(run, run->engine.second, hex, what, &why);
    if (second == RB_EBUSY) {
        *err = why;
    }
    return second == RB_EBUSY || rc != 0 ? second : 0;
}

void rb_locks_release(struct rb_run *run, bool keep_name)
{
    while (run->locks) {
        struct rb_lock *lock = run->locks;
        run->locks = lock->next;
        if (!keep_name) {
            (void)!ftruncate(lock->fd, 0); /* a name that stays is looked up in the journal, and found to have ended */
        }
        RB_CRASH_POINT("lock unnamed");
        close(lock->fd);
        free(lock);
    }
}
