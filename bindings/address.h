/* An IP address, as text and as the kernel takes it. */
#ifndef RB_BINDINGS_ADDRESS_H
#define RB_BINDINGS_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define RB_ADDRESS_MAX 64 /* of a text */

struct rb_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;                      /* port 0 */
    char text[RB_ADDRESS_MAX]; /* "127.0.0.1", "::1", "fe80::1%eth0" */
};

/* Is text an address? Then *out is it. */
bool rb_address_parse(const char *text, struct rb_address *out);
/* This machine itself, or the link it is on (where clouds keep their credentials): loopback, link-local, unspecified.
 */
bool rb_address_is_inner(const struct rb_address *address);
size_t rb_address_size(const struct rb_address *address);
/* Is there a way to it from this machine? Nothing is sent. */
bool rb_address_has_route(const struct rb_address *address);

#endif
