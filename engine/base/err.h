/* One error shape for the whole program: a code a program can act on, a text
 * a person can read. Functions return 0 or a negative RB_E*; details go into
 * the caller's optional struct rb_err. */
#ifndef RB_BASE_ERR_H
#define RB_BASE_ERR_H

#include <stdarg.h>

#include "base/text.h"

#if defined(__GNUC__)
#define RB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define RB_PRINTF(fmt, args)
#endif

/* X(symbol, number, name). The names are the codes runbooks see in `err.code`
 * (docs/errors); numbers are negative and never leave the process. */
#define RB_ERROR_CODES(X) \
    X(REFUSED, -1, "refused") /* nobody listens there, or the gate said no */ \
    X(TIMEOUT, -2, "timeout") \
    X(DNS, -3, "dns") \
    X(TLS, -4, "tls") \
    X(RESET, -5, "reset") \
    X(UNREACHABLE, -6, "unreachable") \
    X(AUTH, -7, "auth") \
    X(DENIED, -8, "denied") /* permission */ \
    X(NOT_FOUND, -9, "not_found") \
    X(EXISTS, -10, "exists") \
    X(NO_SPACE, -11, "no_space") \
    X(BUSY, -12, "busy") \
    X(EXIT, -13, "exit")     /* a command ended with a code that is not ok */ \
    X(STATUS, -14, "status") /* an HTTP status that is not ok */ \
    X(SQL, -15, "sql") \
    X(RPC, -16, "rpc") \
    X(TOO_LARGE, -17, "too_large") \
    X(NOT_RUNNING, -18, "not_running") \
    X(MISSING, -19, "missing")     /* a program or library that is not installed */ \
    X(USAGE, -20, "usage")         /* bad argument */ \
    X(LOAD, -21, "load")           /* a runbook file that does not load */ \
    X(FORBIDDEN, -22, "forbidden") /* the gate: this verb may not be used here; never caught */ \
    X(JOURNAL, -23, "journal")     /* the journal cannot be written */ \
    X(CORRUPT, -24, "corrupt") \
    X(UNKNOWN, -25, "unknown")     /* a write may or may not have happened; never caught */ \
    X(CANCELLED, -26, "cancelled") /* never caught */ \
    X(IO, -27, "io") \
    X(MEMORY, -28, "memory") \
    X(PROTOCOL, -29, "protocol") /* a malformed frame from one of our own processes */ \
    X(INTERNAL, -30, "internal")

enum rb_error_code {
#define X(symbol, number, name) RB_E##symbol = number,
    RB_ERROR_CODES(X)
#undef X
};

struct rb_err {
    int code;        /* RB_E*, 0 = none */
    char text[1024]; /* what, where, why; in the language of rb_text_lang_set */
    char hint[512];  /* what to do next; may be empty */
};

/* Sets *err (NULL is allowed) from a text of texts/ and returns code, so that
 * `return rb_err_set(err, RB_EUSAGE, RB_T_x, …)` reads as one statement. */
int rb_err_set(struct rb_err *err, int code, enum rb_text_id text, ...);
/* The same for foreign words (strerror, sqlite3_errmsg) that have no translation. */
int rb_err_foreign(struct rb_err *err, int code, const char *fmt, ...) RB_PRINTF(3, 4);
/* Maps errno to a code and sets "<what>: <strerror>". */
int rb_err_errno(struct rb_err *err, int errnum, const char *fmt, ...) RB_PRINTF(3, 4);
void rb_err_hint(struct rb_err *err, enum rb_text_id text, ...);
/* "timeout" for RB_ETIMEOUT. Never NULL. */
const char *rb_err_name(int code);
/* The reverse; RB_EINTERNAL for an unknown name. */
int rb_err_code(const char *name);

/* Corrupt state: nothing sane can follow. Prints where and aborts. */
#define RB_REQUIRE(x) ((x) ? (void)0 : rb_require_failed(#x, __FILE__, __LINE__))
_Noreturn void rb_require_failed(const char *what, const char *file, int line);

#endif
