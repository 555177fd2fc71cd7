#include "runner/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"

#define URL_MAX 4096

/* kept: the address stays a url for the client; else it is taken apart. */
static const struct scheme {
    const char *name, *driver;
    int port;
    bool tls, kept;
} schemes[] = {
    {"postgres", "postgres", 5432, false, false},
    {"postgresql", "postgres", 5432, false, false},
    {"mysql", "mysql", 3306, false, false},
    {"mariadb", "mysql", 3306, false, false},
    {"redis", "redis", 6379, false, false},
    {"rediss", "redis", 6379, true, false},
    {"http", "rpc", 80, false, true},
    {"https", "rpc", 443, true, true},
    {"tcp", "rpc", 0, false, true},
    {"unix", "rpc", 0, false, true},
    {"ws", "ws", 80, false, true},
    {"wss", "ws", 443, true, true},
};

#define SCHEMES (sizeof schemes / sizeof *schemes)

struct parts {
    const struct scheme *scheme;
    char authority[URL_MAX], path[URL_MAX], query[URL_MAX];
};

bool rb_url_is(const char *text)
{
    return strstr(text, "://") != NULL;
}

int rb_url_port(const char *driver)
{
    for (size_t i = 0; i < SCHEMES; i++) {
        if (strcmp(schemes[i].driver, driver) == 0 && !schemes[i].kept) {
            return schemes[i].port;
        }
    }
    return 0;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* %XX undone in place; false for a broken one, a control character, or bytes that are no text. */
static bool decode(char *text)
{
    char *out = text;
    for (char *p = text; *p; p++) {
        if (*p == '%') {
            int high = hex(p[1]), low = high < 0 ? -1 : hex(p[2]);
            if (low < 0) {
                return false;
            }
            *out++ = (char)(high * 16 + low);
            p += 2;
        } else {
            *out++ = *p;
        }
        if ((unsigned char)out[-1] < 0x20 || out[-1] == 0x7f) {
            return false;
        }
    }
    *out = 0;
    return rb_utf8_valid(text, strlen(text));
}

static const struct scheme *scheme_of(const char *text, size_t len)
{
    for (size_t i = 0; i < SCHEMES; i++) {
        if (strlen(schemes[i].name) == len && strncmp(schemes[i].name, text, len) == 0) {
            return &schemes[i];
        }
    }
    return NULL;
}

static int unknown_scheme(const char *text, size_t len, struct rb_err *err)
{
    char word[32];
    const char *names[SCHEMES];
    for (size_t i = 0; i < SCHEMES; i++) {
        names[i] = schemes[i].name;
    }
    snprintf(word, sizeof word, "%.*s", (int)(len < 31 ? len : 31), text);
    const char *near = rb_utf8_nearest(word, names, SCHEMES);
    rb_err_set(err, RB_EUSAGE, RB_T_config_url_scheme, word);
    if (near) {
        rb_err_hint(err, RB_T_config_mean, near);
    } else {
        rb_err_hint(err, RB_T_config_url_schemes);
    }
    return RB_EUSAGE;
}

static int take_apart(const char *text, struct parts *p, struct rb_err *err)
{
    size_t name = (size_t)(strstr(text, "://") - text);
    const char *rest = text + name + 3;
    size_t authority = strcspn(rest, "/?#"), path = strcspn(rest + authority, "?#");
    const char *query = rest + authority + path;
    p->scheme = scheme_of(text, name);
    if (strlen(text) >= URL_MAX) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_url_long, URL_MAX);
    }
    if (!p->scheme) {
        return unknown_scheme(text, name, err);
    }
    if (strpbrk(text, "# \t\r\n\"<>\\^`{|}")) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_url_character);
    }
    snprintf(p->authority, URL_MAX, "%.*s", (int)authority, rest);
    snprintf(p->path, URL_MAX, "%.*s", (int)path, rest + authority);
    snprintf(p->query, URL_MAX, "%s", *query ? query + 1 : "");
    return 0;
}

/* "user@" before the host. A password there would be in every list of processes and record. */
static int take_user(struct parts *p, json_t *out, struct rb_err *err)
{
    char *at = strrchr(p->authority, '@');
    if (!at) {
        return 0;
    }
    *at = 0;
    if (strchr(p->authority, ':') || p->scheme->kept) {
        rb_err_set(err, RB_EUSAGE, RB_T_config_url_password);
        rb_err_hint(err, RB_T_config_url_password_hint);
        return RB_EUSAGE;
    }
    if (!decode(p->authority) || !p->authority[0]) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "user");
    }
    json_object_set_new(out, "user", json_string(p->authority));
    memmove(p->authority, at + 1, strlen(at + 1) + 1);
    return 0;
}

static bool host_valid(const char *host, bool bracketed)
{
    const char *more =
        bracketed ? "abcdefABCDEF0123456789:.%" : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    return host[0] && host[0] != '-' && strlen(host) <= 255 && strspn(host, more) == strlen(host);
}

/* Empty where a socket is named instead. */
static int take_host(struct parts *p, json_t *out, struct rb_err *err)
{
    char *host = p->authority, *colon = strrchr(host, ':');
    bool bracketed = host[0] == '[';
    int port = p->scheme->port;
    if (bracketed) {
        char *close = strchr(host, ']');
        colon = close && close[1] == ':' ? close + 1 : NULL;
        if (!close || (close[1] && !colon)) {
            return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "host");
        }
        *close = 0;
        host++;
    }
    if (colon) {
        char *end;
        long given = strtol(colon + 1, &end, 10);
        if (colon[1] < '0' || colon[1] > '9' || *end || given < 1 || given > 65535) {
            return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "port");
        }
        port = (int)given;
        *colon = 0;
    }
    if (!host[0]) {
        return colon ? rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "host") : 0;
    }
    if (!host_valid(host, bracketed)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "host");
    }
    json_object_set_new(out, "host", json_string(host));
    if (port) {
        json_object_set_new(out, "port", json_integer(port));
    }
    return 0;
}

static int take_option(char *pair, json_t *out, struct rb_err *err)
{
    static const char *const known[] = {"socket", "tls", "ca", "pin"};
    char *equals = strchr(pair, '=');
    if (equals) {
        *equals = 0;
    }
    for (size_t i = 0; equals && i < sizeof known / sizeof *known; i++) {
        if (strcmp(pair, known[i]) == 0) {
            bool tls = i == 1, fits = decode(equals + 1) && equals[1];
            fits = fits && (!tls || !strcmp(equals + 1, "off") || !strcmp(equals + 1, "require") ||
                            !strcmp(equals + 1, "verify"));
            fits = fits && ((i != 0 && i != 2) || equals[1] == '/');
            if (!fits) {
                return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, pair);
            }
            json_object_set_new(out, pair, json_string(equals + 1));
            return 0;
        }
    }
    const char *near = rb_utf8_nearest(pair, known, sizeof known / sizeof *known);
    rb_err_set(err, RB_EUSAGE, RB_T_config_url_option, pair);
    if (near) {
        rb_err_hint(err, RB_T_config_mean, near);
    } else {
        rb_err_hint(err, RB_T_config_url_options);
    }
    return RB_EUSAGE;
}

static int take_query(char *query, json_t *out, struct rb_err *err)
{
    int rc = 0;
    while (!rc && *query) {
        size_t len = strcspn(query, "&");
        char *next = query + len + (query[len] == '&');
        query[len] = 0;
        rc = take_option(query, out, err);
        query = next;
    }
    return rc;
}

/* What a database or Redis is told; a kept url carries its own path and query. */
static int take_rest(struct parts *p, const char *text, json_t *out, struct rb_err *err)
{
    if (p->scheme->kept) {
        json_object_set_new(out, "url", json_string(text));
        if (strcmp(p->scheme->name, "unix") == 0) {
            json_object_set_new(out, "socket", json_string(p->path));
        }
        return 0;
    }
    char *database = p->path + (p->path[0] == '/');
    if (!decode(database) || strchr(database, '/')) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "database");
    }
    if (*database) {
        json_object_set_new(out, "database", json_string(database));
    }
    return take_query(p->query, out, err);
}

static int check_reachable(const struct parts *p, const json_t *out, struct rb_err *err)
{
    bool socket = rb_json_str(out, "socket", "")[0], host = json_object_get(out, "host") != NULL;
    bool unix_only = strcmp(p->scheme->name, "unix") == 0;
    if (unix_only ? host || !socket : !host && !socket) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "host");
    }
    if (strcmp(p->scheme->name, "tcp") == 0 && !json_object_get(out, "port")) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "port");
    }
    return 0;
}

json_t *rb_connection_url_parse(const char *text, struct rb_err *err)
{
    struct parts p;
    if (!rb_url_is(text)) {
        rb_err_set(err, RB_EUSAGE, RB_T_config_url_part, "url");
        return NULL;
    }
    int rc = take_apart(text, &p, err);
    json_t *out = json_object();
    rc = rc ? rc : take_user(&p, out, err);
    rc = rc ? rc : take_host(&p, out, err);
    rc = rc ? rc : take_rest(&p, text, out, err);
    rc = rc ? rc : check_reachable(&p, out, err);
    if (rc) {
        json_decref(out);
        return NULL;
    }
    json_object_set_new(out, "driver", json_string(p.scheme->driver));
    if (p.scheme->tls && !json_object_get(out, "tls")) {
        json_object_set_new(out, "tls", json_string("verify"));
    }
    return out;
}
