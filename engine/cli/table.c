#include <stdarg.h>

#include "base/utf8.h"
#include "cli/cli.h"

#define COLUMNS_MAX 12
#define GAP 2       /* between two columns */
#define BELOW 4     /* how far the further lines of a row are indented */
#define SHORTEST 16 /* a shortened column still says something */
#define LAST 24     /* the last column wraps, in no less than this */

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

struct layout {
    int widths[COLUMNS_MAX];
    bool below[COLUMNS_MAX]; /* begins a further line of its row */
    int indent;
};

static void measure(struct rb_cli *c, const json_t *row, int widths[COLUMNS_MAX])
{
    for (size_t i = 0; i < json_array_size(row) && i < COLUMNS_MAX; i++) {
        int width = rb_utf8_width(cell_of(c, row, i));
        if (width > widths[i]) {
            widths[i] = width;
        }
    }
}

/* So that all columns fit, or at least those up to this one, or it alone in a line below. */
static void shorten(struct layout *l, size_t n, size_t gives, int columns)
{
    int before = l->indent, total = l->indent;
    for (size_t i = 0; i < n; i++) {
        before += i < gives ? l->widths[i] + GAP : 0;
        total += l->widths[i] + (i > 0 ? GAP : 0);
    }
    int left = l->widths[gives] - (total - columns);
    left = left < SHORTEST ? columns - before : left;
    left = left < SHORTEST ? columns - l->indent - BELOW : left;
    l->widths[gives] = left < l->widths[gives] ? left : l->widths[gives];
}

/* One column may be shortened; what then still does not fit stands below, each column under its heading. The last
 * one wraps by itself while there is room to begin it. */
static void fit(struct layout *l, size_t n, size_t gives, int columns)
{
    int at = l->indent;
    if (gives > 0) {
        shorten(l, n, gives, columns);
    }
    for (size_t i = 0; i < n; i++) {
        int needed = i + 1 == n && l->widths[i] > LAST ? LAST : l->widths[i];
        l->below[i] = i > 0 && at + GAP + needed > columns;
        at = l->below[i] ? l->indent + BELOW + l->widths[i] : at + (i > 0 ? GAP : 0) + l->widths[i];
    }
}

static const char *shortened(struct rb_cli *c, const char *cell, int width, bool pad)
{
    struct rb_buf b;
    rb_buf_init(&b, 1u << 16);
    rb_utf8_pad(&b, cell, pad ? width : 0, width);
    const char *text = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return text;
}

static void put_row(struct rb_cli *c, enum rb_sink sink, enum rb_style style, const json_t *row, const struct layout *l)
{
    size_t n = json_array_size(row) < COLUMNS_MAX ? json_array_size(row) : COLUMNS_MAX;
    while (n > 0 && cell_of(c, row, n - 1)[0] == '\0') {
        n--; /* no blanks at the end of a line */
    }
    rb_put(c, sink, RB_PLAIN, "%*s", l->indent, "");
    for (size_t i = 0; i < n; i++) {
        bool ends = i + 1 == n || l->below[i + 1];
        if (l->below[i]) {
            rb_put(c, sink, RB_PLAIN, "\n%*s", l->indent + BELOW, "");
        }
        const char *cell = cell_of(c, row, i);
        if (i > 0 && ends) {
            c->line[sink].indent =
                c->line[sink].at; /* what does not fit goes on below the beginning of its own column */
        }
        rb_put(c, sink, style, "%s%s", i + 1 == n ? cell : shortened(c, cell, l->widths[i], !ends), ends ? "" : "  ");
    }
    rb_put(c, sink, RB_PLAIN, "\n");
}

void rb_put_table(struct rb_cli *c, enum rb_sink sink, const json_t *rows, int indent)
{
    struct layout l = {.indent = indent};
    int columns = rb_columns(c, sink);
    size_t i, n = 0;
    json_t *row;
    json_array_foreach((json_t *)rows, i, row) {
        measure(c, row, l.widths);
        n = json_array_size(row) > n ? json_array_size(row) : n;
    }
    if (columns > 0) {
        fit(&l, n < COLUMNS_MAX ? n : COLUMNS_MAX, 0, columns);
    }
    json_array_foreach((json_t *)rows, i, row) {
        put_row(c, sink, RB_PLAIN, row, &l);
    }
}

void rb_put_listing(struct rb_cli *c, const json_t *headings, const json_t *rows, size_t gives)
{
    struct layout l = {0};
    const json_t *heading = json_array_get(headings, 0);
    int columns = rb_columns(c, RB_OUT);
    size_t i;
    json_t *row;
    measure(c, heading, l.widths);
    json_array_foreach((json_t *)rows, i, row) {
        measure(c, row, l.widths);
    }
    if (columns > 0) {
        fit(&l, json_array_size(heading), gives, columns);
    }
    put_row(c, RB_OUT, RB_DIM, heading, &l);
    json_array_foreach((json_t *)rows, i, row) {
        put_row(c, RB_OUT, RB_PLAIN, row, &l);
    }
}
