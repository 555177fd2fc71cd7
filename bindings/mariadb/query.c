/* Steps one after the other. A statement without values goes in the text protocol, where the server takes
 * exactly one statement too, because nobody asked it for more. */
#include "mariadb/mariadb.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define BINARY_CHARSET 63

static enum rb_value_kind kind_of(const MYSQL_FIELD *field)
{
    MARIADB_CONST_STRING format;
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return RB_VALUE_INT;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return RB_VALUE_REAL;
    case MYSQL_TYPE_BIT:
        return RB_VALUE_BITS;
    case MYSQL_TYPE_JSON:
        return RB_VALUE_JSON;
    case MYSQL_TYPE_TIMESTAMP:
    case MYSQL_TYPE_DATETIME:
        return RB_VALUE_MOMENT;
    default: /* MariaDB's JSON is text, and says so beside it */
        if (mariadb_field_attr(&format, field, MARIADB_FIELD_ATTR_FORMAT_NAME) == 0 && format.length == 4 &&
            memcmp(format.str, "json", 4) == 0) {
            return RB_VALUE_JSON;
        }
        return RB_VALUE_TEXT;
    }
}

int rb_my_columns(struct rb_my *my, MYSQL_RES *result)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    struct rb_answer *answer = my->steps[my->db.finished].answer;
    my->column_count = mysql_num_fields(result);
    my->cells = rb_xcalloc(my->column_count + 1, sizeof *my->cells);
    for (size_t i = 0; i < my->column_count; i++) {
        my->cells[i] = (struct rb_cell){.name = fields[i].name, .kind = kind_of(&fields[i])};
    }
    return answer ? rb_answer_columns(answer, my->cells, my->column_count, &my->db.err) : 0;
}

int rb_my_row(struct rb_my *my, struct rb_answer *answer)
{
    if (!answer) {
        return 0;
    }
    answer->changes++; /* of a statement with RETURNING the server tells no other number */
    return rb_answer_row(answer, my->cells, my->column_count, &my->db.err);
}

void rb_my_drop(struct rb_my *my)
{
    for (size_t i = 0; i < my->bound_count; i++) {
        free(my->bound[i]);
    }
    for (size_t i = 0; my->columns && i < my->column_count; i++) {
        free(my->columns[i].large);
    }
    free(my->bound);
    free(my->binds);
    free(my->columns);
    free(my->cells);
    my->bound = NULL;
    my->binds = NULL;
    my->columns = NULL;
    my->cells = NULL;
    my->bound_count = my->column_count = 0;
}

/* ---- text ---- */

static const struct rb_my_op fetching;

static int query_start(struct rb_my *my)
{
    const char *sql = my->steps[my->db.finished].sql;
    return mysql_real_query_start(&my->failed, my->mysql, sql, strlen(sql));
}

static int query_cont(struct rb_my *my, int ready)
{
    return mysql_real_query_cont(&my->failed, my->mysql, ready);
}

static int query_after(struct rb_my *my)
{
    if (my->failed) {
        return rb_my_last_error(my);
    }
    if (mysql_field_count(my->mysql) == 0) {
        struct rb_answer *answer = my->steps[my->db.finished].answer;
        if (answer) {
            answer->changes += (int64_t)mysql_affected_rows(my->mysql);
            answer->last_id = (int64_t)mysql_insert_id(my->mysql);
        }
        return rb_my_next_step(my);
    }
    my->result = mysql_use_result(my->mysql);
    if (!my->result) {
        return rb_my_last_error(my);
    }
    int rc = rb_my_columns(my, my->result);
    my->db.lost |= rc != 0; /* its rows are on their way, and nobody wants them */
    my->op = &fetching;
    return rc != 0 ? rc : RB_DB_WAIT;
}

static int fetch_start(struct rb_my *my)
{
    return mysql_fetch_row_start(&my->row, my->result);
}

static int fetch_cont(struct rb_my *my, int ready)
{
    return mysql_fetch_row_cont(&my->row, my->result, ready);
}

static int fetch_after(struct rb_my *my)
{
    struct rb_answer *answer = my->steps[my->db.finished].answer;
    if (!my->row) {
        mysql_free_result(my->result); /* read to its end: nothing to wait for */
        my->result = NULL;
        return mysql_errno(my->mysql) ? rb_my_last_error(my) : rb_my_next_step(my);
    }
    const unsigned long *lengths = mysql_fetch_lengths(my->result);
    for (size_t i = 0; i < my->column_count; i++) {
        my->cells[i].data = my->row[i];
        my->cells[i].len = lengths[i];
    }
    int rc = rb_my_row(my, answer);
    my->db.lost |= rc != 0;
    return rc != 0 ? rc : RB_DB_WAIT;
}

static const struct rb_my_op querying = {query_start, query_cont, query_after};
static const struct rb_my_op fetching = {fetch_start, fetch_cont, fetch_after};

/* ---- steps ---- */

static void choose(struct rb_my *my)
{
    my->op = json_array_size(my->steps[my->db.finished].params) > 0 ? &rb_my_prepare : &querying;
}

int rb_my_next_step(struct rb_my *my)
{
    rb_my_drop(my);
    my->db.warnings = mysql_warning_count(my->mysql);
    my->db.finished++;
    if (my->db.finished == my->count) {
        return 0;
    }
    choose(my);
    return RB_DB_WAIT;
}

int rb_my_run(struct rb_db *db, const struct rb_db_step *steps, size_t count)
{
    struct rb_my *my = (struct rb_my *)db;
    my->steps = steps;
    my->count = count;
    my->error = 0;
    choose(my);
    return rb_my_begin(my, my->op);
}
