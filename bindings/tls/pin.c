#include "tls/pin.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#define PREFIX "sha256//"
#define PIN_LEN (sizeof PREFIX - 1 + 44) /* 32 bytes in base64 */

static bool pin_of(const SSL *ssl, char out[PIN_LEN + 1])
{
    unsigned char *der = NULL, digest[32];
    unsigned size = 0;
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    int len = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der) : -1;
    bool known = len > 0 && EVP_Digest(der, (size_t)len, digest, &size, EVP_sha256(), NULL) == 1;
    if (known) {
        memcpy(out, PREFIX, sizeof PREFIX);
        (void)EVP_EncodeBlock((unsigned char *)out + sizeof PREFIX - 1, digest, (int)size);
    }
    OPENSSL_free(der);
    X509_free(certificate);
    return known;
}

int rb_tls_pin_check(const SSL *ssl, const char *pin, const char *where, struct rb_err *err)
{
    char own[PIN_LEN + 1] = "";
    bool known = ssl && pin_of(ssl, own), fits = false;
    for (const char *at = pin; *at; at += strspn(at, ";")) {
        size_t len = strcspn(at, ";");
        if (len != PIN_LEN || strncmp(at, PREFIX, sizeof PREFIX - 1) != 0) {
            return rb_err_set(err, RB_EUSAGE, RB_T_servers_tls_pin_form, where);
        }
        fits = fits || (known && strncmp(at, own, PIN_LEN) == 0);
        at += len;
    }
    return fits ? 0 : rb_err_set(err, RB_ETLS, RB_T_servers_tls_pin_other, where, own);
}
