/* What a server sends, as JSON. Servers send text; its kind says what it means. */
#ifndef RB_BINDINGS_DATABASE_VALUE_H
#define RB_BINDINGS_DATABASE_VALUE_H

#include <stddef.h>

#include <jansson.h>

enum rb_value_kind {
    RB_VALUE_TEXT,   /* bytes that are not UTF-8 travel as {"$b64"} */
    RB_VALUE_BOOL,   /* t f */
    RB_VALUE_INT,    /* text when it does not fit into 64 bits with a sign */
    RB_VALUE_REAL,   /* "Infinity", "-Infinity", "NaN": JSON has none */
    RB_VALUE_JSON,   /* what we cannot hold exactly (an integer past 64 bits, a key twice) stays text */
    RB_VALUE_MOMENT, /* date and time, and an offset when the server gives one: ISO 8601 */
    RB_VALUE_HEX,    /* \x00ff */
    RB_VALUE_BITS,   /* up to 64 bits, the most significant byte first */
};

/* New reference; NULL without memory. data need not end with NUL. */
json_t *rb_value_json(enum rb_value_kind kind, const char *data, size_t len);

#endif
