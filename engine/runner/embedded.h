/* The Lua files of stdlib/, generated at build time (cmake/embed.cmake). */
#ifndef RB_RUNNER_EMBEDDED_H
#define RB_RUNNER_EMBEDDED_H

#include <stddef.h>

struct rb_embedded {
    const char *name; /* "conductor", "generic/db_locks": what require takes */
    const char *text;
    size_t size;
};

extern const struct rb_embedded rb_embedded[]; /* ends with a NULL name */

#endif
