/* What is known of the secrets of a run, and their use: put into the arguments of a call, cleaned from what comes back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "run/secrets_private.h"
#include "runner/language.h"

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
    for (struct rb_fetch *f = secrets->fetches; f; f = f->next) {
        f->secret = NULL;
        rb_child_kill(f->child, 0);
    }
    while (secrets->list) {
        struct rb_secret *one = secrets->list;
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

static struct rb_secret *find(const struct rb_secrets *secrets, const char *name)
{
    struct rb_secret *one = secrets->list;
    while (one && strcmp(one->name, name)) {
        one = one->next;
    }
    return one;
}

static struct rb_secret *get(struct rb_secrets *secrets, const char *name)
{
    struct rb_secret *one = find(secrets, name);
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

/* ---- what was found ---- */

static int judge(struct rb_secret *s, struct rb_err *err)
{
    if (!s->value.len) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_secret_empty, s->name);
    }
    if (memchr(s->value.data, 0, s->value.len) || !rb_utf8_valid(s->value.data, s->value.len)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_secret_bytes, s->name);
    }
    return 0;
}

/* Who read which secret is part of the record, as every use of a right is. */
static void record_read(struct rb_secret *s, const char *from)
{
    rb_record(s->owner->run, "secret.read", json_pack("{s:s, s:s}", "name", s->name, "from", from));
}

/* Ready to be used and looked for in all that comes back, unless rc or the value says no. */
static int take_value(struct rb_secret *s, int rc)
{
    rc = rc ? rc : judge(s, &s->err);
    s->state = rc ? RB_SECRET_FAILED : RB_SECRET_READY;
    if (!rc) {
        rb_redact_add(s->owner->redact, s->name, s->value.data, s->value.len);
    }
    return rc;
}

int rb_secret_settle(struct rb_secret *s, const char *from, int rc)
{
    rc = take_value(s, rc);
    if (!rc) {
        record_read(s, from);
    }
    return rc;
}

void rb_secrets_give(struct rb_secrets *secrets, const char *name, const char *value)
{
    struct rb_secret *s = get(secrets, name);
    rb_buf_clear(&s->value);
    bool fits = rb_buf_adds(&s->value, value) == 0;
    (void)take_value(s, fits ? 0 : rb_err_set(&s->err, RB_ETOO_LARGE, RB_T_config_secret_large, name, RB_SECRET_MAX));
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
    struct rb_secret *s = get(secrets, name);
    if (s->state == RB_SECRET_NEW) {
        (void)rb_secret_find_now(s); /* its state says how that went */
    }
    if (s->state == RB_SECRET_FAILED && err) {
        *err = s->err;
    }
    return s->state == RB_SECRET_READY ? 0 : s->state == RB_SECRET_RUNNING ? RB_SECRETS_WAIT : s->err.code;
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
    const struct rb_secret *s = secrets ? find(secrets, name) : NULL;
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
