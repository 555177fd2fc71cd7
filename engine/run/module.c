/* Loads modules/NAME.so from beside the installed binary, else from where it was built. */
#include "run/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

struct loaded {
    struct loaded *next;
    const struct rb_module *module;
    void *state;
    char name[];
};

struct rb_modules {
    struct loaded *list;
};

struct rb_modules *rb_modules_new(void)
{
    return rb_xcalloc(1, sizeof(struct rb_modules));
}

void rb_modules_free(struct rb_modules *modules)
{
    while (modules->list) {
        struct loaded *one = modules->list;
        modules->list = one->next;
        if (one->state) {
            one->module->close(one->state);
        }
        free(one); /* the library stays: its libraries do not survive being unloaded */
    }
    free(modules);
}

/* <binary>/../lib/runbook/modules; of what was not installed, the build's own folder. An installed program never looks
 * there: on another machine that path may belong to anybody. */
static void path_of(const char *name, char *out, size_t size)
{
    static const char built[] = RUNBOOK_MODULES;
    char self[PATH_MAX] = "";
    (void)!readlink("/proc/self/exe", self, sizeof self - 1);
    if (strncmp(self, built, strlen(built) - strlen("modules")) == 0) {
        snprintf(out, size, "%s/%s.so", built, name);
    } else {
        const char *slash = strrchr(self, '/');
        snprintf(out, size, "%.*s/../lib/runbook/modules/%s.so", slash ? (int)(slash - self) : 0, self, name);
    }
}

static const struct rb_module *load(const char *name, struct rb_err *err)
{
    char path[PATH_MAX + 64];
    path_of(name, path, sizeof path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct rb_module *module = library ? dlsym(library, "rb_module") : NULL;
    if (!module) {
        rb_err_set(err, RB_EMISSING, RB_T_run_module_missing, name, dlerror());
        return NULL;
    }
    if (strcmp(module->abi, RB_MODULE_ABI) != 0) {
        rb_err_set(err, RB_EMISSING, RB_T_run_module_other, path);
        return NULL;
    }
    return module;
}

static struct loaded *find(struct rb_modules *modules, const char *name, struct rb_err *err)
{
    for (struct loaded *one = modules->list; one; one = one->next) {
        if (!strcmp(one->name, name)) {
            return one;
        }
    }
    const struct rb_module *module = load(name, err);
    if (!module) {
        return NULL;
    }
    struct loaded *one = rb_xcalloc(1, sizeof *one + strlen(name) + 1);
    one->module = module;
    memcpy(one->name, name, strlen(name) + 1);
    one->next = modules->list;
    modules->list = one;
    return one;
}

const struct rb_module_verb *rb_modules_verb(struct rb_modules *modules, const char *module, const char *verb,
                                             void ***state, struct rb_err *err)
{
    struct loaded *one = find(modules, module, err);
    for (const struct rb_module_verb *v = one ? one->module->verbs : NULL; v && v->name; v++) {
        if (!strcmp(v->name, verb)) {
            *state = &one->state;
            return v;
        }
    }
    if (one) {
        rb_err_set(err, RB_EMISSING, RB_T_run_module_verb, module, verb);
    }
    return NULL;
}
