/* runbook serve: the schedules, until it is told to stop. One line a fact. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/schedule.h"
#include "journal/journal.h"
#include "schedule/service.h"

static const struct {
    const char *kind;
    enum rb_text_id text;
    enum rb_style style;
} kinds[] = {
    {"service.started", RB_T_schedule_f_started, RB_BOLD},
    {"service.loaded", RB_T_schedule_f_loaded, RB_PLAIN},
    {"service.draining", RB_T_schedule_f_draining, RB_WARN},
    {"service.stopped", RB_T_schedule_f_stopped, RB_BOLD},
    {"run.started", RB_T_schedule_f_run, RB_DIM},
    {"schedule.missed", RB_T_schedule_w_missed, RB_WARN},
    {"schedule.skipped", RB_T_schedule_w_skipped, RB_DIM},
    {"schedule.tripped", RB_T_schedule_f_tripped, RB_BAD},
    {"schedule.broken", RB_T_schedule_f_broken, RB_BAD},
    {"runbook.broken", RB_T_schedule_f_runbook, RB_BAD},
    {"store.failed", RB_T_schedule_f_store, RB_BAD},
    {"store.works", RB_T_schedule_f_works, RB_GOOD},
    {"clock.set", RB_T_schedule_f_clock, RB_WARN},
    {"load.failed", RB_T_schedule_f_load, RB_BAD},
    {"watch.failed", RB_T_schedule_f_watch, RB_WARN},
    {"tell.failed", RB_T_schedule_f_tell, RB_BAD},
    {"escalated", RB_T_guide_f_escalated, RB_BAD},
    {"run.continued", RB_T_trust_f_continued, RB_DIM},
    {"journal.pruned", RB_T_schedule_f_pruned, RB_DIM},
};

static void put_kind(struct rb_cli *c, const char *kind, const json_t *fact)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].kind, kind) == 0) {
            rb_put(c, RB_OUT, kinds[i].style, "%s", rb_text(kinds[i].text));
            return;
        }
    }
    const char *result = rb_json_str(fact, "result", kind);
    rb_put(c, RB_OUT, rb_result_style(result), "%s", rb_result_word(c, result));
}

/* Everything else of a fact, in the order in which people look for it. */
static void put_rest(struct rb_cli *c, const json_t *fact)
{
    static const char *const shown[] = {"schedule", "runbook", "run",  "reason", "schedules", "runs", "running",
                                        "events",   "folder",  "file", "line",   "text",      "hint"};
    enum rb_style style;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const json_t *value = json_object_get(fact, shown[i]);
        if (json_is_string(value) && json_string_value(value)[0] != '\0') {
            bool reason = strcmp(shown[i], "reason") == 0;
            rb_put(c, RB_OUT, RB_PLAIN, "  %s",
                   reason ? rb_schedule_word(c, json_string_value(value), &style)
                          : rb_word(c, json_string_value(value)));
        } else if (json_is_integer(value)) {
            rb_put(c, RB_OUT, RB_PLAIN, "  %lld", (long long)json_integer_value(value));
        }
    }
    const json_t *ms = json_object_get(fact, "ms"), *error = json_object_get(fact, "error");
    if (json_is_integer(ms)) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s", rb_word_ms(c, json_integer_value(ms)));
    }
    if (error != NULL && !json_is_null(error)) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s", rb_word_json(c, error, 500));
    }
}

static void say_text(struct rb_cli *c, const json_t *fact)
{
    int64_t us = 0;
    const json_t *next = json_object_get(json_array_get(json_object_get(fact, "next"), 0), "argv");
    (void)rb_clock_parse(rb_json_str(fact, "time", ""), &us); /* it is ours */
    rb_put(c, RB_OUT, RB_DIM, "%s  ", rb_word_time(c, us));
    put_kind(c, rb_json_str(fact, "t", "?"), fact);
    put_rest(c, fact);
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
    if (next != NULL) {
        rb_put(c, RB_OUT, RB_PLAIN, "    %s  %s\n", ST(go_on), rb_word_argv(c, next));
    }
}

static void say(void *user, const json_t *fact)
{
    struct rb_cli *c = user;
    size_t mark = rb_word_mark(c);
    if (c->format != RB_FORMAT_TEXT) {
        rb_put_jsonl(c, fact);
    } else {
        say_text(c, fact);
        fflush(stdout); /* who looks on through a pipe waits for a line, not for a buffer */
    }
    rb_word_release(c, mark);
}

static int duration(const struct rb_cli *c, enum rb_option_id id, double *seconds, struct rb_err *err)
{
    const char *text = rb_options_get(&c->options, id);
    if (text != NULL && (rb_duration_parse(text, seconds) != 0 || *seconds <= 0)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_value, rb_option_table[id].name, text);
    }
    return 0;
}

static int read_options(const struct rb_cli *c, struct rb_service_options *o, struct rb_err *err)
{
    const char *runs = rb_options_get(&c->options, RB_O_RUNS);
    char *end = NULL;
    if (c->nargs > 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_schedule_serve_what, c->args[0]);
    }
    o->runs = runs != NULL ? (int)strtol(runs, &end, 10) : 0;
    if (runs != NULL && (*end != '\0' || end == runs || o->runs < 1 || o->runs > 1000)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_value, "runs", runs);
    }
    int rc = duration(c, RB_O_KEEP, &o->keep, err);
    return rc != 0 ? rc : duration(c, RB_O_DRAIN, &o->drain, err);
}

/* The commands that people are told are for people: not in the format of this service's own lines. */
static json_t *repeat_for_people(const struct rb_cli *c)
{
    json_t *argv = rb_cli_repeat(c), *out = json_array(), *word;
    size_t i;
    json_array_foreach(argv, i, word) {
        bool output = strcmp(json_string_value(word), "--output") == 0;
        if (!output && strcmp(json_string_value(word), "--json") != 0) {
            json_array_append(out, word);
        }
        i += output; /* and its value */
    }
    json_decref(argv);
    return out;
}

int rb_cmd_serve(struct rb_cli *c)
{
    char folder[PATH_MAX];
    struct rb_err err = {0};
    json_t *repeat = repeat_for_people(c);
    struct rb_service_options o = {.folder = folder,
                                   .runbooks = rb_options_get(&c->options, RB_O_RUNBOOKS),
                                   .repeat = repeat,
                                   .say = say,
                                   .user = c};
    int rc = read_options(c, &o, &err);
    rc = rc != 0 ? rc : rb_files_state_dir(folder, &err);
    rc = rc != 0 ? rc : rb_cli_loop(c, &err);
    rc = rc != 0 ? rc : rb_cli_journal(c, true, &err);
    rc = rc == 0 && c->instead != NULL ? rb_err_set(&err, RB_EJOURNAL, RB_T_cli_record_serve, c->instead) : rc;
    o.engine = rb_cli_engine(c);
    rc = rc != 0 ? rc : rb_service_run(&o, &err);
    json_decref(repeat);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}
