/* The verbs of net: looking at names, ports and certificates. */
#ifndef RB_BINDINGS_NET_LOOK_H
#define RB_BINDINGS_NET_LOOK_H

#include "binding.h"

int rb_net_resolve(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_net_resolve_cancel(struct rb_call *call);
int rb_net_tcp(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_net_certificate(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_net_look_cancel(struct rb_call *call);

#endif
