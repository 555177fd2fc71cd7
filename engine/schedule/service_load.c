/* What the service runs: read at the start, and again when a file changes. A runbook that does not load any
 * more goes on as it was last good, and people are told. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/config.h"
#include "catalog/folders.h"
#include "run/arguments.h"
#include "schedule/service_state.h"

#define DEBOUNCE_MS 400 /* an editor writes a file in several steps */
#define WATCHES_MAX 4096

/* ---- watching ---- */

static void on_settled(uv_timer_t *timer)
{
    struct rb_service *s = timer->data;
    s->reload = true;
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    struct rb_service *s = watch->data;
    (void)name;
    (void)events;
    (void)status;
    uv_timer_start(&s->debounce, on_settled, DEBOUNCE_MS, 0);
}

static void closed(uv_handle_t *handle)
{
    struct rb_service *s = handle->data;
    s->open--;
    free(handle);
}

void rb_service_unwatch(struct rb_service *s)
{
    for (size_t i = 0; i < s->watch_count; i++) {
        uv_close((uv_handle_t *)s->watches[i], closed);
    }
    free(s->watches);
    s->watches = NULL;
    s->watch_count = 0;
}

/* A folder that cannot be watched is read again by SIGHUP only. */
static void watch_folder(struct rb_service *s, const char *path)
{
    uv_fs_event_t *watch = rb_xcalloc(1, sizeof *watch);
    uv_fs_event_init(s->o.engine.loop, watch);
    watch->data = s;
    s->open++;
    s->watches[s->watch_count++] = watch;
    if (uv_fs_event_start(watch, on_change, path, 0)) {
        rb_service_say(s, "watch.failed", json_pack("{s:s}", "folder", path));
    }
}

static json_t *folders_of(const struct rb_service *s, const json_t *loaded)
{
    json_t *set = json_object(), *entry;
    struct rb_folders roots = {0};
    size_t i;
    if (rb_folders_find(&roots, s->o.runbooks, NULL) == 0) {
        for (i = 0; i < roots.count; i++) {
            json_object_set_new(set, roots.path[i], json_true());
        }
    }
    rb_folders_free(&roots);
    char config[PATH_MAX];
    if (rb_files_config_dir(config, NULL) == 0 && access(config, R_OK) == 0) {
        json_object_set_new(set, config, json_true());
    }
    json_array_foreach((json_t *)loaded, i, entry) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s", rb_json_str(entry, "file", "/"));
        json_object_set_new(set, dirname(path), json_true());
    }
    return set;
}

static void watch_all(struct rb_service *s, const json_t *loaded)
{
    json_t *set = folders_of(s, loaded), *value;
    const char *path;
    rb_service_unwatch(s);
    s->watches = rb_xcalloc(json_object_size(set) + 1, sizeof *s->watches);
    json_object_foreach(set, path, value) {
        if (s->watch_count < WATCHES_MAX) {
            watch_folder(s, path);
        }
    }
    json_decref(set);
}

/* ---- reading ---- */

static bool scheduled(const json_t *entry)
{
    return json_array_size(json_object_get(json_object_get(entry, "meta"), "schedules")) > 0;
}

static void say_broken(struct rb_service *s, const json_t *entry)
{
    const char *id = rb_json_str(entry, "id", "");
    const json_t *problem = json_array_get(json_object_get(entry, "problems"), 0);
    if (json_object_get(s->broken, id)) {
        return;
    }
    json_object_set_new(s->broken, id, json_true());
    rb_service_say(s, "runbook.broken",
                   json_pack("{s:s, s:s, s:I, s:s}", "runbook", id, "file", rb_json_str(problem, "file", "?"), "line",
                             rb_json_int(problem, "line", 1), "text", rb_json_str(problem, "text", "?")));
}

/* Its text, if it is still the one that was just judged. */
static void keep_file(struct rb_service *s, struct rb_catalog *catalog, const json_t *entry)
{
    struct rb_err err = {0};
    const char *id = rb_json_str(entry, "id", "");
    json_t *file = rb_catalog_find_file(catalog, s->o.engine.loop, s->o.engine.spawner, id, &err);
    if (file && !strcmp(rb_json_str(file, "sha256", ""), rb_json_str(entry, "sha256", "-"))) {
        json_object_set(s->good, id, (json_t *)entry);
        json_object_set(s->files, id, file);
        json_object_del(s->broken, id);
    } else if (file) {
        s->reload = true;
    }
    json_decref(file);
}

/* The entries to schedule by: those that are good now, and the last good ones of those that are broken. */
static json_t *choose(struct rb_service *s, struct rb_catalog *catalog, const json_t *loaded)
{
    json_t *chosen = json_array(), *entry;
    size_t i;
    json_array_foreach((json_t *)loaded, i, entry) {
        const char *id = rb_json_str(entry, "id", ""), *status = rb_json_str(entry, "status", "");
        if (!strcmp(status, "ok") && scheduled(entry)) {
            keep_file(s, catalog, entry);
            json_array_append(chosen, json_object_get(s->good, id));
        } else if (!strcmp(status, "broken")) {
            say_broken(s, entry);
            json_array_append(chosen, json_object_get(s->good, id));
        }
    }
    return chosen;
}

static int load(struct rb_service *s, struct rb_catalog *catalog, struct rb_err *err)
{
    const json_t *loaded = rb_catalog_load(catalog, s->o.engine.loop, s->o.engine.spawner, err);
    if (!loaded) {
        return err->code;
    }
    json_t *chosen = choose(s, catalog, loaded);
    struct rb_schedules *old = s->schedules;
    s->schedules = rb_schedules_new(chosen, s->config);
    int rc = rb_service_plan(s, err);
    rb_schedules_free(old);
    watch_all(s, loaded);
    json_decref(chosen);
    return rc;
}

static void say_problems(struct rb_service *s)
{
    for (size_t i = 0; i < s->schedules->count; i++) {
        const struct rb_schedule *one = &s->schedules->list[i];
        if (one->problem.code) {
            rb_service_say(s, "schedule.broken",
                           json_pack("{s:s, s:s}", "schedule", one->name, "error", one->problem.text));
        }
    }
}

/* One that does not load leaves the last good one; the first must load, or the service does not start. */
static int load_config(struct rb_service *s, struct rb_err *err)
{
    json_t *loaded = rb_config_load(s->o.engine.loop, s->o.engine.spawner, err);
    int rc = loaded ? rb_config_usable(loaded, err) : err->code;
    if (!rc) {
        json_decref(s->config);
        s->config = json_incref(json_object_get(loaded, "config"));
    } else if (s->config) {
        rb_service_say(s, "load.failed", json_pack("{s:s}", "error", err->text));
        rc = 0;
    }
    json_decref(loaded);
    return rc;
}

int rb_service_load(struct rb_service *s, struct rb_err *err)
{
    struct rb_catalog *catalog = NULL;
    bool first = !s->schedules;
    int rc = load_config(s, err);
    rc = rc ? rc : rb_catalog_open(&catalog, s->o.runbooks, err);
    if (!rc) {
        rb_catalog_verbs_take(catalog, rb_arguments_verbs());
        rc = load(s, catalog, err);
    }
    rb_catalog_close(catalog);
    if (!rc) {
        say_problems(s);
    }
    if (!rc && !first) {
        rb_service_say(s, "service.loaded", json_pack("{s:i}", "schedules", (int)s->schedules->count));
    }
    return rc;
}

void rb_service_unload(struct rb_service *s)
{
    rb_schedules_free(s->schedules);
    json_decref(s->good);
    json_decref(s->files);
    json_decref(s->broken);
    json_decref(s->config);
}
