/* Where an answer of 3xx may lead. */
#ifndef RB_BINDINGS_HTTP_REDIRECT_H
#define RB_BINDINGS_HTTP_REDIRECT_H

#include "http/request.h"
#include "net/transfer.h"

/* Is it one that this request follows? A write stays what it is: it follows only 307 and 308. */
bool rb_http_is_redirect(const struct rb_http_request *request, const struct rb_answer *answer);
/* Makes the request the one of the next hop. RB_ESTATUS: too many, or it must not go there. */
/* Did the answer come from beyond this machine and its link? Then its redirects may not lead to them. */
bool rb_http_is_from_outside(const struct rb_answer *answer);
int rb_http_redirect(struct rb_http_request *request, const struct rb_answer *answer, size_t hops, struct rb_err *err);

#endif
