#include "http/redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/headers.h"
#include "net/url.h"
#include "resolve.h"

static bool is_read(const char *method)
{
    return !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "OPTIONS");
}

bool rb_http_is_redirect(const struct rb_http_request *r, const struct rb_answer *answer)
{
    long s = answer->status;
    bool keeps = s == 307 || s == 308, moves = keeps || s == 301 || s == 302 || s == 303;
    return r->redirects > 0 && (is_read(r->method) ? moves : keeps) && rb_headers_value(answer->headers, "location")[0];
}

bool rb_http_is_from_outside(const struct rb_answer *answer)
{
    struct rb_address from;
    char host[RB_ADDRESS_MAX + 8];
    (void)snprintf(host, sizeof host, "%s", answer->remote);
    char *port = strrchr(host, ':'); /* a UNIX socket has none that an address stands before */
    if (port) {
        *port = '\0';
    }
    return answer->proxy || (rb_address_parse(host, &from) && !rb_address_is_inner(&from));
}

static int refuse(enum rb_text_id why, const struct rb_answer *answer, const struct rb_url *to, struct rb_err *err)
{
    return rb_err_set(err, RB_ESTATUS, why, answer->url, to->text);
}

static int check_hop(struct rb_http_request *r, const struct rb_answer *answer, const struct rb_url *from,
                     const struct rb_url *to, struct rb_err *err)
{
    bool other = strcmp(from->origin, to->origin) != 0;
    if (!strcmp(from->scheme, "https") && strcmp(to->scheme, "https") != 0) {
        return refuse(RB_T_http_redirect_plain, answer, to, err);
    }
    if (other && !is_read(r->method)) {
        return refuse(RB_T_http_redirect_write, answer, to, err);
    }
    if (other && json_object_get(r->args, "socket")) {
        return refuse(RB_T_http_redirect_socket, answer, to, err);
    }
    if (other) {
        rb_http_request_forget(r);
    }
    return 0;
}

int rb_http_redirect(struct rb_http_request *r, const struct rb_answer *answer, size_t hops, struct rb_err *err)
{
    const char *location = rb_headers_value(answer->headers, "location");
    struct rb_url from, to;
    if (hops >= (size_t)r->redirects) {
        return rb_err_set(err, RB_ESTATUS, RB_T_http_redirect_many, answer->url, r->redirects, location);
    }
    int rc = rb_url_parse(&from, answer->url, "http https", err);
    if (rc != 0) {
        return rc;
    }
    if (rb_url_follow(&to, &from, location, err) != 0) {
        rc = rb_err_set(err, RB_ESTATUS, RB_T_http_redirect_bad, answer->url, err->text);
    } else {
        rc = check_hop(r, answer, &from, &to, err);
    }
    if (rc == 0) {
        free(r->url);
        r->url = to.text;
        to.text = NULL;
    }
    rb_url_deinit(&to);
    rb_url_deinit(&from);
    return rc;
}
