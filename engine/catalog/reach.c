/* Names are looked for, nothing is understood: a call is "module.function", a finding its quoted name. What is
 * written for machines (names made at run time) is missed, and then nothing is said of it. */
#include "catalog/reach.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "runner/embedded.h"

#define NAME_MAX_BYTES 80
#define DEPTH_MAX 6
#define CODE_LINES_MAX 200

struct part {
    const char *from, *to;
};

struct reach {
    const char *text;
    const json_t *findings;
    json_t *out, *followed; /* followed: {local function: true} */
};

static const char *next_line(const char *at)
{
    const char *end = strchr(at, '\n');
    return end ? end + 1 : at + strlen(at);
}

static const char *line_at(const char *text, int line)
{
    while (line-- > 1 && *text) {
        text = next_line(text);
    }
    return text;
}

static size_t indent_of(const char *line)
{
    return strspn(line, " \t");
}

/* A block or function ends with the next line that begins, as deep as it, with its closing word. */
static struct part part_from(const char *line)
{
    struct part part = {line, next_line(line)};
    size_t len = (size_t)(part.to - line), indent = indent_of(line);
    bool whole = (len >= 2 && memmem(line, len, " }\n", 3)) || (len >= 4 && memmem(line, len, " end\n", 5));
    if (strncmp(line + indent, "local function", 14) != 0 && !whole) {
        whole = memchr(line, '{', len) == NULL;
    }
    while (!whole && *part.to) {
        const char *word = part.to + indent_of(part.to);
        whole = indent_of(part.to) == indent && (*word == '}' || strncmp(word, "end", 3) == 0);
        part.to = next_line(part.to);
    }
    return part;
}

static void add(json_t *list, const char *name)
{
    if (!rb_json_lists(list, name)) {
        json_array_append_new(list, json_string(name));
    }
}

static bool is_module(const char *name, size_t len)
{
    static const char *const modules[] = {
        "archive", "backup",  "compose", "disk",  "docker", "envfile", "evm",    "file",     "http",  "jwt",
        "logs",    "monitor", "mysql",   "net",   "nginx",  "notify",  "pm2",    "postgres", "redis", "retention",
        "rpc",     "secret",  "service", "shell", "sql",    "sqlite",  "system", "systemd",  "ws"};
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (strlen(modules[i]) == len && memcmp(modules[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}

static void scan(struct reach *r, struct part part, int depth);

/* The local function of that name, if the file has one; followed once. */
static void follow(struct reach *r, const char *name, int depth)
{
    char head[NAME_MAX_BYTES + 32];
    if (depth >= DEPTH_MAX || json_object_get(r->followed, name)) {
        return;
    }
    json_object_set_new(r->followed, name, json_true());
    snprintf(head, sizeof head, "local function %s(", name);
    for (const char *at = r->text; *at; at = next_line(at)) {
        if (strncmp(at + indent_of(at), head, strlen(head)) == 0) {
            scan(r, part_from(at), depth + 1);
            return;
        }
    }
}

/* f(…), f {…}, f "…", or passed on to what calls it: (f, …). */
static bool is_called(const char *text, const char *from, const char *at)
{
    bool open = *at == '(' || (*at == ' ' && (at[1] == '{' || at[1] == '"'));
    return open || (*at == ',' && from > text && from[-1] == '(');
}

/* "module.function", or a name of this file; returns what comes after it. */
static const char *take_name(struct reach *r, const char *at, const char *end, int depth)
{
    char name[NAME_MAX_BYTES];
    const char *from = at, *dot = NULL;
    while (at < end && (isalnum((unsigned char)*at) || *at == '_' ||
                        (*at == '.' && !dot && at + 1 < end && isalpha((unsigned char)at[1])))) {
        dot = *at == '.' ? at : dot;
        at++;
    }
    size_t len = (size_t)(at - from);
    if (len >= sizeof name || (from > r->text && (from[-1] == '.' || from[-1] == ':'))) {
        return at;
    }
    memcpy(name, from, len);
    name[len] = '\0';
    bool called = is_called(r->text, from, at);
    if (dot == from + 1 && *from == 'p') {
        add(json_object_get(r->out, "params"), dot + 1 - from + name);
    } else if (called && is_module(from, dot ? (size_t)(dot - from) : len)) {
        add(json_object_get(r->out, "calls"), name);
    } else if (!dot) {
        follow(r, name, depth);
    }
    return at;
}

/* A quoted text on one line; the name of a finding counts. */
static const char *take_text(struct reach *r, const char *at, const char *end)
{
    char quote = *at;
    const char *from = ++at;
    size_t i;
    json_t *finding;
    while (at < end && *at != quote && *at != '\n') {
        at += *at == '\\' && at + 1 < end ? 2 : 1;
    }
    json_array_foreach((json_t *)r->findings, i, finding) {
        const char *id = rb_json_str(finding, "id", "");
        if (at <= end && strlen(id) == (size_t)(at - from) && memcmp(id, from, strlen(id)) == 0) {
            add(json_object_get(r->out, "findings"), id);
        }
    }
    return at < end ? at + 1 : end;
}

static void scan(struct reach *r, struct part part, int depth)
{
    for (const char *at = part.from; at < part.to;) {
        if (at[0] == '-' && at[1] == '-') {
            at = next_line(at);
        } else if (*at == '"' || *at == '\'') {
            at = take_text(r, at, part.to);
        } else if (isalpha((unsigned char)*at) || *at == '_') {
            at = take_name(r, at, part.to, depth);
        } else {
            at++;
        }
    }
}

/* when = "…" names a finding that must stand already; only what run says is learned. */
static struct part after_when(struct part part)
{
    for (const char *at = part.from; at < part.to; at = next_line(at)) {
        const char *word = at + indent_of(at);
        if (strncmp(word, "run", 3) == 0 && word[3 + strspn(word + 3, " ")] == '=') {
            return (struct part){word, part.to};
        }
    }
    return part;
}

json_t *rb_reach(const char *text, int line, const json_t *findings)
{
    struct reach r = {.text = text,
                      .findings = findings,
                      .followed = json_object(),
                      .out = json_pack("{s:[], s:[], s:[]}", "calls", "findings", "params")};
    scan(&r, after_when(part_from(line_at(text, line))), 0);
    json_decref(r.followed);
    return r.out;
}

json_t *rb_reach_code(const char *text, int line)
{
    json_t *code = json_array();
    struct part part = part_from(line_at(text, line));
    for (const char *at = part.from; at < part.to && json_array_size(code) < CODE_LINES_MAX; at = next_line(at)) {
        json_t *one = json_stringn(at, strcspn(at, "\n"));
        json_array_append_new(code, one ? one : json_string("?"));
    }
    return code;
}

/* "stdlib/generic/disk_full.lua" is a factory of ours, and not among the files of the runbook. */
static const char *text_of_ours(const char *path)
{
    size_t len = strlen(path), before = strlen("stdlib/"), after = strlen(".lua");
    if (len <= before + after || strncmp(path, "stdlib/", before) != 0) {
        return "";
    }
    for (const struct rb_embedded *one = rb_embedded; one->name; one++) {
        if (strlen(one->name) == len - before - after && memcmp(path + before, one->name, len - before - after) == 0) {
            return one->text;
        }
    }
    return "";
}

const char *rb_reach_text(const json_t *file, const json_t *block)
{
    const char *path = rb_json_str(block, "file", "");
    const json_t *own = rb_json_find(json_object_get(file, "files"), "path", path);
    return own ? rb_json_str(own, "text", "") : text_of_ours(path);
}
