/* gzip and back: the original goes only when the other form is whole and on disk. */
#ifndef RB_BINDINGS_FILE_PACK_H
#define RB_BINDINGS_FILE_PACK_H

#include "bind.h"

json_t *rb_file_gzip(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_gunzip(const json_t *args, struct rb_work *work, struct rb_err *err);
/* Reads a whole gzip stream of fd for its checksums. 0, or RB_ECORRUPT, RB_EIO, RB_ETIMEOUT. */
int rb_pack_verify(int fd, const char *name, struct rb_work *work, int64_t *size, struct rb_err *err);

#endif
