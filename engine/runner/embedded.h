/* The Lua files of stdlib/, generated at build time (cmake/embed.cmake). */
#ifndef RB_RUNNER_EMBEDDED_H
#define RB_RUNNER_EMBEDDED_H

#include <stddef.h>

struct rb_embedded {
    const char *name; /* "conductor", "generic/db_locks": what require takes */
    const char *text;
    size_t size;
    const char *code; /* the same as bytecode of this program's own Lua */
    size_t code_size;
};

extern const struct rb_embedded rb_embedded[]; /* ends with a NULL name */

#endif
