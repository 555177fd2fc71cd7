/* Frames between our own processes: 4 bytes length (little endian), then that
 * many bytes of JSON (one object). At most RB_FRAME_MAX bytes. */
#ifndef RB_BASE_FRAME_H
#define RB_BASE_FRAME_H

#include <jansson.h>

#include "base/buf.h"

#define RB_FRAME_MAX (8u << 20)

/* Appends one encoded frame to out. RB_ETOO_LARGE when the JSON is too long. */
int rb_frame_encode(struct rb_buf *out, const json_t *value, struct rb_err *err);
/* Takes the first whole frame from the front of in. 1 and *value (new reference),
 * 0 when more bytes are needed, RB_EPROTOCOL for a length or JSON that cannot be. */
int rb_frame_decode(struct rb_buf *in, json_t **value, struct rb_err *err);
/* Blocking, for child processes with one descriptor: whole frame or error (RB_ERESET at end of file). */
int rb_frame_write(int fd, const json_t *value, struct rb_err *err);
/* Frames that were encoded into out, at once; it is empty afterwards. */
int rb_frame_flush(int fd, struct rb_buf *out, struct rb_err *err);
int rb_frame_read(int fd, struct rb_buf *scratch, json_t **value, struct rb_err *err);

#endif
