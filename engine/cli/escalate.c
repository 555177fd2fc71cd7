/* The time to answer is over: whom to turn to is shown, and who has a channel is told, by a run of its own. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/exec.h"
#include "schedule/tell.h"

static const char *duration(struct rb_cli *c, const json_t *seconds)
{
    char text[RB_TIME_MAX];
    rb_duration_format(json_number_value(seconds), text);
    return rb_word(c, text);
}

static void put_contact(struct rb_cli *c, const json_t *contact)
{
    rb_put(c, RB_ERR, RB_BOLD, "  %s", rb_word_text(c, json_object_get(contact, "title")));
    rb_put(c, RB_ERR, RB_PLAIN, "  %s  %s\n", rb_word(c, rb_json_str(contact, "phone", "")),
           rb_word(c, rb_json_str(contact, "email", "")));
}

static void put(struct rb_exec *e, const json_t *body)
{
    struct rb_cli *c = e->c;
    const char *severity = rb_word(c, rb_json_str(body, "severity", "?"));
    const char *within = duration(c, json_object_get(body, "within"));
    const char *words = rb_word_text(c, json_object_get(body, "escalate"));
    size_t i;
    json_t *contact;
    bool nobody = json_array_size(json_object_get(body, "contacts")) == 0;
    rb_put(c, RB_ERR, RB_WARN, "\n");
    if (nobody && words[0] == '\0') {
        rb_put(c, RB_ERR, RB_WARN, rb_text(RB_T_guide_escalated_none), severity, within, severity);
    } else {
        rb_put(c, RB_ERR, RB_WARN, rb_text(RB_T_guide_escalated), severity, within);
    }
    rb_put(c, RB_ERR, RB_PLAIN, "\n");
    if (nobody && words[0] != '\0') {
        rb_put(c, RB_ERR, RB_PLAIN, "  %s\n", words);
    }
    json_array_foreach(json_object_get(body, "contacts"), i, contact) {
        put_contact(c, contact);
    }
}

/* In both languages: who reads it is not who typed the command. New reference. */
static json_t *message(struct rb_exec *e, const json_t *body)
{
    json_t *texts[2] = {json_object(), json_object()}, *argv = rb_cli_repeat(e->c);
    char within[RB_TIME_MAX], after[RB_TIME_MAX];
    const char *severity = rb_json_str(body, "severity", "?"), *runbook = rb_json_str(body, "runbook", "?"),
               *run = rb_json_str(body, "run", "?");
    rb_duration_format(json_number_value(json_object_get(body, "within")), within);
    rb_duration_format(json_number_value(json_object_get(body, "after")), after);
    json_array_append_new(argv, json_string("show"));
    json_array_append_new(argv, json_string(run));
    for (int lang = 0; lang < RB_LANG_COUNT; lang++) {
        const char *key = lang == RB_LANG_ZH ? "zh" : "en";
        json_object_set_new(texts[0], key, json_sprintf(rb_text_in(RB_T_guide_tell_title, lang), severity, runbook));
        json_object_set_new(texts[1], key,
                            json_sprintf(rb_text_in(RB_T_guide_tell_text, lang), run, runbook, after, within,
                                         rb_word_argv(e->c, argv)));
    }
    json_decref(argv);
    return json_pack("{s:o, s:o, s:s}", "title", texts[0], "text", texts[1], "level", severity);
}

static void on_told(void *user, const json_t *report)
{
    struct rb_exec *e = user;
    e->telling--;
    if (strcmp(rb_json_str(report, "result", ""), "done") == 0) {
        rb_put(e->c, RB_ERR, RB_DIM, rb_text(RB_T_guide_told),
               rb_json_str(json_object_get(report, "params"), "channel", "?"));
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
    } else {
        rb_exec_error(e->c, report);
    }
}

void rb_exec_escalated(struct rb_exec *e, const json_t *body)
{
    static const struct rb_run_view view = {.ended = on_told};
    const struct rb_engine engine = rb_cli_engine(e->c);
    size_t i;
    json_t *contact, *text = message(e, body);
    put(e, body);
    json_array_foreach(json_object_get(body, "contacts"), i, contact) {
        const char *channel = rb_json_str(contact, "channel", NULL);
        struct rb_err err = {0};
        struct rb_tell tell = {.channel = channel, .message = text, .config = e->config};
        if (channel != NULL && rb_tell(&engine, &tell, &view, e, &err) == 0) {
            e->telling++;
        }
    }
    json_decref(text);
}
