/* Folders with all that is in them: removed, hashed, measured. */
#ifndef RB_BINDINGS_FILE_TREE_H
#define RB_BINDINGS_FILE_TREE_H

#include "base/hash.h"
#include "bind.h"

json_t *rb_file_remove(const json_t *args, struct rb_work *work, struct rb_err *err); /* remove.c */
json_t *rb_file_usage(const json_t *args, struct rb_work *work, struct rb_err *err);  /* usage.c */
/* One digest of names, kinds, contents and link targets; not of owners, modes and times. 0 or a negative
 * RB_E*. */
int rb_tree_digest(const char *dir, struct rb_work *work, char out[RB_HEX_SIZE], struct rb_err *err);

#endif
