/* The hash of a row. An outside verifier needs this page and SHA-256, no JSON. */
#include <string.h>

#include <nettle/sha2.h>

#include "journal/private.h"

static void put(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        at[i] = (unsigned char)(value >> (8 * i));
    }
}

/* id, seq, utc, mono (8 bytes each, little endian), the body's digest (32), the lengths of run, kind
 * and actor (4 each), then run, kind and actor. The body counts by its digest, so that retention can
 * drop it. All is of known length before it is read: no two rows have the same bytes. */
static void chain_row_digest(const struct chain_row *row, unsigned char out[RB_HASH_SIZE])
{
    unsigned char head[4 * 8 + RB_HASH_SIZE + 3 * 4];
    put(head, (uint64_t)row->id, 8);
    put(head + 8, (uint64_t)row->seq, 8);
    put(head + 16, (uint64_t)row->utc_us, 8);
    put(head + 24, (uint64_t)row->mono_ns, 8);
    memcpy(head + 32, row->digest, RB_HASH_SIZE);
    put(head + 64, row->run_len, 4);
    put(head + 68, row->kind_len, 4);
    put(head + 72, row->actor_len, 4);
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, sizeof head, head);
    sha256_update(&ctx, row->run_len, row->run);
    sha256_update(&ctx, row->kind_len, row->kind);
    sha256_update(&ctx, row->actor_len, row->actor);
    sha256_digest(&ctx, RB_HASH_SIZE, out);
}

void chain_hash(const struct chain_row *row, const unsigned char previous[RB_HASH_SIZE],
                unsigned char out[RB_HASH_SIZE])
{
    unsigned char link[1 + 2 * RB_HASH_SIZE] = {0};
    memcpy(link + 1, previous, RB_HASH_SIZE);
    chain_row_digest(row, link + 1 + RB_HASH_SIZE);
    rb_hash(link, sizeof link, out);
}
