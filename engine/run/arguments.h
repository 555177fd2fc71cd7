/* The arguments of a call, converted and checked by the verb's table. */
#ifndef RB_RUN_ARGUMENTS_H
#define RB_RUN_ARGUMENTS_H

#include "binding.h"

/* New object with durations in seconds and sizes in bytes, or NULL with RB_EUSAGE naming the argument. */
json_t *rb_arguments_convert(const struct rb_verb *verb, const char *name, const json_t *given, struct rb_err *err);
/* The arguments in one line for people: the positional ones bare, the others as name=value. malloc'ed. */
char *rb_arguments_text(const struct rb_verb *verb, const json_t *args);
/* The start frame's list of all verbs (engine/README.md). New reference. */
json_t *rb_arguments_verbs(void);

#endif
