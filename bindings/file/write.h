/* Changing files: the writing verbs of `file`. Whole or not at all, and on disk before they return. */
#ifndef RB_BINDINGS_FILE_WRITE_H
#define RB_BINDINGS_FILE_WRITE_H

#include <limits.h>

#include "bind.h"

json_t *rb_file_probe(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_write(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_append(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_copy(const json_t *args, struct rb_work *work, struct rb_err *err); /* file_copy.c */
json_t *rb_file_move(const json_t *args, struct rb_work *work, struct rb_err *err); /* file_copy.c */
json_t *rb_file_mkdir(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_chmod(const json_t *args, struct rb_work *work, struct rb_err *err);

/* "0640" or 416; fallback when absent, -1 with RB_EUSAGE. */
int rb_file_mode(const json_t *args, int fallback, struct rb_err *err);
/* A new private file PATH.part-PID beside path. Its descriptor or a negative RB_E*. */
int rb_file_part(const char *path, char part[PATH_MAX], struct rb_err *err);
/* Copies all bytes with progress. 0 or RB_E*. */
int rb_file_pump(int from, int to, const char *name, struct rb_work *work, struct rb_err *err);

#endif
