/* All values of a runbook (language.md 12): given, then the profile's, then the default.
 * {name} in a profile's value or a default stands for another parameter or profile
 * name; what was given is data and is taken as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"
#include "runner/language_lint.h"
#include "runner/params.h"

#define DEPTH_MAX 32 /* names within names; a circle ends here too, with the names on the way */
#define TEXT_MAX 65536

struct resolver {
    const json_t *params; /* {name: fields}: all that are declared */
    const json_t *values; /* {name: value} of the profile */
    const json_t *given;
    json_t *ready; /* {name: value} */
    const char *way[DEPTH_MAX];
    size_t depth;
    bool only_follow; /* do not convert: the file is being checked */
    struct rb_err *err;
};

static json_t *value_of(struct resolver *r, const char *name);

/* ---- templates ---- */

/* The length of the name in "{name}" at p, 0 when it is none. */
size_t rb_param_hole(const char *p)
{
    if (p[0] != '{' || p[1] < 'a' || p[1] > 'z') {
        return 0;
    }
    size_t len = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return p[1 + len] == '}' && len <= 64 ? len : 0;
}

static int add_value(struct rb_buf *out, const json_t *value)
{
    if (json_is_string(value)) {
        return rb_buf_adds(out, json_string_value(value));
    }
    if (json_is_integer(value)) {
        return rb_buf_addf(out, "%lld", (long long)json_integer_value(value));
    }
    if (json_is_boolean(value)) {
        return rb_buf_adds(out, json_is_true(value) ? "true" : "false");
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    int rc = text ? rb_buf_adds(out, text) : RB_EMEMORY;
    free(text);
    return rc;
}

static int fill(struct resolver *r, const char *template, struct rb_buf *out)
{
    int rc = 0;
    for (const char *p = template; *p && !rc;) {
        char name[80];
        size_t len = rb_param_hole(p);
        if (!len) {
            size_t plain = 1 + strcspn(p + 1, "{");
            rc = rb_buf_add(out, p, plain);
            p += plain;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)len, p + 1);
        json_t *value = value_of(r, name);
        if (json_is_null(value)) {
            rc = rb_err_set(r->err, RB_EUSAGE, RB_T_catalog_param_hole_empty, r->way[r->depth - 1], name);
        } else {
            rc = value ? add_value(out, value) : RB_EUSAGE;
        }
        json_decref(value);
        p += len + 2;
    }
    return rc == RB_ETOO_LARGE ? rb_err_set(r->err, rc, RB_T_catalog_param_long) : rc;
}

static json_t *filled_text(struct resolver *r, const json_t *template)
{
    const char *text = json_string_value(template);
    char name[80];
    size_t len = rb_param_hole(text);
    if (len && !text[len + 2]) { /* alone: the value itself, not its text */
        snprintf(name, sizeof name, "%.*s", (int)len, text + 1);
        return value_of(r, name);
    }
    struct rb_buf out;
    rb_buf_init(&out, TEXT_MAX);
    json_t *value = fill(r, text, &out) ? NULL : json_string(rb_buf_str(&out));
    rb_buf_deinit(&out);
    return value;
}

static json_t *filled(struct resolver *r, const json_t *value)
{
    if (json_is_string(value)) {
        return filled_text(r, value);
    }
    if (!json_is_array(value)) {
        return json_deep_copy(value);
    }
    json_t *list = json_array(), *item;
    size_t i;
    json_array_foreach((json_t *)value, i, item) {
        json_t *one = json_is_string(item) ? filled_text(r, item) : json_deep_copy(item);
        if (!one) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, one);
    }
    return list;
}

/* ---- one name ---- */

static void circle(struct resolver *r, const char *name)
{
    char way[512] = "";
    size_t used = 0, from = 0;
    while (from + 1 < r->depth && strcmp(r->way[from], name)) {
        from++;
    }
    for (size_t i = from; i < r->depth && used + 80 < sizeof way; i++) {
        used += (size_t)snprintf(way + used, sizeof way - used, "%s -> ", r->way[i]);
    }
    rb_err_set(r->err, RB_EUSAGE, RB_T_catalog_param_circle, way, name);
}

static bool on_the_way(const struct resolver *r, const char *name)
{
    for (size_t i = 0; i < r->depth; i++) {
        if (strcmp(r->way[i], name) == 0) {
            return true;
        }
    }
    return r->depth == DEPTH_MAX;
}

static const char *nearest_name(const json_t *first, const json_t *second, const char *name)
{
    size_t count = 0, max = json_object_size(first) + json_object_size(second);
    const char **names = calloc(max + 1, sizeof *names), *key, *near;
    json_t *ignored;
    if (!names) {
        return NULL;
    }
    json_object_foreach((json_t *)first, key, ignored) {
        names[count++] = key;
    }
    json_object_foreach((json_t *)second, key, ignored) {
        names[count++] = key;
    }
    near = rb_utf8_nearest(name, names, count);
    free(names);
    return near;
}

static json_t *unknown(struct resolver *r, const char *name)
{
    const char *near = nearest_name(r->params, r->values, name);
    const char *within = r->depth ? r->way[r->depth - 1] : name;
    if (near) {
        rb_err_set(r->err, RB_EUSAGE, RB_T_catalog_param_hole_near, within, name, near);
    } else {
        rb_err_set(r->err, RB_EUSAGE, RB_T_catalog_param_hole, within, name);
    }
    return NULL;
}

/* NULL without an error means: there is no value. */
static const json_t *raw_value(const struct resolver *r, const char *name, const json_t *param)
{
    const json_t *value = json_object_get(r->values, name);
    value = value ? value : json_object_get(param, "default");
    return json_is_null(value) ? NULL : value;
}

/* For a parameter that may be absent. */
static json_t *empty_value(const json_t *param)
{
    const char *type = rb_json_str(param, "type", "string");
    return strncmp(type, "list(", 5) == 0 ? json_array() : strcmp(type, "bool") == 0 ? json_false() : json_null();
}

static json_t *fresh_value(struct resolver *r, const char *name)
{
    const json_t *param = json_object_get(r->params, name), *given = json_object_get(r->given, name);
    if (given) {
        return rb_param_convert(name, param, given, r->err);
    }
    const json_t *raw = raw_value(r, name, param);
    if (!raw) {
        return param || json_object_get(r->values, name) ? empty_value(param) : unknown(r, name);
    }
    r->way[r->depth++] = name;
    json_t *value = filled(r, raw);
    r->depth--;
    if (!value || !param || r->only_follow) {
        return value;
    }
    json_t *converted = rb_param_convert(name, param, value, r->err);
    json_decref(value);
    return converted;
}

/* New reference. */
static json_t *value_of(struct resolver *r, const char *name)
{
    json_t *value = json_object_get(r->ready, name);
    if (value) {
        return json_incref(value);
    }
    if (on_the_way(r, name)) {
        circle(r, name);
        return NULL;
    }
    value = fresh_value(r, name);
    if (value) {
        json_object_set(r->ready, name, value);
    }
    return value;
}

json_t *rb_params_written(const json_t *params, const json_t *values, const char *name)
{
    struct rb_err ignored = {0};
    struct resolver r = {
        .params = params, .values = values, .ready = json_object(), .only_follow = true, .err = &ignored};
    json_t *value = raw_value(&r, name, json_object_get(params, name)) ? value_of(&r, name) : NULL;
    json_decref(r.ready);
    return value;
}

int rb_params_follow(const json_t *params, const json_t *values, const char *name, struct rb_err *err)
{
    struct rb_err own = {0};
    struct resolver r = {.params = params, .values = values, .ready = json_object(), .only_follow = true, .err = &own};
    json_t *value = value_of(&r, name);
    json_decref(r.ready);
    if (err) {
        *err = own;
    }
    json_decref(value);
    return value ? 0 : own.code;
}

/* ---- the profile ---- */

json_t *rb_profile_values(const json_t *profiles, const char *name)
{
    json_t *values = json_object();
    for (int depth = 0; name && depth < DEPTH_MAX; depth++) {
        const json_t *profile = json_object_get(profiles, name);
        json_object_update_missing(values, json_object_get(profile, "values"));
        name = rb_json_str(profile, "like", NULL);
    }
    return values;
}

/* ---- all of them ---- */

static int refuse_unknown(const json_t *meta_params, const json_t *declared, const json_t *given, struct rb_err *err)
{
    const char *name;
    json_t *ignored;
    json_object_foreach((json_t *)given, name, ignored) {
        if (json_object_get(declared, name)) {
            continue;
        }
        const char *near = nearest_name(declared, NULL, name);
        int cut = rb_cut(name, 64);
        if (near) {
            return rb_err_set(err, RB_EUSAGE, RB_T_catalog_param_unknown_near, cut, name, near);
        }
        rb_err_set(err, RB_EUSAGE, json_array_size(meta_params) ? RB_T_catalog_param_unknown : RB_T_catalog_param_none,
                   cut, name);
        return RB_EUSAGE;
    }
    return 0;
}

/* All that are missing in one message: nobody wants to learn them one by one. */
static int refuse_missing(struct resolver *r, const json_t *order)
{
    struct rb_buf words, example;
    size_t i, missing = 0;
    json_t *item;
    rb_buf_init(&words, 600);
    rb_buf_init(&example, 400);
    json_array_foreach((json_t *)order, i, item) {
        const char *name = json_string_value(item);
        const json_t *param = json_object_get(r->params, name);
        char label[RB_LABEL_MAX];
        if (json_object_get(r->given, name) || raw_value(r, name, param) || !rb_json_bool(param, "required", true)) {
            continue;
        }
        rb_param_label(name, param, label);
        (void)rb_buf_addf(&words, "%s%s", missing ? ", " : "", label); /* past the maximum the rest is left out */
        (void)rb_buf_addf(&example, "%s%s=%s", missing ? " " : "", name, rb_param_example(param));
        missing++;
    }
    if (missing) {
        rb_err_set(r->err, RB_EUSAGE, RB_T_catalog_param_missing, rb_buf_str(&words), rb_buf_str(&example));
    }
    rb_buf_deinit(&words);
    rb_buf_deinit(&example);
    return missing ? RB_EUSAGE : 0;
}

/* The runbook's parameters without their order, and those only the profile's values use. */
json_t *rb_params_all(const json_t *meta)
{
    json_t *all = json_object();
    json_object_update(all, json_object_get(meta, "shared"));
    json_object_update(all, json_object_get(meta, "params"));
    json_object_del(all, "order");
    return all;
}

static json_t *own_params(const json_t *meta)
{
    json_t *own = json_object();
    json_object_update(own, json_object_get(meta, "params"));
    json_object_del(own, "order");
    return own;
}

json_t *rb_params_resolve(const json_t *meta, const json_t *given, struct rb_err *err)
{
    const json_t *order = json_object_get(json_object_get(meta, "params"), "order");
    json_t *params = rb_params_all(meta), *own = own_params(meta), *result = json_object(), *item;
    json_t *values = rb_profile_values(json_object_get(meta, "profiles"), rb_json_str(meta, "profile", NULL));
    struct resolver r = {.params = params, .values = values, .given = given, .ready = json_object(), .err = err};
    int rc = refuse_unknown(order, own, given, err);
    rc = rc ? rc : refuse_missing(&r, order);
    size_t i;
    json_array_foreach((json_t *)order, i, item) {
        json_t *value = rc ? NULL : value_of(&r, json_string_value(item));
        rc = value ? json_object_set_new(result, json_string_value(item), value) : RB_EUSAGE;
    }
    json_decref(r.ready);
    json_decref(values);
    json_decref(own);
    json_decref(params);
    if (rc) {
        json_decref(result);
        return NULL;
    }
    return result;
}
