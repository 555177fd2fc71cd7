/* Looking at files: the reading verbs of `file`. */
#ifndef RB_BINDINGS_FILE_READ_H
#define RB_BINDINGS_FILE_READ_H

#include "bind.h"

#define RB_FILE_PIECE (4ll << 20) /* of one answer: a frame holds 8 MiB, base64 takes a third more */

json_t *rb_file_read(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_stat(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_tail(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_digest(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_list(const json_t *args, struct rb_work *work, struct rb_err *err); /* file_find.c */
json_t *rb_file_find(const json_t *args, struct rb_work *work, struct rb_err *err);
/* The argument dir as a real folder; a link to one is followed, below it none is. malloc'ed, or NULL with err. */
char *rb_file_folder(const json_t *args, struct rb_err *err);
/* "file", "dir", "link", "fifo", "socket", "block" or "char". */
const char *rb_file_type(const struct stat *st);

#endif
