/* Which files anybody has open, by one look through /proc; and those that are deleted and still take space.
 */
#ifndef RB_BINDINGS_SYSTEM_OPEN_FILES_H
#define RB_BINDINGS_SYSTEM_OPEN_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

#include "bind.h"

struct rb_open_files {
    struct rb_open_file {
        dev_t dev;
        ino_t ino;
    } * list; /* sorted */
    size_t count, cap;
};

/* What may be seen: all of it for root, else our own user's processes. */
void rb_open_files_read(struct rb_open_files *open);
bool rb_open_files_has(const struct rb_open_files *open, const struct stat *st);
void rb_open_files_free(struct rb_open_files *open);
/* The verb system.deleted. */
json_t *rb_open_files_deleted(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
