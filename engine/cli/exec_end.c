/* The last lines of a run: they carry what matters. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/exec.h"

const char *rb_exec_sentence(const char *result)
{
    static const struct {
        const char *result;
        enum rb_text_id text;
    } sentences[] = {
        {"healthy", RB_T_cli_end_healthy},     {"found", RB_T_cli_end_found},       {"fixed", RB_T_cli_end_fixed},
        {"done", RB_T_cli_end_done},           {"failed", RB_T_cli_end_failed},     {"unknown", RB_T_cli_end_unknown},
        {"waiting", RB_T_cli_end_waiting},     {"rejected", RB_T_cli_end_rejected}, {"aborted", RB_T_cli_end_aborted},
        {"timed_out", RB_T_cli_end_timed_out}, {"denied", RB_T_cli_end_denied},     {"busy", RB_T_cli_end_busy},
    };
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        if (strcmp(sentences[i].result, result) == 0) {
            return rb_text(sentences[i].text);
        }
    }
    return "";
}

/* How often the same write follows itself from place i on: a loop is one line. */
static size_t repeated(const json_t *done, size_t i)
{
    size_t times = 1;
    while (json_equal(json_array_get(done, i), json_array_get(done, i + times))) {
        times++;
    }
    return times;
}

static void put_done(struct rb_exec *e, const char *result)
{
    struct rb_cli *c = e->c;
    if (json_array_size(e->done) == 0) {
        if (strcmp(result, "unknown") != 0 && !e->dry_run) {
            rb_put(c, RB_OUT, RB_PLAIN, "%s\n", TX(nothing_changed));
        }
        return;
    }
    for (size_t i = 0, times; i < json_array_size(e->done); i += times) {
        times = repeated(e->done, i);
        rb_put(c, RB_OUT, RB_PLAIN, "%s  %s", TX(changed), json_string_value(json_array_get(e->done, i)));
        if (times > 1) {
            rb_put(c, RB_OUT, RB_DIM, "  x%zu", times);
        }
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
}

static void put_error(struct rb_cli *c, const json_t *error)
{
    if (error == NULL || json_is_null(error)) {
        return;
    }
    const char *message = rb_json_str(error, "message", NULL);
    const char *text = message != NULL ? message : rb_text_json(error);
    rb_put(c, RB_ERR, RB_BAD, "runbook:");
    rb_put(c, RB_ERR, RB_PLAIN, " %s\n", text[0] != '\0' ? text : rb_word_json(c, error, 500));
}

void rb_exec_error(struct rb_cli *c, const json_t *result)
{
    put_error(c, json_object_get(result, "error"));
    put_error(c, json_object_get(result, "unsealed"));
}

static void put_next(struct rb_exec *e, const json_t *result)
{
    struct rb_cli *c = e->c;
    size_t i;
    json_t *next;
    json_array_foreach(json_object_get(result, "next"), i, next) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s  ", e->interactive ? TX(next) : TX(next_plain));
        rb_put(c, RB_ERR, RB_COMMAND, "%s", rb_word_argv(c, json_object_get(next, "argv")));
        rb_put(c, RB_ERR, RB_DIM, "    # %s\n", rb_word_text(c, json_object_get(next, "why")));
    }
}

static void put_advice(struct rb_cli *c, const json_t *result)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(result, "advice"), i, one) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s  %s  %s\n", TX(advice), rb_word(c, rb_json_str(one, "id", "")),
               rb_word_text(c, json_object_get(one, "text")));
    }
}

/* Nobody was there to be asked: what a person has to do is told before the command that goes on. */
static void put_by_hand(struct rb_cli *c, const json_t *result)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(result, "by_hand"), i, one) {
        rb_put(c, RB_OUT, RB_BOLD, "%s  %s\n", TX(by_hand), rb_word_text(c, json_object_get(one, "title")));
        rb_put_block(c, RB_OUT, 2, json_object_get(one, "text"));
    }
}

void rb_exec_end(struct rb_exec *e)
{
    struct rb_cli *c = e->c;
    const char *result = rb_json_str(e->result, "result", "?"), *run = rb_json_str(e->result, "run", NULL);
    rb_status(c, NULL);
    if (!e->begun) { /* a slip in the line, a file that does not load: there was no run to tell of */
        put_error(c, json_object_get(e->result, "error"));
        return;
    }
    if (e->interactive) {
        rb_put(c, RB_OUT, rb_result_style(result), "\n%s", rb_exec_sentence(result));
        rb_put(c, RB_OUT, RB_PLAIN, TX(took), rb_word_ms(c, (rb_clock_mono_ns() - e->started_ns) / 1000000));
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    } else {
        rb_put(c, RB_OUT, RB_PLAIN, "%s %s  %s\n", TX(result), rb_word(c, result), rb_exec_sentence(result));
    }
    put_done(e, result);
    if (e->round > 1) { /* what still stands is listed by name only: its advice was shown long above */
        put_advice(c, e->result);
    }
    if (!e->interactive) {
        put_by_hand(c, e->result);
    }
    rb_exec_error(c, e->result);
    if (e->dry_run) {
        rb_put(c, RB_OUT, RB_BOLD, "%s\n", TX(dry_run_end));
    }
    put_next(e, e->result);
    if (strcmp(result, "unknown") == 0 && run != NULL) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s  runbook resolve %s --done | --not-done --reason ...\n", TX(say_what_happened),
               rb_word(c, run));
    }
    if (run != NULL && !c->quiet && rb_json_bool(e->result, "recorded", true)) {
        json_t *argv = rb_cli_repeat(c);
        json_array_append_new(argv, json_string("show"));
        json_array_append_new(argv, json_string(run));
        rb_put(c, RB_ERR, RB_DIM, "%s  ", TX(evidence));
        rb_put(c, RB_ERR, RB_COMMAND, "%s\n", rb_word_argv(c, argv));
        json_decref(argv);
    }
}
