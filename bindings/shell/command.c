#include "shell/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#define TEXT_MAX 4096 /* of a preview */
#define ENV_MAX (128 << 10)
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

/* What a command inherits, and what env says otherwise: a value, true for the host's own, false for none. */
static bool inherits(const char *entry, const json_t *env)
{
    const char *equals = strchr(entry, '=');
    const json_t *said = equals ? json_object_getn(env, entry, (size_t)(equals - entry)) : NULL;

    /* Our own settings may hold secrets and are no business of a command. */
    return said ? json_is_true(said) && strncmp(entry, "RUNBOOK_", 8) != 0 : rb_child_inherits(entry);
}

static int add_env(struct rb_shell_command *out, const char *name, const json_t *value, struct rb_err *err)
{
    struct rb_buf entry;
    int rc = *name && !strchr(name, '=') ? 0 : RB_EUSAGE;

    rb_buf_init(&entry, ENV_MAX);
    rc = rc ? rc : rb_buf_addf(&entry, "%s=", name);
    rc = rc ? rc : rb_json_bytes_get(value, &entry);
    if (rc != 0 || memchr(entry.data, '\0', entry.len)) {
        rb_buf_deinit(&entry);
        return rb_err_set(err, rc == RB_ETOO_LARGE ? rc : RB_EUSAGE, RB_T_bindings_shell_env);
    }
    out->made[out->made_count++] = rb_buf_take(&entry);
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
        if (inherits(environ[i], env)) {
            out->env[kept++] = environ[i];
        }
    }
    json_object_foreach(env, name, value) {
        if (json_is_boolean(value)) {
            continue;
        }
        rc = add_env(out, name, value, err);
        if (rc != 0) {
            return rc;
        }
        out->env[kept++] = out->made[out->made_count - 1];
    }
    return 0;
}

static int make_limits(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    const struct {
        const char *name;
        unsigned long long *most;
    } known[] = {{"cpu", &out->limits.cpu},
                 {"memory", &out->limits.memory},
                 {"files", &out->limits.files},
                 {"processes", &out->limits.processes},
                 {"file_size", &out->limits.file_size}};
    json_t *limits = json_object_get(args, "limits"), *value;
    const char *name;

    json_object_foreach(limits, name, value) {
        size_t i = 0, count = sizeof known / sizeof *known;
        int64_t number = json_is_integer(value) ? json_integer_value(value) : 0;
        while (i < count && strcmp(known[i].name, name) != 0) {
            i++;
        }
        if (json_is_string(value)) {
            (void)rb_size_parse(json_string_value(value), &number);
        }
        if (i == count || number <= 0) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_limits, name);
        }
        *known[i].most = (unsigned long long)number;
    }
    return 0;
}

static int make_umask(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    const char *text = rb_json_str(args, "umask", NULL);
    char *end;
    long bits = text ? strtol(text, &end, 8) : 0;

    if (!text) {
        return 0;
    }
    if (!*text || *end || bits < 0 || bits > 0777) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_umask);
    }
    out->umask = (mode_t)bits;
    out->spec.umask = &out->umask;
    return 0;
}

static int make_terminal(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    json_int_t rows = rb_json_int(args, "rows", 24), cols = rb_json_int(args, "cols", 80);

    if (rows < 1 || rows > 1000 || cols < 1 || cols > 1000) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_shell_window);
    }
    if (rb_json_bool(args, "pty", false)) {
        out->spec.rows = (unsigned short)rows;
        out->spec.cols = (unsigned short)cols;
    }
    return 0;
}

static int make_spec(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    int rc = make_limits(out, args, err);

    rc = rc ? rc : make_umask(out, args, err);
    rc = rc ? rc : make_terminal(out, args, err);
    if (rc == 0 && json_object_get(args, "cwd")) {
        out->spec.cwd = rb_bind_path(args, "cwd", err);
        rc = out->spec.cwd ? 0 : RB_EUSAGE;
    }
    out->spec.argv = out->argv;
    out->spec.env = out->env;
    out->spec.limits = &out->limits;
    return rc;
}

int rb_shell_command_init(struct rb_shell_command *out, const json_t *args, struct rb_err *err)
{
    int rc;

    memset(out, 0, sizeof *out);
    rc = make_argv(out, args, err);
    rc = rc == 0 ? make_env(out, args, err) : rc;
    rc = rc == 0 ? make_spec(out, args, err) : rc;
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
    struct rb_shell_command command = {0};
    struct rb_buf out;

    rb_buf_init(&out, TEXT_MAX);           /* past it the text is cut: the record has the arguments whole */
    (void)make_argv(&command, args, NULL); /* what is wrong with them is told by the call itself */
    for (const char **word = command.argv; word && *word; word++) {
        add_word(&out, *word);
    }
    rb_shell_command_deinit(&command);
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}
