/* The server's certificate, as libcurl shows it. */
#ifndef RB_BINDINGS_NET_CERTIFICATE_H
#define RB_BINDINGS_NET_CERTIFICATE_H

#include <curl/curl.h>
#include <jansson.h>

/* {subject, issuer, names, starts_at, expires_at, days} of a handle with CURLOPT_CERTINFO; NULL when it saw none. */
json_t *rb_certificate(CURL *easy);

#endif
