/* Chunks of any size: what may still become a part of a secret is held back, what cannot is written. */
#include "base/redact_private.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH_AT 65536

struct rb_redact_stream *rb_redact_open(const struct rb_redact *r)
{
    struct rb_redact_stream *s = rb_xcalloc(1, sizeof *s);
    s->r = r;
    return s;
}

void rb_redact_close(struct rb_redact_stream *s)
{
    if (!s) {
        return;
    }
    for (int i = 0; i < READINGS; i++) {
        free(s->ways[i].from);
    }
    free(s->held);
    free(s->mark);
    free(s);
}

/* How long the beginning of a secret is that still may go on: a whole one goes on only as a part of another. */
static uint32_t begun(const struct rb_redact *r, uint32_t node)
{
    while (node && !r->nodes[node].child) {
        node = r->nodes[node].fail;
    }
    return r->nodes[node].depth;
}

/* The bytes before this one cannot become part of a secret any more. */
static size_t settled(const struct rb_redact_stream *s)
{
    uint64_t least = s->base + s->len;
    for (int i = 0; i < READINGS; i++) {
        const struct rb_redact_way *w = &s->ways[i];
        uint32_t depth = begun(s->r, w->node);
        uint64_t from = depth ? w->from[(w->next - depth) % s->ring] : least;
        from = w->escape && w->escape_at < from ? w->escape_at : from;
        least = from < least ? from : least;
    }
    return (size_t)(least - s->base);
}

static int write_held(struct rb_redact_stream *s, size_t count, struct rb_buf *out)
{
    int rc = 0;
    for (size_t i = 0; i < count && !rc;) {
        size_t end = i;
        while (end < count && s->mark[end] == s->mark[i]) {
            end++;
        }
        if (!s->mark[i]) {
            rc = rb_buf_add(out, s->held + i, end - i);
        } else if (s->mark[i] != s->shown) {
            rc = rb_buf_addf(out, "‹secret %s›", s->r->names[s->mark[i] - 1]);
        }
        s->shown = s->mark[i];
        i = end;
    }
    if (count) {
        memmove(s->held, s->held + count, s->len - count);
        memmove(s->mark, s->mark + count, (s->len - count) * sizeof *s->mark);
    }
    s->len -= count;
    s->base += count;
    return rc;
}

static bool is_idle(const struct rb_redact_stream *s)
{
    for (int i = 0; i < READINGS; i++) {
        if (s->ways[i].node || s->ways[i].escape) {
            return false;
        }
    }
    return s->len == 0;
}

/* How many bytes at the beginning no reading has anything to do with. */
static size_t plain_bytes(const struct rb_redact *r, const char *data, size_t len)
{
    size_t i = 0;
    while (i < len) {
        unsigned char c = (unsigned char)data[i];
        if (r->first[c] || c == '%' || c == '\\' || c == '+') {
            break;
        }
        i++;
    }
    return i;
}

static int pass(struct rb_redact_stream *s, const char *data, size_t len, struct rb_buf *out)
{
    s->base += len;
    s->shown = len ? 0 : s->shown;
    return rb_buf_add(out, data, len);
}

int rb_redact_feed(struct rb_redact_stream *s, const char *data, size_t len, struct rb_buf *out)
{
    int rc = 0;
    rb_redact_fit(s);
    for (size_t i = 0; i < len && !rc;) {
        if (is_idle(s)) {
            size_t plain = plain_bytes(s->r, data + i, len - i);
            rc = pass(s, data + i, plain, out);
            i += plain;
        }
        for (bool busy = true; i < len && busy; busy = s->len < FLUSH_AT && settled(s) < s->len) {
            rb_redact_read(s, (unsigned char)data[i++]);
        }
        rc = rc ? rc : write_held(s, settled(s), out);
    }
    return rc;
}

/* The secret a half-read one would have become: any below the node. */
static uint16_t name_below(const struct rb_redact *r, uint32_t node)
{
    while (!r->nodes[node].match && r->nodes[node].child) {
        node = r->nodes[node].child;
    }
    return r->nodes[node].name;
}

int rb_redact_end(struct rb_redact_stream *s, bool cut, struct rb_buf *out)
{
    for (int i = 0; i < READINGS; i++) {
        struct rb_redact_way *w = &s->ways[i];
        if (w->escape) {
            rb_redact_give_back(s, w);
        }
        uint32_t depth = begun(s->r, w->node);
        for (size_t k = 0; cut && depth >= RB_REDACT_SHORT && k < s->len; k++) {
            if (s->base + k >= w->from[(w->next - depth) % s->ring]) {
                s->mark[k] = name_below(s->r, w->node);
            }
        }
        w->node = 0;
    }
    int rc = write_held(s, s->len, out);
    s->shown = 0;
    return rc;
}

int rb_redact_text(struct rb_redact *r, const char *text, size_t len, bool cut, struct rb_buf *out)
{
    r->whole = r->whole ? r->whole : rb_redact_open(r);
    int rc = rb_redact_feed(r->whole, text, len, out);
    int end = rb_redact_end(r->whole, cut, out);
    return rc ? rc : end;
}
