#include "net/fault.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"

/* Before anything was sent. What is not here broke in the middle: RB_ERESET. */
static const struct {
    CURLcode curl;
    int code;
    enum rb_text_id text, hint;
} faults[] = {
    {CURLE_COULDNT_RESOLVE_HOST, RB_EDNS, RB_T_http_dns_failed, RB_T_http_dns_hint},
    {CURLE_COULDNT_RESOLVE_PROXY, RB_EDNS, RB_T_http_dns_failed, RB_T_http_dns_hint},
    {CURLE_SSL_CONNECT_ERROR, RB_ETLS, RB_T_http_tls, RB_T_none},
    {CURLE_PEER_FAILED_VERIFICATION, RB_ETLS, RB_T_http_tls, RB_T_http_tls_hint},
    {CURLE_SSL_CACERT_BADFILE, RB_ETLS, RB_T_http_tls, RB_T_http_tls_ca_hint},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, RB_ETLS, RB_T_http_tls_pin, RB_T_http_tls_pin_hint},
    {CURLE_SSL_ISSUER_ERROR, RB_ETLS, RB_T_http_tls, RB_T_http_tls_hint},
    {CURLE_SSL_CERTPROBLEM, RB_ETLS, RB_T_http_tls, RB_T_none},
    {CURLE_SSL_CIPHER, RB_ETLS, RB_T_http_tls, RB_T_none},
    {CURLE_SSL_INVALIDCERTSTATUS, RB_ETLS, RB_T_http_tls, RB_T_none},
    {CURLE_SSL_ENGINE_INITFAILED, RB_ETLS, RB_T_http_tls, RB_T_none},
    {CURLE_USE_SSL_FAILED, RB_ETLS, RB_T_http_tls, RB_T_none},
    {CURLE_LOGIN_DENIED, RB_EAUTH, RB_T_http_login, RB_T_none},
    {CURLE_REMOTE_ACCESS_DENIED, RB_EDENIED, RB_T_http_login, RB_T_none},
    {CURLE_OUT_OF_MEMORY, RB_EMEMORY, RB_T_http_other, RB_T_none},
};

/* Why there is no connection. */
static const struct {
    int errnum, code;
    enum rb_text_id text, hint;
} connects[] = {
    {ECONNREFUSED, RB_EREFUSED, RB_T_http_refused, RB_T_http_refused_hint},
    {EHOSTUNREACH, RB_EUNREACHABLE, RB_T_http_unreachable, RB_T_http_unreachable_hint},
    {ENETUNREACH, RB_EUNREACHABLE, RB_T_http_unreachable, RB_T_http_unreachable_hint},
    {EADDRNOTAVAIL, RB_EUNREACHABLE, RB_T_http_unreachable, RB_T_http_unreachable_hint},
    {ETIMEDOUT, RB_ETIMEOUT, RB_T_http_connect_timeout, RB_T_http_unreachable_hint},
    {ENOENT, RB_ENOT_FOUND, RB_T_http_no_socket, RB_T_none},
    {EACCES, RB_EDENIED, RB_T_http_connect_denied, RB_T_none},
    {EPERM, RB_EDENIED, RB_T_http_connect_denied, RB_T_none},
    {ECONNRESET, RB_ERESET, RB_T_http_connect_reset, RB_T_none},
};

static int no_connection(struct rb_err *err, const struct rb_fault *f, const char *words)
{
    int errnum = f->code == CURLE_OPERATION_TIMEDOUT ? ETIMEDOUT : (int)f->os_errno;
    for (size_t i = 0; i < sizeof connects / sizeof *connects; i++) {
        if (connects[i].errnum == errnum) {
            int code = errnum == ETIMEDOUT
                           ? rb_err_set(err, connects[i].code, connects[i].text, f->where, f->connect_timeout)
                           : rb_err_set(err, connects[i].code, connects[i].text, f->where);
            if (connects[i].hint) {
                rb_err_hint(err, connects[i].hint);
            }
            return code;
        }
    }
    return rb_err_set(err, RB_EUNREACHABLE, RB_T_http_no_connection, f->where, words);
}

static int explain(struct rb_err *err, const struct rb_fault *f, const char *words)
{
    if (!f->sent && (f->code == CURLE_COULDNT_CONNECT || f->code == CURLE_OPERATION_TIMEDOUT)) {
        return no_connection(err, f, words);
    }
    if (!f->sent && f->by_proxy && (f->code == CURLE_RECV_ERROR || f->code == CURLE_PROXY)) {
        return rb_err_set(err, RB_EREFUSED, RB_T_http_proxy_refused, f->where, words);
    }
    for (size_t i = 0; !f->sent && i < sizeof faults / sizeof *faults; i++) {
        if (faults[i].curl == f->code) {
            int code = rb_err_set(err, faults[i].code, faults[i].text, f->where, words);
            if (faults[i].hint) {
                rb_err_hint(err, faults[i].hint);
            }
            return code;
        }
    }
    return f->code == CURLE_GOT_NOTHING            ? rb_err_set(err, RB_ERESET, RB_T_http_nothing, f->where)
           : f->code == CURLE_UNSUPPORTED_PROTOCOL ? rb_err_set(err, RB_ERESET, RB_T_http_not_http, f->where)
                                                   : rb_err_set(err, RB_ERESET, RB_T_http_broke, f->where, words);
}

int rb_fault_set(struct rb_err *err, const struct rb_fault *fault)
{
    struct rb_buf clean;
    rb_buf_init(&clean, 4096);
    const char *words = fault->words && fault->words[0] ? fault->words : curl_easy_strerror(fault->code);
    (void)rb_utf8_clean(&clean, words, strlen(words), false); /* past the limit it is cut */
    int code = explain(err, fault, rb_buf_str(&clean));
    rb_buf_deinit(&clean);
    return code;
}
