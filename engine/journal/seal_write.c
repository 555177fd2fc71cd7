/* Sealing: the key that moves on, and where the lines go.
 *
 * <journal>.seal-key holds two slots; the one with the larger n is the key of the next seal. The line is on disk
 * before the key moves on, and the key is on disk before it is used: after a crash the same key may sign once more,
 * which a verifier allows until its successor was seen, but no seal can follow that was never announced. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "journal/private.h"
#include "journal/seal.h"

#define SLOT_SIZE 128
#define SYSLOG_SINK "syslog"
static const char magic[8] = "rbseal1";

struct key {
    uint64_t n;     /* of the seal it will sign */
    int64_t sealed; /* the newest event that has a seal */
    unsigned char seed[SEAL_KEY_SIZE];
};

static void seal_path(const struct rb_journal *j, const char *suffix, char out[COMPANION_MAX])
{
    (void)snprintf(out, COMPANION_MAX, "%s%s", j->path, suffix);
}

static int cannot_seal(const struct rb_journal *j, const char *path, int errnum, struct rb_err *err)
{
    struct rb_err why = {0};
    rb_err_errno(&why, errnum, "%s", path);
    return rb_err_set(err, RB_EJOURNAL, RB_T_journal_seal, j->path, why.text);
}

/* ---- the key ---- */

static void pack(const struct key *key, unsigned char slot[SLOT_SIZE])
{
    memset(slot, 0, SLOT_SIZE);
    memcpy(slot, magic, sizeof magic);
    memcpy(slot + 8, &key->n, 8);
    memcpy(slot + 16, &key->sealed, 8);
    memcpy(slot + 24, key->seed, SEAL_KEY_SIZE);
    rb_hash(slot, SLOT_SIZE - RB_HASH_SIZE, slot + SLOT_SIZE - RB_HASH_SIZE); /* a slot that was half written is none */
}

static bool unpack(const unsigned char slot[SLOT_SIZE], struct key *key)
{
    unsigned char digest[RB_HASH_SIZE];
    rb_hash(slot, SLOT_SIZE - RB_HASH_SIZE, digest);
    if (memcmp(slot, magic, sizeof magic) != 0 || memcmp(digest, slot + SLOT_SIZE - RB_HASH_SIZE, RB_HASH_SIZE) != 0) {
        return false;
    }
    memcpy(&key->n, slot + 8, 8);
    memcpy(&key->sealed, slot + 16, 8);
    memcpy(key->seed, slot + 24, SEAL_KEY_SIZE);
    return true;
}

/* Over the older slot; the other one is erased once this one is on disk. */
static int key_write(int fd, const struct key *key)
{
    unsigned char slot[SLOT_SIZE], empty[SLOT_SIZE] = {0};
    pack(key, slot);
    off_t mine = (off_t)(key->n % 2 * SLOT_SIZE), other = SLOT_SIZE - mine;
    if (pwrite(fd, slot, SLOT_SIZE, mine) != SLOT_SIZE || fdatasync(fd) != 0) {
        return -1;
    }
    return pwrite(fd, empty, SLOT_SIZE, other) == SLOT_SIZE ? 0 : -1; /* synced with the next one */
}

static int key_new(int fd, struct key *key)
{
    *key = (struct key){.n = 1};
    return getrandom(key->seed, SEAL_KEY_SIZE, 0) == SEAL_KEY_SIZE ? key_write(fd, key) : -1;
}

/* 0, or -1 with errno. */
static int key_read(int fd, struct key *key)
{
    unsigned char slots[2 * SLOT_SIZE];
    struct key one = {0}, two = {0};
    ssize_t len = pread(fd, slots, sizeof slots, 0);
    if (len == 0) {
        return key_new(fd, key);
    }
    bool first = len >= SLOT_SIZE && unpack(slots, &one);
    bool second = len == sizeof slots && unpack(slots + SLOT_SIZE, &two);
    if (!first && !second) {
        errno = EUCLEAN;
        return -1;
    }
    *key = !second || (first && one.n > two.n) ? one : two;
    return 0;
}

static int key_open(const struct rb_journal *j, struct key *key, struct rb_err *err)
{
    char path[COMPANION_MAX];
    seal_path(j, ".seal-key", path);
    int fd = journal_make(j, path, O_RDWR);
    if (fd < 0 || flock(fd, LOCK_EX) != 0 || key_read(fd, key) != 0) {
        cannot_seal(j, path, errno, err);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

int64_t seals_made(const struct rb_journal *j)
{
    char path[COMPANION_MAX];
    struct key key = {.n = 1};
    struct stat st;
    seal_path(j, ".seal-key", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool known = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && key_read(fd, &key) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return known ? (int64_t)key.n - 1 : 0;
}

/* ---- the lines ---- */

/* A power loss may have left half a line of ours at the end; its key has not moved on. */
static int drop_half_line(int fd)
{
    char tail[SEAL_LINE_MAX];
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return -1;
    }
    off_t from = st.st_size > SEAL_LINE_MAX ? st.st_size - SEAL_LINE_MAX : 0;
    ssize_t len = pread(fd, tail, sizeof tail, from);
    const char *end = len > 0 ? memrchr(tail, '\n', (size_t)len) : NULL;
    off_t whole = end ? from + (end - tail) + 1 : from;
    return len < 0 || whole == st.st_size ? (int)(len < 0 ? -1 : 0) : ftruncate(fd, whole);
}

static int append(const struct rb_journal *j, const char *path, const char *line, size_t len)
{
    bool ours = j != NULL;
    int fd = ours ? journal_make(j, path, O_RDWR | O_APPEND)
                  : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok =
        fd >= 0 && (!ours || drop_half_line(fd) == 0) && write(fd, line, len) == (ssize_t)len && fdatasync(fd) == 0;
    int errnum = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = errnum;
    return ok ? 0 : -1;
}

static int send_to(const char *sink, const char *line, size_t len)
{
    if (strcmp(sink, SYSLOG_SINK) == 0) {
        syslog(LOG_AUTHPRIV | LOG_NOTICE, "%.*s", (int)len - 1, line);
        return 0;
    }
    return append(NULL, sink, line, len);
}

/* The first sink is ours and must take it; one elsewhere that cannot is named, the others still get it. */
static int deliver(const struct rb_journal *j, const struct seal *seal, struct rb_err *err)
{
    char line[SEAL_LINE_MAX], own[COMPANION_MAX];
    size_t len = seal_format(seal, line);
    seal_path(j, ".seals", own);
    if (append(j, own, line, len) != 0) {
        return cannot_seal(j, own, errno, err);
    }
    int rc = 0;
    for (size_t i = 0; i < j->sink_count; i++) {
        if (send_to(j->sinks[i], line, len) != 0) {
            rc = cannot_seal(j, j->sinks[i], errno, err);
        }
    }
    return rc;
}

/* ---- a seal ---- */

static int newest(struct rb_journal *j, struct seal *seal, struct rb_err *err)
{
    sqlite3_stmt *s = NULL;
    int rc = journal_prepare(
        j, &s, "SELECT id, hash, (SELECT hash FROM events WHERE id = 1) FROM events ORDER BY id DESC LIMIT 1");
    rc = rc ? rc : sqlite3_step(s);
    bool whole =
        rc == SQLITE_ROW && sqlite3_column_bytes(s, 1) == RB_HASH_SIZE && sqlite3_column_bytes(s, 2) == RB_HASH_SIZE;
    if (whole) {
        seal->id = sqlite3_column_int64(s, 0);
        memcpy(seal->hash, sqlite3_column_blob(s, 1), RB_HASH_SIZE);
        memcpy(seal->origin, sqlite3_column_blob(s, 2), RB_HASH_SIZE);
    }
    (void)sqlite3_finalize(s); /* repeats rc */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : journal_cannot_read(j, err);
}

int rb_journal_seal(struct rb_journal *j, struct rb_err *err)
{
    struct key key;
    struct seal seal = {.utc_us = rb_clock_utc_us()};
    int fd = key_open(j, &key, err);
    if (fd < 0) {
        return RB_EJOURNAL;
    }
    int rc = newest(j, &seal, err);
    if (rc == 0 && seal.id > key.sealed) { /* else another process was quicker: what we wrote has its seal */
        seal.n = key.n;
        seal_sign(&seal, key.seed);
        rc = deliver(j, &seal, err);
        struct key after = {.n = key.n + 1, .sealed = seal.id};
        seal_next_seed(key.seed, after.seed);
        if (key_write(fd, &after) != 0 && rc == 0) {
            rc = cannot_seal(j, j->path, errno, err);
        }
    }
    close(fd); /* and with it the lock */
    j->sealed_ns = rb_clock_mono_ns();
    return rc;
}

void rb_journal_sink_add(struct rb_journal *j, const char *sink)
{
    if (j->sink_count < sizeof j->sinks / sizeof *j->sinks) {
        j->sinks[j->sink_count++] = rb_xstrdup(sink);
    }
}
