/* What a block can do and say, read from its text without running it: for people who want to know before. */
#ifndef RB_CATALOG_REACH_H
#define RB_CATALOG_REACH_H

#include <jansson.h>

/* text: of the file the block stands in; line: where it begins; ids: names of findings, [{id}…] of meta.
 * {"calls": ["sqlite.locks"…], "findings": ["locked"…], "params": ["db"…]}, in the order they are met; local functions
 * that the block uses are followed. New reference. */
json_t *rb_reach(const char *text, int line, const json_t *findings);
/* The text of the file that a block of it stands in, "" = unknown: file {"files": [{path, text}…]}, block {file}, which
 * may be a factory of the standard library. */
const char *rb_reach_text(const json_t *file, const json_t *block);
/* The lines of the block itself, as deep as they are written. New reference: [text…]. */
json_t *rb_reach_code(const char *text, int line);

#endif
