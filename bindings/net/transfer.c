#include "net/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/certificate.h"
#include "net/fault.h"
#include "net/headers.h"
#include "net/proxy.h"
#include "net/url.h"

#define CONNECT_TIMEOUT 10.0
#define BODY_MAX (1u << 20)
#define HEADERS_MAX (64u << 10) /* of one answer, the informational ones before it included */
#define SOCKET_PATH_MAX 107

struct rb_transfer {
    struct rb_net_job job; /* first: what libcurl's private pointer leads to */
    struct rb_net *net;
    struct rb_lookup *lookup;
    struct rb_url url;
    char *contact, *contact_port; /* whom a connection is made to: the host of the URL, or a proxy; NULL: a UNIX socket */
    struct curl_slist *headers, *pinned;
    double connect_timeout;
    int64_t since_ns, looked_up_ns;
    size_t header_bytes;
    bool running, sent, cut_body, connect_only, outer;
    int refused; /* RB_E*: why a callback of ours ended it */
    rb_transfer_done *done;
    void *user;
    struct rb_answer answer;
    char words[CURL_ERROR_SIZE];
};

/* ---- what libcurl hands over ---- */

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    struct rb_transfer *t = user;
    size_t len = size * count;
    t->header_bytes += len;
    if (t->header_bytes > HEADERS_MAX) {
        t->refused = RB_ETOO_LARGE;
        return 0;
    }
    if (len > 5 && !memcmp(data, "HTTP/", 5)) {
        json_object_clear(t->answer.headers); /* those before were informational */
    } else {
        rb_headers_in(t->answer.headers, data, len);
    }
    return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct rb_transfer *t = user;
    struct rb_buf *body = &t->answer.body;
    size_t len = size * count, room = body->max - body->len;
    if (rb_buf_add(body, data, len) == 0) {
        return len;
    }
    t->refused = RB_ETOO_LARGE;
    t->answer.cut = t->cut_body && rb_buf_add(body, data, room) == 0;
    return 0;
}

/* ---- the end ---- */

static double seconds(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return (double)us / 1e6;
}

static void read_timing(struct rb_transfer *t)
{
    struct rb_answer *a = &t->answer;
    double name = seconds(t->job.easy, CURLINFO_NAMELOOKUP_TIME_T), connect = seconds(t->job.easy, CURLINFO_CONNECT_TIME_T);
    double tls = seconds(t->job.easy, CURLINFO_APPCONNECT_TIME_T), first = seconds(t->job.easy, CURLINFO_STARTTRANSFER_TIME_T);
    a->dns = (double)(t->looked_up_ns - t->since_ns) / 1e9;
    a->connect = connect > name ? connect - name : 0;
    a->tls = tls > connect ? tls - connect : 0;
    a->first_byte = first > 0 ? a->dns + first : 0;
    a->total = (double)(rb_clock_mono_ns() - t->since_ns) / 1e9;
}

static void read_remote(struct rb_transfer *t)
{
    char *ip = NULL;
    long port = 0;
    curl_easy_getinfo(t->job.easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(t->job.easy, CURLINFO_PRIMARY_PORT, &port);
    if (ip && ip[0] && t->contact) {
        bool v6 = strchr(ip, ':');
        (void)snprintf(t->answer.remote, sizeof t->answer.remote, "%s%s%s:%ld", v6 ? "[" : "", ip, v6 ? "]" : "", port);
    }
}

static void read_certificate(struct rb_transfer *t)
{
    json_t *seen = rb_net_certificates(t->net);
    if (strcmp(t->url.scheme, "https") != 0 && strcmp(t->url.scheme, "smtps") != 0) {
        return;
    }
    json_t *fresh = rb_certificate(t->job.easy);
    if (fresh) {
        json_object_set_new(seen, t->url.origin, fresh);
    }
    t->answer.certificate = json_incref(json_object_get(seen, t->url.origin));
}

static const char *version_name(long version)
{
    return version == CURL_HTTP_VERSION_1_0 ? "1.0" : version == CURL_HTTP_VERSION_2_0 ? "2" : version == CURL_HTTP_VERSION_3 ? "3" : "1.1";
}

static void read_answer(struct rb_transfer *t)
{
    long version = 0;
    curl_easy_getinfo(t->job.easy, CURLINFO_RESPONSE_CODE, &t->answer.status);
    curl_easy_getinfo(t->job.easy, CURLINFO_HTTP_VERSION, &version);
    t->answer.http = version_name(version);
    read_timing(t);
    read_remote(t);
    read_certificate(t);
}

/* "example.com:443", with the address behind it when they differ. */
static void where(const struct rb_transfer *t, char *out, size_t size)
{
    if (!t->contact) {
        (void)snprintf(out, size, "%s", t->answer.url);
    } else if (t->answer.remote[0] && !strstr(t->answer.remote, t->contact)) {
        (void)snprintf(out, size, "%s:%s (%s)", t->contact, t->contact_port, t->answer.remote);
    } else {
        (void)snprintf(out, size, "%s:%s", t->contact, t->contact_port);
    }
}

static void fail(struct rb_transfer *t, CURLcode code, struct rb_err *err)
{
    char place[512];
    where(t, place, sizeof place);
    if (t->refused && t->header_bytes > HEADERS_MAX) {
        rb_err_set(err, RB_ETOO_LARGE, RB_T_http_headers_large, place, (int)(HEADERS_MAX >> 10));
        return;
    }
    if (t->refused) {
        rb_err_set(err, RB_ETOO_LARGE, RB_T_http_body_large, place, (long long)t->answer.body.max);
        rb_err_hint(err, RB_T_http_body_large_hint);
        return;
    }
    struct rb_fault fault = {.code = code, .where = place, .words = t->words, .sent = t->sent,
                             .by_proxy = t->answer.proxy, .connect_timeout = t->connect_timeout};
    curl_easy_getinfo(t->job.easy, CURLINFO_OS_ERRNO, &fault.os_errno);
    rb_fault_set(err, &fault);
}

static void ended(struct rb_net_job *job, CURLcode code)
{
    struct rb_transfer *t = (struct rb_transfer *)job;
    struct rb_err err = {0};
    t->sent = rb_transfer_sent(t);
    t->running = job->stay;
    read_answer(t);
    if (code != CURLE_OK && !t->answer.cut) {
        fail(t, code, &err);
    }
    t->done(t, err.code ? &err : NULL, t->user);
}

/* ---- the beginning ---- */

/* libcurl's own word for "this name has these addresses": host:port:a,b */
static void pin_addresses(struct rb_transfer *t, const struct rb_addresses *found)
{
    struct rb_buf entry;
    rb_buf_init(&entry, 4096); /* 16 addresses and a name are far less */
    (void)rb_buf_addf(&entry, "%s:%s:", t->contact, t->contact_port);
    for (size_t i = 0; i < found->count; i++) {
        bool v6 = found->list[i].at.any.sa_family == AF_INET6;
        (void)rb_buf_addf(&entry, "%s%s%s%s", i ? "," : "", v6 ? "[" : "", found->list[i].text, v6 ? "]" : "");
    }
    t->pinned = curl_slist_append(NULL, rb_buf_str(&entry));
    RB_REQUIRE(t->pinned);
    curl_easy_setopt(t->job.easy, CURLOPT_RESOLVE, t->pinned);
    rb_buf_deinit(&entry);
}

static void run(struct rb_transfer *t)
{
    t->looked_up_ns = rb_clock_mono_ns();
    double left = t->connect_timeout - (double)(t->looked_up_ns - t->since_ns) / 1e9;
    curl_easy_setopt(t->job.easy, CURLOPT_CONNECTTIMEOUT_MS, left > 0.001 ? (long)(left * 1000) : 1L);
    t->running = true;
    rb_net_add(t->net, &t->job);
}

/* A proxy is contacted because this machine's environment says so, wherever it is. */
static int check_outer(const struct rb_transfer *t, const struct rb_address *list, size_t count, struct rb_err *err)
{
    for (size_t i = 0; t->outer && !t->answer.proxy && i < count; i++) {
        if (rb_address_is_inner(&list[i])) {
            return rb_err_set(err, RB_EDENIED, RB_T_http_redirect_inner, t->url.text, list[i].text);
        }
    }
    return 0;
}

static void looked_up(void *user, const struct rb_addresses *found, const struct rb_err *err)
{
    struct rb_transfer *t = user;
    struct rb_err inner = {0};
    t->lookup = NULL;
    if (!err && check_outer(t, found->list, found->count, &inner) != 0) {
        err = &inner;
    }
    if (err) {
        t->looked_up_ns = rb_clock_mono_ns();
        t->answer.total = t->answer.dns = (double)(t->looked_up_ns - t->since_ns) / 1e9;
        t->done(t, err, t->user);
        return;
    }
    pin_addresses(t, found);
    run(t);
}

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
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
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

static int set_up(struct rb_transfer *t, const struct rb_transfer_spec *spec, struct rb_err *err)
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

/* A name is looked up first; an address, or a socket, needs no look-up. */
static int begin(struct rb_transfer *t, struct rb_err *err)
{
    struct rb_address literal;
    if (!t->contact || rb_address_parse(t->contact, &literal)) {
        int rc = t->contact ? check_outer(t, &literal, 1, err) : 0;
        if (rc == 0) {
            run(t);
        }
        return rc;
    }
    struct rb_resolver *resolver = rb_net_resolver(t->net, err);
    if (!resolver) {
        return RB_EDNS;
    }
    t->lookup = rb_lookup_start(resolver, t->contact, t->connect_timeout, looked_up, t);
    return 0;
}

struct rb_transfer *rb_transfer_start(struct rb_call *call, const struct rb_transfer_spec *spec, struct rb_err *err)
{
    struct rb_net *net = rb_net_of(call, err);
    if (!net) {
        return NULL;
    }
    struct rb_transfer *t = rb_xcalloc(1, sizeof *t);
    t->job = (struct rb_net_job){.easy = rb_net_easy(net), .stay = spec->connect_only, .ended = ended};
    t->net = net;
    t->since_ns = t->looked_up_ns = rb_clock_mono_ns();
    t->connect_timeout = spec->connect_timeout > 0 ? spec->connect_timeout : CONNECT_TIMEOUT;
    t->cut_body = spec->cut_body;
    t->outer = spec->outer;
    t->done = spec->done;
    t->user = spec->user;
    t->answer.headers = json_object();
    rb_buf_init(&t->answer.body, spec->max_body ? spec->max_body : BODY_MAX);
    if (set_up(t, spec, err) != 0 || begin(t, err) != 0) {
        rb_transfer_free(t);
        return NULL;
    }
    return t;
}

void rb_transfer_free(struct rb_transfer *t)
{
    if (t->lookup) {
        rb_lookup_cancel(t->lookup);
    }
    if (t->running) {
        rb_net_remove(t->net, &t->job);
    }
    if (t->job.stay) {
        curl_easy_cleanup(t->job.easy); /* its connection goes with it */
    } else {
        rb_net_easy_back(t->net, t->job.easy);
    }
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->pinned);
    rb_url_deinit(&t->url);
    free(t->contact);
    free(t->contact_port);
    free(t->answer.url);
    free(t->answer.proxy);
    rb_buf_deinit(&t->answer.body);
    json_decref(t->answer.headers);
    json_decref(t->answer.certificate);
    free(t);
}

struct rb_answer *rb_transfer_answer(struct rb_transfer *transfer)
{
    return &transfer->answer;
}

bool rb_transfer_sent(struct rb_transfer *t)
{
    curl_off_t us = 0;
    return t->sent || (curl_easy_getinfo(t->job.easy, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0);
}

int rb_transfer_stopped(struct rb_transfer *t, const struct rb_call *call, struct rb_err *err)
{
    char place[512];
    double since = (double)((rb_clock_mono_ns() - t->since_ns) / 100000000) / 10;
    read_remote(t);
    where(t, place, sizeof place);
    if (!rb_call_timed_out(call)) {
        return rb_err_set(err, RB_ECANCELLED, RB_T_http_stopped, place);
    }
    if (t->lookup) {
        return rb_err_set(err, RB_ETIMEOUT, RB_T_http_dns_timeout, t->contact, since);
    }
    if (!rb_transfer_sent(t)) {
        rb_err_set(err, RB_ETIMEOUT, RB_T_http_connect_timeout, place, since);
        rb_err_hint(err, RB_T_http_unreachable_hint);
        return RB_ETIMEOUT;
    }
    return t->header_bytes ? rb_err_set(err, RB_ETIMEOUT, RB_T_http_slow, place, since, (long long)t->answer.body.len)
                           : rb_err_set(err, RB_ETIMEOUT, RB_T_http_silent, place, since);
}

CURL *rb_transfer_easy(struct rb_transfer *transfer)
{
    return transfer->job.easy;
}
