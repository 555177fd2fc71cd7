/* Types of arguments are a table: a name, and how a value becomes one. */
#include "run/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "run/secrets.h"

#define ARGS_MAX 32

static json_t *as_string(const json_t *v)
{
    return json_is_string(v) ? json_incref((json_t *)v) : NULL;
}

/* A secret is put in later; where it may stand is judged by fill.c. */
static json_t *as_bytes(const json_t *v)
{
    return json_is_string(v) || json_object_get(v, "$b64") || rb_secret_token(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *as_secret(const json_t *v)
{
    return json_is_string(v) || rb_secret_token(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *as_int(const json_t *v)
{
    return json_is_integer(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *as_number(const json_t *v)
{
    return json_is_number(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *as_bool(const json_t *v)
{
    return json_is_boolean(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *as_duration(const json_t *v)
{
    double seconds;
    if (json_is_number(v)) {
        return json_real(json_number_value(v));
    }
    return json_is_string(v) && rb_duration_parse(json_string_value(v), &seconds) == 0 ? json_real(seconds) : NULL;
}

static json_t *as_size(const json_t *v)
{
    int64_t bytes;
    if (json_is_integer(v)) {
        return json_incref((json_t *)v);
    }
    return json_is_string(v) && rb_size_parse(json_string_value(v), &bytes) == 0 ? json_integer(bytes) : NULL;
}

static json_t *as_strings(const json_t *v)
{
    size_t i;
    json_t *item;
    if (!json_is_array(v)) {
        return NULL;
    }
    json_array_foreach(v, i, item) {
        if (!json_is_string(item) && !json_object_get(item, "$b64")) {
            return NULL;
        }
    }
    return json_incref((json_t *)v);
}

static json_t *as_list(const json_t *v)
{
    return json_is_array(v) ? json_incref((json_t *)v) : NULL;
}

static json_t *as_map(const json_t *v)
{
    return json_is_object(v) ? json_incref((json_t *)v) : NULL;
}

/* A name or an address; fill.c makes it what the client needs. */
static json_t *as_name(const json_t *v)
{
    return json_is_string(v) && json_string_length(v) > 0 ? json_incref((json_t *)v) : NULL;
}

static json_t *as_any(const json_t *v)
{
    return json_incref((json_t *)v);
}

static const struct {
    const char *type;
    json_t *(*convert)(const json_t *value);
} types[] = {
    {"string", as_string},        {"path", as_string},  {"bytes", as_bytes},       {"int", as_int},
    {"number", as_number},        {"bool", as_bool},    {"duration", as_duration}, {"size", as_size},
    {"list(string)", as_strings}, {"list", as_list},    {"map", as_map},           {"any", as_any},
    {"connection", as_name},      {"channel", as_name}, {"secret", as_secret},
};

static json_t *convert(const struct rb_arg *arg, const json_t *value)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!strcmp(types[i].type, arg->type)) {
            return types[i].convert(value);
        }
    }
    return as_any(value);
}

static const struct rb_arg *find(const struct rb_verb *verb, const char *name)
{
    for (const struct rb_arg *arg = verb->args; arg->name; arg++) {
        if (!strcmp(arg->name, name)) {
            return arg;
        }
    }
    return NULL;
}

static int unknown(const struct rb_verb *verb, const char *name, const char *key, struct rb_err *err)
{
    const char *names[ARGS_MAX];
    size_t n = 0;
    for (const struct rb_arg *arg = verb->args; arg->name && n < ARGS_MAX; arg++) {
        names[n++] = arg->name;
    }
    const char *near = rb_utf8_nearest(key, names, n);
    return near ? rb_err_set(err, RB_EUSAGE, RB_T_run_arg_unknown_near, name, key, near)
                : rb_err_set(err, RB_EUSAGE, RB_T_run_arg_unknown, name, key);
}

static int check_required(const struct rb_verb *verb, const char *name, const json_t *args, struct rb_err *err)
{
    for (const struct rb_arg *arg = verb->args; arg->name; arg++) {
        if (arg->flags & RB_ARG_REQUIRED && !json_object_get(args, arg->name)) {
            return rb_err_set(err, RB_EUSAGE, RB_T_run_arg_missing, name, arg->name, arg->type);
        }
    }
    return 0;
}

json_t *rb_arguments_convert(const struct rb_verb *verb, const char *name, const json_t *given, struct rb_err *err)
{
    json_t *args = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)given, key, value) {
        const struct rb_arg *arg = find(verb, key);
        if (!arg) {
            unknown(verb, name, key, err);
            goto fail;
        }
        if (json_is_null(value)) {
            continue;
        }
        json_t *converted = convert(arg, value);
        if (!converted) {
            rb_err_set(err, RB_EUSAGE, RB_T_run_arg_type, name, key, arg->type);
            goto fail;
        }
        json_object_set_new(args, key, converted);
    }
    if (check_required(verb, name, args, err) == 0) {
        return args;
    }
fail:
    json_decref(args);
    return NULL;
}

static void add_value(struct rb_buf *out, const json_t *value)
{
    if (json_is_string(value)) {
        rb_buf_adds(out, json_string_value(value));
    } else if (json_is_real(value)) {
        rb_buf_addf(out, "%g", json_real_value(value));
    } else {
        char *text = rb_json_canonical(value);
        rb_buf_adds(out, text ? text : "?");
        free(text);
    }
}

char *rb_arguments_text(const struct rb_verb *verb, const json_t *args)
{
    struct rb_buf out;
    rb_buf_init(&out, 1 << 20); /* longer is cut by whoever shows it */
    for (int positional = 1; positional >= 0; positional--) {
        for (const struct rb_arg *arg = verb->args; arg->name; arg++) {
            const json_t *value = json_object_get(args, arg->name);
            if (value && !(arg->flags & (RB_ARG_POSITIONAL | RB_ARG_REST)) == !positional) {
                rb_buf_adds(&out, out.len ? " " : "");
                if (!positional) {
                    rb_buf_addf(&out, "%s=", arg->name);
                }
                add_value(&out, value);
            }
        }
    }
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

static const char *how_given(const struct rb_arg *arg)
{
    if (arg->flags & RB_ARG_REST) {
        return "...";
    }
    if (!(arg->flags & RB_ARG_POSITIONAL)) {
        return "=";
    }
    return strncmp(arg->type, "list", 4) == 0 ? "[]" : "";
}

static void add_line(struct rb_buf *out, const struct rb_binding *binding, const struct rb_verb *verb)
{
    static const char *const effects[] = {"read", "probe", "write"};
    const char *const words[] = {binding->name, ".", verb->name, " ", effects[verb->effect]};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        rb_buf_adds(out, words[i]);
    }
    for (const struct rb_arg *arg = verb->args; arg->name; arg++) {
        rb_buf_adds(out, " ");
        rb_buf_adds(out, arg->name);
        rb_buf_adds(out, how_given(arg));
    }
    rb_buf_adds(out, "\n");
}

json_t *rb_arguments_verbs(void)
{
    struct rb_buf out;
    rb_buf_init(&out, 1 << 20);
    for (size_t i = 0; rb_bindings[i]; i++) {
        for (const struct rb_verb *verb = rb_bindings[i]->verbs; verb->name; verb++) {
            add_line(&out, rb_bindings[i], verb);
        }
    }
    json_t *text = json_stringn(out.data, out.len);
    rb_buf_deinit(&out);
    return text;
}
