/* Lines of a terminal: text that is too wide goes on in the next line, below its own beginning, and never
 * breaks inside a word. Fed in pieces; the state is where the line stands. */
#ifndef RB_CLI_WRAP_H
#define RB_CLI_WRAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct rb_wrap {
    int at;     /* columns used in this line */
    int indent; /* of the line, once something but spaces came */
    bool text;  /* … it came */
};

/* Appends text, clean UTF-8, with line ends where columns are over. columns 0: as it is, but counted. */
void rb_wrap_add(struct rb_wrap *wrap, struct rb_buf *out, const char *text, size_t len, int columns);

#endif
