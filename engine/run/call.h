/* What dispatch.c (the way in) and outcome.c (the way out) share of a call. */
#ifndef RB_RUN_CALL_H
#define RB_RUN_CALL_H

#include "run/state.h"

#define RB_CALL_TEXT_MAX 400                          /* of a call in lists and plans */
#define RB_CALL_NAME_MAX (RB_CALL_TEXT_MAX * 4 + 128) /* "verb text", in any language */

/* Takes text. The call is in flight until rb_call_free. */
struct rb_call *rb_call_new(struct rb_run *run, json_t *frame, const struct rb_binding *binding,
                            const struct rb_verb *verb, json_t *args, char *text);
void rb_call_free(struct rb_call *call);
/* "sql.backup", or with its text behind it. */
void rb_call_name(const struct rb_call *call, char *out, size_t size, bool with_text);
bool rb_call_has_ended(const struct rb_call *call);
/* From now on: its own timeout, or its verb's. */
void rb_call_deadline(struct rb_call *call);
/* outcome.c: the call goes before its reply, as a reply that cannot be sent ends the run, and that ends all
 * calls. Takes value; NULL: err. */
void rb_call_answer(struct rb_call *call, json_t *value, const struct rb_err *err);

#endif
