/* SHA-256 (nettle), what is made of it, and random ids. */
#ifndef RB_BASE_HASH_H
#define RB_BASE_HASH_H

#include <stddef.h>

#define RB_HASH_SIZE 32
#define RB_HEX_SIZE 65 /* 64 digits and NUL */

void rb_hash(const void *data, size_t len, unsigned char out[RB_HASH_SIZE]);
void rb_hex(const unsigned char hash[RB_HASH_SIZE], char out[RB_HEX_SIZE]);
void rb_hash_hex(const void *data, size_t len, char out[RB_HEX_SIZE]);

/* HMAC-SHA-256. */
void rb_hmac(const void *key, size_t key_len, const void *data, size_t len, unsigned char out[RB_HASH_SIZE]);
/* Where a protocol of others asks for it (WebSocket). */
void rb_sha1(const void *data, size_t len, unsigned char out[20]);
/* Standard alphabet with padding; malloc'ed. */
char *rb_base64(const void *data, size_t len);

/* "r-" and 10 characters of base32 without look-alikes (50 bits from getrandom). */
#define RB_ID_MAX 16
void rb_id_new(char prefix, char out[RB_ID_MAX]);
/* The same, made of what it names: equal data has equal ids. */
void rb_id_of(char prefix, const void *data, size_t len, char out[RB_ID_MAX]);

#endif
