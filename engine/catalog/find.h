/* From what an operator typed to one runbook. */
#ifndef RB_CATALOG_FIND_H
#define RB_CATALOG_FIND_H

#include <jansson.h>

#include "base/err.h"

struct rb_found {
    const json_t *entry; /* of the list, borrowed */
};

/* A full id, or the last part of exactly one. RB_EUSAGE names the candidates; RB_ENOT_FOUND without words:
 * it may still be an alias. list: of rb_folders_list. */
int rb_find_by_name(const json_t *list, const char *name, struct rb_found *found, struct rb_err *err);
/* An alias; otherwise the nearest names (RB_EUSAGE), or that there is none (RB_ENOT_FOUND). */
int rb_find_by_alias(const json_t *list, const json_t *loaded, const char *name, struct rb_found *found,
                     struct rb_err *err);

#endif
