/* The table of channels, and what every renderer needs. */
#include "notify/channel.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "notify/text.h"

#define MASK "***"

static const struct rb_notify_kind *const kinds[] = {
    &rb_notify_console,  &rb_notify_slack,  &rb_notify_telegram,  &rb_notify_smtp,    &rb_notify_wecom,
    &rb_notify_dingtalk, &rb_notify_feishu, &rb_notify_pagerduty, &rb_notify_webhook,
};

const struct rb_notify_kind *rb_notify_kind(const json_t *channel, struct rb_err *err)
{
    const size_t count = sizeof kinds / sizeof *kinds;
    const char *name = rb_json_str(channel, "kind", "");
    struct rb_buf names;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    rb_buf_init(&names, 256);
    for (size_t i = 0; i < count; i++) {
        (void)rb_buf_addf(&names, "%s%s", i ? " " : "", kinds[i]->name);
    }
    rb_err_set(err, RB_EUSAGE, RB_T_notify_kind, name, rb_buf_str(&names));
    rb_buf_deinit(&names);
    return NULL;
}

/* ---- the whole request ---- */

/* 20000 characters of text, then seven tenths of it, and so on; the last one fits everywhere. */
static struct rb_notify_fit fit_of(int level, int last)
{
    struct rb_notify_fit fit = {20000, 2000, 50};
    for (int i = 0; i < level; i++) {
        fit.text = fit.text * 7 / 10;
    }
    if (level > 0) {
        fit.value = fit.text / 20 < 20 ? 20 : fit.text / 20;
        fit.facts = fit.text / 100 < 3 ? 3 : fit.text / 100;
        fit.facts = fit.facts > 50 ? 50 : fit.facts;
    }
    fit.text = level == last ? 0 : fit.text;
    return fit;
}

static void request_init(struct rb_notify_request *out)
{
    memset(out, 0, sizeof *out);
    rb_buf_init(&out->url, 8192);
    rb_buf_init(&out->shown, 8192);
    rb_buf_init(&out->body, 4 << 20);
    out->headers = json_object();
    out->to = json_array();
}

void rb_notify_request_deinit(struct rb_notify_request *request)
{
    rb_buf_deinit(&request->url);
    rb_buf_deinit(&request->shown);
    rb_buf_deinit(&request->body);
    json_decref(request->headers);
    json_decref(request->payload);
    json_decref(request->to);
    memset(request, 0, sizeof *request);
}

static int write_body(struct rb_notify_request *out)
{
    char *text = out->payload ? json_dumps(out->payload, JSON_COMPACT) : NULL;
    if (text) {
        (void)rb_buf_adds(&out->body, text);
        json_object_set_new(out->headers, "Content-Type", json_string("application/json; charset=utf-8"));
    }
    free(text);
    return 0;
}

static int render_once(const struct rb_notify_kind *kind, const struct rb_notify_job *job,
                       struct rb_notify_request *out, struct rb_err *err)
{
    request_init(out);
    int rc = kind->render(job, out, err);
    return rc ? rc : write_body(out);
}

int rb_notify_render(const struct rb_notify_kind *kind, struct rb_notify_job *job, struct rb_notify_request *out,
                     struct rb_err *err)
{
    const int last = 20;
    int rc = 0;
    for (int level = 0; level <= last; level++) {
        job->fit = fit_of(level, last);
        rc = render_once(kind, job, out, err);
        size_t size = rc == 0 && kind->measure ? kind->measure(out) : out->body.len;
        if (rc != 0 || !kind->limit || size <= kind->limit || level == last) {
            break;
        }
        rb_notify_request_deinit(out);
    }
    if (rc == 0 && kind->sign) {
        rc = kind->sign(job, out, err);
    }
    if (rc != 0) {
        rb_notify_request_deinit(out);
    }
    return rc;
}

/* Headers that a person set may hold tokens; ours do not. */
static bool own_header(const char *name)
{
    return strncmp(name, "webhook-", 8) == 0 || strcmp(name, "Content-Type") == 0;
}

static json_t *shown_body(const struct rb_notify_kind *kind, const struct rb_notify_request *request)
{
    if (!request->payload) {
        return json_string(rb_buf_str(&request->body));
    }
    json_t *copy = json_copy(request->payload);
    for (size_t i = 0; i < sizeof kind->secrets / sizeof *kind->secrets && kind->secrets[i]; i++) {
        if (json_object_get(copy, kind->secrets[i])) {
            json_object_set_new(copy, kind->secrets[i], json_string(MASK));
        }
    }
    char *text = json_dumps(copy, JSON_COMPACT);
    json_t *body = json_string(text ? text : "");
    free(text);
    json_decref(copy);
    return body;
}

json_t *rb_notify_shown(const struct rb_notify_kind *kind, const struct rb_notify_request *request)
{
    json_t *headers = json_object(), *value;
    const char *name;
    json_object_foreach(request->headers, name, value) {
        json_object_set_new(headers, name, own_header(name) ? json_incref(value) : json_string(MASK));
    }
    json_t *out = json_pack("{s:s, s:o, s:o}", "url", rb_buf_str(&request->shown), "headers", headers, "body",
                            shown_body(kind, request));
    if (json_array_size(request->to)) {
        json_object_set(out, "to", request->to);
    }
    return out;
}

/* ---- for renderers ---- */

const char *rb_notify_setting(const struct rb_notify_job *job, const char *name, struct rb_err *err)
{
    const char *value = rb_json_str(job->channel, name, "");
    if (!*value) {
        rb_err_set(err, RB_EUSAGE, RB_T_notify_setting, rb_json_str(job->channel, "name", "?"), name);
        return NULL;
    }
    return value;
}

void rb_notify_url(struct rb_notify_request *out, const char *prefix, const char *secret, const char *rest)
{
    (void)rb_buf_addf(&out->url, "%s%s%s", prefix, secret, rest);
    (void)rb_buf_addf(&out->shown, "%s" MASK "%s", prefix, rest);
}

void rb_notify_url_whole(struct rb_notify_request *out, const char *url, int keep)
{
    const char *host = strstr(url, "://"), *end = host ? host + 3 : url;
    while (*end && *end != '?' && (*end != '/' || keep-- > 0)) {
        end++;
    }
    (void)rb_buf_adds(&out->url, url);
    (void)rb_buf_add(&out->shown, url, (size_t)(end - url));
    (void)rb_buf_adds(&out->shown, *end == '/' ? "/" MASK : *end ? "?" MASK : "");
}

json_t *rb_notify_facts(const struct rb_notify_job *job, size_t most, size_t *more)
{
    const json_t *facts = job->message->facts, *fact;
    json_t *out = json_array();
    size_t i, max = job->fit.facts < most ? job->fit.facts : most;
    json_array_foreach(facts, i, fact) {
        struct rb_buf value;
        if (i == max) {
            break;
        }
        rb_buf_init(&value, 1 << 16);
        (void)rb_notify_put_short(&value, json_string_value(json_array_get(fact, 1)), NULL, job->fit.value);
        json_array_append_new(out, json_pack("[O, o]", json_array_get(fact, 0), rb_notify_string(&value)));
    }
    *more = json_array_size(facts) - json_array_size(out);
    return out;
}

void rb_notify_local_time(const struct rb_notify_message *m, char out[32])
{
    int64_t us = 0;
    struct tm local;
    (void)rb_clock_parse(m->at, &us);
    time_t seconds = us / 1000000;
    out[0] = '\0';
    if (localtime_r(&seconds, &local)) {
        (void)strftime(out, 32, "%Y-%m-%d %H:%M", &local);
    }
}

void rb_notify_origin(struct rb_buf *out, const struct rb_notify_message *m, const char *gap)
{
    (void)rb_buf_addf(out, "%s%s%s", m->runbook, *m->runbook && *m->run ? gap : "", m->run);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

enum rb_notify_tone rb_notify_tone(const struct rb_notify_message *m)
{
    static const char *const good[] = {".verified", ".cleared", ".granted", ".passed", ".finished"};
    if (strcmp(m->event, "approval.requested") == 0) {
        return RB_NOTIFY_WAITING;
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (ends_with(m->event, good[i])) {
            return RB_NOTIFY_GOOD;
        }
    }
    bool failed = ends_with(m->event, ".failed") || ends_with(m->event, ".missed");
    return failed || (*m->level && m->level[1] <= '1') ? RB_NOTIFY_BAD : RB_NOTIFY_PLAIN;
}

bool rb_notify_zh(const struct rb_notify_message *m)
{
    return strcmp(m->lang, "zh") == 0;
}

json_t *rb_notify_string(struct rb_buf *text)
{
    json_t *value = json_string(rb_buf_str(text));
    rb_buf_deinit(text);
    return value ? value : json_string("");
}
