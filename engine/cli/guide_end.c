/* The end of a guided run: what was seen, what was done, what was not, and the report for the ticket. */
#include "cli/guide.h"

#include <string.h>

#include "base/json.h"

static void head(struct rb_cli *c, enum rb_text_id text)
{
    rb_put(c, RB_OUT, RB_BOLD, "%s\n", rb_text(text));
}

static void nothing(struct rb_cli *c, bool none)
{
    if (none) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", rb_text(RB_T_guide_end_nothing));
    }
}

static void put_finding(struct rb_cli *c, const json_t *f)
{
    bool gone = strcmp(rb_json_str(f, "state", ""), "cleared") == 0;
    rb_put(c, RB_OUT, RB_PLAIN, "  ");
    rb_put_mark(c, RB_OUT, gone ? RB_GOOD : RB_WARN);
    c->line[RB_OUT].indent = c->line[RB_OUT].at;
    rb_put(c, RB_OUT, RB_PLAIN, "%s  (%s)\n", rb_word_text(c, json_object_get(f, "title")),
           rb_text(gone ? RB_T_guide_end_gone : RB_T_guide_end_stands));
}

static void put_saw(struct rb_cli *c, const json_t *report)
{
    size_t i, k, n = 0;
    json_t *check, *one;
    head(c, RB_T_guide_end_saw);
    json_array_foreach(json_object_get(report, "checks"), i, check) {
        json_array_foreach(json_object_get(check, "findings"), k, one) {
            put_finding(c, one);
            n++;
        }
    }
    if (n == 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", rb_text(RB_T_guide_clean));
    }
}

static bool was_done(const json_t *act)
{
    return json_array_size(json_object_get(act, "effects")) > 0 ||
           (json_object_get(act, "plan") == NULL && strcmp(rb_json_str(act, "result", ""), "done") == 0);
}

/* A step that only a person can do has no plan, so no title of its own in the report. */
static const char *title_of(struct rb_exec *e, const json_t *act)
{
    const char *title = rb_word_text(e->c, json_object_get(act, "title"));
    const json_t *block =
        title[0] == '\0' ? rb_screen_block(rb_guide_meta(e->guide), rb_json_str(act, "id", "")) : NULL;
    return block != NULL ? rb_screen_unfilled(e->c, json_object_get(block, "title")) : title;
}

static void put_act(struct rb_exec *e, const json_t *act, const char *word, const char *why)
{
    struct rb_cli *c = e->c;
    const char *title = title_of(e, act);
    rb_put(c, RB_OUT, RB_PLAIN, "  %s", rb_word(c, rb_json_str(act, "id", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s  %s%s%s\n", title[0] != '\0' ? "  " : "", title, word, why[0] != '\0' ? ": " : "",
           why);
}

static size_t put_done(struct rb_exec *e, const json_t *list)
{
    struct rb_cli *c = e->c;
    size_t i, k, n = 0;
    json_t *act, *effect;
    json_array_foreach((json_t *)list, i, act) {
        if (was_done(act)) {
            n++;
            put_act(e, act, rb_result_word(c, rb_json_str(act, "result", "?")), "");
        }
        json_array_foreach(json_object_get(act, "effects"), k, effect) {
            rb_put(c, RB_OUT, RB_DIM, "    %s\n", rb_effect_line(c, effect));
        }
    }
    return n;
}

static void put_notes(struct rb_cli *c, const json_t *report)
{
    size_t i;
    json_t *note;
    if (json_array_size(json_object_get(report, "notes")) > 0) {
        head(c, RB_T_guide_md_notes);
    }
    json_array_foreach(json_object_get(report, "notes"), i, note) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", rb_word_text(c, json_object_get(note, "text")));
    }
}

static size_t put_not_done(struct rb_exec *e, const json_t *list)
{
    struct rb_cli *c = e->c;
    size_t i, n = 0;
    json_t *act;
    json_array_foreach((json_t *)list, i, act) {
        if (!was_done(act)) {
            const json_t *confirmed = json_object_get(act, "confirmed");
            const char *word = strcmp(rb_json_str(confirmed, "answer", ""), "no") == 0
                                   ? "declined"
                                   : rb_json_str(act, "result", "declined");
            put_act(e, act, rb_result_word(c, word), rb_word(c, rb_json_str(confirmed, "reason", "")));
            n++;
        }
    }
    return n;
}

static size_t put_not_looked(struct rb_exec *e, const json_t *report)
{
    struct rb_cli *c = e->c;
    size_t i, n = 0;
    json_t *check;
    json_array_foreach(json_object_get(report, "checks"), i, check) {
        const char *result = rb_json_str(check, "result", "");
        if (strcmp(result, "skipped") == 0 || strcmp(result, "failed") == 0) {
            const char *text = rb_word_text(c, json_object_get(check, "text"));
            put_act(e, check, text[0] != '\0' ? text : rb_result_word(c, result), "");
            n++;
        }
    }
    return n;
}

static size_t put_left(struct rb_cli *c, const json_t *result)
{
    size_t i;
    json_t *next;
    json_array_foreach(json_object_get(result, "next"), i, next) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", rb_word_text(c, json_object_get(next, "why")));
    }
    return json_array_size(json_object_get(result, "next"));
}

static void put_prevent(struct rb_exec *e)
{
    struct rb_cli *c = e->c;
    size_t i;
    json_t *one;
    bool headed = false;
    json_array_foreach(json_object_get(rb_guide_meta(e->guide), "prevents"), i, one) {
        const char *text = rb_word_text(c, json_object_get(one, "by_hand"));
        if (text[0] != '\0') {
            if (!headed) {
                head(c, RB_T_guide_end_prevent);
                headed = true;
            }
            rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", text);
        }
    }
}

static void put_command(struct rb_exec *e, const char *label, const char *const *words)
{
    json_t *argv = rb_cli_repeat(e->c);
    for (; *words != NULL; words++) {
        json_array_append_new(argv, json_string(*words));
    }
    rb_put(e->c, RB_ERR, RB_PLAIN, "%s  ", label);
    rb_put(e->c, RB_ERR, RB_COMMAND, "%s\n", rb_word_argv(e->c, argv));
    json_decref(argv);
}

static void put_next(struct rb_exec *e)
{
    size_t i;
    json_t *next;
    json_array_foreach(json_object_get(e->result, "next"), i, next) {
        rb_put(e->c, RB_ERR, RB_PLAIN, "%s  ", TX(next));
        rb_put(e->c, RB_ERR, RB_COMMAND, "%s\n", rb_word_argv(e->c, json_object_get(next, "argv")));
    }
}

static bool was_left(const json_t *result)
{
    const json_t *next = json_array_get(json_object_get(result, "next"), 0);
    size_t i;
    json_t *word;
    json_array_foreach(json_object_get(next, "argv"), i, word) {
        if (json_is_string(word) && strcmp(json_string_value(word), "--resume") == 0) {
            return true;
        }
    }
    return false;
}

void rb_guide_end(struct rb_exec *e)
{
    struct rb_cli *c = e->c;
    const char *run = rb_json_str(e->result, "run", NULL);
    rb_status(c, NULL);
    if (was_left(e->result)) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", rb_text(RB_T_guide_end_left));
        put_next(e);
        return;
    }
    if (!e->begun) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", rb_text(RB_T_guide_bye));
        rb_exec_error(c, e->result);
        return;
    }
    const char *result = rb_json_str(e->result, "result", "?");
    rb_put(c, RB_OUT, rb_result_style(result), "\n%s\n", rb_exec_sentence(result));
    rb_exec_error(c, e->result);
    if (json_array_size(json_object_get(e->result, "checks")) > 0) {
        put_saw(c, e->result);
    }
    head(c, RB_T_guide_end_did);
    nothing(c,
            put_done(e, json_object_get(e->result, "fixes")) + put_done(e, json_object_get(e->result, "steps")) == 0);
    head(c, RB_T_guide_end_did_not);
    size_t steps = put_not_done(e, json_object_get(e->result, "steps"));
    size_t n = put_not_done(e, json_object_get(e->result, "fixes")) + steps + put_not_looked(e, e->result);
    if (steps == 0) {
        n += put_left(c, e->result);
    }
    nothing(c, n == 0);
    put_notes(c, e->result);
    if (strcmp(result, "fixed") == 0 || strcmp(result, "done") == 0) {
        put_prevent(e);
    }
    put_next(e);
    put_command(e, rb_text(RB_T_guide_end_ticket),
                (const char *const[]){"show", run != NULL ? run : "?", "-o", "md", NULL});
}

void rb_guide_so_far(struct rb_exec *e, const json_t *report)
{
    struct rb_cli *c = e->c;
    size_t i;
    json_t *check;
    rb_put(c, RB_ERR, RB_BOLD, "%s", rb_word(c, rb_json_str(report, "runbook", "?")));
    rb_put(c, RB_ERR, RB_PLAIN, "  %s  %s\n", rb_word(c, rb_json_str(report, "severity", "-")),
           rb_word_text(c, json_object_get(report, "title")));
    rb_put(c, RB_ERR, RB_PLAIN, "%s\n", rb_text(RB_T_guide_resumed));
    json_array_foreach(json_object_get(report, "checks"), i, check) {
        const char *result = rb_json_str(check, "result", "?");
        rb_put(c, RB_ERR, RB_PLAIN, "  ");
        rb_put_mark(c, RB_ERR, strcmp(result, "failed") == 0 ? RB_BAD : strcmp(result, "ok") == 0 ? RB_GOOD : RB_WARN);
        rb_put(c, RB_ERR, RB_PLAIN, "%s  %s  %s\n", rb_word_pad(c, rb_word(c, rb_json_str(check, "id", "?")), 16),
               rb_result_word(c, result), rb_word_text(c, json_object_get(check, "text")));
    }
    size_t n = json_array_size(json_object_get(report, "checks"));
    n += put_done(e, json_object_get(report, "fixes")) + put_done(e, json_object_get(report, "steps"));
    if (n == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "  %s\n", rb_text(RB_T_guide_nothing_yet));
    }
}
