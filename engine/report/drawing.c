/* The timeline as a drawing: one row for each check, fix and step, one bar for each time it was at work. Where nothing
 * happens for long (somebody sleeps on an approval) time is cut, and the cut is marked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/private.h"

#define WIDTH 1000
#define LEFT 230 /* for the names */
#define ROW 24
#define TOP 30
#define ROWS_MAX 80
#define SPANS_MAX 512
#define CUT 28        /* how wide a cut is drawn */
#define CUT_FROM 0.15 /* of all the time at work: a longer pause is cut */

struct span {
    double from, to; /* ms */
};

struct scale {
    struct span work[SPANS_MAX]; /* in order, apart from each other */
    size_t n;
    double per_ms; /* pixels */
};

static int by_from(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static bool is_wait(const json_t *bar)
{
    return !strcmp(rb_json_str(bar, "kind", ""), "wait");
}

/* Where something was at work; waiting for a person is no work, and may be cut. */
static double work_of(const json_t *story, struct scale *s)
{
    double total = 0;
    size_t i, n = 0;
    json_t *bar;
    s->work[n++] = (struct span){0, 1};
    json_array_foreach(json_object_get(story, "bars"), i, bar) {
        if (!is_wait(bar) && n < SPANS_MAX - 1) {
            s->work[n++] = (struct span){(double)rb_json_int(bar, "from", 0), (double)rb_json_int(bar, "to", 0)};
        }
    }
    double end = (double)rb_json_int(story, "ms", 1);
    s->work[n++] = (struct span){end > 1 ? end - 1 : 0, end};
    qsort(s->work, n, sizeof *s->work, by_from);
    s->n = 0;
    for (i = 0; i < n; i++) {
        struct span *last = s->n ? &s->work[s->n - 1] : NULL;
        if (last && s->work[i].from <= last->to) {
            last->to = s->work[i].to > last->to ? s->work[i].to : last->to;
        } else {
            s->work[s->n++] = s->work[i];
        }
    }
    for (i = 0; i < s->n; i++) {
        total += s->work[i].to - s->work[i].from;
    }
    return total;
}

/* Joins what is not worth a cut, and says how many pixels a millisecond has. */
static void scale_of(const json_t *story, struct scale *s)
{
    double least = work_of(story, s) * CUT_FROM, drawn = 0;
    least = least > 1000 ? least : 1000;
    size_t kept = 1;
    for (size_t i = 1; i < s->n; i++) {
        if (s->work[i].from - s->work[kept - 1].to < least || kept > 12) {
            s->work[kept - 1].to = s->work[i].to;
        } else {
            s->work[kept++] = s->work[i];
        }
    }
    s->n = kept;
    for (size_t i = 0; i < s->n; i++) {
        drawn += s->work[i].to - s->work[i].from;
    }
    s->per_ms = (WIDTH - LEFT - 20 - CUT * (double)(s->n - 1)) / (drawn > 1 ? drawn : 1);
}

static double x_of(const struct scale *s, double ms)
{
    double x = LEFT;
    for (size_t i = 0; i < s->n; i++) {
        const struct span *w = &s->work[i];
        if (ms < w->from) {
            return x - (i ? CUT / 2.0 : 0); /* within a cut */
        }
        if (ms <= w->to) {
            return x + (ms - w->from) * s->per_ms;
        }
        x += (w->to - w->from) * s->per_ms + CUT;
    }
    return x - CUT;
}

static json_t *rows_of(const json_t *story)
{
    json_t *rows = json_object(), *bar;
    size_t i;
    json_array_foreach(json_object_get(story, "bars"), i, bar) {
        const char *row = rb_json_str(bar, "row", "?");
        if (!json_object_get(rows, row) && json_object_size(rows) < ROWS_MAX) {
            json_object_set_new(rows, row, json_integer((json_int_t)json_object_size(rows)));
        }
    }
    return rows;
}

static const char *class_of(const json_t *bar)
{
    const char *kind = rb_json_str(bar, "kind", ""), *result = rb_json_str(bar, "result", "");
    static const char *const own[] = {"look", "write", "wait", "verify"};
    if (strcmp(kind, "look") != 0 &&
        (!strcmp(result, "failed") || !strcmp(result, "unknown") || !strcmp(result, "interrupted"))) {
        return "failed";
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (!strcmp(kind, own[i])) {
            return own[i];
        }
    }
    return "act";
}

static void put_title(const json_t *bar, struct rb_buf *out)
{
    struct rb_buf text;
    char from[RB_TIME_MAX], took[RB_TIME_MAX];
    double start = (double)rb_json_int(bar, "from", 0), end = (double)rb_json_int(bar, "to", 0);
    rb_duration_format(start / 1000, from);
    rb_duration_format((end - start) / 1000, took);
    rb_buf_init(&text, 1u << 16);
    rb_buf_addf(&text, "%s  +%s  %s", rb_json_str(bar, "row", ""), from, took);
    rb_buf_adds(out, "<title>");
    report_escape(out, rb_buf_str(&text));
    rb_buf_adds(out, "</title>");
    rb_buf_deinit(&text);
}

static void put_bar(const struct scale *s, const json_t *bar, int row, struct rb_buf *out)
{
    double from = x_of(s, (double)rb_json_int(bar, "from", 0)), to = x_of(s, (double)rb_json_int(bar, "to", 0));
    bool write = !strcmp(rb_json_str(bar, "kind", ""), "write");
    int y = TOP + row * ROW + (write ? 9 : 5), height = write ? 6 : 14;
    rb_buf_addf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\">", class_of(bar),
                from, y, to - from < 2 ? 2 : to - from, height);
    put_title(bar, out);
    rb_buf_adds(out, "</rect>\n");
}

static void put_bars(const struct scale *s, const json_t *story, const json_t *rows, bool writes, struct rb_buf *out)
{
    size_t i;
    json_t *bar;
    json_array_foreach(json_object_get(story, "bars"), i, bar) {
        const json_t *row = json_object_get(rows, rb_json_str(bar, "row", "?"));
        if (row && !strcmp(rb_json_str(bar, "kind", ""), "write") == writes) {
            put_bar(s, bar, (int)json_integer_value(row), out);
        }
    }
}

static void put_names(const json_t *rows, struct rb_buf *out)
{
    const char *row;
    json_t *n;
    json_object_foreach((json_t *)rows, row, n) {
        int y = TOP + (int)json_integer_value(n) * ROW;
        rb_buf_addf(out, "<line class=\"grid\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", WIDTH, y + ROW, y + ROW);
        rb_buf_addf(out, "<svg x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"><text x=\"0\" y=\"16\">", y, LEFT - 12, ROW);
        report_escape(out, row);
        rb_buf_adds(out, "<title>");
        report_escape(out, row);
        rb_buf_adds(out, "</title></text></svg>\n");
    }
}

/* Begin and end of each stretch of work, as far as they do not touch. */
static void put_axis(const struct scale *s, int bottom, struct rb_buf *out)
{
    double free_from = 0;
    for (size_t i = 0; i < 2 * s->n; i++) {
        const struct span *w = &s->work[i / 2];
        double ms = i % 2 ? w->to : w->from, x = x_of(s, ms);
        char words[RB_TIME_MAX];
        rb_duration_format(ms / 1000, words);
        rb_buf_addf(out, "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>",
                    i % 2 && i / 2 + 1 < s->n ? "gap" : "grid", x, x, TOP, bottom);
        if (x >= free_from || i + 1 == 2 * s->n) {
            bool last = i + 1 == 2 * s->n;
            rb_buf_addf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">+%s</text>\n", x,
                        last ? bottom + 16 : TOP - 10, last ? "end" : "start", words);
            free_from = last ? free_from : x + 70;
        }
    }
}

/* Colours in words. */
static void put_legend(int y, struct rb_buf *out)
{
    static const char *const classes[] = {"look", "act", "write", "wait", "verify", "failed"};
    for (int i = 0; i < (int)(sizeof classes / sizeof *classes); i++) {
        rb_buf_addf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" rx=\"2\"/>", classes[i],
                    i * 130, y - 9);
        rb_buf_addf(out, "<text class=\"axis\" x=\"%d\" y=\"%d\">%s</text>\n", i * 130 + 15, y,
                    rb_report_word("report_l", classes[i]));
    }
}

void report_drawing(const json_t *story, struct rb_buf *out)
{
    struct scale *s = rb_xcalloc(1, sizeof *s);
    json_t *rows = rows_of(story);
    int bottom = TOP + (int)json_object_size(rows) * ROW;
    scale_of(story, s);
    rb_buf_addf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, bottom + 44);
    report_escape(out, rb_text(RB_T_report_timeline));
    rb_buf_adds(out, "\">\n");
    put_axis(s, bottom, out);
    put_names(rows, out);
    put_bars(s, story, rows, false, out);
    put_bars(s, story, rows, true, out); /* a write lies on top of its fix */
    put_legend(bottom + 38, out);
    rb_buf_adds(out, "</svg>\n");
    json_decref(rows);
    free(s);
}
