/* The words of a shell call: what is executed, in which environment, and how it reads in a record. */
#ifndef RB_BINDINGS_SHELL_COMMAND_H
#define RB_BINDINGS_SHELL_COMMAND_H

#include "bind.h"

struct rb_shell_command {
    const char **argv; /* NULL-terminated, words borrowed from args */
    const char **env;  /* NULL = the host's own */
    char **made;       /* the strings that are ours: of env, and words that are not UTF-8 */
    size_t made_count;
    mode_t umask;
    struct rb_child_limits limits;
    struct rb_child_spec spec; /* of all the above; access, input and log are the caller's to add */
};

/* From { argv = {…} } or { sh = "…", args = {…} }, env, cwd, umask, limits, pty. 0 or RB_EUSAGE. args must outlive
 * out, and out stays where it is. */
int rb_shell_command_init(struct rb_shell_command *out, const json_t *args, struct rb_err *err);
void rb_shell_command_deinit(struct rb_shell_command *c);
/* The words as one would type them, quoted where needed. malloc'ed. */
char *rb_shell_command_text(const json_t *args);

#endif
