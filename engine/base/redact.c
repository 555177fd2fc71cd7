/* One Aho-Corasick automaton of all secrets in base64 and hex beside the plain ones; several readings of the same
 * bytes go through it side by side: as they are, without line ends (wrapped base64), with %XX undone, and with
 * backslashes undone (JSON, shells). A reading that meets the end of a secret marks the bytes it was read from. */
#include "base/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

#define GAP_MAX 2 /* line ends inside of wrapped base64: "\r\n" */
#define FLUSH_AT 65536

/* ---- the automaton ---- */

struct node {
    uint32_t child, sibling; /* index of the first child, of the next one; 0 = none */
    uint32_t fail;           /* the longest suffix that is in the tree too */
    uint32_t depth;
    uint32_t match;          /* the longest secret that ends here: its length; 0 = none */
    uint16_t name;           /* of that */
    unsigned char byte;
};

struct rb_redact {
    struct node *nodes; /* 0 is the root */
    size_t count, cap;
    uint32_t first[256]; /* children of the root */
    char **names;
    size_t name_count;
    size_t longest;
    struct rb_redact_stream *whole; /* for whole texts, used again and again */
};

struct rb_redact *rb_redact_new(void)
{
    struct rb_redact *r = rb_xcalloc(1, sizeof *r);
    r->cap = 64;
    r->nodes = rb_xcalloc(r->cap, sizeof *r->nodes);
    r->count = 1;
    return r;
}

void rb_redact_free(struct rb_redact *r)
{
    if (!r) {
        return;
    }
    explicit_bzero(r->nodes, r->cap * sizeof *r->nodes); /* the tree spells the secrets */
    free(r->nodes);
    for (size_t i = 0; i < r->name_count; i++) {
        free(r->names[i]);
    }
    free(r->names);
    rb_redact_close(r->whole);
    free(r);
}

bool rb_redact_idle(const struct rb_redact *r)
{
    return r->count == 1;
}

static uint32_t child_of(const struct rb_redact *r, uint32_t node, unsigned char byte)
{
    if (node == 0) {
        return r->first[byte];
    }
    uint32_t at = r->nodes[node].child;
    while (at && r->nodes[at].byte != byte) {
        at = r->nodes[at].sibling;
    }
    return at;
}

static uint32_t add_node(struct rb_redact *r, uint32_t parent, unsigned char byte)
{
    if (r->count == r->cap) {
        struct node *bigger = rb_xcalloc(r->cap * 2, sizeof *bigger);
        memcpy(bigger, r->nodes, r->cap * sizeof *bigger);
        explicit_bzero(r->nodes, r->cap * sizeof *bigger);
        free(r->nodes);
        r->nodes = bigger;
        r->cap *= 2;
    }
    uint32_t added = (uint32_t)r->count++;
    r->nodes[added] = (struct node){.byte = byte, .depth = r->nodes[parent].depth + 1, .sibling = r->nodes[parent].child};
    if (parent == 0) {
        r->first[byte] = added;
        r->nodes[added].sibling = 0;
    } else {
        r->nodes[parent].child = added;
    }
    return added;
}

static void add_pattern(struct rb_redact *r, const char *text, size_t len, size_t least, uint16_t name)
{
    uint32_t at = 0;
    if (len < least) {
        return;
    }
    for (size_t i = 0; i < len; i++) {
        uint32_t next = child_of(r, at, (unsigned char)text[i]);
        at = next ? next : add_node(r, at, (unsigned char)text[i]);
    }
    if (!r->nodes[at].match || r->nodes[at].match < len) {
        r->nodes[at].name = name;
    }
    r->nodes[at].match = (uint32_t)len;
    r->longest = len > r->longest ? len : r->longest;
}

static uint32_t step(const struct rb_redact *r, uint32_t node, unsigned char byte)
{
    for (;;) {
        uint32_t next = child_of(r, node, byte);
        if (next || node == 0) {
            return next;
        }
        node = r->nodes[node].fail;
    }
}

/* Breadth first, so that the shorter suffixes are ready. */
static void link_nodes(struct rb_redact *r)
{
    uint32_t *queue = rb_xcalloc(r->count, sizeof *queue);
    size_t head = 0, tail = 0;
    for (size_t i = 0; i < 256; i++) {
        if (r->first[i]) {
            r->nodes[r->first[i]].fail = 0;
            queue[tail++] = r->first[i];
        }
    }
    while (head < tail) {
        uint32_t at = queue[head++];
        for (uint32_t child = r->nodes[at].child; child; child = r->nodes[child].sibling) {
            r->nodes[child].fail = step(r, r->nodes[at].fail, r->nodes[child].byte);
            queue[tail++] = child;
        }
        const struct node *suffix = &r->nodes[r->nodes[at].fail];
        if (r->nodes[at].match < r->nodes[at].depth && suffix->match > r->nodes[at].match) {
            r->nodes[at].match = suffix->match;
            r->nodes[at].name = suffix->name;
        }
    }
    free(queue);
}

/* ---- the forms of a secret ---- */

/* Only the characters that depend on the secret alone: offset bytes of something else stand before it in its group. */
static void add_base64(struct rb_redact *r, const char *value, size_t len, bool url, uint16_t name)
{
    static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *alphabet = url ? safe : standard;
    char *text = rb_xcalloc(len * 2 + 8, 1);
    for (size_t offset = 0; offset < 3; offset++) {
        size_t begin = (offset * 8 + 5) / 6, end = (offset + len) * 8 / 6;
        for (size_t i = begin; i < end; i++) {
            unsigned bits = 0;
            for (size_t bit = i * 6; bit < i * 6 + 6; bit++) {
                size_t at = bit - offset * 8;
                bits = bits << 1 | ((unsigned char)value[at / 8] >> (7 - at % 8) & 1);
            }
            text[i - begin] = alphabet[bits];
        }
        add_pattern(r, text, end > begin ? end - begin : 0, RB_REDACT_SHORT, name);
    }
    explicit_bzero(text, len * 2 + 8);
    free(text);
}

static void add_hex(struct rb_redact *r, const char *value, size_t len, const char *digits, uint16_t name)
{
    char *text = rb_xcalloc(len * 2 + 1, 1);
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[(unsigned char)value[i] >> 4];
        text[2 * i + 1] = digits[(unsigned char)value[i] & 15];
    }
    add_pattern(r, text, len * 2, RB_REDACT_SHORT, name);
    explicit_bzero(text, len * 2);
    free(text);
}

/* A shell's 'it'\''s'. */
static void add_quoted(struct rb_redact *r, const char *value, size_t len, uint16_t name)
{
    struct rb_buf text;
    rb_buf_init(&text, len * 4 + 1);
    for (size_t i = 0; i < len; i++) {
        (void)(value[i] == '\'' ? rb_buf_adds(&text, "'\\''") : rb_buf_add(&text, &value[i], 1)); /* it fits */
    }
    add_pattern(r, rb_buf_str(&text), text.len, RB_REDACT_SHORT, name);
    rb_buf_deinit(&text);
}

/* A key of many lines may be shown line by line. */
static void add_lines(struct rb_redact *r, const char *value, size_t len, uint16_t name)
{
    for (const char *line = value, *end = value + len; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((stop ? stop : end) - line);
        if (size < len && size && line[size - 1] == '\r') {
            size--;
        }
        add_pattern(r, line, size, 2 * RB_REDACT_SHORT, name);
        line = stop ? stop + 1 : end;
    }
}

void rb_redact_add(struct rb_redact *r, const char *name, const char *value, size_t len)
{
    char **names = rb_xcalloc(r->name_count + 1, sizeof *names);
    uint16_t number = (uint16_t)(r->name_count + 1);
    if (len < RB_REDACT_LEAST || number == 0) {
        free(names);
        return;
    }
    for (size_t i = 0; i < r->name_count; i++) {
        names[i] = r->names[i];
    }
    names[r->name_count++] = rb_xstrdup(name);
    free(r->names);
    r->names = names;
    add_pattern(r, value, len, RB_REDACT_LEAST, number);
    add_base64(r, value, len, false, number);
    add_base64(r, value, len, true, number);
    add_hex(r, value, len, "0123456789abcdef", number);
    add_hex(r, value, len, "0123456789ABCDEF", number);
    if (memchr(value, '\'', len)) {
        add_quoted(r, value, len, number);
    }
    if (memchr(value, '\n', len)) {
        add_lines(r, value, len, number);
    }
    link_nodes(r);
}

/* ---- readings ---- */

enum reading { PLAIN, UNWRAPPED, PERCENT, BACKSLASH, READINGS };

struct way {
    uint32_t node;
    uint64_t *from;   /* where each of the last symbols began, as many as the longest secret has */
    size_t next;      /* symbols read so far */
    size_t gap;       /* UNWRAPPED: line ends since the last symbol */
    size_t escape;    /* PERCENT, BACKSLASH: bytes of an escape that is not complete */
    uint64_t escape_at;
    unsigned char text[12];
};

struct rb_redact_stream {
    const struct rb_redact *r;
    struct way ways[READINGS];
    unsigned char *held;
    uint16_t *mark; /* the secret a held byte belongs to, 0 = none */
    size_t len, cap;
    uint64_t base;  /* bytes before held[0] */
    size_t ring;    /* of from */
    uint16_t shown; /* the secret whose name was the last thing written */
};

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

/* A secret that is longer than all before may have come since the last chunk. */
static void fit_rings(struct rb_redact_stream *s)
{
    size_t wanted = s->r->longest + 1;
    if (s->ring >= wanted) {
        return;
    }
    for (int i = 0; i < READINGS; i++) {
        struct way *w = &s->ways[i];
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
static void symbol(struct rb_redact_stream *s, struct way *w, unsigned char byte, uint64_t at, uint64_t last)
{
    w->from[w->next++ % s->ring] = at;
    w->node = step(s->r, w->node, byte);
    const struct node *node = &s->r->nodes[w->node];
    if (node->match) {
        for (uint64_t i = w->from[(w->next - node->match) % s->ring]; i <= last; i++) {
            s->mark[i - s->base] = node->name;
        }
    }
}

static int hex_digit(unsigned char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
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
static void give_back(struct rb_redact_stream *s, struct way *w)
{
    size_t count = w->escape;
    w->escape = 0;
    for (size_t i = 0; i < count; i++) {
        symbol(s, w, w->text[i], w->escape_at + i, w->escape_at + i);
    }
}

static void read_percent(struct rb_redact_stream *s, struct way *w, unsigned char c, uint64_t at)
{
    if (w->escape && hex_digit(c) < 0) {
        give_back(s, w);
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
static void symbols_of(struct rb_redact_stream *s, struct way *w, unsigned point, uint64_t at)
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
static long unicode_escape(const struct way *w)
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

static void read_backslash(struct rb_redact_stream *s, struct way *w, unsigned char c, uint64_t at)
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
        give_back(s, w);
    }
}

static void read_unwrapped(struct rb_redact_stream *s, struct way *w, unsigned char c, uint64_t at)
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

static void read_byte(struct rb_redact_stream *s, unsigned char c)
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

/* ---- writing ---- */

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
        const struct way *w = &s->ways[i];
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
    fit_rings(s);
    for (size_t i = 0; i < len && !rc;) {
        if (is_idle(s)) {
            size_t plain = plain_bytes(s->r, data + i, len - i);
            rc = pass(s, data + i, plain, out);
            i += plain;
        }
        for (bool busy = true; i < len && busy; busy = s->len < FLUSH_AT && settled(s) < s->len) {
            read_byte(s, (unsigned char)data[i++]);
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
        struct way *w = &s->ways[i];
        if (w->escape) {
            give_back(s, w);
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

/* ---- whole values ---- */

int rb_redact_text(struct rb_redact *r, const char *text, size_t len, bool cut, struct rb_buf *out)
{
    r->whole = r->whole ? r->whole : rb_redact_open(r);
    int rc = rb_redact_feed(r->whole, text, len, out);
    int end = rb_redact_end(r->whole, cut, out);
    return rc ? rc : end;
}

/* The cleaned bytes, or NULL when they are clean. */
static char *cleaned(struct rb_redact *r, const char *text, size_t len, size_t *size)
{
    struct rb_buf out;
    rb_buf_init(&out, len * 40 + 256); /* a name in the place of four bytes */
    int rc = rb_redact_text(r, text, len, false, &out);
    RB_REQUIRE(rc == 0);
    *size = out.len;
    if (out.len == len && (!len || memcmp(out.data, text, len) == 0)) {
        rb_buf_deinit(&out);
        return NULL;
    }
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

static json_t *clean_bytes(struct rb_redact *r, const json_t *value)
{
    struct rb_buf bytes;
    size_t size;
    rb_buf_init(&bytes, (size_t)64 << 20);
    char *clean = rb_json_bytes_get(value, &bytes) ? NULL : cleaned(r, rb_buf_str(&bytes), bytes.len, &size);
    json_t *out = clean ? rb_json_bytes(clean, size) : json_incref((json_t *)value);
    free(clean);
    rb_buf_deinit(&bytes);
    return out;
}

static json_t *clean_number(struct rb_redact *r, const json_t *value)
{
    size_t size;
    char *text = json_dumps(value, JSON_ENCODE_ANY), *clean = text ? cleaned(r, text, strlen(text), &size) : NULL;
    bool whole = clean && (unsigned char)clean[0] >= 0x80 && (unsigned char)clean[size - 1] >= 0x80; /* no digit is left */
    json_t *out = whole ? rb_json_bytes(clean, size) : json_incref((json_t *)value);
    free(clean);
    free(text);
    return out;
}

static json_t *clean_object(struct rb_redact *r, const json_t *object)
{
    const char *key;
    json_t *item, *copy = json_object();
    bool changed = false;
    json_object_foreach((json_t *)object, key, item)
    {
        size_t size;
        json_t *value = rb_redact_json(r, item);
        char *name = cleaned(r, key, strlen(key), &size);
        changed = changed || name || value != item;
        json_object_set_new_nocheck(copy, name ? name : key, value);
        free(name);
    }
    json_t *out = changed ? copy : json_incref((json_t *)object);
    if (!changed) {
        json_decref(copy);
    }
    return out;
}

static json_t *clean_array(struct rb_redact *r, const json_t *array)
{
    size_t i;
    json_t *item, *copy = json_array();
    bool changed = false;
    json_array_foreach((json_t *)array, i, item)
    {
        json_t *value = rb_redact_json(r, item);
        changed = changed || value != item;
        json_array_append_new(copy, value);
    }
    json_t *out = changed ? copy : json_incref((json_t *)array);
    if (!changed) {
        json_decref(copy);
    }
    return out;
}

json_t *rb_redact_json(struct rb_redact *r, const json_t *value)
{
    if (json_is_string(value) || (json_object_size(value) == 1 && json_object_get(value, "$b64"))) {
        return clean_bytes(r, value);
    }
    if (json_is_object(value)) {
        return clean_object(r, value);
    }
    if (json_is_array(value)) {
        return clean_array(r, value);
    }
    return json_is_number(value) ? clean_number(r, value) : json_incref((json_t *)value);
}
