/* Feishu (飞书) and Lark custom bots: interactive cards, version 1.0 unless the channel says 2.0. The id in the address
 * is the secret; another one may sign the body. Special characters in foreign text become numeric entities. */
#include "notify/channel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "notify/sign.h"
#include "notify/text.h"

#define BODY_MAX 20000 /* bytes */
#define BASE "https://open.feishu.cn/open-apis/bot/v2/hook/"

static json_t *tagged(const char *tag, struct rb_buf *text)
{
    return json_pack("{s:s, s:o}", "tag", tag, "content", rb_notify_string(text));
}

static json_t *plain(const char *text, size_t max)
{
    struct rb_buf cut;
    rb_buf_init(&cut, 1 << 12);
    (void)rb_notify_put_short(&cut, text, NULL, max);
    return tagged("plain_text", &cut);
}

static json_t *header(const struct rb_notify_message *m)
{
    static const char *const templates[] = {[RB_NOTIFY_BAD] = "red",
                                            [RB_NOTIFY_GOOD] = "green",
                                            [RB_NOTIFY_WAITING] = "orange",
                                            [RB_NOTIFY_PLAIN] = "grey"};
    struct rb_buf head;
    rb_buf_init(&head, 1 << 13);
    (void)rb_notify_headline(&head, m);
    json_t *title = plain(rb_buf_str(&head), 250);
    rb_buf_deinit(&head);
    return json_pack("{s:s, s:o}", "template", templates[rb_notify_tone(m)], "title", title);
}

static void put_fact(struct rb_buf *text, const struct rb_notify_job *job, const json_t *fact)
{
    (void)rb_buf_adds(text, "**");
    (void)rb_notify_put(text, json_string_value(json_array_get(fact, 0)), rb_notify_lark, 60);
    (void)rb_buf_adds(text, "**\n");
    (void)rb_notify_put_short(text, json_string_value(json_array_get(fact, 1)), rb_notify_lark, job->fit.value);
}

static void put_text(struct rb_buf *text, const struct rb_notify_job *job)
{
    const struct rb_notify_message *m = job->message;
    const json_t *user;
    size_t i;
    if (*m->text) {
        (void)rb_notify_put(text, m->text, rb_notify_lark, job->fit.text);
    }
    json_array_foreach(m->users, i, user) {
        (void)rb_buf_addf(text, "%s<at id=%s></at>", text->len ? " " : "", json_string_value(user));
    }
    if (m->all) {
        (void)rb_buf_addf(text, "%s<at id=all></at>", text->len ? " " : "");
    }
}

static void put_note(struct rb_buf *text, const struct rb_notify_message *m, size_t more)
{
    char time[32];
    struct rb_buf origin;
    rb_buf_init(&origin, 1 << 12);
    rb_notify_local_time(m, time);
    rb_notify_origin(&origin, m, "  ");
    if (more) {
        (void)rb_buf_addf(text, "… (+%zu)  ", more);
    }
    (void)rb_notify_put(text, rb_buf_str(&origin), rb_notify_lark, 200);
    (void)rb_buf_addf(text, "%s%s", origin.len ? "  " : "", time);
    rb_buf_deinit(&origin);
}

/* ---- version 1.0 ---- */

static void add_fields(json_t *elements, const struct rb_notify_job *job, size_t *more)
{
    json_t *facts = rb_notify_facts(job, 50, more), *fields = json_array(), *fact;
    size_t i;
    json_array_foreach(facts, i, fact) {
        struct rb_buf text;
        rb_buf_init(&text, 1 << 16);
        put_fact(&text, job, fact);
        json_array_append_new(fields, json_pack("{s:b, s:o}", "is_short", 1, "text", tagged("lark_md", &text)));
    }
    if (json_array_size(fields)) {
        json_array_append_new(elements, json_pack("{s:s, s:O}", "tag", "div", "fields", fields));
    }
    json_decref(fields);
    json_decref(facts);
}

static void add_buttons(json_t *elements, const struct rb_notify_message *m)
{
    json_t *actions = json_array();
    const json_t *link;
    size_t i;
    json_array_foreach(m->links, i, link) {
        json_array_append_new(
            actions, json_pack("{s:s, s:s, s:o, s:O}", "tag", "button", "type", i == 0 ? "primary" : "default", "text",
                               plain(rb_json_str(link, "label", ""), 60), "url", json_object_get(link, "url")));
    }
    if (json_array_size(actions)) {
        json_array_append_new(elements, json_pack("{s:s, s:O}", "tag", "action", "actions", actions));
    }
    json_decref(actions);
}

static json_t *card_1(const struct rb_notify_job *job)
{
    json_t *elements = json_array();
    struct rb_buf text, note;
    size_t more = 0;
    rb_buf_init(&text, 1 << 20);
    rb_buf_init(&note, 1 << 14);
    add_fields(elements, job, &more);
    put_text(&text, job);
    if (text.len) {
        json_array_append_new(elements, json_pack("{s:s, s:o}", "tag", "div", "text", tagged("lark_md", &text)));
    }
    rb_buf_deinit(&text);
    add_buttons(elements, job->message);
    json_array_append_new(elements, json_pack("{s:s}", "tag", "hr"));
    put_note(&note, job->message, more);
    json_array_append_new(elements, json_pack("{s:s, s:[o]}", "tag", "note", "elements", tagged("lark_md", &note)));
    return json_pack("{s:{s:b, s:b}, s:o, s:o}", "config", "wide_screen_mode", 1, "enable_forward", 1, "header",
                     header(job->message), "elements", elements);
}

/* ---- version 2.0: elements below body, no unknown members ---- */

static void add_markdown(json_t *elements, struct rb_buf *text)
{
    if (text->len) {
        json_array_append_new(elements, tagged("markdown", text));
    }
    rb_buf_deinit(text);
}

static void add_facts_2(json_t *elements, const struct rb_notify_job *job, size_t *more)
{
    json_t *facts = rb_notify_facts(job, 50, more), *fact;
    size_t i;
    json_array_foreach(facts, i, fact) {
        struct rb_buf text;
        rb_buf_init(&text, 1 << 16);
        put_fact(&text, job, fact);
        add_markdown(elements, &text);
    }
    json_decref(facts);
}

static json_t *card_2(const struct rb_notify_job *job)
{
    json_t *elements = json_array();
    const json_t *link;
    struct rb_buf text, note;
    size_t i, more = 0;
    rb_buf_init(&text, 1 << 20);
    rb_buf_init(&note, 1 << 14);
    add_facts_2(elements, job, &more);
    put_text(&text, job);
    add_markdown(elements, &text);
    json_array_foreach(job->message->links, i, link) {
        json_array_append_new(elements, json_pack("{s:s, s:s, s:o, s:[{s:s, s:O}]}", "tag", "button", "type",
                                                  i == 0 ? "primary" : "default", "text",
                                                  plain(rb_json_str(link, "label", ""), 60), "behaviors", "type",
                                                  "open_url", "default_url", json_object_get(link, "url")));
    }
    put_note(&note, job->message, more);
    add_markdown(elements, &note);
    return json_pack("{s:s, s:o, s:{s:o}}", "schema", "2.0", "header", header(job->message), "body", "elements",
                     elements);
}

/* ---- the request ---- */

/* Its query would make the request fail. */
static int address(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const char *url = rb_json_str(job->channel, "url", ""), *id = url;
    if (!*url) {
        id = rb_notify_setting(job, "token", err);
        if (!id) {
            return RB_EUSAGE;
        }
        rb_notify_url(out, BASE, id, "");
        return 0;
    }
    struct rb_buf bare;
    rb_buf_init(&bare, 4096);
    (void)rb_buf_add(&bare, url, strcspn(url, "?#"));
    rb_notify_url_whole(out, rb_buf_str(&bare), 4);
    rb_buf_deinit(&bare);
    return 0;
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const char *secret = rb_json_str(job->channel, "sign", "");
    bool second = strcmp(rb_json_str(job->channel, "card", "1.0"), "2.0") == 0;
    int rc = address(job, out, err);
    if (rc != 0) {
        return rc;
    }
    out->payload = json_object();
    if (*secret) {
        char seconds[32], *sign = rb_notify_sign_feishu(secret, job->now_us / 1000000);
        (void)snprintf(seconds, sizeof seconds, "%" PRId64, job->now_us / 1000000);
        json_object_set_new(out->payload, "timestamp", json_string(seconds));
        json_object_set_new(out->payload, "sign", json_string(sign));
        free(sign);
    }
    json_object_set_new(out->payload, "msg_type", json_string("interactive"));
    json_object_set_new(out->payload, "card", second ? card_2(job) : card_1(job));
    return 0;
}

static const struct rb_notify_code codes[] = {{11232, RB_NOTIFY_AGAIN, RB_EBUSY, RB_T_none},
                                              {19021, RB_NOTIFY_FINAL, RB_EAUTH, RB_T_notify_hint_sign},
                                              {19022, RB_NOTIFY_FINAL, RB_EDENIED, RB_T_notify_hint_address},
                                              {19024, RB_NOTIFY_FINAL, RB_EDENIED, RB_T_notify_hint_keyword},
                                              {0}};

static void judge(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out)
{
    json_int_t code = rb_json_int(body, "code", rb_json_int(body, "StatusCode", RB_EPROTOCOL));
    if (code != 0) {
        rb_notify_by_code(codes, code, rb_json_str(body, "msg", reply->len ? reply->body : "-"), out);
    }
}

const struct rb_notify_kind rb_notify_feishu = {.name = "feishu",
                                                .render = render,
                                                .limit = BODY_MAX,
                                                .judge = judge,
                                                .secrets = {"sign"},
                                                .every = 0.6,
                                                .burst = 5,
                                                .merge = true};
