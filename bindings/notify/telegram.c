/* Telegram, by its bot API, in HTML: three characters to escape, where MarkdownV2 has eighteen. */
#include "notify/channel.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notify/text.h"

#define TEXT_MAX 4096 /* after entities, as UTF-16 */

/* "@name" calls people by itself there, so in foreign text the sign is written full-width. */
static const struct rb_notify_swap html[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'@', "＠"}, {0}};

static void add_facts(struct rb_buf *text, const struct rb_notify_job *job)
{
    size_t i, more;
    json_t *facts = rb_notify_facts(job, 50, &more), *fact;
    json_array_foreach(facts, i, fact) {
        (void)rb_buf_adds(text, "\n");
        (void)rb_notify_put(text, json_string_value(json_array_get(fact, 0)), html, 60);
        (void)rb_buf_adds(text, rb_notify_zh(job->message) ? "：<code>" : ": <code>");
        (void)rb_notify_put(text, json_string_value(json_array_get(fact, 1)), rb_notify_mrkdwn, job->fit.value + 20);
        (void)rb_buf_adds(text, "</code>");
    }
    if (more) {
        (void)rb_buf_addf(text, "\n… (+%zu)", more);
    }
    json_decref(facts);
}

static void add_mentions(struct rb_buf *text, const struct rb_notify_message *m)
{
    const json_t *user;
    size_t i;
    json_array_foreach(m->users, i, user) {
        const char *id = json_string_value(user);
        bool number = strspn(id, "0123456789") == strlen(id);
        (void)rb_buf_adds(text, i ? " " : "\n");
        (void)(number ? rb_buf_addf(text, "<a href=\"tg://user?id=%s\">%s</a>", id, id) : rb_buf_addf(text, "@%s", id));
    }
}

static json_t *text_of(const struct rb_notify_job *job)
{
    const struct rb_notify_message *m = job->message;
    struct rb_buf text, head;
    rb_buf_init(&text, 1 << 20);
    rb_buf_init(&head, 1 << 13);
    (void)rb_notify_headline(&head, m);
    (void)rb_buf_adds(&text, "<b>");
    (void)rb_notify_put(&text, rb_buf_str(&head), html, 250);
    (void)rb_buf_adds(&text, "</b>");
    if (*m->text) {
        (void)rb_buf_adds(&text, "\n");
        (void)rb_notify_put(&text, m->text, html, job->fit.text);
    }
    add_facts(&text, job);
    add_mentions(&text, m);
    rb_buf_clear(&head);
    rb_notify_origin(&head, m, " · ");
    if (head.len) {
        (void)rb_buf_adds(&text, "\n<i>");
        (void)rb_notify_put(&text, rb_buf_str(&head), html, 250);
        (void)rb_buf_adds(&text, "</i>");
    }
    rb_buf_deinit(&head);
    return rb_notify_string(&text);
}

static json_t *buttons(const struct rb_notify_message *m)
{
    json_t *rows = json_array();
    const json_t *link;
    size_t i;
    json_array_foreach(m->links, i, link) {
        json_array_append_new(rows, json_pack("[{s:O, s:O}]", "text", json_object_get(link, "label"), "url",
                                              json_object_get(link, "url")));
    }
    return rows;
}

/* A number where one is meant: -1001234567890 or "-1001234567890"; "@channel" stays a name. */
static json_t *number_or_name(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end = NULL;
    errno = 0;
    long long number = text ? strtoll(text, &end, 10) : 0;
    return text && *text && !*end && !errno ? json_integer(number) : json_incref((json_t *)value);
}

static bool is_token(const char *token)
{
    for (const char *s = token; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr(":_-", *s)) {
            return false;
        }
    }
    return true;
}

static int address(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    struct rb_buf prefix;
    const char *token = rb_notify_setting(job, "token", err);
    const json_t *chat = json_object_get(job->channel, "chat");
    if (!token || !is_token(token) || (!json_is_integer(chat) && !rb_notify_setting(job, "chat", err))) {
        return token && !is_token(token) ? rb_err_set(err, RB_EUSAGE, RB_T_notify_token) : RB_EUSAGE;
    }
    rb_buf_init(&prefix, 4096);
    (void)rb_buf_addf(&prefix, "%s/bot", rb_json_str(job->channel, "url", "https://api.telegram.org"));
    rb_notify_url(out, rb_buf_str(&prefix), token, "/sendMessage");
    rb_buf_deinit(&prefix);
    out->payload = json_pack("{s:o}", "chat_id", number_or_name(chat));
    return 0;
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const json_t *topic = json_object_get(job->channel, "topic");
    int rc = address(job, out, err);
    if (rc != 0) {
        return rc;
    }
    if (topic) {
        json_object_set_new(out->payload, "message_thread_id", number_or_name(topic));
    }
    json_object_set_new(out->payload, "parse_mode", json_string("HTML"));
    json_object_set_new(out->payload, "text", text_of(job));
    json_object_set_new(out->payload, "link_preview_options", json_pack("{s:b}", "is_disabled", 1));
    json_object_set_new(out->payload, "disable_notification",
                        json_boolean(rb_json_bool(job->channel, "silent", false)));
    if (*job->message->thread) {
        json_t *id = json_string(job->message->thread);
        json_object_set_new(
            out->payload, "reply_parameters",
            json_pack("{s:o, s:b}", "message_id", number_or_name(id), "allow_sending_without_reply", 1));
        json_decref(id);
    }
    if (json_array_size(job->message->links)) {
        json_object_set_new(out->payload, "reply_markup", json_pack("{s:o}", "inline_keyboard", buttons(job->message)));
    }
    return 0;
}

/* Tags do not count, an entity counts one, a character outside the basic plane two. */
static size_t measure(const struct rb_notify_request *request)
{
    size_t count = 0;
    for (const char *s = rb_json_str(request->payload, "text", ""); *s; s++) {
        if (*s == '<') {
            s = strchr(s, '>');
            continue;
        }
        if (*s == '&') {
            s = strchr(s, ';');
        }
        count += ((unsigned char)*s & 0xC0) != 0x80;
        count += (unsigned char)*s >= 0xF0;
    }
    return count;
}

static void judge(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out)
{
    (void)reply;
    if (!rb_json_bool(body, "ok", false)) {
        rb_notify_refuse(out, RB_NOTIFY_FINAL, RB_ESTATUS, rb_json_str(body, "description", "-"));
        return;
    }
    (void)snprintf(out->id, sizeof out->id, "%lld",
                   (long long)rb_json_int(json_object_get(body, "result"), "message_id", 0));
}

const struct rb_notify_kind rb_notify_telegram = {.name = "telegram",
                                                  .render = render,
                                                  .measure = measure,
                                                  .limit = TEXT_MAX,
                                                  .judge = judge,
                                                  .every = 1,
                                                  .burst = 3,
                                                  .merge = true};
