/* One exchange by libcurl on the host's loop: a request and its answer, never repeated, never led elsewhere. http, rpc,
 * notify (SMTP too) and ws (the connection only) are built on it. The name is resolved by resolve.h and libcurl
 * contacts exactly those addresses; TLS is verified; headers, body and time have limits. */
#ifndef RB_BINDINGS_NET_TRANSFER_H
#define RB_BINDINGS_NET_TRANSFER_H

#include "base/buf.h"
#include "net/net.h"

struct rb_transfer;

struct rb_answer {
    long status;                     /* of HTTP, or the last reply of SMTP */
    const char *http;                /* "1.0" "1.1" "2" "3" */
    json_t *headers;                 /* rb_headers_value */
    struct rb_buf body;              /* decoded */
    bool cut;                        /* the body was longer than max_body */
    char *url;                       /* what was asked for */
    char remote[RB_ADDRESS_MAX + 8]; /* "127.0.0.1:443", "[::1]:80" */
    char *proxy;                     /* "host:port", or NULL */
    json_t *certificate;             /* {subject, issuer, names, starts_at, expires_at, days} or NULL */
    double dns, connect, tls;        /* seconds that each of them took */
    double first_byte, total;        /* seconds since the start */
};

/* Once, never inside rb_transfer_start. err: nothing came that could be called an answer; the answer holds what is
 * known. */
typedef void rb_transfer_done(struct rb_transfer *transfer, const struct rb_err *err, void *user);

/* Everything is copied; what is 0 or NULL has a default. */
struct rb_transfer_spec {
    const char *url;
    const char *schemes;   /* what url may be, default "http https" */
    const char *method;    /* default GET */
    const json_t *headers; /* rb_headers_out */
    const void *body;      /* NULL: none */
    size_t body_len;
    const char *socket;     /* a UNIX socket is contacted instead of host and port */
    const char *ca;         /* file with the certificates that are trusted, default those of the system */
    const char *pin;        /* "sha256//BASE64=" of the server's public key, several with ; between them */
    bool insecure;          /* the certificate is not checked; for the caller to remark */
    const char *version;    /* "1.0" "1.1" "2" (without TLS: by prior knowledge), default what both sides can */
    double connect_timeout; /* name, connection and TLS; default 10 s */
    size_t max_body;        /* decoded; default 1 MiB */
    bool cut_body;          /* what is longer is cut, instead of an error */
    bool reuse;  /* a connection that stands may be used: libcurl asks again on a new one when it turns out to
                    be dead, so only where asking twice is harmless */
    bool direct; /* never by a proxy */
    bool outer;  /* never to this machine or its link (rb_address_is_inner), for who is led there from elsewhere */
    bool connect_only; /* done once connected; talk by curl_easy_send and curl_easy_recv on rb_transfer_easy */
    void (*prepare)(CURL *easy, void *user); /* more options of libcurl */
    rb_transfer_done *done;
    void *user;
};

/* NULL with RB_EUSAGE, RB_EMISSING, RB_EDNS. */
struct rb_transfer *rb_transfer_start(struct rb_call *call, const struct rb_transfer_spec *spec, struct rb_err *err);
/* Also while it runs: then done is not called. Not from a callback of libcurl. */
void rb_transfer_free(struct rb_transfer *transfer);

struct rb_answer *rb_transfer_answer(struct rb_transfer *transfer);
/* May anything of the request have been sent? */
bool rb_transfer_sent(struct rb_transfer *transfer);
/* For cancel: how far it came, as RB_ETIMEOUT when the call's deadline passed, else RB_ECANCELLED. */
int rb_transfer_stopped(struct rb_transfer *transfer, const struct rb_call *call, struct rb_err *err);
CURL *rb_transfer_easy(struct rb_transfer *transfer);

#endif
