/* Names, the questions about them, and who waits for the answers. A name is asked for twice, A and AAAA, so that a
 * server that drops one of them costs 50 ms. */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netdb.h>

#include "base/buf.h"
#include "resolve_private.h"

#define NAME_MAX_BYTES 253
#define OTHER_FAMILY_MS 50 /* RFC 8305: once one family is there, the other one has this long */

/* One name under way. A query nobody waits for any more stays until c-ares has answered both questions. */
struct rb_query {
    struct rb_resolver *resolver;
    struct rb_query *next;
    struct rb_lookup *lookups;
    uv_timer_t grace;
    int open;      /* questions not answered yet */
    int status[2]; /* A, AAAA: of c-ares */
    struct ares_addrinfo *answer[2];
    bool settled;
    char name[NAME_MAX_BYTES + 1];
};

struct rb_lookup {
    struct rb_resolver *resolver;
    struct rb_query *query; /* NULL: the answer is there and told by the timer */
    struct rb_lookup *next;
    uv_timer_t timer; /* its deadline, then the end of this turn of the loop */
    double timeout;
    rb_looked_up *done;
    void *user;
    struct rb_addresses found;
    struct rb_err err;
    char name[NAME_MAX_BYTES + 1];
};

static void query_closed(uv_handle_t *handle)
{
    struct rb_query *q = handle->data;
    rb_resolver_handle_gone(q->resolver);
    free(q);
}

static void lookup_closed(uv_handle_t *handle)
{
    struct rb_lookup *l = handle->data;
    rb_resolver_handle_gone(l->resolver);
    free(l);
}

/* ---- addresses ---- */

static void add_family(struct rb_addresses *out, const struct ares_addrinfo *answer)
{
    for (const struct ares_addrinfo_node *n = answer ? answer->nodes : NULL; n; n = n->ai_next) {
        if (out->count == RB_ADDRESSES_MAX || n->ai_addrlen > sizeof out->list[0].at) {
            return;
        }
        struct rb_address *a = &out->list[out->count++];
        memset(a, 0, sizeof *a);
        memcpy(&a->at, n->ai_addr, n->ai_addrlen);
        const void *raw = a->at.any.sa_family == AF_INET ? (const void *)&a->at.v4.sin_addr : &a->at.v6.sin6_addr;
        (void)inet_ntop(a->at.any.sa_family, raw, a->text, sizeof a->text); /* the buffer is large enough */
    }
}

/* IPv6 first, but not where it leads nowhere. */
static void collect(const struct rb_query *q, struct rb_addresses *out)
{
    add_family(out, q->answer[1]);
    if (out->count > 0 && !rb_address_has_route(&out->list[0])) {
        out->count = 0;
        add_family(out, q->answer[0]);
        add_family(out, q->answer[1]);
    } else {
        add_family(out, q->answer[0]);
    }
}

/* "localhost" never leaves this machine (RFC 6761): what /etc/hosts says, else the loopback addresses. c-ares loses
 * some memory when its file has no ::1 for it. */
static bool is_local(const char *name)
{
    size_t len = strlen(name);
    return len >= 9 && !strcasecmp(name + len - 9, "localhost") && (len == 9 || name[len - 10] == '.');
}

static void add_local(struct rb_resolver *r, const char *name, int family, struct rb_addresses *out)
{
    struct hostent *host = NULL;
    if (ares_gethostbyname_file(r->channel, name, family, &host) != ARES_SUCCESS) {
        return;
    }
    for (char **raw = host->h_addr_list; *raw && out->count < RB_ADDRESSES_MAX; raw++) {
        char text[RB_ADDRESS_MAX];
        if (inet_ntop(family, *raw, text, sizeof text) && rb_address_parse(text, &out->list[out->count])) {
            out->count++;
        }
    }
    ares_free_hostent(host);
}

static void find_local(struct rb_resolver *r, const char *name, struct rb_addresses *out)
{
    add_local(r, name, AF_INET6, out);
    add_local(r, name, AF_INET, out);
    if (out->count == 0) {
        (void)rb_address_parse("127.0.0.1", &out->list[out->count++]);
        (void)rb_address_parse("::1", &out->list[out->count++]);
    }
}

/* ---- answers ---- */

static const struct {
    int status;
    enum rb_text_id text;
} reasons[] = {
    {ARES_ENOTFOUND, RB_T_http_dns_not_found},   {ARES_ENODATA, RB_T_http_dns_no_address},
    {ARES_ESERVFAIL, RB_T_http_dns_server_fail}, {ARES_EREFUSED, RB_T_http_dns_server_refused},
    {ARES_ETIMEOUT, RB_T_http_dns_silent},       {ARES_ECONNREFUSED, RB_T_http_dns_no_server},
};

static void explain(const char *name, int status, struct rb_err *err)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status) {
            rb_err_set(err, RB_EDNS, reasons[i].text, name);
            return;
        }
    }
    rb_err_set(err, RB_EDNS, RB_T_http_dns_other, name, ares_strerror(status));
}

static void unlink_lookup(struct rb_lookup *lookup)
{
    struct rb_lookup **at = lookup->query ? &lookup->query->lookups : &lookup->resolver->answered;
    while (*at && *at != lookup) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = lookup->next;
    }
}

static void tell(uv_timer_t *timer)
{
    struct rb_lookup *l = timer->data;
    unlink_lookup(l);
    uv_close((uv_handle_t *)timer, lookup_closed);
    l->done(l->user, l->err.code ? NULL : &l->found, l->err.code ? &l->err : NULL);
}

/* The answer is in the lookup; it is told in the next turn of the loop. */
static void answer_soon(struct rb_lookup *l)
{
    l->query = NULL;
    l->next = l->resolver->answered;
    l->resolver->answered = l;
    uv_timer_start(&l->timer, tell, 0, 0);
}

static void too_late(uv_timer_t *timer)
{
    struct rb_lookup *l = timer->data;
    rb_err_set(&l->err, RB_EDNS, RB_T_http_dns_timeout, l->name, l->timeout);
    rb_err_hint(&l->err, RB_T_http_dns_hint);
    tell(timer);
}

static void settle(struct rb_query *q)
{
    struct rb_addresses found = {0};
    struct rb_err err = {0};
    if (q->settled) {
        return;
    }
    q->settled = true;
    collect(q, &found);
    if (found.count == 0) { /* "there is no such name" says more than "it has no IPv6 address" */
        explain(q->name, q->status[0] == ARES_ENODATA ? q->status[1] : q->status[0], &err);
    }
    while (q->lookups) {
        struct rb_lookup *l = q->lookups;
        q->lookups = l->next;
        l->found = found;
        l->err = err;
        answer_soon(l);
    }
}

static void query_unlink(struct rb_query *q)
{
    struct rb_query **at = &q->resolver->queries;
    while (*at && *at != q) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = q->next;
    }
}

static void query_end(struct rb_query *q)
{
    query_unlink(q);
    ares_freeaddrinfo(q->answer[0]);
    ares_freeaddrinfo(q->answer[1]);
    uv_close((uv_handle_t *)&q->grace, query_closed);
}

static void grace_over(uv_timer_t *timer)
{
    settle(timer->data);
}

static void answered(struct rb_query *q, int family, int status, struct ares_addrinfo *answer)
{
    q->status[family] = status;
    q->answer[family] = answer;
    q->open--;
    if (q->open == 0) {
        settle(q);
        query_end(q);
    } else if (answer && answer->nodes) {
        uv_timer_start(&q->grace, grace_over, OTHER_FAMILY_MS, 0);
    }
}

static void on_v4(void *user, int status, int timeouts, struct ares_addrinfo *answer)
{
    (void)timeouts;
    answered(user, 0, status, answer);
}

static void on_v6(void *user, int status, int timeouts, struct ares_addrinfo *answer)
{
    (void)timeouts;
    answered(user, 1, status, answer);
}

/* ---- questions ---- */

static struct rb_query *query_of(struct rb_resolver *r, const char *name)
{
    struct rb_query *q = r->queries;
    while (q && (q->settled || strcasecmp(q->name, name) != 0)) {
        q = q->next;
    }
    return q;
}

/* c-ares may answer at once, from /etc/hosts: the query holds one question more until all are asked. */
static void ask(struct rb_resolver *r, struct rb_lookup *l)
{
    struct ares_addrinfo_hints v4 = {.ai_family = AF_INET}, v6 = {.ai_family = AF_INET6};
    struct rb_query *q = rb_xcalloc(1, sizeof *q);
    rb_resolver_timer_open(r, &q->grace, q);
    q->resolver = r;
    q->next = r->queries;
    r->queries = q;
    q->lookups = l;
    l->query = q;
    memcpy(q->name, l->name, sizeof q->name);
    q->open = 3;
    ares_getaddrinfo(r->channel, q->name, NULL, &v4, on_v4, q);
    ares_getaddrinfo(r->channel, q->name, NULL, &v6, on_v6, q);
    if (--q->open == 0) {
        settle(q);
        query_end(q);
    }
    rb_resolver_rearm(r);
}

static bool is_name(const char *name)
{
    size_t len = strlen(name), label = 0;
    bool good = len > 0 && len <= NAME_MAX_BYTES && name[0] != '.';
    for (size_t i = 0; good && i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        good = c > ' ' && c < 0x7f && c != '/' && c != '@' && c != ':';
        label = c == '.' ? 0 : label + 1;
        good = good && label <= 63 && !(c == '.' && name[i + 1] == '.');
    }
    return good;
}

struct rb_lookup *rb_lookup_start(struct rb_resolver *r, const char *name, double timeout, rb_looked_up *done,
                                  void *user)
{
    struct rb_lookup *l = rb_xcalloc(1, sizeof *l);
    l->resolver = r;
    l->timeout = timeout;
    l->done = done;
    l->user = user;
    rb_resolver_timer_open(r, &l->timer, l);
    if (rb_address_parse(name, &l->found.list[0])) {
        l->found.count = 1;
        answer_soon(l);
        return l;
    }
    if (!is_name(name)) {
        rb_err_set(&l->err, RB_EDNS, RB_T_http_dns_no_name, name);
        answer_soon(l);
        return l;
    }
    if (is_local(name)) {
        find_local(r, name, &l->found);
        answer_soon(l);
        return l;
    }
    memcpy(l->name, name, strlen(name));
    struct rb_query *q = query_of(r, name);
    uv_timer_start(&l->timer, too_late, (uint64_t)(timeout * 1000), 0);
    if (q) {
        l->query = q;
        l->next = q->lookups;
        q->lookups = l;
    } else {
        ask(r, l);
    }
    return l;
}

void rb_lookup_cancel(struct rb_lookup *lookup)
{
    unlink_lookup(lookup);
    uv_timer_stop(&lookup->timer);
    uv_close((uv_handle_t *)&lookup->timer, lookup_closed);
}

/* ---- life ---- */

struct rb_resolver *rb_resolver_new(uv_loop_t *loop, const char *servers, struct rb_err *err)
{
    struct rb_resolver *r = rb_xcalloc(1, sizeof *r);
    r->loop = loop;
    (void)ares_library_init(ARES_LIB_INIT_ALL); /* counts; does nothing outside Windows */
    if (rb_resolver_channel_open(r, servers, err) != 0) {
        ares_library_cleanup();
        free(r);
        return NULL;
    }
    rb_resolver_timer_open(r, &r->timer, r);
    return r;
}

void rb_resolver_close(struct rb_resolver *r)
{
    r->closing = true;
    for (struct rb_query *q = r->queries; q; q = q->next) {
        while (q->lookups) {
            rb_lookup_cancel(q->lookups);
        }
    }
    while (r->answered) {
        rb_lookup_cancel(r->answered);
    }
    rb_resolver_channel_close(r);
}
