/* The functions of the module net that are notify's. */
#ifndef RB_BINDINGS_NOTIFY_NOTIFY_H
#define RB_BINDINGS_NOTIFY_NOTIFY_H

#include "binding.h"

int rb_notify_send(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_notify_cancel(struct rb_call *call);
int rb_notify_preview(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_notify_preview_cancel(struct rb_call *call);

#endif
