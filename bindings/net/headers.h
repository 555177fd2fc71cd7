/* Headers on their way out, and as they came. */
#ifndef RB_BINDINGS_NET_HEADERS_H
#define RB_BINDINGS_NET_HEADERS_H

#include <curl/curl.h>

#include "base/json.h"

/* { name = value | { values } } as libcurl takes it, appended to *out. Refuses what is no name, line ends, NUL and
 * other control characters, and headers that decide where a message ends. RB_EUSAGE. */
int rb_headers_out(struct curl_slist **out, const json_t *headers, struct rb_err *err);
/* One line of an answer into {"name": "value" | ["value", …]}; names in lower case. What is no header is left out. */
void rb_headers_in(json_t *headers, const char *line, size_t len);
/* The value, or the first of several; "" without. Borrowed. */
const char *rb_headers_value(const json_t *headers, const char *name);

#endif
