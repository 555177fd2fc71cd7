/* Any service of one's own, by Standard Webhooks: the message as JSON, signed when there is a secret. Several secrets,
 * while one takes over from another, make several signatures. */
#include "notify/channel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "notify/sign.h"
#include "notify/text.h"

#define BODY_MAX (256 << 10)

/* The whole inner message; only what does not fit is cut. */
static json_t *data_of(const struct rb_notify_job *job)
{
    json_t *data = json_deep_copy(job->message->json);
    struct rb_buf text;
    size_t more;
    rb_buf_init(&text, 1 << 20);
    (void)rb_notify_put(&text, job->message->text, NULL, job->fit.text);
    json_object_set_new(data, "text", rb_notify_string(&text));
    json_object_set_new(data, "facts", rb_notify_facts(job, 50, &more));
    if (more) {
        json_object_set_new(data, "facts_left_out", json_integer((json_int_t)more));
    }
    return data;
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const struct rb_notify_message *m = job->message;
    const char *url = rb_notify_setting(job, "url", err), *name;
    json_t *headers = json_object_get(job->channel, "headers"), *value;
    if (!url) {
        return RB_EUSAGE;
    }
    rb_notify_url_whole(out, url, 0);
    out->payload = json_pack("{s:s, s:s, s:o}", "type", *m->event ? m->event : "message", "timestamp", m->at, "data",
                             data_of(job));
    json_object_foreach(headers, name, value) {
        json_object_set(out->headers, name, value);
    }
    return 0;
}

static int add_signature(struct rb_buf *all, const json_t *secret, const struct rb_notify_job *job,
                         const struct rb_notify_request *out, struct rb_err *err)
{
    const char *text = json_string_value(secret);
    char *one = rb_notify_sign_webhook(text ? text : "", job->id, job->now_us / 1000000, &out->body, err);
    if (!one) {
        return RB_EUSAGE;
    }
    (void)rb_buf_addf(all, "%s%s", all->len ? " " : "", one);
    free(one);
    return 0;
}

static int sign(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const json_t *secret = json_object_get(job->channel, "sign");
    struct rb_buf all;
    char seconds[32];
    int rc = 0;
    rb_buf_init(&all, 4096);
    if (json_is_array(secret)) {
        for (size_t i = 0; rc == 0 && i < json_array_size(secret); i++) {
            rc = add_signature(&all, json_array_get(secret, i), job, out, err);
        }
    } else if (secret) {
        rc = add_signature(&all, secret, job, out, err);
    }
    (void)snprintf(seconds, sizeof seconds, "%" PRId64, job->now_us / 1000000);
    json_object_set_new(out->headers, "webhook-id", json_string(job->id));
    json_object_set_new(out->headers, "webhook-timestamp", json_string(seconds));
    if (all.len) {
        json_object_set_new(out->headers, "webhook-signature", json_string(rb_buf_str(&all)));
    }
    rb_buf_deinit(&all);
    return rc;
}

const struct rb_notify_kind rb_notify_webhook = {
    .name = "webhook", .render = render, .sign = sign, .limit = BODY_MAX, .every = 0.1, .burst = 20};
