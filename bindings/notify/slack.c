/* Slack, by an incoming webhook, in Block Kit. The address is the secret. Foreign text: & < > are escaped, so that no
 * mention and no link can come from it. */
#include "notify/channel.h"

#include <string.h>

#include "notify/text.h"

#define HEADER_MAX 150
#define FIELDS_MAX 10
#define SECTION_MAX 3000
#define ALL_MAX 12000 /* blocks as a whole break near 13000 characters, which nothing documents */

static json_t *mrkdwn(struct rb_buf *text)
{
    return json_pack("{s:s, s:o}", "type", "mrkdwn", "text", rb_notify_string(text));
}

static json_t *plain(const char *text, size_t max)
{
    struct rb_buf cut;
    rb_buf_init(&cut, 1 << 12);
    (void)rb_notify_put_short(&cut, text, NULL, max - 1);
    return json_pack("{s:s, s:o}", "type", "plain_text", "text", rb_notify_string(&cut));
}

/* What a notification on a telephone shows. */
static json_t *fallback(const struct rb_notify_message *m)
{
    struct rb_buf head, out;
    rb_buf_init(&head, 1 << 13);
    rb_buf_init(&out, 1 << 14);
    (void)rb_notify_headline(&head, m);
    if (*m->runbook) {
        (void)rb_buf_addf(&head, *m->target ? rb_notify_zh(m) ? "（%s，%s）" : " (%s on %s)" : " (%s)", m->runbook,
                          m->target);
    }
    (void)rb_notify_put(&out, rb_buf_str(&head), rb_notify_mrkdwn, SECTION_MAX);
    rb_buf_deinit(&head);
    return rb_notify_string(&out);
}

static void add_facts(json_t *blocks, const struct rb_notify_job *job, size_t *more)
{
    json_t *facts = rb_notify_facts(job, FIELDS_MAX, more), *fields = json_array(), *fact;
    size_t i;
    json_array_foreach(facts, i, fact) {
        struct rb_buf text;
        rb_buf_init(&text, 1 << 16);
        (void)rb_buf_adds(&text, "*");
        (void)rb_notify_put(&text, json_string_value(json_array_get(fact, 0)), rb_notify_mrkdwn, 100);
        (void)rb_buf_adds(&text, "*\n");
        (void)rb_notify_put_short(&text, json_string_value(json_array_get(fact, 1)), rb_notify_mrkdwn, 300);
        json_array_append_new(fields, mrkdwn(&text));
    }
    if (json_array_size(fields)) {
        json_array_append_new(blocks, json_pack("{s:s, s:O}", "type", "section", "fields", fields));
    }
    json_decref(fields);
    json_decref(facts);
}

static void add_mentions(struct rb_buf *text, const struct rb_notify_message *m)
{
    const json_t *user;
    size_t i;
    json_array_foreach(m->users, i, user) {
        (void)rb_buf_addf(text, "%s<@%s>", text->len ? " " : "", json_string_value(user));
    }
    if (m->all) {
        (void)rb_buf_addf(text, "%s<!channel>", text->len ? " " : "");
    }
}

static void add_text(json_t *blocks, const struct rb_notify_job *job)
{
    struct rb_buf text;
    rb_buf_init(&text, 1 << 18);
    if (*job->message->text) {
        (void)rb_notify_put(&text, job->message->text, rb_notify_mrkdwn, job->fit.text);
    }
    add_mentions(&text, job->message);
    if (text.len) {
        json_array_append_new(blocks, json_pack("{s:s, s:o}", "type", "section", "text", mrkdwn(&text)));
    }
    rb_buf_deinit(&text);
}

static void add_links(json_t *blocks, const struct rb_notify_message *m)
{
    json_t *buttons = json_array();
    const json_t *link;
    size_t i;
    json_array_foreach(m->links, i, link) {
        json_t *button = json_pack("{s:s}", "type", "button");
        if (i == 0) {
            json_object_set_new(button, "style", json_string("primary"));
        }
        json_object_set_new(button, "text", plain(rb_json_str(link, "label", ""), 75));
        json_object_set(button, "url", json_object_get(link, "url"));
        json_array_append_new(buttons, button);
    }
    if (json_array_size(buttons)) {
        json_array_append_new(blocks, json_pack("{s:s, s:O}", "type", "actions", "elements", buttons));
    }
    json_decref(buttons);
}

static void add_context(json_t *blocks, const struct rb_notify_message *m, size_t more)
{
    struct rb_buf text;
    rb_buf_init(&text, 1 << 12);
    (void)rb_notify_put(&text, m->runbook, rb_notify_mrkdwn, 200);
    if (*m->run) {
        (void)rb_buf_adds(&text, text.len ? " · `" : "`");
        (void)rb_notify_put(&text, m->run, rb_notify_mrkdwn, 100);
        (void)rb_buf_adds(&text, "`");
    }
    if (more) {
        (void)rb_buf_addf(&text, "%s… (+%zu)", text.len ? " · " : "", more);
    }
    if (text.len) {
        json_array_append_new(blocks, json_pack("{s:s, s:[o]}", "type", "context", "elements", mrkdwn(&text)));
    }
    rb_buf_deinit(&text);
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const char *url = rb_notify_setting(job, "url", err);
    json_t *blocks = json_array();
    size_t more = 0;
    if (!url) {
        json_decref(blocks);
        return RB_EUSAGE;
    }
    rb_notify_url_whole(out, url, 1);
    json_array_append_new(blocks,
                          json_pack("{s:s, s:o}", "type", "header", "text", plain(job->message->title, HEADER_MAX)));
    add_facts(blocks, job, &more);
    add_text(blocks, job);
    add_links(blocks, job->message);
    add_context(blocks, job->message, more);
    out->payload = json_pack("{s:o, s:o}", "text", fallback(job->message), "blocks", blocks);
    if (*job->message->thread) {
        json_object_set_new(out->payload, "thread_ts", json_string(job->message->thread));
    }
    return 0;
}

/* A section too long alone is refused like a whole that is. */
static size_t measure(const struct rb_notify_request *request)
{
    const json_t *block;
    size_t i, all = rb_notify_chars(rb_buf_str(&request->body));
    json_array_foreach(json_object_get(request->payload, "blocks"), i, block) {
        const char *text = rb_json_str(json_object_get(block, "text"), "text", "");
        all = rb_notify_chars(text) > SECTION_MAX ? ALL_MAX + 1 : all;
    }
    return all;
}

static void judge(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out)
{
    (void)body;
    if (reply->len != 2 || memcmp(reply->body, "ok", 2) != 0) {
        rb_notify_refuse(out, RB_NOTIFY_FINAL, RB_ESTATUS, reply->len ? reply->body : "-");
    }
}

const struct rb_notify_kind rb_notify_slack = {.name = "slack",
                                               .render = render,
                                               .measure = measure,
                                               .limit = ALL_MAX,
                                               .judge = judge,
                                               .every = 1,
                                               .burst = 3,
                                               .merge = true};
