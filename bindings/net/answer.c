/* What libcurl hands over while it runs, and what it knows of an exchange that ended. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/certificate.h"
#include "net/headers.h"
#include "net/transfer_private.h"

size_t rb_transfer_on_header(char *data, size_t size, size_t count, void *user)
{
    struct rb_transfer *t = user;
    size_t len = size * count;
    t->header_bytes += len;
    if (t->header_bytes > RB_HEADERS_MAX) {
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

size_t rb_transfer_on_body(char *data, size_t size, size_t count, void *user)
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

static double seconds(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return (double)us / 1e6;
}

static void read_timing(struct rb_transfer *t)
{
    struct rb_answer *a = &t->answer;
    double name = seconds(t->job.easy, CURLINFO_NAMELOOKUP_TIME_T),
           connect = seconds(t->job.easy, CURLINFO_CONNECT_TIME_T);
    double tls = seconds(t->job.easy, CURLINFO_APPCONNECT_TIME_T),
           first = seconds(t->job.easy, CURLINFO_STARTTRANSFER_TIME_T);
    a->dns = (double)(t->looked_up_ns - t->since_ns) / 1e9;
    a->connect = connect > name ? connect - name : 0;
    a->tls = tls > connect ? tls - connect : 0;
    a->first_byte = first > 0 ? a->dns + first : 0;
    a->total = (double)(rb_clock_mono_ns() - t->since_ns) / 1e9;
}

void rb_transfer_read_remote(struct rb_transfer *t)
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
    return version == CURL_HTTP_VERSION_1_0   ? "1.0"
           : version == CURL_HTTP_VERSION_2_0 ? "2"
           : version == CURL_HTTP_VERSION_3   ? "3"
                                              : "1.1";
}

void rb_transfer_read_answer(struct rb_transfer *t)
{
    long version = 0;
    curl_easy_getinfo(t->job.easy, CURLINFO_RESPONSE_CODE, &t->answer.status);
    curl_easy_getinfo(t->job.easy, CURLINFO_HTTP_VERSION, &version);
    t->answer.http = version_name(version);
    read_timing(t);
    rb_transfer_read_remote(t);
    read_certificate(t);
}
