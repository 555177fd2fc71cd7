#include "run/secrets.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/utf8.h"
#include "run/state.h"
#include "runner/language.h"

#define COMMAND_SECONDS 10.0

extern char **environ;

enum state { NEW, RUNNING, READY, FAILED };

struct secret {
    struct secret *next;
    struct rb_secrets *owner;
    enum state state;
    struct rb_err err; /* FAILED */
    struct rb_buf value;
    char name[];
};

/* The command of one secret; it may outlive the run by some milliseconds. */
struct fetch {
    struct secret *secret; /* NULL once the run is over */
    struct fetch *next;
    struct rb_child *child;
    uv_timer_t *deadline;
    double seconds;
    bool late;
    char refused[256];
};

struct rb_secrets {
    struct rb_run *run;
    struct secret *list;
    struct fetch *fetches;
    struct rb_redact *redact;
};

/* What came by the environment is known anyway: it is looked for from the start. */
static void watch_environment(struct rb_secrets *secrets)
{
    const char *name;
    json_t *block;
    json_object_foreach(json_object_get(secrets->run->config, "secret"), name, block) {
        const json_t *value = json_object_get(block, RB_CONFIG_VALUE);
        if (value) {
            rb_redact_add(secrets->redact, name, json_string_value(value), json_string_length(value));
        }
    }
}

struct rb_secrets *rb_secrets_new(struct rb_run *run)
{
    struct rb_secrets *secrets = rb_xcalloc(1, sizeof *secrets);
    secrets->run = run;
    secrets->redact = rb_redact_new();
    watch_environment(secrets);
    return secrets;
}

void rb_secrets_free(struct rb_secrets *secrets)
{
    for (struct fetch *f = secrets->fetches; f; f = f->next) {
        f->secret = NULL;
        rb_child_kill(f->child, 0);
    }
    while (secrets->list) {
        struct secret *one = secrets->list;
        secrets->list = one->next;
        if (one->value.data) {
            explicit_bzero(one->value.data, one->value.cap);
        }
        rb_buf_deinit(&one->value);
        free(one);
    }
    rb_redact_free(secrets->redact);
    free(secrets);
}

static struct secret *find(const struct rb_secrets *secrets, const char *name)
{
    struct secret *one = secrets->list;
    while (one && strcmp(one->name, name)) {
        one = one->next;
    }
    return one;
}

static struct secret *get(struct rb_secrets *secrets, const char *name)
{
    struct secret *one = find(secrets, name);
    if (!one) {
        one = rb_xcalloc(1, sizeof *one + strlen(name) + 1);
        memcpy(one->name, name, strlen(name) + 1);
        one->owner = secrets;
        rb_buf_init(&one->value, RB_SECRET_MAX + 1);
        one->next = secrets->list;
        secrets->list = one;
    }
    return one;
}

static const json_t *block_of(const struct rb_secrets *secrets, const char *name)
{
    return json_object_get(json_object_get(secrets->run->config, "secret"), name);
}

/* ---- what was found ---- */

static int judge(struct secret *s, struct rb_err *err)
{
    if (!s->value.len) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_secret_empty, s->name);
    }
    if (memchr(s->value.data, 0, s->value.len) || !rb_utf8_valid(s->value.data, s->value.len)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_secret_bytes, s->name);
    }
    return 0;
}

static void drop_last_newline(struct secret *s)
{
    if (s->value.len && s->value.data[s->value.len - 1] == '\n') {
        s->value.data[--s->value.len] = 0;
    }
    if (s->value.len && s->value.data[s->value.len - 1] == '\r') {
        s->value.data[--s->value.len] = 0;
    }
}

/* Who read which secret is part of the record, as every use of a right is. */
static void record_read(struct secret *s, const char *from)
{
    rb_record(s->owner->run, "secret.read", json_pack("{s:s, s:s}", "name", s->name, "from", from));
}

static int settle(struct secret *s, const char *from, int rc)
{
    rc = rc ? rc : judge(s, &s->err);
    s->state = rc ? FAILED : READY;
    if (!rc) {
        rb_redact_add(s->owner->redact, s->name, s->value.data, s->value.len);
        record_read(s, from);
    }
    return rc;
}

void rb_secrets_give(struct rb_secrets *secrets, const char *name, const char *value)
{
    struct secret *s = get(secrets, name);
    rb_buf_clear(&s->value);
    int rc = rb_buf_adds(&s->value, value) ? rb_err_set(&s->err, RB_ETOO_LARGE, RB_T_config_secret_large, name, RB_SECRET_MAX) : 0;
    rc = rc ? rc : judge(s, &s->err);
    s->state = rc ? FAILED : READY;
    if (!rc) {
        rb_redact_add(secrets->redact, name, s->value.data, s->value.len);
    }
}

int rb_secrets_known(const struct rb_secrets *secrets, const char *name, struct rb_err *err)
{
    const json_t *blocks = json_object_get(secrets->run->config, "secret");
    if (!find(secrets, name) && !strncmp(name, RB_SECRET_GIVEN, strlen(RB_SECRET_GIVEN))) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_secret_was_given, name + strlen(RB_SECRET_GIVEN));
    }
    if (find(secrets, name) || json_object_get(blocks, name)) {
        return 0;
    }
    return rb_fill_unknown(blocks, name, RB_T_config_no_secret, RB_T_config_no_secret_hint, err);
}

/* ---- where they come from ---- */

static int from_env(struct secret *s, const char *variable)
{
    const char *value = rb_json_str(block_of(s->owner, s->name), RB_CONFIG_VALUE, NULL);
    if (!value) {
        return rb_err_set(&s->err, RB_EUSAGE, RB_T_config_secret_env, s->name, variable);
    }
    return rb_buf_adds(&s->value, value) ? rb_err_set(&s->err, RB_ETOO_LARGE, RB_T_config_secret_large, s->name, RB_SECRET_MAX) : 0;
}

static int from_file(struct secret *s, const char *path)
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
static int from_credential(struct secret *s, const char *name)
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
    struct fetch *f = user;
    (void)child;
    if (f->secret && stream == 1 && rb_buf_add(&f->secret->value, data, len)) {
        rb_err_set(&f->secret->err, RB_ETOO_LARGE, RB_T_config_secret_large, f->secret->name, RB_SECRET_MAX);
        rb_child_kill(f->child, 0);
    }
}

static void fetch_refused(struct rb_child *child, const char *what, void *user)
{
    struct fetch *f = user;
    (void)child;
    if (!f->refused[0]) {
        snprintf(f->refused, sizeof f->refused, "%s", what);
    }
}

static int fetch_result(struct fetch *f, int status, const struct rb_err *given)
{
    struct secret *s = f->secret;
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

static void fetch_forget(struct rb_secrets *secrets, struct fetch *f)
{
    struct fetch **p = &secrets->fetches;
    while (*p != f) {
        p = &(*p)->next;
    }
    *p = f->next;
}

static void fetch_ended(struct rb_child *child, int status, bool orphaned, const struct rb_err *given, void *user)
{
    struct fetch *f = user;
    struct secret *s = f->secret;
    (void)child;
    (void)orphaned;
    uv_close((uv_handle_t *)f->deadline, (uv_close_cb)free);
    if (s) {
        struct rb_run *run = s->owner->run;
        (void)settle(s, "command", fetch_result(f, status, given)); /* the calls that wait for it are told */
        fetch_forget(s->owner, f);
        free(f);
        rb_dispatch_secret_ended(run);
    } else {
        free(f);
    }
}

static void fetch_late(uv_timer_t *timer)
{
    struct fetch *f = timer->data;
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

static struct fetch *fetch_new(struct secret *s, const json_t *block)
{
    const json_t *timeout = json_object_get(block, "timeout");
    struct fetch *f = rb_xcalloc(1, sizeof *f);
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

/* The operator's own command, not the runbook's: it gets the whole environment, as in a shell. It may read and ask over TCP, and write only where the
 * configuration says so, because a check may need the secret. */
static int from_command(struct secret *s, const json_t *block)
{
    static const struct rb_child_events events = {.output = fetch_output, .refused = fetch_refused, .exit = fetch_ended};
    const char **argv = argv_of(json_object_get(block, "command"));
    const struct rb_child_spec spec = {.argv = argv, .env = (const char *const *)environ,
                                       .access = rb_json_bool(block, "writes", false) ? RB_CHILD_WRITE : RB_CHILD_READ_NET};
    struct fetch *f = fetch_new(s, block);
    f->child = rb_child_start(s->owner->run->engine.spawner, &spec, &events, f, &s->err);
    free(argv);
    if (!f->child) {
        uv_close((uv_handle_t *)f->deadline, (uv_close_cb)free);
        free(f);
        return s->err.code;
    }
    f->next = s->owner->fetches;
    s->owner->fetches = f;
    s->state = RUNNING;
    uv_timer_start(f->deadline, fetch_late, (uint64_t)(rb_seconds_clamp(f->seconds) * 1000), 0);
    return 0;
}

static int find_now(struct secret *s)
{
    static const struct {
        const char *field;
        int (*from)(struct secret *s, const char *where);
    } ways[] = {{"env", from_env}, {"file", from_file}, {"credential", from_credential}};
    const json_t *block = block_of(s->owner, s->name);
    if (json_object_get(block, "command")) {
        int rc = from_command(s, block);
        s->state = rc ? FAILED : s->state;
        return rc;
    }
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        const char *where = rb_json_str(block, ways[i].field, NULL);
        if (where) {
            return settle(s, ways[i].field, ways[i].from(s, where));
        }
    }
    return settle(s, "", rb_err_set(&s->err, RB_EUSAGE, RB_T_config_secret_empty, s->name));
}

/* ---- in the arguments of a call ---- */

const char *rb_secret_token(const json_t *value)
{
    return json_object_size(value) == 1 ? rb_json_str(value, "$secret", NULL) : NULL;
}

const char *rb_secret_within(const json_t *value)
{
    const char *key, *name = rb_secret_token(value);
    json_t *item;
    size_t i;
    json_array_foreach((json_t *)value, i, item) {
        name = name ? name : rb_secret_within(item);
    }
    json_object_foreach((json_t *)value, key, item) {
        name = name ? name : rb_secret_within(item);
    }
    return name;
}

static int find_one(struct rb_secrets *secrets, const char *name, struct rb_err *err)
{
    if (!find(secrets, name) && rb_secrets_known(secrets, name, err)) {
        return err->code;
    }
    struct secret *s = get(secrets, name);
    if (s->state == NEW) {
        (void)find_now(s); /* its state says how that went */
    }
    if (s->state == FAILED && err) {
        *err = s->err;
    }
    return s->state == READY ? 0 : s->state == RUNNING ? RB_SECRETS_WAIT : s->err.code;
}

/* All are begun, so that several commands run side by side; an error counts more than waiting. */
int rb_secrets_find(struct rb_secrets *secrets, const json_t *args, struct rb_err *err)
{
    const char *key, *name = rb_secret_token(args);
    json_t *item;
    size_t i;
    int rc = name ? find_one(secrets, name, err) : 0;
    json_array_foreach((json_t *)args, i, item) {
        int one = rc < 0 ? 0 : rb_secrets_find(secrets, item, err);
        rc = one ? one : rc;
    }
    json_object_foreach((json_t *)args, key, item) {
        int one = rc < 0 ? 0 : rb_secrets_find(secrets, item, err);
        rc = one ? one : rc;
    }
    return rc;
}

static json_t *value_or_name(const struct rb_secrets *secrets, const char *name)
{
    const struct secret *s = secrets ? find(secrets, name) : NULL;
    return s ? json_stringn(s->value.data, s->value.len) : json_sprintf(RB_SECRET_SHOWN, name);
}

json_t *rb_secrets_put(const struct rb_secrets *secrets, const json_t *args)
{
    const char *key, *name = rb_secret_token(args);
    json_t *item, *copy;
    size_t i;
    if (name) {
        return value_or_name(secrets, name);
    }
    if (!rb_secret_within(args)) {
        return json_incref((json_t *)args);
    }
    copy = json_is_array(args) ? json_array() : json_object();
    json_array_foreach((json_t *)args, i, item) {
        json_array_append_new(copy, rb_secrets_put(secrets, item));
    }
    json_object_foreach((json_t *)args, key, item) {
        json_object_set_new(copy, key, rb_secrets_put(secrets, item));
    }
    return copy;
}

/* ---- out of everything else ---- */

json_t *rb_secrets_clean(const struct rb_secrets *secrets, json_t *value)
{
    if (!value || rb_redact_idle(secrets->redact)) {
        return value;
    }
    json_t *clean = rb_redact_json(secrets->redact, value);
    json_decref(value);
    return clean;
}

static void clean_text(struct rb_redact *redact, char *text, size_t size)
{
    struct rb_buf out;
    size_t len = strlen(text);
    rb_buf_init(&out, size * 40 + 256);
    (void)rb_redact_text(redact, text, len, len == size - 1, &out); /* it fits: a name in the place of four bytes */
    snprintf(text, size, "%s", rb_buf_str(&out));
    rb_buf_deinit(&out);
}

void rb_secrets_clean_err(const struct rb_secrets *secrets, struct rb_err *err)
{
    if (!rb_redact_idle(secrets->redact)) {
        clean_text(secrets->redact, err->text, sizeof err->text);
        clean_text(secrets->redact, err->hint, sizeof err->hint);
    }
}

struct rb_redact_stream *rb_secrets_stream(const struct rb_secrets *secrets)
{
    return rb_redact_idle(secrets->redact) ? NULL : rb_redact_open(secrets->redact);
}
