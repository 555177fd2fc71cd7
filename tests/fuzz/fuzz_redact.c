/* The same bytes in any pieces give the same text, and a secret that stands in them never comes through. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/redact.h"

static const char *const secrets[] = {"hunter2!", "p@ss/w0rd+x", "two lines\nof a key", "aaaaaa"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_redact *r = rb_redact_new();
    struct rb_buf whole, pieces;
    rb_buf_init(&whole, (size_t)16 << 20);
    rb_buf_init(&pieces, (size_t)16 << 20);
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        rb_redact_add(r, "x", secrets[i], strlen(secrets[i]));
    }
    struct rb_redact_stream *s = rb_redact_open(r);
    RB_REQUIRE(rb_redact_text(r, (const char *)data, size, false, &whole) == 0);
    for (size_t at = 0; at < size;) {
        size_t step = 1 + data[at] % 7;
        step = step < size - at ? step : size - at;
        RB_REQUIRE(rb_redact_feed(s, (const char *)data + at, step, &pieces) == 0);
        at += step;
    }
    RB_REQUIRE(rb_redact_end(s, false, &pieces) == 0);
    RB_REQUIRE(pieces.len == whole.len && (!whole.len || memcmp(pieces.data, whole.data, whole.len) == 0));
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        RB_REQUIRE(!whole.len || !memmem(whole.data, whole.len, secrets[i], strlen(secrets[i])));
    }
    rb_redact_close(s);
    rb_redact_free(r);
    rb_buf_deinit(&whole);
    rb_buf_deinit(&pieces);
    return 0;
}
