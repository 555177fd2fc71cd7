/* Mail headers (RFC 5322, 2047): pure, and no value can become a line of its own. */
#ifndef RB_BINDINGS_NOTIFY_MAIL_H
#define RB_BINDINGS_NOTIFY_MAIL_H

#include "base/json.h"

/* A plain address, or "Name <address>": the address goes to out (borrowed parts are copied), the name to name. Refuses
 * what could be anything else: control characters, several addresses, quotes. RB_EUSAGE. */
int rb_mail_address(const char *text, char out[256], struct rb_buf *name, struct rb_err *err);
/* "Name: value" and its line end; value as ASCII where it is, else as encoded words of at most 75 characters, each of
 * whole UTF-8 characters, one a line. */
void rb_mail_header(struct rb_buf *out, const char *name, const char *value);
/* base64 in lines of 76. */
void rb_mail_base64(struct rb_buf *out, const void *data, size_t len);
/* "Thu, 09 Oct 2025 16:53:20 +0800" on this machine's clock. */
void rb_mail_date(struct rb_buf *out, int64_t us);

#endif
