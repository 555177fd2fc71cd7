/* DingTalk (钉钉) custom robot: the token in the address is a secret, signed when there is another one. Its markdown
 * knows no escapes (see wecom.c); a mention needs the telephone number in the text and in `at`, so foreign text has
 * none. */
#include "notify/channel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "notify/sign.h"
#include "notify/text.h"

#define BODY_MAX 20000 /* bytes */
#define BASE "https://oapi.dingtalk.com/robot/send?access_token="

/* A line ends by two spaces. */
static const struct rb_notify_swap lookalike[] = {{'<', "＜"}, {'>', "＞"},    {'[', "［"}, {']', "］"},
                                                  {'*', "＊"}, {'`', "｀"},    {'#', "＃"}, {'~', "～"},
                                                  {'|', "｜"}, {'\n', "  \n"}, {0}};

static int address(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const char *url = rb_json_str(job->channel, "url", "");
    if (*url) {
        rb_notify_url_whole(out, url, 9);
        return 0;
    }
    const char *token = rb_notify_setting(job, "token", err);
    if (!token) {
        return RB_EUSAGE;
    }
    rb_notify_url(out, BASE, token, "");
    return 0;
}

static void put_once_encoded(struct rb_buf *out, const char *base64)
{
    static const struct rb_notify_swap swaps[] = {{'+', "%2B"}, {'/', "%2F"}, {'=', "%3D"}, {0}};
    (void)rb_notify_put(out, base64, swaps, strlen(base64));
}

static int sign(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    (void)err;
    const char *secret = rb_json_str(job->channel, "sign", "");
    if (*secret) {
        int64_t ms = job->now_us / 1000;
        const char *join = strchr(rb_buf_str(&out->url), '?') ? "&" : "?";
        char *signature = rb_notify_sign_dingtalk(secret, ms);
        (void)rb_buf_addf(&out->url, "%stimestamp=%" PRId64 "&sign=", join, ms);
        put_once_encoded(&out->url, signature);
        (void)rb_buf_addf(&out->shown, "%stimestamp=%" PRId64 "&sign=***", join, ms);
        free(signature);
    }
    return 0;
}

static void add_facts(struct rb_buf *text, const struct rb_notify_job *job)
{
    size_t i, more;
    json_t *facts = rb_notify_facts(job, 50, &more), *fact;
    json_array_foreach(facts, i, fact) {
        (void)rb_buf_adds(text, "\n- ");
        (void)rb_notify_put(text, json_string_value(json_array_get(fact, 0)), lookalike, 60);
        (void)rb_buf_adds(text, rb_notify_zh(job->message) ? "：" : ": ");
        (void)rb_notify_put_short(text, json_string_value(json_array_get(fact, 1)), lookalike, job->fit.value);
    }
    if (more) {
        (void)rb_buf_addf(text, "\n- … (+%zu)", more);
    }
    json_decref(facts);
}

static void add_at(struct rb_buf *text, const json_t *ids, bool *begun)
{
    const json_t *id;
    size_t i;
    json_array_foreach(ids, i, id) {
        (void)rb_buf_addf(text, "%s@%s", *begun ? " " : "\n\n", json_string_value(id));
        *begun = true;
    }
}

/* The robot's keyword must stand in what is sent, or it is refused. */
static void add_origin(struct rb_buf *text, const struct rb_notify_message *m, const char *keyword)
{
    struct rb_buf origin;
    rb_buf_init(&origin, 1 << 12);
    rb_notify_origin(&origin, m, " · ");
    bool there = strstr(rb_buf_str(text), keyword) || strstr(rb_buf_str(&origin), keyword);
    if (origin.len || !there) {
        (void)rb_buf_addf(text, "\n\n%s%s", there ? "" : keyword, there || !origin.len ? "" : " · ");
        (void)rb_notify_put(text, rb_buf_str(&origin), lookalike, 100);
    }
    rb_buf_deinit(&origin);
}

static void text_of(struct rb_buf *text, const struct rb_notify_job *job, const char *keyword, bool card)
{
    const struct rb_notify_message *m = job->message;
    const json_t *link;
    size_t i;
    bool begun = false;
    (void)rb_buf_addf(text, "### %s%s%s", *m->level ? "[" : "", m->level, *m->level ? "] " : "");
    (void)rb_notify_put(text, m->title, lookalike, 200);
    if (*m->text) {
        (void)rb_buf_adds(text, "\n\n");
        (void)rb_notify_put(text, m->text, lookalike, job->fit.text);
        (void)rb_buf_adds(text, json_array_size(m->facts) ? "\n" : "");
    }
    add_facts(text, job);
    json_array_foreach(m->links, i, link) {
        if (!card) {
            (void)rb_buf_adds(text, i ? "  [" : "\n\n[");
            (void)rb_notify_put(text, rb_json_str(link, "label", ""), lookalike, 60);
            (void)rb_buf_addf(text, "](%s)", rb_json_str(link, "url", ""));
        }
    }
    add_origin(text, m, keyword);
    if (!card) {
        add_at(text, m->mobiles, &begun);
        add_at(text, m->users, &begun);
    }
}

/* Shown in the list of chats only. */
static json_t *list_title(const struct rb_notify_message *m, const char *keyword)
{
    struct rb_buf title;
    rb_buf_init(&title, 1 << 12);
    (void)rb_buf_addf(&title, "%s%s%s", *m->level ? "[" : "", m->level, *m->level ? "] " : "");
    (void)rb_buf_addf(&title, "%s%s", strstr(m->title, keyword) ? "" : keyword, strstr(m->title, keyword) ? "" : " ");
    (void)rb_notify_put_short(&title, m->title, NULL, 100);
    return rb_notify_string(&title);
}

static json_t *card(const struct rb_notify_message *m, json_t *title, json_t *text)
{
    json_t *inner = json_pack("{s:o, s:o}", "title", title, "text", text), *buttons = json_array();
    const json_t *link;
    size_t i;
    json_array_foreach(m->links, i, link) {
        json_array_append_new(buttons, json_pack("{s:O, s:O}", "title", json_object_get(link, "label"), "actionURL",
                                                 json_object_get(link, "url")));
    }
    if (json_array_size(buttons) == 1) {
        json_object_set(inner, "singleTitle", json_object_get(json_array_get(buttons, 0), "title"));
        json_object_set(inner, "singleURL", json_object_get(json_array_get(buttons, 0), "actionURL"));
    } else {
        json_object_set_new(inner, "btnOrientation", json_string("1"));
        json_object_set(inner, "btns", buttons);
    }
    json_decref(buttons);
    return json_pack("{s:s, s:o}", "msgtype", "actionCard", "actionCard", inner);
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const struct rb_notify_message *m = job->message;
    const char *keyword = rb_json_str(job->channel, "keyword", "runbook");
    bool as_card = strcmp(rb_json_str(job->channel, "style", ""), "card") == 0 && json_array_size(m->links);
    struct rb_buf text;
    int rc = address(job, out, err);
    if (rc != 0) {
        return rc;
    }
    rb_buf_init(&text, 1 << 20);
    text_of(&text, job, keyword, as_card);
    json_t *title = list_title(m, keyword), *body = rb_notify_string(&text);
    out->payload =
        as_card ? card(m, title, body)
                : json_pack("{s:s, s:{s:o, s:o}, s:{s:O, s:O, s:b}}", "msgtype", "markdown", "markdown", "title", title,
                            "text", body, "at", "atMobiles", m->mobiles, "atUserIds", m->users, "isAtAll", m->all);
    return 0;
}

static const struct rb_notify_code codes[] = {{130101, RB_NOTIFY_AGAIN, RB_EBUSY, RB_T_none},
                                              {-1, RB_NOTIFY_AGAIN, RB_EBUSY, RB_T_none},
                                              {310000, RB_NOTIFY_FINAL, RB_EAUTH, RB_T_notify_hint_dingtalk},
                                              {300001, RB_NOTIFY_FINAL, RB_EAUTH, RB_T_notify_hint_key},
                                              {460101, RB_NOTIFY_FINAL, RB_ETOO_LARGE, RB_T_none},
                                              {0}};

static void judge(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out)
{
    json_int_t code = rb_json_int(body, "errcode", RB_EPROTOCOL);
    if (code != 0) {
        rb_notify_by_code(codes, code, rb_json_str(body, "errmsg", reply->len ? reply->body : "-"), out);
    }
}

const struct rb_notify_kind rb_notify_dingtalk = {.name = "dingtalk",
                                                  .render = render,
                                                  .sign = sign,
                                                  .limit = BODY_MAX,
                                                  .judge = judge,
                                                  .every = 3,
                                                  .burst = 5,
                                                  .merge = true};
