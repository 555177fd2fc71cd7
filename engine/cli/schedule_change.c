/* runbook schedule pause, resume, reset, run: what a person decides. Each is in the journal, with who and
 * why. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/exec.h"
#include "cli/schedule.h"
#include "journal/journal.h"
#include "when/moment.h"

#define JOURNAL_RUN "schedule" /* events that belong to no run */

struct change {
    const char *kind; /* of the event */
    enum rb_text_id done;
    int64_t until;
    const char *reason;
};

static int journal_open(struct rb_cli *c, struct rb_err *err)
{
    int rc = rb_cli_journal(c, true, err);
    if (rc == 0) {
        json_t *actor = rb_journal_actor_find();
        rb_journal_actor_set(c->journal, actor);
        json_decref(actor);
    }
    return rc;
}

static int apply_one(struct rb_cli *c, struct rb_cli_schedules *s, const struct rb_schedule *one,
                     const struct change *change, struct rb_err *err)
{
    struct rb_mark mark;
    char until[RB_TIME_MAX] = "";
    int rc = rb_store_mark(s->store, one->name, one->spec, s->now, &mark, err);
    rc = rc == RB_ENOT_FOUND ? 0 : rc;
    if (rc == 0 && strcmp(change->kind, "schedule.reset") == 0) {
        rc = rb_store_trip(s->store, one->name, false, NULL, err);
    } else if (rc == 0) {
        rc = rb_store_pause(s->store, one->name, change->until, change->reason, err);
    }
    if (change->until != 0 && change->until != RB_PAUSED_FOREVER) {
        rb_clock_format(change->until * 1000000, 0, until);
    }
    json_t *body = json_pack("{s:s, s:s?, s:s?}", "schedule", one->name, "until", until[0] != '\0' ? until : NULL,
                             "reason", change->reason);
    rc = rc != 0 ? rc : rb_journal_add(c->journal, JOURNAL_RUN, change->kind, body, err);
    json_decref(body);
    return rc;
}

/* One transaction for all that were named: all of it, or an error and nothing. */
static int apply(struct rb_cli *c, struct rb_cli_schedules *s, const struct change *change, json_t *names,
                 struct rb_err *err)
{
    int rc = rb_store_begin(s->store, err);
    for (size_t i = 0; rc == 0 && i < s->all->count; i++) {
        const struct rb_schedule *one = &s->all->list[i];
        if (rb_cli_schedule_wanted(c, one)) {
            rc = apply_one(c, s, one, change, err);
            json_array_append_new(names, json_string(one->name));
        }
    }
    rc = rc != 0 ? rc : rb_journal_commit(c->journal, err);
    rc = rc != 0 ? rc : rb_store_commit(s->store, err);
    if (rc != 0) {
        rb_store_rollback(s->store);
    }
    return rc;
}

static int names_needed(const struct rb_cli *c, struct rb_err *err)
{
    if (c->nargs > 1 || rb_options_has(&c->options, RB_O_ALL)) {
        return 0;
    }
    return rb_err_set(err, RB_EUSAGE, RB_T_schedule_which, c->args[0]);
}

static int read_until(const struct rb_cli *c, const struct rb_cli_schedules *s, struct change *change,
                      struct rb_err *err)
{
    const char *until = rb_options_get(&c->options, RB_O_UNTIL);
    const struct rb_zone *zone = rb_zones_get(s->all->zones, rb_options_get(&c->options, RB_O_TZ), err);
    if (zone == NULL || until == NULL) {
        return zone == NULL ? err->code : 0;
    }
    int rc = rb_moment_parse(until, zone, s->now, &change->until, err);
    return rc == 0 && change->until <= s->now ? rb_err_set(err, RB_EUSAGE, RB_T_schedule_until_past, until) : rc;
}

static int change_named(struct rb_cli *c, struct change *change)
{
    struct rb_err err = {0};
    struct rb_cli_schedules s = {0};
    json_t *names = json_array(), *name;
    size_t i;
    int rc = names_needed(c, &err);
    rc = rc != 0 ? rc : rb_cli_schedules(c, &s, true, &err);
    rc = rc != 0 ? rc : rb_cli_schedule_names(c, &s, &err);
    rc = rc != 0 || change->until == 0 ? rc : read_until(c, &s, change, &err);
    rc = rc != 0 ? rc : journal_open(c, &err);
    rc = rc != 0 ? rc : apply(c, &s, change, names, &err);
    if (rc == 0 && c->format == RB_FORMAT_TEXT) {
        json_array_foreach(names, i, name) {
            rb_put(c, RB_OUT, RB_PLAIN, "%s  %s\n", rb_text(change->done), rb_word(c, json_string_value(name)));
        }
    } else if (rc == 0) {
        rb_put_json(c, json_pack("{s:s, s:s, s:O}", "schema", "runbook.schedule.change/1", "done", change->kind + 9,
                                 "schedules", names));
    }
    json_decref(names);
    rb_cli_schedules_close(&s);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}

int rb_schedule_pause(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct change change = {"schedule.paused", RB_T_schedule_done_paused, RB_PAUSED_FOREVER,
                            rb_options_get(&c->options, RB_O_REASON)};
    if (change.reason == NULL) {
        rb_err_set(&err, RB_EUSAGE, RB_T_schedule_pause_reason);
        return rb_cli_fail(c, &err);
    }
    return change_named(c, &change);
}

int rb_schedule_resume(struct rb_cli *c)
{
    return change_named(c, &(struct change){"schedule.resumed", RB_T_schedule_done_resumed, 0, NULL});
}

int rb_schedule_reset(struct rb_cli *c)
{
    return change_named(
        c, &(struct change){"schedule.reset", RB_T_schedule_done_reset, 0, rb_options_get(&c->options, RB_O_REASON)});
}

/* ---- run ---- */

static int run_one(struct rb_cli *c, const struct rb_schedule *one, struct rb_err *err)
{
    json_t *file = NULL, *repeat = rb_cli_repeat(c);
    int rc = rb_exec_prepare(c, one->runbook, &file, err);
    struct rb_run_options o = {.file = file,
                               .params = json_object_get(one->fields, "with"),
                               .mode = one->fix ? RB_MODE_EXEC : RB_MODE_DIAGNOSE,
                               .fixes = json_object_get(one->fields, "fixes"),
                               .no_input = c->no_input,
                               .yes = rb_options_has(&c->options, RB_O_YES),
                               .confirm = c->options.values[RB_O_CONFIRM],
                               .reason = rb_options_get(&c->options, RB_O_REASON),
                               .repeat = repeat};
    int code = rc != 0 ? rb_cli_fail(c, err) : rb_exec_watch(c, &o, NULL, err);
    json_decref(file);
    json_decref(repeat);
    return code;
}

/* Now, by the person who asks for it: what the schedule would do, beside its firings. */
int rb_schedule_run(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_cli_schedules s = {0};
    int rc = c->nargs == 2 ? rb_cli_schedules(c, &s, false, &err) : rb_err_set(&err, RB_EUSAGE, RB_T_schedule_run_what);
    const struct rb_schedule *one = rc == 0 ? rb_schedules_find(s.all, c->args[1], &err) : NULL;
    int code = one != NULL ? run_one(c, one, &err) : rb_cli_fail(c, &err);
    rb_cli_schedules_close(&s);
    return code;
}
