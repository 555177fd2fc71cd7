/* What one run has of the network: libcurl's multi handle on the host's loop, the resolver, certificates seen. */
#ifndef RB_BINDINGS_NET_NET_H
#define RB_BINDINGS_NET_NET_H

#include <curl/curl.h>

#include "binding.h"
#include "resolve.h"

struct rb_net;

/* Of the run that the call belongs to, made at its first call. NULL with err. */
struct rb_net *rb_net_of(struct rb_call *call, struct rb_err *err);
/* For struct rb_module. */
void rb_net_close(void *state);

/* NULL with err when it cannot start. */
struct rb_resolver *rb_net_resolver(struct rb_net *net, struct rb_err *err);
/* {"https://host:443": certificate}: a connection that is used again shows none. */
json_t *rb_net_certificates(struct rb_net *net);

/* What notify keeps for the run; *slot is NULL at first, release frees it. */
void **rb_net_kept(struct rb_net *net, void (*release)(void *slot));

/* An easy handle with its CURLOPT_PRIVATE pointing to one of these is watched; ended is called once, outside of
 * libcurl's own callbacks, with the handle out of the multi handle unless stay. */
struct rb_net_job {
    CURL *easy;
    bool stay; /* a connection to talk over (CURLOPT_CONNECT_ONLY) lives as long as its handle is here */
    void (*ended)(struct rb_net_job *job, CURLcode code);
};

/* A handle without options, perhaps one that was used before, and its way back, out of the multi handle. */
CURL *rb_net_easy(struct rb_net *net);
void rb_net_easy_back(struct rb_net *net, CURL *easy);

void rb_net_add(struct rb_net *net, struct rb_net_job *job);
void rb_net_remove(struct rb_net *net, struct rb_net_job *job);

#endif
