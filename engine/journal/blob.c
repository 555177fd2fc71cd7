/* Bytes by their hash: a runbook's text, an answer too large for an event. Kept once, however often named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "journal/private.h"

#define BLOB_MAX (16u << 20)

static struct queued_blob *find(const struct rb_journal *j, const unsigned char *digest)
{
    struct queued_blob *b = j->blobs;
    while (b && memcmp(b->digest, digest, RB_HASH_SIZE) != 0) {
        b = b->next;
    }
    return b;
}

int rb_journal_blob_add(struct rb_journal *j, const void *data, size_t size, char out[RB_HEX_SIZE], struct rb_err *err)
{
    unsigned char digest[RB_HASH_SIZE];
    rb_hash(data, size, digest);
    rb_hex(digest, out);
    if (find(j, digest)) {
        return 0;
    }
    if (size > BLOB_MAX || size > QUEUE_MAX - j->queued_bytes) {
        return rb_err_set(err, RB_EJOURNAL, RB_T_journal_queue_full, j->path);
    }
    struct queued_blob *b = rb_xcalloc(1, sizeof *b + size);
    memcpy(b->digest, digest, RB_HASH_SIZE);
    memcpy(b->data, data, size);
    b->size = size;
    b->next = j->blobs;
    j->blobs = b;
    j->queued_bytes += size;
    return 0;
}

int blobs_insert(struct rb_journal *j)
{
    int rc = SQLITE_OK;
    for (const struct queued_blob *b = j->blobs; !rc && b; b = b->next) {
        bool bad = sqlite3_bind_blob(j->put_blob, 1, b->digest, RB_HASH_SIZE, SQLITE_STATIC) ||
                   sqlite3_bind_blob64(j->put_blob, 2, b->data, b->size, SQLITE_STATIC);
        rc = bad ? SQLITE_ERROR : sqlite3_step(j->put_blob);
        (void)sqlite3_reset(j->put_blob); /* repeats rc */
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    return rc;
}

void blobs_clear(struct rb_journal *j)
{
    while (j->blobs) {
        struct queued_blob *b = j->blobs;
        j->blobs = b->next;
        free(b);
    }
}

static int keep(struct rb_journal *j, sqlite3_stmt *s, const char *hex, struct rb_buf *out, struct rb_err *err)
{
    char found[RB_HEX_SIZE];
    size_t size = (size_t)sqlite3_column_bytes(s, 0);
    const void *data = sqlite3_column_blob(s, 0);
    rb_hash_hex(data ? data : "", size, found);
    if (strcmp(found, hex) != 0) {
        return rb_err_set(err, RB_ECORRUPT, RB_T_journal_blob_bad, j->path, hex);
    }
    return rb_buf_add(out, data ? data : "", size);
}

static bool parse(const char *hex, unsigned char digest[RB_HASH_SIZE])
{
    for (int i = 0; i < RB_HASH_SIZE; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * (size_t)i, "%2x", &byte) != 1) {
            return false;
        }
        digest[i] = (unsigned char)byte;
    }
    return true;
}

int rb_journal_blob(struct rb_journal *j, const char *hex, struct rb_buf *out, struct rb_err *err)
{
    sqlite3_stmt *s = NULL;
    unsigned char digest[RB_HASH_SIZE];
    if (strlen(hex) != RB_HEX_SIZE - 1 || !parse(hex, digest)) {
        return rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_blob_none, j->path, hex);
    }
    int rc = journal_prepare(j, &s, "SELECT data FROM blobs WHERE digest = ?1");
    rc = rc ? rc : sqlite3_bind_blob(s, 1, digest, RB_HASH_SIZE, SQLITE_STATIC);
    rc = rc ? rc : sqlite3_step(s);
    int result = rc == SQLITE_ROW    ? keep(j, s, hex, out, err)
                 : rc == SQLITE_DONE ? rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_blob_none, j->path, hex)
                                     : journal_cannot_read(j, err);
    (void)sqlite3_finalize(s); /* reported above */
    return result == RB_ENOT_FOUND && j->beside ? rb_journal_blob(j->beside, hex, out, err) : result;
}
