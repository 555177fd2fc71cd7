/* Foreign text on its way into a channel: escaped, and cut between characters. */
#ifndef RB_BINDINGS_NOTIFY_TEXT_H
#define RB_BINDINGS_NOTIFY_TEXT_H

#include "base/buf.h"

/* A character that means something there, and what is written in its place. A list ends with {0}. */
struct rb_notify_swap {
    char from;
    const char *to;
};

extern const struct rb_notify_swap rb_notify_html[];   /* & < > " */
extern const struct rb_notify_swap rb_notify_mrkdwn[]; /* & < > */
/* Chat markdown that knows no escapes: full-width look-alikes. */
extern const struct rb_notify_swap rb_notify_lookalike[];
extern const struct rb_notify_swap rb_notify_lark[]; /* numeric entities */

/* Appends text (UTF-8) with its swaps (NULL: as it is), at most max characters of it; what is cut is told as "… (+12)".
 */
int rb_notify_put(struct rb_buf *out, const char *text, const struct rb_notify_swap *swaps, size_t max);
/* The same without telling. */
int rb_notify_put_short(struct rb_buf *out, const char *text, const struct rb_notify_swap *swaps, size_t max);
size_t rb_notify_chars(const char *text);

#endif
