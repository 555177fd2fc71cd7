/* An answer as runbooks see it. */
#ifndef RB_BINDINGS_HTTP_VALUE_H
#define RB_BINDINGS_HTTP_VALUE_H

#include "net/transfer.h"

/* New reference. NULL with RB_ETOO_LARGE: it would not fit into a frame. */
json_t *rb_http_value(const struct rb_answer *answer, const json_t *hops, int tries, struct rb_err *err);
/* A write was answered, but not with success. */
int rb_http_status_error(const char *method, const struct rb_answer *answer, struct rb_err *err);

#endif
