/* The commands that may talk to a UNIX socket though they may only read. A socket is a way to write (D-Bus,
 * docker.sock), so it is given to a command whose every word is known, in a program that only root can change. */
#ifndef RB_PROCESS_SHAPE_H
#define RB_PROCESS_SHAPE_H

#include <stdbool.h>

#define RB_SHAPE_SOCKETS 2

struct rb_shape {
    const char *program;                       /* executed instead of argv[0], which only names it */
    const char *sockets[RB_SHAPE_SOCKETS + 1]; /* paths it may connect to; NULL-terminated */
};

/* What the words ask for by the table alone, or NULL. Borrowed for ever. */
const struct rb_shape *rb_shape_of(const char *const *argv);
/* Is it a file that only root can change or replace, and its folders too? */
bool rb_shape_is_trusted(const char *program);
/* The environment it gets, whatever ours is: no LD_PRELOAD, no pager. NULL-terminated. */
extern const char *const rb_shape_env[];

#endif
