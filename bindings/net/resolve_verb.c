/* net.resolve */
#include "bind.h"
#include "net/look.h"
#include "net/net.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"

struct question {
    struct rb_call *call;
    struct rb_resolver *own; /* when another server is asked than the system's */
    struct rb_lookup *lookup;
    int64_t since_ns;
    char *name, *server;
};

static void question_free(struct question *q)
{
    rb_call_data_set(q->call, NULL);
    if (q->lookup) {
        rb_lookup_cancel(q->lookup);
    }
    if (q->own) {
        rb_resolver_close(q->own);
    }
    free(q->name);
    free(q->server);
    free(q);
}

static void answered(void *user, const struct rb_addresses *found, const struct rb_err *err)
{
    struct question *q = user;
    struct rb_call *call = q->call;
    q->lookup = NULL;
    if (err) {
        question_free(q);
        rb_call_fail(call, err);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < found->count; i++) {
        json_array_append_new(list, json_string(found->list[i].text));
    }
    json_t *value = json_pack("{s:s, s:o, s:I}", "name", q->name, "addresses", list, "ms",
                              (json_int_t)((rb_clock_mono_ns() - q->since_ns) / 1000000));
    if (q->server) {
        json_object_set_new(value, "server", json_string(q->server));
    }
    question_free(q);
    rb_call_done(call, value);
}

int rb_net_resolve(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    const char *server = rb_json_str(args, "server", NULL), *name = rb_json_str(args, "name", "");
    struct rb_net *net = rb_net_of(call, err);
    struct rb_resolver *own = net && server ? rb_resolver_new(rb_call_loop(call), server, err) : NULL;
    struct rb_resolver *resolver = server ? own : net ? rb_net_resolver(net, err) : NULL;
    if (!resolver) {
        return err->code;
    }
    struct question *q = rb_xcalloc(1, sizeof *q);
    q->call = call;
    q->own = own;
    q->since_ns = rb_clock_mono_ns();
    q->name = rb_xstrdup(name);
    q->server = server ? rb_xstrdup(server) : NULL;
    rb_call_data_set(call, q);
    /* A little before the call's own deadline: "no answer from the name servers" says more than "not done". */
    q->lookup = rb_lookup_start(resolver, name, rb_bind_real(args, "timeout", 10) * 0.95, answered, q);
    return 0;
}

void rb_net_resolve_cancel(struct rb_call *call)
{
    struct question *q = rb_call_data(call);
    struct rb_err err = {0};
    if (q) {
        rb_err_set(&err, RB_ECANCELLED, RB_T_http_stopped, q->name);
        question_free(q);
        rb_call_fail(call, &err);
    }
}
