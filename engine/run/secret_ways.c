/* Where secrets come from: the environment, a file, systemd's credentials, a command of the operator. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "run/secrets_private.h"
#include "runner/language.h"

#define COMMAND_SECONDS 10.0

extern char **environ;

static const json_t *block_of(const struct rb_secrets *secrets, const char *name)
{
    return json_object_get(json_object_get(secrets->run->config, "secret"), name);
}

static void drop_last_newline(struct rb_secret *s)
{
    if (s->value.len && s->value.data[s->value.len - 1] == '\n') {
        s->value.data[--s->value.len] = 0;
    }
    if (s->value.len && s->value.data[s->value.len - 1] == '\r') {
        s->value.data[--s->value.len] = 0;
    }
}

static int from_env(struct rb_secret *s, const char *variable)
{
    const char *value = rb_json_str(block_of(s->owner, s->name), RB_CONFIG_VALUE, NULL);
    if (!value) {
        return rb_err_set(&s->err, RB_EUSAGE, RB_T_config_secret_env, s->name, variable);
    }
    return rb_buf_adds(&s->value, value)
               ? rb_err_set(&s->err, RB_ETOO_LARGE, RB_T_config_secret_large, s->name, RB_SECRET_MAX)
               : 0;
}

static int from_file(struct rb_secret *s, const char *path)
{
    struct rb_err why = {0};
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & 077) {
        rb_err_set(&s->err, RB_EDENIED, RB_T_config_secret_mode, s->name, path, (unsigned)(st.st_mode & 07777));
        rb_err_hint(&s->err, RB_T_config_secret_mode_hint, path);
        return RB_EDENIED;
    }
    if (rb_files_read(path, RB_SECRET_MAX, 1, &s->value, &why)) {
        rb_err_set(&s->err, why.code, RB_T_config_secret_file, s->name, why.text);
        return why.code;
    }
    drop_last_newline(s);
    return 0;
}

/* systemd's folder is private to the service; the mode of the files in it is systemd's own. */
static int from_credential(struct rb_secret *s, const char *name)
{
    char path[PATH_MAX];
    struct rb_err why = {0};
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (!folder || folder[0] != '/') {
        return rb_err_set(&s->err, RB_EUSAGE, RB_T_config_secret_credentials, s->name);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (rb_files_read(path, RB_SECRET_MAX, 1, &s->value, &why)) {
        rb_err_set(&s->err, why.code, RB_T_config_secret_file, s->name, why.text);
        return why.code;
    }
    drop_last_newline(s);
    return 0;
}

/* ---- commands ---- */

static void fetch_output(struct rb_child *child, int stream, const char *data, size_t len, void *user)
{
    struct rb_fetch *f = user;
    (void)child;
    if (f->secret && stream == 1 && rb_buf_add(&f->secret->value, data, len)) {
        rb_err_set(&f->secret->err, RB_ETOO_LARGE, RB_T_config_secret_large, f->secret->name, RB_SECRET_MAX);
        rb_child_kill(f->child, 0);
    }
}

static void fetch_refused(struct rb_child *child, const char *what, void *user)
{
    struct rb_fetch *f = user;
    (void)child;
    if (!f->refused[0]) {
        snprintf(f->refused, sizeof f->refused, "%s", what);
    }
}

static int fetch_result(struct rb_fetch *f, int status, const struct rb_err *given)
{
    struct rb_secret *s = f->secret;
    if (s->err.code) {
        return s->err.code;
    }
    if (f->late) {
        return rb_err_set(&s->err, RB_ETIMEOUT, RB_T_config_secret_timeout, s->name, f->seconds);
    }
    if (given) {
        return rb_err_set(&s->err, given->code, RB_T_config_secret_file, s->name, given->text);
    }
    if (status && f->refused[0]) {
        return rb_err_set(&s->err, RB_EDENIED, RB_T_config_secret_refused, s->name, f->refused);
    }
    if (status) {
        return rb_err_set(&s->err, RB_EEXIT, RB_T_config_secret_command, s->name, status);
    }
    drop_last_newline(s);
    return 0;
}

static void fetch_forget(struct rb_secrets *secrets, struct rb_fetch *f)
{
    struct rb_fetch **p = &secrets->fetches;
    while (*p != f) {
        p = &(*p)->next;
    }
    *p = f->next;
}

static void fetch_ended(struct rb_child *child, int status, bool orphaned, const struct rb_err *given, void *user)
{
    struct rb_fetch *f = user;
    struct rb_secret *s = f->secret;
    (void)child;
    (void)orphaned;
    uv_close((uv_handle_t *)f->deadline, (uv_close_cb)free);
    if (s) {
        struct rb_run *run = s->owner->run;
        (void)rb_secret_settle(s, "command", fetch_result(f, status, given)); /* the calls that wait for it are told */
        fetch_forget(s->owner, f);
        free(f);
        rb_dispatch_secret_ended(run);
    } else {
        free(f);
    }
}

static void fetch_late(uv_timer_t *timer)
{
    struct rb_fetch *f = timer->data;
    f->late = true;
    rb_child_kill(f->child, 0);
}

static const char **argv_of(const json_t *list)
{
    size_t n = json_array_size(list);
    const char **argv = rb_xcalloc(n + 1, sizeof *argv);
    for (size_t i = 0; i < n; i++) {
        argv[i] = json_string_value(json_array_get(list, i));
    }
    return argv;
}

static struct rb_fetch *fetch_new(struct rb_secret *s, const json_t *block)
{
    const json_t *timeout = json_object_get(block, "timeout");
    struct rb_fetch *f = rb_xcalloc(1, sizeof *f);
    f->secret = s;
    f->seconds = COMMAND_SECONDS;
    if (json_is_number(timeout)) {
        f->seconds = json_number_value(timeout);
    } else if (json_is_string(timeout)) {
        (void)rb_duration_parse(json_string_value(timeout), &f->seconds); /* judged when it was loaded */
    }
    f->deadline = rb_xcalloc(1, sizeof *f->deadline);
    uv_timer_init(s->owner->run->engine.loop, f->deadline);
    f->deadline->data = f;
    return f;
}

/* The operator's own command, not the runbook's: it gets the whole environment, as in a shell. It may read and ask over
 * TCP, and write only where the
 * configuration says so, because a check may need the secret. */
static int from_command(struct rb_secret *s, const json_t *block)
{
    static const struct rb_child_events events = {
        .output = fetch_output, .refused = fetch_refused, .exit = fetch_ended};
    const char **argv = argv_of(json_object_get(block, "command"));
    const struct rb_child_spec spec = {.argv = argv,
                                       .env = (const char *const *)environ,
                                       .access =
                                           rb_json_bool(block, "writes", false) ? RB_CHILD_WRITE : RB_CHILD_READ_NET};
    struct rb_fetch *f = fetch_new(s, block);
    f->child = rb_child_start(s->owner->run->engine.spawner, &spec, &events, f, &s->err);
    free(argv);
    if (!f->child) {
        uv_close((uv_handle_t *)f->deadline, (uv_close_cb)free);
        free(f);
        return s->err.code;
    }
    f->next = s->owner->fetches;
    s->owner->fetches = f;
    s->state = RB_SECRET_RUNNING;
    uv_timer_start(f->deadline, fetch_late, (uint64_t)(rb_seconds_clamp(f->seconds) * 1000), 0);
    return 0;
}

int rb_secret_find_now(struct rb_secret *s)
{
    static const struct {
        const char *field;
        int (*from)(struct rb_secret *s, const char *where);
    } ways[] = {{"env", from_env}, {"file", from_file}, {"credential", from_credential}};
    const json_t *block = block_of(s->owner, s->name);
    if (json_object_get(block, "command")) {
        int rc = from_command(s, block);
        s->state = rc ? RB_SECRET_FAILED : s->state;
        return rc;
    }
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *where = rb_json_str(block, ways[i].field, NULL);
        if (where) {
            return rb_secret_settle(s, ways[i].field, ways[i].from(s, where));
        }
    }
    return rb_secret_settle(s, "", rb_err_set(&s->err, RB_EUSAGE, RB_T_config_secret_empty, s->name));
}
