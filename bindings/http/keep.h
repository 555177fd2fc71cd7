/* keep: of an answer in JSON only what was asked for goes on, so that the rest (a container's environment, …)
 * reaches neither the runbook nor the record. */
#ifndef RB_BINDINGS_HTTP_KEEP_H
#define RB_BINDINGS_HTTP_KEEP_H

#include <jansson.h>

#include "base/err.h"

/* Members by path, "State.Health.Status"; a list on the way means each of its items. New reference. */
json_t *rb_http_picked(const json_t *value, const json_t *paths);
/* Applies keep of the arguments to a verb's value: json is reduced, body is left out. */
void rb_http_keep(json_t *value, const json_t *args);

#endif
