/* SHA-256, HMAC, base64 and random ids. */
#include "base/hash.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "base/buf.h"

void rb_hash(const void *data, size_t len, unsigned char out[RB_HASH_SIZE])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, len, data);
    sha256_digest(&ctx, RB_HASH_SIZE, out);
}

void rb_hex(const unsigned char hash[RB_HASH_SIZE], char out[RB_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < RB_HASH_SIZE; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[RB_HEX_SIZE - 1] = '\0';
}

void rb_hash_hex(const void *data, size_t len, char out[RB_HEX_SIZE])
{
    unsigned char hash[RB_HASH_SIZE];
    rb_hash(data, len, hash);
    rb_hex(hash, out);
}

void rb_hmac(const void *key, size_t key_len, const void *data, size_t len, unsigned char out[RB_HASH_SIZE])
{
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, key_len, key);
    hmac_sha256_update(&ctx, len, data);
    hmac_sha256_digest(&ctx, RB_HASH_SIZE, out);
}

void rb_sha1(const void *data, size_t len, unsigned char out[20])
{
    struct sha1_ctx ctx;
    sha1_init(&ctx);
    sha1_update(&ctx, len, data);
    sha1_digest(&ctx, SHA1_DIGEST_SIZE, out);
}

char *rb_base64(const void *data, size_t len)
{
    char *out = rb_xcalloc(1, BASE64_ENCODE_RAW_LENGTH(len) + 1);
    base64_encode_raw(out, len, data);
    return out;
}

#define ID_DIGITS 10

static void name(char prefix, const unsigned char bytes[ID_DIGITS], char out[RB_ID_MAX])
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* without i l o u */
    out[0] = prefix;
    out[1] = '-';
    for (size_t i = 0; i < ID_DIGITS; i++) {
        out[2 + i] = digits[bytes[i] & 31];
    }
    out[2 + ID_DIGITS] = '\0';
}

void rb_id_of(char prefix, const void *data, size_t len, char out[RB_ID_MAX])
{
    unsigned char hash[RB_HASH_SIZE];
    rb_hash(data, len, hash);
    name(prefix, hash, out);
}

void rb_id_new(char prefix, char out[RB_ID_MAX])
{
    unsigned char random[ID_DIGITS];
    ssize_t n;
    do {
        n = getrandom(random, sizeof random, 0);
    } while (n < 0 && errno == EINTR);
    RB_REQUIRE(n == (ssize_t)sizeof random);
    name(prefix, random, out);
}
