/* Names: a full id, the last part of one, or an alias. Never a guess: what is not exactly one is refused
 * with what it could be. */
#include "catalog/find.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "runner/language_lint.h"

#define SHOWN_MAX 8

static const char *last_part(const char *id)
{
    const char *slash = strrchr(id, '/');
    return slash ? slash + 1 : id;
}

static int refuse_ambiguous(const json_t *ids, const char *name, struct rb_err *err)
{
    struct rb_buf words;
    size_t i;
    json_t *id;
    rb_buf_init(&words, 800);
    json_array_foreach((json_t *)ids, i, id) {
        if (i < SHOWN_MAX) {
            (void)rb_buf_addf(&words, "%s%s", i ? ", " : "", json_string_value(id)); /* a full buffer shows fewer */
        }
    }
    rb_err_set(err, RB_EUSAGE, RB_T_catalog_ambiguous, rb_cut(name, 100), name, rb_buf_str(&words));
    rb_buf_deinit(&words);
    return RB_EUSAGE;
}

static void add_once(json_t *ids, const char *id)
{
    size_t i;
    json_t *known;
    json_array_foreach(ids, i, known) {
        if (strcmp(json_string_value(known), id) == 0) {
            return;
        }
    }
    json_array_append_new(ids, json_string(id));
}

static int one_of(const json_t *list, json_t *ids, const char *name, struct rb_found *found, struct rb_err *err)
{
    int rc = json_array_size(ids) ? 0 : RB_ENOT_FOUND;
    if (json_array_size(ids) > 1) {
        rc = refuse_ambiguous(ids, name, err);
    } else if (!rc) {
        found->entry = rb_json_find(list, "id", json_string_value(json_array_get(ids, 0)));
        rc = found->entry ? 0 : RB_ENOT_FOUND;
    }
    json_decref(ids);
    return rc;
}

int rb_find_by_name(const json_t *list, const char *name, struct rb_found *found, struct rb_err *err)
{
    size_t i;
    json_t *entry, *ids = json_array();
    found->entry = rb_json_find(list, "id", name); /* the others of that id are shadowed by it */
    if (found->entry) {
        json_decref(ids);
        return 0;
    }
    json_array_foreach((json_t *)list, i, entry) {
        const char *id = rb_json_str(entry, "id", "");
        if (!strchr(name, '/') && strcmp(last_part(id), name) == 0) {
            add_once(ids, id);
        }
    }
    return one_of(list, ids, name, found, err);
}

/* ---- aliases, and what was meant ---- */

static void add_names(const json_t *entry, const char **names, size_t *count, size_t max)
{
    const json_t *aliases = json_object_get(json_object_get(entry, "meta"), "alias");
    const char *id = rb_json_str(entry, "id", ""), *alias;
    for (size_t i = 0; *count + 3 < max && (alias = rb_words_at(aliases, i)); i++) {
        names[(*count)++] = alias;
    }
    names[(*count)++] = id;
    names[(*count)++] = last_part(id);
}

static int refuse_unknown(const json_t *loaded, const char *name, struct rb_err *err)
{
    size_t max = json_array_size(loaded) * 8 + 3, count = 0, i;
    const char **names = rb_xcalloc(max, sizeof *names), *near;
    json_t *entry;
    json_array_foreach((json_t *)loaded, i, entry) {
        if (count + 3 < max) {
            add_names(entry, names, &count, max);
        }
    }
    near = rb_utf8_nearest(name, names, count);
    int rc = near ? rb_err_set(err, RB_EUSAGE, RB_T_catalog_no_runbook_near, rb_cut(name, 100), name, near)
                  : rb_err_set(err, RB_ENOT_FOUND, RB_T_catalog_no_such_runbook, rb_cut(name, 100), name);
    free(names);
    return rc;
}

int rb_find_by_alias(const json_t *list, const json_t *loaded, const char *name, struct rb_found *found,
                     struct rb_err *err)
{
    size_t i;
    json_t *entry, *ids = json_array();
    json_array_foreach((json_t *)loaded, i, entry) {
        const json_t *aliases = json_object_get(json_object_get(entry, "meta"), "alias");
        const char *alias;
        for (size_t j = 0; (alias = rb_words_at(aliases, j)); j++) {
            if (strcmp(alias, name) == 0) {
                add_once(ids, rb_json_str(entry, "id", ""));
            }
        }
    }
    int rc = one_of(list, ids, name, found, err);
    return rc == RB_ENOT_FOUND ? refuse_unknown(loaded, name, err) : rc;
}
