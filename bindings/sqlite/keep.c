#include "sqlite/keep.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "sqlite/open.h"

#define PROBE_PAUSE_MS 250 /* between two of several probes: long enough to meet another transaction */

static json_t *probed(bool ok, const char *code, const char *message)
{
    return json_pack("{s:b, s:s*, s:s*}", "ok", ok, "code", code, "message", message);
}

static json_t *probe_failed(const struct rb_sqlite *c, int code)
{
    return probed(false, rb_err_name(rb_sqlite_code(code)), sqlite3_errmsg(c->db));
}

/* Takes the write lock and gives it back; nothing is written. */
static int write_lock(struct rb_sqlite *c)
{
    int rc = sqlite3_exec(c->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    return rc == SQLITE_OK ? sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL) : rc;
}

static json_t *probe_once(const char *path, const json_t *args, struct rb_work *work, double wait, struct rb_err *err)
{
    struct rb_sqlite c;
    json_t *out;
    bool leftover = rb_sqlite_wal_leftover(path);
    int rc, on = 0;

    if (rb_sqlite_open_write(&c, args, wait, work, err) != 0) {
        return err && err->code != RB_ENOT_FOUND && err->code != RB_EUSAGE
                   ? probed(false, rb_err_name(err->code), err->text)
                   : NULL;
    }
    if (leftover) {
        /* What a crash left is not ours to clean up in a probe. */
        sqlite3_db_config(c.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
    }
    rc = write_lock(&c);
    out = rc == SQLITE_OK ? probed(true, NULL, NULL) : probe_failed(&c, rc);
    rb_sqlite_close(&c);
    return out;
}

json_t *rb_sqlite_probe(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_sqlite_path(args, err);
    json_int_t times = rb_json_int(args, "times", 1);
    double wait = rb_bind_real(args, "wait", 0);
    json_t *out = NULL;

    if (!path) {
        return NULL;
    }
    if (rb_sqlite_hot_journal(path)) { /* opening for writing would roll it back: that stays */
        return probed(false, "hot_journal", rb_text(RB_T_bindings_sql_hot_journal));
    }
    for (json_int_t i = 0; i < (times > 0 ? times : 1); i++) {
        json_decref(out);
        if (i > 0 && !rb_bind_wait_ms(work, PROBE_PAUSE_MS)) {
            rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, path);
            return NULL;
        }
        out = probe_once(path, args, work, wait, err);
        if (!out || !rb_json_bool(out, "ok", false)) {
            break;
        }
    }
    return out;
}

static json_t *state(const char *name, const char *message)
{
    return json_pack("{s:s, s:s*}", "state", name, "message", message);
}

static json_t *state_of(int code, const char *message)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return state("busy", message);
    case SQLITE_NOTADB:
        return state("not_a_database", message);
    case SQLITE_CORRUPT:
        return state("corrupt", message);
    case SQLITE_INTERRUPT:
        return state("timeout", message);
    default:
        if (code == SQLITE_READONLY_ROLLBACK) {
            return state("hot_journal", rb_text(RB_T_bindings_sql_hot_journal));
        }
        if (code == SQLITE_PROTOCOL || code == SQLITE_READONLY_RECOVERY || code == SQLITE_READONLY_CANTINIT) {
            return state("unreadable", rb_text(RB_T_bindings_sql_wal_index));
        }
        return state("unreadable", message);
    }
}

static json_t *integrity(struct rb_sqlite *c, const json_t *args, struct rb_err *err)
{
    bool quick = rb_json_bool(args, "quick", true);
    sqlite3_stmt *stmt = NULL;
    const char *first;
    json_t *out;
    int rc;

    (void)err;
    rc = sqlite3_prepare_v2(c->db, quick ? "PRAGMA quick_check(5)" : "PRAGMA integrity_check(5)", -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW) {
        first = (const char *)sqlite3_column_text(stmt, 0);
        out = first && strcmp(first, "ok") == 0 ? state("ok", NULL) : state("corrupt", first ? first : "");
    } else {
        out = state_of(rc, sqlite3_errmsg(c->db));
    }
    sqlite3_finalize(stmt);
    return out;
}

/* A pragma's answer is the open question; what cannot even be opened is an answer too. */
json_t *rb_sqlite_integrity(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_sqlite_path(args, err);
    json_t *out;

    if (!path) {
        return NULL;
    }
    if (rb_sqlite_hot_journal(path)) {
        return state("hot_journal", rb_text(RB_T_bindings_sql_hot_journal));
    }
    out = rb_sqlite_reading(args, work, rb_bind_real(args, "wait", 2), integrity, err);
    if (out || !err || err->code == RB_ENOT_FOUND || err->code == RB_EUSAGE) {
        return out;
    }
    return state(err->code == RB_EBUSY ? "busy" : err->code == RB_ECORRUPT ? "corrupt" : "unreadable", err->text);
}

static json_t *checkpoint(struct rb_sqlite *c, bool truncate, struct rb_err *err)
{
    sqlite3_stmt *stmt = NULL;
    json_t *out = NULL;
    const char *sql = truncate ? "PRAGMA wal_checkpoint(TRUNCATE)" : "PRAGMA wal_checkpoint(PASSIVE)";
    int rc = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        /* The statement succeeds even when it was blocked: only the first column tells. */
        out = json_pack("{s:b, s:I, s:I}", "busy", sqlite3_column_int(stmt, 0) != 0, "log",
                        (json_int_t)sqlite3_column_int64(stmt, 1), "checkpointed",
                        (json_int_t)sqlite3_column_int64(stmt, 2));
    } else if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED) {
        out = json_pack("{s:b, s:i, s:i}", "busy", 1, "log", -1, "checkpointed", -1);
    } else {
        rb_sqlite_err(err, c, rc);
    }
    sqlite3_finalize(stmt);
    return out;
}

json_t *rb_sqlite_checkpoint(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *mode = rb_json_str(args, "mode", "passive");
    bool truncate = strcmp(mode, "truncate") == 0;
    struct rb_sqlite c;
    json_t *out;

    if (!truncate && strcmp(mode, "passive") != 0) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_checkpoint_mode, mode);
        return NULL;
    }
    if (rb_sqlite_open_write(&c, args, rb_bind_real(args, "wait", 2), work, err) != 0) {
        return NULL;
    }
    out = checkpoint(&c, truncate, err);
    rb_sqlite_close(&c);
    return out;
}

/* The first read of a writable connection rolls a hot journal back, or reads a WAL that a crash left. */
json_t *rb_sqlite_recover(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_sqlite_path(args, err);
    struct rb_sqlite c;
    json_t *out = NULL;
    bool hot;
    int rc;

    if (!path) {
        return NULL;
    }
    hot = rb_sqlite_hot_journal(path);
    if (rb_sqlite_open_write(&c, args, rb_bind_real(args, "wait", 5), work, err) != 0) {
        return NULL;
    }
    rc = sqlite3_exec(c.db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    rc = rc == SQLITE_OK ? write_lock(&c) : rc;
    if (rc != SQLITE_OK) {
        rb_sqlite_err(err, &c, rc);
    }
    rb_sqlite_close(&c);
    if (rc == SQLITE_OK) {
        out = json_pack("{s:b, s:b}", "rolled_back", hot && !rb_sqlite_hot_journal(path), "hot_journal",
                        rb_sqlite_hot_journal(path));
    }
    return out;
}
