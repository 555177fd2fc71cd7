/* Whole values: every string, number and key of a JSON value. */
#include "base/redact.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* The cleaned bytes, or NULL when they are clean. */
static char *cleaned(struct rb_redact *r, const char *text, size_t len, size_t *size)
{
    struct rb_buf out;
    rb_buf_init(&out, len * 40 + 256); /* a name in the place of four bytes */
    int rc = rb_redact_text(r, text, len, false, &out);
    RB_REQUIRE(rc == 0);
    *size = out.len;
    if (out.len == len && (!len || memcmp(out.data, text, len) == 0)) {
        rb_buf_deinit(&out);
        return NULL;
    }
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

static json_t *clean_bytes(struct rb_redact *r, const json_t *value)
{
    struct rb_buf bytes;
    size_t size;
    rb_buf_init(&bytes, (size_t)64 << 20);
    char *clean = rb_json_bytes_get(value, &bytes) ? NULL : cleaned(r, rb_buf_str(&bytes), bytes.len, &size);
    json_t *out = clean ? rb_json_bytes(clean, size) : json_incref((json_t *)value);
    free(clean);
    rb_buf_deinit(&bytes);
    return out;
}

static json_t *clean_number(struct rb_redact *r, const json_t *value)
{
    size_t size;
    char *text = json_dumps(value, JSON_ENCODE_ANY), *clean = text ? cleaned(r, text, strlen(text), &size) : NULL;
    bool whole =
        clean && (unsigned char)clean[0] >= 0x80 && (unsigned char)clean[size - 1] >= 0x80; /* no digit is left */
    json_t *out = whole ? rb_json_bytes(clean, size) : json_incref((json_t *)value);
    free(clean);
    free(text);
    return out;
}

static json_t *clean_object(struct rb_redact *r, const json_t *object)
{
    const char *key;
    json_t *item, *copy = json_object();
    bool changed = false;
    json_object_foreach((json_t *)object, key, item) {
        size_t size;
        json_t *value = rb_redact_json(r, item);
        char *name = cleaned(r, key, strlen(key), &size);
        changed = changed || name || value != item;
        json_object_set_new_nocheck(copy, name ? name : key, value);
        free(name);
    }
    json_t *out = changed ? copy : json_incref((json_t *)object);
    if (!changed) {
        json_decref(copy);
    }
    return out;
}

static json_t *clean_array(struct rb_redact *r, const json_t *array)
{
    size_t i;
    json_t *item, *copy = json_array();
    bool changed = false;
    json_array_foreach((json_t *)array, i, item) {
        json_t *value = rb_redact_json(r, item);
        changed = changed || value != item;
        json_array_append_new(copy, value);
    }
    json_t *out = changed ? copy : json_incref((json_t *)array);
    if (!changed) {
        json_decref(copy);
    }
    return out;
}

json_t *rb_redact_json(struct rb_redact *r, const json_t *value)
{
    if (json_is_string(value) || (json_object_size(value) == 1 && json_object_get(value, "$b64"))) {
        return clean_bytes(r, value);
    }
    if (json_is_object(value)) {
        return clean_object(r, value);
    }
    if (json_is_array(value)) {
        return clean_array(r, value);
    }
    return json_is_number(value) ? clean_number(r, value) : json_incref((json_t *)value);
}
