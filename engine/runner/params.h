/* Inside of the parameter code; the outside is language.h. */
#ifndef RB_RUNNER_PARAMS_H
#define RB_RUNNER_PARAMS_H

#include <jansson.h>

#include "base/err.h"
#include "runner/language_lint.h"

/* 1 when the whole text matches, 0 when not (or text is NULL), RB_EUSAGE for a pattern that is none. */
int rb_param_pattern(const char *pattern, const char *text);
/* `db (the database file)`. */
void rb_param_label(const char *name, const json_t *param, char out[RB_LABEL_MAX]);
/* What stands for its value in an example: PATH, 30s. */
const char *rb_param_example(const json_t *param);
/* The type that was meant, or NULL. */
const char *rb_param_type_nearest(const char *type);

#endif
