/* Listening sockets and who has them: system.listeners. */
#ifndef RB_BINDINGS_SOCKETS_H
#define RB_BINDINGS_SOCKETS_H

#include "bind.h"

json_t *rb_sockets_listeners(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
