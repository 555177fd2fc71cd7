/* "sha256//BASE64" of a server's public key, as curl writes it; several with ; between them. */
#ifndef RB_BINDINGS_TLS_PIN_H
#define RB_BINDINGS_TLS_PIN_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include "base/err.h"

/* Is the key of the other side one of pin's? RB_ETLS with its own pin; RB_EUSAGE when pin cannot be read. */
int rb_tls_pin_check(const SSL *ssl, const char *pin, const char *where, struct rb_err *err);

#endif
