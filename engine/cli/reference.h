/* The reference of blocks, verbs and commands, from the tables that the program itself uses. */
#ifndef RB_CLI_REFERENCE_H
#define RB_CLI_REFERENCE_H

#include "binding.h"
#include "cli/commands.h"
#include "runner/language.h"

const char *rb_effect_name(enum rb_effect effect);
/* markdown false: for a terminal. */
void rb_reference_block(struct rb_cli *c, const struct rb_block *block, bool markdown);
/* The verb "shell.read" or all of the module "shell"; false when there is neither. */
bool rb_reference_verbs(struct rb_cli *c, const char *name);

#endif
