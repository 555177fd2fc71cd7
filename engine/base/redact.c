/* One Aho-Corasick automaton of all secrets, each in base64 and hex beside the plain one. */
#include "base/redact_private.h"

#include <stdlib.h>
#include <string.h>

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
        struct rb_redact_node *bigger = rb_xcalloc(r->cap * 2, sizeof *bigger);
        memcpy(bigger, r->nodes, r->cap * sizeof *bigger);
        explicit_bzero(r->nodes, r->cap * sizeof *bigger);
        free(r->nodes);
        r->nodes = bigger;
        r->cap *= 2;
    }
    uint32_t added = (uint32_t)r->count++;
    r->nodes[added] =
        (struct rb_redact_node){.byte = byte, .depth = r->nodes[parent].depth + 1, .sibling = r->nodes[parent].child};
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

uint32_t rb_redact_step(const struct rb_redact *r, uint32_t node, unsigned char byte)
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
            r->nodes[child].fail = rb_redact_step(r, r->nodes[at].fail, r->nodes[child].byte);
            queue[tail++] = child;
        }
        const struct rb_redact_node *suffix = &r->nodes[r->nodes[at].fail];
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
