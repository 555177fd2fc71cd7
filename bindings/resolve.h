/* Host names -> addresses, once for every client that connects: on the loop, without threads, with a deadline.
 * Whoever connects contacts exactly the addresses it was given here. /etc/hosts is honoured; a name that several
 * wait for is asked for once. */
#ifndef RB_BINDINGS_RESOLVE_H
#define RB_BINDINGS_RESOLVE_H

#include <stddef.h>

#include <uv.h>

#include "address.h"
#include "base/err.h"

#define RB_ADDRESSES_MAX 16

/* In the order in which they should be tried. */
struct rb_addresses {
    size_t count;
    struct rb_address list[RB_ADDRESSES_MAX];
};

struct rb_resolver;
struct rb_lookup;

/* Once, never from inside rb_lookup_start: what was found, or NULL and RB_EDNS. The lookup is over. */
typedef void rb_looked_up(void *user, const struct rb_addresses *found, const struct rb_err *err);

/* servers: "127.0.0.1:5353,[::1]:53", or NULL for $RUNBOOK_NAMESERVERS, else those of the system.
 * NULL: RB_EUSAGE (servers that cannot be read) or RB_EDNS. */
struct rb_resolver *rb_resolver_new(uv_loop_t *loop, const char *servers, struct rb_err *err);
/* Lookups under way end without a word. Its handles close on the loop, then it is freed. */
void rb_resolver_close(struct rb_resolver *resolver);

/* name: a host name in ASCII, or an address ("[::1]" too), which passes through. Never NULL. */
struct rb_lookup *rb_lookup_start(struct rb_resolver *resolver, const char *name, double timeout, rb_looked_up *done,
                                  void *user);
/* done is not called any more. */
void rb_lookup_cancel(struct rb_lookup *lookup);

#endif
