/* What runbooks said of themselves when they were last listed, so that the next list need not execute them
 * all. For what is shown only: whatever decides about a write declares its files anew. One file a set of folders and
 * program; any doubt about it is as if it were not there, and nothing of it is ever an error. */
#ifndef RB_CATALOG_CACHE_H
#define RB_CATALOG_CACHE_H

#include <jansson.h>

#include "base/hash.h"

#define RB_CACHE_MAX (64u << 20) /* bytes of one file */
#define RB_CACHE_FILES 8         /* the ones used last */

struct rb_cache;

/* folder: of the user's caches. of: all that what a runbook declares depends on besides its files (the folders, the
 * verbs, the language); this very program is added here. Never NULL. */
struct rb_cache *rb_cache_open(const char *folder, const json_t *of);
void rb_cache_close(struct rb_cache *cache);

/* What names a runbook's files and their texts. runbook: of rb_folders_runbook. */
void rb_cache_key(const json_t *runbook, char key[RB_HEX_SIZE]);
/* {problems, meta} when it is kept and still holds; NULL. Borrowed. */
const json_t *rb_cache_get(struct rb_cache *cache, const char *key);
/* Kept, if it depends on nothing but its key: no error, no time zone of this machine. */
void rb_cache_put(struct rb_cache *cache, const char *key, const json_t *judged);
/* Writes what was got and put since it was opened, if that differs from what is there. */
void rb_cache_save(struct rb_cache *cache);

/* The content of a file: {key: {problems, meta, until}}; NULL when it is not whole, or of something else. New
 * reference. */
json_t *rb_cache_parse(const char *text, size_t len, const char *of);
/* The reverse; malloc'ed. */
char *rb_cache_print(const json_t *sets, const char *of);

#endif
