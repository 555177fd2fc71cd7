#include "cli/wrap.h"

#include <string.h>

#include "base/utf8.h"

#define HANGING 2 /* a line that goes on is indented by this much more */
#define ROOM 20   /* … if this much is left */

/* Chinese text breaks between any two characters, but not before these … */
static const char *const closing[] = {"，", "。", "、", "；", "：", "！", "？", "）", "》", "”", "’", "】", "…"};
/* … and not behind these. */
static const char *const opening[] = {"（", "《", "“", "‘", "【"};

static size_t char_len(const char *s, size_t len)
{
    size_t n = 1;
    while (n < len && ((unsigned char)s[n] & 0xc0) == 0x80) {
        n++;
    }
    return n;
}

static int char_width(const char *s, size_t n)
{
    char one[8] = {0};
    memcpy(one, s, n < sizeof one ? n : sizeof one - 1);
    return rb_utf8_width(one);
}

static bool among(const char *const *list, size_t count, const char *s, size_t n)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(list[i]) == n && memcmp(list[i], s, n) == 0) {
            return true;
        }
    }
    return false;
}

/* May a line end between these two characters? */
static bool breaks(const char *s, size_t n, const char *after, size_t m)
{
    if (*s == ' ' || *after == ' ') {
        return true;
    }
    if (among(closing, sizeof closing / sizeof *closing, after, m) ||
        among(opening, sizeof opening / sizeof *opening, s, n)) {
        return false;
    }
    return char_width(s, n) == 2 || char_width(after, m) == 2;
}

/* Bytes of the next piece that stays together: spaces, or a word. Its columns in *width. */
static size_t piece(const char *s, size_t len, int *width)
{
    size_t at = char_len(s, len), before = 0;
    *width = char_width(s, at);
    while (at < len) {
        size_t n = char_len(s + at, len - at);
        bool spaces = s[before] == ' ' && s[at] == ' ';
        if (s[at] == '\n' || (!spaces && breaks(s + before, at - before, s + at, n))) {
            break;
        }
        *width += char_width(s + at, n);
        before = at;
        at += n;
    }
    return at;
}

static void new_line(struct rb_wrap *wrap, struct rb_buf *out, int indent)
{
    rb_buf_adds(out, "\n");
    for (int i = 0; i < indent; i++) {
        rb_buf_adds(out, " ");
    }
    wrap->at = indent;
}

static void add_gap(struct rb_wrap *wrap, struct rb_buf *out, int gap)
{
    for (int i = 0; i < gap; i++) {
        rb_buf_adds(out, " ");
    }
    wrap->at += gap;
    wrap->indent += wrap->text ? 0 : gap;
}

static void add_word(struct rb_wrap *wrap, struct rb_buf *out, const char *word, size_t len, int width)
{
    rb_buf_add(out, word, len);
    wrap->at += width;
    wrap->text = true;
}

/* In a narrow terminal half of it is room enough. */
static int hang(int indent, int columns)
{
    return indent < columns / 2 || indent + ROOM <= columns ? indent : 0;
}

void rb_wrap_add(struct rb_wrap *wrap, struct rb_buf *out, const char *text, size_t len, int columns)
{
    int gap = 0; /* spaces not written yet: they vanish where a line ends */
    for (size_t used; len > 0; text += used, len -= used) {
        int width;
        used = *text == '\n' ? 1 : piece(text, len, &width);
        if (*text == '\n') {
            rb_buf_adds(out, "\n");
            *wrap = (struct rb_wrap){0};
            gap = 0;
        } else if (*text == ' ') {
            gap = width;
        } else {
            int hanging = hang(wrap->indent + HANGING, columns);
            if (columns > 0 && wrap->text && wrap->at + gap + width > columns && wrap->at > hanging) {
                new_line(wrap, out, hanging);
            } else {
                add_gap(wrap, out, gap);
            }
            gap = 0;
            add_word(wrap, out, text, used, width);
        }
    }
    add_gap(wrap, out, gap);
}
