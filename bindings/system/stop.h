/* Ending and signalling processes by identity: pidfd and start time, never by pid alone. */
#ifndef RB_BINDINGS_STOP_H
#define RB_BINDINGS_STOP_H

#include "bind.h"

json_t *rb_stop(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_stop_signal(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
