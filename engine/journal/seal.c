/* The line of a seal: written, signed, read back and checked. No files, no database. */
#include "journal/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <nettle/eddsa.h>

#include "base/clock.h"

#define HEAD_MAX (SEAL_LINE_MAX - 2 * SEAL_SIGNATURE_SIZE - 3)

static void hex(const unsigned char *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static int unhex(const char *text, unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned value;
        if (strspn(text + 2 * i, "0123456789abcdef") < 2 || sscanf(text + 2 * i, "%2x", &value) != 1) {
            return -1;
        }
        out[i] = (unsigned char)value;
    }
    return 0;
}

/* What the signature covers; its length. */
static size_t format_head(const struct seal *seal, char out[HEAD_MAX])
{
    char origin[RB_HEX_SIZE], hash[RB_HEX_SIZE], signer[RB_HEX_SIZE], next[RB_HEX_SIZE], time[RB_TIME_MAX];
    rb_hex(seal->origin, origin);
    rb_hex(seal->hash, hash);
    rb_hex(seal->signer, signer);
    rb_hex(seal->next, next);
    rb_clock_format(seal->utc_us, 1, time);
    return (size_t)snprintf(out, HEAD_MAX, "runbook-seal/1 %s %" PRIu64 " %" PRId64 " %s %s %s %s", origin, seal->n,
                            seal->id, hash, time, signer, next);
}

size_t seal_format(const struct seal *seal, char out[SEAL_LINE_MAX])
{
    char head[HEAD_MAX], signature[2 * SEAL_SIGNATURE_SIZE + 1];
    format_head(seal, head);
    hex(seal->signature, SEAL_SIGNATURE_SIZE, signature);
    return (size_t)snprintf(out, SEAL_LINE_MAX, "%s %s\n", head, signature);
}

void seal_public(const unsigned char seed[SEAL_KEY_SIZE], unsigned char out[SEAL_KEY_SIZE])
{
    ed25519_sha512_public_key(out, seed);
}

/* One way: from the seed of today nobody finds yesterday's. */
void seal_next_seed(const unsigned char seed[SEAL_KEY_SIZE], unsigned char out[SEAL_KEY_SIZE])
{
    unsigned char input[1 + SEAL_KEY_SIZE] = {1};
    memcpy(input + 1, seed, SEAL_KEY_SIZE);
    rb_hash(input, sizeof input, out);
}

void seal_sign(struct seal *seal, const unsigned char seed[SEAL_KEY_SIZE])
{
    char head[HEAD_MAX];
    unsigned char after[SEAL_KEY_SIZE];
    seal_public(seed, seal->signer);
    seal_next_seed(seed, after);
    seal_public(after, seal->next);
    size_t len = format_head(seal, head);
    ed25519_sha512_sign(seal->signer, seed, len, (const unsigned char *)head, seal->signature);
}

int seal_parse(const char *line, size_t len, struct seal *out)
{
    char text[SEAL_LINE_MAX], again[SEAL_LINE_MAX], head[HEAD_MAX];
    char origin[RB_HEX_SIZE], hash[RB_HEX_SIZE], time[RB_TIME_MAX], signer[RB_HEX_SIZE], next[RB_HEX_SIZE],
        signature[2 * SEAL_SIGNATURE_SIZE + 1];
    if (len >= SEAL_LINE_MAX - 1) {
        return -1;
    }
    memcpy(text, line, len);
    text[len] = 0;
    int found = sscanf(text, "runbook-seal/1 %64s %" SCNu64 " %" SCNd64 " %64s %31s %64s %64s %128s", origin, &out->n,
                       &out->id, hash, time, signer, next, signature);
    if (found != 8 || unhex(origin, out->origin, RB_HASH_SIZE) || unhex(hash, out->hash, RB_HASH_SIZE) ||
        unhex(signer, out->signer, SEAL_KEY_SIZE) || unhex(next, out->next, SEAL_KEY_SIZE) ||
        unhex(signature, out->signature, SEAL_SIGNATURE_SIZE) || rb_clock_parse(time, &out->utc_us)) {
        return -1;
    }
    /* One way to write each seal: whatever reads back otherwise is refused. */
    size_t written = seal_format(out, again);
    size_t covered = format_head(out, head);
    bool exact = written == len + 1 && memcmp(again, text, len) == 0;
    return exact && ed25519_sha512_verify(out->signer, covered, (const unsigned char *)head, out->signature) ? 0 : -1;
}
