/* One question, one line, one answer. */
#include "cli/guide_private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define SETTLE_MS 60 /* lines that come this close together were pasted, not typed */

bool rb_guide_accessible(void)
{
    const char *set = getenv("RUNBOOK_ACCESSIBLE");
    return set != NULL && set[0] != '\0' && strcmp(set, "0") != 0;
}

struct rb_screen rb_guide_screen(const struct rb_guide *g)
{
    return (struct rb_screen){.e = g->e,
                              .meta = rb_run_meta(g->e->run),
                              .file = rb_run_file(g->e->run),
                              .question = g->e->question,
                              .params = g->params,
                              .passed_over = g->passed_over};
}

void rb_guide_leave(struct rb_guide *g)
{
    struct rb_exec *e = g->e;
    json_decref(e->question);
    e->question = NULL;
    rb_run_leave(e->run);
}

bool rb_guide_signal(struct rb_guide *g, int signal)
{
    bool asked = g->e->question != NULL;
    if (asked) {
        rb_prompt_cancel(&g->e->prompt);
        uv_timer_stop(&g->settle);
        rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
        rb_guide_leave(g);
    }
    g->gone = g->gone || signal == SIGHUP;
    return asked || signal == SIGHUP;
}

/* ---- one line ---- */

static void settled(uv_timer_t *timer)
{
    struct rb_guide *g = timer->data;
    char *line = g->line;
    size_t mark = rb_word_mark(g->e->c);
    g->line = NULL;
    if (rb_prompt_waiting(&g->e->prompt)) {
        rb_prompt_flush(&g->e->prompt);
        rb_put(g->e->c, RB_ERR, RB_WARN, "%s\n", rb_text(RB_T_guide_pasted));
        g->answered(g, NULL);
    } else {
        g->answered(g, line);
    }
    rb_word_release(g->e->c, mark);
    free(line);
}

static void on_line(const char *line, void *user)
{
    struct rb_guide *g = user;
    if (line == NULL) { /* Ctrl-D, or the terminal is gone */
        rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
        rb_guide_leave(g);
        return;
    }
    while (*line == ' ') {
        line++;
    }
    g->line = rb_xstrdup(line);
    uv_timer_start(&g->settle, settled, SETTLE_MS, 0);
}

void rb_guide_read(struct rb_guide *g, void (*answered)(struct rb_guide *g, const char *line))
{
    g->answered = answered;
    fflush(stderr);
    rb_put_entered(g->e->c);
    rb_prompt_flush(&g->e->prompt);
    rb_prompt_read(&g->e->prompt, on_line, g);
}

/* ---- the question ---- */

/* How much of the time to decide is gone. */
static void put_time(struct rb_guide *g)
{
    char within[RB_TIME_MAX], gone[RB_TIME_MAX];
    double seconds = (double)(rb_clock_utc_us() - g->started_us) / 1e6;
    bool over = seconds > g->within;
    if (g->within <= 0 || g->started_us == 0 || g->kind == ON_BEGIN) {
        return;
    }
    rb_duration_format(g->within, within);
    int64_t whole = (int64_t)(over ? seconds - g->within : seconds);
    rb_duration_format(whole > 0 ? (double)whole : 1, gone);
    rb_put(g->e->c, RB_ERR, over ? RB_WARN : RB_DIM, rb_text(over ? RB_T_guide_time_over : RB_T_guide_time),
           rb_json_str(g->meta, "severity", "-"), within, gone);
    rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
}

static void ask_hand(struct rb_guide *g)
{
    struct rb_exec *e = g->e;
    struct rb_screen s = rb_guide_screen(g);
    rb_put(e->c, RB_ERR, RB_BOLD, "\n%s  %s\n", TX(by_hand), rb_word_text(e->c, json_object_get(e->question, "title")));
    rb_put_block(e->c, RB_ERR, 2, json_object_get(e->question, "text"));
    rb_screen_act(&s);
    rb_exec_not_yet(e);
    if (json_object_size(json_object_get(e->question, "asks")) > 0) {
        rb_exec_ask_fields(e);
    } else {
        rb_guide_keys(g);
    }
}

static enum kind kind_of(const char *kind, const json_t *question)
{
    bool check = strcmp(rb_json_str(question, "block", ""), "check") == 0;
    return strcmp(kind, "begin") == 0     ? ON_BEGIN
           : strcmp(kind, "pace") == 0    ? check ? ON_CHECK : ON_SEEN
           : strcmp(kind, "choose") == 0  ? ON_CHOOSE
           : strcmp(kind, "confirm") == 0 ? ON_CONFIRM
                                          : ON_HAND;
}

/* The next one is shown in full. */
static void forget_plan(struct rb_exec *e)
{
    free(e->plan_shown);
    e->plan_shown = NULL;
}

static void put_confirm(struct rb_guide *g)
{
    struct rb_screen s = rb_guide_screen(g);
    if (rb_json_bool(g->e->question, "again", false)) {
        rb_put(g->e->c, RB_ERR, RB_DIM, "\n%s", rb_text(RB_T_guide_again_plan));
        forget_plan(g->e);
    }
    rb_exec_plan(g->e, g->e->question, json_object_get(g->e->question, "writes"));
    rb_screen_act(&s);
}

void rb_guide_ask(void *user, struct rb_run *run, const char *kind, const json_t *question)
{
    struct rb_exec *e = user;
    struct rb_guide *g = e->guide;
    if (g->gone) {
        rb_run_leave(run);
        return;
    }
    if (!rb_exec_question(e, run, question)) {
        return;
    }
    size_t mark = rb_word_mark(e->c);
    if (g->meta == NULL) {
        g->meta = json_incref((json_t *)rb_run_meta(run)); /* the end speaks of it when the run is gone */
    }
    g->kind = kind_of(kind, question);
    put_time(g);
    struct rb_screen s = rb_guide_screen(g);
    static void (*const screens[])(const struct rb_screen *s) = {[ON_BEGIN] = rb_screen_begin,
                                                                 [ON_CHECK] = rb_screen_step,
                                                                 [ON_SEEN] = rb_screen_seen,
                                                                 [ON_CHOOSE] = rb_screen_choices};
    if (g->kind == ON_HAND) {
        ask_hand(g);
    } else if (g->kind == ON_CONFIRM) {
        put_confirm(g);
        rb_guide_keys(g);
    } else {
        screens[g->kind](&s);
        rb_guide_keys(g);
    }
    rb_word_release(e->c, mark);
}

/* ---- what happens ---- */

static void put_fresh(struct rb_guide *g)
{
    size_t i;
    json_t *finding;
    json_array_foreach(g->fresh, i, finding) {
        rb_exec_finding(g->e, finding, 4);
    }
    json_array_clear(g->fresh);
}

static void note_skip(struct rb_guide *g, const json_t *body)
{
    const char *id = rb_json_str(body, "id", "?");
    if (g->skips) {
        json_object_set(g->passed_over, id, json_object_get(body, "text"));
    } else {
        json_object_del(g->passed_over, id);
    }
    g->skips = false;
}

void rb_guide_event(void *user, const char *kind, const json_t *body)
{
    struct rb_exec *e = user;
    struct rb_guide *g = e->guide;
    bool looking = e->round == 0;
    if (strcmp(kind, "run.started") == 0) {
        g->params = json_deep_copy(json_object_get(body, "params"));
        g->within = json_number_value(json_object_get(body, "within"));
        g->started_us = rb_clock_utc_us();
        e->begun = true;
        rb_put(e->c, RB_ERR, RB_DIM, rb_text(RB_T_guide_run), rb_word(e->c, rb_json_str(body, "run", "")));
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
        return;
    }
    if (strcmp(kind, "run.resumed") == 0) { /* what there is was said already */
        e->begun = true;
        return;
    }
    if (strcmp(kind, "check.started") == 0) {
        json_array_clear(g->fresh);
    }
    if (strcmp(kind, "plan") == 0) {
        if (e->question != NULL) { /* it stands above its question */
            return;
        }
        forget_plan(e);
    }
    if (strcmp(kind, "check.ended") == 0) {
        note_skip(g, body);
    }
    if (strcmp(kind, "diagnosis") == 0 && looking) { /* shown when it was asked about */
        e->round++;
        json_decref(e->standing_shown);
        e->standing_shown = json_deep_copy(json_object_get(body, "standing"));
        return;
    }
    rb_exec_event(user, kind, body);
    if (strcmp(kind, "finding") == 0 && looking) {
        json_array_append(g->fresh, (json_t *)body);
    } else if (strcmp(kind, "check.ended") == 0 && looking) {
        put_fresh(g);
    }
}

/* ---- life ---- */

const json_t *rb_guide_meta(const struct rb_guide *g)
{
    return g->meta;
}

struct rb_guide *rb_guide_new(struct rb_exec *e)
{
    struct rb_guide *g = rb_xcalloc(1, sizeof *g);
    *g = (struct rb_guide){.e = e, .passed_over = json_object(), .fresh = json_array()};
    uv_timer_init(&e->c->loop, &g->settle);
    g->settle.data = g;
    if (rb_guide_accessible()) {
        e->c->redraws = e->c->color[RB_OUT] = e->c->color[RB_ERR] = false;
    }
    return g;
}

void rb_guide_take_up(struct rb_guide *g, const json_t *report)
{
    size_t i;
    json_t *check;
    g->params = json_deep_copy(json_object_get(report, "params"));
    g->within = json_number_value(json_object_get(report, "within"));
    if (rb_clock_parse(rb_json_str(report, "started", ""), &g->started_us) != 0) {
        g->started_us = 0;
    }
    rb_exec_learn(g->e, report);
    json_array_foreach(json_object_get(report, "checks"), i, check) {
        if (strcmp(rb_json_str(check, "result", ""), "skipped") == 0) {
            json_object_set(g->passed_over, rb_json_str(check, "id", "?"), json_object_get(check, "text"));
        }
    }
    rb_guide_so_far(g->e, report);
}

static void on_closed(uv_handle_t *handle)
{
    struct rb_guide *g = handle->data;
    g->closed = true;
}

void rb_guide_free(struct rb_guide *g)
{
    if (g == NULL) {
        return;
    }
    uv_close((uv_handle_t *)&g->settle, on_closed);
    while (!g->closed) {
        uv_run(&g->e->c->loop, UV_RUN_ONCE);
    }
    json_decref(g->meta);
    json_decref(g->params);
    json_decref(g->passed_over);
    json_decref(g->fresh);
    free(g->line);
    free(g);
}
