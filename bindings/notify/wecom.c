/* WeCom (企业微信) group robot: the key in the address is the secret. Its markdown knows no escapes, so that characters
 * with a meaning are written full-width in foreign text; a mention there needs "<@". */
#include "notify/channel.h"

#include <string.h>

#include "notify/text.h"

#define MARKDOWN_MAX 4096 /* bytes */
#define TEXT_MAX 2048
#define BASE "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="

static int address(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const char *url = rb_json_str(job->channel, "url", "");
    if (*url) {
        rb_notify_url_whole(out, url, 9);
        return 0;
    }
    const char *key = rb_notify_setting(job, "token", err);
    if (!key) {
        return RB_EUSAGE;
    }
    rb_notify_url(out, BASE, key, "");
    return 0;
}

/* A quote ends with its line. */
static void put_quoted(struct rb_buf *out, const char *value, size_t max)
{
    struct rb_buf text;
    rb_buf_init(&text, 1 << 16);
    (void)rb_notify_put_short(&text, value, rb_notify_lookalike, max);
    for (const char *s = rb_buf_str(&text); *s; s++) {
        (void)(*s == '\n' ? rb_buf_adds(out, "\n> ") : rb_buf_add(out, s, 1));
    }
    rb_buf_deinit(&text);
}

static void add_facts(struct rb_buf *text, const struct rb_notify_job *job)
{
    size_t i, more;
    json_t *facts = rb_notify_facts(job, 50, &more), *fact;
    json_array_foreach(facts, i, fact) {
        (void)rb_buf_adds(text, "\n> ");
        put_quoted(text, json_string_value(json_array_get(fact, 0)), 60);
        (void)rb_buf_adds(text,
                          rb_notify_zh(job->message) ? "：<font color=\"comment\">" : ": <font color=\"comment\">");
        put_quoted(text, json_string_value(json_array_get(fact, 1)), job->fit.value);
        (void)rb_buf_adds(text, "</font>");
    }
    if (more) {
        (void)rb_buf_addf(text, "\n> … (+%zu)", more);
    }
    json_decref(facts);
}

static void add_end(struct rb_buf *text, const struct rb_notify_message *m)
{
    const json_t *one;
    size_t i;
    json_array_foreach(m->links, i, one) {
        (void)rb_buf_adds(text, i ? "  [" : "\n\n[");
        (void)rb_notify_put(text, rb_json_str(one, "label", ""), rb_notify_lookalike, 60);
        (void)rb_buf_addf(text, "](%s)", rb_json_str(one, "url", ""));
    }
    if (*m->runbook || *m->run) {
        struct rb_buf origin;
        rb_buf_init(&origin, 1 << 12);
        rb_notify_origin(&origin, m, "  ");
        (void)rb_buf_adds(text, "\n<font color=\"comment\">");
        (void)rb_notify_put(text, rb_buf_str(&origin), rb_notify_lookalike, 100);
        (void)rb_buf_adds(text, "</font>");
        rb_buf_deinit(&origin);
    }
    json_array_foreach(m->users, i, one) {
        (void)rb_buf_addf(text, "%s<@%s>", i ? " " : "\n", json_string_value(one));
    }
}

static const char *colour(const struct rb_notify_message *m)
{
    static const char *const colours[] = {[RB_NOTIFY_BAD] = "warning",
                                          [RB_NOTIFY_GOOD] = "info",
                                          [RB_NOTIFY_WAITING] = "warning",
                                          [RB_NOTIFY_PLAIN] = "comment"};
    return colours[rb_notify_tone(m)];
}

static json_t *markdown(const struct rb_notify_job *job)
{
    const struct rb_notify_message *m = job->message;
    struct rb_buf text;
    rb_buf_init(&text, 1 << 20);
    (void)rb_buf_addf(&text, "### <font color=\"%s\">%s%s%s", colour(m), *m->level ? "[" : "", m->level,
                      *m->level ? "] " : "");
    (void)rb_notify_put(&text, m->title, rb_notify_lookalike, 200);
    (void)rb_buf_adds(&text, "</font>");
    if (*m->text) {
        (void)rb_buf_adds(&text, "\n");
        (void)rb_notify_put(&text, m->text, rb_notify_lookalike, job->fit.text);
    }
    add_facts(&text, job);
    add_end(&text, m);
    return json_pack("{s:s, s:{s:o}}", "msgtype", "markdown", "markdown", "content", rb_notify_string(&text));
}

/* Telephone numbers and everybody can only be called by a plain text. */
static json_t *plain(const struct rb_notify_job *job)
{
    const struct rb_notify_message *m = job->message;
    json_t *facts, *fact, *payload, *users = json_copy((json_t *)m->users), *mobiles = json_copy((json_t *)m->mobiles);
    struct rb_buf text;
    size_t i, more;
    rb_buf_init(&text, 1 << 20);
    (void)rb_notify_headline(&text, m);
    if (*m->text) {
        (void)rb_buf_adds(&text, "\n");
        (void)rb_notify_put(&text, m->text, rb_notify_lookalike, job->fit.text);
    }
    facts = rb_notify_facts(job, 50, &more);
    json_array_foreach(facts, i, fact) {
        (void)rb_buf_adds(&text, "\n");
        (void)rb_notify_put(&text, json_string_value(json_array_get(fact, 0)), rb_notify_lookalike, 60);
        (void)rb_buf_adds(&text, rb_notify_zh(m) ? "：" : ": ");
        (void)rb_notify_put(&text, json_string_value(json_array_get(fact, 1)), rb_notify_lookalike, job->fit.value);
    }
    const json_t *link;
    json_array_foreach(m->links, i, link) {
        (void)rb_buf_addf(&text, "\n%s", rb_json_str(link, "url", ""));
    }
    if (m->all) {
        json_array_append_new(users, json_string("@all"));
    }
    payload = json_pack("{s:s, s:{s:o, s:o, s:o}}", "msgtype", "text", "text", "content", rb_notify_string(&text),
                        "mentioned_list", users, "mentioned_mobile_list", mobiles);
    json_decref(facts);
    return payload;
}

static json_t *short_text(const char *text, size_t max)
{
    struct rb_buf out;
    rb_buf_init(&out, 1 << 12);
    (void)rb_notify_put_short(&out, text, NULL, max);
    return rb_notify_string(&out);
}

/* The lengths are what the documents advise. */
static json_t *card(const struct rb_notify_job *job)
{
    const struct rb_notify_message *m = job->message;
    json_t *rows = json_array(), *jumps = json_array(), *fact, *card;
    const json_t *link, *first = json_array_get(m->links, 0);
    struct rb_buf head, origin;
    size_t i, more;
    json_t *facts = rb_notify_facts(job, 6, &more);
    rb_buf_init(&head, 1 << 13);
    rb_buf_init(&origin, 1 << 12);
    (void)rb_notify_headline(&head, m);
    (void)rb_buf_addf(&origin, "%s%s%s", m->runbook, *m->runbook && *m->target ? "  " : "", m->target);
    json_array_foreach(facts, i, fact) {
        json_array_append_new(rows, json_pack("{s:o, s:o}", "keyname",
                                              short_text(json_string_value(json_array_get(fact, 0)), 5), "value",
                                              short_text(json_string_value(json_array_get(fact, 1)), 26)));
    }
    json_array_foreach(m->links, i, link) {
        if (i < 3) {
            json_array_append_new(jumps,
                                  json_pack("{s:i, s:O, s:O}", "type", 1, "title", json_object_get(link, "label"),
                                            "url", json_object_get(link, "url")));
        }
    }
    card =
        json_pack("{s:s, s:{s:s, s:i}, s:{s:o, s:o}, s:o, s:o, s:o, s:{s:i, s:O}}", "card_type", "text_notice",
                  "source", "desc", "runbook", "desc_color", rb_notify_tone(m) == RB_NOTIFY_GOOD ? 3 : 2, "main_title",
                  "title", short_text(rb_buf_str(&head), 26), "desc", short_text(rb_buf_str(&origin), 30),
                  "sub_title_text", short_text(m->text, 112), "horizontal_content_list", rows, "jump_list", jumps,
                  "card_action", "type", 1, "url", json_object_get(first, "url"));
    rb_buf_deinit(&head);
    rb_buf_deinit(&origin);
    json_decref(facts);
    return json_pack("{s:s, s:o}", "msgtype", "template_card", "template_card", card);
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const struct rb_notify_message *m = job->message;
    const char *style = rb_json_str(job->channel, "style", "markdown");
    bool as_card = strcmp(style, "card") == 0 && json_array_size(m->links);
    bool as_text = strcmp(style, "text") == 0 || m->all || json_array_size(m->mobiles);
    int rc = address(job, out, err);
    if (rc != 0) {
        return rc;
    }
    out->payload = as_card ? card(job) : as_text ? plain(job) : markdown(job);
    return 0;
}

/* As parts of the limit of markdown. */
static size_t measure(const struct rb_notify_request *request)
{
    const char *markdown_text = rb_json_str(json_object_get(request->payload, "markdown"), "content", "");
    const char *text = rb_json_str(json_object_get(request->payload, "text"), "content", "");
    return strlen(markdown_text) + strlen(text) * (MARKDOWN_MAX / TEXT_MAX);
}

static const struct rb_notify_code codes[] = {{45009, RB_NOTIFY_AGAIN, RB_EBUSY, RB_T_none},
                                              {-1, RB_NOTIFY_AGAIN, RB_EBUSY, RB_T_none},
                                              {93000, RB_NOTIFY_FINAL, RB_EAUTH, RB_T_notify_hint_key},
                                              {40058, RB_NOTIFY_FINAL, RB_ETOO_LARGE, RB_T_none},
                                              {0}};

static void judge(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out)
{
    json_int_t code = rb_json_int(body, "errcode", RB_EPROTOCOL);
    if (code != 0) {
        rb_notify_by_code(codes, code, rb_json_str(body, "errmsg", reply->len ? reply->body : "-"), out);
    }
}

const struct rb_notify_kind rb_notify_wecom = {.name = "wecom",
                                               .render = render,
                                               .measure = measure,
                                               .limit = MARKDOWN_MAX,
                                               .judge = judge,
                                               .every = 3,
                                               .burst = 5,
                                               .merge = true};
