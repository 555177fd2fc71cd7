/* The operator's configuration: what its blocks demand of themselves and of each other, and the shape in
 * which everything else reads it. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"
#include "runner/language_lint.h"
#include "runner/url.h"
#include "when/hours.h"

static bool has(const struct rb_declared *block, const char *field)
{
    const json_t *value = json_object_get(block->fields, field);
    return value && !json_is_null(value);
}

/* Every field one of the table's? What is missing may be what was misspelt. */
static bool all_known(const struct rb_declared *block)
{
    const char *name;
    json_t *ignored;
    json_object_foreach((json_t *)block->fields, name, ignored) {
        if (!rb_field_find(rb_block_find(block->kind), name)) {
            return false;
        }
    }
    return true;
}

/* ---- secrets ---- */

static void check_secret(struct rb_lint *lint, const struct rb_declared *block)
{
    static const char *const sources[] = {"env", "file", "credential", "command"};
    int given = 0;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        given += has(block, sources[i]);
    }
    const char *file = rb_json_str(block->fields, "file", "/"),
               *credential = rb_json_str(block->fields, "credential", "x");
    if (given != 1 && (given || all_known(block))) {
        rb_lint_error(lint, block, NULL, RB_T_config_secret_source);
    } else if (file[0] != '/') {
        rb_lint_error(lint, block, "file", RB_T_config_absolute, "file");
    } else if (strchr(credential, '/') || credential[0] == '.') {
        rb_lint_error(lint, block, "credential", RB_T_config_credential_name);
    } else if (has(block, "writes") && !has(block, "command")) {
        rb_lint_error(lint, block, "writes", RB_T_config_writes_command);
    }
}

static void check_secret_named(struct rb_lint *lint, const struct rb_declared *block, const char *field,
                               const json_t *value)
{
    const char *key, *name = rb_secret_name(value);
    json_t *inner;
    if (name) {
        rb_lint_name(lint, block, field, "secret", name);
        return;
    }
    json_object_foreach((json_t *)value, key, inner) {
        check_secret_named(lint, block, field, inner); /* read = { password = … }, headers = { … } */
    }
}

/* ---- connections ---- */

static const struct driver {
    const char *name;
    const char *fields; /* that mean something to it, beside url, driver and title */
} drivers[] = {
    {"sqlite", "path"},
    {"postgres", "host port socket user password database tls ca pin read"},
    {"mysql", "host port socket user password database tls ca pin read"},
    {"redis", "host port socket user password database tls ca pin read"},
    {"rpc", "urls host port socket user password tls ca pin headers safe"},
    {"ws", "user password tls ca pin headers"},
    {"compose", "socket project asks"},
};

static bool listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += len) {
        if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' ')) {
            return true;
        }
    }
    return false;
}

/* The driver of a connection; NULL after a problem was noted. address is what its url says, or NULL. */
static const char *driver_of(struct rb_lint *lint, const struct rb_declared *block, const json_t *address)
{
    const char *named = rb_json_str(block->fields, "driver", NULL), *meant = rb_json_str(address, "driver", NULL);
    if (!named && !meant) {
        rb_lint_error(lint, block, NULL, RB_T_config_no_driver);
        return NULL;
    }
    bool over_ws = named && meant && strcmp(named, "rpc") == 0 && strcmp(meant, "ws") == 0;
    if (named && meant && strcmp(named, meant) && !over_ws) {
        rb_lint_error(lint, block, "driver", RB_T_config_other_driver, meant, named);
        return NULL;
    }
    return named ? named : meant;
}

static void check_driver_fields(struct rb_lint *lint, const struct rb_declared *block, const char *driver)
{
    const char *name, *fits = "";
    json_t *ignored;
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        fits = strcmp(drivers[i].name, driver) == 0 ? drivers[i].fields : fits;
    }
    json_object_foreach((json_t *)block->fields, name, ignored) {
        if (!listed("driver url title", name) && rb_field_find(rb_block_find("connection"), name) &&
            !listed(fits, name)) {
            rb_lint_error(lint, block, name, RB_T_config_not_for_driver, name, driver);
        }
    }
}

static void check_place(struct rb_lint *lint, const struct rb_declared *block, const char *driver)
{
    const char *path = rb_json_str(block->fields, "path", ""), *socket = rb_json_str(block->fields, "socket", "/");
    json_int_t port = rb_json_int(block->fields, "port", 1);
    bool sqlite = strcmp(driver, "sqlite") == 0, here = strcmp(driver, "compose") == 0;
    bool twice = has(block, "url") && (has(block, "host") || has(block, "port"));
    if (sqlite && path[0] != '/') {
        rb_lint_error(lint, block, "path", RB_T_config_absolute, "path");
    } else if (twice) {
        rb_lint_error(lint, block, "url", RB_T_config_url_twice);
    } else if (!sqlite && !here && !has(block, "url") && !has(block, "host") && !has(block, "socket")) {
        rb_lint_error(lint, block, NULL, RB_T_config_no_address);
    } else if (socket[0] != '/') {
        rb_lint_error(lint, block, "socket", RB_T_config_absolute, "socket");
    } else if (port < 1 || port > 65535) {
        rb_lint_error(lint, block, "port", RB_T_config_port);
    }
}

static json_t *address_of(struct rb_lint *lint, const struct rb_declared *block, const char *field, const char *url)
{
    struct rb_err err = {0};
    json_t *address = rb_connection_url_parse(url, &err);
    if (!address) {
        rb_lint_error(lint, block, field, RB_T_catalog_param_bad_value, err.text);
    }
    return address;
}

static void check_connection(struct rb_lint *lint, const struct rb_declared *block)
{
    const char *url = rb_json_str(block->fields, "url", NULL), *more;
    json_t *address = url ? address_of(lint, block, "url", url) : NULL;
    if (url && !address) {
        return;
    }
    const char *driver = driver_of(lint, block, address);
    if (driver) {
        check_driver_fields(lint, block, driver);
        check_place(lint, block, driver);
    }
    for (size_t i = 0; (more = rb_words_at(json_object_get(block->fields, "urls"), i)); i++) {
        json_decref(address_of(lint, block, "urls", more));
    }
    json_decref(address);
}

/* ---- channels ---- */

static const struct {
    const char *kind, *needs; /* words; "a|b": one of them */
} channels[] = {
    {"slack", "url"},          {"telegram", "token chat"}, {"smtp", "url|host from to"}, {"wecom", "url|token"},
    {"dingtalk", "url|token"}, {"feishu", "url|token"},    {"pagerduty", "token"},       {"webhook", "url"},
};

static bool has_one_of(const struct rb_declared *block, const char *words, size_t len)
{
    for (const struct rb_field *f = rb_block_find("channel")->fields; f->name; f++) {
        const char *at = has(block, f->name) ? strstr(words, f->name) : NULL;
        char after = at ? at[strlen(f->name)] : 0;
        if (at && at < words + len && (at == words || at[-1] == '|') && (!after || after == '|' || after == ' ')) {
            return true;
        }
    }
    return false;
}

static void check_channel(struct rb_lint *lint, const struct rb_declared *block)
{
    const char *kind = rb_json_str(block->fields, "kind", ""), *url = rb_json_str(block->fields, "url", NULL),
               *needs = "";
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        needs = strcmp(channels[i].kind, kind) == 0 ? channels[i].needs : needs;
    }
    while (*needs) {
        size_t len = strcspn(needs, " ");
        if (!has_one_of(block, needs, len)) {
            rb_lint_error(lint, block, NULL, RB_T_config_channel_needs, kind, (int)len, needs);
        }
        needs += len + (needs[len] == ' ');
    }
    bool web = strcmp(kind, "smtp") != 0;
    if (web && url && strncmp(url, "https://", 8) && strncmp(url, "http://", 7)) {
        rb_lint_error(lint, block, "url", RB_T_config_channel_url);
    }
}

/* ---- all of them ---- */

static const struct {
    const char *kind, *field, *names; /* the field names blocks of that kind */
} named[] = {
    {"contact", "channel", "channel"},
    {"user", "contact", "contact"},
    {"severity", "channels", "channel"},
    {"severity", "escalate", "contact"},
};

static void check_names(struct rb_lint *lint, const struct rb_declared *block)
{
    const char *field, *word;
    json_t *value;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        value = json_object_get(block->fields, strcmp(named[i].kind, block->kind) ? "" : named[i].field);
        for (size_t k = 0; (word = rb_words_at(value, k)); k++) {
            rb_lint_name(lint, block, named[i].field, named[i].names, word);
        }
    }
    json_object_foreach((json_t *)block->fields, field, value) {
        if (strcmp(block->kind, "profile")) {
            check_secret_named(lint, block, field, value);
        }
    }
}

static void check_policy(struct rb_lint *lint, const struct rb_declared *block)
{
    bool inside;
    struct rb_err err = {0};
    if (has(block, "window") && rb_hours_inside(json_object_get(block->fields, "window"), 0, &inside, &err)) {
        rb_lint_error(lint, block, "window", RB_T_config_window, err.text, err.hint);
    }
}

static void check_block(struct rb_lint *lint, const struct rb_declared *block, size_t position)
{
    rb_lint_fields(lint, block);
    rb_lint_twice(lint, block, position);
    if (strcmp(block->kind, "secret") == 0) {
        check_secret(lint, block);
    } else if (strcmp(block->kind, "connection") == 0) {
        check_connection(lint, block);
    } else if (strcmp(block->kind, "channel") == 0) {
        check_channel(lint, block);
    } else if (strcmp(block->kind, "policy") == 0) {
        check_policy(lint, block);
    }
    check_names(lint, block);
}

void rb_lint_config(struct rb_lint *lint)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        struct rb_declared block;
        if (rb_declared_get(entry, &block)) {
            check_block(lint, &block, i);
        }
    }
}

/* ---- the shape ---- */

json_t *rb_config_meta(const json_t *declared)
{
    json_t *config = json_pack("{s:[]}", "profiles"), *entry;
    size_t i;
    json_array_foreach(json_object_get(declared, "blocks"), i, entry) {
        struct rb_declared block;
        if (!rb_declared_get(entry, &block)) {
            continue;
        }
        if (strcmp(block.kind, "profile") == 0) {
            json_array_append(json_object_get(config, "profiles"), entry);
            continue;
        }
        json_t *kind = json_object_get(config, block.kind);
        if (!kind) {
            kind = json_object();
            json_object_set_new(config, block.kind, kind);
        }
        json_t *fields = json_object();
        rb_declared_copy(fields, &block);
        json_object_set_new(kind, block.id, fields);
    }
    return config;
}

bool rb_config_profile_is_of(const json_t *profile, const char *id)
{
    size_t system = strcspn(id, "/");
    const char *name = rb_json_str(profile, "id", "");
    return strncmp(name, id, system) == 0 && (!name[system] || name[system] == '/');
}

json_t *rb_config_profiles(const json_t *config, const char *id)
{
    json_t *declared = json_pack("{s:[]}", "blocks");
    rb_config_lay_over(declared, config, id);
    json_t *profiles = rb_profiles_collect(json_object_get(declared, "blocks"));
    json_decref(declared);
    return profiles;
}

void rb_config_lay_over(json_t *declared, const json_t *config, const char *id)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(config, "profiles"), i, entry) {
        if (rb_config_profile_is_of(entry, id)) {
            json_array_append(json_object_get(declared, "blocks"), entry);
        }
    }
}
