/* runbook schedule: when runbooks run by themselves. One function a word. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "when/cron.h"
#include "when/moment.h"

#define ST(name) rb_text(RB_T_schedule_##name)
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
    return rc != 0 ? rc : rb_moment_parse(from != NULL ? from : "now", n->zone, rb_clock_utc_us() / 1000000, &n->from, err);
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
    rb_put(c, RB_OUT, RB_PLAIN, "%s  %s%s\n", utc, local,
           how == RB_LOCAL_GAP ? ST(rule_gap) : how == RB_LOCAL_TWICE ? ST(rule_first) : "");
}

static json_t *firing_json(const struct next *n, int64_t at, enum rb_local how)
{
    char local[RB_TIME_MAX];
    rb_moment_format(at, n->zone, local);
    return json_pack("{s:s, s:s?}", "local", local, "rule", rule_name(how));
}

static int cmd_next(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_zones *zones = rb_zones_new();
    struct next n;
    int rc = read_next(c, zones, &n, &err);
    json_t *next = json_array(), *firings = json_array();
    enum rb_local how;
    int64_t at = n.from;
    for (long i = 0; rc == 0 && i < n.count && (at = rb_cron_next(&n.cron, n.zone, at, &how)) != RB_NEVER; i++) {
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

/* ---- which word ---- */

static const struct {
    const char *name;
    int (*run)(struct rb_cli *c);
} words[] = {{"next", cmd_next}};

int rb_cmd_schedule(struct rb_cli *c)
{
    struct rb_err err = {0};
    for (size_t i = 0; c->nargs > 0 && i < sizeof words / sizeof *words; i++) {
        if (strcmp(c->args[0], words[i].name) == 0) {
            return words[i].run(c);
        }
    }
    rb_err_set(&err, RB_EUSAGE, RB_T_schedule_what, c->nargs > 0 ? c->args[0] : "");
    return rb_cli_fail(c, &err);
}
