/* Every question is a set of keys; what a key means is in one table. */
#include "cli/guide_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"

#define KEYS_WIDTH 80

static void answer(struct rb_guide *g, json_t *value)
{
    rb_exec_answer(g->e, value);
}

/* ---- the keys ---- */

static void ask_reason(struct rb_guide *g, void (*answered)(struct rb_guide *g, const char *line))
{
    rb_put(g->e->c, RB_ERR, RB_BOLD, "%s", rb_text(RB_T_guide_reason));
    rb_guide_read(g, answered);
}

static void remark(struct rb_guide *g, enum rb_text_id text, const char *said)
{
    char note[RB_PROMPT_MAX + 512];
    snprintf(note, sizeof note, rb_text(text), rb_json_str(g->e->question, "id", ""), said);
    rb_run_remark(g->e->run, note);
}

static void skipped(struct rb_guide *g, const char *reason)
{
    if (reason == NULL || reason[0] == '\0') {
        rb_guide_keys(g);
    } else if (g->kind == ON_CHECK) {
        g->skips = true;
        answer(g, json_pack("{s:s, s:s}", "action", "skip", "reason", reason));
    } else if (g->kind == ON_HAND) {
        remark(g, RB_T_guide_by_hand_not, reason);
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
    struct rb_screen s = rb_guide_screen(g);
    rb_screen_manual(&s);
    rb_guide_keys(g);
}

static void do_code(struct rb_guide *g)
{
    struct rb_screen s = rb_guide_screen(g);
    rb_screen_code(&s);
    rb_guide_keys(g);
}

static void do_evidence(struct rb_guide *g)
{
    struct rb_screen s = rb_guide_screen(g);
    rb_screen_evidence(&s);
    rb_guide_keys(g);
}

static bool was_listed(const struct rb_guide *g)
{
    return g->e->c->listed;
}

/* It was the wrong one: back to what is seen. */
static void do_other(struct rb_guide *g)
{
    g->e->c->again = true;
    rb_guide_leave(g);
}

static void do_help(struct rb_guide *g);

static void param_given(struct rb_guide *g, const char *line)
{
    struct rb_err err = {0};
    json_t *params = json_object();
    const json_t *declared = json_object_get(rb_run_meta(g->e->run), "params");
    if (line == NULL || line[0] == '\0') {
        rb_guide_keys(g);
    } else if (rb_exec_add_pair(params, line, "name=value", &err) != 0) {
        rb_put(g->e->c, RB_ERR, RB_WARN, "%s\n", err.text);
        rb_guide_keys(g);
    } else if (json_object_get(declared, json_object_iter_key(json_object_iter(params))) == NULL) {
        rb_put(g->e->c, RB_ERR, RB_WARN, rb_text(RB_T_guide_no_param), json_object_iter_key(json_object_iter(params)));
        rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
        rb_guide_keys(g);
    } else {
        answer(g, json_pack("{s:O}", "params", params));
    }
    json_decref(params);
}

static void do_param(struct rb_guide *g)
{
    rb_put(g->e->c, RB_ERR, RB_BOLD, "%s", rb_text(RB_T_guide_param_what));
    rb_guide_read(g, param_given);
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
    {"b", ON_BEGIN, was_listed, do_other, RB_T_guide_k_back, RB_T_none},
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
    if (g->kind == ON_HAND) {
        rb_screen_field(c, "y", rb_text(RB_T_guide_help_done));
    } else {
        rb_screen_field(c, rb_text(RB_T_guide_enter), rb_text(RB_T_guide_help_run));
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if ((keys[i].kinds & g->kind) && keys[i].help != RB_T_none && keys[i].offered(g)) {
            rb_screen_field(c, keys[i].key, rb_text(keys[i].help));
        }
    }
    rb_guide_keys(g);
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
    if (line == NULL) {
        rb_guide_keys(g);
        return;
    }
    remark(g, RB_T_guide_by_hand_said, line);
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
        rb_guide_read(g, hand_told);
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
        rb_guide_keys(g);
    } else if (word != NULL && strcmp(line, word) == 0) {
        answer(g, json_pack("{s:s}", "typed", word));
    } else if (option != NULL) {
        act(g, option->key);
    } else if (g->kind == ON_BEGIN && strchr(line, '=') != NULL) {
        param_given(g, line);
    } else if (g->kind == ON_CHOOSE && pick(g, line)) {
        return;
    } else if (line[0] == '\0') {
        rb_guide_keys(g);
    } else {
        rb_put(g->e->c, RB_ERR, RB_WARN, rb_text(RB_T_guide_no_such), line);
        rb_put(g->e->c, RB_ERR, RB_PLAIN, "\n");
        rb_guide_keys(g);
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

void rb_guide_keys(struct rb_guide *g)
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
    rb_guide_read(g, key_given);
}
