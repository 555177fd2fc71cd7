/* PagerDuty Events API v2. Only data, nothing to escape. What a message is to it follows from the event: good news
 * resolves, a run that starts acknowledges, everything else triggers. */
#include "notify/channel.h"

#include <string.h>

#include "notify/text.h"

#define BODY_MAX 512000 /* bytes */
#define SUMMARY_MAX 1024
#define DEDUP_MAX 255

static const char *severity(const char *level)
{
    static const char *const names[] = {"critical", "critical", "error", "warning", "info"};
    return *level ? names[level[1] - '0'] : "info";
}

static const char *action(const struct rb_notify_message *m)
{
    if (strcmp(m->event, "fix.verified") == 0 || strcmp(m->event, "finding.cleared") == 0) {
        return "resolve";
    }
    return strcmp(m->event, "run.started") == 0 ? "acknowledge" : "trigger";
}

/* What ties an alert and its end together: the message's own, else runbook and target. */
static json_t *dedup(const struct rb_notify_message *m)
{
    struct rb_buf key, cut;
    rb_buf_init(&key, 1 << 12);
    rb_buf_init(&cut, 1 << 12);
    if (*m->dedup || !*m->runbook) {
        (void)rb_buf_adds(&key, m->dedup);
    } else {
        (void)rb_buf_addf(&key, "%s%s%s", m->runbook, *m->target ? "/" : "", m->target);
    }
    if (key.len) {
        (void)rb_notify_put_short(&cut, rb_buf_str(&key), NULL, DEDUP_MAX - 1);
    }
    rb_buf_deinit(&key);
    return rb_notify_string(&cut);
}

static json_t *summary(const struct rb_notify_message *m)
{
    struct rb_buf text, cut;
    rb_buf_init(&text, 1 << 13);
    rb_buf_init(&cut, 1 << 13);
    (void)rb_buf_addf(&text, "%s%s%s", *m->level ? "[" : "", m->level, *m->level ? "] " : "");
    (void)rb_buf_addf(&text, "%s%s%s", m->runbook, *m->runbook ? ": " : "", m->title);
    (void)rb_notify_put_short(&cut, rb_buf_str(&text), NULL, SUMMARY_MAX - 1);
    rb_buf_deinit(&text);
    return rb_notify_string(&cut);
}

static json_t *details(const struct rb_notify_job *job)
{
    const struct rb_notify_message *m = job->message;
    json_t *out = json_object(), *fact;
    size_t i, more;
    json_t *facts = rb_notify_facts(job, 50, &more);
    if (*m->run) {
        json_object_set_new(out, "run", json_string(m->run));
    }
    json_array_foreach(facts, i, fact) {
        json_object_set(out, json_string_value(json_array_get(fact, 0)), json_array_get(fact, 1));
    }
    if (*m->text) {
        struct rb_buf text;
        rb_buf_init(&text, 1 << 20);
        (void)rb_notify_put(&text, m->text, NULL, job->fit.text);
        json_object_set_new(out, "text", rb_notify_string(&text));
    }
    json_decref(facts);
    return out;
}

static void set_if(json_t *object, const char *key, const char *value)
{
    if (*value) {
        json_object_set_new(object, key, json_string(value));
    }
}

static json_t *payload(const struct rb_notify_job *job)
{
    const struct rb_notify_message *m = job->message;
    json_t *out = json_pack("{s:o, s:s, s:s, s:s}", "summary", summary(m), "source", *m->target ? m->target : "runbook",
                            "severity", severity(m->level), "timestamp", m->at);
    set_if(out, "component", m->runbook);
    set_if(out, "group", m->target);
    set_if(out, "class", m->event);
    json_object_set_new(out, "custom_details", details(job));
    return out;
}

static void add_links(json_t *out, const struct rb_notify_message *m)
{
    json_t *links = json_array();
    const json_t *link;
    size_t i;
    json_array_foreach(m->links, i, link) {
        json_array_append_new(links, json_pack("{s:O, s:O}", "href", json_object_get(link, "url"), "text",
                                               json_object_get(link, "label")));
    }
    if (json_array_size(links)) {
        json_object_set(out, "links", links);
    }
    json_decref(links);
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const struct rb_notify_message *m = job->message;
    const char *key = rb_notify_setting(job, "token", err), *what = action(m);
    json_t *dedup_key = dedup(m);
    bool trigger = strcmp(what, "trigger") == 0;
    if (!key || (!trigger && !*json_string_value(dedup_key))) {
        json_decref(dedup_key);
        return key ? rb_err_set(err, RB_EUSAGE, RB_T_notify_dedup) : RB_EUSAGE;
    }
    rb_notify_url_whole(out, rb_json_str(job->channel, "url", "https://events.pagerduty.com/v2/enqueue"), 9);
    out->payload = json_pack("{s:s, s:s}", "routing_key", key, "event_action", what);
    set_if(out->payload, "dedup_key", json_string_value(dedup_key));
    json_decref(dedup_key);
    if (trigger) {
        json_object_set_new(out->payload, "client", json_string("runbook"));
        json_object_set_new(out->payload, "payload", payload(job));
        add_links(out->payload, m);
    }
    return 0;
}

static void judge(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out)
{
    if (reply->status != 202) {
        rb_notify_refuse(out, RB_NOTIFY_FINAL, RB_ESTATUS,
                         rb_json_str(body, "message", reply->len ? reply->body : "-"));
        return;
    }
    (void)snprintf(out->id, sizeof out->id, "%.*s", (int)sizeof out->id - 1, rb_json_str(body, "dedup_key", ""));
}

const struct rb_notify_kind rb_notify_pagerduty = {.name = "pagerduty",
                                                   .render = render,
                                                   .limit = BODY_MAX,
                                                   .judge = judge,
                                                   .secrets = {"routing_key"},
                                                   .every = 0.125,
                                                   .burst = 60};
