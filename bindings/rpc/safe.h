/* Methods that only read. */
#ifndef RB_BINDINGS_RPC_SAFE_H
#define RB_BINDINGS_RPC_SAFE_H

#include "base/json.h"

/* calls: [["method", …], …]; connection.safe adds to the list. RB_EFORBIDDEN with a hint. */
int rb_rpc_check_safe(const json_t *calls, const json_t *connection, struct rb_err *err);

#endif
