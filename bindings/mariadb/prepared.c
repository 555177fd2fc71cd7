/* A statement with values: prepared, so that the server counts its places and no value is ever part of the
 * text. */
#include "mariadb/mariadb.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define PARAM_MAX (64 << 20) /* bytes of one value */

static const struct rb_my_op executing, fetching, closing;

/* ---- values to the server ---- */

static int keep(struct rb_my *my, size_t i, const void *data, size_t len, enum enum_field_types type)
{
    char *copy = malloc(len + 1);
    if (!copy) {
        return rb_err_foreign(&my->db.err, RB_EMEMORY, "%s", my->db.driver->name);
    }
    memcpy(copy, data, len);
    my->bound[i] = copy;
    my->binds[i].buffer_type = type;
    my->binds[i].buffer = copy;
    my->binds[i].buffer_length = len;
    my->binds[i].length_value = len;
    my->binds[i].length = &my->binds[i].length_value;
    return 0;
}

static int bind_bytes(struct rb_my *my, size_t i, const json_t *value)
{
    struct rb_buf buf;
    rb_buf_init(&buf, PARAM_MAX);
    int rc = rb_json_bytes_get(value, &buf) == 0
                 ? keep(my, i, rb_buf_str(&buf), buf.len, json_is_string(value) ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB)
                 : rb_err_set(&my->db.err, RB_EUSAGE, RB_T_bindings_sql_param_type, (int)i + 1);
    rb_buf_deinit(&buf);
    return rc;
}

static int bind_value(struct rb_my *my, size_t i, const json_t *value)
{
    long long n = json_is_integer(value) ? json_integer_value(value) : json_is_true(value);
    double real = json_number_value(value);
    switch (json_typeof(value)) {
    case JSON_NULL:
        my->binds[i].buffer_type = MYSQL_TYPE_NULL;
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_INTEGER:
        return keep(my, i, &n, sizeof n, MYSQL_TYPE_LONGLONG);
    case JSON_REAL:
        return keep(my, i, &real, sizeof real, MYSQL_TYPE_DOUBLE);
    default:
        return bind_bytes(my, i, value);
    }
}

static int bind_values(struct rb_my *my, const json_t *params)
{
    size_t n = json_array_size(params);
    if (mysql_stmt_param_count(my->stmt) != n) { /* the server's count is the one that is read from memory */
        return rb_err_set(&my->db.err, RB_EUSAGE, RB_T_bindings_sql_params_count, (int)mysql_stmt_param_count(my->stmt),
                          (int)n);
    }
    my->binds = rb_xcalloc(n, sizeof *my->binds);
    my->bound = rb_xcalloc(n, sizeof *my->bound);
    my->bound_count = n;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = bind_value(my, i, json_array_get(params, i));
    }
    return rc == 0 && mysql_stmt_bind_param(my->stmt, my->binds) ? rb_my_last_error(my) : rc;
}

static int give_up(struct rb_my *my, int rc)
{
    my->db.lost = true; /* simplest: what is under way in the statement goes with its connection */
    return rc;
}

/* ---- prepare, execute, fetch, close ---- */

static int prepare_start(struct rb_my *my)
{
    const char *sql = my->steps[my->db.finished].sql;
    my->stmt = mysql_stmt_init(my->mysql);
    RB_REQUIRE(my->stmt);
    return mysql_stmt_prepare_start(&my->failed, my->stmt, sql, strlen(sql));
}

static int prepare_cont(struct rb_my *my, int ready)
{
    return mysql_stmt_prepare_cont(&my->failed, my->stmt, ready);
}

static int close_failed(struct rb_my *my, int rc)
{
    mysql_stmt_close(my->stmt); /* the server knows of none, or answers nothing: no waiting */
    my->stmt = NULL;
    return rc;
}

static int prepare_after(struct rb_my *my)
{
    if (my->failed) {
        return close_failed(my, rb_my_last_error(my));
    }
    int rc = bind_values(my, my->steps[my->db.finished].params);
    my->op = &executing;
    return rc == 0 ? RB_DB_WAIT : close_failed(my, rc);
}

static int execute_start(struct rb_my *my)
{
    return mysql_stmt_execute_start(&my->failed, my->stmt);
}

static int execute_cont(struct rb_my *my, int ready)
{
    return mysql_stmt_execute_cont(&my->failed, my->stmt, ready);
}

/* Every column as text, as in the other protocol; what does not fit is fetched again with room. */
static int bind_columns(struct rb_my *my)
{
    MYSQL_RES *meta = mysql_stmt_result_metadata(my->stmt);
    if (!meta) {
        return rb_my_last_error(my);
    }
    my->result = meta;
    int rc = rb_my_columns(my, meta);
    MYSQL_BIND *binds = rb_xcalloc(my->column_count + 1, sizeof *binds);
    my->columns = rb_xcalloc(my->column_count + 1, sizeof *my->columns);
    for (size_t i = 0; i < my->column_count; i++) {
        struct rb_my_column *c = &my->columns[i];
        binds[i].buffer_type = MYSQL_TYPE_STRING;
        binds[i].buffer = c->small;
        binds[i].buffer_length = sizeof c->small;
        binds[i].length = &c->len;
        binds[i].is_null = &c->null;
    }
    if (rc == 0 && mysql_stmt_bind_result(my->stmt, binds)) {
        rc = rb_my_last_error(my);
    }
    free(binds);
    return rc;
}

static int execute_after(struct rb_my *my)
{
    if (my->failed) {
        int rc = rb_my_last_error(my);
        return my->db.lost ? rc : close_failed(my, rc);
    }
    if (mysql_stmt_field_count(my->stmt) == 0) {
        struct rb_answer *answer = my->steps[my->db.finished].answer;
        if (answer) {
            answer->changes += (int64_t)mysql_stmt_affected_rows(my->stmt);
            answer->last_id = (int64_t)mysql_stmt_insert_id(my->stmt);
        }
        my->op = &closing;
        return RB_DB_WAIT;
    }
    int rc = bind_columns(my);
    my->op = &fetching;
    return rc == 0 ? RB_DB_WAIT : give_up(my, rc);
}

static int fetch_start(struct rb_my *my)
{
    return mysql_stmt_fetch_start(&my->failed, my->stmt);
}

static int fetch_cont(struct rb_my *my, int ready)
{
    return mysql_stmt_fetch_cont(&my->failed, my->stmt, ready);
}

static int fetch_large(struct rb_my *my, unsigned i)
{
    struct rb_my_column *c = &my->columns[i];
    free(c->large);
    c->large = malloc(c->len);
    if (!c->large) {
        return rb_err_foreign(&my->db.err, RB_EMEMORY, "%s", my->db.driver->name);
    }
    MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING,
                       .buffer = c->large,
                       .buffer_length = c->len,
                       .length = &c->len,
                       .is_null = &c->null};
    return mysql_stmt_fetch_column(my->stmt, &bind, i, 0) ? rb_my_last_error(my) : 0;
}

static int take_row(struct rb_my *my)
{
    struct rb_answer *answer = my->steps[my->db.finished].answer;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < my->column_count; i++) {
        struct rb_my_column *c = &my->columns[i];
        bool large = !c->null && c->len > sizeof c->small;
        rc = large ? fetch_large(my, (unsigned)i) : 0;
        my->cells[i].data = c->null ? NULL : large ? c->large : c->small;
        my->cells[i].len = c->len;
    }
    return rc == 0 ? rb_my_row(my, answer) : rc;
}

static int fetch_after(struct rb_my *my)
{
    if (my->failed == 1) {
        return give_up(my, rb_my_last_error(my));
    }
    if (my->failed == MYSQL_NO_DATA) {
        mysql_free_result(my->result);
        my->result = NULL;
        my->op = &closing;
        return RB_DB_WAIT;
    }
    int rc = take_row(my);
    return rc == 0 ? RB_DB_WAIT : give_up(my, rc);
}

static int close_start(struct rb_my *my)
{
    return mysql_stmt_close_start(&my->closed, my->stmt);
}

static int close_cont(struct rb_my *my, int ready)
{
    return mysql_stmt_close_cont(&my->closed, my->stmt, ready);
}

static int close_after(struct rb_my *my)
{
    my->stmt = NULL;
    return rb_my_next_step(my);
}

const struct rb_my_op rb_my_prepare = {prepare_start, prepare_cont, prepare_after};
static const struct rb_my_op executing = {execute_start, execute_cont, execute_after};
static const struct rb_my_op fetching = {fetch_start, fetch_cont, fetch_after};
static const struct rb_my_op closing = {close_start, close_cont, close_after};
