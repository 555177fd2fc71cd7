/* What the files of this folder share. Nobody else includes it. */
#ifndef RB_JOURNAL_PRIVATE_H
#define RB_JOURNAL_PRIVATE_H

#include <limits.h>
#include <stddef.h>

#include <sqlite3.h>
#include <sys/types.h>

#include "journal/journal.h"

#define JOURNAL_WAIT_MS 5000
#define JOURNAL_WAIT_AGAIN_MS 500 /* after it waited in vain, until a commit succeeds: looks go on meanwhile */
/* The index `runs`. SQLite uses a partial index only where a query repeats its condition word for word. With IN it
 * would make a table of the kinds anew for each event that is added. */
#define RUNS_CONDITION \
    "(kind = 'run.started' OR kind = 'run.ended' OR kind = 'run.resumed' OR kind = 'run.resolved' OR " \
    "kind = 'run.parked' OR kind = 'plan.made' OR kind = 'plan.used' OR kind = 'approval.asked' OR " \
    "kind = 'approval.answered' OR kind = 'approval.used' OR kind = 'undo.started')"
#define QUEUE_MAX (256u << 20)        /* bytes in memory; a full disk must not become a full memory */
#define COMPANION_MAX (PATH_MAX + 16) /* the path with its longest suffix */

/* An event in memory until the next commit. */
struct queued {
    struct queued *next;
    int64_t utc_us, mono_ns;
    char run[RB_ID_MAX];
    char *body;
    const char *kind, *actor; /* in text */
    unsigned char digest[RB_HASH_SIZE];
    char text[];
};

/* Bytes kept beside the events, under their hash; written with the next commit. */
struct queued_blob {
    struct queued_blob *next;
    unsigned char digest[RB_HASH_SIZE];
    size_t size;
    char data[];
};

/* The last seq of a run that is being written here. */
struct run_seq {
    char run[RB_ID_MAX];
    int64_t seq;
};

struct rb_journal {
    char path[PATH_MAX];
    sqlite3 *db;
    bool writer;
    bool shared; /* a group works on it: a setgid folder that the group may write */
    gid_t group; /* of that folder */
    int lock_fd;
    int wait_ms; /* for other processes */
    int64_t wait_until_ns;
    int wal_pages; /* in the WAL after our last commit */
    char *actor;
    char *sinks[4]; /* where seals go beside our own file: absolute paths, or "syslog" */
    size_t sink_count;
    int64_t sealed_ns;         /* when we sealed last; 0 = not yet */
    struct rb_journal *beside; /* has runs that we have not; ours to close */
    char *blind;               /* why there is none, although there should be one */
    struct queued *first, **end;
    struct queued_blob *blobs;
    size_t queued_bytes;
    void *runs;      /* of tsearch: struct run_seq by run; a service has a thousand at once */
    int64_t last_id; /* newest event seen by our last commit; 0 = none yet */
    unsigned char last_hash[RB_HASH_SIZE];
    sqlite3_stmt *begin, *commit, *rollback, *newest, *since, *seq_of, *insert, *put_blob;
};

/* The bytes of a row that its hash protects. */
struct chain_row {
    int64_t id, seq, utc_us, mono_ns;
    const void *run, *kind, *actor;
    size_t run_len, kind_len, actor_len;
    const unsigned char *digest; /* SHA-256 of the body */
};
/* SHA-256(0x00 || previous || SHA-256(row)), the row as written at chain_row_digest. */
void chain_hash(const struct chain_row *row, const unsigned char previous[RB_HASH_SIZE],
                unsigned char out[RB_HASH_SIZE]);

/* open.c: says in *err what SQLite said of the last call, with errno where it has one. */
int journal_cannot_write(struct rb_journal *j, struct rb_err *err);
int journal_cannot_read(struct rb_journal *j, struct rb_err *err);
bool journal_disk_full(struct rb_journal *j);
int journal_refuse(struct rb_journal *j, enum rb_text_id why, struct rb_err *err);
int journal_prepare(struct rb_journal *j, sqlite3_stmt **out, const char *sql);

/* A file of the journal's own, made so that its group shares it when the folder is shared. */
int journal_make(const struct rb_journal *j, const char *path, int flags);

/* schema.c: a writer creates what is missing; anything else than our table is refused. */
int schema_check(struct rb_journal *j, struct rb_err *err);
/* Writes what is there already. SQLite's code. */
int schema_touch(struct rb_journal *j);

void journal_patience(struct rb_journal *j, int ms);

/* lock.c: the lock file between commits (shared) and checkpoints (exclusive). */
void journal_pause_ms(int ms);
int lock_take(struct rb_journal *j, bool exclusive, struct rb_err *err);
void lock_release(struct rb_journal *j);
/* Moves the WAL into the file when it is long and nobody commits just now. Never waits. */
void checkpoint_after_commit(struct rb_journal *j);
void checkpoint_at_close(struct rb_journal *j);
/* The disk space kept for a full disk: made where missing, true when it is there; released, true when there was one. */
bool reserve_keep(struct rb_journal *j);
bool reserve_release(struct rb_journal *j);

/* seal_write.c: how many seals the key has signed; 0 when there is no key. */
int64_t seals_made(const struct rb_journal *j);
#ifdef RUNBOOK_CRASH_POINTS
/* crash_vfs.c: the name of a VFS that dies, fails and loses. */
const char *journal_crash_vfs(void);
#define JOURNAL_VFS journal_crash_vfs()
#else
#define JOURNAL_VFS NULL
#endif

/* beside.c: the journal that has the run: j, or the one beside it. */
struct rb_journal *journal_of(struct rb_journal *j, const char *run);

/* commit.c */
void queue_free(struct rb_journal *j);

/* blob.c: into the open transaction; SQLite's code. */
int blobs_insert(struct rb_journal *j);
void blobs_clear(struct rb_journal *j);

#endif
