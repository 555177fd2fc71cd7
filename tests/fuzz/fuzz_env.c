/* .env text from foreign hands: parsed without a fault, and a value that is set is the value that is read. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "file/env_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quote(const char *value, size_t len, char quote)
{
    struct rb_buf text, again;
    struct rb_env_text parsed;
    if (memchr(value, 0, len)) {
        return;
    }
    rb_buf_init(&text, 1 << 20);
    rb_buf_init(&again, 1 << 20);
    RB_REQUIRE(rb_buf_adds(&text, "A=") == 0 && rb_env_text_quote(value, len, quote, &text) == 0);
    RB_REQUIRE(rb_env_text_parse(rb_buf_str(&text), text.len, &parsed, NULL) == 0);
    RB_REQUIRE(parsed.count == 1 && parsed.bad_count == 0);
    RB_REQUIRE(rb_env_text_value(rb_buf_str(&text), &parsed.entries[0], &again) == 0);
    RB_REQUIRE(again.len == len && (len == 0 || memcmp(again.data, value, len) == 0));
    rb_env_text_free(&parsed);
    rb_buf_deinit(&text);
    rb_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char quotes[] = {0, '\'', '"'};
    char *text = malloc(size + 1);
    struct rb_env_text parsed;
    memcpy(text, data, size);
    text[size] = '\0';
    if (rb_env_text_parse(text, size, &parsed, NULL) == 0) {
        for (size_t i = 0; i < parsed.count; i++) {
            const struct rb_env_entry *e = &parsed.entries[i];
            struct rb_buf value;
            RB_REQUIRE(e->from <= e->to && e->to <= size && e->name + e->name_len <= text + size);
            rb_buf_init(&value, size + 1);
            RB_REQUIRE(rb_env_text_value(text, e, &value) == 0);
            rb_buf_deinit(&value);
        }
        rb_env_text_free(&parsed);
    }
    for (size_t i = 0; i < 3; i++) {
        check_quote(text, size, quotes[i]);
    }
    free(text);
    return 0;
}
