/* Commands as lists of words, and as bytes on the wire. */
#ifndef RB_BINDINGS_REDIS_COMMAND_H
#define RB_BINDINGS_REDIS_COMMAND_H

#include <jansson.h>

#include "base/buf.h"

#define RB_REDIS_NAME_MAX 64
#define RB_REDIS_COMMAND_MAX (8u << 20)

struct rb_redis_name {
    char name[RB_REDIS_NAME_MAX]; /* "config", in lower case */
    char sub[RB_REDIS_NAME_MAX];  /* its second word in lower case, "" when it is none that could be a
                                     subcommand */
};

/* Appends { "SET", key, 1 } as the protocol has it. Words: strings, bytes, numbers. 0, RB_EUSAGE or
 * RB_ETOO_LARGE. */
int rb_redis_encode(const json_t *words, struct rb_buf *out, struct rb_err *err);
/* Appends a command of NULL-terminated words. */
void rb_redis_encode_words(struct rb_buf *out, const char *const *words);
/* The command's name as far as rules go by it. RB_EUSAGE when the first word is no name. */
int rb_redis_name(const json_t *words, struct rb_redis_name *out, struct rb_err *err);

#endif
