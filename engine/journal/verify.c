/* Recomputing the chain from the stored bytes.
 *
 * The chain finds any change, removal, exchange, repetition or new number of an event before the newest one.
 * The seals (seal.h) find what it cannot: the newest events cut off, and a chain computed anew by somebody who
 * may write the file. Open is what came after the newest seal, and, without a list or key kept elsewhere,
 * everything replaced as a whole. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "journal/private.h"
#include "journal/seal_read.h"

enum column { ID, RUN, SEQ, UTC, MONO, KIND, ACTOR, BODY, DIGEST, HASH, COLUMNS };

struct walk {
    sqlite3_stmt *s;
    struct seal_reader seals;
    int64_t seals_made; /* by the key, before the list was opened; 0 for a list kept elsewhere */
    unsigned char previous[RB_HASH_SIZE];
    int64_t id;
    int64_t last_missing; /* newest event without a body */
    int64_t pruned;       /* retention says it removed bodies up to this event */
};

static void name_event(sqlite3_stmt *s, struct rb_verify *out)
{
    struct rb_buf run;
    rb_buf_init(&run, RB_ID_MAX - 1);
    const char *text = (const char *)sqlite3_column_text(s, RUN);
    (void)rb_utf8_clean(&run, text ? text : "", text ? strlen(text) : 0, false); /* too long is cut */
    (void)snprintf(out->run, sizeof out->run, "%s", rb_buf_str(&run));
    rb_buf_deinit(&run);
    out->id = sqlite3_column_int64(s, ID);
    out->seq = sqlite3_column_int64(s, SEQ);
}

static bool right_types(sqlite3_stmt *s)
{
    static const int types[COLUMNS] = {SQLITE_INTEGER, SQLITE_TEXT, SQLITE_INTEGER, SQLITE_INTEGER, SQLITE_INTEGER,
                                       SQLITE_TEXT,    SQLITE_TEXT, SQLITE_TEXT,    SQLITE_BLOB,    SQLITE_BLOB};
    for (int i = 0; i < COLUMNS; i++) {
        int type = sqlite3_column_type(s, i);
        if (type != types[i] && !(i == BODY && type == SQLITE_NULL)) {
            return false;
        }
    }
    return sqlite3_column_bytes(s, DIGEST) == RB_HASH_SIZE && sqlite3_column_bytes(s, HASH) == RB_HASH_SIZE;
}

static bool body_matches(struct walk *w)
{
    if (sqlite3_column_type(w->s, BODY) == SQLITE_NULL) {
        w->last_missing = w->id;
        return true;
    }
    unsigned char digest[RB_HASH_SIZE];
    const void *body = sqlite3_column_text(w->s, BODY);
    rb_hash(body, (size_t)sqlite3_column_bytes(w->s, BODY), digest);
    return memcmp(digest, sqlite3_column_blob(w->s, DIGEST), RB_HASH_SIZE) == 0;
}

static bool hash_matches(struct walk *w)
{
    sqlite3_stmt *s = w->s;
    struct chain_row row = {.id = w->id,
                            .seq = sqlite3_column_int64(s, SEQ),
                            .utc_us = sqlite3_column_int64(s, UTC),
                            .mono_ns = sqlite3_column_int64(s, MONO),
                            .run = sqlite3_column_text(s, RUN),
                            .run_len = (size_t)sqlite3_column_bytes(s, RUN),
                            .kind = sqlite3_column_text(s, KIND),
                            .kind_len = (size_t)sqlite3_column_bytes(s, KIND),
                            .actor = sqlite3_column_text(s, ACTOR),
                            .actor_len = (size_t)sqlite3_column_bytes(s, ACTOR),
                            .digest = sqlite3_column_blob(s, DIGEST)};
    chain_hash(&row, w->previous, w->previous);
    return memcmp(w->previous, sqlite3_column_blob(s, HASH), RB_HASH_SIZE) == 0;
}

/* `pruned {"upto": id}`: bodies may be missing up to that event. */
static void note_pruned(struct walk *w)
{
    const char *kind = (const char *)sqlite3_column_text(w->s, KIND);
    const char *body = (const char *)sqlite3_column_text(w->s, BODY);
    if (strcmp(kind, "pruned") != 0 || !body) {
        return;
    }
    json_t *value = rb_json_parse(body, (size_t)sqlite3_column_bytes(w->s, BODY), NULL);
    int64_t upto = rb_json_int(value, "upto", 0);
    if (upto < w->id && upto > w->pruned) {
        w->pruned = upto;
    }
    json_decref(value);
}

static enum rb_text_id check_event(struct walk *w)
{
    int64_t expected = w->id + 1;
    w->id = sqlite3_column_int64(w->s, ID);
    if (w->id != expected) {
        return RB_T_journal_verify_gap;
    }
    if (!right_types(w->s)) {
        return RB_T_journal_verify_type;
    }
    if (!body_matches(w)) {
        return RB_T_journal_verify_body;
    }
    if (!hash_matches(w)) {
        return RB_T_journal_verify_hash;
    }
    note_pruned(w);
    return RB_T_none;
}

static void say(struct rb_verify *out, const char *why)
{
    out->ok = false;
    (void)snprintf(out->why, sizeof out->why, "%s", why);
}

/* Every run that ends is sealed; before the first seal there is none to have ended, unless seals were taken away. */
static void note_early(const struct walk *w, struct rb_verify *out)
{
    const char *kind = (const char *)sqlite3_column_text(w->s, KIND);
    out->early += w->seals.sealed == 0 && strcmp(kind, "run.ended") == 0;
}

/* Walks all events; SQLite's last code. */
static int walk_events(struct walk *w, struct rb_verify *out)
{
    int rc;
    while ((rc = sqlite3_step(w->s)) == SQLITE_ROW) {
        enum rb_text_id why = check_event(w);
        if (why != RB_T_none) {
            name_event(w->s, out);
            say(out, rb_text(why));
            return rc;
        }
        if (!seal_reader_check(&w->seals, w->id, w->previous)) {
            name_event(w->s, out);
            say(out, w->seals.why);
            return rc;
        }
        out->events++;
        note_early(w, out);
    }
    return rc;
}

/* The oldest event whose body is gone although retention never said so. */
static int check_missing(struct rb_journal *j, const struct walk *w, struct rb_verify *out)
{
    sqlite3_stmt *s = NULL;
    int rc = journal_prepare(j, &s,
                             "SELECT id, run, seq FROM events NOT INDEXED WHERE id > ?1 AND body IS NULL "
                             "ORDER BY id LIMIT 1");
    rc = rc ? rc : sqlite3_bind_int64(s, 1, w->pruned);
    rc = rc ? rc : sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        name_event(s, out);
        say(out, rb_text(RB_T_journal_verify_missing));
    }
    (void)sqlite3_finalize(s); /* repeats rc */
    return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

/* What events name by its hash: the texts of runbooks, large outputs. */
static int check_blobs(struct rb_journal *j, struct rb_verify *out)
{
    sqlite3_stmt *s = NULL;
    unsigned char digest[RB_HASH_SIZE];
    int rc = journal_prepare(j, &s, "SELECT digest, data FROM blobs");
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(s, 1);
        rb_hash(data ? data : "", (size_t)sqlite3_column_bytes(s, 1), digest);
        bool same =
            sqlite3_column_bytes(s, 0) == RB_HASH_SIZE && memcmp(sqlite3_column_blob(s, 0), digest, RB_HASH_SIZE) == 0;
        rc = same ? SQLITE_OK : SQLITE_ROW;
        if (!same) {
            say(out, rb_text(RB_T_journal_verify_blob));
        }
    }
    (void)sqlite3_finalize(s); /* repeats rc */
    return rc;
}

/* An index that lacks a run hides it from every list, though the chain is whole. */
static int check_pages(struct rb_journal *j, struct rb_verify *out)
{
    sqlite3_stmt *s = NULL;
    int rc = journal_prepare(j, &s, "PRAGMA integrity_check(1)");
    rc = rc ? rc : sqlite3_step(s);
    const char *answer = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (answer && strcmp(answer, "ok") != 0) {
        say(out, answer);
    }
    (void)sqlite3_finalize(s); /* repeats rc */
    return rc == SQLITE_ROW ? SQLITE_DONE : rc;
}

static int open_seals(struct rb_journal *j, const struct rb_verify_with *with, struct walk *w, struct rb_err *err)
{
    char own[COMPANION_MAX];
    const char *path = with ? with->seals : NULL;
    (void)snprintf(own, sizeof own, "%s.seals", j->path);
    w->seals_made = path ? 0 : seals_made(j);
    int rc = seal_reader_open(&w->seals, path ? path : own, with ? with->key : NULL, path != NULL, err);
    if (rc == 0) {
        (void)seal_reader_next(&w->seals); /* a broken list is told by the first event */
    }
    return rc;
}

/* A seal of an event that is not there, or fewer seals than were made. */
static void check_end(const struct walk *w, struct rb_verify *out)
{
    const struct seal_reader *r = &w->seals;
    char why[256];
    if (r->has) {
        (void)snprintf(why, sizeof why, rb_text(RB_T_journal_seals_cut), (long long)r->now.n, (long long)r->now.id);
    } else if (r->bad) {
        (void)snprintf(why, sizeof why, "%s", r->why);
    } else if (w->seals_made > (int64_t)r->now.n) {
        (void)snprintf(why, sizeof why, rb_text(RB_T_journal_seals_fewer), (long long)w->seals_made,
                       (long long)r->now.n);
    } else {
        return;
    }
    out->id = w->id; /* the last one that is there */
    say(out, why);
}

static void note_seals(const struct walk *w, struct rb_verify *out)
{
    out->seals = w->seals.count;
    out->sealed = w->seals.sealed;
    (void)snprintf(out->key, sizeof out->key, "%s", w->seals.first);
}

int rb_journal_verify(struct rb_journal *j, const struct rb_verify_with *with, struct rb_verify *out,
                      struct rb_err *err)
{
    struct walk w = {0};
    *out = (struct rb_verify){.ok = true};
    if (open_seals(j, with, &w, err) != 0) {
        return err ? err->code : RB_EJOURNAL;
    }
    int rc = journal_prepare(j, &w.s,
                             "SELECT id, run, seq, utc, mono, kind, actor, body, body_digest, hash "
                             "FROM events NOT INDEXED ORDER BY id");
    rc = rc ? rc : walk_events(&w, out);
    if (rc == SQLITE_DONE) {
        check_end(&w, out);
    }
    if (rc == SQLITE_DONE && out->ok && w.last_missing > w.pruned) {
        rc = check_missing(j, &w, out);
    }
    if (rc == SQLITE_DONE && out->ok) {
        rc = check_blobs(j, out);
    }
    if (rc == SQLITE_DONE && out->ok) {
        rc = check_pages(j, out);
    }
    if (rc == SQLITE_CORRUPT) { /* a page that cannot be read is a changed event too */
        out->id = w.id + 1;
        say(out, sqlite3_errmsg(j->db));
        rc = SQLITE_ROW;
    }
    int failed = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : journal_cannot_read(j, err);
    (void)sqlite3_finalize(w.s); /* reported above */
    note_seals(&w, out);
    seal_reader_close(&w.seals);
    if (out->events && out->ok) {
        rb_hex(w.previous, out->last);
    }
    return failed;
}

int rb_journal_verify_gone(const char *path, const struct rb_verify_with *with, struct rb_verify *out,
                           struct rb_err *err)
{
    struct rb_journal gone = {0};
    struct walk w = {0};
    *out = (struct rb_verify){.ok = true};
    (void)snprintf(gone.path, sizeof gone.path, "%s", path);
    if (open_seals(&gone, with, &w, err) != 0) {
        return err ? err->code : RB_EJOURNAL;
    }
    check_end(&w, out);
    note_seals(&w, out);
    seal_reader_close(&w.seals);
    return 0;
}
