/* Asks pm2's daemon on its socket. `pm2 jlist` would start a daemon where none runs, and print every secret
 * that is in a process's environment. */
#ifndef RB_BINDINGS_PM2_ASK_H
#define RB_BINDINGS_PM2_ASK_H

#include "binding.h"

int rb_pm2_list(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_pm2_cancel(struct rb_call *call);

#endif
