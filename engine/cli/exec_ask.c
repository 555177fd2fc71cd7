/* The three questions a run may ask, and the flag that answers each without a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/exec.h"
#include "cli/guide.h"

void rb_exec_answer(struct rb_exec *e, json_t *value)
{
    json_t *question = e->question;
    e->question = NULL;
    rb_run_answer(e->run, value);
    json_decref(value);
    json_decref(question);
}

static void prompt(struct rb_exec *e, void (*answered)(const char *line, void *user))
{
    fflush(stderr);
    rb_put_entered(e->c);
    rb_prompt_read(&e->prompt, answered, e);
}

/* ---- choose ---- */

void rb_exec_offer(struct rb_exec *e, const json_t *offer, int n)
{
    struct rb_cli *c = e->c;
    char name[512];
    const char *key = rb_json_str(offer, "typed", rb_json_str(offer, "key", ""));
    const char *grey = rb_word_text(c, json_object_get(offer, "grey"));
    const char *no_undo = rb_word_text(c, json_object_get(offer, "no_undo"));
    const char *why = rb_word_text(c, json_object_get(offer, "why"));
    snprintf(name, sizeof name, "%s%s%s", rb_json_str(offer, "fix", "?"), key[0] != '\0' ? "=" : "", key);
    rb_put(c, RB_ERR, RB_BOLD, grey[0] != '\0' ? "  -  " : "  %d  ", n);
    rb_put(c, RB_ERR, grey[0] != '\0' ? RB_DIM : RB_PLAIN, "%s  %s  %s %s\n", rb_word_pad(c, rb_word(c, name), 22),
           rb_word_text(c, json_object_get(offer, "title")), TX(risk),
           rb_risk_word(c, rb_json_str(offer, "risk", "low")));
    if (grey[0] != '\0') {
        rb_put(c, RB_ERR, RB_DIM, "       %s  %s\n", TX(not_now_because), grey);
    }
    if (why[0] != '\0') {
        rb_put(c, RB_ERR, RB_PLAIN, "       %s\n", why);
    }
    if (no_undo[0] != '\0') {
        rb_put(c, RB_ERR, RB_PLAIN, "       %s  %s\n", TX(no_undo), no_undo);
    } else if (rb_json_bool(offer, "undo", false)) {
        rb_put(c, RB_ERR, RB_DIM, "       %s\n", TX(show_undo));
    }
}

/* The nth offer that may be chosen, from 1. */
const json_t *rb_exec_nth(const json_t *offers, long n)
{
    size_t i;
    json_t *offer;
    json_array_foreach((json_t *)offers, i, offer) {
        if (rb_word_is_empty(json_object_get(offer, "grey")) && --n == 0) {
            return offer;
        }
    }
    return NULL;
}

static void chosen(const char *line, void *user);

static void prompt_choose(struct rb_exec *e, int count)
{
    rb_put(e->c, RB_ERR, RB_BOLD, TX(choose_prompt), count + 1, count + 1);
    prompt(e, chosen);
}

static int count_offers(const json_t *offers)
{
    int n = 0;
    while (rb_exec_nth(offers, n + 1) != NULL) {
        n++;
    }
    return n;
}

static void chosen(const char *line, void *user)
{
    struct rb_exec *e = user;
    const json_t *offers = json_object_get(e->question, "offers");
    int count = count_offers(offers);
    char *end = NULL;
    long n = line != NULL && line[0] != '\0' ? strtol(line, &end, 10) : count + 1;
    const json_t *offer = end != NULL && *end != '\0' ? NULL : rb_exec_nth(offers, n);
    if (line == NULL) {
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
    }
    if (offer != NULL && n > 0) {
        rb_exec_answer(
            e, json_pack("{s:O, s:O}", "fix", json_object_get(offer, "fix"), "key", json_object_get(offer, "key")));
    } else if (end == NULL || (*end == '\0' && n == count + 1)) {
        rb_exec_answer(e, json_object());
    } else {
        rb_put(e->c, RB_ERR, RB_PLAIN, TX(choose_again), count + 1);
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
        prompt_choose(e, count);
    }
}

static void ask_choose(struct rb_exec *e)
{
    const json_t *offers = json_object_get(e->question, "offers");
    size_t i;
    int n = 0;
    json_t *offer;
    rb_put(e->c, RB_ERR, RB_BOLD, "\n%s\n", TX(choose_head));
    json_array_foreach((json_t *)offers, i, offer) {
        n += rb_word_is_empty(json_object_get(offer, "grey"));
        rb_exec_offer(e, offer, n);
    }
    rb_put(e->c, RB_ERR, RB_BOLD, "  %d  ", n + 1);
    rb_put(e->c, RB_ERR, RB_PLAIN, "%s\n", TX(choose_none));
    rb_put(e->c, RB_ERR, RB_DIM, "%s\n", TX(choose_twin));
    prompt_choose(e, n);
}

/* ---- confirm ---- */

static void confirmed(const char *line, void *user)
{
    struct rb_exec *e = user;
    const char *wanted = rb_json_str(e->question, "typed", NULL);
    if (line == NULL) {
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
    } else if (wanted != NULL && line[0] != '\0' && strcmp(line, wanted) != 0) {
        rb_put(e->c, RB_ERR, RB_WARN, TX(confirm_other), rb_word(e->c, wanted));
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
    }
    rb_exec_answer(e,
                   line != NULL && line[0] != '\0' ? json_pack("{s:s%}", "typed", line, strlen(line)) : json_object());
}

static void ask_confirm(struct rb_exec *e)
{
    struct rb_cli *c = e->c;
    const char *typed = rb_json_str(e->question, "typed", NULL);
    rb_exec_plan(e, e->question, json_object_get(e->question, "writes"));
    if (typed != NULL) {
        json_t *twin = json_pack("[s, s]", "--confirm", typed);
        rb_put(c, RB_ERR, RB_DIM, "%s  ", TX(twin));
        rb_put(c, RB_ERR, RB_COMMAND, "%s\n", rb_word_argv(c, twin));
        int others = (int)rb_json_int(e->question, "others", 0);
        if (others > 0) {
            rb_put(c, RB_ERR, RB_BOLD, rb_text_n(RB_T_trust_ask_others, others), others, rb_word(c, typed));
        } else {
            rb_put(c, RB_ERR, RB_BOLD, TX(confirm_typed), rb_word(c, typed));
        }
        json_decref(twin);
    } else {
        rb_put(c, RB_ERR, RB_DIM, "%s  --yes\n", TX(twin));
        rb_put(c, RB_ERR, RB_BOLD, "%s [y/N] ", TX(confirm_yes_no));
    }
    prompt(e, confirmed);
}

/* ---- ask ---- */

static void ask_next(struct rb_exec *e);

static const json_t *current_ask(const struct rb_exec *e)
{
    return json_object_get(json_object_get(e->question, "asks"), e->ask_name);
}

static bool choice_value(const json_t *choices, const char *line, json_t **value)
{
    size_t i;
    json_t *choice;
    char *end = NULL;
    long n = strtol(line, &end, 10);
    json_array_foreach((json_t *)choices, i, choice) {
        const json_t *own = json_is_object(choice) ? json_object_get(choice, "value") : choice;
        bool by_name = json_is_string(own) && strcmp(json_string_value(own), line) == 0;
        if (by_name || (*end == '\0' && end != line && n == (long)i + 1)) {
            *value = json_incref((json_t *)own);
            return true;
        }
    }
    return false;
}

static void asked(const char *line, void *user)
{
    struct rb_exec *e = user;
    const json_t *ask = current_ask(e), *choices = json_object_get(ask, "choices");
    const json_t *standard = json_object_get(ask, "default");
    json_t *value = NULL;
    bool empty = line == NULL || line[0] == '\0', has_default = standard != NULL && !json_is_null(standard);
    if (e->guide != NULL && (line == NULL || strcmp(line, "q") == 0)) {
        rb_guide_leave(e->guide);
        return;
    }
    if (line == NULL) { /* Ctrl-D: not now */
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
        rb_exec_answer(e, json_object());
        return;
    }
    if (empty && has_default) {
        value = json_incref((json_t *)standard);
    } else if (empty && e->guide != NULL && rb_json_bool(ask, "required", true)) { /* one Enter too many ends nothing */
        rb_put(e->c, RB_ERR, RB_WARN, "%s\n", rb_text(RB_T_guide_answer));
        ask_next(e);
        return;
    } else if (empty && rb_json_bool(ask, "required", true)) {
        rb_exec_answer(e, json_object());
        return;
    } else if (!empty && json_array_size(choices) > 0 && !choice_value(choices, line, &value)) {
        rb_put(e->c, RB_ERR, RB_PLAIN, TX(choose_again), (int)json_array_size(choices));
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
        prompt(e, asked);
        return;
    } else if (!empty && value == NULL) {
        value = json_string(line);
    }
    if (value != NULL) {
        json_object_set_new(e->answers, e->ask_name, value);
    }
    e->ask_iter = json_object_iter_next(json_object_get(e->question, "asks"), e->ask_iter);
    ask_next(e);
}

static void put_choices(struct rb_cli *c, const json_t *choices)
{
    size_t i;
    json_t *choice;
    json_array_foreach((json_t *)choices, i, choice) {
        const json_t *value = json_is_object(choice) ? json_object_get(choice, "value") : choice;
        rb_put(c, RB_ERR, RB_PLAIN, "  %d  %s  %s\n", (int)i + 1, rb_word_json(c, value, 200),
               json_is_object(choice) ? rb_word_text(c, json_object_get(choice, "text")) : "");
    }
}

/* One question after the other; after the last the answers go to the run together. */
static void ask_next(struct rb_exec *e)
{
    struct rb_cli *c = e->c;
    if (e->ask_iter == NULL) {
        json_t *answers = e->answers;
        e->answers = NULL;
        rb_exec_answer(e, json_pack("{s:o}", "answers", answers));
        return;
    }
    e->ask_name = json_object_iter_key(e->ask_iter);
    const json_t *ask = current_ask(e), *standard = json_object_get(ask, "default");
    const char *title = rb_word_text(c, json_object_get(ask, "title"));
    put_choices(c, json_object_get(ask, "choices"));
    rb_put(c, RB_ERR, RB_DIM, "%s  --answer %s.%s=...\n", TX(twin), rb_word(c, rb_json_str(e->question, "id", "")),
           rb_word(c, e->ask_name));
    rb_put(c, RB_ERR, RB_BOLD, "%s", title[0] != '\0' ? title : rb_word(c, e->ask_name));
    if (standard != NULL && !json_is_null(standard)) {
        rb_put(c, RB_ERR, RB_BOLD, " [%s]", rb_word_json(c, standard, 100));
    }
    rb_put(c, RB_ERR, RB_BOLD, ": ");
    prompt(e, asked);
}

static void done_by_hand(const char *line, void *user)
{
    struct rb_exec *e = user;
    bool yes = line != NULL && (strcmp(line, "y") == 0 || strcmp(line, "Y") == 0 || strcmp(line, "yes") == 0);
    if (line == NULL) {
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
    }
    rb_exec_answer(e, yes ? json_pack("{s:{}}", "answers") : json_object());
}

void rb_exec_ask_fields(struct rb_exec *e)
{
    json_decref(e->answers);
    e->answers = json_object();
    e->ask_iter = json_object_iter(json_object_get(e->question, "asks"));
    ask_next(e);
}

void rb_exec_not_yet(struct rb_exec *e)
{
    const char *why = rb_word_text(e->c, json_object_get(e->question, "not_yet"));
    if (why[0] != '\0') {
        rb_put(e->c, RB_ERR, RB_WARN, rb_text(RB_T_guide_not_yet), why);
        rb_put(e->c, RB_ERR, RB_PLAIN, "\n");
    }
}

static void ask_person(struct rb_exec *e)
{
    struct rb_cli *c = e->c;
    rb_put(c, RB_ERR, RB_BOLD, "\n%s  %s\n", TX(by_hand), rb_word_text(c, json_object_get(e->question, "title")));
    rb_put_block(c, RB_ERR, 2, json_object_get(e->question, "text"));
    rb_exec_not_yet(e);
    if (json_object_size(json_object_get(e->question, "asks")) > 0) {
        rb_exec_ask_fields(e);
        return;
    }
    rb_put(c, RB_ERR, RB_DIM, "%s  --answer %s=done\n", TX(twin), rb_word(c, rb_json_str(e->question, "id", "")));
    rb_put(c, RB_ERR, RB_BOLD, "%s [y/N] ", TX(by_hand_done));
    prompt(e, done_by_hand);
}

bool rb_exec_question(struct rb_exec *e, struct rb_run *run, const json_t *question)
{
    e->run = run;
    rb_status(e->c, NULL);
    json_decref(e->question);
    e->question = json_deep_copy(question);
    if (!e->prompt.open || e->c->no_input) {
        rb_exec_answer(e, json_object()); /* nobody is there: not now */
        return false;
    }
    return true;
}

void rb_exec_ask(void *user, struct rb_run *run, const char *kind, const json_t *question)
{
    struct rb_exec *e = user;
    if (!rb_exec_question(e, run, question)) {
        return;
    }
    if (strcmp(kind, "choose") == 0) {
        ask_choose(e);
    } else if (strcmp(kind, "confirm") == 0) {
        ask_confirm(e);
    } else {
        ask_person(e);
    }
}
