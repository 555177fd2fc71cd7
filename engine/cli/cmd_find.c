/* runbook find: from a symptom, a code, an alert or a pasted line to a runbook. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/commands.h"
#include "cli/guide.h"

#define SHOWN_MAX 10
#define WHY_MAX 3

static char *join_args(const struct rb_cli *c)
{
    struct rb_buf b;
    rb_buf_init(&b, 1u << 20);
    for (int i = 0; i < c->nargs; i++) {
        rb_buf_addf(&b, "%s%s", i > 0 ? " " : "", c->args[i]);
    }
    return rb_buf_take(&b);
}

static const char *field_word(struct rb_cli *c, const char *field)
{
    static const struct {
        const char *field;
        enum rb_text_id word;
    } words[] = {
        {"symptom", RB_T_cli_field_symptom}, {"symptoms", RB_T_cli_field_symptom},
        {"code", RB_T_cli_field_code},       {"codes", RB_T_cli_field_code},
        {"alert", RB_T_cli_field_alert},     {"alerts", RB_T_cli_field_alert},
        {"title", RB_T_cli_field_title},     {"tag", RB_T_cli_field_tag},
        {"tags", RB_T_cli_field_tag},        {"source", RB_T_cli_field_source},
        {"id", RB_T_cli_field_id},           {"alias", RB_T_cli_field_id},
        {"finding", RB_T_cli_field_finding}, {"findings", RB_T_cli_field_finding},
        {"body", RB_T_cli_field_body},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].field, field) == 0) {
            return rb_text(words[i].word);
        }
    }
    return rb_word(c, field);
}

void rb_put_why(struct rb_cli *c, enum rb_sink sink, const json_t *entry, const json_t *hit, size_t most)
{
    const char *title = rb_text_json(rb_entry_meta(entry, "title"));
    size_t i;
    json_t *why;
    json_array_foreach(json_object_get(hit, "why"), i, why) {
        bool said = strcmp(rb_text_json(json_object_get(why, "text")), title) == 0; /* it stands one line above */
        if (i < most && !said) {
            rb_put(c, sink, RB_DIM, "     %s  ", field_word(c, rb_json_str(why, "field", "")));
            c->line[sink].indent = c->line[sink].at;
            rb_put(c, sink, RB_PLAIN, "%s\n", rb_screen_unfilled(c, json_object_get(why, "text")));
        }
    }
}

static void put_hit(struct rb_cli *c, const json_t *entry, const json_t *hit, int n)
{
    const json_t *severity = rb_entry_meta(entry, "severity");
    rb_put(c, RB_OUT, RB_BOLD, "%d  %s", n, rb_word(c, rb_json_str(entry, "id", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s\n", json_is_string(severity) ? json_string_value(severity) : "-",
           rb_word_text(c, rb_entry_meta(entry, "title")));
    rb_put_why(c, RB_OUT, entry, hit, WHY_MAX);
}

static int put_hits(struct rb_cli *c, const json_t *loaded, const json_t *hits)
{
    size_t i;
    json_t *hit;
    struct rb_err ignored = {0};
    json_array_foreach((json_t *)hits, i, hit) {
        const json_t *entry = rb_entry_find(loaded, rb_json_str(hit, "id", ""), &ignored);
        if (entry != NULL && i < SHOWN_MAX) {
            put_hit(c, entry, hit, (int)i + 1);
        }
    }
    if (json_array_size(hits) == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", TX(find_nothing));
        return 1;
    }
    json_t *argv = rb_cli_repeat(c);
    json_array_append_new(argv, json_string("exec"));
    json_array_append(argv, json_object_get(json_array_get(hits, 0), "id"));
    json_array_append_new(argv, json_string("--diagnose"));
    rb_put(c, RB_ERR, RB_PLAIN, "%s  ", TX(next));
    rb_put(c, RB_ERR, RB_COMMAND, "%s\n", rb_word_argv(c, argv));
    json_decref(argv);
    return 0;
}

static int put_hits_json(struct rb_cli *c, const json_t *loaded, const json_t *hits)
{
    json_t *last = rb_last_runs(c), *out = json_array();
    struct rb_err ignored = {0};
    size_t i;
    json_t *hit;
    json_array_foreach((json_t *)hits, i, hit) {
        const json_t *entry = rb_entry_find(loaded, rb_json_str(hit, "id", ""), &ignored);
        json_t *one = rb_entry_json(entry, last);
        json_object_set(one, "score", json_object_get(hit, "score"));
        json_object_set(one, "why", json_object_get(hit, "why"));
        json_array_append_new(out, one);
    }
    int code = json_array_size(out) > 0 ? 0 : 1;
    rb_put_json(c, json_pack("{s:s, s:o}", "schema", "runbook.find/1", "runbooks", out));
    json_decref(last);
    return code;
}

int rb_cmd_find(struct rb_cli *c)
{
    struct rb_err err = {0};
    const json_t *loaded = NULL;
    if (c->nargs == 0) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_find_what);
        return rb_cli_fail(c, &err);
    }
    if (rb_cli_catalog_list(c, &loaded, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    char *query = join_args(c);
    json_t *hits = rb_catalog_search(loaded, query != NULL ? query : "");
    int code = c->format == RB_FORMAT_JSON ? put_hits_json(c, loaded, hits) : put_hits(c, loaded, hits);
    json_decref(hits);
    free(query);
    return code;
}
