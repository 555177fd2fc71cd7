/* Foreign bytes on their way to a terminal: what comes out is valid, and has no control character left. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
            abort();
        }
        /* C1 controls are C2 80 to C2 9F. */
        if (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0) {
            abort();
        }
    }
    if (!rb_utf8_valid(text, len)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_buf clean, padded;

    rb_buf_init(&clean, 1 << 20);
    rb_buf_init(&padded, 1 << 20);
    if (rb_utf8_clean(&clean, (const char *)data, size, size % 2) == 0) {
        require_clean(rb_buf_str(&clean), clean.len);
        (void)rb_utf8_width(rb_buf_str(&clean));
        if (clean.len < 4096 && rb_utf8_pad(&padded, rb_buf_str(&clean), 20, 30) == 0) {
            require_clean(rb_buf_str(&padded), padded.len);
            (void)rb_utf8_distance(rb_buf_str(&padded), "runbook");
        }
    }
    rb_buf_deinit(&padded);
    rb_buf_deinit(&clean);
    return 0;
}
