/* shell.start: a command that stays when its call is over. */
#ifndef RB_BINDINGS_SHELL_START_H
#define RB_BINDINGS_SHELL_START_H

#include "binding.h"

int rb_shell_start(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_shell_start_cancel(struct rb_call *call);

#endif
