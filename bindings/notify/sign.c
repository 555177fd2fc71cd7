#include "notify/sign.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"

#define SECRET_MAX 4096

static char *signed_text(const void *key, size_t key_len, const void *message, size_t len)
{
    unsigned char mac[RB_HASH_SIZE];
    rb_hmac(key, key_len, message, len, mac);
    return rb_base64(mac, sizeof mac);
}

static void stamped(struct rb_buf *out, int64_t time, const char *secret)
{
    rb_buf_init(out, SECRET_MAX);
    (void)rb_buf_addf(out, "%" PRId64 "\n", time);
    (void)rb_buf_adds(out, secret);
}

char *rb_notify_sign_dingtalk(const char *secret, int64_t ms)
{
    struct rb_buf message;
    stamped(&message, ms, secret);
    char *sign = signed_text(secret, strlen(secret), rb_buf_str(&message), message.len);
    rb_buf_deinit(&message);
    return sign;
}

char *rb_notify_sign_feishu(const char *secret, int64_t seconds)
{
    struct rb_buf key;
    stamped(&key, seconds, secret);
    char *sign = signed_text(rb_buf_str(&key), key.len, "", 0);
    rb_buf_deinit(&key);
    return sign;
}

static int webhook_key(struct rb_buf *key, const char *secret, struct rb_err *err)
{
    static const char prefix[] = "whsec_";
    bool known = strncmp(secret, prefix, sizeof prefix - 1) == 0;
    json_t *encoded = known ? json_pack("{s:s}", "$b64", secret + sizeof prefix - 1) : NULL;
    int rc = encoded ? rb_json_bytes_get(encoded, key) : RB_EUSAGE;
    json_decref(encoded);
    return rc == 0 && key->len > 0 ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_notify_webhook_secret);
}

char *rb_notify_sign_webhook(const char *secret, const char *id, int64_t seconds, const struct rb_buf *body,
                             struct rb_err *err)
{
    struct rb_buf key, message;
    char *out = NULL;
    rb_buf_init(&key, SECRET_MAX);
    rb_buf_init(&message, 8 << 20);
    if (webhook_key(&key, secret, err) == 0) {
        (void)rb_buf_addf(&message, "%s.%" PRId64 ".", id, seconds);
        (void)rb_buf_add(&message, body->data, body->len);
        char *sign = signed_text(key.data, key.len, message.data, message.len);
        out = rb_xcalloc(1, strlen(sign) + 4);
        memcpy(out, "v1,", 3);
        memcpy(out + 3, sign, strlen(sign));
        free(sign);
    }
    rb_buf_deinit(&key);
    rb_buf_deinit(&message);
    return out;
}
