#include "shell/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"

#define TEXT_MAX 4096 /* of a preview */
#define WORD_MAX (128 << 10) /* the kernel takes no longer one */

/* sh -c SCRIPT sh ARG…: a parameter is a word of its own, never part of the script. */
static size_t sh_words(const json_t *args, const char **argv)
{
    size_t n = 0;

    argv[n++] = "sh";
    argv[n++] = "-c";
    argv[n++] = rb_json_str(args, "sh", "");
    argv[n++] = "sh";
    return n;
}

/* A file name in GBK is a word as well. */
static int make_word(struct rb_shell_command *out, const json_t *word, struct rb_err *err)
{
    struct rb_buf bytes;
    int rc = 0;

    rb_buf_init(&bytes, WORD_MAX);
    if (rb_json_bytes_get(word, &bytes) != 0) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_args);
    } else if (memchr(rb_buf_str(&bytes), '\0', bytes.len)) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_nul);
    } else {
        out->made[out->made_count++] = bytes.data ? rb_buf_take(&bytes) : rb_xstrdup("");
    }
    rb_buf_deinit(&bytes);
    return rc;
}

static int make_argv(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    bool sh = json_is_string(json_object_get(args, "sh"));
    const json_t *list = json_object_get(args, sh ? "args" : "argv");
    size_t n = 0, count = json_array_size(list);

    if (!sh && count == 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_args);
    }
    out->argv = rb_xcalloc(count + 5, sizeof *out->argv);
    out->made = rb_xcalloc(count + json_object_size(json_object_get(args, "env")) + 1, sizeof *out->made);
    n = sh ? sh_words(args, out->argv) : 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *word = json_array_get(list, i);
        int rc = json_is_string(word) ? 0 : make_word(out, word, err);
        if (rc != 0) {
            return rc;
        }
        if (json_is_string(word) && strlen(json_string_value(word)) != json_string_length(word)) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_nul);
        }
        out->argv[n++] = json_is_string(word) ? json_string_value(word) : out->made[out->made_count - 1];
    }
    return 0;
}

static bool overridden(const char *entry, const json_t *env)
{
    const char *equals = strchr(entry, '=');
    char name[256];

    if (!equals || (size_t)(equals - entry) >= sizeof name) {
        return false;
    }
    memcpy(name, entry, (size_t)(equals - entry));
    name[equals - entry] = '\0';
    /* Our own settings may hold secrets and are no business of a command. */
    return strncmp(name, "RUNBOOK_", 8) == 0 || json_object_get(env, name);
}

static int add_env(struct rb_shell_command *out, const char *name, const json_t *value, struct rb_err *err)
{
    char *entry = NULL;

    if (!json_is_string(value) || !*name || strchr(name, '=') ||
        strlen(json_string_value(value)) != json_string_length(value)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_env);
    }
    if (asprintf(&entry, "%s=%s", name, json_string_value(value)) < 0) {
        return rb_err_set(err, RB_EMEMORY, RB_T_bindings_shell_env);
    }
    out->made[out->made_count++] = entry;
    return 0;
}

static int make_env(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    json_t *env = json_object_get(args, "env"), *value;
    size_t kept = 0, host = 0;
    const char *name;
    int rc;

    if (!env || json_is_null(env) || (json_is_array(env) && json_array_size(env) == 0)) {
        return 0;
    }
    if (!json_is_object(env)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_env);
    }
    while (environ[host]) {
        host++;
    }
    out->env = rb_xcalloc(host + json_object_size(env) + 1, sizeof *out->env);
    for (size_t i = 0; i < host; i++) {
        if (!overridden(environ[i], env)) {
            out->env[kept++] = environ[i];
        }
    }
    json_object_foreach(env, name, value)
    {
        rc = add_env(out, name, value, err);
        if (rc != 0) {
            return rc;
        }
        out->env[kept++] = out->made[out->made_count - 1];
    }
    return 0;
}

int rb_shell_command_init(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    int rc;

    memset(out, 0, sizeof *out);
    rc = make_argv(out, args, err);
    rc = rc == 0 ? make_env(out, args, err) : rc;
    if (rc != 0) {
        rb_shell_command_deinit(out);
    }
    return rc;
}

void rb_shell_command_deinit(struct rb_shell_command *c)
{
    for (size_t i = 0; i < c->made_count; i++) {
        free(c->made[i]);
    }
    free(c->made);
    free((void *)c->env);
    free((void *)c->argv);
    memset(c, 0, sizeof *c);
}

static void add_word(struct rb_buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";

    (void)rb_buf_adds(out, out->len > 0 ? " " : "");
    if (*word && word[strspn(word, plain)] == '\0') {
        (void)rb_buf_adds(out, word);
        return;
    }
    (void)rb_buf_adds(out, "'");
    for (const char *s = word; *s; s++) {
        (void)(*s == '\'' ? rb_buf_adds(out, "'\\''") : rb_buf_add(out, s, 1));
    }
    (void)rb_buf_adds(out, "'");
}

char *rb_shell_command_text(const json_t *args)
{
    struct rb_shell_command command;
    struct rb_buf out;

    if (rb_shell_command_init(&command, args, NULL) != 0) {
        return NULL;
    }
    rb_buf_init(&out, TEXT_MAX); /* past it the text is cut: the record has the arguments whole */
    for (const char **word = command.argv; *word; word++) {
        add_word(&out, *word);
    }
    rb_shell_command_deinit(&command);
    return rb_buf_take(&out);
}
