/* Seals: signed checkpoints of the chain. The chain alone proves that nothing before its newest event was changed;
 * a seal also proves which event was the newest, so that a tail that was cut off or computed anew is found.
 *
 * One line of text a seal, appended to <journal>.seals and to every second sink:
 *
 *   runbook-seal/1 ORIGIN N ID HASH TIME SIGNER NEXT SIGNATURE
 *
 * ORIGIN is the hash of the journal's first event, N counts from 1, ID and HASH are those of the newest event, TIME is
 * UTC, SIGNER and NEXT are Ed25519 public keys, SIGNATURE covers all bytes before its blank. Each seal announces the
 * key of the next one, and a key that was used is erased: whoever takes over the machine later cannot seal the past
 * anew. The first SIGNER, kept elsewhere, is all that a verifier needs to trust. */
#ifndef RB_JOURNAL_SEAL_H
#define RB_JOURNAL_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define SEAL_KEY_SIZE 32
#define SEAL_SIGNATURE_SIZE 64
#define SEAL_LINE_MAX 640 /* with its newline and NUL */

struct seal {
    unsigned char origin[RB_HASH_SIZE], hash[RB_HASH_SIZE];
    uint64_t n;
    int64_t id, utc_us;
    unsigned char signer[SEAL_KEY_SIZE], next[SEAL_KEY_SIZE], signature[SEAL_SIGNATURE_SIZE];
};

/* The line with its newline; its length. */
size_t seal_format(const struct seal *seal, char out[SEAL_LINE_MAX]);
/* Signs with the seed of seal->signer, which it sets. */
void seal_sign(struct seal *seal, const unsigned char seed[SEAL_KEY_SIZE]);
/* A line without its newline: 0, or -1 when it is not exactly what seal_format writes or the signature is not SIGNER's.
 */
int seal_parse(const char *line, size_t len, struct seal *out);
/* The public key of a seed, and the seed after it. */
void seal_public(const unsigned char seed[SEAL_KEY_SIZE], unsigned char out[SEAL_KEY_SIZE]);
void seal_next_seed(const unsigned char seed[SEAL_KEY_SIZE], unsigned char out[SEAL_KEY_SIZE]);

#endif
