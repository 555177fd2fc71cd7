/* What the verbs of several bindings share: arguments, safe opening, documentation macros. */
#ifndef RB_BINDINGS_BIND_H
#define RB_BINDINGS_BIND_H

#include <sys/stat.h>

#include "binding.h"

#define RB_BIND_POS(name, type, en, zh) \
    { \
        name, type, RB_ARG_REQUIRED | RB_ARG_POSITIONAL, en, zh \
    }
#define RB_BIND_MUST(name, type, en, zh) \
    { \
        name, type, RB_ARG_REQUIRED, en, zh \
    }
#define RB_BIND_OPT(name, type, en, zh) \
    { \
        name, type, 0, en, zh \
    }
#define RB_BIND_OPTPOS(name, type, en, zh) \
    { \
        name, type, RB_ARG_POSITIONAL, en, zh \
    }
#define RB_BIND_REST(name, type, en, zh) \
    { \
        name, type, RB_ARG_REST, en, zh \
    }
#define RB_BIND_TIMEOUT RB_BIND_OPT("timeout", "duration", "deadline of the call", "本次调用的时限")
#define RB_BIND_END \
    { \
        NULL, NULL, 0, NULL, NULL \
    }

/* A number, or the fallback. */
double rb_bind_real(const json_t *args, const char *key, double fallback);
/* An absolute path; borrowed. NULL with RB_EUSAGE. */
const char *rb_bind_path(const json_t *args, const char *key, struct rb_err *err);
/* Refuses the journal's own files. 0 or RB_EDENIED. */
int rb_bind_allowed(const struct rb_work *work, const struct stat *st, const char *path, struct rb_err *err);
/* open with CLOEXEC and fstat; a fifo does not block. The descriptor or a negative RB_E*. st may be NULL. */
int rb_bind_open(const struct rb_work *work, const char *path, int flags, struct stat *st, struct rb_err *err);
/* Makes a name in the path's folder survive a power loss. */
int rb_bind_sync_parent(const char *path, struct rb_err *err);
/* Waits, never past the deadline of the call; false when that is reached. */
bool rb_bind_wait_ms(const struct rb_work *work, int ms);
/* len without the beginning of a UTF-8 character that was cut at its end. */
size_t rb_bind_whole_chars(const char *s, size_t len);
/* A whole small file of /proc, NUL-terminated, cut at size - 1. Its length or -1. */
long rb_bind_slurp(const char *path, char *out, size_t size);

/* The table that holds the receipts of writes; used where it is, never created. docs/crashes.md */
#define RB_RECEIPTS "runbook_receipts"

#endif
