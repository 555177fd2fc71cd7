/* How requests are signed. Pure; the published test vectors are in tests/bindings/test_notify_render.c. */
#ifndef RB_BINDINGS_NOTIFY_SIGN_H
#define RB_BINDINGS_NOTIFY_SIGN_H

#include <stdint.h>

#include "base/buf.h"

/* base64(HMAC(key = secret, message = "<milliseconds>\n<secret>")); malloc'ed, not yet encoded for a URL. */
char *rb_notify_sign_dingtalk(const char *secret, int64_t ms);
/* base64(HMAC(key = "<seconds>\n<secret>", message = "")): not the same as DingTalk. */
char *rb_notify_sign_feishu(const char *secret, int64_t seconds);
/* Standard Webhooks: "v1,…"; secret "whsec_" and base64. NULL with RB_EUSAGE when it is none. */
char *rb_notify_sign_webhook(const char *secret, const char *id, int64_t seconds, const struct rb_buf *body,
                             struct rb_err *err);

#endif
