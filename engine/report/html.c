/* The document as one page: nothing from elsewhere, no script, its own content policy, every foreign byte escaped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "report/private.h"
#include "report/style.h"

void report_escape(struct rb_buf *out, const char *text)
{
    struct rb_buf clean;
    rb_buf_init(&clean, 8u << 20);
    rb_utf8_clean(&clean, text, strlen(text), true);
    for (const char *s = rb_buf_str(&clean); *s; s++) {
        switch (*s) {
        case '&':
            rb_buf_adds(out, "&amp;");
            break;
        case '<':
            rb_buf_adds(out, "&lt;");
            break;
        case '>':
            rb_buf_adds(out, "&gt;");
            break;
        case '"':
            rb_buf_adds(out, "&quot;");
            break;
        case '\'':
            rb_buf_adds(out, "&#39;");
            break;
        default:
            rb_buf_add(out, s, 1);
        }
    }
    rb_buf_deinit(&clean);
}

/* <tag class="class">text</tag>; tag and class are ours. */
static void element(struct rb_buf *out, const char *tag, const char *class, const char *text)
{
    rb_buf_addf(out, class[0] ? "<%s class=\"%s\">" : "<%s>", tag, class);
    report_escape(out, text);
    rb_buf_addf(out, "</%s>", tag);
}

static void put_cell(const json_t *cell, struct rb_buf *out)
{
    if (json_is_string(cell)) {
        element(out, "td", "", json_string_value(cell));
        return;
    }
    const char *below = rb_json_str(cell, "below", ""), *tone = rb_json_str(cell, "tone", "");
    bool code = rb_json_bool(cell, "code", false);
    rb_buf_adds(out, "<td>");
    element(out, "span", code ? "code" : tone[0] ? tone : "", rb_json_str(cell, "text", ""));
    if (below[0]) {
        element(out, "div", "below", below);
    }
    rb_buf_adds(out, "</td>");
}

static void put_row(const json_t *row, struct rb_buf *out)
{
    size_t i;
    json_t *cell;
    rb_buf_adds(out, "<tr>");
    json_array_foreach((json_t *)row, i, cell) {
        put_cell(cell, out);
    }
    rb_buf_adds(out, "</tr>\n");
}

static void put_table(const json_t *section, struct rb_buf *out)
{
    size_t i;
    json_t *one, *rows = json_object_get(section, "rows");
    if (json_array_size(rows) == 0) {
        element(out, "p", "none", rb_json_str(section, "text", ""));
        return;
    }
    rb_buf_adds(out, "<div class=\"scroll\"><table><thead><tr>");
    json_array_foreach(json_object_get(section, "columns"), i, one) {
        element(out, "th", "", json_string_value(one));
    }
    rb_buf_adds(out, "</tr></thead><tbody>\n");
    json_array_foreach(rows, i, one) {
        put_row(one, out);
    }
    rb_buf_adds(out, "</tbody></table></div>\n");
}

/* The page allows itself its own style sheet, by its hash, and nothing else. */
static void put_head(const json_t *doc, const json_t *story, struct rb_buf *out)
{
    unsigned char hash[RB_HASH_SIZE];
    rb_hash(style, sizeof style - 1, hash);
    char *policy = rb_base64(hash, sizeof hash);
    rb_buf_addf(out, "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n",
                rb_text_lang() == RB_LANG_ZH ? "zh-CN" : "en");
    rb_buf_addf(out,
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; "
                "base-uri 'none'; form-action 'none'\">\n",
                policy);
    rb_buf_adds(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    report_escape(out, rb_json_str(doc, "title", ""));
    rb_buf_adds(out, " · ");
    report_escape(out, rb_json_str(story, "run", ""));
    rb_buf_addf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n", style);
    free(policy);
}

static void put_facts(const json_t *doc, struct rb_buf *out)
{
    size_t i;
    json_t *fact;
    rb_buf_adds(out, "<header>\n");
    element(out, "h1", "", rb_json_str(doc, "title", ""));
    rb_buf_addf(out, "\n<p class=\"result %s\">", rb_json_str(doc, "tone", ""));
    report_escape(out, rb_json_str(doc, "result", ""));
    rb_buf_adds(out, "</p>\n");
    if (json_object_get(doc, "error")) {
        element(out, "p", "error", rb_json_str(doc, "error", ""));
    }
    rb_buf_adds(out, "<dl>\n");
    json_array_foreach(json_object_get(doc, "facts"), i, fact) {
        rb_buf_adds(out, "<div>");
        element(out, "dt", "", json_string_value(json_array_get(fact, 0)));
        element(out, "dd", "", json_string_value(json_array_get(fact, 1)));
        rb_buf_adds(out, "</div>\n");
    }
    rb_buf_adds(out, "</dl>\n</header>\n");
}

int rb_story_html(const json_t *story, struct rb_buf *out)
{
    json_t *doc = report_document(story), *section;
    size_t i;
    put_head(doc, story, out);
    put_facts(doc, out);
    json_array_foreach(json_object_get(doc, "sections"), i, section) {
        rb_buf_adds(out, "<section>\n");
        element(out, "h2", "", rb_json_str(section, "title", ""));
        rb_buf_adds(out, "\n");
        if (json_object_get(section, "drawing")) {
            report_drawing(story, out);
        } else {
            put_table(section, out);
        }
        rb_buf_adds(out, "</section>\n");
    }
    json_decref(doc);
    return rb_buf_adds(out, "</body>\n</html>\n");
}
