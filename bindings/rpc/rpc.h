/* The functions of the module net that are rpc's. */
#ifndef RB_BINDINGS_RPC_RPC_H
#define RB_BINDINGS_RPC_RPC_H

#include "binding.h"

int rb_rpc_ask(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_rpc_answer(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_rpc_batch(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_rpc_call(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_rpc_cancel(struct rb_call *call);

#endif
