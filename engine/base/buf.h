/* A growing byte buffer with a maximum. Always NUL-terminated after the first
 * append, so text may be read with .data. Past the maximum nothing is stored
 * and the append fails with RB_ETOO_LARGE. */
#ifndef RB_BASE_BUF_H
#define RB_BASE_BUF_H

#include <stddef.h>

#include "base/err.h"

struct rb_buf {
    char *data; /* NULL while empty */
    size_t len, cap, max;
};

void rb_buf_init(struct rb_buf *b, size_t max);
void rb_buf_deinit(struct rb_buf *b);
void rb_buf_clear(struct rb_buf *b);
int rb_buf_add(struct rb_buf *b, const void *data, size_t len);
int rb_buf_adds(struct rb_buf *b, const char *text);
int rb_buf_addf(struct rb_buf *b, const char *fmt, ...) RB_PRINTF(2, 3);
/* Removes the first n bytes. */
void rb_buf_consume(struct rb_buf *b, size_t n);
/* The text so far, "" when empty. Borrowed until the next change. */
const char *rb_buf_str(const struct rb_buf *b);
/* Gives the malloc'ed text away and leaves the buffer empty. */
char *rb_buf_take(struct rb_buf *b);

/* Abort on failure: for fixed-size engine structures, after whose loss nothing sane can follow. */
void *rb_xcalloc(size_t n, size_t size);
char *rb_xstrdup(const char *s);

#endif
