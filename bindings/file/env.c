#include "file/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/json.h"
#include "base/utf8.h"
#include "file/env_text.h"
#include "file/write.h"

#define FILE_MAX (1 << 20)
#define VALUE_MAX (64 << 10)
#define ENVIRON_MAX (2 << 20)

/* A whole file into out, NULs and all. */
static int read_fd(int fd, const char *path, size_t max, struct rb_buf *out, struct rb_err *err)
{
    char chunk[16384];
    ssize_t n;
    int rc = 0;

    rb_buf_init(out, max);
    while (rc == 0 && (n = read(fd, chunk, sizeof chunk)) != 0) {
        rc = n < 0 ? rb_err_errno(err, errno, "%s", path) : rb_buf_add(out, chunk, (size_t)n);
    }
    return rc == RB_ETOO_LARGE ? rb_err_set(err, rc, RB_T_bindings_env_large, RB_ENV_LINES) : rc;
}

/* What people leave in a file for others to fill in. */
static bool is_placeholder(const char *value)
{
    static const char *const words[] = {
        "changeme", "change_me", "change-me",  "placeholder", "your_",          "your-",       "todo", "xxx",
        "<",        "example",   "replace_me", "new_api_key", "new_secret_key", "secret_here", "dummy"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasestr(value, words[i])) {
            return true;
        }
    }
    return false;
}

/* NAME=value in the environment a process was started with; NULL when it has none such. */
static const char *in_process(const struct rb_buf *environ_of, const char *name, size_t len)
{
    for (size_t at = 0; at < environ_of->len; at += strlen(environ_of->data + at) + 1) {
        const char *entry = environ_of->data + at;
        if (strncmp(entry, name, len) == 0 && entry[len] == '=') {
            return entry + len + 1;
        }
    }
    return NULL;
}

static bool is_shown(const json_t *show, const char *name, size_t len)
{
    const json_t *one;
    size_t i;

    json_array_foreach(show, i, one) {
        if (json_is_string(one) && json_string_length(one) == len && memcmp(json_string_value(one), name, len) == 0) {
            return true;
        }
    }
    return false;
}

struct listing {
    const char *text;
    const json_t *show;
    const struct rb_buf *process; /* NULL = none was asked for */
};

static json_t *entry_json(const struct listing *l, const struct rb_env_entry *e)
{
    struct rb_buf value;
    json_t *out;

    rb_buf_init(&value, FILE_MAX);
    (void)rb_env_text_value(l->text, e, &value); /* it is part of the text: it cannot be longer */
    out = json_pack("{s:o, s:i, s:b, s:I, s:b, s:b}", "name", rb_json_bytes(e->name, e->name_len), "line", e->line,
                    "set", value.len > 0, "length", (json_int_t)value.len, "placeholder",
                    is_placeholder(rb_buf_str(&value)), "exported", e->exported);
    if (is_shown(l->show, e->name, e->name_len)) {
        json_object_set_new(out, "value", rb_json_bytes(rb_buf_str(&value), value.len));
    }
    if (l->process) {
        const char *loaded = in_process(l->process, e->name, e->name_len);
        json_object_set_new(out, "loaded", json_boolean(loaded && strcmp(loaded, rb_buf_str(&value)) == 0));
    }
    rb_buf_deinit(&value);
    return out;
}

/* The last line of a name counts; the others say so. */
static void mark_duplicates(json_t *entries)
{
    json_t *last = json_object();

    for (size_t i = json_array_size(entries); i-- > 0;) {
        json_t *one = json_array_get(entries, i);
        const char *name = rb_json_str(one, "name", "");
        if (json_object_get(last, name)) {
            json_object_set_new(one, "overridden", json_true());
        }
        json_object_set_new(last, name, json_true());
    }
    json_decref(last);
}

static json_t *listing_json(const struct listing *l, const struct rb_env_text *parsed)
{
    json_t *entries = json_array(), *bad = json_array();

    for (size_t i = 0; i < parsed->count; i++) {
        json_array_append_new(entries, entry_json(l, &parsed->entries[i]));
    }
    for (size_t i = 0; i < parsed->bad_count; i++) {
        json_array_append_new(bad, json_integer(parsed->bad[i]));
    }
    mark_duplicates(entries);
    return json_pack("{s:o, s:o}", "entries", entries, "bad_lines", bad);
}

static int read_process(const json_t *args, struct rb_buf *out, struct rb_err *err)
{
    char path[64];
    int fd, rc;

    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)rb_json_int(args, "pid", 0));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    rc = read_fd(fd, path, ENVIRON_MAX, out, err);
    close(fd);
    return rc;
}

json_t *rb_file_env(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    bool with_process = json_is_integer(json_object_get(args, "pid"));
    struct rb_buf text = {0}, process = {0};
    struct rb_env_text parsed = {0};
    struct rb_err why = {0};
    struct stat st;
    json_t *out = NULL;
    int fd = path ? rb_bind_open(work, path, O_RDONLY, &st, &why) : RB_EUSAGE, rc = fd < 0 ? fd : 0;

    if (path && why.code == RB_ENOT_FOUND) {
        return json_null();
    }
    if (path && fd < 0) {
        *err = why;
    }
    rc = rc == 0 ? read_fd(fd, path, FILE_MAX, &text, err) : rc;
    rc = rc == 0 && with_process ? read_process(args, &process, err) : rc;
    rc = rc == 0 ? rb_env_text_parse(rb_buf_str(&text), text.len, &parsed, err) : rc;
    if (rc == 0) {
        struct listing l = {rb_buf_str(&text), json_object_get(args, "show"), with_process ? &process : NULL};
        out = listing_json(&l, &parsed);
        json_object_set_new(out, "mode", json_integer(st.st_mode & 07777));
    }
    if (fd >= 0) {
        close(fd);
    }
    rb_env_text_free(&parsed);
    rb_buf_deinit(&text);
    rb_buf_deinit(&process);
    return out;
}

/* ---- set ---- */

static const struct rb_env_entry *last_of(const struct rb_env_text *parsed, const char *name)
{
    for (size_t i = parsed->count; i-- > 0;) {
        if (parsed->entries[i].name_len == strlen(name) && memcmp(parsed->entries[i].name, name, strlen(name)) == 0) {
            return &parsed->entries[i];
        }
    }
    return NULL;
}

/* Everything but the one value stays, byte for byte; a new name becomes the last line. */
static int with_value(const struct rb_buf *text, const struct rb_env_entry *entry, const char *name,
                      const struct rb_buf *value, struct rb_buf *out)
{
    size_t from = entry ? entry->from : text->len, to = entry ? entry->to : text->len;
    int rc = rb_buf_add(out, rb_buf_str(text), from);

    if (!entry) {
        bool begun = text->len > 0 && text->data[text->len - 1] != '\n';
        rc = rc ? rc : rb_buf_addf(out, "%s%s=", begun ? "\n" : "", name);
    }
    rc = rc ? rc : rb_env_text_quote(rb_buf_str(value), value->len, entry ? entry->quote : 0, out);
    rc = rc ? rc : rb_buf_add(out, rb_buf_str(text) + to, text->len - to);
    return rc || entry ? rc : rb_buf_adds(out, "\n");
}

static int get_value(const json_t *args, struct rb_buf *value, struct rb_err *err)
{
    const char *name = rb_json_str(args, "name", "");

    rb_buf_init(value, VALUE_MAX);
    if (!rb_env_text_name(name, strlen(name))) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_env_name, name);
    }
    if (rb_json_bytes_get(json_object_get(args, "value"), value) != 0 || memchr(rb_buf_str(value), '\0', value->len)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_env_value);
    }
    return 0;
}

/* The file as it is; one that is not there is empty. */
static int read_old(const char *path, const struct rb_work *work, struct rb_buf *text, struct rb_err *err)
{
    struct rb_err why = {0};
    int fd = rb_bind_open(work, path, O_RDONLY, NULL, &why), rc;

    rb_buf_init(text, FILE_MAX);
    if (why.code == RB_ENOT_FOUND) {
        return 0;
    }
    if (fd < 0) {
        *err = why;
        return fd;
    }
    rc = read_fd(fd, path, FILE_MAX, text, err);
    close(fd);
    return rc;
}

static json_t *write_new(const char *path, bool fresh, const struct rb_buf *text, struct rb_work *work,
                         struct rb_err *err)
{
    json_t *args = json_pack("{s:s, s:o}", "path", path, "data", rb_json_bytes(rb_buf_str(text), text->len)), *out;

    if (fresh) {
        json_object_set_new(args, "mode", json_string("0600"));
    }
    out = rb_file_write(args, work, err);
    json_decref(args);
    return out;
}

json_t *rb_file_env_set(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err), *name = rb_json_str(args, "name", "");
    struct rb_buf value = {0}, text = {0}, fresh;
    struct rb_env_text parsed = {0};
    json_t *out = NULL;
    int rc = path ? get_value(args, &value, err) : RB_EUSAGE;

    rb_buf_init(&fresh, FILE_MAX);
    rc = rc == 0 ? read_old(path, work, &text, err) : rc;
    rc = rc == 0 ? rb_env_text_parse(rb_buf_str(&text), text.len, &parsed, err) : rc;
    if (rc == 0) {
        const struct rb_env_entry *entry = last_of(&parsed, name);
        if (with_value(&text, entry, name, &value, &fresh) != 0) {
            rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_env_large, RB_ENV_LINES);
        } else {
            out = write_new(path, access(path, F_OK) != 0, &fresh, work, err);
        }
        if (out) {
            json_object_set_new(out, "added", json_boolean(entry == NULL));
        }
    }
    rb_env_text_free(&parsed);
    rb_buf_deinit(&fresh);
    rb_buf_deinit(&text);
    rb_buf_deinit(&value);
    return out;
}
