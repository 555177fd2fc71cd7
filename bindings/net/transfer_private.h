/* Private to transfer.c (the way of an exchange), request.c (what libcurl is told) and answer.c (what it
 * hands over). */
#ifndef RB_BINDINGS_NET_TRANSFER_PRIVATE_H
#define RB_BINDINGS_NET_TRANSFER_PRIVATE_H

#include "net/transfer.h"
#include "net/url.h"

#define RB_HEADERS_MAX (64u << 10) /* of one answer, the informational ones before it included */

struct rb_transfer {
    struct rb_net_job job; /* first: what libcurl's private pointer leads to */
    struct rb_net *net;
    struct rb_lookup *lookup;
    struct rb_url url;
    char *contact, *contact_port; /* whom a connection is made to: the host of the URL, or a proxy; NULL: a
                                     UNIX socket */
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

/* request.c: method, headers, TLS, version and whom to contact, from the specification. */
int rb_transfer_set_up(struct rb_transfer *t, const struct rb_transfer_spec *spec, struct rb_err *err);

/* answer.c: callbacks of libcurl, and what it knows once it is done. */
size_t rb_transfer_on_header(char *data, size_t size, size_t count, void *user);
size_t rb_transfer_on_body(char *data, size_t size, size_t count, void *user);
void rb_transfer_read_remote(struct rb_transfer *t);
void rb_transfer_read_answer(struct rb_transfer *t);

#endif
