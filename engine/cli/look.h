/* How things look and in which language, from options, environment and the two streams. */
#ifndef RB_CLI_LOOK_H
#define RB_CLI_LOOK_H

#include "cli/cli.h"

/* Before the line is parsed, so that its errors are in the right language too. */
void rb_look_language(int argc, char **argv);
/* Format, marks, colours, and whether anybody can be asked. */
void rb_look_apply(struct rb_cli *c);

#endif
