/* net.tcp and net.certificate: connections that say nothing. */
#include "net/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bind.h"
#include "net/transfer.h"

struct look {
    struct rb_call *call;
    struct rb_transfer *transfer;
    char *url, *ca;
    double timeout;
    char *problem; /* why the certificate is not valid; then it is looked at once more, unchecked */
    void (*answered)(struct look *look, const struct rb_err *err);
};

static void look_free(struct look *l)
{
    rb_call_data_set(l->call, NULL);
    if (l->transfer) {
        rb_transfer_free(l->transfer);
    }
    free(l->url);
    free(l->ca);
    free(l->problem);
    free(l);
}

static void end(struct look *l, json_t *value, const struct rb_err *err)
{
    struct rb_call *call = l->call;
    look_free(l);
    if (value) {
        rb_call_done(call, value);
    } else {
        rb_call_fail(call, err);
    }
}

static void done(struct rb_transfer *transfer, const struct rb_err *err, void *user)
{
    struct look *l = user;
    (void)transfer;
    l->answered(l, err);
}

static int connect_to(struct look *l, struct rb_err *err)
{
    struct rb_transfer_spec spec = {
        .url = l->url,
        .ca = l->ca,
        .insecure = l->problem,
        .connect_timeout = l->timeout * 0.95, /* before the call's own deadline: it says less */
        .direct = true,
        .connect_only = true,
        .done = done,
        .user = l,
    };
    l->transfer = rb_transfer_start(l->call, &spec, err);
    return l->transfer ? 0 : err->code;
}

static void set_place(json_t *value, const struct rb_answer *answer)
{
    json_object_set_new(value, "remote", json_string(answer->remote));
    json_object_set_new(value, "ms", json_integer((json_int_t)(answer->total * 1000)));
}

static void tcp_answered(struct look *l, const struct rb_err *err)
{
    if (err && err->code == RB_EDNS) {
        end(l, NULL, err);
        return;
    }
    json_t *value = json_pack("{s:b}", "open", !err);
    if (err) {
        json_object_set_new(value, "code", json_string(rb_err_name(err->code)));
        json_object_set_new(value, "message", json_string(err->text));
    }
    set_place(value, rb_transfer_answer(l->transfer));
    end(l, value, NULL);
}

static void look_again(struct look *l, const struct rb_err *why)
{
    struct rb_err err = {0};
    l->problem = rb_xstrdup(why->text);
    rb_transfer_free(l->transfer);
    l->transfer = NULL;
    if (connect_to(l, &err) != 0) {
        end(l, NULL, &err);
    }
}

static void certificate_answered(struct look *l, const struct rb_err *err)
{
    struct rb_err why = err ? *err : (struct rb_err){0};
    if (why.code == RB_ETLS && !l->problem) {
        look_again(l, &why);
        return;
    }
    struct rb_answer *answer = rb_transfer_answer(l->transfer);
    json_t *value = err ? NULL : json_copy(answer->certificate);
    if (value) {
        json_object_set_new(value, "valid", json_boolean(!l->problem));
        set_place(value, answer);
    } else if (!err) {
        rb_err_set(&why, RB_ETLS, RB_T_http_no_certificate, l->url);
    }
    if (value && l->problem) {
        json_object_set_new(value, "problem", json_string(l->problem));
    }
    end(l, value, &why);
}

static int start(struct rb_call *call, const json_t *args, const char *scheme,
                 void (*answered)(struct look *look, const struct rb_err *err), struct rb_err *err)
{
    const char *host = rb_json_str(args, "host", "");
    json_int_t port = rb_json_int(args, "port", 443);
    bool v6 = strchr(host, ':') && host[0] != '[';
    struct look *l = rb_xcalloc(1, sizeof *l);
    int rc = port > 0 && port < 65536 ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_http_port);
    if (rc == 0 && (!host[0] || strpbrk(host, "/?#@ \\"))) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_http_dns_no_name, host);
    }
    l->call = call;
    l->answered = answered;
    l->timeout = rb_bind_real(args, "timeout", !strcmp(scheme, "https") ? 15 : 5);
    l->ca = json_object_get(args, "ca") ? rb_xstrdup(rb_json_str(args, "ca", "")) : NULL;
    if (asprintf(&l->url, "%s://%s%s%s:%lld/", scheme, v6 ? "[" : "", host, v6 ? "]" : "", (long long)port) < 0) {
        l->url = NULL;
        rc = rb_err_set(err, RB_EMEMORY, RB_T_http_url_host);
    }
    rc = rc == 0 ? connect_to(l, err) : rc;
    if (rc != 0) {
        look_free(l);
        return rc;
    }
    rb_call_data_set(call, l);
    return 0;
}

int rb_net_tcp(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "http", tcp_answered, err);
}

int rb_net_certificate(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, "https", certificate_answered, err);
}

void rb_net_look_cancel(struct rb_call *call)
{
    struct look *l = rb_call_data(call);
    struct rb_err err = {0};
    if (l) {
        rb_transfer_stopped(l->transfer, call, &err);
        end(l, NULL, &err);
    }
}
