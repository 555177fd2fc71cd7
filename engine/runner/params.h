/* Inside of the parameter code; the outside is language.h. */
#ifndef RB_RUNNER_PARAMS_H
#define RB_RUNNER_PARAMS_H

#include <jansson.h>

#include "base/err.h"
#include "runner/language_lint.h"

struct rb_param_type {
    const char *name;
    json_t *(*from_text)(const char *text); /* new reference; NULL for a text that is none of the type */
    enum rb_text_id wanted;                 /* what was expected, in words */
    const char *example;
};

/* NULL when there is no such type. */
const struct rb_param_type *rb_param_type_find(const char *name, size_t len);
/* The item type of "list(int)"; NULL when it is no list. */
const struct rb_param_type *rb_param_type_item(const char *type);
/* A value given as text or JSON; NULL when it is none of the type. New reference. */
json_t *rb_param_from_json(const struct rb_param_type *type, const json_t *given);

/* 1 when the whole text matches, 0 when not (or text is NULL), RB_EUSAGE for a pattern that is none. */
int rb_param_pattern(const char *pattern, const char *text);
/* `db (the database file)`. */
void rb_param_label(const char *name, const json_t *param, char out[RB_LABEL_MAX]);
/* What stands for its value in an example: PATH, 30s. */
const char *rb_param_example(const json_t *param);
/* The type that was meant, or NULL. */
const char *rb_param_type_nearest(const char *type);

/* The length of the name in "{name}" at p, 0 when it is none. */
size_t rb_param_hole(const char *p);
/* The runbook's parameters without their order, and those only the profile's values use. New reference. */
json_t *rb_params_all(const json_t *meta);
/* One value as it is written, with what its {names} stand for; NULL when there is none. New reference. */
json_t *rb_params_written(const json_t *params, const json_t *values, const char *name);

#endif
