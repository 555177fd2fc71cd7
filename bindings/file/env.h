/* .env files: what is set, without telling the values; and one value replaced in place. */
#ifndef RB_BINDINGS_FILE_ENV_H
#define RB_BINDINGS_FILE_ENV_H

#include "bind.h"

json_t *rb_file_env(const json_t *args, struct rb_work *work, struct rb_err *err);
json_t *rb_file_env_set(const json_t *args, struct rb_work *work, struct rb_err *err);

#endif
