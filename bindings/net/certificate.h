/* The server's certificate, as libcurl shows it. */
#ifndef RB_BINDINGS_NET_CERTIFICATE_H
#define RB_BINDINGS_NET_CERTIFICATE_H

#include <curl/curl.h>
#include <jansson.h>

/* {subject, issuer, names, starts_at, expires_at, days} of a handle with CURLOPT_CERTINFO; NULL when it saw none. */
json_t *rb_certificate(CURL *easy);
/* The same of the lines of one certificate, "Subject:CN = example.com". Never NULL. */
json_t *rb_certificate_of(const struct curl_slist *lines);

#endif
