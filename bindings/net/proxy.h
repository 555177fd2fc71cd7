/* Proxies from the environment. */
#ifndef RB_BINDINGS_NET_PROXY_H
#define RB_BINDINGS_NET_PROXY_H

#include "net/url.h"

/* http_proxy, https_proxy, all_proxy and no_proxy, in lower case first. Never for this machine itself.
 * NULL: contact it directly. Borrowed from the environment; it may hold a password. */
const char *rb_proxy_for(const struct rb_url *url);
/* host and port of a proxy, for the resolver and for people; malloc'ed. RB_EUSAGE. */
int rb_proxy_parse(const char *proxy, char **host, char **port, struct rb_err *err);

#endif
