/* Bytes from a runner that may be hostile: framing, JSON, $b64. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(json_t *value)
{
    struct rb_err err = {0};
    struct rb_buf wire, bytes;
    json_t *again = NULL;

    rb_buf_init(&wire, RB_FRAME_MAX + 4);
    rb_buf_init(&bytes, RB_FRAME_MAX);
    (void)rb_json_bytes_get(json_object_get(value, "data"), &bytes);
    if (rb_frame_encode(&wire, value, &err) == 0) {
        if (rb_frame_decode(&wire, &again, &err) != 1 || !json_equal(value, again)) {
            abort();
        }
        json_decref(again);
    }
    rb_buf_deinit(&bytes);
    rb_buf_deinit(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_err err = {0};
    struct rb_buf in;
    json_t *value = NULL;

    rb_buf_init(&in, RB_FRAME_MAX + 4);
    (void)rb_buf_add(&in, data, size);
    while (rb_frame_decode(&in, &value, &err) == 1) {
        round_trip(value);
        json_decref(value);
        value = NULL;
    }
    rb_buf_deinit(&in);
    return 0;
}
