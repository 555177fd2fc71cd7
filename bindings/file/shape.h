/* Changing a file where it is: its owner, its length; and where it lies. */
#ifndef RB_BINDINGS_FILE_SHAPE_H
#define RB_BINDINGS_FILE_SHAPE_H

#include "bind.h"

json_t *rb_file_chown(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_cut(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_parent(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
