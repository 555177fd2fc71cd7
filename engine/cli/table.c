#include <stdarg.h>

#include "base/utf8.h"
#include "cli/cli.h"

#define COLUMNS_MAX 12

void rb_row(json_t *rows, ...)
{
    json_t *row = json_array();
    va_list ap;
    va_start(ap, rows);
    for (const char *cell; (cell = va_arg(ap, const char *)) != NULL;) {
        json_array_append_new(row, json_string(cell));
    }
    va_end(ap);
    json_array_append_new(rows, row);
}

static const char *cell_of(struct rb_cli *c, const json_t *row, size_t i)
{
    const char *text = json_string_value(json_array_get(row, i));
    return rb_word(c, text != NULL ? text : "");
}

static void measure(struct rb_cli *c, const json_t *row, int widths[COLUMNS_MAX])
{
    for (size_t i = 0; i < json_array_size(row) && i < COLUMNS_MAX; i++) {
        int width = rb_utf8_width(cell_of(c, row, i));
        if (width > widths[i]) {
            widths[i] = width;
        }
    }
}

static void put_row(struct rb_cli *c, enum rb_sink sink, enum rb_style style, const json_t *row,
                    const int widths[COLUMNS_MAX], int indent)
{
    size_t n = json_array_size(row);
    while (n > 0 && cell_of(c, row, n - 1)[0] == '\0') {
        n--; /* no blanks at the end of a line */
    }
    rb_put(c, sink, RB_PLAIN, "%*s", indent, "");
    for (size_t i = 0; i < n && i < COLUMNS_MAX; i++) {
        const char *cell = cell_of(c, row, i);
        bool last = i + 1 == n;
        rb_put(c, sink, style, "%s%s", last ? cell : rb_word_pad(c, cell, widths[i]), last ? "" : "  ");
    }
    rb_put(c, sink, RB_PLAIN, "\n");
}

void rb_put_table(struct rb_cli *c, enum rb_sink sink, const json_t *headings, const json_t *rows, int indent)
{
    int widths[COLUMNS_MAX] = {0};
    size_t i;
    json_t *row;
    if (headings != NULL) {
        measure(c, headings, widths);
    }
    json_array_foreach ((json_t *)rows, i, row) {
        measure(c, row, widths);
    }
    if (headings != NULL) {
        put_row(c, sink, RB_DIM, headings, widths, indent);
    }
    json_array_foreach ((json_t *)rows, i, row) {
        put_row(c, sink, RB_PLAIN, row, widths, indent);
    }
}
