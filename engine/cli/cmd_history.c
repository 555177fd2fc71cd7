/* runbook history: past runs, newest first. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "journal/journal.h"

#define LIMIT_STANDARD 20
#define LIMIT_MAX 100000

static bool status_wanted(const char *list, const char *result)
{
    size_t len = strlen(result);
    if (list == NULL) {
        return true;
    }
    for (const char *at = list; *at != '\0';) {
        size_t part = strcspn(at, ",");
        if (part == len && memcmp(at, result, len) == 0) {
            return true;
        }
        at += part + (at[part] == ',');
    }
    return false;
}

static bool recent(const json_t *run, double seconds)
{
    int64_t then;
    if (seconds <= 0) {
        return true;
    }
    return rb_clock_parse(rb_json_str(run, "started", ""), &then) == 0 &&
           (double)(rb_clock_utc_us() - then) <= seconds * 1e6;
}

static json_t *filtered(const struct rb_cli *c, json_t *runs, int limit, double last)
{
    json_t *out = json_array();
    const char *status = rb_options_get(&c->options, RB_O_STATUS);
    size_t i;
    json_t *run;
    json_array_foreach(runs, i, run) {
        if ((int)json_array_size(out) < limit && recent(run, last) &&
            status_wanted(status, rb_json_str(run, "result", ""))) {
            json_array_append(out, run);
        }
    }
    return out;
}

static const char *fixes_of(struct rb_cli *c, const json_t *run)
{
    struct rb_buf b;
    size_t i;
    json_t *fix;
    rb_buf_init(&b, 4096);
    json_array_foreach(json_object_get(run, "fixes"), i, fix) {
        const char *id = json_is_string(fix) ? json_string_value(fix) : rb_json_str(fix, "id", "?");
        rb_buf_addf(&b, "%s%s", i > 0 ? ", " : "", id);
    }
    const char *text = b.len > 0 ? rb_word(c, rb_buf_str(&b)) : "-";
    rb_buf_deinit(&b);
    return text;
}

/* The run's own measure; else what the two times say. */
static const char *took(struct rb_cli *c, const json_t *run)
{
    int64_t from, to;
    const json_t *ms = json_object_get(run, "ms");
    if (json_is_integer(ms)) {
        return rb_word_ms(c, json_integer_value(ms));
    }
    bool known = rb_clock_parse(rb_json_str(run, "started", ""), &from) == 0 &&
                 rb_clock_parse(rb_json_str(run, "ended", ""), &to) == 0;
    return known ? rb_word_ms(c, (to - from) / 1000) : "-";
}

static void put_runs(struct rb_cli *c, const json_t *runs)
{
    json_t *rows = json_array(), *headings = json_array();
    size_t i;
    json_t *run;
    rb_row(headings, TX(col_run), TX(col_when), TX(col_runbook), TX(col_target), TX(col_who), TX(col_result),
           TX(col_took), TX(col_fix), NULL);
    json_array_foreach((json_t *)runs, i, run) {
        int64_t started;
        bool known = rb_clock_parse(rb_json_str(run, "started", ""), &started) == 0;
        rb_row(rows, rb_json_str(run, "run", "?"), known ? rb_word_time(c, started) : "?",
               rb_json_str(run, "runbook", "?"), rb_json_str(run, "target", "-"),
               rb_actor_word(c, json_object_get(run, "actor")), rb_result_word(c, rb_json_str(run, "result", "?")),
               took(c, run), fixes_of(c, run), NULL);
    }
    if (json_array_size(rows) == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", TX(no_runs));
    } else {
        rb_put_listing(c, headings, rows, 3);
    }
    json_decref(rows);
    json_decref(headings);
}

/* A runbook by its full id; the short name is resolved when the catalogue knows it. */
static const char *runbook_id(struct rb_cli *c)
{
    struct rb_err ignored = {0};
    const json_t *loaded = NULL;
    if (c->nargs == 0) {
        return NULL;
    }
    const json_t *entry =
        rb_cli_catalog_list(c, &loaded, &ignored) == 0 ? rb_entry_find(loaded, c->args[0], &ignored) : NULL;
    return entry != NULL ? rb_json_str(entry, "id", c->args[0]) : c->args[0];
}

int rb_cmd_history(struct rb_cli *c)
{
    struct rb_err err = {0};
    const char *limit_text = rb_options_get(&c->options, RB_O_LIMIT),
               *last_text = rb_options_get(&c->options, RB_O_LAST);
    char *end = NULL;
    long limit = limit_text != NULL ? strtol(limit_text, &end, 10) : LIMIT_STANDARD;
    double last = 0;
    if (limit_text != NULL && (*end != '\0' || end == limit_text || limit < 1 || limit > LIMIT_MAX)) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_bad_value, "limit", limit_text);
        return rb_cli_fail(c, &err);
    }
    if (last_text != NULL && rb_duration_parse(last_text, &last) != 0) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_bad_value, "last", last_text);
        return rb_cli_fail(c, &err);
    }
    if (rb_cli_journal(c, false, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    bool trend = rb_options_has(&c->options, RB_O_TREND);
    limit = trend && limit_text == NULL ? LIMIT_MAX : limit;
    bool all = last > 0 || rb_options_has(&c->options, RB_O_STATUS); /* a filter sees all, to show limit of them */
    json_t *runs = c->journal != NULL ? rb_journal_runs(c->journal, runbook_id(c), all ? LIMIT_MAX : (int)limit, &err)
                                      : json_array();
    if (runs == NULL) {
        return rb_cli_fail(c, &err);
    }
    json_t *shown = filtered(c, runs, (int)limit, last);
    if (trend) {
        rb_put_trend(c, shown);
    } else if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:O}", "schema", "runbook.history/1", "runs", shown));
    } else if (c->format == RB_FORMAT_JSONL) {
        size_t i;
        json_t *run;
        json_array_foreach(shown, i, run) {
            rb_put_jsonl(c, run);
        }
    } else {
        put_runs(c, shown);
    }
    json_decref(shown);
    json_decref(runs);
    return 0;
}
