/* Takes secrets out of everything that leaves the host: as they are, in base64, hex, URL and JSON form, quoted by a
 * shell, across the borders of chunks. What is found is replaced by ‹secret NAME›; every other byte stays.
 * Not found: what was transformed in any other way (compressed, encrypted, reversed). */
#ifndef RB_BASE_REDACT_H
#define RB_BASE_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buf.h"

#define RB_REDACT_SHORT 6 /* a shorter secret cannot be told from other text, but as it is */
#define RB_REDACT_LEAST 4 /* a shorter one is not looked for at all */

struct rb_redact;
struct rb_redact_stream;

struct rb_redact *rb_redact_new(void);
void rb_redact_free(struct rb_redact *r);
/* From now on value is looked for. Streams that are open go on with what they knew. */
void rb_redact_add(struct rb_redact *r, const char *name, const char *value, size_t len);
/* Nothing to look for? Then everything below may be left out. */
bool rb_redact_idle(const struct rb_redact *r);

/* Bytes in chunks. What may be the beginning of a secret is held back until the next chunk or the end. */
struct rb_redact_stream *rb_redact_open(const struct rb_redact *r);
int rb_redact_feed(struct rb_redact_stream *s, const char *data, size_t len, struct rb_buf *out);
/* cut: the text ended where a maximum cut it, so that a secret may have lost its end. */
int rb_redact_end(struct rb_redact_stream *s, bool cut, struct rb_buf *out);
void rb_redact_close(struct rb_redact_stream *s);

/* A whole text. */
int rb_redact_text(struct rb_redact *r, const char *text, size_t len, bool cut, struct rb_buf *out);
/* A value with every string, key, number and {"$b64"} in it cleaned; the same value when nothing was found. New
 * reference. */
json_t *rb_redact_json(struct rb_redact *r, const json_t *value);

#endif
