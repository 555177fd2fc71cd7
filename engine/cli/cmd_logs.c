/* runbook logs: the events of one run as lines; -f waits for more until the run ends. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "journal/journal.h"

#define POLL_MS 300
#define BODY_MAX 400

struct follow {
    struct rb_cli *c;
    char run[RB_ID_MAX];
    int64_t last;
    bool ended;
    int rc, open; /* open: handles not closed yet */
    struct rb_err *err;
    uv_timer_t timer;
    uv_signal_t interrupt;
};

static json_t *event_json(const struct rb_event *e)
{
    char at[RB_TIME_MAX];
    rb_clock_format(e->utc_us, 1, at);
    json_t *body = e->body != NULL ? rb_json_parse(e->body, strlen(e->body), NULL) : NULL;
    json_t *actor = rb_json_parse(e->actor, strlen(e->actor), NULL);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "t", e->kind, "at", at, "run", e->run, "seq",
                     (json_int_t)e->seq, "id", (json_int_t)e->id, "actor", actor != NULL ? actor : json_null(), "body",
                     body != NULL ? body : json_null());
}

static enum rb_style style_of(const json_t *event)
{
    const json_t *body = json_object_get(event, "body");
    const char *result = rb_json_str(body, "result", "");
    const json_t *ok = json_object_get(body, "ok");
    if (json_is_false(ok) || strcmp(result, "failed") == 0 || strcmp(result, "unknown") == 0) {
        return RB_BAD;
    }
    return strcmp(rb_json_str(event, "t", ""), "finding") == 0 ? RB_WARN : RB_PLAIN;
}

static int put_event(const struct rb_event *e, void *user)
{
    struct follow *f = user;
    json_t *event = event_json(e);
    size_t mark = rb_word_mark(f->c);
    f->last = e->id;
    f->ended = f->ended || strcmp(e->kind, "run.ended") == 0;
    if (event == NULL) {
        return 0;
    }
    if (f->c->format == RB_FORMAT_JSONL || f->c->format == RB_FORMAT_JSON) {
        rb_put_jsonl(f->c, event);
    } else {
        const char *body = e->body != NULL ? rb_word_json(f->c, json_object_get(event, "body"), BODY_MAX) : TX(pruned);
        rb_put(f->c, RB_OUT, RB_DIM, "%s  ", rb_word_time(f->c, e->utc_us));
        rb_put(f->c, RB_OUT, style_of(event), "%s", rb_word_pad(f->c, e->kind, 16));
        rb_put(f->c, RB_OUT, RB_PLAIN, "  %s\n", body);
    }
    rb_word_release(f->c, mark);
    json_decref(event);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct follow *f = handle->data;
    f->open--;
}

static void stop(struct follow *f)
{
    if (!uv_is_closing((uv_handle_t *)&f->timer)) {
        uv_close((uv_handle_t *)&f->timer, on_closed);
        uv_close((uv_handle_t *)&f->interrupt, on_closed);
    }
}

static void on_interrupt(uv_signal_t *handle, int signal)
{
    (void)signal; /* leaving a log is no failure */
    stop(handle->data);
}

static void on_tick(uv_timer_t *timer)
{
    struct follow *f = timer->data;
    f->rc = rb_journal_read(f->c->journal, f->run, f->last, put_event, f, f->err);
    if (rb_term_finish(f->c) != 0 || f->c->lost != 0 || f->rc != 0 || f->ended) {
        stop(f);
    }
}

static int follow(struct follow *f)
{
    int rc = rb_cli_loop(f->c, f->err);
    if (rc != 0) {
        return rc;
    }
    uv_timer_init(&f->c->loop, &f->timer);
    uv_signal_init(&f->c->loop, &f->interrupt);
    f->open = 2;
    f->timer.data = f->interrupt.data = f;
    uv_signal_start(&f->interrupt, on_interrupt, SIGINT);
    uv_timer_start(&f->timer, on_tick, 0, POLL_MS);
    while (f->open > 0) { /* the spawner's handle would keep uv_run in for ever */
        uv_run(&f->c->loop, UV_RUN_ONCE);
    }
    return f->rc;
}

int rb_cmd_logs(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct follow f = {.c = c, .err = &err};
    if (c->nargs != 1) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_logs_what);
        return rb_cli_fail(c, &err);
    }
    if (rb_cli_journal(c, false, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    if (c->journal == NULL) {
        rb_err_set(&err, RB_ENOT_FOUND, RB_T_cli_no_run, c->args[0]);
        return rb_cli_fail(c, &err);
    }
    if (rb_journal_find_run(c->journal, c->args[0], f.run, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    int rc = rb_options_has(&c->options, RB_O_FOLLOW) ? follow(&f)
                                                      : rb_journal_read(c->journal, f.run, 0, put_event, &f, &err);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}
