/* The rows of one statement, growing within their caps. */
#ifndef RB_BINDINGS_DATABASE_ANSWER_H
#define RB_BINDINGS_DATABASE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "database/value.h"

#define RB_ANSWER_MAX (4 << 20) /* bytes of values in one answer: a frame holds 8 MiB */

struct rb_cell {
    const char *name; /* of the column; borrowed */
    enum rb_value_kind kind;
    const char *data; /* NULL is NULL */
    size_t len;
};

struct rb_answer {
    json_t *rows; /* NULL until a statement has columns */
    bool no_rows; /* only count: several statements share it */
    size_t max_rows, bytes;
    int64_t changes, last_id; /* rows given or changed; last_id -1: the server has none */
};

void rb_answer_init(struct rb_answer *answer, size_t max_rows);
void rb_answer_deinit(struct rb_answer *answer);
/* The columns, before the first row. RB_EUSAGE: two of one name, a name that is not UTF-8. */
int rb_answer_columns(struct rb_answer *answer, const struct rb_cell *cells, size_t count, struct rb_err *err);
/* RB_ETOO_LARGE past a cap. */
int rb_answer_row(struct rb_answer *answer, const struct rb_cell *cells, size_t count, struct rb_err *err);

#endif
