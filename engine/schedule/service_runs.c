/* A firing becomes a run of this process; its end goes back into its row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "journal/journal.h"
#include "schedule/service_state.h"

#define BREAKER_TIMES 3       /* firings in a row that had to repair … */
#define BREAKER_SECONDS 86400 /* … within this time */

void rb_service_due(void *user, const struct rb_schedule *schedule, int64_t at)
{
    struct rb_service *s = user;
    struct rb_firing_run *f = rb_xcalloc(1, sizeof *f), **end = &s->waiting;
    f->service = s;
    f->schedule = rb_xstrdup(schedule->name);
    f->at = at;
    while (*end) {
        end = &(*end)->next;
    }
    *end = f;
}

static void firing_free(struct rb_firing_run *f)
{
    free(f->schedule);
    free(f);
}

static struct rb_firing row_of(const struct rb_firing_run *f)
{
    return (struct rb_firing){.schedule = f->schedule, .at = f->at, .run = f->id};
}

/* What waits for a place stays "due" in the store: the next service takes it over. */
void rb_service_forget_waiting(struct rb_service *s)
{
    while (s->waiting) {
        struct rb_firing_run *f = s->waiting;
        s->waiting = f->next;
        firing_free(f);
    }
}

/* ---- the end ---- */

/* How many fixes did something; a procedure's steps are work, not repair. */
static int acts(const json_t *report)
{
    static const char *const worked[] = {"done", "failed", "not_verified"};
    int count = 0;
    size_t i;
    json_t *fix;
    json_array_foreach(json_object_get(report, "fixes"), i, fix) {
        for (size_t k = 0; k < sizeof worked / sizeof *worked; k++) {
            count += !strcmp(rb_json_str(fix, "result", ""), worked[k]);
        }
    }
    return count;
}

static void trip(struct rb_service *s, const struct rb_schedule *schedule, struct rb_err *err)
{
    int64_t since;
    char reason[256];
    int times = rb_store_streak(s->store, schedule->name, BREAKER_TIMES, &since);
    if (times < BREAKER_TIMES || rb_service_now() - since > BREAKER_SECONDS) {
        return;
    }
    snprintf(reason, sizeof reason, rb_text_n(RB_T_schedule_tripped_reason, times), times);
    if (rb_store_trip(s->store, schedule->name, true, reason, err)) {
        rb_service_failed(s, err);
        return;
    }
    json_t *body = json_pack("{s:s, s:s}", "schedule", schedule->name, "reason", reason);
    rb_service_record(s, "schedule.tripped", json_incref(body));
    rb_service_say(s, "schedule.tripped", body);
    rb_service_tell(s, schedule, "tripped", NULL);
}

static void take_out(struct rb_service *s, struct rb_firing_run *f)
{
    struct rb_firing_run **at = &s->running;
    while (*at != f) {
        at = &(*at)->next;
    }
    *at = f->next;
    s->running_count--;
    s->look = true;
}

static void say_ended(struct rb_service *s, const struct rb_firing_run *f, const json_t *report)
{
    const char *result = rb_json_str(report, "result", "failed");
    rb_service_say(s, "run.ended",
                   json_pack("{s:s, s:s, s:s, s:O?, s:O?, s:O?}", "schedule", f->schedule, "run", f->id, "result",
                             result, "ms", json_object_get(report, "ms"), "next", json_object_get(report, "next"),
                             "error", json_object_get(report, "error")));
}

static void on_ended(void *user, const json_t *report)
{
    struct rb_firing_run *f = user;
    struct rb_service *s = f->service;
    struct rb_err err = {0};
    const char *result = rb_json_str(report, "result", "failed");
    struct rb_firing row = row_of(f);
    row.acted = acts(report);
    take_out(s, f);
    int rc = rb_store_end(s->store, &row, result, rb_service_now(), &err);
    say_ended(s, f, report);
    const struct rb_schedule *schedule = rb_schedules_find(s->schedules, f->schedule, NULL);
    if (schedule) {
        rb_service_tell(s, schedule, result, report);
        if (row.acted) {
            trip(s, schedule, &err);
        }
        rc = rc ? rc : rb_planner_ended(s->planner, schedule, rb_service_now(), &err);
    }
    if (rc) {
        rb_service_failed(s, &err);
    }
    firing_free(f);
}

/* ---- the beginning ---- */

static json_t *actor_of(const struct rb_service *s, const struct rb_firing_run *f)
{
    json_t *actor = json_copy(s->actor);
    json_object_set_new(actor, "schedule", json_string(f->schedule));
    return actor;
}

static bool is_tripped(struct rb_service *s, const struct rb_schedule *schedule)
{
    struct rb_mark mark;
    return rb_store_mark(s->store, schedule->name, schedule->spec, rb_service_now(), &mark, NULL) == 0 && mark.tripped;
}

/* What may go without a person: the lower of the schedule's word and the policy, which is low where nobody
 * said more. */
static const char *allowed(const struct rb_service *s, const struct rb_schedule *schedule)
{
    bool more = !strcmp(rb_json_str(schedule->fields, "allow", "low"), "medium");
    return more ? rb_policy_unattended(s->config, schedule->runbook) : "low";
}

static int start_run(struct rb_service *s, struct rb_firing_run *f, const struct rb_schedule *schedule,
                     struct rb_err *err)
{
    static const struct rb_run_view view = {.ended = on_ended};
    json_t *actor = actor_of(s, f);
    const struct rb_run_options o = {.file = json_object_get(s->files, schedule->runbook),
                                     .params = json_object_get(schedule->fields, "with"),
                                     .mode =
                                         schedule->fix && !is_tripped(s, schedule) ? RB_MODE_EXEC : RB_MODE_DIAGNOSE,
                                     .fixes = json_object_get(schedule->fields, "fixes"),
                                     .allow = allowed(s, schedule),
                                     .config = s->config,
                                     .id = f->id,
                                     .actor = actor,
                                     .no_input = true,
                                     .repeat = s->o.repeat};
    int rc = rb_run_start(&f->run, &s->o.engine, &o, &view, f, err);
    json_decref(actor);
    return rc;
}

static void say_started(struct rb_service *s, const struct rb_firing_run *f, const struct rb_schedule *schedule)
{
    char at[RB_TIME_MAX];
    int64_t due = f->at + rb_schedule_delay(schedule, f->at);
    rb_clock_format(f->at * 1000000, 0, at);
    rb_service_say(s, "run.started",
                   json_pack("{s:s, s:s, s:s, s:I}", "schedule", f->schedule, "run", f->id, "at", at, "late_ms",
                             (json_int_t)(rb_clock_utc_us() / 1000 - due * 1000)));
}

/* 0: it runs, or was decided otherwise. An error: nothing is decided, it stays at the head of the queue. */
static int start(struct rb_service *s, struct rb_firing_run *f, struct rb_err *err)
{
    const struct rb_schedule *schedule = rb_schedules_find(s->schedules, f->schedule, NULL);
    rb_id_new('r', f->id);
    struct rb_firing row = row_of(f);
    int rc = schedule ? rb_store_start(s->store, &row, rb_service_now(), err) : 0;
    if (rc && rc != RB_EBUSY) {
        return rc;
    }
    s->waiting = f->next;
    if (rc || !schedule) { /* another service was faster, or the schedule is gone */
        row.state = "missed";
        row.reason = "gone";
        rc = rc ? 0 : rb_store_state(s->store, &row, err);
        firing_free(f);
        return rc;
    }
    f->next = s->running;
    s->running = f;
    s->running_count++;
    say_started(s, f, schedule);
    if (start_run(s, f, schedule, err)) {
        json_t *report =
            json_pack("{s:s, s:s}", "result", err->code == RB_EBUSY ? "busy" : "failed", "error", err->text);
        on_ended(f, report);
        json_decref(report);
    }
    return 0;
}

void rb_service_start_waiting(struct rb_service *s)
{
    struct rb_err err = {0};
    while (s->waiting && s->running_count < s->o.runs && !s->stopping && !s->retry_at) {
        if (start(s, s->waiting, &err)) {
            rb_service_failed(s, &err);
        }
    }
}
