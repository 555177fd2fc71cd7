/* The operator's configuration: config.lua of the user, then of the system; never of the working directory. */
#ifndef RB_CATALOG_CONFIG_H
#define RB_CATALOG_CONFIG_H

#include <jansson.h>
#include <uv.h>

#include "base/err.h"

struct rb_spawner;

/* The config.lua files that are there, the one that counts most last: [path…]. New reference. */
json_t *rb_config_files(void);
/* {"files", "problems", "config"}: config as of rb_config_meta, null when a problem is an error. Nothing there
 * is an empty configuration. NULL only when no runner can be started. New reference. */
json_t *rb_config_load(uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err);
/* The same of these files, taken, wherever they are. */
json_t *rb_config_load_files(json_t *files, uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err);
/* RB_ELOAD with the first error of what rb_config_load gave; 0 when there is none. */
int rb_config_usable(const json_t *loaded, struct rb_err *err);

#endif
