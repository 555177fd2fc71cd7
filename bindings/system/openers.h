/* Who has a file open, and who has it locked. Two different questions: an idle connection
 * pool has a database open and is in nobody's way. */
#ifndef RB_BINDINGS_OPENERS_H
#define RB_BINDINGS_OPENERS_H

#include "bind.h"

json_t *rb_openers(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_openers_locks(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
