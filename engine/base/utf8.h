/* Foreign bytes and the terminal. Everything that did not come from our own
 * binary passes rb_utf8_clean before it reaches a sink a person looks at. */
#ifndef RB_BASE_UTF8_H
#define RB_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

bool rb_utf8_valid(const char *s, size_t len);
/* Appends s with every control character (C0 but \n and \t, DEL, C1), invalid byte, bidi
 * control and zero-width character made visible as \xNN or <U+NNNN>. keep_lines false
 * shows \n too, as \n. */
int rb_utf8_clean(struct rb_buf *out, const char *s, size_t len, bool keep_lines);
/* Columns on a terminal; CJK = 2, combining = 0. Text must be clean. */
int rb_utf8_width(const char *s);
/* Appends s padded with spaces to at least width columns; cut to at most max columns (0 = no limit) with "...". */
int rb_utf8_pad(struct rb_buf *out, const char *s, int width, int max);
/* Optimal-string-alignment distance over code points, for "did you mean". */
int rb_utf8_distance(const char *a, const char *b);
/* The nearest of the count words, or NULL when none is near enough to be meant. */
const char *rb_utf8_nearest(const char *word, const char *const *words, size_t count);

#endif
