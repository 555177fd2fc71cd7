/* The screens of the guide: what a step is, before it runs. */
#include "cli/guide.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "catalog/reach.h"

#define LEARN_MAX 5 /* lines, so that a step fits a screen of 24 */
#define LABEL 10

void rb_screen_field(struct rb_cli *c, const char *label, const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    rb_put(c, RB_ERR, RB_DIM, "  %s", rb_word_pad(c, label, LABEL));
    c->line[RB_ERR].indent = c->line[RB_ERR].at;
    rb_put(c, RB_ERR, RB_PLAIN, "%s\n", text);
}

const json_t *rb_screen_block(const json_t *meta, const char *id)
{
    static const char *const lists[] = {"checks", "fixes", "steps"};
    const json_t *found = NULL;
    for (size_t i = 0; i < sizeof lists / sizeof *lists && found == NULL; i++) {
        found = rb_json_find(json_object_get(meta, lists[i]), "id", id);
    }
    return found;
}

static const char *asked_id(const struct rb_screen *s)
{
    return rb_json_str(s->question, "id", rb_json_str(s->question, "fix", ""));
}

static const json_t *asked_block(const struct rb_screen *s)
{
    return rb_screen_block(s->meta, asked_id(s));
}

const char *rb_screen_unfilled(struct rb_cli *c, const json_t *text)
{
    struct rb_buf b;
    rb_buf_init(&b, 1u << 16);
    for (const char *at = text != NULL ? rb_text_json(text) : ""; *at != '\0';) {
        const char *close = *at == '{' ? strchr(at, '}') : NULL;
        if (close != NULL && close - at < 64) {
            rb_buf_adds(&b, "…");
            at = close + 1;
        } else {
            rb_buf_add(&b, at++, 1);
        }
    }
    const char *kept = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return kept;
}

/* ---- before it begins ---- */

/* In the units it is written with: 64MB, not 61 MiB. */
static const char *size_word(struct rb_cli *c, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    char text[32];
    int unit = 0;
    for (; bytes >= 1000 && unit < 4; unit++) {
        bytes /= 1000;
    }
    snprintf(text, sizeof text, "%.4g %s", bytes, units[unit]);
    return rb_word(c, text);
}

/* As people write it. */
static const char *param_word(struct rb_cli *c, const json_t *value, const char *type)
{
    char text[RB_TIME_MAX];
    const char *shown = value != NULL && !json_is_null(value) ? rb_word_json(c, value, 200) : "";
    if (strcmp(type, "duration") == 0 && json_is_number(value)) {
        rb_duration_format(json_number_value(value), text);
        shown = rb_word(c, text);
    } else if (strcmp(type, "size") == 0 && json_is_number(value)) {
        shown = size_word(c, json_number_value(value));
    }
    return shown[0] != '\0' ? shown : "-";
}

static void put_params(const struct rb_screen *s)
{
    struct rb_cli *c = s->e->c;
    const json_t *declared = json_object_get(s->meta, "params"), *values = json_object_get(s->question, "params");
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(declared, "order"), i, name) {
        const char *key = json_string_value(name);
        const json_t *own = json_object_get(values, key),
                     *value = own != NULL ? own : json_object_get(json_object_get(declared, key), "default");
        const char *title = rb_word_text(c, json_object_get(json_object_get(declared, key), "title"));
        const char *shown = param_word(c, value, rb_json_str(json_object_get(declared, key), "type", ""));
        rb_put(c, RB_ERR, RB_DIM, "  %s ", rb_word_pad(c, rb_word(c, key), 16));
        c->line[RB_ERR].indent = c->line[RB_ERR].at;
        rb_put(c, RB_ERR, RB_PLAIN, "%s", shown);
        rb_put(c, RB_ERR, RB_DIM, "  %s\n", title);
    }
}

static void put_count(struct rb_cli *c, const char *label, enum rb_text_id id, const json_t *list)
{
    char text[256];
    int n = (int)json_array_size(list);
    if (n > 0) {
        snprintf(text, sizeof text, rb_text_n(id, n), n);
        rb_screen_field(c, label, text);
    }
}

void rb_screen_begin(const struct rb_screen *s)
{
    struct rb_cli *c = s->e->c;
    const char *problem = rb_json_str(s->question, "problem", NULL);
    rb_put(c, RB_ERR, RB_BOLD, "\n%s", rb_word(c, rb_json_str(s->meta, "id", "?")));
    rb_put(c, RB_ERR, RB_PLAIN, "  %s  %s\n", rb_word(c, rb_json_str(s->meta, "severity", "-")),
           rb_word_text(c, json_object_get(s->meta, "title")));
    rb_screen_field(c, rb_text(RB_T_guide_when), rb_word_json(c, json_object_get(s->meta, "symptoms"), 160));
    rb_screen_field(c, rb_text(RB_T_guide_impact), rb_word_text(c, json_object_get(s->meta, "impact")));
    rb_screen_field(c, rb_text(RB_T_guide_manual), rb_word_text(c, json_object_get(s->meta, "source")));
    put_count(c, rb_text(RB_T_guide_looks), RB_T_guide_looks_text, json_object_get(s->meta, "checks"));
    put_count(c, rb_text(RB_T_guide_may), RB_T_guide_may_text, json_object_get(s->meta, "fixes"));
    put_count(c, rb_text(RB_T_guide_may), RB_T_guide_may_steps, json_object_get(s->meta, "steps"));
    rb_put(c, RB_ERR, RB_PLAIN, "\n");
    put_params(s);
    if (problem != NULL) {
        rb_put(c, RB_ERR, RB_WARN, "%s ", rb_text(RB_T_guide_missing));
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", rb_word(c, problem));
        const char *hint = rb_word(c, rb_json_str(s->question, "hint", ""));
        rb_put(c, RB_ERR, RB_PLAIN, hint[0] != '\0' ? "  %s\n" : "%s", hint);
    }
}

/* ---- a check ---- */

static void put_reads(const struct rb_screen *s, const json_t *reach, const json_t *params)
{
    struct rb_cli *c = s->e->c;
    struct rb_buf b;
    size_t i;
    json_t *name;
    const json_t *calls = json_object_get(reach, "calls");
    rb_buf_init(&b, 1u << 16);
    rb_buf_adds(&b, json_array_size(calls) > 0 ? rb_word_json(c, calls, 200) : "");
    json_array_foreach(json_object_get(reach, "params"), i, name) {
        const json_t *value = json_object_get(params, json_string_value(name));
        const json_t *type =
            json_object_get(json_object_get(json_object_get(s->meta, "params"), json_string_value(name)), "type");
        if (json_is_string(type) && strcmp(json_string_value(type), "path") == 0 && json_is_string(value)) {
            rb_buf_addf(&b, "%s%s", b.len > 0 ? "  " : "", rb_word_json(c, value, 200));
        }
    }
    rb_buf_addf(&b, "  %s", rb_text(RB_T_guide_reads_only));
    rb_screen_field(c, rb_text(RB_T_guide_reads), rb_word(c, rb_buf_str(&b)));
    rb_buf_deinit(&b);
}

static void put_learn(const struct rb_screen *s, const json_t *reach)
{
    struct rb_cli *c = s->e->c;
    const json_t *ids = json_object_get(reach, "findings");
    const char *label = rb_text(RB_T_guide_learn);
    char more[128];
    size_t i, count = json_array_size(ids);
    json_t *id;
    json_array_foreach((json_t *)ids, i, id) {
        const json_t *finding = rb_json_find(json_object_get(s->meta, "findings"), "id", json_string_value(id));
        if (i < LEARN_MAX) {
            rb_screen_field(c, label, rb_screen_unfilled(c, json_object_get(finding, "title")));
        }
        label = "";
    }
    if (count > LEARN_MAX) {
        snprintf(more, sizeof more, rb_text(RB_T_guide_learn_more), (int)(count - LEARN_MAX));
        rb_screen_field(c, "", more);
    }
}

static const char *own_or_runbooks(const struct rb_screen *s, const json_t *block, const char *field)
{
    const json_t *own = json_object_get(block, field);
    return rb_word_text(s->e->c, own != NULL && !json_is_null(own) ? own : json_object_get(s->meta, field));
}

static void put_manual(const struct rb_screen *s, const json_t *block)
{
    struct rb_cli *c = s->e->c;
    const char *quote = rb_word_text(c, json_object_get(block, "quote"));
    if (quote[0] == '\0' && json_object_get(block, "source") == NULL) {
        return; /* the runbook's own source was shown when it began */
    }
    rb_screen_field(c, rb_text(RB_T_guide_manual), own_or_runbooks(s, block, "source"));
    rb_screen_field(c, "", quote);
}

void rb_screen_step(const struct rb_screen *s)
{
    struct rb_cli *c = s->e->c;
    const json_t *block = asked_block(s);
    json_t *reach = rb_reach(rb_reach_text(s->file, block), (int)rb_json_int(block, "line", 1),
                             json_object_get(s->meta, "findings"));
    rb_put(c, RB_ERR, RB_BOLD, "\n");
    rb_put(c, RB_ERR, RB_BOLD, rb_text(RB_T_guide_step), (int)rb_json_int(s->question, "n", 0),
           (int)rb_json_int(s->question, "of", 0));
    rb_put(c, RB_ERR, RB_BOLD, "  %s", rb_word_text(c, json_object_get(s->question, "title")));
    rb_put(c, RB_ERR, RB_DIM, "  (%s)\n", rb_word(c, asked_id(s)));
    rb_screen_field(c, rb_text(RB_T_guide_why), rb_word_text(c, json_object_get(s->question, "why")));
    put_reads(s, reach, s->params);
    put_learn(s, reach);
    put_manual(s, block);
    json_decref(reach);
}

/* ---- what was seen, what can be done ---- */

static void put_passed_over(const struct rb_screen *s)
{
    const char *id;
    json_t *reason;
    json_object_foreach((json_t *)s->passed_over, id, reason) {
        rb_put(s->e->c, RB_OUT, RB_PLAIN, "  %s %s  %s\n", rb_text(RB_T_guide_passed_over), rb_word(s->e->c, id),
               rb_word_text(s->e->c, reason));
    }
}

void rb_screen_seen(const struct rb_screen *s)
{
    struct rb_cli *c = s->e->c;
    const json_t *standing = json_object_get(s->question, "standing");
    rb_put(c, RB_OUT, RB_BOLD, "\n%s\n", rb_text(RB_T_guide_seen));
    if (json_array_size(standing) == 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "  ");
        rb_put_mark(c, RB_OUT, RB_GOOD);
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", rb_text(RB_T_guide_clean));
    }
    s->e->brief = true;
    rb_exec_tree(s->e, standing);
    s->e->brief = false;
    put_passed_over(s);
}

void rb_screen_choices(const struct rb_screen *s)
{
    size_t i;
    int n = 0;
    json_t *offer;
    rb_put(s->e->c, RB_ERR, RB_BOLD, "\n%s\n", rb_text(RB_T_guide_choices));
    json_array_foreach(json_object_get(s->question, "offers"), i, offer) {
        n += rb_word_is_empty(json_object_get(offer, "grey"));
        rb_exec_offer(s->e, offer, n);
    }
}

void rb_screen_act(const struct rb_screen *s)
{
    struct rb_cli *c = s->e->c;
    const json_t *block = asked_block(s);
    rb_screen_field(c, rb_text(RB_T_guide_why), rb_word_text(c, json_object_get(s->question, "why")));
    put_manual(s, block);
}

/* ---- on request ---- */

void rb_screen_manual(const struct rb_screen *s)
{
    struct rb_cli *c = s->e->c;
    const json_t *block = asked_block(s);
    const char *source = own_or_runbooks(s, block, "source"), *quote = own_or_runbooks(s, block, "quote");
    const char *why = rb_word_text(c, json_object_get(block, "why"));
    if (source[0] == '\0' && quote[0] == '\0' && why[0] == '\0') {
        rb_put(c, RB_ERR, RB_PLAIN, "  %s\n", rb_text(RB_T_guide_no_manual));
        return;
    }
    rb_screen_field(c, rb_text(RB_T_guide_manual), source);
    rb_screen_field(c, "", quote);
    rb_screen_field(c, rb_text(RB_T_guide_why), why);
}

void rb_screen_code(const struct rb_screen *s)
{
    struct rb_cli *c = s->e->c;
    const json_t *block = asked_block(s);
    int line = (int)rb_json_int(block, "line", 1);
    size_t i;
    json_t *text, *code = block != NULL ? rb_reach_code(rb_reach_text(s->file, block), line) : json_array();
    rb_put(c, RB_ERR, RB_DIM, "  %s:%d  sha256:%.12s\n",
           rb_word(c, rb_json_str(block != NULL ? block : s->meta, "file", rb_json_str(s->file, "file", "?"))), line,
           rb_json_str(s->file, "sha256", ""));
    json_array_foreach(code, i, text) {
        rb_put(c, RB_ERR, RB_PLAIN, "  %s\n", rb_word(c, json_string_value(text)));
    }
    json_decref(code);
}

void rb_screen_evidence(const struct rb_screen *s)
{
    const char *name;
    json_t *finding;
    if (json_object_size(s->e->found) == 0) {
        rb_put(s->e->c, RB_OUT, RB_PLAIN, "  %s\n", rb_text(RB_T_guide_end_nothing));
    }
    json_object_foreach(s->e->found, name, finding) {
        rb_exec_finding(s->e, finding, 2);
    }
}
