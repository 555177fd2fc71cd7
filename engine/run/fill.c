/* Connections and channels: Lua passes a name or an address, the binding gets what its client needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "base/utf8.h"
#include "run/state.h"
#include "runner/language_lint.h"
#include "runner/url.h"

/* Which connections a binding can use. */
static const struct {
    const char *binding, *drivers;
} uses[] = {
    {"sql", "sqlite postgres mysql"}, {"redis", "redis"}, {"rpc", "rpc ws"}, {"ws", "ws rpc"}, {"docker", "compose"},
};

static const char *drivers_of(const char *binding)
{
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        if (!strcmp(uses[i].binding, binding)) {
            return uses[i].drivers;
        }
    }
    return NULL;
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    const char *at = strstr(list, word);
    return at && (at == list || at[-1] == ' ') && (!at[len] || at[len] == ' ');
}

/* ---- names ---- */

static void config_path(char out[PATH_MAX + 16])
{
    char folder[PATH_MAX];
    bool known = rb_files_config_dir(folder, NULL) == 0;
    snprintf(out, PATH_MAX + 16, "%s/config.lua", known ? folder : "/etc/runbook");
}

int rb_fill_unknown(const json_t *blocks, const char *name, enum rb_text_id text, enum rb_text_id hint,
                    struct rb_err *err)
{
    char path[PATH_MAX + 16];
    size_t count = 0;
    const char **names = rb_xcalloc(json_object_size(blocks) + 1, sizeof *names), *key;
    json_t *ignored;
    json_object_foreach((json_t *)blocks, key, ignored) {
        names[count++] = key;
    }
    const char *near = rb_utf8_nearest(name, names, count);
    rb_err_set(err, RB_EUSAGE, text, name);
    config_path(path);
    if (near) {
        rb_err_hint(err, RB_T_config_mean, near);
    } else {
        rb_err_hint(err, hint, name, path);
    }
    free(names);
    return RB_EUSAGE;
}

/* ---- one connection ---- */

static bool is_local(const char *host)
{
    return !strcmp(host, "localhost") || !strcmp(host, "::1") || !strncmp(host, "127.", 4);
}

/* tls, ca and pin become one object; what is far away is encrypted and checked unless said otherwise. */
static void set_tls(json_t *c)
{
    const char *host = rb_json_str(c, "host", ""), *url = rb_json_str(c, "url", "");
    bool near = json_object_get(c, "socket") || is_local(host);
    bool plain = !strncmp(url, "http://", 7) || !strncmp(url, "ws://", 5) || !strncmp(url, "tcp://", 6);
    json_t *tls = json_pack("{s:s}", "mode", rb_json_str(c, "tls", near || plain ? "off" : "verify"));
    static const char *const more[] = {"ca", "pin"};
    for (size_t i = 0; i < 2; i++) {
        json_t *value = json_object_get(c, more[i]);
        if (value) {
            json_object_set(tls, more[i], value);
            json_object_del(c, more[i]);
        }
    }
    json_object_set_new(c, "tls", tls);
}

/* {secret = "name"} of the configuration is {"$secret": "name"} for secrets.c. */
static json_t *with_tokens(const json_t *value)
{
    const char *key, *name = rb_secret_name(value);
    json_t *item;
    if (name) {
        return json_pack("{s:s}", "$secret", name);
    }
    if (!json_is_object(value)) {
        return json_incref((json_t *)value);
    }
    json_t *copy = json_object();
    json_object_foreach((json_t *)value, key, item) {
        json_object_set_new(copy, key, with_tokens(item));
    }
    return copy;
}

static void use_read_account(json_t *c, bool read_only)
{
    json_t *read = json_object_get(c, "read");
    json_object_set_new(c, "read_account", json_boolean(read && read_only));
    if (read && read_only) {
        json_object_del(c, "password"); /* a read account without one has none */
        json_object_update(c, read);
    }
    json_object_del(c, "read");
}

static json_t *from_block(const char *name, const json_t *block, struct rb_err *err)
{
    json_t *c = with_tokens(block);
    const char *url = rb_json_str(c, "url", NULL);
    json_t *address = url ? rb_connection_url_parse(url, err) : NULL;
    if (url && !address) {
        json_decref(c);
        return NULL;
    }
    json_object_update_missing(c, address); /* a field of its own counts more than the url */
    json_decref(address);
    if (url && strcmp(rb_json_str(c, "driver", ""), "rpc") && strcmp(rb_json_str(c, "driver", ""), "ws")) {
        json_object_del(c, "url");
    }
    json_object_del(c, "title"); /* for people */
    int port = rb_url_port(rb_json_str(c, "driver", ""));
    if (json_object_get(c, "host") && !json_object_get(c, "port") && port) {
        json_object_set_new(c, "port", json_integer(port));
    }
    json_object_set_new(c, "name", json_string(name));
    return c;
}

static json_t *by_name(const json_t *config, const char *given, struct rb_err *err)
{
    const json_t *blocks = json_object_get(config, "connection"), *block = json_object_get(blocks, given);
    if (block) {
        return from_block(given, block, err);
    }
    rb_fill_unknown(blocks, given, RB_T_config_no_connection, RB_T_config_no_connection_hint, err);
    if (strpbrk(given, "/.") && !strstr(err->hint, "'")) {
        rb_err_hint(err, RB_T_config_relative);
    }
    return NULL;
}

static json_t *by_address(const char *given, struct rb_err *err)
{
    json_t *c = rb_connection_url_parse(given, err);
    if (c) {
        json_object_set_new(c, "name", json_string(given));
    }
    return c;
}

/* The verb's own protocol decides between rpc and ws, which share their addresses. */
static int fit(json_t *c, const char *binding, const char *given, struct rb_err *err)
{
    const char *driver = rb_json_str(c, "driver", "?"), *fitting = drivers_of(binding);
    if (fitting && !has_word(fitting, driver)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_other_kind, given, driver, binding, fitting);
    }
    if (fitting && (!strcmp(binding, "rpc") || !strcmp(binding, "ws"))) {
        json_object_set_new(c, "driver", json_string(binding));
    }
    return 0;
}

json_t *rb_fill_connection(const json_t *config, const char *binding, const char *given, bool read_only,
                           struct rb_err *err)
{
    if (given[0] == '/') {
        return !drivers_of(binding) || !strcmp(binding, "sql")
                   ? json_string(given)
                   : (rb_err_set(err, RB_EUSAGE, RB_T_config_other_kind, given, "sqlite", binding, drivers_of(binding)),
                      NULL);
    }
    json_t *c = rb_url_is(given) ? by_address(given, err) : by_name(config, given, err);
    if (!c || fit(c, binding, given, err) < 0) {
        json_decref(c);
        return NULL;
    }
    if (!strcmp(rb_json_str(c, "driver", ""), "sqlite")) {
        json_t *path = json_incref(json_object_get(c, "path"));
        json_decref(c);
        return path;
    }
    set_tls(c);
    use_read_account(c, read_only);
    return c;
}

json_t *rb_fill_channel(const json_t *config, const char *given, struct rb_err *err)
{
    const json_t *blocks = json_object_get(config, "channel"), *block = json_object_get(blocks, given);
    if (!json_object_size(blocks)) { /* nothing is needed for a first run: whoever started it reads it */
        return json_pack("{s:s, s:s}", "name", given, "kind", "console");
    }
    if (!block) {
        rb_fill_unknown(blocks, given, RB_T_config_no_channel, RB_T_config_no_channel_hint, err);
        return NULL;
    }
    json_t *c = with_tokens(block);
    json_object_set_new(c, "name", json_string(given));
    if (json_object_get(c, "host") || json_object_get(c, "tls") || json_object_get(c, "ca")) {
        set_tls(c);
    }
    return c;
}

/* ---- the arguments of a call ---- */

static bool may_use(const struct rb_run *run, const char *secret)
{
    const char *name;
    json_t *value, *item;
    size_t i;
    json_object_foreach(run->params, name, value) {
        const char *one = rb_secret_token(value);
        if (one && !strcmp(one, secret)) {
            return true;
        }
        json_array_foreach(value, i, item) {
            one = rb_secret_token(item);
            if (one && !strcmp(one, secret)) {
                return true;
            }
        }
    }
    return false;
}

/* A runbook may use what its parameters were given, and never where others would see it. */
static int check_secret(const struct rb_call *call, const struct rb_arg *arg, const json_t *value, struct rb_err *err)
{
    static const char *const hidden[] = {"secret", "bytes", "list", "map", "any"};
    char verb[128];
    const char *name = rb_secret_within(value);
    bool fits = !(arg->flags & RB_ARG_PUBLIC) && rb_word_in(arg->type, hidden, sizeof hidden / sizeof *hidden);
    snprintf(verb, sizeof verb, "%s.%s", call->binding->name, call->verb->name);
    if (name && !fits) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_config_secret_here, verb, arg->name);
    }
    if (name && !may_use(call->run, name)) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_config_secret_not_granted, name);
    }
    return 0;
}

static json_t *fill_one(const struct rb_call *call, const struct rb_arg *arg, const json_t *value, struct rb_err *err)
{
    const char *given = json_string_value(value);
    if (!strcmp(arg->type, "connection")) {
        return rb_fill_connection(call->run->config, call->binding->name, given, rb_call_read_only(call), err);
    }
    if (!strcmp(arg->type, "channel")) {
        return rb_fill_channel(call->run->config, given, err);
    }
    return check_secret(call, arg, value, err) ? NULL : json_incref((json_t *)value);
}

json_t *rb_fill_arguments(const struct rb_call *call, struct rb_err *err)
{
    json_t *filled = json_object();
    for (const struct rb_arg *arg = call->verb->args; arg->name; arg++) {
        const json_t *value = json_object_get(call->args, arg->name);
        json_t *one = value ? fill_one(call, arg, value, err) : NULL;
        if (value && !one) {
            json_decref(filled);
            return NULL;
        }
        if (one) {
            json_object_set_new(filled, arg->name, one);
        }
    }
    return filled;
}

/* ---- parameters ---- */

static int check_param(const struct rb_run *run, const char *type, const json_t *value, struct rb_err *err)
{
    const char *text = json_string_value(value), *secret = rb_secret_token(value);
    if (secret) {
        return rb_secrets_known(run->secrets, secret, err);
    }
    if (text && drivers_of(type)) {
        json_t *c = rb_fill_connection(run->config, type, text, true, err);
        json_decref(c);
        return c ? 0 : err->code;
    }
    return 0;
}

int rb_fill_check_params(const struct rb_run *run, const json_t *params, struct rb_err *err)
{
    const char *name;
    json_t *value, *item;
    size_t i;
    const json_t *declared = json_object_get(run->meta, "params");
    json_object_foreach((json_t *)params, name, value) {
        char type[64];
        const char *full = rb_json_str(json_object_get(declared, name), "type", "");
        bool list = !strncmp(full, "list(", 5);
        snprintf(type, sizeof type, "%.*s", (int)strcspn(full + (list ? 5 : 0), ")"), full + (list ? 5 : 0));
        int rc = check_param(run, type, value, err);
        json_array_foreach(value, i, item) {
            rc = rc ? rc : check_param(run, type, item, err);
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}
