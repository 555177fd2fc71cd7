/* The text of one SQL statement, looked at before it is sent: where its values go, how it begins, what it
 * calls. Not a parser: it only tells words from strings, comments and quoted names, as the server would. */
#ifndef RB_BINDINGS_DATABASE_STATEMENT_H
#define RB_BINDINGS_DATABASE_STATEMENT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/buf.h"

/* How a server writes SQL. */
struct rb_dialect {
    bool mysql;                       /* backslashes in strings, "…" a string, # comments, `names`; else PostgreSQL */
    const char *const *reading;       /* how a reading statement begins */
    const char *const *never_reading; /* words that no reading statement holds */
    const char *const *transaction;   /* how a statement begins that opens or ends a transaction */
    const char *const *in_tx;         /* how a statement of tx begins; NULL: anything else */
    const char *const *keywords;      /* may stand before "(" without being a function; NULL: the server knows */
};

#define RB_STATEMENT_WORD 24

struct rb_statement {
    char first[RB_STATEMENT_WORD], second[RB_STATEMENT_WORD]; /* its first words, in capitals */
    char never[RB_STATEMENT_WORD];                            /* a word of never_reading, "" */
    struct rb_buf text;                                       /* with places as the server writes them */
    json_t *calls; /* names before "(", each once; folded as the server does */
    int places;    /* values it wants */
    bool several;  /* something follows a semicolon */
    bool odd;      /* holds what a reading statement must not: executable comments, U& names */
};

/* Reads text into *out, also on failure to be freed by rb_statement_free. RB_EUSAGE: empty, a string without
 * its end. */
int rb_statement_read(const struct rb_dialect *dialect, const char *text, struct rb_statement *out, struct rb_err *err);
void rb_statement_free(struct rb_statement *s);

bool rb_statement_word_in(const char *word, const char *const *words);
/* May it be used where only reading is allowed? 0 or RB_EFORBIDDEN. What the server refuses is left to it. */
int rb_statement_may_read(const struct rb_dialect *dialect, const struct rb_statement *s, struct rb_err *err);
/* As a whole write of its own, or as one of a transaction: 0 or RB_EUSAGE. */
int rb_statement_may_write(const struct rb_dialect *dialect, const struct rb_statement *s, bool in_tx,
                           struct rb_err *err);

#endif
