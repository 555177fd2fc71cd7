/* Which runbooks exist. Files are executed once each, sealed, in a runner that may
 * call nothing but run.declare; a broken file is listed as broken and never hides the others. */
#ifndef RB_CATALOG_CATALOG_H
#define RB_CATALOG_CATALOG_H

#include <jansson.h>
#include <uv.h>

#include "base/err.h"

struct rb_spawner;
struct rb_catalog;

/* Folders in order of precedence: extra (--runbooks, may be NULL), $RUNBOOK_PATH, the user's, the
 * system's, the shipped one. Never the working directory. Nothing is read yet. */
int rb_catalog_open(struct rb_catalog **out, const char *extra, struct rb_err *err);
void rb_catalog_close(struct rb_catalog *c);
/* The verbs of the start frame: their names are then known while files are declared (a call is still
 * refused), as they are in a run. Taken. Before the load; without it there are none. */
void rb_catalog_verbs_take(struct rb_catalog *c, json_t *verbs);

/* Reads and declares every file (blocks, running the loop). Result borrowed:
 * [{id, file, status: "ok"|"draft"|"retired"|"broken"|"shadowed", problems:[…], sha256, meta: {…} (rb_language_meta) or
 * null}] A runbook whose drills alone do not load is what it is without them; the errors stand among its problems. */
const json_t *rb_catalog_load(struct rb_catalog *c, uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err);
/* The same to be shown: a runbook whose files are what they were is not executed again, when there is a folder to
 * remember that in (catalog/cache.h). Nothing that is decided may come from it. */
const json_t *rb_catalog_list(struct rb_catalog *c, uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err);
void rb_catalog_cache_in(struct rb_catalog *c, const char *folder);

/* The files of one runbook, read and hashed but not executed, for exec:
 * {id, file, sha256, files:[{role: "profile"|"lib"|"runbook"|"drills", path, text, bad?: why drills cannot be read}]}
 * profile: profiles/SYSTEM.lua of every folder, the one that counts most last; lib: the factories of the
 * folder's lib/ that the runbook names.
 * name: a full id, an alias, or the last part of an id. RB_EUSAGE with candidates when ambiguous or
 * misspelt, RB_ENOT_FOUND, RB_EDENIED for a file others may write. New reference. An alias that is
 * not a file name needs the load of all files, so loop and sp are given. */
json_t *rb_catalog_find_file(struct rb_catalog *c, uv_loop_t *loop, struct rb_spawner *sp, const char *name,
                             struct rb_err *err);

/* The same of a runbook whose text is part of the program. New reference. */
json_t *rb_catalog_own_file(const char *id, const char *text);

/* Best first: [{id, score, why: [{field: "symptom", text}]}]. query: words, an error code, an alert, a
 * pasted log line, Chinese of two characters or more. New reference. */
json_t *rb_catalog_search(const json_t *loaded, const char *query);

#endif
