/* The document as Markdown, for a ticket or a terminal. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "report/private.h"

/* Foreign text in a line: control characters made visible, what Markdown or HTML would take for its own escaped. */
static void escape(struct rb_buf *out, const char *text)
{
    struct rb_buf clean;
    rb_buf_init(&clean, 8u << 20);
    rb_utf8_clean(&clean, text, strlen(text), true);
    for (const char *s = rb_buf_str(&clean); *s; s++) {
        if (*s == '\n') {
            rb_buf_adds(out, "<br>");
            continue;
        }
        if (strchr("\\`*_[]<>|#&~$", *s)) {
            rb_buf_adds(out, "\\");
        }
        rb_buf_add(out, s, 1);
    }
    rb_buf_deinit(&clean);
}

static void put_cell(const json_t *cell, struct rb_buf *out)
{
    const char *below = rb_json_str(cell, "below", "");
    escape(out, json_is_string(cell) ? json_string_value(cell) : rb_json_str(cell, "text", ""));
    if (below[0]) {
        rb_buf_adds(out, "<br>");
        escape(out, below);
    }
}

static void put_row(const json_t *row, struct rb_buf *out)
{
    size_t i;
    json_t *cell;
    rb_buf_adds(out, "|");
    json_array_foreach((json_t *)row, i, cell) {
        rb_buf_adds(out, " ");
        put_cell(cell, out);
        rb_buf_adds(out, " |");
    }
    rb_buf_adds(out, "\n");
}

static void put_table(const json_t *section, struct rb_buf *out)
{
    size_t i;
    json_t *columns = json_object_get(section, "columns"), *rows = json_object_get(section, "rows"), *row;
    if (json_array_size(rows) == 0) {
        rb_buf_addf(out, "%s\n", rb_json_str(section, "text", ""));
        return;
    }
    put_row(columns, out);
    rb_buf_adds(out, "|");
    for (i = 0; i < json_array_size(columns); i++) {
        rb_buf_adds(out, " --- |");
    }
    rb_buf_adds(out, "\n");
    json_array_foreach(rows, i, row) {
        put_row(row, out);
    }
}

static void put_head(const json_t *doc, struct rb_buf *out)
{
    size_t i;
    json_t *fact;
    rb_buf_adds(out, "# ");
    escape(out, rb_json_str(doc, "title", ""));
    rb_buf_addf(out, "\n\n**%s**", rb_json_str(doc, "result", ""));
    if (json_object_get(doc, "error")) {
        rb_buf_adds(out, ": ");
        escape(out, rb_json_str(doc, "error", ""));
    }
    rb_buf_adds(out, "\n\n");
    json_array_foreach(json_object_get(doc, "facts"), i, fact) {
        rb_buf_addf(out, "- %s: ", json_string_value(json_array_get(fact, 0)));
        escape(out, json_string_value(json_array_get(fact, 1)));
        rb_buf_adds(out, "\n");
    }
}

int rb_story_markdown(const json_t *story, struct rb_buf *out)
{
    json_t *doc = report_document(story), *section;
    size_t i;
    put_head(doc, out);
    json_array_foreach(json_object_get(doc, "sections"), i, section) {
        if (!json_object_get(section, "drawing")) { /* the course is told below, in words */
            rb_buf_addf(out, "\n## %s\n\n", rb_json_str(section, "title", ""));
            put_table(section, out);
        }
    }
    json_decref(doc);
    return rb_buf_addf(out, "\n<!-- %s %s -->\n", rb_json_str(story, "schema", ""), rb_json_str(story, "run", ""));
}
