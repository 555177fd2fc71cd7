/* One question, one line, one answer. Every question is a set of keys; what a key means is in one table. */
#include "cli/guide.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

#define SETTLE_MS 60 /* lines that come this close together were pasted, not typed */
#define OPTIONS_MAX 32
#define KEYS_WIDTH 80

enum kind { ON_BEGIN = 1, ON_CHECK = 2, ON_SEEN = 4, ON_CHOOSE = 8, ON_CONFIRM = 16, ON_HAND = 32 };

struct option {
    char key[16];
    const char *label;
};

struct rb_guide {
    struct rb_exec *e;
    enum kind kind;
    struct option options[OPTIONS_MAX];
    int count;
    int64_t started_us; /* of the run, also across a break */
    double within;      /* seconds somebody has to decide in; 0 = none */
    json_t *meta, *params, *passed_over, *fresh; /* fresh: findings of the check that runs */
    uv_timer_t settle;
    bool skips;        /* the check that ends now was passed over */
    bool closed, gone; /* gone: nobody is there any more; leave at the next question */
    char *line;
    void (*answered)(struct rb_guide *g, const char *line);
};

bool rb_guide_accessible(void)
{
    const char *set = getenv("RUNBOOK_ACCESSIBLE");
    return set != NULL && set[0] != '\0' && strcmp(set, "0") != 0;
}

static struct rb_screen screen_of(const struct rb_guide *g)
{
    return (struct rb_screen){.e = g->e, .meta = rb_run_meta(g->e->run), .file = rb_run_file(g->e->run),
                              .question = g->e->question, .params = g->params, .passed_over = g->passed_over};
}

static void answer(struct rb_guide *g, json_t *value)
{
    rb_exec_answer(g->e, value);
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

/* answered gets a line, or NULL: ask again. What was typed before the question is no answer to it. */
static void read_line(struct rb_guide *g, void (*answered)(struct rb_guide *g, const char *line))
{
    g->answered = answered;
    fflush(stderr);
    rb_put_entered(g->e->c);
    rb_prompt_flush(&g->e->prompt);
    rb_prompt_read(&g->e->prompt, on_line, g);
}

/* ---- the keys ---- */

static void ask_keys(struct rb_guide *g);

static void ask_reason(struct rb_guide *g, void (*answered)(struct rb_guide *g, const char *line))
{
    rb_put(g->e->c, RB_ERR, RB_BOLD, "%s", rb_text(RB_T_guide_reason));
    read_line(g, answered);
}

static void skipped(struct rb_guide *g, const char *reason)
{
    if (reason == NULL || reason[0] == '\0') {
        ask_keys(g);
    } else if (g->kind == ON_CHECK) {
        g->skips = true;
        answer(g, json_pack("{s:s, s:s}", "action", "skip", "reason", reason));
    } else if (g->kind == ON_HAND) {
        rb_run_remark(g->e->run, reason);
        answer(g, json_object());
    } else {
        answer(g, json_pack("{s:s}", "reason", reason));
    }
}

static void do_skip(struct rb_guide *g)
{
    ask_reason(g, skipped);
}

static bool may_go_back(const struct rb_guide *g)
{
    if (g->kind == ON_CONFIRM && strcmp(rb_json_str(g->e->question, "block", ""), "step") == 0) {
        return json_array_size(g->e->done) == 0;
    }
    return g->kind == ON_CHOOSE || g->kind == ON_CONFIRM || rb_json_int(g->e->question, "earlier", 0) > 0;
}

static void do_back(struct rb_guide *g)
{
    if (g->kind != ON_CONFIRM || strcmp(rb_json_str(g->e->question, "block", ""), "step") == 0) {
        g->e->round = 0; /* what is looked at again is shown again */
    }
    answer(g, g->kind == ON_CHOOSE || g->kind == ON_CONFIRM ? json_pack("{s:b}", "back", 1)
                                                            : json_pack("{s:s}", "action", "back"));
}

static void do_again(struct rb_guide *g)
{
    answer(g, json_pack("{s:s}", "action", "again"));
}

static void do_manual(struct rb_guide *g)
{
    struct rb_screen s = screen_of(g);
    rb_screen_manual(&s);
    ask_keys(g);
}

static void do_code(struct rb_guide *g)
{
    struct rb_screen s = screen_of(g);
    rb_screen_code(&s);
    ask_keys(g);
}

static void do_evidence(struct rb_guide *g)
{
    struct rb_screen s = screen_of(g);
    rb_screen_evidence(&s);
    ask_keys(g);
}

static void do_help(struct rb_guide *g);

static void param_given(struct rb_guide *g, const char *line)
{
    struct rb_err err = {0};
    json_t *params = json_object();
    const json_t *declared = json_object_get(rb_run_meta(g->e->run), "params");
    if (line == NULL || line[0] == '\0') {
        ask_keys(g);
    } else if (rb_exec_add_pair(params, line, "name=value", &err) != 0) {
        rb_put(g->e->c, RB_ERR, RB_WARN, "%s\n", err.text);
        ask_keys(g);
    } else if (json_object_get(declared, json_object_iter_key(json_object_iter(params))) == NULL) {
        rb_put(g->e->c, RB_ERR, RB_WARN, rb_text(RB_T_guide_no_param), json_object_iter_key(json_object_iter(params)));
        rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
        ask_keys(g);
    } else {
        answer(g, json_pack("{s:O}", "params", params));
    }
    json_decref(params);
}

static void do_param(struct rb_guide *g)
{
    rb_put(g->e->c, RB_ERR, RB_BOLD, "%s", rb_text(RB_T_guide_param_what));
    read_line(g, param_given);
}

static bool has_found(const struct rb_guide *g)
{
    return json_object_size(g->e->found) > 0;
}

static bool always(const struct rb_guide *g)
{
    (void)g;
    return true;
}

#define LOOKING (ON_CHECK | ON_SEEN)
#define ACTING (ON_CHOOSE | ON_CONFIRM | ON_HAND)

static const struct key {
    const char *key;
    unsigned kinds;
    bool (*offered)(const struct rb_guide *g);
    void (*act)(struct rb_guide *g);
    enum rb_text_id label, help;
} keys[] = {
    {"p", ON_BEGIN, always, do_param, RB_T_guide_k_param, RB_T_none},
    {"s", ON_CHECK | ON_CONFIRM | ON_HAND, always, do_skip, RB_T_guide_k_skip, RB_T_guide_help_skip},
    {"s", ON_CHOOSE, always, do_skip, RB_T_guide_skip_choice, RB_T_guide_help_skip},
    {"b", LOOKING | ON_CHOOSE | ON_CONFIRM, may_go_back, do_back, RB_T_guide_k_back, RB_T_guide_help_back},
    {"r", LOOKING, may_go_back, do_again, RB_T_guide_k_again, RB_T_guide_help_again},
    {"m", ON_BEGIN | ON_CHECK | ON_CONFIRM | ON_HAND, always, do_manual, RB_T_guide_k_manual, RB_T_guide_help_manual},
    {"c", ON_CHECK | ON_CONFIRM, always, do_code, RB_T_guide_k_code, RB_T_guide_help_code},
    {"e", LOOKING | ACTING, has_found, do_evidence, RB_T_guide_k_evidence, RB_T_guide_help_evidence},
    {"?", ON_BEGIN | LOOKING | ACTING, always, do_help, RB_T_guide_k_help, RB_T_none},
    {"q", ON_BEGIN | LOOKING | ACTING, always, rb_guide_leave, RB_T_guide_k_leave, RB_T_guide_help_leave},
};

static void do_help(struct rb_guide *g)
{
    struct rb_cli *c = g->e->c;
    rb_put(c, RB_ERR, RB_PLAIN, "  %s\n", rb_text(RB_T_guide_help));
    rb_screen_field(c, rb_text(RB_T_guide_enter), rb_text(RB_T_guide_help_run));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if ((keys[i].kinds & g->kind) && keys[i].help != RB_T_none) {
            rb_screen_field(c, keys[i].key, rb_text(keys[i].help));
        }
    }
    ask_keys(g);
}

/* ---- what the main key does ---- */

static const char *typed_word(const struct rb_guide *g)
{
    return g->kind == ON_CONFIRM ? rb_json_str(g->e->question, "typed", NULL) : NULL;
}

static bool low_risk(const struct rb_guide *g)
{
    return strcmp(rb_json_str(g->e->question, "risk", "low"), "low") == 0;
}

static void hand_told(struct rb_guide *g, const char *line)
{
    char said[RB_PROMPT_MAX + 512];
    if (line == NULL) {
        ask_keys(g);
        return;
    }
    snprintf(said, sizeof said, rb_text(RB_T_guide_by_hand_said), rb_json_str(g->e->question, "id", ""), line);
    rb_run_remark(g->e->run, said);
    answer(g, json_pack("{s:{s:s%}}", "answers", "did", line, strlen(line)));
}

static void say_yes(struct rb_guide *g)
{
    if (g->kind == ON_BEGIN) {
        answer(g, json_pack("{s:b}", "go", 1));
    } else if (g->kind == ON_CONFIRM) {
        answer(g, json_pack("{s:s}", "typed", "y"));
    } else if (g->kind == ON_HAND) {
        rb_put(g->e->c, RB_ERR, RB_BOLD, "%s", rb_text(RB_T_guide_did));
        read_line(g, hand_told);
    } else {
        answer(g, json_pack("{s:s}", "action", "run"));
    }
}

static bool pick(struct rb_guide *g, const char *line)
{
    const json_t *offers = json_object_get(g->e->question, "offers");
    char *end = NULL;
    long n = line[0] == '\0' ? 1 : strtol(line, &end, 10);
    const json_t *offer = end != NULL && *end != '\0' ? NULL : n > 0 ? rb_exec_nth(offers, n) : NULL;
    if (offer != NULL) {
        answer(g, json_pack("{s:O, s:O}", "fix", json_object_get(offer, "fix"), "key", json_object_get(offer, "key")));
    }
    return offer != NULL;
}

/* ---- the question ---- */

static void add_option(struct rb_guide *g, const char *key, const char *label)
{
    if (g->count < OPTIONS_MAX) {
        struct option *option = &g->options[g->count++];
        snprintf(option->key, sizeof option->key, "%s", key);
        option->label = label;
    }
}

static void list_options(struct rb_guide *g)
{
    g->count = 0;
    bool ready = json_object_get(g->e->question, "problem") == NULL;
    if (g->kind == ON_BEGIN && ready) {
        add_option(g, "", rb_text(RB_T_guide_k_begin));
    } else if (g->kind == ON_CHECK || (g->kind == ON_CONFIRM && typed_word(g) == NULL && low_risk(g))) {
        add_option(g, "", rb_text(RB_T_guide_k_run));
    } else if (g->kind == ON_SEEN) {
        add_option(g, "", rb_text(RB_T_guide_k_on));
    } else if (g->kind == ON_CHOOSE && rb_exec_nth(json_object_get(g->e->question, "offers"), 1) != NULL) {
        add_option(g, "", rb_text(RB_T_guide_k_first));
    } else if (g->kind == ON_CONFIRM && typed_word(g) == NULL) {
        add_option(g, "y", rb_text(RB_T_guide_k_yes));
    } else if (g->kind == ON_HAND) {
        add_option(g, "y", rb_text(RB_T_guide_k_done));
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if ((keys[i].kinds & g->kind) && keys[i].offered(g)) {
            add_option(g, keys[i].key, rb_text(keys[i].label));
        }
    }
}

static void act(struct rb_guide *g, const char *key)
{
    if (key[0] == '\0' || strcasecmp(key, "y") == 0) {
        if (g->kind == ON_CHOOSE) {
            (void)pick(g, ""); /* offered only when there is one */
        } else {
            say_yes(g);
        }
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if ((keys[i].kinds & g->kind) && strcasecmp(keys[i].key, key) == 0) {
            keys[i].act(g);
            return;
        }
    }
}

/* In the numbered form the choices of the question come first, and the keys go on counting. */
static const struct option *option_for(const struct rb_guide *g, const char *line)
{
    char *end = NULL;
    long offers = 0, n = strtol(line, &end, 10);
    while (g->kind == ON_CHOOSE && rb_exec_nth(json_object_get(g->e->question, "offers"), offers + 1) != NULL) {
        offers++;
    }
    if (rb_guide_accessible() && end != line && *end == '\0' && n > offers && n <= offers + g->count) {
        return &g->options[n - offers - 1];
    }
    for (int i = 0; i < g->count; i++) {
        if (strcasecmp(g->options[i].key, line) == 0) {
            return &g->options[i];
        }
    }
    return NULL;
}

static void key_given(struct rb_guide *g, const char *line)
{
    const char *word = typed_word(g);
    const struct option *option = line != NULL ? option_for(g, line) : NULL;
    if (line == NULL) {
        ask_keys(g);
    } else if (word != NULL && strcmp(line, word) == 0) {
        answer(g, json_pack("{s:s}", "typed", word));
    } else if (option != NULL) {
        act(g, option->key);
    } else if (g->kind == ON_BEGIN && strchr(line, '=') != NULL) {
        param_given(g, line);
    } else if (g->kind == ON_CHOOSE && pick(g, line)) {
        return;
    } else if (line[0] == '\0') {
        ask_keys(g);
    } else {
        rb_put(g->e->c, RB_ERR, RB_WARN, rb_text(RB_T_guide_no_such), line);
        rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
        ask_keys(g);
    }
}

static void put_numbered(struct rb_guide *g)
{
    struct rb_cli *c = g->e->c;
    int offers = 0;
    while (g->kind == ON_CHOOSE && rb_exec_nth(json_object_get(g->e->question, "offers"), offers + 1) != NULL) {
        offers++;
    }
    for (int i = 0; i < g->count; i++) {
        rb_put(c, RB_ERR, RB_PLAIN, "%d. %s\n", offers + i + 1, g->options[i].label);
    }
    rb_put(c, RB_ERR, RB_PLAIN, "%s", rb_text(RB_T_guide_number));
}

static void put_keys(struct rb_guide *g)
{
    struct rb_cli *c = g->e->c;
    int used = 0;
    for (int i = 0; i < g->count; i++) {
        const char *key = g->options[i].key[0] != '\0' ? g->options[i].key : rb_text(RB_T_guide_enter);
        int width = rb_utf8_width(key) + 3 + rb_utf8_width(g->options[i].label);
        bool full = used + width > KEYS_WIDTH;
        rb_put(c, RB_ERR, RB_BOLD, "%s%s", full ? "\n" : i > 0 ? "  " : "", key);
        used = full ? width : used + width;
        rb_put(c, RB_ERR, RB_PLAIN, " %s", g->options[i].label);
    }
    rb_put(c, RB_ERR, RB_BOLD, "\n> ");
}

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
    rb_duration_format((double)(int64_t)(over ? seconds - g->within : seconds), gone);
    rb_put(g->e->c, RB_ERR, over ? RB_WARN : RB_DIM, rb_text(over ? RB_T_guide_time_over : RB_T_guide_time),
           rb_json_str(g->meta, "severity", "-"), within, gone);
    rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
}

static void ask_keys(struct rb_guide *g)
{
    const char *word = typed_word(g);
    list_options(g);
    if (word != NULL) {
        rb_put(g->e->c, RB_ERR, RB_BOLD, rb_text(RB_T_guide_typed), rb_word(g->e->c, word));
        rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
    }
    if (rb_guide_accessible()) {
        put_numbered(g);
    } else {
        put_keys(g);
    }
    read_line(g, key_given);
}

static void ask_hand(struct rb_guide *g)
{
    struct rb_exec *e = g->e;
    rb_put(e->c, RB_ERR, RB_BOLD, "\n%s  %s\n", TX(by_hand), rb_word_text(e->c, json_object_get(e->question, "title")));
    rb_put_block(e->c, RB_ERR, 2, json_object_get(e->question, "text"));
    if (json_object_size(json_object_get(e->question, "asks")) > 0) {
        rb_exec_ask_fields(e);
    } else {
        ask_keys(g);
    }
}

static enum kind kind_of(const char *kind, const json_t *question)
{
    bool check = strcmp(rb_json_str(question, "block", ""), "check") == 0;
    return strcmp(kind, "begin") == 0     ? ON_BEGIN
           : strcmp(kind, "pace") == 0    ? check ? ON_CHECK : ON_SEEN
           : strcmp(kind, "choose") == 0  ? ON_CHOOSE
           : strcmp(kind, "confirm") == 0 ? ON_CONFIRM : ON_HAND;
}

static void put_confirm(struct rb_guide *g)
{
    struct rb_screen s = screen_of(g);
    if (rb_json_bool(g->e->question, "again", false)) {
        rb_put(g->e->c, RB_ERR, RB_DIM, "\n%s", rb_text(RB_T_guide_again_plan));
    }
    free(g->e->plan_shown); /* each time it is asked for, in full */
    g->e->plan_shown = NULL;
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
    struct rb_screen s = screen_of(g);
    static void (*const screens[])(const struct rb_screen *s) = {
        [ON_BEGIN] = rb_screen_begin, [ON_CHECK] = rb_screen_step, [ON_SEEN] = rb_screen_seen, [ON_CHOOSE] = rb_screen_choices};
    if (g->kind == ON_HAND) {
        ask_hand(g);
    } else if (g->kind == ON_CONFIRM) {
        put_confirm(g);
        ask_keys(g);
    } else {
        screens[g->kind](&s);
        ask_keys(g);
    }
    rb_word_release(e->c, mark);
}

/* ---- what happens ---- */

static void put_fresh(struct rb_guide *g)
{
    size_t i;
    json_t *finding;
    json_array_foreach (g->fresh, i, finding) {
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
    json_array_foreach (json_object_get(report, "checks"), i, check) {
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
