/* A list of seals, read in step with the events. */
#ifndef RB_JOURNAL_SEAL_READ_H
#define RB_JOURNAL_SEAL_READ_H

#include <stdio.h>

#include "journal/seal.h"

struct seal_reader {
    FILE *file;      /* NULL: there is no list */
    const char *key; /* the first signer as noted elsewhere, or NULL */
    struct seal now;
    bool has;  /* now is a seal that was not compared yet */
    bool bad;  /* the list is broken, or an event is: why says how */
    long left; /* bytes that were there when it was opened: later seals speak of later events */
    int64_t line, count, sealed;
    char first[RB_HEX_SIZE], why[256];
};

/* required: a list that is not there is an error. */
int seal_reader_open(struct seal_reader *r, const char *path, const char *key, bool required, struct rb_err *err);
void seal_reader_close(struct seal_reader *r);
/* 1 with the next seal in now, 0 at the end, -1 when the list is broken. */
int seal_reader_next(struct seal_reader *r);
/* This event against the seals that speak of it; false when one does not agree, or the list is broken. */
bool seal_reader_check(struct seal_reader *r, int64_t id, const unsigned char hash[RB_HASH_SIZE]);

#endif
