/* runbook schedule: when runbooks run by themselves. One function a word. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/schedule.h"
#include "schedule/explain.h"
#include "when/moment.h"

#define DAY 86400
#define COUNT_STANDARD 5
#define COUNT_MAX 100000

/* ---- next ---- */

struct next {
    struct rb_cron cron;
    const struct rb_zone *zone;
    int64_t from;
    long count;
};

static int read_count(const struct rb_cli *c, long *count, struct rb_err *err)
{
    const char *text = rb_options_get(&c->options, RB_O_NUMBER);
    char *end = NULL;
    *count = text != NULL ? strtol(text, &end, 10) : COUNT_STANDARD;
    if (text != NULL && (*end != '\0' || end == text || *count < 1 || *count > COUNT_MAX)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_value, "count", text);
    }
    return 0;
}

static int read_next(const struct rb_cli *c, struct rb_zones *zones, struct next *n, struct rb_err *err)
{
    const char *from = rb_options_get(&c->options, RB_O_FROM);
    if (c->nargs != 2) {
        return rb_err_set(err, RB_EUSAGE, RB_T_schedule_next_what);
    }
    int rc = rb_cron_parse(&n->cron, c->args[1], err);
    rc = rc != 0 ? rc : read_count(c, &n->count, err);
    if (rc == 0) {
        n->zone = rb_zones_get(zones, rb_options_get(&c->options, RB_O_TZ), err);
        rc = n->zone != NULL ? 0 : err->code;
    }
    return rc != 0 ? rc
                   : rb_moment_parse(from != NULL ? from : "now", n->zone, rb_clock_utc_us() / 1000000, &n->from, err);
}

static const char *rule_name(enum rb_local how)
{
    static const char *const names[] = {[RB_LOCAL_ONCE] = NULL, [RB_LOCAL_GAP] = "gap", [RB_LOCAL_TWICE] = "first"};
    return names[how];
}

static void put_firing(struct rb_cli *c, const struct next *n, int64_t at, enum rb_local how)
{
    char local[RB_TIME_MAX], utc[RB_TIME_MAX];
    rb_moment_format(at, n->zone, local);
    rb_clock_format(at * 1000000, 0, utc);
    rb_put(c, RB_OUT, RB_PLAIN, "%s  %s%s%s\n", utc, local, how == RB_LOCAL_ONCE ? "" : "  ",
           how == RB_LOCAL_GAP     ? ST(rule_gap)
           : how == RB_LOCAL_TWICE ? ST(rule_first)
                                   : "");
}

static json_t *firing_json(const struct next *n, int64_t at, enum rb_local how)
{
    char local[RB_TIME_MAX];
    rb_moment_format(at, n->zone, local);
    return json_pack("{s:s, s:s?}", "local", local, "rule", rule_name(how));
}

#define YEAR_10000 INT64_C(253402300800) /* RFC 3339 ends before it */

static int cmd_next(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_zones *zones = rb_zones_new();
    struct next n;
    int rc = read_next(c, zones, &n, &err);
    json_t *next = json_array(), *firings = json_array();
    enum rb_local how;
    int64_t at = n.from;
    for (long i = 0;
         rc == 0 && i < n.count && (at = rb_cron_next(&n.cron, n.zone, at, &how)) != RB_NEVER && at < YEAR_10000; i++) {
        char utc[RB_TIME_MAX];
        rb_clock_format(at * 1000000, 0, utc);
        json_array_append_new(next, json_string(utc));
        json_array_append_new(firings, firing_json(&n, at, how));
        if (c->format == RB_FORMAT_TEXT) {
            put_firing(c, &n, at, how);
        }
    }
    if (rc == 0 && c->format != RB_FORMAT_TEXT) {
        rb_put_json(c, json_pack("{s:s, s:s, s:s, s:O, s:O}", "schema", "runbook.schedule.next/1", "cron", c->args[1],
                                 "tz", rb_zone_name(n.zone), "next", next, "firings", firings));
    }
    json_decref(next);
    json_decref(firings);
    rb_zones_free(zones);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}

/* ---- what there is ---- */

int rb_cli_schedules(struct rb_cli *c, struct rb_cli_schedules *s, bool write, struct rb_err *err)
{
    char folder[PATH_MAX];
    const json_t *loaded = NULL;
    *s = (struct rb_cli_schedules){.now = rb_clock_utc_us() / 1000000};
    const json_t *config = NULL;
    int rc = rb_cli_catalog_load(c, &loaded, err);
    rc = rc != 0 ? rc : rb_cli_config(c, &config, err);
    rc = rc != 0 ? rc : rb_files_state_dir(folder, err);
    if (rc == 0) {
        s->all = rb_schedules_new(loaded, config);
        rc = rb_store_open(&s->store, folder, write, err);
    }
    return rc == RB_ENOT_FOUND && !write ? 0 : rc; /* nothing ran yet: the blocks say it all */
}

void rb_cli_schedules_close(struct rb_cli_schedules *s)
{
    rb_store_close(s->store);
    rb_schedules_free(s->all);
}

bool rb_cli_schedule_wanted(const struct rb_cli *c, const struct rb_schedule *s)
{
    for (int i = 1; i < c->nargs; i++) {
        if (strcmp(c->args[i], s->name) == 0 || strcmp(c->args[i], s->runbook) == 0) {
            return true;
        }
    }
    return c->nargs <= 1;
}

int rb_cli_schedule_names(const struct rb_cli *c, const struct rb_cli_schedules *s, struct rb_err *err)
{
    for (int i = 1; i < c->nargs; i++) {
        bool known = false;
        for (size_t k = 0; k < s->all->count && !known; k++) {
            known = strcmp(c->args[i], s->all->list[k].runbook) == 0;
        }
        if (!known && rb_schedules_find(s->all, c->args[i], err) == NULL) {
            return RB_EUSAGE;
        }
    }
    return 0;
}

/* ---- list ---- */

/* "6m", "10h": how long between two instants. */
static const char *span(struct rb_cli *c, int64_t seconds)
{
    char text[RB_TIME_MAX];
    rb_duration_format((double)seconds, text);
    return rb_word(c, text);
}

static const char *when(struct rb_cli *c, const json_t *time)
{
    int64_t us;
    return json_is_string(time) && rb_clock_parse(json_string_value(time), &us) == 0 ? rb_word_time(c, us) : "-";
}

static const char *left(struct rb_cli *c, const json_t *time, int64_t now)
{
    int64_t us;
    if (!json_is_string(time) || rb_clock_parse(json_string_value(time), &us) != 0) {
        return "-";
    }
    return us / 1000000 > now ? span(c, us / 1000000 - now) : ST(now);
}

static const char *state_word(struct rb_cli *c, const json_t *one)
{
    const char *state = rb_json_str(one, "state", "?");
    if (strcmp(state, "paused") == 0) {
        const json_t *paused = json_object_get(one, "paused");
        char text[512];
        snprintf(text, sizeof text, "%s: %.300s", ST(state_paused), rb_json_str(paused, "reason", ""));
        return rb_word(c, text);
    }
    return strcmp(state, "on") == 0        ? ST(state_on)
           : strcmp(state, "tripped") == 0 ? ST(state_tripped)
                                           : rb_word(c, rb_json_str(one, "problem", ST(state_broken)));
}

static void put_list(struct rb_cli *c, const json_t *list, int64_t now)
{
    json_t *rows = json_array(), *headings = json_array(), *one;
    size_t i;
    rb_row(headings, ST(col_next), ST(col_left), ST(col_last), ST(col_passed), ST(col_result), ST(col_name),
           ST(col_mode), ST(col_state), NULL);
    json_array_foreach((json_t *)list, i, one) {
        const json_t *last = json_object_get(one, "last"), *started = json_object_get(last, "started");
        const char *result = rb_json_str(last, "result", NULL);
        rb_row(rows, when(c, json_object_get(one, "next")), left(c, json_object_get(one, "next"), now),
               when(c, started), json_is_string(started) ? rb_word_ago(c, json_string_value(started)) : "-",
               result != NULL ? rb_result_word(c, result) : "-", rb_json_str(one, "name", "?"),
               rb_json_str(one, "mode", "diagnose"), state_word(c, one), NULL);
    }
    if (json_array_size(rows) == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", ST(none));
    } else {
        rb_put_listing(c, headings, rows, 0);
    }
    json_decref(rows);
    json_decref(headings);
}

static int by_next(const void *a, const void *b)
{
    json_t *const *one = a, *const *two = b;
    const char *x = rb_json_str(*one, "next", "~"), *y = rb_json_str(*two, "next", "~"); /* "~" after every date */
    int order = strcmp(x, y);
    return order != 0 ? order : strcmp(rb_json_str(*one, "name", ""), rb_json_str(*two, "name", ""));
}

static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **order = rb_xcalloc(n + 1, sizeof *order), *out = json_array();
    for (size_t i = 0; i < n; i++) {
        order[i] = json_array_get(list, i);
    }
    qsort(order, n, sizeof *order, by_next);
    for (size_t i = 0; i < n; i++) {
        json_array_append(out, order[i]);
    }
    free(order);
    json_decref(list);
    return out;
}

static int cmd_list(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_cli_schedules s;
    int rc = rb_cli_schedules(c, &s, false, &err);
    rc = rc != 0 ? rc : rb_cli_schedule_names(c, &s, &err);
    json_t *list = json_array();
    for (size_t i = 0; rc == 0 && i < s.all->count; i++) {
        if (rb_cli_schedule_wanted(c, &s.all->list[i])) {
            json_array_append_new(list, rb_schedule_describe(s.all, &s.all->list[i], s.store, s.now));
        }
    }
    list = sorted(list);
    if (rc == 0 && c->format == RB_FORMAT_TEXT) {
        put_list(c, list, s.now);
    } else if (rc == 0) {
        rb_put_json(c, json_pack("{s:s, s:O}", "schema", "runbook.schedule.list/1", "schedules", list));
    }
    json_decref(list);
    rb_cli_schedules_close(&s);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}

/* ---- explain ---- */

static const struct {
    const char *word;
    enum rb_text_id text;
    enum rb_style style;
} reasons[] = {
    {"planned", RB_T_schedule_w_planned, RB_PLAIN},   {"closed", RB_T_schedule_w_closed, RB_DIM},
    {"overdue", RB_T_schedule_w_overdue, RB_WARN},    {"unknown", RB_T_schedule_w_unknown, RB_DIM},
    {"due", RB_T_schedule_w_due, RB_PLAIN},           {"queued", RB_T_schedule_w_queued, RB_PLAIN},
    {"running", RB_T_schedule_w_running, RB_PLAIN},   {"ended", RB_T_schedule_w_ended, RB_GOOD},
    {"missed", RB_T_schedule_w_missed, RB_WARN},      {"skipped", RB_T_schedule_w_skipped, RB_DIM},
    {"down", RB_T_schedule_r_down, RB_PLAIN},         {"late", RB_T_schedule_r_late, RB_PLAIN},
    {"paused", RB_T_schedule_r_paused, RB_PLAIN},     {"window", RB_T_schedule_r_window, RB_PLAIN},
    {"blackout", RB_T_schedule_r_blackout, RB_PLAIN}, {"overlap", RB_T_schedule_r_overlap, RB_PLAIN},
    {"gap", RB_T_schedule_rule_gap, RB_PLAIN},        {"first", RB_T_schedule_rule_first, RB_PLAIN},
    {"gone", RB_T_schedule_r_gone, RB_PLAIN},         {"drained", RB_T_schedule_r_drained, RB_PLAIN},
};

const char *rb_schedule_word(struct rb_cli *c, const char *word, enum rb_style *style)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (strcmp(reasons[i].word, word) == 0) {
            *style = reasons[i].style;
            return rb_text(reasons[i].text);
        }
    }
    *style = RB_PLAIN;
    return rb_word(c, word);
}

static void put_explained(struct rb_cli *c, const json_t *one)
{
    enum rb_style style, ignored;
    const char *result = rb_json_str(one, "result", NULL), *run = rb_json_str(one, "run", NULL);
    const char *reason = rb_json_str(one, "reason", rb_json_str(one, "rule", NULL));
    const char *state = rb_schedule_word(c, rb_json_str(one, "state", "?"), &style);
    rb_put(c, RB_OUT, RB_PLAIN, "%s  %s  ", rb_word(c, rb_json_str(one, "local", "?")),
           rb_word(c, rb_json_str(one, "schedule", "?")));
    rb_put(c, RB_OUT, result != NULL ? rb_result_style(result) : style, "%s",
           result != NULL ? rb_result_word(c, result) : state);
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s%s%s\n", run != NULL ? "  " : "", run != NULL ? rb_word(c, run) : "",
           reason != NULL ? ST(because) : "", reason != NULL ? rb_schedule_word(c, reason, &ignored) : "");
}

static int read_span(const struct rb_cli *c, const struct rb_cli_schedules *s, int64_t span_of[2], struct rb_err *err)
{
    const char *from = rb_options_get(&c->options, RB_O_FROM), *to = rb_options_get(&c->options, RB_O_TO);
    const struct rb_zone *zone = rb_zones_get(s->all->zones, rb_options_get(&c->options, RB_O_TZ), err);
    if (zone == NULL) {
        return err->code;
    }
    span_of[0] = s->now - DAY;
    int rc = from != NULL ? rb_moment_parse(from, zone, s->now, &span_of[0], err) : 0;
    span_of[1] = span_of[0] + 2 * DAY;
    return rc != 0 || to == NULL ? rc : rb_moment_parse(to, zone, s->now, &span_of[1], err);
}

static int by_at(const void *a, const void *b)
{
    json_t *const *one = a, *const *two = b;
    return strcmp(rb_json_str(*one, "at", ""), rb_json_str(*two, "at", ""));
}

static int explain_all(struct rb_cli *c, struct rb_cli_schedules *s, json_t *list, struct rb_err *err)
{
    int64_t span_of[2];
    int rc = rb_cli_schedule_names(c, s, err);
    rc = rc != 0 ? rc : read_span(c, s, span_of, err);
    for (size_t i = 0; rc == 0 && i < s->all->count; i++) {
        const struct rb_schedule *one = &s->all->list[i];
        if (rb_cli_schedule_wanted(c, one) && (one->problem.code == 0 || c->nargs > 1)) {
            rc = rb_schedule_explain(list, s->all, one, s->store, span_of, s->now, err);
        }
    }
    return rc;
}

static int cmd_explain(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_cli_schedules s;
    json_t *list = json_array();
    int rc = rb_cli_schedules(c, &s, false, &err);
    rc = rc != 0 ? rc : explain_all(c, &s, list, &err);
    size_t n = json_array_size(list);
    json_t **order = rb_xcalloc(n + 1, sizeof *order), *ordered = json_array();
    for (size_t i = 0; i < n; i++) {
        order[i] = json_array_get(list, i);
    }
    qsort(order, n, sizeof *order, by_at);
    for (size_t i = 0; i < n; i++) {
        json_array_append(ordered, order[i]);
        if (rc == 0 && c->format == RB_FORMAT_TEXT) {
            put_explained(c, order[i]);
        }
    }
    if (rc == 0 && c->format != RB_FORMAT_TEXT) {
        rb_put_json(c, json_pack("{s:s, s:O}", "schema", "runbook.schedule.explain/1", "firings", ordered));
    } else if (rc == 0 && n == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", ST(explain_none));
    }
    free(order);
    json_decref(ordered);
    json_decref(list);
    rb_cli_schedules_close(&s);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}

/* ---- which word ---- */

static const struct {
    const char *name;
    int (*run)(struct rb_cli *c);
} words[] = {{"list", cmd_list},
             {"next", cmd_next},
             {"explain", cmd_explain},
             {"pause", rb_schedule_pause},
             {"resume", rb_schedule_resume},
             {"reset", rb_schedule_reset},
             {"run", rb_schedule_run},
             {"export", rb_schedule_export}};

int rb_cmd_schedule(struct rb_cli *c)
{
    struct rb_err err = {0};
    if (c->nargs == 0) {
        return cmd_list(c);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(c->args[0], words[i].name) == 0) {
            return words[i].run(c);
        }
    }
    rb_err_set(&err, RB_EUSAGE, RB_T_schedule_what, c->args[0]);
    return rb_cli_fail(c, &err);
}
