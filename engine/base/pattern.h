/* Patterns for foreign text (PCRE2): a text that makes one slow ends the search, not the program. No JIT: a
 * runner may not make memory executable. */
#ifndef RB_BASE_PATTERN_H
#define RB_BASE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define RB_PATTERN_GROUPS 32 /* the whole and 31 captures */
#define RB_PATTERN_MAX 4096  /* bytes of a pattern */

struct rb_pattern;

struct rb_span {
    size_t from, to; /* SIZE_MAX = did not take part */
};

/* plain: text is searched as it is. Subjects that are not UTF-8 are searched all the same. 0 or RB_EUSAGE. */
int rb_pattern_new(struct rb_pattern **out, const char *text, size_t len, bool plain, struct rb_err *err);
void rb_pattern_free(struct rb_pattern *p);
/* The first match at or after `from`: how many spans are set (at least 1), 0 when there is none, RB_ETIMEOUT
 * when it took too many steps or too much memory. */
int rb_pattern_find(struct rb_pattern *p, const char *subject, size_t len, size_t from,
                    struct rb_span spans[RB_PATTERN_GROUPS], struct rb_err *err);
/* The name of capture i (from 1), or NULL. */
const char *rb_pattern_name(const struct rb_pattern *p, unsigned i);
/* How many captures it has. */
unsigned rb_pattern_captures(const struct rb_pattern *p);

#endif
