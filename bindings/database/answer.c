#include "database/answer.h"

#include <string.h>

#include "base/utf8.h"

void rb_answer_init(struct rb_answer *answer, size_t max_rows)
{
    *answer = (struct rb_answer){.max_rows = max_rows, .last_id = -1};
}

void rb_answer_deinit(struct rb_answer *answer)
{
    json_decref(answer->rows);
    answer->rows = NULL;
}

int rb_answer_columns(struct rb_answer *answer, const struct rb_cell *cells, size_t count, struct rb_err *err)
{
    json_t *names = json_object();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!rb_utf8_valid(cells[i].name, strlen(cells[i].name))) {
            rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_column_name);
        } else if (json_object_get(names, cells[i].name)) {
            rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_column_twice, cells[i].name);
        } else {
            json_object_set_new(names, cells[i].name, json_true());
        }
    }
    json_decref(names);
    if (rc == 0 && count > 0 && !answer->rows && !answer->no_rows) {
        answer->rows = json_array();
    }
    return rc;
}

int rb_answer_row(struct rb_answer *answer, const struct rb_cell *cells, size_t count, struct rb_err *err)
{
    if (answer->no_rows) {
        return 0;
    }
    if (json_array_size(answer->rows) >= answer->max_rows) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_sql_rows_many, (int)answer->max_rows);
    }
    for (size_t i = 0; i < count; i++) {
        answer->bytes += cells[i].data ? cells[i].len : 0;
    }
    if (answer->bytes > RB_ANSWER_MAX) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_sql_answer_large, RB_ANSWER_MAX >> 20);
    }
    json_t *row = json_object();
    for (size_t i = 0; i < count; i++) {
        const struct rb_cell *c = &cells[i];
        json_object_set_new(row, c->name, c->data ? rb_value_json(c->kind, c->data, c->len) : json_null());
    }
    json_array_append_new(answer->rows, row);
    return 0;
}
