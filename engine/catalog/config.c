#include "catalog/config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "catalog/folders.h"
#include "catalog/load.h"
#include "runner/language.h"

#define SYSTEM_DIR "/etc/runbook"

static void add_file(json_t *list, const char *folder)
{
    char path[PATH_MAX + 16];
    char *resolved = realpath(folder, NULL);
    snprintf(path, sizeof path, "%s/config.lua", resolved ? resolved : "");
    bool known = json_array_size(list) && !strcmp(json_string_value(json_array_get(list, 0)), path);
    if (resolved && !known && access(path, F_OK) == 0) {
        json_array_append_new(list, json_string(path));
    }
    free(resolved);
}

json_t *rb_config_files(void)
{
    char user[PATH_MAX];
    json_t *list = json_array();
    add_file(list, SYSTEM_DIR);
    if (rb_files_config_dir(user, NULL) == 0) {
        add_file(list, user);
    }
    return list;
}

static json_t *problem_at(const char *path, const struct rb_err *err)
{
    return json_pack("{s:s, s:i, s:s, s:s, s:s}", "file", path, "line", 1, "level", "error", "text", err->text, "hint",
                     err->hint);
}

/* The texts of all files, as one set for the runner. A file that may not be read is a problem of its own. */
static json_t *read_all(const json_t *files, json_t *problems)
{
    json_t *set = json_array(), *file;
    size_t i;
    json_array_foreach((json_t *)files, i, file) {
        struct rb_err err = {0};
        char folder[PATH_MAX];
        const char *path = json_string_value(file);
        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
        json_t *text = rb_folders_read(folder, "config.lua", &err);
        if (text) {
            json_array_append_new(set, json_pack("{s:s, s:O, s:o}", "role", "config", "path", file, "text", text));
        } else {
            json_array_append_new(problems, problem_at(path, &err));
        }
    }
    return set;
}

/* What the files declare, judged; the problems are added. */
static json_t *declare(const json_t *set, uv_loop_t *loop, struct rb_spawner *sp, json_t *problems, struct rb_err *err)
{
    json_t *sets = json_pack("[O]", set), *sources = rb_load_sources(set);
    json_t *declared = rb_load_declare(loop, sp, &(struct rb_load_what){.sets = sets}, err);
    json_t *one = json_incref(json_array_get(declared, 0));
    if (one) {
        json_t *found = rb_config_check(one, sources);
        json_array_extend(problems, found);
        json_decref(found);
    }
    json_decref(declared);
    json_decref(sources);
    json_decref(sets);
    return one;
}

/* Secrets of the environment are known from the start, so that they are taken out of all output. */
static void note_environment(const json_t *config)
{
    const char *name;
    json_t *block;
    json_object_foreach(json_object_get(config, "secret"), name, block) {
        const char *variable = rb_json_str(block, "env", NULL), *value = variable ? getenv(variable) : NULL;
        if (value) {
            json_object_set_new(block, RB_CONFIG_VALUE, json_string(value)); /* none when it is not UTF-8 */
        }
    }
}

json_t *rb_config_load(uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err)
{
    return rb_config_load_files(rb_config_files(), loop, sp, err);
}

json_t *rb_config_load_files(json_t *files, uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err)
{
    json_t *problems = json_array();
    json_t *set = read_all(files, problems), *declared = NULL, *config = NULL;
    bool failed = false;
    if (json_array_size(set)) {
        declared = declare(set, loop, sp, problems, err);
        failed = !declared;
    }
    if (!rb_load_has_error(problems)) {
        config = declared ? rb_config_meta(declared) : json_object();
        note_environment(config);
    }
    json_decref(declared);
    json_decref(set);
    json_t *loaded =
        json_pack("{s:o, s:o, s:o}", "files", files, "problems", problems, "config", config ? config : json_null());
    if (failed) {
        json_decref(loaded);
        return NULL;
    }
    return loaded;
}

int rb_config_usable(const json_t *loaded, struct rb_err *err)
{
    size_t i;
    json_t *problem;
    json_array_foreach(json_object_get(loaded, "problems"), i, problem) {
        if (strcmp(rb_json_str(problem, "level", "error"), "error") == 0) {
            rb_err_set(err, RB_ELOAD, RB_T_config_broken, rb_json_str(problem, "file", "?"),
                       (int)rb_json_int(problem, "line", 1), rb_json_str(problem, "text", ""));
            rb_err_hint(err, RB_T_config_broken_hint);
            return RB_ELOAD;
        }
    }
    return 0;
}
