/* A growing byte buffer with a maximum. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rb_buf_init(struct rb_buf *b, size_t max)
{
    *b = (struct rb_buf){.max = max};
}

void rb_buf_deinit(struct rb_buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void rb_buf_clear(struct rb_buf *b)
{
    b->len = 0;
    if (b->data) {
        b->data[0] = '\0';
    }
}

/* Room for len more bytes and the NUL. */
static int reserve(struct rb_buf *b, size_t len)
{
    if (len > b->max || b->len > b->max - len) {
        return RB_ETOO_LARGE;
    }
    size_t need = b->len + len + 1;
    if (need <= b->cap) {
        return 0;
    }
    size_t cap = b->cap < 64 ? 64 : b->cap * 2;
    cap = cap < need ? need : cap;
    cap = cap > b->max ? b->max + 1 : cap;
    char *data = realloc(b->data, cap);
    if (!data) {
        return RB_EMEMORY;
    }
    b->data = data;
    b->cap = cap;
    return 0;
}

int rb_buf_add(struct rb_buf *b, const void *data, size_t len)
{
    int rc = reserve(b, len);
    if (rc) {
        return rc;
    }
    if (len) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int rb_buf_adds(struct rb_buf *b, const char *text)
{
    return rb_buf_add(b, text, strlen(text));
}

int rb_buf_addf(struct rb_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0) {
        return RB_EINTERNAL;
    }
    int rc = reserve(b, (size_t)len);
    if (rc) {
        return rc;
    }
    va_start(ap, fmt);
    (void)vsnprintf(b->data + b->len, (size_t)len + 1, fmt, ap); /* measured above */
    va_end(ap);
    b->len += (size_t)len;
    return 0;
}

void rb_buf_consume(struct rb_buf *b, size_t n)
{
    if (n >= b->len) {
        rb_buf_clear(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

const char *rb_buf_str(const struct rb_buf *b)
{
    return b->data ? b->data : "";
}

char *rb_buf_take(struct rb_buf *b)
{
    char *data = b->data ? b->data : rb_xcalloc(1, 1);
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}

void *rb_xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    RB_REQUIRE(p);
    return p;
}

char *rb_xstrdup(const char *s)
{
    char *copy = strdup(s);
    RB_REQUIRE(copy);
    return copy;
}
