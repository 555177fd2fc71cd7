/* What the parts of rb_language_check share: the list of problems being written,
 * and how a block and the place of a field are found. */
#ifndef RB_RUNNER_LANGUAGE_LINT_H
#define RB_RUNNER_LANGUAGE_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"
#include "base/text.h"

enum rb_role { RB_ROLE_RUNBOOK, RB_ROLE_PROFILE, RB_ROLE_DRILLS, RB_ROLE_LIBRARY, RB_ROLE_CONFIG };

struct rb_lint {
    const json_t *blocks;  /* the declared list */
    const json_t *sources; /* {path: text}, may be NULL */
    json_t *problems;
};

/* One declared block, taken apart once. Pointers are borrowed from the declared list. */
struct rb_declared {
    const json_t *json;
    const char *kind, *id, *file; /* never NULL; id is "" when the author gave none */
    int line;
    const json_t *fields; /* an object; empty where the block has none */
};

#define RB_LABEL_MAX 160

/* False for an entry that is not even a block. */
bool rb_declared_get(const json_t *entry, struct rb_declared *block);
/* By the file's path. */
enum rb_role rb_lint_role(const char *path);
/* `fix "stop-process"`, `runbook`. */
void rb_lint_label(const struct rb_declared *block, char out[RB_LABEL_MAX]);

/* Adds a problem at a field of the block (NULL: at the block), level "error" or "warning". The text's
 * first argument is always the label of the block and is given by these. */
void rb_lint_error(struct rb_lint *lint, const struct rb_declared *block, const char *field, enum rb_text_id text, ...);
void rb_lint_warning(struct rb_lint *lint, const struct rb_declared *block, const char *field, enum rb_text_id text,
                     ...);
/* The hint of the problem added last. */
void rb_lint_hint(struct rb_lint *lint, enum rb_text_id text);
/* A problem without a block. */
void rb_lint_file(struct rb_lint *lint, const char *file, int line, const char *text);

/* The line of `field =` in the block that begins at line; that line itself when it cannot be found. */
int rb_source_field_line(const char *source, int line, const char *kind, const char *id, const char *field);

/* [a-z][a-z0-9-]*; with extra '_' for parameters. */
bool rb_name_valid(const char *name, char extra);
/* Name parts with "/" between them; a part may begin with a digit. */
bool rb_path_id_valid(const char *id);

/* The number of bytes of text to print: at most max, never half a character. */
int rb_cut(const char *text, int max);
/* A shown value, short: "abc", 12, a table, a function. */
void rb_lint_value(const json_t *value, char out[RB_LABEL_MAX]);

/* language_types.c */
struct rb_field;
/* False when the value is not what the field takes; the problem is then noted. */
bool rb_lint_type(struct rb_lint *lint, const struct rb_declared *block, const struct rb_field *field,
                  const json_t *value);
/* A text with one of its two languages missing. */
void rb_lint_translation(struct rb_lint *lint, const struct rb_declared *block, const char *field, const json_t *value);
bool rb_is_text(const json_t *value);
/* P0 to P4. */
bool rb_severity_valid(const char *word);
/* The name in { secret = "NAME" }; NULL when it is no such table. */
const char *rb_secret_name(const json_t *value);
bool rb_word_in(const char *word, const char *const *words, size_t count);

/* language_cross.c: two blocks of one name that may not be two. */
void rb_lint_twice(struct rb_lint *lint, const struct rb_declared *block, size_t position);
/* The ids of all blocks of the given kinds; the caller frees the array. */
const char **rb_lint_names(const struct rb_lint *lint, const char *const *kinds, size_t kind_count, size_t *count);
/* A name that is none of them is noted, with the one that was meant. shown: the word for what is named. */
void rb_lint_name(struct rb_lint *lint, const struct rb_declared *block, const char *field, const char *shown,
                  const char *word);

/* language_fields.c: one block alone. */
void rb_lint_fields(struct rb_lint *lint, const struct rb_declared *block);
bool rb_lint_is_function(const json_t *value);
/* language_cross.c: what blocks say of each other. */
void rb_lint_cross(struct rb_lint *lint);
/* config.c: the blocks of config.lua. */
void rb_lint_config(struct rb_lint *lint);
/* language_params.c: parameters and profiles. */
void rb_lint_params(struct rb_lint *lint);
/* "list(int)" is a parameter type too. */
bool rb_param_type_valid(const char *type);

/* Item i of a "words" field, a string alone counting as a list of one; NULL past the end. */
const char *rb_words_at(const json_t *value, size_t i);
/* {"run": …} and [] both mean: no fields. */
bool rb_json_empty_table(const json_t *value);

/* params.c: follows every {name} from this parameter or profile name. 0, or an error that says which
 * name is unknown or turns in a circle. params: {name: fields}; values: {name: value} of the profile. */
int rb_params_follow(const json_t *params, const json_t *values, const char *name, struct rb_err *err);
/* The profile's values with those it is `like`, the nearest first. New reference. */
json_t *rb_profile_values(const json_t *profiles, const char *name);
/* language_meta.c: {name: {like, values}} of all profile blocks. New reference. */
json_t *rb_profiles_collect(const json_t *blocks);
/* The block's fields in the shapes their types promise: lists are lists, durations are seconds. */
void rb_declared_copy(json_t *into, const struct rb_declared *block);
/* {name: fields}: declarations of the profile files, with those of the runbook over them. The
 * runbook's own names in order when own is set, else all. New reference. */
json_t *rb_params_collect(const json_t *blocks, bool own);

#endif
