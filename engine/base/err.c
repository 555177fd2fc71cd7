/* Errors: codes, texts, and the end of the process when nothing sane can follow. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const struct {
    int code;
    const char *name;
} codes[] = {
#define X(symbol, number, name) {number, name},
    RB_ERROR_CODES(X)
#undef X
};

/* The system's own words for what is common are ours, too: its locales are seldom installed. */
static const struct {
    int errnum, code;
    enum rb_text_id text; /* RB_T_none: strerror's */
} errnos[] = {
    {ECONNREFUSED, RB_EREFUSED, RB_T_base_econnrefused},
    {ETIMEDOUT, RB_ETIMEOUT, RB_T_base_etimedout},
    {ETIME, RB_ETIMEOUT, RB_T_none},
    {ECONNRESET, RB_ERESET, RB_T_base_econnreset},
    {EPIPE, RB_ERESET, RB_T_base_epipe},
    {ECONNABORTED, RB_ERESET, RB_T_none},
    {EHOSTUNREACH, RB_EUNREACHABLE, RB_T_base_ehostunreach},
    {ENETUNREACH, RB_EUNREACHABLE, RB_T_base_enetunreach},
    {ENETDOWN, RB_EUNREACHABLE, RB_T_none},
    {EACCES, RB_EDENIED, RB_T_base_eacces},
    {EPERM, RB_EDENIED, RB_T_base_eperm},
    {EROFS, RB_EDENIED, RB_T_base_erofs},
    {ENOENT, RB_ENOT_FOUND, RB_T_base_enoent},
    {ENOTDIR, RB_ENOT_FOUND, RB_T_base_enotdir},
    {EEXIST, RB_EEXISTS, RB_T_base_eexist},
    {ENOTEMPTY, RB_EEXISTS, RB_T_base_enotempty},
    {ENOSPC, RB_ENO_SPACE, RB_T_base_enospc},
    {EDQUOT, RB_ENO_SPACE, RB_T_base_edquot},
    {EBUSY, RB_EBUSY, RB_T_base_ebusy},
    {EAGAIN, RB_EBUSY, RB_T_none},
    {ETXTBSY, RB_EBUSY, RB_T_base_etxtbsy},
    {EADDRINUSE, RB_EBUSY, RB_T_none},
    {ENOMEM, RB_EMEMORY, RB_T_none},
    {EFBIG, RB_ETOO_LARGE, RB_T_none},
    {EMSGSIZE, RB_ETOO_LARGE, RB_T_none},
    {E2BIG, RB_ETOO_LARGE, RB_T_none},
    {ENAMETOOLONG, RB_ETOO_LARGE, RB_T_base_enametoolong},
    {ESRCH, RB_ENOT_RUNNING, RB_T_none},
    {ECANCELED, RB_ECANCELLED, RB_T_none},
    {EISDIR, RB_EIO, RB_T_base_eisdir},
    {EIO, RB_EIO, RB_T_base_eio},
    {EMFILE, RB_EIO, RB_T_base_emfile},
    {ELOOP, RB_EIO, RB_T_base_eloop},
};

/* vsnprintf may cut a character in two; half a character must not reach a terminal or a JSON text. */
static void trim_cut(char *text, size_t size)
{
    size_t len = strlen(text);
    for (int i = 0; len + 1 == size && i < 3 && len && !rb_utf8_valid(text, len); i++) {
        text[--len] = '\0';
        size--;
    }
}

/* By way of a copy: an argument may be the very text that is being replaced ("cannot load: <err->text>"). */
static void format(char *out, size_t size, const char *fmt, va_list ap)
{
    char text[sizeof((struct rb_err *)0)->text];
    if (vsnprintf(text, size, fmt, ap) < 0) {
        text[0] = '\0';
    }
    trim_cut(text, size);
    memcpy(out, text, strlen(text) + 1);
}

int rb_err_set(struct rb_err *err, int code, enum rb_text_id text, ...)
{
    if (!err) {
        return code;
    }
    va_list ap;
    va_start(ap, text);
    format(err->text, sizeof err->text, rb_text(text), ap);
    va_end(ap);
    err->code = code;
    err->hint[0] = '\0';
    return code;
}

int rb_err_foreign(struct rb_err *err, int code, const char *fmt, ...)
{
    if (!err) {
        return code;
    }
    va_list ap;
    va_start(ap, fmt);
    format(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    err->code = code;
    err->hint[0] = '\0';
    return code;
}

static int errno_code(int errnum, enum rb_text_id *text)
{
    for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++) {
        if (errnos[i].errnum == errnum) {
            *text = errnos[i].text;
            return errnos[i].code;
        }
    }
    return RB_EIO;
}

int rb_err_errno(struct rb_err *err, int errnum, const char *fmt, ...)
{
    enum rb_text_id known = RB_T_none;
    int code = errno_code(errnum, &known);
    if (!err) {
        return code;
    }
    char what[768], reason[128];
    va_list ap;
    va_start(ap, fmt);
    format(what, sizeof what, fmt, ap);
    va_end(ap);
    return rb_err_foreign(err, code, "%s: %s", what,
                          known ? rb_text(known) : strerror_r(errnum, reason, sizeof reason));
}

void rb_err_hint(struct rb_err *err, enum rb_text_id text, ...)
{
    if (!err) {
        return;
    }
    va_list ap;
    va_start(ap, text);
    format(err->hint, sizeof err->hint, rb_text(text), ap);
    va_end(ap);
}

const char *rb_err_name(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].name;
        }
    }
    return "internal";
}

int rb_err_code(const char *name)
{
    for (size_t i = 0; name && i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i].name, name) == 0) {
            return codes[i].code;
        }
    }
    return RB_EINTERNAL;
}

_Noreturn void rb_require_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "runbook: %s:%d: %s\n", file, line, what);
    abort();
}
