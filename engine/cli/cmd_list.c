/* runbook list: what there is, and how it went last. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "cli/commands.h"
#include "journal/journal.h"

#define RUNS_LOOKED_AT 2000

const json_t *rb_entry_meta(const json_t *entry, const char *key)
{
    return json_object_get(json_object_get(entry, "meta"), key);
}

/* Newest first, so the first one seen of a runbook is its last one. */
json_t *rb_last_runs(struct rb_cli *c)
{
    struct rb_err ignored = {0};
    json_t *last = json_object();
    /* A list is useful without a journal, too. */
    if (rb_cli_journal(c, false, &ignored) != 0 || c->journal == NULL) {
        return last;
    }
    json_t *runs = rb_journal_runs(c->journal, NULL, RUNS_LOOKED_AT, &ignored);
    size_t i;
    json_t *run;
    json_array_foreach(runs, i, run) {
        const char *id = rb_json_str(run, "runbook", "");
        const char *slot = strcmp(rb_json_str(run, "mode", ""), "drill") == 0 ? "drill" : "run";
        json_t *of = json_object_get(last, id);
        if (of == NULL) {
            of = json_object();
            json_object_set_new(last, id, of);
        }
        if (json_object_get(of, slot) == NULL) {
            json_object_set(of, slot, run);
        }
    }
    json_decref(runs);
    return last;
}

static json_t *or_null(const json_t *value)
{
    return value != NULL ? json_incref((json_t *)value) : json_null();
}

static json_t *short_run(const json_t *run)
{
    static const char *const keys[] = {"run", "result", "started", "ended"};
    if (run == NULL) {
        return json_null();
    }
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_object_set_new(out, keys[i], or_null(json_object_get(run, keys[i])));
    }
    return out;
}

json_t *rb_entry_json(const json_t *entry, const json_t *last)
{
    const json_t *of = json_object_get(last, rb_json_str(entry, "id", ""));
    const json_t *alias = rb_entry_meta(entry, "alias");
    json_t *out = json_object();
    json_object_set_new(out, "id", or_null(json_object_get(entry, "id")));
    json_object_set_new(out, "alias", alias != NULL ? or_null(alias) : json_array());
    json_object_set_new(out, "title", or_null(rb_entry_meta(entry, "title")));
    json_object_set_new(out, "severity", or_null(rb_entry_meta(entry, "severity")));
    json_object_set_new(out, "status", or_null(json_object_get(entry, "status")));
    json_object_set_new(out, "source", or_null(rb_entry_meta(entry, "source")));
    json_object_set_new(out, "file", or_null(json_object_get(entry, "file")));
    json_object_set_new(out, "last_run", short_run(json_object_get(of, "run")));
    json_object_set_new(out, "last_drill", short_run(json_object_get(of, "drill")));
    return out;
}

static bool list_has(const json_t *list, const char *word)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item) {
        if (json_is_string(item) && strcasecmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return json_is_string(list) && strcasecmp(json_string_value(list), word) == 0;
}

/* A word is a severity, status, tag or alias, or part of the id or title. */
static bool matches_word(const json_t *entry, const char *word)
{
    const json_t *title = rb_entry_meta(entry, "title");
    const char *key;
    json_t *text;
    if (list_has(rb_entry_meta(entry, "severity"), word) || list_has(rb_entry_meta(entry, "tags"), word) ||
        list_has(rb_entry_meta(entry, "alias"), word) || list_has(json_object_get(entry, "status"), word) ||
        list_has(rb_entry_meta(entry, "kind"), word) || strstr(rb_json_str(entry, "id", ""), word) != NULL) {
        return true;
    }
    if (json_is_string(title)) {
        return strcasestr(json_string_value(title), word) != NULL;
    }
    json_object_foreach((json_t *)title, key, text) {
        if (json_is_string(text) && strcasestr(json_string_value(text), word) != NULL) {
            return true;
        }
    }
    return false;
}

static bool wanted(const struct rb_cli *c, const json_t *entry)
{
    const char *status = rb_json_str(entry, "status", "");
    if (strcmp(status, "shadowed") == 0 && !rb_options_has(&c->options, RB_O_ALL)) {
        return false;
    }
    for (int i = 0; i < c->nargs; i++) {
        if (!matches_word(entry, c->args[i])) {
            return false;
        }
    }
    return true;
}

static int risk_level(const char *risk)
{
    static const char *const levels[] = {"low", "medium", "high", "critical"};
    for (int i = 0; risk != NULL && i < 4; i++) {
        if (strcmp(levels[i], risk) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* The highest risk of what it may change; "-" when it only looks. */
static const char *changes(struct rb_cli *c, const json_t *entry)
{
    static const char *const lists[] = {"fixes", "steps"};
    const char *highest = NULL;
    size_t n;
    json_t *block;
    for (size_t i = 0; i < 2; i++) {
        json_array_foreach(rb_entry_meta(entry, lists[i]), n, block) {
            const char *risk = rb_json_str(block, "risk", NULL);
            highest = risk_level(risk) > risk_level(highest) ? risk : highest;
        }
    }
    return highest != NULL ? rb_risk_word(c, highest) : "-";
}

/* The last part of an id is a short name already. */
static const char *name_of(struct rb_cli *c, const json_t *entry)
{
    struct rb_buf b;
    size_t i;
    json_t *alias;
    const char *id = rb_json_str(entry, "id", "?"), *slash = strrchr(id, '/'), *between = " (";
    rb_buf_init(&b, 4096);
    rb_buf_adds(&b, id);
    json_array_foreach(rb_entry_meta(entry, "alias"), i, alias) {
        const char *word = json_is_string(alias) ? json_string_value(alias) : "";
        if (strcmp(word, slash != NULL ? slash + 1 : id) != 0) {
            rb_buf_addf(&b, "%s%s", between, word);
            between = ", ";
        }
    }
    rb_buf_adds(&b, strcmp(between, ", ") == 0 ? ")" : "");
    const char *name = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return name;
}

static const char *last_word(struct rb_cli *c, const json_t *run)
{
    char text[256];
    if (run == NULL) {
        return TX(never);
    }
    snprintf(text, sizeof text, "%s  %s", rb_word_ago(c, rb_json_str(run, "started", NULL)),
             rb_result_word(c, rb_json_str(run, "result", "?")));
    return rb_word(c, text);
}

/* It works, but nobody can prove it. */
static bool drills_broken(const json_t *entry)
{
    size_t i;
    json_t *problem;
    json_array_foreach(json_object_get(entry, "problems"), i, problem) {
        if (strcmp(rb_json_str(problem, "level", "error"), "error") == 0) {
            return true;
        }
    }
    return false;
}

static void add_row(struct rb_cli *c, json_t *rows, const json_t *entry, const json_t *last)
{
    const json_t *of = json_object_get(last, rb_json_str(entry, "id", ""));
    const char *status = rb_json_str(entry, "status", "ok");
    const char *mark = strcmp(status, "draft") == 0      ? TX(status_draft)
                       : strcmp(status, "retired") == 0  ? TX(status_retired)
                       : strcmp(status, "shadowed") == 0 ? TX(status_shadowed)
                       : drills_broken(entry)            ? TX(status_drills)
                                                         : "";
    char title[1024];
    snprintf(title, sizeof title, "%s%s%s", rb_word_text(c, rb_entry_meta(entry, "title")), *mark ? "  " : "", mark);
    const json_t *severity = rb_entry_meta(entry, "severity");
    rb_row(rows, name_of(c, entry), json_is_string(severity) ? json_string_value(severity) : "-", title,
           changes(c, entry), last_word(c, json_object_get(of, "run")), last_word(c, json_object_get(of, "drill")),
           NULL);
}

static void put_broken(struct rb_cli *c, const json_t *entry)
{
    const json_t *problem = json_array_get(json_object_get(entry, "problems"), 0);
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(entry, "problems"), i, p) {
        if (strcmp(rb_json_str(p, "level", "error"), "error") == 0) {
            problem = p;
            break;
        }
    }
    rb_put_mark(c, RB_ERR, RB_BAD);
    rb_put(c, RB_ERR, RB_PLAIN, TX(broken_file), rb_word(c, rb_json_str(entry, "id", "?")),
           rb_word(c, rb_json_str(problem, "file", rb_json_str(entry, "file", "?"))),
           (int)rb_json_int(problem, "line", 0), rb_word(c, rb_json_str(problem, "text", "")));
    rb_put(c, RB_ERR, RB_PLAIN, "\n");
}

/* A list knows names, tags and levels; what people see is a search. */
static void put_find(struct rb_cli *c)
{
    json_t *argv = rb_cli_repeat(c);
    json_array_append_new(argv, json_string("find"));
    for (int i = 0; i < c->nargs; i++) {
        json_array_append_new(argv, json_string(c->args[i]));
    }
    rb_put(c, RB_ERR, RB_PLAIN, "%s  ", TX(next));
    rb_put(c, RB_ERR, RB_COMMAND, "%s\n", rb_word_argv(c, argv));
    json_decref(argv);
}

static void put_list(struct rb_cli *c, const json_t *loaded, const json_t *last)
{
    json_t *rows = json_array(), *headings = json_array();
    size_t i;
    json_t *entry;
    int shown = 0;
    rb_row(headings, TX(col_id), TX(col_sev), TX(col_title), TX(col_changes), TX(col_last), TX(col_proved), NULL);
    json_array_foreach((json_t *)loaded, i, entry) {
        if (wanted(c, entry) && strcmp(rb_json_str(entry, "status", ""), "broken") != 0) {
            add_row(c, rows, entry, last);
            shown++;
        }
    }
    if (shown > 0) {
        rb_put_listing(c, headings, rows, 2);
    }
    json_array_foreach((json_t *)loaded, i, entry) {
        if (wanted(c, entry) && strcmp(rb_json_str(entry, "status", ""), "broken") == 0) {
            put_broken(c, entry);
        }
    }
    if (!c->quiet) {
        rb_put(c, RB_ERR, RB_DIM, rb_text_n(RB_T_cli_list_count, (long long)json_array_size(loaded)), shown,
               (int)json_array_size(loaded));
        rb_put(c, RB_ERR, RB_PLAIN, "\n");
    }
    if (shown == 0 && c->nargs > 0) {
        put_find(c);
    }
    json_decref(rows);
    json_decref(headings);
}

static void put_list_md(struct rb_cli *c, const json_t *loaded)
{
    size_t i;
    json_t *entry;
    rb_put(c, RB_OUT, RB_PLAIN, "| %s | %s | %s | %s |\n| --- | --- | --- | --- |\n", TX(col_id), TX(col_sev),
           TX(col_title), TX(col_changes));
    json_array_foreach((json_t *)loaded, i, entry) {
        if (wanted(c, entry)) {
            const json_t *severity = rb_entry_meta(entry, "severity");
            rb_put(c, RB_OUT, RB_PLAIN, "| `%s` | %s | %s | %s |\n", rb_word(c, rb_json_str(entry, "id", "?")),
                   json_is_string(severity) ? json_string_value(severity) : "-",
                   rb_word_text(c, rb_entry_meta(entry, "title")), changes(c, entry));
        }
    }
}

int rb_cmd_list(struct rb_cli *c)
{
    struct rb_err err = {0};
    const json_t *loaded = NULL;
    if (rb_cli_catalog_list(c, &loaded, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    json_t *last = rb_last_runs(c);
    json_t *out = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)loaded, i, entry) {
        if (wanted(c, entry)) {
            json_array_append_new(out, rb_entry_json(entry, last));
        }
    }
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:O}", "schema", "runbook.list/1", "runbooks", out));
    } else if (c->format == RB_FORMAT_JSONL) {
        json_array_foreach(out, i, entry) {
            rb_put_jsonl(c, entry);
        }
    } else if (c->format == RB_FORMAT_MD) {
        put_list_md(c, loaded);
    } else {
        put_list(c, loaded, last);
    }
    json_decref(out);
    json_decref(last);
    return 0;
}
