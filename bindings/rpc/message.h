/* JSON-RPC 2.0, the messages: pure. Ids are ours and never used twice; an answer must be to one of them. */
#ifndef RB_BINDINGS_RPC_MESSAGE_H
#define RB_BINDINGS_RPC_MESSAGE_H

#include "base/json.h"

#define RB_RPC_CALLS_MAX 1000

struct rb_rpc_batch {
    json_int_t first_id;
    size_t count, missing;
    json_t *answers; /* in the order of the calls: {"result": …} or {"error": {code, message, data?}}, else null */
};

/* calls: [["method", param, …], …]; one call and no batch is a single object. RB_EUSAGE. */
int rb_rpc_request(struct rb_buf *out, const json_t *calls, json_int_t first_id, bool batch, struct rb_err *err);

void rb_rpc_batch_init(struct rb_rpc_batch *batch, json_int_t first_id, size_t count);
void rb_rpc_batch_deinit(struct rb_rpc_batch *batch);
/* One whole JSON value of an answer. Notifications are left out. RB_EPROTOCOL for what is no answer, an answer nobody
 * asked for, or a second one. */
int rb_rpc_take(struct rb_rpc_batch *batch, const char *text, size_t len, struct rb_err *err);

/* Where does the first value of a stream of objects and arrays end? 0: not yet. RB_EPROTOCOL: it cannot be JSON. */
long rb_rpc_value_end(const char *data, size_t len);

#endif
