/* The journal: one append-only, hash-chained table of events in one SQLite file.
 * Everything else (history, audit, logs, a report) is read from it.
 *
 * Written by several processes at once. WAL with synchronous=FULL; a commit is
 * durable when rb_journal_commit returns. Checkpoints happen only under an
 * exclusive lock that every writer holds shared (SQLite before 3.51.3 can lose a
 * commit otherwise, see docs/promises.md). A handle belongs to one thread at a time. */
#ifndef RB_JOURNAL_JOURNAL_H
#define RB_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

struct rb_journal;

struct rb_event {
    int64_t id;      /* position in the chain */
    const char *run; /* "r-7k2m9q" */
    int64_t seq;     /* position in the run, from 1 */
    int64_t utc_us, mono_ns;
    const char *kind;   /* "call.intent" */
    const char *actor;  /* canonical JSON: uid, login, sudo, tty, ssh, host */
    const char *body;   /* canonical JSON text, or NULL when pruned (a later `pruned {"upto": id}` says so) */
    const char *digest; /* of the body, 64 hex digits */
    const char *hash;   /* 64 hex digits */
};

/* Opens or creates the file (0600, its folder 0700). RB_EJOURNAL with the reason. */
int rb_journal_open(struct rb_journal **out, const char *path, struct rb_err *err);
/* The same without the right to write; a missing file is RB_ENOT_FOUND. */
int rb_journal_open_reader(struct rb_journal **out, const char *path, struct rb_err *err);
void rb_journal_close(struct rb_journal *j);
/* <state dir>/journal.db */
int rb_journal_default_path(char *out, size_t size, struct rb_err *err);
/* Who acts from now on; body is copied. */
void rb_journal_actor_set(struct rb_journal *j, const json_t *actor);
/* uid, login, sudo origin, tty, SSH client, host and pid of this process. New reference. */
json_t *rb_journal_actor_find(void);

/* Queues an event in memory; nothing is durable yet. body is borrowed. A run begins with one run.started. */
int rb_journal_add(struct rb_journal *j, const char *run, const char *kind, const json_t *body, struct rb_err *err);
/* Writes everything queued in one synced transaction. After an error the events stay queued. */
int rb_journal_commit(struct rb_journal *j, struct rb_err *err);
/* Commits what is queued and, in the same transaction, one event more if check says 0 to it: nothing can come between
 * what check reads and what is then written. An error of check is returned; what was queued is committed all the same.
 */
typedef int rb_journal_check(struct rb_journal *j, void *user, struct rb_err *err);
struct rb_journal_if {
    const char *run, *kind;
    const json_t *body;
    rb_journal_check *check;
    void *user;
};
int rb_journal_add_if(struct rb_journal *j, const struct rb_journal_if *event, struct rb_err *err);
/* Bytes beside the events, at most 16 MiB, kept under their SHA-256 (out) from the next commit on. The event
 * that names the hash belongs into the same commit. */
int rb_journal_blob_add(struct rb_journal *j, const void *data, size_t size, char out[RB_HEX_SIZE], struct rb_err *err);
/* Appended to out. RB_ENOT_FOUND; RB_ECORRUPT when the bytes are not those of the hash. */
int rb_journal_blob(struct rb_journal *j, const char *hex, struct rb_buf *out, struct rb_err *err);
/* Signs what the newest event is (journal/seal.h), in the journal's own list and in the second sinks: at the end of a
 * run, at an approval, and by every commit a minute after the last time. A second sink that cannot be reached is an
 * error of this call only; nothing is lost. */
int rb_journal_seal(struct rb_journal *j, struct rb_err *err);
/* A second sink for seals, best on another machine's disk: an absolute path, or "syslog". Copied. At most 4. */
void rb_journal_sink_add(struct rb_journal *j, const char *sink);
/* Removes the bodies of events older than an instant, some at a time; *events: how many went. A run that ended
 * long ago stays in the chain and in the list, without its words. */
int rb_journal_prune(struct rb_journal *j, int64_t before_us, int64_t *events, struct rb_err *err);
/* True for device and inode of the journal's own files (db, -wal, -shm, lock, reserve, seals, seal-key). */
bool rb_journal_owns(const struct rb_journal *j, uint64_t dev, uint64_t ino);

/* ---- two journals: where one cannot be written, another takes the record. A run is in one of them, all of it. ---- */

/* A synced commit without an event, with the reserve in its place: the journal can be written now. */
int rb_journal_try(struct rb_journal *j, struct rb_err *err);
/* A journal to look in for runs, and their bytes, that j does not have; j closes it. blind: why there is none, although
 * there should be one; copied, else NULL. Once a journal. */
void rb_journal_beside_set(struct rb_journal *j, struct rb_journal *other, const char *blind);
struct rb_journal *rb_journal_beside(const struct rb_journal *j);
const char *rb_journal_blind(const struct rb_journal *j);
/* Is it a run of this very journal? Only there may it go on. */
bool rb_journal_has(struct rb_journal *j, const char *run);
const char *rb_journal_path(const struct rb_journal *j);

/* Calls fn for each event in order; a non-zero return ends it and is returned.
 * run NULL = all runs of this journal, not of the one beside it; after = only ids above it. */
typedef int rb_event_fn(const struct rb_event *event, void *user);
int rb_journal_read(struct rb_journal *j, const char *run, int64_t after, rb_event_fn *fn, void *user,
                    struct rb_err *err);
/* The same for events of one of the kinds that lists are made of (plan.made, plan.used, approval.*, undo.started,
 * run.started, run.parked, run.resumed, run.resolved, run.ended): found without a walk through the others. */
int rb_journal_read_kind(struct rb_journal *j, const char *kind, const char *run, int64_t after, rb_event_fn *fn,
                         void *user, struct rb_err *err);
/* The full id of the one run that starts with prefix ("r-" may be left out): RB_ENOT_FOUND, or RB_EUSAGE
 * when several do. */
int rb_journal_find_run(struct rb_journal *j, const char *prefix, char out[RB_ID_MAX], struct rb_err *err);
/* The run.started and run.ended events of the newest limit runs, newest first, as
 * [{run, runbook, mode, target, started, ended|null, result|"running"|"interrupted", exit, actor, params, ms,
 * fixes:[…]}]. A run without an end is "interrupted" when its process (pid, start time, boot id in run.started, or in
 * the run.resumed that took it over) is gone; so is one that was resolved and not yet resumed. One that was parked and
 * not yet resumed is "waiting". Those entries have
 * `pid`, too.
 * runbook NULL = all. */
json_t *rb_journal_runs(struct rb_journal *j, const char *runbook, int limit, struct rb_err *err);
/* The same entry of one run. */
json_t *rb_journal_run(struct rb_journal *j, const char *run, struct rb_err *err);
/* pid, start time (ticks) and boot id of this process: what says whether it is still there. New reference. */
json_t *rb_journal_process(void);
/* The same of another one. */
json_t *rb_journal_process_of(pid_t pid);
/* Is the process of such a body (run.started, run.resumed) still there? Never guessed from a pid alone. */
bool rb_journal_alive(const json_t *process);

struct rb_verify {
    int64_t events;
    char last[RB_HEX_SIZE]; /* of the newest event; "" when empty */
    bool ok;
    char run[RB_ID_MAX]; /* the first bad event … */
    int64_t id, seq;
    char why[256];         /* … and what is wrong with it */
    int64_t seals, sealed; /* how many there are, and the newest event that has one */
    int64_t early;         /* runs that ended before the first seal */
    char key[RB_HEX_SIZE]; /* the first signer */
};

struct rb_verify_with {
    const char *seals; /* a list of seals kept elsewhere; NULL = the journal's own */
    const char *key;   /* the first signer as it was noted elsewhere, in hex; NULL = whoever signed first */
};
/* Recomputes the chain from the stored bytes and compares it with the seals. 0 also when it is broken: see ok.
 * What came after the newest seal may have been cut off; with the journal's own list of seals and no key from
 * elsewhere, everything may have been replaced as a whole. with may be NULL. */
int rb_journal_verify(struct rb_journal *j, const struct rb_verify_with *with, struct rb_verify *out,
                      struct rb_err *err);
/* The same of a journal that is not there: its seals and its key say whether there was one. */
int rb_journal_verify_gone(const char *path, const struct rb_verify_with *with, struct rb_verify *out,
                           struct rb_err *err);

#endif
