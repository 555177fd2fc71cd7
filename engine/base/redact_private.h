/* What the parts of redact share: the tree of secrets (redact.c), what goes through it (redact_read.c), and what is
 * held back until it is known (redact_stream.c). */
#ifndef RB_BASE_REDACT_PRIVATE_H
#define RB_BASE_REDACT_PRIVATE_H

#include <stdint.h>

#include "base/redact.h"

struct rb_redact_node {
    uint32_t child, sibling; /* index of the first child, of the next one; 0 = none */
    uint32_t fail;           /* the longest suffix that is in the tree too */
    uint32_t depth;
    uint32_t match; /* the longest secret that ends here: its length; 0 = none */
    uint16_t name;  /* of that */
    unsigned char byte;
};

struct rb_redact {
    struct rb_redact_node *nodes; /* 0 is the root */
    size_t count, cap;
    uint32_t first[256]; /* children of the root */
    char **names;
    size_t name_count;
    size_t longest;
    struct rb_redact_stream *whole; /* for whole texts, used again and again */
};

enum rb_redact_reading { PLAIN, UNWRAPPED, PERCENT, BACKSLASH, READINGS };

struct rb_redact_way {
    uint32_t node;
    uint64_t *from; /* where each of the last symbols began, as many as the longest secret has */
    size_t next;    /* symbols read so far */
    size_t gap;     /* UNWRAPPED: line ends since the last symbol */
    size_t escape;  /* PERCENT, BACKSLASH: bytes of an escape that is not complete */
    uint64_t escape_at;
    unsigned char text[12];
};

struct rb_redact_stream {
    const struct rb_redact *r;
    struct rb_redact_way ways[READINGS];
    unsigned char *held;
    uint16_t *mark; /* the secret a held byte belongs to, 0 = none */
    size_t len, cap;
    uint64_t base;  /* bytes before held[0] */
    size_t ring;    /* of from */
    uint16_t shown; /* the secret whose name was the last thing written */
};

/* Where the tree stands after one more byte. */
uint32_t rb_redact_step(const struct rb_redact *r, uint32_t node, unsigned char byte);
/* A secret that is longer than all before may have come since the last chunk. */
void rb_redact_fit(struct rb_redact_stream *s);
/* One byte, held back and seen by all readings. */
void rb_redact_read(struct rb_redact_stream *s, unsigned char c);
/* An escape that was none: its bytes are symbols after all. */
void rb_redact_give_back(struct rb_redact_stream *s, struct rb_redact_way *w);

#endif
