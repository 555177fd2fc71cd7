/* The list of runbooks with what each says of itself. */
#include "catalog/catalog.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "catalog/cache.h"
#include "catalog/find.h"
#include "catalog/folders.h"
#include "catalog/load.h"
#include "runner/language.h"

struct rb_catalog {
    struct rb_folders folders;
    json_t *verbs;
    json_t *loaded, *listed; /* NULL until asked for */
    char *caches;            /* where; NULL = nowhere */
};

int rb_catalog_open(struct rb_catalog **out, const char *extra, struct rb_err *err)
{
    struct rb_catalog *catalog = rb_xcalloc(1, sizeof *catalog);
    int rc = rb_folders_find(&catalog->folders, extra, err);
    if (rc) {
        rb_catalog_close(catalog);
        return rc;
    }
    *out = catalog;
    return 0;
}

void rb_catalog_close(struct rb_catalog *c)
{
    if (c) {
        rb_folders_free(&c->folders);
        json_decref(c->verbs);
        json_decref(c->loaded);
        json_decref(c->listed);
        free(c->caches);
        free(c);
    }
}

void rb_catalog_verbs_take(struct rb_catalog *c, json_t *verbs)
{
    json_decref(c->verbs);
    c->verbs = verbs;
}

void rb_catalog_cache_in(struct rb_catalog *c, const char *folder)
{
    free(c->caches);
    c->caches = rb_xstrdup(folder);
}

/* ---- one entry ---- */

static json_t *new_entry(const json_t *found, const char *status)
{
    return json_pack("{s:O, s:O, s:s, s:[], s:s, s:n}", "id", json_object_get(found, "id"), "file",
                     json_object_get(found, "file"), "status", status, "problems", "sha256", "", "meta");
}

static json_t *broken_entry(const json_t *found, const char *text, const char *hint)
{
    json_t *entry = new_entry(found, "broken");
    json_array_append_new(json_object_get(entry, "problems"),
                          json_pack("{s:s, s:i, s:s, s:s, s:s}", "file", rb_json_str(found, "file", "?"), "line", 1,
                                    "level", "error", "text", text, "hint", hint));
    return entry;
}

/* What a runbook declared, judged: {problems, meta}; with an error meta is null. */
static json_t *judged(const json_t *runbook, const json_t *declared)
{
    json_t *sources = rb_load_sources(json_object_get(runbook, "files"));
    json_t *problems = rb_language_check(declared, sources);
    json_t *meta =
        rb_load_has_error(problems) ? json_null() : rb_language_meta(rb_json_str(runbook, "id", ""), declared);
    json_decref(sources);
    return json_pack("{s:o, s:o}", "problems", problems, "meta", meta);
}

/* Gives the entry its status. */
static void complete(json_t *entry, const json_t *runbook, const json_t *judgement)
{
    const json_t *meta = json_object_get(judgement, "meta");
    const char *status = rb_json_str(meta, "status", "live");
    json_object_set(entry, "sha256", json_object_get(runbook, "sha256"));
    json_object_set(entry, "problems", json_object_get(judgement, "problems"));
    if (json_is_object(meta)) {
        json_object_set_new(entry, "status", json_string(strcmp(status, "live") == 0 ? "ok" : status));
        json_object_set(entry, "meta", (json_t *)meta);
    }
}

/* ---- all of them ---- */

struct loading {
    json_t *entries;        /* all, the answer */
    json_t *runbooks;       /* read well: what rb_folders_runbook gave */
    json_t *waiting;        /* their entries, in the same order */
    json_t *sets;           /* their files */
    json_t *seen;           /* {id: true} */
    json_t *checked;        /* of rb_folders_runbook */
    struct rb_cache *cache; /* NULL = all are declared */
};

/* It is complete if we still know what it said; else it waits to be declared. */
static void take_runbook(struct loading *l, json_t *entry, json_t *runbook)
{
    char key[RB_HEX_SIZE];
    const json_t *known = NULL;
    if (l->cache) {
        rb_cache_key(runbook, key);
        known = rb_cache_get(l->cache, key);
    }
    if (known) {
        complete(entry, runbook, known);
        json_decref(runbook);
        return;
    }
    json_array_append(l->waiting, entry);
    json_array_append(l->sets, json_object_get(runbook, "files"));
    json_array_append_new(l->runbooks, runbook);
}

static void read_one(const struct rb_folders *folders, const json_t *found, struct loading *l)
{
    const char *id = rb_json_str(found, "id", ""), *bad = rb_json_str(found, "bad", "");
    struct rb_err err = {0};
    json_t *entry;
    if (json_object_get(l->seen, id)) {
        entry = new_entry(found, "shadowed");
    } else if (bad[0]) {
        entry = broken_entry(found, bad, "");
    } else {
        json_t *runbook = rb_folders_runbook(folders, (size_t)rb_json_int(found, "folder", 0), id, l->checked, &err);
        entry = runbook ? new_entry(found, "broken") : broken_entry(found, err.text, err.hint);
        json_object_set_new(entry, "shipped",
                            json_boolean((size_t)rb_json_int(found, "folder", 0) == folders->shipped));
        if (runbook) {
            take_runbook(l, entry, runbook);
        }
    }
    json_object_set_new(l->seen, id, json_true());
    json_array_append_new(l->entries, entry);
}

static int by_id(const void *left, const void *right)
{
    json_t *const *a = left, *const *b = right;
    int order = strcmp(rb_json_str(*a, "id", ""), rb_json_str(*b, "id", ""));
    bool below_a = strcmp(rb_json_str(*a, "status", ""), "shadowed") == 0;
    bool below_b = strcmp(rb_json_str(*b, "status", ""), "shadowed") == 0;
    return order                ? order
           : below_a != below_b ? below_a - below_b
                                : strcmp(rb_json_str(*a, "file", ""), rb_json_str(*b, "file", ""));
}

static json_t *sorted(const json_t *entries)
{
    size_t count = json_array_size(entries), i;
    json_t **order = rb_xcalloc(count + 1, sizeof *order), *list = json_array();
    for (i = 0; i < count; i++) {
        order[i] = json_array_get(entries, i);
    }
    qsort(order, count, sizeof *order, by_id);
    for (i = 0; i < count; i++) {
        json_array_append(list, order[i]);
    }
    free(order);
    return list;
}

/* ---- drills that do not load ---- */

/* They come last. NULL when there are none. */
static const json_t *drills_of(const json_t *runbook)
{
    const json_t *files = json_object_get(runbook, "files"), *last = json_array_get(files, json_array_size(files) - 1);
    return strcmp(rb_json_str(last, "role", ""), "drills") == 0 ? last : NULL;
}

/* The files of one that has drills, without them. New reference. */
static json_t *without_drills(const json_t *runbook)
{
    json_t *files = json_copy(json_object_get(runbook, "files"));
    json_array_remove(files, json_array_size(files) - 1);
    return files;
}

/* The drills' own errors, beside what the runbook is without them. */
static json_t *beside_drills(const json_t *runbook, const json_t *declared, const json_t *with)
{
    json_t *alone = judged(runbook, declared), *problems = json_object_get(alone, "problems");
    if (rb_load_has_error(problems)) { /* they are not what is wrong */
        json_decref(alone);
        return json_incref((json_t *)with);
    }
    json_object_set(alone, "problems", json_object_get(with, "problems"));
    return alone;
}

/* Why they cannot be read, as a problem; NULL when they can. */
static json_t *unread(const json_t *drills)
{
    const char *bad = rb_json_str(drills, "bad", NULL);
    return !bad ? NULL
                : json_pack("{s:s, s:i, s:s, s:s, s:s}", "file", rb_json_str(drills, "path", "?"), "line", 1, "level",
                            "error", "text", bad, "hint", "");
}

/* Judges what all declared, and those whose drills may be at fault once more without. [judgement…]; new reference. */
static json_t *judge_all(const struct rb_catalog *c, const struct loading *l, const json_t *declared, uv_loop_t *loop,
                         struct rb_spawner *sp)
{
    json_t *judgements = json_array(), *sets = json_array(), *which = json_array(), *runbook, *n;
    size_t i;
    json_array_foreach(l->runbooks, i, runbook) {
        json_t *judgement = judged(runbook, json_array_get(declared, i)),
               *problems = json_object_get(judgement, "problems");
        json_t *bad = unread(drills_of(runbook));
        if (bad) {
            json_array_append_new(problems, bad);
        } else if (drills_of(runbook) && rb_load_has_error(problems)) {
            json_array_append_new(sets, without_drills(runbook));
            json_array_append_new(which, json_integer((json_int_t)i));
        }
        json_array_append_new(judgements, judgement);
    }
    json_t *again =
        json_array_size(sets) ? rb_load_declare(loop, sp, &(struct rb_load_what){sets, c->verbs}, NULL) : NULL;
    json_array_foreach(which, i, n) {
        size_t at = (size_t)json_integer_value(n);
        const json_t *with = json_array_get(judgements, at);
        if (again) {
            json_array_set_new(judgements, at,
                               beside_drills(json_array_get(l->runbooks, at), json_array_get(again, i), with));
        }
    }
    json_decref(again);
    json_decref(sets);
    json_decref(which);
    return judgements;
}

static void complete_declared(const struct loading *l, const json_t *judgements)
{
    size_t i;
    json_t *entry;
    json_array_foreach(l->waiting, i, entry) {
        char key[RB_HEX_SIZE];
        const json_t *runbook = json_array_get(l->runbooks, i), *judgement = json_array_get(judgements, i);
        complete(entry, runbook, judgement);
        if (l->cache) {
            rb_cache_key(runbook, key);
            rb_cache_put(l->cache, key, judgement);
        }
    }
}

static json_t *load_all(const struct rb_catalog *c, uv_loop_t *loop, struct rb_spawner *sp, struct rb_cache *cache,
                        struct rb_err *err)
{
    struct loading l = {json_array(), json_array(), json_array(), json_array(), json_object(), json_object(), cache};
    json_t *found = rb_folders_list(&c->folders), *one, *list = NULL;
    size_t i;
    json_array_foreach(found, i, one) {
        read_one(&c->folders, one, &l);
    }
    json_t *declared = rb_load_declare(loop, sp, &(struct rb_load_what){l.sets, c->verbs}, err);
    if (declared) {
        json_t *judgements = judge_all(c, &l, declared, loop, sp);
        complete_declared(&l, judgements);
        json_decref(judgements);
        list = sorted(l.entries);
    }
    json_decref(declared);
    json_decref(found);
    json_decref(l.entries);
    json_decref(l.runbooks);
    json_decref(l.waiting);
    json_decref(l.sets);
    json_decref(l.seen);
    json_decref(l.checked);
    return list;
}

const json_t *rb_catalog_load(struct rb_catalog *c, uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err)
{
    if (!c->loaded) {
        c->loaded = load_all(c, loop, sp, NULL, err);
    }
    return c->loaded;
}

/* What a runbook declares depends on these besides its files. */
static struct rb_cache *open_cache(const struct rb_catalog *c)
{
    json_t *folders = json_array(), *of;
    for (size_t i = 0; i < c->folders.count; i++) {
        json_array_append_new(folders, json_string(c->folders.path[i]));
    }
    of = json_pack("{s:o, s:O?, s:i}", "folders", folders, "verbs", c->verbs, "lang", (int)rb_text_lang());
    struct rb_cache *cache = rb_cache_open(c->caches, of);
    json_decref(of);
    return cache;
}

const json_t *rb_catalog_list(struct rb_catalog *c, uv_loop_t *loop, struct rb_spawner *sp, struct rb_err *err)
{
    if (c->loaded || !c->caches) {
        return rb_catalog_load(c, loop, sp, err);
    }
    if (!c->listed) {
        struct rb_cache *cache = open_cache(c);
        c->listed = load_all(c, loop, sp, cache, err);
        if (c->listed) {
            rb_cache_save(cache);
        }
        rb_cache_close(cache);
    }
    return c->listed;
}

/* ---- one by its name ---- */

static int by_alias(const json_t *loaded, const json_t *list, const char *name, struct rb_found *found,
                    struct rb_err *err)
{
    return loaded ? rb_find_by_alias(list, loaded, name, found, err) : err ? err->code : RB_EINTERNAL;
}

json_t *rb_catalog_find_file(struct rb_catalog *c, uv_loop_t *loop, struct rb_spawner *sp, const char *name,
                             struct rb_err *err)
{
    struct rb_found found = {0};
    json_t *list = rb_folders_list(&c->folders), *runbook = NULL;
    int rc = rb_find_by_name(list, name, &found, err);
    if (rc == RB_ENOT_FOUND) { /* an alias stands inside a file: all must be read */
        rc = by_alias(rb_catalog_list(c, loop, sp, err), list, name, &found, err);
        if (!rc && !c->loaded) { /* what is kept may say that there is none, not which one it is */
            rc = by_alias(rb_catalog_load(c, loop, sp, err), list, name, &found, err);
        }
    }
    if (!rc && rb_json_str(found.entry, "bad", "")[0]) {
        rc = rb_err_set(err, RB_ELOAD, RB_T_catalog_bad_file, rb_json_str(found.entry, "file", ""),
                        rb_json_str(found.entry, "bad", ""));
    }
    if (!rc) {
        size_t folder = (size_t)rb_json_int(found.entry, "folder", 0);
        runbook = rb_folders_runbook(&c->folders, folder, rb_json_str(found.entry, "id", ""), NULL, err);
    }
    json_decref(list);
    return runbook;
}

/* ---- what the program itself has written ---- */

json_t *rb_catalog_own_file(const char *id, const char *text)
{
    char path[128], sha[RB_HEX_SIZE];
    snprintf(path, sizeof path, "%s.lua", id);
    rb_hash_hex(text, strlen(text), sha);
    return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "id", id, "file", path, "sha256", sha, "files", "role",
                     "runbook", "path", path, "text", text);
}
