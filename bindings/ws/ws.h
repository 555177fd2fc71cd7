/* The functions of the module net that are ws's. */
#ifndef RB_BINDINGS_WS_WS_H
#define RB_BINDINGS_WS_WS_H

#include "binding.h"

int rb_ws_verb_read(struct rb_call *call, const json_t *args, struct rb_err *err); /* probe too */
int rb_ws_verb_send(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_ws_verb_cancel(struct rb_call *call);

#endif
