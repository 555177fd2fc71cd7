/* Bytes of what sits on pm2's socket. */
#include <stdint.h>

#include "pm2/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *answer = NULL;
    if (rb_pm2_message((const char *)data, size, &answer, NULL) > 0) {
        json_decref(rb_pm2_processes(answer, NULL));
        json_decref(answer);
    }
    return 0;
}
