/* What comes while something works: output of commands and progress. Both go to stderr. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/exec.h"

#define PROGRESS_NS (10 * 1000000000LL)

/* Bytes at the end that begin a character whose rest has not come yet. */
static size_t unfinished(const char *data, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char ch = (unsigned char)data[len - back];
        if ((ch & 0xc0) == 0xc0) {
            size_t need = ch >= 0xf0 ? 4 : ch >= 0xe0 ? 3 : 2;
            return need > back ? back : 0;
        }
        if ((ch & 0xc0) != 0x80) {
            return 0;
        }
    }
    return 0;
}

static void put_output_line(struct rb_exec *e, const char *text, size_t len, bool ends)
{
    struct rb_buf b;
    rb_buf_init(&b, 8u << 20);
    while (len > 0 && text[len - 1] == '\r') {
        len--;
    }
    rb_utf8_clean(&b, text, len, false);
    rb_put(e->c, RB_ERR, RB_DIM, "%s%s%s", e->line_open ? "" : "      ", rb_buf_str(&b), ends ? "\n" : "");
    e->line_open = !ends;
    rb_buf_deinit(&b);
}

void rb_exec_output(void *user, int stream, const char *data, size_t len)
{
    struct rb_exec *e = user;
    struct rb_buf *carry = &e->carry[stream == 2];
    if (e->c->quiet || rb_buf_add(carry, data, len) != 0) {
        rb_buf_clear(carry);
        return;
    }
    rb_status(e->c, NULL);
    size_t whole = carry->len - unfinished(carry->data, carry->len), at = 0;
    while (at < whole) {
        const char *end = memchr(carry->data + at, '\n', whole - at);
        size_t part = end != NULL ? (size_t)(end - carry->data) - at : whole - at;
        put_output_line(e, carry->data + at, part, end != NULL);
        at += part + (end != NULL);
    }
    rb_buf_consume(carry, whole);
}

void rb_exec_progress(void *user, const json_t *body)
{
    struct rb_exec *e = user;
    struct rb_cli *c = e->c;
    char text[512];
    int64_t now = rb_clock_mono_ns();
    size_t mark = rb_word_mark(c);
    const json_t *total = json_object_get(body, "total");
    const char *what = rb_word_text(c, json_object_get(body, "text")),
               *unit = rb_word(c, rb_json_str(body, "unit", ""));
    bool known = json_is_number(total) && json_number_value(total) > 0;
    double done = json_number_value(json_object_get(body, "done"));
    if (known) {
        snprintf(text, sizeof text, "  %.0f/%.0f %s %.0f%%  %s", done, json_number_value(total), unit,
                 100 * done / json_number_value(total), what);
    } else {
        snprintf(text, sizeof text, "  %.0f %s  %s", done, unit, what);
    }
    rb_word_release(c, mark);
    if (c->quiet) {
        return;
    }
    if (c->tty[RB_ERR]) {
        rb_status(c, text);
    } else if (now - e->progress_ns >= PROGRESS_NS) {
        e->progress_ns = now;
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", text);
    }
}
