/* exec and tx on a SQLite file: in a transaction, with a receipt where the file keeps some. */
#include <string.h>

#include "base/json.h"
#include "sqlite/open.h"
#include "sqlite/query.h"

#define WAIT 5.0  /* seconds a statement waits for a lock */
#define ROWS 1000 /* more of them are an error */

/* A write stays inside its one file. VACUUM attaches a nameless temporary one. */
static int authorize_write(void *user, int action, const char *a, const char *b, const char *c, const char *d)
{
    (void)user, (void)b, (void)c, (void)d;
    if (action == SQLITE_DETACH) {
        return sqlite3_stricmp(a ? a : "", "vacuum_db") == 0 ? SQLITE_OK : SQLITE_DENY;
    }
    return action == SQLITE_ATTACH && (!a || *a) ? SQLITE_DENY : SQLITE_OK;
}

/* RETURNING and pragmas answer: into *rows, unless that is not wanted (NULL). */
static int run_one(struct rb_sqlite *c, const char *query, const json_t *params, json_t **rows, struct rb_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = rb_sqlite_prepare(c, query, params, &stmt, err);

    if (rc != 0) {
        return rc;
    }
    if (rows && sqlite3_column_count(stmt) > 0) {
        *rows = rb_sqlite_all_rows(c, stmt, ROWS, err);
        rc = *rows ? 0 : err->code;
    } else {
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        }
        rc = rc == SQLITE_DONE ? 0 : rb_sqlite_err(err, c, rc);
    }
    sqlite3_finalize(stmt);
    return rc;
}

static json_t *changed(struct rb_sqlite *c)
{
    return json_pack("{s:I, s:I}", "changes", (json_int_t)(sqlite3_total_changes64(c->db) - c->own_changes), "last_id",
                     (json_int_t)sqlite3_last_insert_rowid(c->db));
}

/* ---- receipts: a row in the same transaction says later that it was committed ---- */

/* 1 when the query gives a row, 0 when it gives none, negative when it cannot be asked. */
static int has_row(struct rb_sqlite *c, const char *query, const char *value)
{
    struct rb_err ignored = {0};
    sqlite3_stmt *stmt = NULL;
    json_t *params = value ? json_pack("[s]", value) : NULL;
    int rc = rb_sqlite_prepare(c, query, params, &stmt, &ignored) == 0 ? sqlite3_step(stmt) : SQLITE_ERROR;

    sqlite3_finalize(stmt);
    json_decref(params);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

static bool keeps_receipts(struct rb_sqlite *c)
{
    return has_row(c, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '" RB_RECEIPTS "'", NULL) == 1;
}

/* What the write itself answers with must not be the receipt's. */
static int leave_receipt(struct rb_sqlite *c, const char *receipt, struct rb_err *err)
{
    json_t *params = json_pack("[s]", receipt);
    int rc = run_one(c, "INSERT INTO " RB_RECEIPTS "(receipt) VALUES (?)", params, NULL, err);

    json_decref(params);
    sqlite3_set_last_insert_rowid(c->db, 0);
    c->own_changes = sqlite3_total_changes64(c->db);
    return rc;
}

/* Only whether the receipt is there; NULL when that cannot be said. What was not committed is gone with its process. */
static json_t *look(struct rb_sqlite *c, const char *receipt)
{
    int found = keeps_receipts(c) ? has_row(c, "SELECT 1 FROM " RB_RECEIPTS " WHERE receipt = ?", receipt) : -1;
    return found < 0 ? NULL : json_boolean(found);
}

static int announce(struct rb_work *work, const char *receipt, struct rb_err *err)
{
    return rb_work_announce(work, receipt ? json_pack("{s:s, s:b}", "receipt", receipt, "decisive", 1) : json_object(),
                            err);
}

/* Does it go into a transaction? The others answer for themselves. */
static bool is_plain(const char *query)
{
    static const char *const plain[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", NULL};
    char word[8] = "";
    query += strspn(query, " \t\r\n");
    size_t len = strcspn(query, " \t\r\n(");

    if (len < sizeof word) {
        memcpy(word, query, len);
    }
    return rb_sqlite_one_of(word, plain);
}

/* One statement of a transaction: { "query", { params } } or { query = …, params = … } or "query". */
static int run_item(struct rb_sqlite *c, const json_t *item, json_t **rows, struct rb_err *err)
{
    const json_t *query = json_is_array(item) ? json_array_get(item, 0) : json_object_get(item, "query");
    const json_t *params = json_is_array(item) ? json_array_get(item, 1) : json_object_get(item, "params");

    if (json_is_string(item)) {
        query = item;
    }
    if (!json_is_string(query)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_tx_item);
    }
    return run_one(c, json_string_value(query), params, rows, err);
}

/* COMMIT or ROLLBACK among the statements would leave the first half done: only our own may. */
static int authorize_tx(void *user, int action, const char *a, const char *b, const char *c, const char *d)
{
    const bool *ours = user;

    return action == SQLITE_TRANSACTION && !*ours ? SQLITE_DENY : authorize_write(NULL, action, a, b, c, d);
}

/* All of them and the receipt, or nothing. rows: what the last one returned, unless that is not wanted (NULL). */
static int run_items(struct rb_sqlite *c, const json_t *items, const char *receipt, json_t **rows, struct rb_err *err)
{
    bool ours = true;
    int rc;

    sqlite3_set_authorizer(c->db, authorize_tx, &ours);
    rc = run_one(c, "BEGIN IMMEDIATE", NULL, NULL, err);
    rc = rc == 0 && receipt ? leave_receipt(c, receipt, err) : rc;
    ours = false;
    for (size_t i = 0; rc == 0 && i < json_array_size(items); i++) {
        rc = run_item(c, json_array_get(items, i), rows, err);
    }
    ours = true;
    rc = rc == 0 ? run_one(c, "COMMIT", NULL, NULL, err) : rc;
    sqlite3_set_authorizer(c->db, NULL, NULL);
    return rc;
}

static int run_alone(struct rb_sqlite *c, const json_t *args, json_t **rows, struct rb_err *err)
{
    sqlite3_set_authorizer(c->db, authorize_write, NULL);
    int rc = run_one(c, rb_json_str(args, "query", ""), json_object_get(args, "params"), rows, err);

    if (rc == 0 && !sqlite3_get_autocommit(c->db)) { /* a lone BEGIN would be rolled back silently */
        rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_use_tx);
    }
    return rc;
}

/* items NULL: the one statement of exec, which need not go into a transaction. */
static int write_all(struct rb_sqlite *c, const json_t *args, const json_t *items, struct rb_work *work, json_t **rows,
                     struct rb_err *err)
{
    bool plain = items || is_plain(rb_json_str(args, "query", ""));
    const char *receipt = plain && keeps_receipts(c) ? rb_json_str(args, "$receipt", NULL) : NULL;
    int rc = announce(work, receipt, err);

    if (rc != 0 || (!items && !receipt)) {
        return rc ? rc : run_alone(c, args, rows, err);
    }
    json_t *one = items ? NULL
                        : json_pack("[{s:O, s:O*}]", "query", json_object_get(args, "query"), "params",
                                    json_object_get(args, "params"));
    rc = run_items(c, items ? items : one, receipt, rows, err);
    json_decref(one);
    return rc;
}

static json_t *writing(const json_t *args, const json_t *items, struct rb_work *work, struct rb_err *err)
{
    struct rb_sqlite c;
    json_t *out = NULL, *rows = NULL;

    if (rb_sqlite_open_write(&c, args, rb_bind_real(args, "wait", WAIT), work, err) != 0) {
        return NULL;
    }
    if (rb_json_bool(args, "$look", false)) {
        out = look(&c, rb_json_str(args, "$receipt", ""));
        if (!out) {
            rb_err_set(err, RB_ENOT_FOUND, RB_T_bindings_sql_no_receipts, c.path);
        }
    } else if (write_all(&c, args, items, work, items ? NULL : &rows, err) == 0) {
        out = changed(&c);
        if (rows) {
            json_object_set(out, "rows", rows);
        }
    }
    json_decref(rows);
    rb_sqlite_close(&c); /* what was not committed is rolled back */
    return out;
}

json_t *rb_sqlite_exec(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    return writing(args, NULL, work, err);
}

json_t *rb_sqlite_tx(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    return writing(args, json_object_get(args, "statements"), work, err);
}
