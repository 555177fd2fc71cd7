/* What jansson leaves to its users. Strings that are not UTF-8 travel as {"$b64": "…"}. */
#ifndef RB_BASE_JSON_H
#define RB_BASE_JSON_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"

/* Sorted keys, no spaces, UTF-8 unescaped: the canonical form that is hashed. malloc'ed. */
char *rb_json_canonical(const json_t *value);
/* Depth at most 64, duplicate keys and bad UTF-8 refused. */
json_t *rb_json_parse(const char *text, size_t len, struct rb_err *err);
/* A JSON string, or {"$b64": …} when the bytes are not UTF-8 or contain NUL. NULL without memory. */
json_t *rb_json_bytes(const void *data, size_t len);
/* The reverse, appended to out. RB_EUSAGE when value is neither. */
int rb_json_bytes_get(const json_t *value, struct rb_buf *out);
/* Member access with a default; never raises. Borrowed. */
const char *rb_json_str(const json_t *object, const char *key, const char *fallback);
json_int_t rb_json_int(const json_t *object, const char *key, json_int_t fallback);
bool rb_json_bool(const json_t *object, const char *key, bool fallback);
/* The first object of a list with that text as its member key; NULL = none. Borrowed. */
json_t *rb_json_find(const json_t *list, const char *key, const char *text);
/* The first one with the id and the key of this one: an instance of a finding has both. NULL = none. Borrowed. */
json_t *rb_json_find_same(const json_t *list, const json_t *one);
/* Is it this text, or a list that holds it? */
bool rb_json_lists(const json_t *list, const char *text);

#endif
