/* The lines of a file, gzipped or not, one after the other. */
#ifndef RB_BINDINGS_FILE_LINES_H
#define RB_BINDINGS_FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RB_LINE_MAX (64u << 10) /* of one line; what is longer comes in pieces */

struct rb_lines;

/* Takes fd. from: where to begin in a file that is not gzipped. */
struct rb_lines *rb_lines_new(int fd, int64_t from, const char *name);
/* 1 and a line without its end, borrowed; 0 at the end; or a negative RB_E*. With last set, a line without an
 * end that is the file's last counts too. */
int rb_lines_next(struct rb_lines *l, const char **line, size_t *len, bool last, struct rb_err *err);
/* Behind the last line that was given. */
int64_t rb_lines_at(const struct rb_lines *l);
void rb_lines_free(struct rb_lines *l);

#endif
