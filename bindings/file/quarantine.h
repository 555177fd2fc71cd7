/* Moving files out of the way and back, all of them or none. */
#ifndef RB_BINDINGS_FILE_QUARANTINE_H
#define RB_BINDINGS_FILE_QUARANTINE_H

#include "bind.h"

json_t *rb_file_quarantine(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_bring_back(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_swap(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
