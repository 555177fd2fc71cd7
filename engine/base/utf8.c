/* Foreign bytes made safe for a terminal, and how wide they are there. */
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#define WORD_MAX 64 /* code points; no name of ours is longer */

/* The code point at s, or -1 and a length of 1 for a byte that begins none. */
static int32_t next(const char *s, size_t len, size_t *used)
{
    utf8proc_int32_t point;
    utf8proc_ssize_t left = len > 4 ? 4 : (utf8proc_ssize_t)len;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s, left, &point);
    *used = n > 0 ? (size_t)n : 1;
    return n > 0 ? point : -1;
}

bool rb_utf8_valid(const char *s, size_t len)
{
    for (size_t at = 0, used; at < len; at += used) {
        used = 1;
        if ((unsigned char)s[at] >= 0x80 && next(s + at, len - at, &used) < 0) {
            return false;
        }
    }
    return true;
}

/* Points a terminal obeys or does not draw. Emoji selectors (FE0E, FE0F) stay: they only choose a glyph. */
static bool hidden(int32_t point)
{
    switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        return point == 0x034f || point == 0x115f || point == 0x1160 || point == 0x3164 || point == 0xffa0 ||
               (point >= 0x180b && point <= 0x180f) || (point >= 0xfe00 && point <= 0xfe0d) ||
               (point >= 0xe0000 && point <= 0xe0fff);
    }
}

static bool plain_byte(unsigned char c)
{
    return (c >= 0x20 && c < 0x7f) || c == '\t';
}

static int clean_one(struct rb_buf *out, const char *s, size_t len, bool keep_lines, size_t *used)
{
    unsigned char c = (unsigned char)*s;
    *used = 1;
    if (c == '\n') {
        return rb_buf_adds(out, keep_lines ? "\n" : "\\n");
    }
    if (c < 0x80) {
        return rb_buf_addf(out, "\\x%02x", c);
    }
    int32_t point = next(s, len, used);
    if (point < 0) {
        return rb_buf_addf(out, "\\x%02x", c);
    }
    return hidden(point) ? rb_buf_addf(out, "<U+%04X>", (unsigned)point) : rb_buf_add(out, s, *used);
}

int rb_utf8_clean(struct rb_buf *out, const char *s, size_t len, bool keep_lines)
{
    size_t at = 0;
    while (at < len) {
        size_t run = at;
        while (run < len && plain_byte((unsigned char)s[run])) {
            run++;
        }
        int rc = run > at ? rb_buf_add(out, s + at, run - at) : 0;
        at = run;
        if (!rc && at < len) {
            size_t used;
            rc = clean_one(out, s + at, len - at, keep_lines, &used);
            at += used;
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int point_width(int32_t point)
{
    return point == '\t' || point < 0 ? 1 : utf8proc_charwidth(point);
}

int rb_utf8_width(const char *s)
{
    int width = 0;
    for (size_t len = strlen(s), used; len; s += used, len -= used) {
        width += point_width(next(s, len, &used));
    }
    return width;
}

/* How many bytes of s fit into columns. */
static size_t fit(const char *s, int columns, int *width)
{
    size_t at = 0, len = strlen(s), used;
    for (*width = 0; at < len; at += used) {
        int w = point_width(next(s + at, len - at, &used));
        if (*width + w > columns) {
            break;
        }
        *width += w;
    }
    return at;
}

static int pad(struct rb_buf *out, int columns)
{
    int rc = 0;
    while (!rc && columns-- > 0) {
        rc = rb_buf_add(out, " ", 1);
    }
    return rc;
}

int rb_utf8_pad(struct rb_buf *out, const char *s, int width, int max)
{
    int has = rb_utf8_width(s);
    size_t bytes = strlen(s);
    const char *dots = "";
    if (max > 0 && has > max) {
        dots = max > 3 ? "..." : "";
        bytes = fit(s, max - (int)strlen(dots), &has);
        has += (int)strlen(dots);
    }
    int rc = rb_buf_add(out, s, bytes);
    rc = rc ? rc : rb_buf_adds(out, dots);
    return rc ? rc : pad(out, width - has);
}

/* At most WORD_MAX code points of s. Returns how many; *more when there are others. */
static int points(const char *s, int32_t out[WORD_MAX], bool *more)
{
    int n = 0;
    size_t len = strlen(s), used;
    for (; len && n < WORD_MAX; s += used, len -= used) {
        out[n++] = next(s, len, &used);
    }
    *more = len > 0;
    return n;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, and swap of neighbours. */
static int align(const int32_t *a, int an, const int32_t *b, int bn)
{
    int rows[3][WORD_MAX + 1];
    for (int j = 0; j <= bn; j++) {
        rows[0][j] = j;
    }
    for (int i = 1; i <= an; i++) {
        int *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= bn; j++) {
            row[j] = least(least(up[j] + 1, row[j - 1] + 1), up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], up2[j - 2] + 1);
            }
        }
    }
    return rows[an % 3][bn];
}

int rb_utf8_distance(const char *a, const char *b)
{
    int32_t ap[WORD_MAX], bp[WORD_MAX];
    bool a_more, b_more;
    int an = points(a, ap, &a_more), bn = points(b, bp, &b_more);
    return a_more || b_more ? WORD_MAX : align(ap, an, bp, bn);
}

const char *rb_utf8_nearest(const char *word, const char *const *words, size_t count)
{
    int32_t ignored[WORD_MAX];
    bool more;
    int length = points(word, ignored, &more);
    int limit = length < 6 ? 1 : length / 3;
    if (length < 2) {
        return NULL; /* one letter is near to everything */
    }
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        int distance = rb_utf8_distance(word, words[i]);
        if (distance <= limit) {
            nearest = words[i];
            limit = distance - 1;
        }
    }
    return nearest;
}
