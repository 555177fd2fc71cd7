#include "shell/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "bind.h"

static void add_tail(struct rb_shell_output *o, const char *data, size_t len)
{
    if (len > RB_SHELL_HALF) {
        data += len - RB_SHELL_HALF;
        len = RB_SHELL_HALF;
    }
    while (len > 0) {
        size_t n = RB_SHELL_HALF - o->tail_at < len ? RB_SHELL_HALF - o->tail_at : len;
        memcpy(o->tail + o->tail_at, data, n);
        o->tail_at = (o->tail_at + n) % RB_SHELL_HALF;
        data += n;
        len -= n;
    }
}

void rb_shell_output_add(struct rb_shell_output *o, const char *data, size_t len)
{
    size_t n = RB_SHELL_HALF - o->head_len < len ? RB_SHELL_HALF - o->head_len : len;

    o->total += len;
    if (!o->head) {
        o->head = rb_xcalloc(1, RB_SHELL_HALF);
    }
    memcpy(o->head + o->head_len, data, n);
    o->head_len += n;
    if (n < len) {
        if (!o->tail) {
            o->tail = rb_xcalloc(1, RB_SHELL_HALF);
        }
        add_tail(o, data + n, len - n);
    }
}

int rb_shell_output_cut(const struct rb_shell_output *o)
{
    return o->total > 2ull * RB_SHELL_HALF;
}

/* The end of the stream in order; starts inside the ring once it is full. */
static void append_tail(const struct rb_shell_output *o, struct rb_buf *out)
{
    unsigned long long past = o->total - o->head_len;

    if (past >= RB_SHELL_HALF) {
        (void)rb_buf_add(out, o->tail + o->tail_at, RB_SHELL_HALF - o->tail_at);
    }
    if (past > 0) {
        (void)rb_buf_add(out, o->tail, o->tail_at);
    }
}

/* A cut goes between characters, or the whole text would no longer be UTF-8. */
static void append_cut(const struct rb_shell_output *o, struct rb_buf *out)
{
    struct rb_buf tail;
    size_t skip = 0, head = rb_bind_whole_chars(o->head, o->head_len);

    rb_buf_init(&tail, RB_SHELL_HALF + 1);
    append_tail(o, &tail);
    while (skip < 3 && skip < tail.len && ((unsigned char)tail.data[skip] & 0xC0) == 0x80) {
        skip++;
    }
    if (!rb_utf8_valid(o->head, head) || !rb_utf8_valid(tail.data + skip, tail.len - skip)) {
        head = o->head_len;
        skip = 0;
    }
    (void)rb_buf_add(out, o->head, head);
    (void)rb_buf_addf(out, rb_text(RB_T_bindings_shell_cut), (long long)(o->total - head - (tail.len - skip)));
    (void)rb_buf_add(out, tail.data + skip, tail.len - skip);
    rb_buf_deinit(&tail);
}

json_t *rb_shell_output_json(const struct rb_shell_output *o)
{
    struct rb_buf whole;
    json_t *out;

    rb_buf_init(&whole, 2 * RB_SHELL_HALF + 256);
    if (rb_shell_output_cut(o)) {
        append_cut(o, &whole);
    } else if (o->head) {
        (void)rb_buf_add(&whole, o->head, o->head_len);
        append_tail(o, &whole);
    }
    out = rb_json_bytes(rb_buf_str(&whole), whole.len);
    rb_buf_deinit(&whole);
    return out;
}

void rb_shell_output_last(const struct rb_shell_output *o, char *out, size_t size)
{
    struct rb_buf whole, clean;
    size_t len, from;

    rb_buf_init(&whole, RB_SHELL_HALF + 1);
    rb_buf_init(&clean, 4 * size);
    if (o->tail) {
        append_tail(o, &whole);
    } else if (o->head) {
        (void)rb_buf_add(&whole, o->head, o->head_len);
    }
    len = whole.len;
    while (len > 0 && whole.data[len - 1] == '\n') {
        len--;
    }
    from = len > size / 2 ? len - size / 2 : 0;
    while (from > 0 && from < len && ((unsigned char)whole.data[from] & 0xC0) == 0x80) {
        from++;
    }
    (void)rb_utf8_clean(&clean, rb_buf_str(&whole) + from, len - from, true);
    (void)snprintf(out, size, "%s", rb_buf_str(&clean));
    out[rb_bind_whole_chars(out, strlen(out))] = '\0';
    rb_buf_deinit(&clean);
    rb_buf_deinit(&whole);
}

void rb_shell_output_deinit(struct rb_shell_output *o)
{
    free(o->head);
    free(o->tail);
    memset(o, 0, sizeof *o);
}
