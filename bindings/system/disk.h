/* The file system a path lies on. */
#ifndef RB_BINDINGS_DISK_H
#define RB_BINDINGS_DISK_H

#include "bind.h"

/* system.disk's answer. New reference or NULL. */
json_t *rb_disk_json(const char *path, struct rb_err *err);
/* Does the path lie on a file system of another host? False when that cannot be told. */
bool rb_disk_network(const char *path);

#endif
