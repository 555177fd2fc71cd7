/* What became of a write whose host died. */
#ifndef RB_RUN_SETTLE_H
#define RB_RUN_SETTLE_H

#include <stdbool.h>

#include <jansson.h>

struct rb_call;

/* Its intent is on disk and its outcome is not. began: what it announced, or NULL; said: what a person said, or NULL.
 * Makes it again, takes it as done, asks the other side, or leaves it unknown. */
void rb_settle_open(struct rb_call *call, const json_t *intent, const json_t *began, const json_t *said,
                    bool idempotent);
/* The other side answered whether the receipt is there; NULL when it could not be asked. */
void rb_settle_looked(struct rb_call *call, const json_t *found);

#endif
