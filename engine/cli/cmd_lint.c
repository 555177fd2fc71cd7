/* runbook lint: every file is loaded, none is run. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/config.h"
#include "cli/commands.h"
#include "cli/meta.h"

struct tally {
    int errors, warnings, files;
    json_t *problems, *cases;
};

static void put_problem(struct rb_cli *c, const json_t *p, bool error)
{
    const char *hint = rb_json_str(p, "hint", "");
    rb_put(c, RB_OUT, RB_PLAIN, "%s:%d: ", rb_word(c, rb_json_str(p, "file", "?")), (int)rb_json_int(p, "line", 0));
    rb_put(c, RB_OUT, error ? RB_BAD : RB_WARN, "%s", error ? "" : TX(lint_warning));
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s%s\n", rb_word(c, rb_json_str(p, "text", "")), hint[0] != '\0' ? ", " : "",
           rb_word(c, hint));
}

static void lint_entry(struct rb_cli *c, const json_t *entry, struct tally *t)
{
    int before = t->errors;
    size_t i;
    json_t *p;
    const char *first = "";
    json_array_foreach(json_object_get(entry, "problems"), i, p) {
        bool error = strcmp(rb_json_str(p, "level", "error"), "error") == 0;
        first = error && first[0] == '\0' ? rb_json_str(p, "text", "") : first;
        t->errors += error;
        t->warnings += !error;
        json_array_append(t->problems, p);
        if (c->format == RB_FORMAT_TEXT) {
            put_problem(c, p, error);
        }
    }
    if (t->errors == before && strcmp(rb_json_str(entry, "status", ""), "broken") == 0) {
        t->errors++; /* broken without a place: refused before it was read */
        if (c->format == RB_FORMAT_TEXT) {
            rb_put(c, RB_OUT, RB_PLAIN, "%s: %s\n", rb_word(c, rb_json_str(entry, "file", "?")), TX(lint_broken));
        }
    }
    t->files++;
    json_array_append_new(t->cases, json_pack("{s:s, s:b, s:s}", "name", rb_json_str(entry, "id", "?"), "ok",
                                              t->errors == before, "text", first));
}

static bool starts_with_folder(const char *file, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(file, folder, len) == 0 && (file[len] == '/' || file[len] == '\0');
}

/* The folder that runbook ids of this file begin in: the one above profiles/, else the file's own. */
static void root_of(const char *path, bool folder, char out[PATH_MAX])
{
    char probe[PATH_MAX + 16];
    snprintf(out, PATH_MAX, "%s", path);
    char *slash = folder ? NULL : strrchr(out, '/');
    if (slash != NULL && slash != out) {
        *slash = '\0';
    }
    char *parent = strrchr(out, '/');
    if (parent == NULL || parent == out) {
        return;
    }
    snprintf(probe, sizeof probe, "%.*s/profiles", (int)(parent - out), out);
    if (access(probe, F_OK) == 0) {
        *parent = '\0';
    }
}

static bool lint_below(struct rb_cli *c, const json_t *loaded, const char *path, struct tally *t)
{
    int before = t->files;
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)loaded, i, entry) {
        if (starts_with_folder(rb_json_str(entry, "file", ""), path)) {
            lint_entry(c, entry, t);
        }
    }
    return t->files > before;
}

/* In the folder it belongs to when we know that; else in a catalogue that begins where it lies. */
static int lint_path(struct rb_cli *c, const char *path, struct tally *t, struct rb_err *err)
{
    char root[PATH_MAX];
    struct rb_catalog *catalog = NULL;
    const json_t *loaded = NULL;
    size_t len = strlen(path);
    int rc = rb_cli_catalog_load(c, &loaded, err);
    if (rc != 0 || lint_below(c, loaded, path, t)) {
        return rc;
    }
    root_of(path, len < 4 || strcmp(path + len - 4, ".lua") != 0, root);
    rc = rb_cli_catalog_at(&catalog, root, err);
    loaded = rc == 0 ? rb_catalog_load(catalog, &c->loop, c->spawner, err) : NULL;
    rc = loaded == NULL ? err->code : 0;
    if (rc == 0 && !lint_below(c, loaded, path, t)) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_cli_lint_nothing, path);
    }
    rb_catalog_close(catalog);
    return rc;
}

/* With the others when it is one of those that count; alone when it is yet to be put in its place. */
static int lint_config(struct rb_cli *c, const char *path, struct tally *t, struct rb_err *err)
{
    json_t *files = rb_config_files();
    if (!rb_json_lists(files, path)) {
        json_decref(files);
        files = json_pack("[s]", path);
    }
    int rc = rb_cli_loop(c, err);
    json_t *loaded = rc == 0 ? rb_config_load_files(json_incref(files), &c->loop, c->spawner, err) : NULL;
    rc = rc == 0 && loaded == NULL ? err->code : rc;
    if (rc == 0) {
        json_t *entry =
            json_pack("{s:s, s:s, s:O}", "id", path, "file", path, "problems", json_object_get(loaded, "problems"));
        lint_entry(c, entry, t);
        json_decref(entry);
    }
    json_decref(files);
    json_decref(loaded);
    return rc;
}

static bool is_config(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash != NULL ? slash + 1 : path, "config.lua") == 0;
}

static int lint_name(struct rb_cli *c, const char *name, struct tally *t, struct rb_err *err)
{
    char path[PATH_MAX];
    const json_t *loaded = NULL;
    if (access(name, F_OK) == 0 && realpath(name, path) != NULL) {
        return is_config(path) ? lint_config(c, path, t, err) : lint_path(c, path, t, err);
    }
    int rc = rb_cli_catalog_load(c, &loaded, err);
    const json_t *entry = rc == 0 ? rb_entry_find(loaded, name, err) : NULL;
    if (entry == NULL) {
        return err->code;
    }
    lint_entry(c, entry, t);
    return 0;
}

static int lint_all(struct rb_cli *c, struct tally *t, struct rb_err *err)
{
    const json_t *loaded = NULL;
    size_t i;
    json_t *entry;
    int rc = rb_cli_catalog_load(c, &loaded, err);
    json_array_foreach((json_t *)loaded, i, entry) {
        if (strcmp(rb_json_str(entry, "status", ""), "shadowed") != 0) {
            lint_entry(c, entry, t);
        }
    }
    return rc;
}

static const char *counted(struct rb_cli *c, enum rb_text_id id, int n)
{
    char text[64];
    snprintf(text, sizeof text, rb_text_n(id, n), n);
    return rb_word(c, text);
}

static void put_tally(struct rb_cli *c, const struct tally *t)
{
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:b, s:i, s:i, s:i, s:O}", "schema", "runbook.lint/1", "ok", t->errors == 0,
                                 "files", t->files, "errors", t->errors, "warnings", t->warnings, "problems",
                                 t->problems));
    } else if (c->format == RB_FORMAT_JSONL) {
        size_t i;
        json_t *p;
        json_array_foreach(t->problems, i, p) {
            rb_put_jsonl(c, p);
        }
    } else if (c->format == RB_FORMAT_TAP || c->format == RB_FORMAT_JUNIT) {
        rb_put_cases(c, "lint", t->cases);
    } else {
        rb_put(c, RB_OUT, t->errors > 0 ? RB_BAD : RB_PLAIN, TX(lint_count),
               counted(c, RB_T_cli_lint_errors, t->errors), counted(c, RB_T_cli_lint_warnings, t->warnings),
               counted(c, RB_T_cli_lint_files, t->files));
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
}

int rb_cmd_lint(struct rb_cli *c)
{
    struct rb_err err = {0};
    const char *meta = rb_options_get(&c->options, RB_O_EMIT_META);
    if (meta != NULL) {
        return rb_meta_emit(c, meta, &err) != 0 ? rb_cli_fail(c, &err) : 0;
    }
    struct tally t = {.problems = json_array(), .cases = json_array()};
    int rc = c->nargs == 0 ? lint_all(c, &t, &err) : 0;
    for (int i = 0; i < c->nargs && rc == 0; i++) {
        rc = lint_name(c, c->args[i], &t, &err);
    }
    if (rc == 0) {
        put_tally(c, &t);
    }
    json_decref(t.problems);
    json_decref(t.cases);
    return rc != 0 ? rb_cli_fail(c, &err) : t.errors > 0 ? 1 : 0;
}
