#include "tls/stream.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/json.h"
#include "tls/pin.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

struct rb_tls {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out; /* the wire; owned by ssl */
    char *pin, *where;
    bool ready;
};

/* OpenSSL's own words, or what was wrong with the certificate. */
static int say(const struct rb_tls *tls, struct rb_err *err)
{
    char words[256];
    long result = tls->ssl ? SSL_get_verify_result(tls->ssl) : X509_V_OK;
    unsigned long last = ERR_get_error();
    const char *reason = ERR_reason_error_string(last);
    ERR_error_string_n(last, words, sizeof words);
    ERR_clear_error();
    if (result != X509_V_OK) {
        reason = X509_verify_cert_error_string(result);
    }
    return rb_err_foreign(err, RB_ETLS, "%s: TLS: %s", tls->where, reason ? reason : words);
}

static bool set_name(SSL *ssl, const char *host, bool verify)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host)) {
        return true; /* an address: no name to be told to the server */
    }
    ERR_clear_error();
    return (!verify || SSL_set1_host(ssl, host)) && SSL_set_tlsext_host_name(ssl, host);
}

static int set_up(struct rb_tls *tls, const json_t *options, const char *host, struct rb_err *err)
{
    bool verify = strcmp(rb_json_str(options, "mode", "verify"), "verify") == 0;
    tls->context = SSL_CTX_new(TLS_client_method());
    RB_REQUIRE(tls->context && SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION));
    if (verify && !SSL_CTX_load_verify_locations(tls->context, rb_json_str(options, "ca", SYSTEM_CA), NULL)) {
        return say(tls, err);
    }
    tls->ssl = SSL_new(tls->context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    RB_REQUIRE(tls->ssl && tls->in && tls->out);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    SSL_set_verify(tls->ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return set_name(tls->ssl, host, verify) ? 0 : say(tls, err);
}

struct rb_tls *rb_tls_new(const json_t *options, const char *host, const char *where, struct rb_err *err)
{
    struct rb_tls *tls = rb_xcalloc(1, sizeof *tls);
    const char *pin = rb_json_str(options, "pin", NULL);
    tls->pin = pin ? rb_xstrdup(pin) : NULL;
    tls->where = rb_xstrdup(where);
    if (set_up(tls, options, host, err) != 0) {
        rb_tls_free(tls);
        return NULL;
    }
    (void)SSL_do_handshake(tls->ssl); /* writes the first message */
    return tls;
}

void rb_tls_free(struct rb_tls *tls)
{
    if (tls) {
        SSL_free(tls->ssl);
        SSL_CTX_free(tls->context);
        free(tls->pin);
        free(tls->where);
        free(tls);
    }
}

static int shake_hands(struct rb_tls *tls, struct rb_err *err)
{
    int rc = SSL_do_handshake(tls->ssl);
    if (rc != 1) {
        return SSL_get_error(tls->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : say(tls, err);
    }
    int pinned = tls->pin ? rb_tls_pin_check(tls->ssl, tls->pin, tls->where, err) : 0;
    tls->ready = pinned == 0;
    return pinned;
}

static int read_plain(struct rb_tls *tls, struct rb_buf *plain, struct rb_err *err)
{
    char chunk[16384];
    int n;
    while ((n = SSL_read(tls->ssl, chunk, sizeof chunk)) > 0) {
        RB_REQUIRE(rb_buf_add(plain, chunk, (size_t)n) == 0); /* no more than was fed */
    }
    int why = SSL_get_error(tls->ssl, n);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN ? 0 : say(tls, err);
}

int rb_tls_feed(struct rb_tls *tls, const char *data, size_t len, struct rb_buf *plain, struct rb_err *err)
{
    ERR_clear_error();
    RB_REQUIRE(BIO_write(tls->in, data, (int)len) == (int)len);
    int rc = tls->ready ? 0 : shake_hands(tls, err);
    return rc == 0 && tls->ready ? read_plain(tls, plain, err) : rc;
}

int rb_tls_send(struct rb_tls *tls, const char *data, size_t len, struct rb_err *err)
{
    ERR_clear_error();
    return len == 0 || SSL_write(tls->ssl, data, (int)len) == (int)len ? 0 : say(tls, err);
}

void rb_tls_take(struct rb_tls *tls, struct rb_buf *wire)
{
    char *data;
    long len = BIO_get_mem_data(tls->out, &data);
    if (len > 0 && rb_buf_add(wire, data, (size_t)len) == 0) {
        (void)BIO_reset(tls->out);
    }
}

bool rb_tls_is_ready(const struct rb_tls *tls)
{
    return tls->ready;
}
