/* What libcurl is told of an exchange before it begins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/headers.h"
#include "net/proxy.h"
#include "net/transfer_private.h"

#define SOCKET_PATH_MAX 107

static void set_method(CURL *easy, const struct rb_transfer_spec *spec)
{
    const char *method = spec->method ? spec->method : "GET";
    if (!strcmp(method, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (spec->body || !strcmp(method, "POST")) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_len);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, spec->body ? spec->body : "");
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
}

static int set_version(CURL *easy, const struct rb_transfer_spec *spec, const struct rb_url *url, struct rb_err *err)
{
    bool tls = !strcmp(url->scheme, "https");
    const struct {
        const char *name;
        long version;
    } versions[] = {{"", CURL_HTTP_VERSION_2TLS},
                    {"1.0", CURL_HTTP_VERSION_1_0},
                    {"1.1", CURL_HTTP_VERSION_1_1},
                    {"2", tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE}};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (!strcmp(versions[i].name, spec->version ? spec->version : "")) {
            curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, versions[i].version);
            return 0;
        }
    }
    return rb_err_set(err, RB_EUSAGE, RB_T_http_version, spec->version);
}

static void set_tls(CURL *easy, const struct rb_transfer_spec *spec)
{
    curl_easy_setopt(easy, CURLOPT_CERTINFO, 1L);
    if (spec->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (spec->ca) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, spec->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (spec->pin) {
        curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, spec->pin);
    }
}

static void set_common(struct rb_transfer *t, const struct rb_transfer_spec *spec)
{
    CURL *easy = t->job.easy;
    curl_easy_setopt(easy, CURLOPT_URL, t->url.text);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, t->url.scheme);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->words);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, rb_transfer_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, rb_transfer_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "runbook/" RUNBOOK_VERSION);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, spec->reuse ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, spec->connect_only ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
}

static int set_headers(struct rb_transfer *t, const json_t *headers, struct rb_err *err)
{
    t->headers = curl_slist_append(NULL, "Expect:"); /* waiting for "100 Continue" would make it two requests */
    RB_REQUIRE(t->headers);
    return rb_headers_out(&t->headers, headers, err);
}

static int set_proxy(struct rb_transfer *t, const char *proxy, struct rb_err *err)
{
    curl_easy_setopt(t->job.easy, CURLOPT_PROXY, proxy);
    int rc = rb_proxy_parse(proxy, &t->contact, &t->contact_port, err);
    if (rc == 0) {
        size_t size = strlen(t->contact) + strlen(t->contact_port) + 2;
        t->answer.proxy = rb_xcalloc(1, size);
        (void)snprintf(t->answer.proxy, size, "%s:%s", t->contact, t->contact_port);
    }
    return rc;
}

/* Whom to connect to: a UNIX socket, a proxy, or the host itself. */
static int set_contact(struct rb_transfer *t, const struct rb_transfer_spec *spec, struct rb_err *err)
{
    const char *proxy = spec->socket || spec->direct ? NULL : rb_proxy_for(&t->url);
    if (proxy) {
        return set_proxy(t, proxy, err);
    }
    curl_easy_setopt(t->job.easy, CURLOPT_PROXY, "");
    if (!spec->socket) {
        t->contact = rb_xstrdup(t->url.host);
        t->contact_port = rb_xstrdup(t->url.port);
        return 0;
    }
    if (spec->socket[0] != '/' || strlen(spec->socket) > SOCKET_PATH_MAX) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_socket_path, spec->socket);
    }
    curl_easy_setopt(t->job.easy, CURLOPT_UNIX_SOCKET_PATH, spec->socket);
    (void)snprintf(t->answer.remote, sizeof t->answer.remote, "%s", spec->socket);
    return 0;
}

int rb_transfer_set_up(struct rb_transfer *t, const struct rb_transfer_spec *spec, struct rb_err *err)
{
    int rc = rb_url_parse(&t->url, spec->url, spec->schemes ? spec->schemes : "http https", err);
    rc = rc == 0 ? set_headers(t, spec->headers, err) : rc;
    if (rc == 0) {
        t->answer.url = rb_xstrdup(t->url.text);
        set_common(t, spec);
        set_method(t->job.easy, spec);
        set_tls(t->job.easy, spec);
        rc = set_version(t->job.easy, spec, &t->url, err);
    }
    rc = rc == 0 ? set_contact(t, spec, err) : rc;
    if (rc == 0 && spec->prepare) {
        spec->prepare(t->job.easy, spec->user);
    }
    return rc;
}
