/* The arguments of an http verb, checked and in the form in which they are sent. */
#ifndef RB_BINDINGS_HTTP_REQUEST_H
#define RB_BINDINGS_HTTP_REQUEST_H

#include "base/buf.h"
#include "base/json.h"

struct rb_http_request {
    const char *method;
    char *url;       /* with path and query */
    json_t *headers; /* own, to be changed */
    struct rb_buf body;
    bool has_body;
    json_t *args; /* the rest: timeouts, TLS, ok */
    int redirects;
    int times;       /* tries in all */
    double wait;     /* before the second try; doubles */
    bool repeatable; /* asking twice does no harm */
};

int rb_http_request_init(struct rb_http_request *out, const char *method, const json_t *args, struct rb_err *err);
void rb_http_request_deinit(struct rb_http_request *request);
/* Is the status one that `ok` names; without `ok`, 2xx? */
bool rb_http_request_ok(const struct rb_http_request *request, long status);
/* Takes away what may only go to the origin it was meant for. */
void rb_http_request_forget(struct rb_http_request *request);

#endif
