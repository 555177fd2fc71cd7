/* What libcurl says went wrong -> the codes of `try`. */
#ifndef RB_BINDINGS_NET_FAULT_H
#define RB_BINDINGS_NET_FAULT_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/err.h"

struct rb_fault {
    CURLcode code;
    long os_errno;
    const char *where; /* "host:port" */
    const char *words; /* libcurl's own; foreign, cleaned here */
    bool sent;         /* something of the request may have been sent */
    bool by_proxy;
    double connect_timeout;
};

int rb_fault_set(struct rb_err *err, const struct rb_fault *fault);

#endif
