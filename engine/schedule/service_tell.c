/* What people are told. An outcome that needs nobody is silent; trouble is told once when it begins, again
 * when it gets worse or has stood for a day, and when it has been over for a while: a service that flaps is
 * one message. What happens within some seconds goes out together. Telling is a run of its own: recorded,
 * with the secrets of the channel filled in where every call's are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "schedule/service_state.h"
#include "schedule/tell.h"

#define TOGETHER_MS 3000
#define CALM_SECONDS 900
#define AGAIN_SECONDS 86400
#define TEXT_MAX 6000 /* bytes of one message */

/* The worse, the higher. */
static const struct {
    const char *result;
    int rank;
    enum rb_text_id text;
} outcomes[] = {
    {"missed", 1, RB_T_schedule_tell_missed},    {"busy", 1, RB_T_schedule_tell_busy},
    {"fixed", 2, RB_T_schedule_tell_fixed},      {"found", 3, RB_T_schedule_tell_found},
    {"waiting", 4, RB_T_schedule_tell_waiting},  {"denied", 4, RB_T_schedule_tell_denied},
    {"tripped", 5, RB_T_schedule_tell_tripped},  {"failed", 5, RB_T_schedule_tell_failed},
    {"timed_out", 5, RB_T_schedule_tell_failed}, {"aborted", 5, RB_T_schedule_tell_failed},
    {"unknown", 6, RB_T_schedule_tell_unknown},  {"recovered", 0, RB_T_schedule_tell_recovered},
};

static size_t outcome_of(const char *result)
{
    size_t i = 0;
    while (i < sizeof outcomes / sizeof *outcomes && strcmp(outcomes[i].result, result) != 0) {
        i++;
    }
    return i;
}

/* ---- whether ---- */

static void on_together(uv_timer_t *timer)
{
    rb_service_letters(timer->data);
}

static void letter(struct rb_service *s, const struct rb_schedule *schedule, const char *result,
                   json_int_t times, const json_t *report)
{
    const json_t *entry = json_object_get(s->good, schedule->runbook), *meta = json_object_get(entry, "meta");
    json_array_append_new(
        s->letters,
        json_pack("{s:s, s:s, s:I, s:O?, s:s, s:O?, s:O?, s:O?, s:O?}", "schedule", schedule->name, "result",
                  result, "times", times, "title", json_object_get(meta, "title"), "severity",
                  rb_json_str(meta, "severity", "P3"), "run", json_object_get(report, "run"), "next",
                  json_object_get(report, "next"), "channels", json_object_get(schedule->fields, "notify"), "approval",
                  json_object_get(json_object_get(report, "approval"), "id")));
    if (!uv_is_active((uv_handle_t *)&s->letter_timer)) {
        uv_timer_start(&s->letter_timer, on_together, TOGETHER_MS, 0);
    }
}

static void trouble(struct rb_service *s, const struct rb_schedule *schedule, size_t outcome,
                    const json_t *report)
{
    int64_t now = rb_service_now();
    json_t *told = json_object_get(s->told, schedule->name);
    bool first = !told;
    if (first) {
        told = json_pack("{s:i, s:i, s:i}", "rank", 0, "times", 0, "told", 0);
        json_object_set_new(s->told, schedule->name, told);
    }
    json_int_t times = rb_json_int(told, "times", 0) + 1;
    bool worse = outcomes[outcome].rank > rb_json_int(told, "rank", 0);
    json_object_set_new(told, "times", json_integer(times));
    json_object_set_new(told, "last", json_integer(now));
    if (first || worse || now - rb_json_int(told, "told", 0) >= AGAIN_SECONDS) {
        json_object_set_new(told, "rank", json_integer(outcomes[outcome].rank));
        json_object_set_new(told, "told", json_integer(now));
        letter(s, schedule, outcomes[outcome].result, times, report);
    }
}

void rb_service_tell(struct rb_service *s, const struct rb_schedule *schedule, const char *result,
                     const json_t *report)
{
    size_t outcome = outcome_of(result);
    const json_t *told = json_object_get(s->told, schedule->name);
    if (outcome < sizeof outcomes / sizeof *outcomes) {
        trouble(s, schedule, outcome, report);
    } else if (told && rb_service_now() - rb_json_int(told, "last", 0) >= CALM_SECONDS) {
        letter(s, schedule, "recovered", rb_json_int(told, "times", 0), report);
        json_object_del(s->told, schedule->name);
    }
}

/* ---- what ---- */

/* Words that a shell reads back as the same. */
static void add_argv(struct rb_buf *out, const json_t *argv)
{
    size_t i;
    json_t *word;
    json_array_foreach((json_t *)argv, i, word)
    {
        const char *text = json_string_value(word);
        bool plain =
            text[0] &&
            !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@+")];
        rb_buf_adds(out, i ? " " : "");
        if (plain) {
            rb_buf_adds(out, text);
            continue;
        }
        rb_buf_adds(out, "'");
        for (const char *p = text; *p; p++) {
            rb_buf_addf(out, *p == '\'' ? "'\\''" : "%c", *p);
        }
        rb_buf_adds(out, "'");
    }
}

static const char *in_lang(const json_t *text, enum rb_lang lang)
{
    const char *key = lang == RB_LANG_ZH ? "zh" : "en";
    return json_is_string(text) ? json_string_value(text) : rb_json_str(text, key, rb_text_json(text));
}

static void add_words(json_t *argv, const char *const *words)
{
    for (; *words; words++) {
        json_array_append_new(argv, json_string(*words));
    }
}

static void add_letter(struct rb_buf *out, const struct rb_service *s, const json_t *one, enum rb_lang lang)
{
    size_t outcome = outcome_of(rb_json_str(one, "result", ""));
    const char *schedule = rb_json_str(one, "schedule", "?");
    json_t *argv = json_copy((json_t *)s->o.repeat);
    const json_t *next = json_object_get(json_array_get(json_object_get(one, "next"), 0), "argv");
    rb_buf_addf(out, "%s  %s  ", schedule, in_lang(json_object_get(one, "title"), lang));
    rb_buf_addf(out, rb_text_in(outcomes[outcome].text, lang), (int)rb_json_int(one, "times", 1));
    const char *approval = rb_json_str(one, "approval", NULL);
    if (approval) { /* whoever reads it may be the one who is asked */
        add_words(argv, (const char *const[]){"approve", approval, "--reason", "TEXT", NULL});
        next = NULL;
    } else if (!strcmp(outcomes[outcome].result, "tripped")) {
        add_words(argv, (const char *const[]){"schedule", "reset", schedule, NULL});
    } else if (rb_json_str(one, "run", NULL)) {
        add_words(argv, (const char *const[]){"show", rb_json_str(one, "run", ""), NULL});
    }
    const json_t *command = next ? next : json_array_size(argv) > json_array_size(s->o.repeat) ? argv : NULL;
    if (command) {
        rb_buf_adds(out, "\n  ");
        add_argv(out, command);
    }
    rb_buf_adds(out, "\n");
    json_decref(argv);
}

static char *text_of(const struct rb_service *s, const json_t *letters, enum rb_lang lang)
{
    struct rb_buf out;
    size_t i;
    json_t *one;
    rb_buf_init(&out, TEXT_MAX);
    json_array_foreach((json_t *)letters, i, one)
    {
        add_letter(&out, s, one, lang); /* what is too much is left out: the list says the rest */
    }
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

static char *title_of(const json_t *letters, enum rb_lang lang)
{
    char text[512];
    const json_t *first = json_array_get(letters, 0);
    size_t count = json_array_size(letters);
    if (count == 1) {
        snprintf(text, sizeof text, "%.300s", in_lang(json_object_get(first, "title"), lang));
    } else {
        snprintf(text, sizeof text, rb_text_in(RB_T_schedule_tell_many, lang), (int)count);
    }
    return rb_xstrdup(text);
}

static const char *worst_severity(const json_t *letters)
{
    const char *worst = "P4";
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)letters, i, one)
    {
        const char *severity = rb_json_str(one, "severity", "P3");
        worst = strcmp(severity, worst) < 0 ? severity : worst;
    }
    return worst;
}

static json_t *message_of(const struct rb_service *s, const json_t *letters)
{
    char *en = text_of(s, letters, RB_LANG_EN), *zh = text_of(s, letters, RB_LANG_ZH);
    char *title_en = title_of(letters, RB_LANG_EN), *title_zh = title_of(letters, RB_LANG_ZH);
    json_t *message = json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:s}", "title", "en", title_en, "zh", title_zh,
                                "text", "en", en, "zh", zh, "level", worst_severity(letters));
    free(en);
    free(zh);
    free(title_en);
    free(title_zh);
    return message;
}

/* ---- to whom ---- */

static const json_t *channels_of(const struct rb_service *s, const json_t *one)
{
    const json_t *own = json_object_get(one, "channels");
    const json_t *severities = json_object_get(s->config, "severity");
    const json_t *of = json_object_get(severities, rb_json_str(one, "severity", "P3"));
    return json_array_size(own) ? own : json_object_get(of, "channels");
}

/* {channel: [letter…]} */
static json_t *sorted_out(const struct rb_service *s)
{
    json_t *by_channel = json_object(), *one, *channel;
    size_t i, k;
    json_array_foreach(s->letters, i, one)
    {
        json_array_foreach((json_t *)channels_of(s, one), k, channel)
        {
            const char *name = json_string_value(channel);
            if (name && !json_object_get(by_channel, name)) {
                json_object_set_new(by_channel, name, json_array());
            }
            json_array_append(name ? json_object_get(by_channel, name) : NULL, one);
        }
    }
    return by_channel;
}

static void on_told(void *user, const json_t *report)
{
    struct rb_service *s = user;
    s->telling--;
    if (strcmp(rb_json_str(report, "result", ""), "done") != 0) {
        rb_service_say(s, "tell.failed",
                       json_pack("{s:O?, s:O?}", "run", json_object_get(report, "run"), "error",
                                 json_object_get(report, "error")));
    }
}

static void send_to(struct rb_service *s, const char *channel, const json_t *letters)
{
    static const struct rb_run_view view = {.ended = on_told};
    struct rb_err err = {0};
    json_t *message = message_of(s, letters);
    const struct rb_tell tell = {.channel = channel, .message = message, .config = s->config, .actor = s->actor,
                                 .repeat = s->o.repeat};
    s->telling++;
    if (rb_tell(&s->o.engine, &tell, &view, s, &err)) {
        s->telling--;
        rb_service_say(s, "tell.failed", json_pack("{s:s}", "error", err.text));
    }
    json_decref(message);
}

void rb_service_letters(struct rb_service *s)
{
    json_t *by_channel = sorted_out(s), *letters;
    const char *channel;
    json_object_foreach(by_channel, channel, letters)
    {
        send_to(s, channel, letters);
    }
    json_decref(by_channel);
    json_array_clear(s->letters);
}
