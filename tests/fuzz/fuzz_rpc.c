/* What a JSON-RPC peer may send: a stream of values, each taken as an answer to three calls. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rb_rpc_batch batch;
    struct rb_err err = {0};
    size_t at = 0;
    long end = 0;
    rb_rpc_batch_init(&batch, 1, 3);
    while ((end = rb_rpc_value_end((const char *)data + at, len - at)) > 0) {
        if ((size_t)end > len - at || rb_rpc_take(&batch, (const char *)data + at, (size_t)end, &err) < 0) {
            break;
        }
        at += (size_t)end;
    }
    if (batch.missing > batch.count || json_array_size(batch.answers) != batch.count) {
        abort();
    }
    rb_rpc_batch_deinit(&batch);
    return 0;
}
