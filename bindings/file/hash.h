/* SHA-256 of a file's content, in pieces. */
#ifndef RB_BINDINGS_FILE_HASH_H
#define RB_BINDINGS_FILE_HASH_H

#include "base/buf.h"
#include "base/hash.h"
#include "binding.h"

/* Reads fd from its start to its end; progress in bytes when work is not NULL. 0 or RB_EIO, RB_ETIMEOUT. */
int rb_file_hash(int fd, struct rb_work *work, const char *name, char out[RB_HEX_SIZE], struct rb_err *err);

#endif
