/* The text of a .env file: NAME=value lines, with export, quotes and comments. Nothing is expanded: no $X, no
 * $(…). */
#ifndef RB_BINDINGS_FILE_ENV_TEXT_H
#define RB_BINDINGS_FILE_ENV_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define RB_ENV_LINES 5000

struct rb_env_entry {
    const char *name; /* in the text */
    size_t name_len;
    size_t from, to; /* the raw value, quotes included; what follows it (blanks, a comment) is not in it */
    int line;
    char quote; /* ' or " or 0 */
    bool exported;
};

struct rb_env_text {
    struct rb_env_entry *entries;
    size_t count;
    int *bad; /* numbers of lines that are neither an assignment, a comment nor blank */
    size_t bad_count;
};

/* Fails only for more than RB_ENV_LINES lines: RB_ETOO_LARGE. text must stay. */
int rb_env_text_parse(const char *text, size_t len, struct rb_env_text *out, struct rb_err *err);
void rb_env_text_free(struct rb_env_text *t);
/* The value without quotes and escapes, appended to out. */
int rb_env_text_value(const char *text, const struct rb_env_entry *entry, struct rb_buf *out);
/* value as it is written: in the quotes it had when they can hold it, else in those that can. */
int rb_env_text_quote(const char *value, size_t len, char quote, struct rb_buf *out);
/* A name a shell takes. */
bool rb_env_text_name(const char *name, size_t len);

#endif
