/* What jansson leaves to its users. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#include "base/utf8.h"

#define DEPTH_MAX 64

char *rb_json_canonical(const json_t *value)
{
    return json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Jansson's own limit is 2048 levels, too deep for the small stacks of our children. */
static bool too_deep(const char *text, size_t len)
{
    int depth = 0;
    bool string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (string) {
            i += c == '\\';
            string = c != '"';
        } else if (c == '"') {
            string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > DEPTH_MAX) {
                return true;
            }
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

json_t *rb_json_parse(const char *text, size_t len, struct rb_err *err)
{
    if (too_deep(text, len)) {
        rb_err_set(err, RB_EUSAGE, RB_T_base_json_deep, DEPTH_MAX);
        return NULL;
    }
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!value) {
        struct rb_buf clean;
        rb_buf_init(&clean, 8 * JSON_ERROR_TEXT_LENGTH);                    /* every byte may become \\xNN */
        (void)rb_utf8_clean(&clean, error.text, strlen(error.text), false); /* it quotes the input; shorter is fine */
        rb_err_set(err, RB_EUSAGE, RB_T_base_json_bad, error.line, error.column, rb_buf_str(&clean));
        rb_buf_deinit(&clean);
    }
    return value;
}

json_t *rb_json_bytes(const void *data, size_t len)
{
    if (!len) {
        return json_string("");
    }
    if (!memchr(data, 0, len) && rb_utf8_valid(data, len)) {
        return json_stringn_nocheck(data, len);
    }
    size_t size = BASE64_ENCODE_RAW_LENGTH(len);
    char *encoded = malloc(size);
    if (!encoded) {
        return NULL;
    }
    base64_encode_raw(encoded, len, data);
    json_t *value = json_pack("{s:o}", "$b64", json_stringn_nocheck(encoded, size));
    free(encoded);
    return value;
}

static int base64_get(const char *text, size_t len, struct rb_buf *out)
{
    struct base64_decode_ctx ctx;
    base64_decode_init(&ctx);
    uint8_t part[BASE64_DECODE_LENGTH(1024)];
    for (size_t at = 0; at < len;) {
        size_t take = len - at < 1024 ? len - at : 1024;
        size_t got = sizeof part;
        if (!base64_decode_update(&ctx, &got, part, take, text + at)) {
            return RB_EUSAGE;
        }
        int rc = rb_buf_add(out, part, got);
        if (rc) {
            return rc;
        }
        at += take;
    }
    return base64_decode_final(&ctx) ? 0 : RB_EUSAGE;
}

int rb_json_bytes_get(const json_t *value, struct rb_buf *out)
{
    if (json_is_string(value)) {
        return rb_buf_add(out, json_string_value(value), json_string_length(value));
    }
    const json_t *b64 = json_object_get(value, "$b64");
    if (!json_is_string(b64) || json_object_size(value) != 1) {
        return RB_EUSAGE;
    }
    size_t before = out->len;
    int rc = base64_get(json_string_value(b64), json_string_length(b64), out);
    if (rc && out->data) {
        out->data[out->len = before] = '\0';
    }
    return rc;
}

const char *rb_json_str(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : fallback;
}

json_int_t rb_json_int(const json_t *object, const char *key, json_int_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool rb_json_bool(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_boolean_value(value) : fallback;
}

json_t *rb_json_find(const json_t *list, const char *key, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *object = json_array_get(list, i);
        const char *has = rb_json_str(object, key, NULL);
        if (has && !strcmp(has, text)) {
            return object;
        }
    }
    return NULL;
}

json_t *rb_json_find_same(const json_t *list, const json_t *one)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *object = json_array_get(list, i);
        if (json_equal(json_object_get(object, "id"), json_object_get(one, "id")) &&
            json_equal(json_object_get(object, "key"), json_object_get(one, "key"))) {
            return object;
        }
    }
    return NULL;
}

bool rb_json_lists(const json_t *list, const char *text)
{
    bool found = json_is_string(list) && !strcmp(json_string_value(list), text);
    for (size_t i = 0; !found && i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        found = item && !strcmp(item, text);
    }
    return found;
}
