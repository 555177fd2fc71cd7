/* Logs: what is in them since when, and what comes next. */
#ifndef RB_BINDINGS_FILE_SCAN_H
#define RB_BINDINGS_FILE_SCAN_H

#include "bind.h"

json_t *rb_file_scan(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_follow(const json_t *args, struct rb_work *work, struct rb_err *err); /* follow.c */

#endif
