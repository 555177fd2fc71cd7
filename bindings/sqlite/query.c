#include "sqlite/query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "sqlite/open.h"

#define ANSWER_MAX (4 << 20) /* bytes of text and blobs in one answer: a frame holds 8 MiB */
#define WAIT 5.0             /* seconds a statement waits for a lock */
#define ROWS 1000            /* more of them are an error */

bool rb_sqlite_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (sqlite3_stricmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static int authorize_pragma(const char *name, const char *value)
{
    static const char *const plain[] = {"application_id",
                                        "auto_vacuum",
                                        "busy_timeout",
                                        "cache_size",
                                        "compile_options",
                                        "database_list",
                                        "encoding",
                                        "foreign_keys",
                                        "freelist_count",
                                        "journal_mode",
                                        "page_count",
                                        "page_size",
                                        "schema_version",
                                        "synchronous",
                                        "user_version",
                                        "wal_autocheckpoint",
                                        "collation_list",
                                        "table_list",
                                        NULL};
    static const char *const with_value[] = {"foreign_key_check", "foreign_key_list", "index_info",  "index_list",
                                             "index_xinfo",       "integrity_check",  "quick_check", "table_info",
                                             "table_list",        "table_xinfo",      NULL};

    if (rb_sqlite_one_of(name, with_value) || (!value && rb_sqlite_one_of(name, plain))) {
        return SQLITE_OK;
    }
    return SQLITE_DENY;
}

static int may_read(int action, const char *a, const char *b)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
        return authorize_pragma(a, b);
    default:
        return SQLITE_DENY;
    }
}

/* What a read may do, whatever the file system says about writing. */
static int authorize_read(void *user, int action, const char *a, const char *b, const char *c, const char *d)
{
    struct rb_sqlite *connection = user;
    int rc = may_read(action, a, b);

    (void)c, (void)d;
    connection->denied |= rc == SQLITE_DENY;
    return rc;
}

static int bind_one(sqlite3_stmt *stmt, int at, const json_t *value)
{
    struct rb_buf bytes;
    int rc = SQLITE_MISMATCH;

    switch (json_typeof(value)) {
    case JSON_NULL:
        return sqlite3_bind_null(stmt, at);
    case JSON_TRUE:
    case JSON_FALSE:
        return sqlite3_bind_int(stmt, at, json_is_true(value));
    case JSON_INTEGER:
        return sqlite3_bind_int64(stmt, at, json_integer_value(value));
    case JSON_REAL:
        return sqlite3_bind_double(stmt, at, json_real_value(value));
    case JSON_STRING:
        return sqlite3_bind_text64(stmt, at, json_string_value(value), json_string_length(value), SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    default:
        rb_buf_init(&bytes, ANSWER_MAX);
        if (rb_json_bytes_get(value, &bytes) == 0) {
            rc = sqlite3_bind_blob64(stmt, at, rb_buf_str(&bytes), bytes.len, SQLITE_TRANSIENT);
        }
        rb_buf_deinit(&bytes);
        return rc;
    }
}

static int bind_all(struct rb_sqlite *c, sqlite3_stmt *stmt, const json_t *params, struct rb_err *err)
{
    size_t given = json_array_size(params), wanted = (size_t)sqlite3_bind_parameter_count(stmt);

    /* An empty Lua table may arrive as a list or as a map. */
    if (params && !json_is_null(params) && !json_is_array(params) && json_object_size(params) > 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_params_list);
    }
    if (given != wanted) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_params_count, (int)wanted, (int)given);
    }
    for (size_t i = 0; i < given; i++) {
        int rc = bind_one(stmt, (int)i + 1, json_array_get(params, i));
        if (rc == SQLITE_MISMATCH) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_param_type, (int)i + 1);
        }
        if (rc != SQLITE_OK) {
            return rb_sqlite_err(err, c, rc);
        }
    }
    return 0;
}

/* Spaces, semicolons and comments may follow a statement, another statement may not. */
static bool only_space(sqlite3 *db, const char *tail)
{
    sqlite3_stmt *next = NULL;
    bool none = sqlite3_prepare_v2(db, tail, -1, &next, NULL) == SQLITE_OK && !next;

    sqlite3_finalize(next);
    return none;
}

int rb_sqlite_prepare(struct rb_sqlite *c, const char *query, const json_t *params, sqlite3_stmt **out,
                      struct rb_err *err)
{
    const char *tail = "";
    int rc = sqlite3_prepare_v2(c->db, query, -1, out, &tail);

    if (rc != SQLITE_OK) { /* SQLite does not always give the reason as its code */
        return rb_sqlite_err(err, c, c->denied ? SQLITE_AUTH : rc);
    }
    if (!*out || (*tail && !only_space(c->db, tail))) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_one_statement);
    } else {
        rc = bind_all(c, *out, params, err);
    }
    if (rc != 0) {
        sqlite3_finalize(*out);
        *out = NULL;
    }
    return rc;
}

static json_t *column_value(sqlite3_stmt *stmt, int i, size_t *bytes)
{
    const void *data;
    double real;

    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_NULL:
        return json_null();
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(stmt, i));
    case SQLITE_FLOAT:
        real = sqlite3_column_double(stmt, i);
        /* JSON has no infinity. */
        return isfinite(real) ? json_real(real) : json_string(real > 0 ? "Infinity" : "-Infinity");
    case SQLITE_TEXT:
        data = sqlite3_column_text(stmt, i);
        break;
    default:
        data = sqlite3_column_blob(stmt, i);
    }
    *bytes += (size_t)sqlite3_column_bytes(stmt, i);
    return *bytes > ANSWER_MAX ? NULL : rb_json_bytes(data ? data : "", (size_t)sqlite3_column_bytes(stmt, i));
}

static json_t *read_row(sqlite3_stmt *stmt, size_t *bytes, struct rb_err *err)
{
    json_t *row = json_object();

    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        const char *name = sqlite3_column_name(stmt, i);
        json_t *value = column_value(stmt, i, bytes);
        if (!value) {
            rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_sql_answer_large, ANSWER_MAX >> 20);
        } else if (json_object_get(row, name)) {
            json_decref(value);
            rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_column_twice, name);
        } else if (json_object_set_new(row, name, value) == 0) {
            continue;
        } else {
            rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_column_name);
        }
        json_decref(row);
        return NULL;
    }
    return row;
}

json_t *rb_sqlite_all_rows(struct rb_sqlite *c, sqlite3_stmt *stmt, size_t max, struct rb_err *err)
{
    json_t *rows = json_array(), *row;
    size_t bytes = 0;
    int rc;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (json_array_size(rows) == max) {
            rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_sql_rows_many, (int)max);
            goto fail;
        }
        row = read_row(stmt, &bytes, err);
        if (!row) {
            goto fail;
        }
        json_array_append_new(rows, row);
    }
    if (rc == SQLITE_DONE) {
        return rows;
    }
    rb_sqlite_err(err, c, rc);
fail:
    json_decref(rows);
    return NULL;
}

static json_t *read_query(struct rb_sqlite *c, const json_t *args, struct rb_err *err)
{
    sqlite3_stmt *stmt = NULL;
    json_int_t max = rb_json_int(args, "max_rows", ROWS);
    json_t *rows = NULL;

    sqlite3_set_authorizer(c->db, authorize_read, c);
    if (rb_sqlite_prepare(c, rb_json_str(args, "query", ""), json_object_get(args, "params"), &stmt, err) != 0) {
        return NULL;
    }
    if (!sqlite3_stmt_readonly(stmt)) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_not_here, c->path);
    } else {
        rows = rb_sqlite_all_rows(c, stmt, max > 0 ? (size_t)max : 0, err);
    }
    sqlite3_finalize(stmt);
    return rows;
}

json_t *rb_sqlite_rows(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    return rb_sqlite_reading(args, work, rb_bind_real(args, "wait", WAIT), read_query, err);
}

json_t *rb_sqlite_row(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    json_t *rows = rb_sqlite_rows(args, work, err), *row;

    if (!rows) {
        return NULL;
    }
    row = json_array_size(rows) > 0 ? json_incref(json_array_get(rows, 0)) : json_null();
    json_decref(rows);
    return row;
}

json_t *rb_sqlite_value(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    json_t *row = rb_sqlite_row(args, work, err), *value;

    if (!row) {
        return NULL;
    }
    if (json_object_size(row) > 1) {
        json_decref(row);
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_one_column);
        return NULL;
    }
    value = json_is_object(row) ? json_incref(json_object_iter_value(json_object_iter(row))) : json_null();
    json_decref(row);
    return value;
}
