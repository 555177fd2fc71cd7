/* The verbs of http, in the module net. */
#ifndef RB_BINDINGS_HTTP_HTTP_H
#define RB_BINDINGS_HTTP_HTTP_H

#include "binding.h"

int rb_http_get(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_http_head(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_http_options(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_http_post(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_http_put(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_http_patch(struct rb_call *call, const json_t *args, struct rb_err *err);
int rb_http_delete(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_http_cancel(struct rb_call *call);

#endif
