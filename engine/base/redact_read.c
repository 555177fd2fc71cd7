/* Several readings of the same bytes go through the tree side by side: as they are, without line ends (wrapped base64),
 * with %XX undone, and with backslashes undone (JSON, shells). A reading that meets the end of a secret marks the bytes
 * it was read from. */
#include "base/redact_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define GAP_MAX 2 /* line ends inside of wrapped base64: "\r\n" */

void rb_redact_fit(struct rb_redact_stream *s)
{
    size_t wanted = s->r->longest + 1;
    if (s->ring >= wanted) {
        return;
    }
    for (int i = 0; i < READINGS; i++) {
        struct rb_redact_way *w = &s->ways[i];
        uint64_t *from = rb_xcalloc(wanted, sizeof *from);
        for (size_t k = w->next > s->ring ? w->next - s->ring : 0; k < w->next; k++) {
            from[k % wanted] = w->from[k % s->ring];
        }
        free(w->from);
        w->from = from;
    }
    s->ring = wanted;
}

/* One symbol that was read from the bytes at..last. */
static void symbol(struct rb_redact_stream *s, struct rb_redact_way *w, unsigned char byte, uint64_t at, uint64_t last)
{
    w->from[w->next++ % s->ring] = at;
    w->node = rb_redact_step(s->r, w->node, byte);
    const struct rb_redact_node *node = &s->r->nodes[w->node];
    if (node->match) {
        for (uint64_t i = w->from[(w->next - node->match) % s->ring]; i <= last; i++) {
            s->mark[i - s->base] = node->name;
        }
    }
}

static int hex_digit(unsigned char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int hex_number(const unsigned char *text, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* An escape that turned out to be none: its bytes stand for themselves. */
void rb_redact_give_back(struct rb_redact_stream *s, struct rb_redact_way *w)
{
    size_t count = w->escape;
    w->escape = 0;
    for (size_t i = 0; i < count; i++) {
        symbol(s, w, w->text[i], w->escape_at + i, w->escape_at + i);
    }
}

static void read_percent(struct rb_redact_stream *s, struct rb_redact_way *w, unsigned char c, uint64_t at)
{
    if (w->escape && hex_digit(c) < 0) {
        rb_redact_give_back(s, w);
    }
    if (!w->escape && c != '%') {
        symbol(s, w, c == '+' ? ' ' : c, at, at); /* a form's way; a plus that is one is read by PLAIN */
        return;
    }
    if (!w->escape) {
        w->escape_at = at;
    }
    w->text[w->escape++] = c;
    if (w->escape == 3) {
        w->escape = 0;
        symbol(s, w, (unsigned char)hex_number(w->text + 1, 2), w->escape_at, at);
    }
}

/* Code point to UTF-8, each byte a symbol of the whole escape. */
static void symbols_of(struct rb_redact_stream *s, struct rb_redact_way *w, unsigned point, uint64_t at)
{
    unsigned char out[4];
    int n = 0;
    if (point < 0x80) {
        out[n++] = (unsigned char)point;
    } else if (point < 0x800) {
        out[n++] = (unsigned char)(0xC0 | point >> 6);
    } else if (point < 0x10000) {
        out[n++] = (unsigned char)(0xE0 | point >> 12);
        out[n++] = (unsigned char)(0x80 | (point >> 6 & 0x3F));
    } else {
        out[n++] = (unsigned char)(0xF0 | point >> 18);
        out[n++] = (unsigned char)(0x80 | (point >> 12 & 0x3F));
        out[n++] = (unsigned char)(0x80 | (point >> 6 & 0x3F));
    }
    if (point >= 0x80) {
        out[n++] = (unsigned char)(0x80 | (point & 0x3F));
    }
    w->escape = 0;
    for (int i = 0; i < n; i++) {
        symbol(s, w, out[i], w->escape_at, at);
    }
}

/* \uXXXX, or a pair of them; -1 = not complete, -2 = none. */
static long unicode_escape(const struct rb_redact_way *w)
{
    if (w->escape < 6) {
        return w->escape < 3 || hex_digit(w->text[w->escape - 1]) >= 0 ? -1 : -2;
    }
    int high = hex_number(w->text + 2, 4);
    if (high < 0) {
        return -2;
    }
    if (high < 0xD800 || high > 0xDBFF) {
        return high;
    }
    if (w->escape < 12) {
        unsigned char c = w->text[w->escape - 1];
        bool fits = w->escape == 6 || (w->escape == 7 ? c == '\\' : w->escape == 8 ? c == 'u' : hex_digit(c) >= 0);
        return fits ? -1 : -2;
    }
    int low = hex_number(w->text + 8, 4);
    return low < 0xDC00 || low > 0xDFFF ? -2 : 0x10000 + ((long)(high - 0xD800) << 10) + (low - 0xDC00);
}

static void read_backslash(struct rb_redact_stream *s, struct rb_redact_way *w, unsigned char c, uint64_t at)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (!w->escape && c != '\\') {
        symbol(s, w, c, at, at);
        return;
    }
    if (!w->escape) {
        w->escape_at = at;
    }
    w->text[w->escape++] = c;
    if (w->escape == 1) {
        return;
    }
    if (w->text[1] != 'u') {
        const char *known = strchr(from, c);
        symbols_of(s, w, c && known ? (unsigned char)to[known - from] : c, at); /* a shell's \@ is @ */
        return;
    }
    long point = unicode_escape(w);
    if (point >= 0) {
        symbols_of(s, w, (unsigned)point, at);
    } else if (point == -2) {
        rb_redact_give_back(s, w);
    }
}

static void read_unwrapped(struct rb_redact_stream *s, struct rb_redact_way *w, unsigned char c, uint64_t at)
{
    if (c == '\n' || c == '\r') {
        if (++w->gap > GAP_MAX) {
            w->node = 0;
        }
        return;
    }
    w->gap = 0;
    symbol(s, w, c, at, at);
}

void rb_redact_read(struct rb_redact_stream *s, unsigned char c)
{
    if (s->len == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->held = realloc(s->held, s->cap);
        s->mark = realloc(s->mark, s->cap * sizeof *s->mark);
        RB_REQUIRE(s->held && s->mark);
    }
    uint64_t at = s->base + s->len;
    s->held[s->len] = c;
    s->mark[s->len++] = 0;
    symbol(s, &s->ways[PLAIN], c, at, at);
    read_unwrapped(s, &s->ways[UNWRAPPED], c, at);
    read_percent(s, &s->ways[PERCENT], c, at);
    read_backslash(s, &s->ways[BACKSLASH], c, at);
}
