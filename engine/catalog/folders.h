/* The folders of runbooks: which there are, what is in them, and whom their files can be
 * trusted to come from. */
#ifndef RB_CATALOG_FOLDERS_H
#define RB_CATALOG_FOLDERS_H

#include <limits.h>
#include <stddef.h>

#include <jansson.h>

#include "base/err.h"

#define RB_FOLDERS_MAX 32
#define RB_RUNBOOK_MAX (1u << 20) /* bytes of one file */

struct rb_folders {
    char *path[RB_FOLDERS_MAX]; /* resolved; in order of precedence */
    size_t count;
    size_t shipped; /* the number of the one that came with the program; RB_FOLDERS_MAX = none, or a person named it */
};

/* Folders that do not exist are left out; the one given as extra must be there. */
int rb_folders_find(struct rb_folders *folders, const char *extra, struct rb_err *err);
void rb_folders_free(struct rb_folders *folders);

/* What looks like a runbook, by names alone: [{id, file, folder: its number, bad: why it cannot be one or
 * ""}], sorted by folder and id. New reference. */
json_t *rb_folders_list(const struct rb_folders *folders);

/* The text of a file below a folder, after everything on the way to it was checked: owned by us or
 * root, not writable by others, not leading out of the folder. RB_ENOT_FOUND when there is none. New
 * reference. */
json_t *rb_folders_read(const char *folder, const char *below, struct rb_err *err);

/* {id, file, sha256, files: […]} of the runbook in that folder, for rb_catalog_find_file. checked: an empty object
 * for all runbooks that are read at once, so that the ways to their files are checked once; NULL for one. New
 * reference. */
json_t *rb_folders_runbook(const struct rb_folders *folders, size_t number, const char *id, json_t *checked,
                           struct rb_err *err);

#endif
