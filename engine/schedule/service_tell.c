/* What people are told. An outcome that needs nobody is silent; trouble is told once when it begins, again
 * when it gets worse or has stood for a day, and when it has been over for a while: a service that flaps is
 * one message. What happens within some seconds goes out together. Telling is a run of its own: recorded,
 * with the secrets of the channel filled in where every call's are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
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
    int stands; /* does somebody have to do something? 1 yes, 0 no, -1 it does not say */
    enum rb_text_id text;
} outcomes[] = {
    {"missed", 1, -1, RB_T_schedule_tell_missed},    {"busy", 1, -1, RB_T_schedule_tell_busy},
    {"fixed", 2, 0, RB_T_schedule_tell_fixed},       {"found", 3, 1, RB_T_schedule_tell_found},
    {"waiting", 4, -1, RB_T_schedule_tell_waiting},  {"denied", 4, 1, RB_T_schedule_tell_denied},
    {"tripped", 5, 1, RB_T_schedule_tell_tripped},   {"failed", 5, 1, RB_T_schedule_tell_failed},
    {"timed_out", 5, 1, RB_T_schedule_tell_failed},  {"aborted", 5, 1, RB_T_schedule_tell_failed},
    {"unknown", 6, 1, RB_T_schedule_tell_unknown},   {"recovered", 0, 0, RB_T_schedule_tell_recovered},
    {"escalated", 7, -1, RB_T_guide_tell_escalated}, {"left", 7, -1, RB_T_guide_tell_left},
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

static bool is_escalation(const json_t *one)
{
    return json_object_get(one, "response") != NULL;
}

/* Two letters about the same: the worse one goes. */
static bool replaces(struct rb_service *s, const json_t *one)
{
    const char *key = json_object_get(one, "schedule") ? "schedule" : "run";
    size_t i;
    json_t *other;
    json_array_foreach(s->letters, i, other) {
        if (is_escalation(one) == is_escalation(other) &&
            !strcmp(rb_json_str(other, key, ""), rb_json_str(one, key, "?"))) {
            size_t was = outcome_of(rb_json_str(other, "result", "")), is = outcome_of(rb_json_str(one, "result", ""));
            if (outcomes[is].rank > outcomes[was].rank) {
                json_array_set(s->letters, i, (json_t *)one);
            }
            return true;
        }
    }
    return false;
}

void rb_service_letter(struct rb_service *s, json_t *one)
{
    if (!replaces(s, one)) {
        json_array_append(s->letters, one);
    }
    json_decref(one);
    if (!uv_is_active((uv_handle_t *)&s->letter_timer)) {
        uv_timer_start(&s->letter_timer, on_together, TOGETHER_MS, 0);
    }
}

static void letter(struct rb_service *s, const struct rb_schedule *schedule, const char *result, int times,
                   const json_t *report)
{
    const json_t *entry = json_object_get(s->good, schedule->runbook), *meta = json_object_get(entry, "meta");
    rb_service_letter(
        s, json_pack("{s:s, s:s, s:s, s:i, s:O?, s:s, s:O?, s:O?, s:O?, s:O?}", "schedule", schedule->name, "runbook",
                     schedule->runbook, "result", result, "times", times, "title", json_object_get(meta, "title"),
                     "severity", rb_json_str(meta, "severity", "P3"), "run", json_object_get(report, "run"), "next",
                     json_object_get(report, "next"), "channels", json_object_get(schedule->fields, "notify"),
                     "approval", json_object_get(json_object_get(report, "approval"), "id")));
}

static int trouble(struct rb_service *s, const struct rb_schedule *schedule, size_t outcome, struct rb_trouble *t,
                   const json_t *report, struct rb_err *err)
{
    int64_t now = rb_service_now();
    t->times++;
    t->last = now;
    t->stands = outcomes[outcome].stands < 0 ? t->stands : outcomes[outcome].stands;
    t->since = t->stands && !t->since ? now : t->since;
    if (!t->told || outcomes[outcome].rank > t->rank || now - t->told >= AGAIN_SECONDS) {
        letter(s, schedule, outcomes[outcome].result, t->times, report);
    }
    return rb_store_trouble_seen(s->store, schedule->name, t, err);
}

static int calm(struct rb_service *s, const struct rb_schedule *schedule, struct rb_trouble *t, const json_t *report,
                struct rb_err *err)
{
    if (rb_service_now() - t->last >= CALM_SECONDS) {
        letter(s, schedule, "recovered", t->times, report);
    }
    if (!t->stands) {
        return 0;
    }
    t->stands = false;
    return rb_store_trouble_seen(s->store, schedule->name, t, err);
}

/* Were people told that it waits for them, and of nothing worse? */
static bool told_waiting(const struct rb_trouble *t)
{
    return t->told && t->rank == outcomes[outcome_of("waiting")].rank;
}

/* Whoever was told that a run waits is told its end, however good: or they go on believing that it waits. */
void rb_service_tell_decided(struct rb_service *s, const char *run, const json_t *report)
{
    const char *result = rb_json_str(report, "result", "failed");
    struct rb_err err = {0};
    struct rb_trouble t = {0};
    json_t *entry = rb_journal_run(s->o.engine.journal, run, &err);
    const struct rb_schedule *schedule =
        rb_schedules_find(s->schedules, rb_json_str(json_object_get(entry, "actor"), "schedule", ""), NULL);
    int rc = schedule ? rb_store_trouble(s->store, schedule->name, &t, &err) : 0;
    size_t outcome = outcome_of(result);
    bool good = !strcmp(result, "healthy") || !strcmp(result, "done");
    if (rc == 1 && told_waiting(&t) && good) {
        letter(s, schedule, "recovered", t.times, report);
    } else if (rc == 1 && told_waiting(&t) && outcome < sizeof outcomes / sizeof *outcomes && strcmp(result, "busy")) {
        t.told = 0; /* anew, though it is less than what was told */
        rc = trouble(s, schedule, outcome, &t, report, &err);
    }
    if (rc < 0) {
        rb_service_failed(s, &err);
    }
    json_decref(entry);
}

void rb_service_tell(struct rb_service *s, const struct rb_schedule *schedule, const char *result, const json_t *report)
{
    struct rb_err err = {0};
    struct rb_trouble t;
    size_t outcome = outcome_of(result);
    int rc = rb_store_trouble(s->store, schedule->name, &t, &err);
    if (rc >= 0 && outcome < sizeof outcomes / sizeof *outcomes) {
        rc = trouble(s, schedule, outcome, &t, report, &err);
    } else if (rc == 1) {
        rc = calm(s, schedule, &t, report, &err);
    }
    if (rc < 0) {
        rb_service_failed(s, &err);
    }
}

/* ---- what ---- */

/* Words that a shell reads back as the same. */
static void add_argv(struct rb_buf *out, const json_t *argv)
{
    size_t i;
    json_t *word;
    json_array_foreach((json_t *)argv, i, word) {
        const char *text = json_string_value(word);
        bool plain =
            text[0] && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@+")];
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

/* Whom to turn to: "response time P1 15m0s; turn to: the lead 555-0100, …" */
static void add_contacts(struct rb_buf *out, const json_t *response, enum rb_lang lang)
{
    char within[RB_TIME_MAX];
    size_t i;
    json_t *contact;
    rb_duration_format(json_number_value(json_object_get(response, "within")), within);
    rb_buf_adds(out, "\n  ");
    rb_buf_addf(out, rb_text_in(RB_T_guide_tell_turn_to, lang), rb_json_str(response, "severity", "?"), within);
    json_array_foreach(json_object_get(response, "contacts"), i, contact) {
        const char *where = rb_json_str(contact, "phone", rb_json_str(contact, "email", ""));
        rb_buf_addf(out, "%s %s%s%s", i ? "," : "", in_lang(json_object_get(contact, "title"), lang),
                    where[0] ? " " : "", where);
    }
    if (!i) {
        const json_t *words = json_object_get(response, "escalate");
        rb_buf_addf(out, " %s", words && !json_is_null(words) ? in_lang(words, lang) : "-");
    }
}

static void add_letter(struct rb_buf *out, const struct rb_service *s, const json_t *one, enum rb_lang lang)
{
    size_t outcome = outcome_of(rb_json_str(one, "result", ""));
    const char *schedule = rb_json_str(one, "schedule", rb_json_str(one, "runbook", "?"));
    json_t *argv = json_copy((json_t *)s->o.repeat);
    const json_t *next = json_object_get(json_array_get(json_object_get(one, "next"), 0), "argv");
    rb_buf_addf(out, "%s  %s  ", schedule, in_lang(json_object_get(one, "title"), lang));
    int times = (int)rb_json_int(one, "times", 1);
    rb_buf_addf(out, rb_text_n_in(outcomes[outcome].text, times, lang), times);
    if (is_escalation(one)) {
        add_contacts(out, json_object_get(one, "response"), lang);
    }
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
    json_array_foreach((json_t *)letters, i, one) {
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
        snprintf(text, sizeof text, rb_text_n_in(RB_T_schedule_tell_many, (long long)count, lang), (int)count);
    }
    return rb_xstrdup(text);
}

static const char *worst_severity(const json_t *letters)
{
    const char *worst = "P4";
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)letters, i, one) {
        const char *severity = rb_json_str(one, "severity", "P3");
        worst = strcmp(severity, worst) < 0 ? severity : worst;
    }
    return worst;
}

static json_t *message_of(const struct rb_service *s, const json_t *letters)
{
    char *en = text_of(s, letters, RB_LANG_EN), *zh = text_of(s, letters, RB_LANG_ZH);
    char *title_en = title_of(letters, RB_LANG_EN), *title_zh = title_of(letters, RB_LANG_ZH);
    json_t *message = json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:s}", "title", "en", title_en, "zh", title_zh, "text",
                                "en", en, "zh", zh, "level", worst_severity(letters));
    free(en);
    free(zh);
    free(title_en);
    free(title_zh);
    return message;
}

/* ---- to whom ---- */

/* Those of the contacts; when none of them has one, those that hear of everything. */
static json_t *channels_of(const struct rb_service *s, const json_t *one)
{
    json_t *channels = json_array(), *contact;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(one, "response"), "contacts"), i, contact) {
        if (json_object_get(contact, "channel")) {
            json_array_append(channels, json_object_get(contact, "channel"));
        }
    }
    const json_t *own = json_object_get(one, "channels");
    const json_t *of = rb_severity_of(s->config, rb_json_str(one, "runbook", "?"), rb_json_str(one, "severity", "P3"));
    if (!json_array_size(channels)) {
        json_array_extend(channels, json_array_size(own) ? (json_t *)own : json_object_get(of, "channels"));
    }
    return channels;
}

/* {channel: [letter…]} */
static json_t *sorted_out(const struct rb_service *s)
{
    json_t *by_channel = json_object(), *one, *channel;
    size_t i, k;
    json_array_foreach(s->letters, i, one) {
        json_t *channels = channels_of(s, one);
        json_array_foreach(channels, k, channel) {
            const char *name = json_string_value(channel);
            if (name && !json_object_get(by_channel, name)) {
                json_object_set_new(by_channel, name, json_array());
            }
            json_array_append(name ? json_object_get(by_channel, name) : NULL, one);
        }
        json_decref(channels);
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
    const struct rb_tell tell = {
        .channel = channel, .message = message, .config = s->config, .actor = s->actor, .repeat = s->o.repeat};
    s->telling++;
    if (rb_tell(&s->o.engine, &tell, &view, s, &err)) {
        s->telling--;
        rb_service_say(s, "tell.failed", json_pack("{s:s}", "error", err.text));
    }
    json_decref(message);
}

/* It counts as told when it goes out, not before: whoever is killed in between has not told. */
static int goes_out(struct rb_service *s, const json_t *one, struct rb_err *err)
{
    const char *name = rb_json_str(one, "schedule", "");
    size_t outcome = outcome_of(rb_json_str(one, "result", ""));
    if (is_escalation(one)) {
        return rb_service_escalated(s, one, err);
    }
    if (!strcmp(outcomes[outcome].result, "recovered")) {
        return rb_store_trouble_over(s->store, name, err);
    }
    int rc = rb_store_trouble_told(s->store, name, outcomes[outcome].rank, rb_service_now(), err);
    return rc ? rc : 1;
}

static void keep_ours(struct rb_service *s)
{
    struct rb_err err = {0};
    for (size_t i = 0; i < json_array_size(s->letters);) {
        int rc = goes_out(s, json_array_get(s->letters, i), &err);
        if (rc < 0) {
            rb_service_failed(s, &err); /* it is seen again */
        }
        if (rc == 1) {
            i++;
        } else {
            json_array_remove(s->letters, i);
        }
    }
}

void rb_service_letters(struct rb_service *s)
{
    keep_ours(s);
    json_t *by_channel = sorted_out(s), *letters;
    const char *channel;
    json_object_foreach(by_channel, channel, letters) {
        send_to(s, channel, letters);
    }
    json_decref(by_channel);
    json_array_clear(s->letters);
}
