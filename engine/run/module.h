/* Modules: bindings whose library is heavy, loaded when one of their verbs is first called. */
#ifndef RB_RUN_MODULE_H
#define RB_RUN_MODULE_H

#include "base/err.h"
#include "binding.h"

struct rb_modules; /* what one run has loaded, and the state each module keeps for it */

struct rb_modules *rb_modules_new(void);
/* Lets every module free its state. No call may be in flight. */
void rb_modules_free(struct rb_modules *modules);
/* The functions behind "http.get" in a module. Borrowed; *state is the module's own slot.
 * NULL: RB_EMISSING (not installed, a library is missing, built for another version). */
const struct rb_module_verb *rb_modules_verb(struct rb_modules *modules, const char *module, const char *verb,
                                             void ***state, struct rb_err *err);

#endif
