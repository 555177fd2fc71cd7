/* The messages of pm2's socket: one byte (version and number of parts), then each part with its length before
 * it; a part is "j:" and JSON, or "s:" and text. */
#ifndef RB_BINDINGS_PM2_MESSAGE_H
#define RB_BINDINGS_PM2_MESSAGE_H

#include <jansson.h>

#include "base/buf.h"

#define RB_PM2_MESSAGE_MAX (8u << 20)

/* Appends the question for all processes. */
void rb_pm2_question(struct rb_buf *out);
/* 1: *out is the first part's value, new; 0: more bytes are to come; negative: RB_ESTATUS, no such message.
 */
int rb_pm2_message(const char *data, size_t len, json_t **out, struct rb_err *err);
/* The processes of an answer without their environment. New reference, NULL with RB_ESTATUS. */
json_t *rb_pm2_processes(const json_t *answer, struct rb_err *err);

#endif
