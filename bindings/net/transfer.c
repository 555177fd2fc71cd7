/* The way of an exchange: look up, connect and ask by libcurl, and how it ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/fault.h"
#include "net/transfer_private.h"

#define CONNECT_TIMEOUT 10.0
#define BODY_MAX (1u << 20)

/* ---- the end ---- */

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
    if (t->refused && t->header_bytes > RB_HEADERS_MAX) {
        rb_err_set(err, RB_ETOO_LARGE, RB_T_http_headers_large, place, (int)(RB_HEADERS_MAX >> 10));
        return;
    }
    if (t->refused) {
        rb_err_set(err, RB_ETOO_LARGE, RB_T_http_body_large, place, (long long)t->answer.body.max);
        rb_err_hint(err, RB_T_http_body_large_hint);
        return;
    }
    struct rb_fault fault = {.code = code,
                             .where = place,
                             .words = t->words,
                             .sent = t->sent,
                             .by_proxy = t->answer.proxy,
                             .connect_timeout = t->connect_timeout};
    curl_easy_getinfo(t->job.easy, CURLINFO_OS_ERRNO, &fault.os_errno);
    rb_fault_set(err, &fault);
}

static void ended(struct rb_net_job *job, CURLcode code)
{
    struct rb_transfer *t = (struct rb_transfer *)job;
    struct rb_err err = {0};
    t->sent = rb_transfer_sent(t);
    t->running = job->stay;
    rb_transfer_read_answer(t);
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
    if (rb_transfer_set_up(t, spec, err) != 0 || begin(t, err) != 0) {
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
    rb_transfer_read_remote(t);
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
