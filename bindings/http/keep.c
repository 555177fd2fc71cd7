#include "http/keep.h"

#include <stdbool.h>
#include <string.h>

#define PATHS_MAX 64

/* Of the paths, what is left of them below key. *whole: one of them ends there. */
static size_t below(const char *key, const char *const *paths, size_t count, const char **rest, bool *whole)
{
    size_t n = 0, len = strlen(key);
    *whole = false;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(paths[i], key, len) == 0 && paths[i][len] == '.') {
            rest[n++] = paths[i] + len + 1;
        }
        *whole = *whole || strcmp(paths[i], key) == 0;
    }
    return n;
}

static json_t *picked(const json_t *value, const char *const *paths, size_t count);

static json_t *picked_object(const json_t *value, const char *const *paths, size_t count)
{
    const char *key, *rest[PATHS_MAX];
    json_t *out = json_object(), *item;
    json_object_foreach((json_t *)value, key, item) {
        bool whole;
        size_t n = below(key, paths, count, rest, &whole);
        if (whole) {
            json_object_set(out, key, item);
        } else if (n > 0) {
            json_object_set_new(out, key, picked(item, rest, n));
        }
    }
    return out;
}

/* What is neither object nor list has nothing below it. */
static json_t *picked(const json_t *value, const char *const *paths, size_t count)
{
    size_t i;
    const json_t *item;
    if (json_is_object(value)) {
        return picked_object(value, paths, count);
    }
    if (!json_is_array(value)) {
        return json_null();
    }
    json_t *out = json_array();
    json_array_foreach(value, i, item) {
        json_array_append_new(out, picked(item, paths, count));
    }
    return out;
}

json_t *rb_http_picked(const json_t *value, const json_t *paths)
{
    const char *list[PATHS_MAX];
    size_t i, n = 0;
    const json_t *path;
    json_array_foreach(paths, i, path) {
        if (json_is_string(path) && n < PATHS_MAX) {
            list[n++] = json_string_value(path);
        }
    }
    return picked(value, list, n);
}

void rb_http_keep(json_t *value, const json_t *args)
{
    const json_t *paths = json_object_get(args, "keep"), *json = json_object_get(value, "json");
    if (!paths) {
        return;
    }
    json_object_del(value, "body");
    if (json) {
        json_object_set_new(value, "json", rb_http_picked(json, paths));
    }
}
