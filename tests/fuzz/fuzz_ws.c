/* The head of an answer to the opening of a WebSocket. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ws/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rb_ws_opening opening;
    struct rb_err err = {0};
    char *head = calloc(1, len + 1);
    json_t *protocols = json_pack("[s]", "v1");
    memcpy(head, data, len);
    if (rb_ws_opening(&opening, head, len, &err) == 0) {
        char accept[32];
        rb_ws_accept("dGhlIHNhbXBsZSBub25jZQ==", accept);
        if (rb_ws_agreed(&opening, "dGhlIHNhbXBsZSBub25jZQ==", protocols, &err) == 0 &&
            !memmem(data, len, accept, strlen(accept))) {
            abort();
        }
    }
    rb_ws_opening_deinit(&opening);
    json_decref(protocols);
    free(head);
    return 0;
}
