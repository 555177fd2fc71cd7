/* Declares many runbooks in runners that may do nothing else. */
#ifndef RB_CATALOG_LOAD_H
#define RB_CATALOG_LOAD_H

#include <stdbool.h>

#include <jansson.h>
#include <uv.h>

#include "base/err.h"

struct rb_spawner;

struct rb_load_what {
    const json_t *sets;  /* a list of the files lists of runbooks */
    const json_t *verbs; /* of the start frame; NULL = none */
};

/* Returns a list as long as the sets: what each declared
 * (engine/README.md, "declare"), a file that could not be loaded with its error in the same shape.
 * Runs the loop. NULL when no runner can be started. New reference. */
json_t *rb_load_declare(uv_loop_t *loop, struct rb_spawner *sp, const struct rb_load_what *what, struct rb_err *err);

/* {path: text} of a files list, which judging what was declared needs. New reference. */
json_t *rb_load_sources(const json_t *files);
/* Is one of the problems an error? */
bool rb_load_has_error(const json_t *problems);

#endif
