/* Steps in one pipeline: all are sent, and their results come in order; behind the first that fails the
 * server skips the others. */
#include "postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/json.h"

#define PARAM_MAX (64 << 20)  /* bytes of one value */
#define UNREAD_MAX (64 << 20) /* bytes of one row, as they are seen to arrive */

static const struct {
    Oid oid;
    enum rb_value_kind kind;
} kinds[] = {
    {16, RB_VALUE_BOOL},     {20, RB_VALUE_INT},      {21, RB_VALUE_INT},   {23, RB_VALUE_INT},
    {26, RB_VALUE_INT},      {28, RB_VALUE_INT},      {5069, RB_VALUE_INT}, /* xid8 */
    {700, RB_VALUE_REAL},    {701, RB_VALUE_REAL},    {114, RB_VALUE_JSON}, {3802, RB_VALUE_JSON},
    {1114, RB_VALUE_MOMENT}, {1184, RB_VALUE_MOMENT}, {17, RB_VALUE_HEX},
}; /* numeric and all others are text: exact */

static enum rb_value_kind kind_of(Oid oid)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].oid == oid) {
            return kinds[i].kind;
        }
    }
    return RB_VALUE_TEXT;
}

/* ---- values to the server ---- */

struct values {
    size_t count;
    char **data;
    int *lengths, *formats;
};

static void values_free(struct values *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->data[i]);
    }
    free(v->data);
    free(v->lengths);
    free(v->formats);
}

/* Text, of which the server infers the type; only bytes that are no text go as they are. */
static int value_set(struct values *v, size_t i, const json_t *value)
{
    struct rb_buf buf;
    int rc = 0;
    rb_buf_init(&buf, PARAM_MAX);
    switch (json_typeof(value)) {
    case JSON_NULL:
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        rc = rb_buf_adds(&buf, json_is_true(value) ? "true" : "false");
        break;
    case JSON_INTEGER:
        rc = rb_buf_addf(&buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        rc = rb_buf_addf(&buf, "%.17g", json_real_value(value));
        break;
    default:
        v->formats[i] = !json_is_string(value);
        rc = rb_json_bytes_get(value, &buf);
        rc = rc == 0 && !buf.data ? rb_buf_adds(&buf, "") : rc;
        v->formats[i] |= rc == 0 && memchr(buf.data, 0, buf.len) != NULL;
    }
    v->lengths[i] = (int)buf.len;
    v->data[i] = rc == 0 ? rb_buf_take(&buf) : NULL;
    rb_buf_deinit(&buf);
    return rc;
}

static int values_init(struct values *v, const json_t *params, struct rb_err *err)
{
    size_t n = json_array_size(params);
    *v = (struct values){.count = n};
    v->data = rb_xcalloc(n + 1, sizeof *v->data);
    v->lengths = rb_xcalloc(n + 1, sizeof *v->lengths);
    v->formats = rb_xcalloc(n + 1, sizeof *v->formats);
    for (size_t i = 0; i < n; i++) {
        if (value_set(v, i, json_array_get(params, i)) != 0) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_param_type, (int)i + 1);
        }
    }
    return 0;
}

static int send_step(struct rb_pg *pg, const struct rb_db_step *step)
{
    struct values v;
    int rc = values_init(&v, step->params, &pg->db.err);
    if (rc == 0 && !PQsendQueryParams(pg->conn, step->sql, (int)v.count, NULL, (const char *const *)v.data, v.lengths,
                                      v.formats, 0)) {
        rc = rb_pg_result_error(pg, NULL);
    }
    values_free(&v);
    return rc;
}

/* ---- results ---- */

static int wait_more(struct rb_pg *pg)
{
    int left = pg->flushed ? 0 : PQflush(pg->conn);
    if (left < 0) {
        return rb_pg_result_error(pg, NULL);
    }
    pg->flushed = left == 0;
    pg->db.fd = PQsocket(pg->conn);
    pg->db.wants = pg->flushed ? UV_READABLE : UV_READABLE | UV_WRITABLE;
    return RB_DB_WAIT;
}

int rb_pg_run(struct rb_db *db, const struct rb_db_step *steps, size_t count)
{
    struct rb_pg *pg = (struct rb_pg *)db;
    int rc = PQenterPipelineMode(pg->conn) ? 0 : rb_pg_result_error(pg, NULL);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = send_step(pg, &steps[i]);
    }
    if (rc == 0 && !PQpipelineSync(pg->conn)) {
        rc = rb_pg_result_error(pg, NULL);
    }
    if (rc != 0) {
        db->lost = true; /* half of it may be on its way */
        return rc;
    }
    pg->steps = steps;
    pg->count = count;
    pg->running = true;
    pg->columns_told = pg->flushed = false;
    pg->failed = 0;
    pg->state[0] = '\0';
    (void)PQsetSingleRowMode(pg->conn);
    return wait_more(pg);
}

static struct rb_cell *cells_of(const PGresult *result, int row)
{
    int n = PQnfields(result);
    struct rb_cell *cells = rb_xcalloc((size_t)n + 1, sizeof *cells);
    for (int i = 0; i < n; i++) {
        cells[i].name = PQfname(result, i);
        cells[i].kind = kind_of(PQftype(result, i));
        if (row >= 0 && !PQgetisnull(result, row, i)) {
            cells[i].data = PQgetvalue(result, row, i);
            cells[i].len = (size_t)PQgetlength(result, row, i);
        }
    }
    return cells;
}

/* Rows come one by one. The first tells the columns; so does an empty end. */
static int take_rows(struct rb_pg *pg, const PGresult *result, struct rb_answer *answer)
{
    size_t n = (size_t)PQnfields(result);
    struct rb_cell *cells = cells_of(result, -1);
    int rc = pg->columns_told ? 0 : rb_answer_columns(answer, cells, n, &pg->db.err);
    pg->columns_told = true;
    free(cells);
    for (int row = 0; rc == 0 && row < PQntuples(result); row++) {
        cells = cells_of(result, row);
        rc = rb_answer_row(answer, cells, n, &pg->db.err);
        free(cells);
    }
    return rc;
}

static int take(struct rb_pg *pg, const PGresult *result)
{
    struct rb_answer *answer = pg->db.finished < pg->count ? pg->steps[pg->db.finished].answer : NULL;
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        return answer ? take_rows(pg, result, answer) : 0;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        if (answer) {
            answer->changes += strtoll(PQcmdTuples((PGresult *)result), NULL, 10);
            return PQresultStatus(result) == PGRES_TUPLES_OK ? take_rows(pg, result, answer) : 0;
        }
        return 0;
    case PGRES_PIPELINE_ABORTED:
        return 0;
    case PGRES_EMPTY_QUERY:
        return rb_err_set(&pg->db.err, RB_EUSAGE, RB_T_bindings_sql_one_statement);
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        pg->db.lost = true;
        return rb_err_set(&pg->db.err, RB_EUSAGE, RB_T_servers_sql_copy);
    default:
        return rb_pg_result_error(pg, result);
    }
}

static int finish(struct rb_pg *pg)
{
    pg->running = false;
    if (!PQexitPipelineMode(pg->conn)) {
        pg->db.lost = true;
    }
    return pg->failed;
}

/* What is too large or no rows at all is not read to its end: the connection goes. */
static int give_up(struct rb_pg *pg, int rc)
{
    pg->running = false;
    pg->db.lost = true;
    return rc;
}

/* One result; NULL ends a step. RB_DB_WAIT: go on with the next. */
static int step_result(struct rb_pg *pg, PGresult *result)
{
    pg->unread = 0;
    if (!result) {
        pg->db.finished += pg->failed == 0;
        pg->columns_told = false;
        (void)PQsetSingleRowMode(pg->conn); /* of the next step, before anything of it is read */
        return RB_DB_WAIT;
    }
    ExecStatusType status = PQresultStatus(result);
    int rc = status == PGRES_PIPELINE_SYNC ? 0 : take(pg, result);
    PQclear(result);
    if (status == PGRES_PIPELINE_SYNC) {
        return finish(pg);
    }
    if (rc != 0 && (pg->db.lost || status != PGRES_FATAL_ERROR)) {
        return give_up(pg, rc);
    }
    pg->failed = pg->failed ? pg->failed : rc;
    return RB_DB_WAIT;
}

/* libpq keeps a row until it is whole, however large. What waits in the socket is counted before each
 * reading, some of it more than once. */
static bool grows_too_large(struct rb_pg *pg)
{
    int waiting = 0;
    if (ioctl(PQsocket(pg->conn), FIONREAD, &waiting) == 0) {
        pg->unread += waiting;
    }
    return pg->unread > UNREAD_MAX;
}

int rb_pg_running(struct rb_pg *pg, int events)
{
    if (events & UV_READABLE && grows_too_large(pg)) {
        return give_up(pg, rb_err_set(&pg->db.err, RB_ETOO_LARGE, RB_T_bindings_sql_answer_large, RB_ANSWER_MAX >> 20));
    }
    if (events & UV_READABLE && !PQconsumeInput(pg->conn)) {
        return give_up(pg, rb_pg_result_error(pg, NULL));
    }
    int rc = RB_DB_WAIT;
    while (rc == RB_DB_WAIT && !PQisBusy(pg->conn)) {
        rc = step_result(pg, PQgetResult(pg->conn));
    }
    return rc == RB_DB_WAIT ? wait_more(pg) : rc;
}
