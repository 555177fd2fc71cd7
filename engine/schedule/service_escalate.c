/* Whom to turn to when nobody decided in time: of trouble that a schedule saw, and of a run that was left
 * waiting or whose process is gone. A run at which a person sits has a clock of its own (run/response.c).
 * Each is told once, whichever service is there when its time is up; what was over for more than a day when a
 * service came is old news. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "schedule/service_state.h"

#define LOOK_SECONDS 1
#define LATER_SECONDS 60 /* somebody is at it */
#define OLD_SECONDS 86400
#define BEGAN_SECONDS (7 * 86400) /* no response time is longer */
#define RUNS_MAX 200

static json_t *response_of(const struct rb_service *s, const char *runbook, const char *severity)
{
    const json_t *meta = json_object_get(json_object_get(s->good, runbook), "meta");
    return rb_response_of(s->config, runbook, severity, json_object_get(meta, "escalate"));
}

/* ---- trouble that a schedule saw ---- */

enum taken { BY_NOBODY, IS_AT_IT, DECIDED };

static enum taken by_a_person(const json_t *run)
{
    static const struct {
        const char *result;
        enum taken taken;
    } says[] = {
        {"healthy", DECIDED}, {"fixed", DECIDED}, {"done", DECIDED}, {"running", IS_AT_IT}, {"waiting", IS_AT_IT}};
    const char *result = rb_json_str(run, "result", "");
    if (strcmp(rb_json_str(run, "mode", ""), "exec") != 0 ||
        json_object_get(json_object_get(run, "actor"), "schedule")) {
        return BY_NOBODY;
    }
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        if (!strcmp(result, says[i].result)) {
            return says[i].taken;
        }
    }
    return json_array_size(json_object_get(run, "fixes")) ? DECIDED : BY_NOBODY;
}

static enum taken taken_up(struct rb_service *s, const char *runbook, int64_t since)
{
    size_t i;
    json_t *run, *runs = rb_journal_runs(s->o.engine.journal, runbook, RUNS_MAX, NULL);
    enum taken taken = BY_NOBODY;
    json_array_foreach(runs, i, run) {
        int64_t us = 0;
        if (taken || rb_clock_parse(rb_json_str(run, "started", ""), &us) || us / 1000000 < since) {
            break; /* newest first */
        }
        taken = by_a_person(run);
    }
    json_decref(runs);
    return taken;
}

static bool is_paused(struct rb_service *s, const struct rb_schedule *schedule, int64_t now)
{
    struct rb_mark mark;
    return rb_store_mark(s->store, schedule->name, schedule->spec, now, &mark, NULL) == 0 && mark.paused > now;
}

static void write_letter(struct rb_service *s, const struct rb_schedule *schedule, const json_t *row,
                         const json_t *response)
{
    const json_t *meta = json_object_get(json_object_get(s->good, schedule->runbook), "meta");
    const json_t *last = rb_store_last(s->store, schedule->name);
    rb_service_letter(s, json_pack("{s:s, s:s, s:s, s:O?, s:O?, s:O?, s:O, s:O?, s:O, s:O?}", "schedule",
                                   schedule->name, "result", "escalated", "runbook", schedule->runbook, "times",
                                   json_object_get(row, "times"), "title", json_object_get(meta, "title"), "run",
                                   json_object_get(last, "run"), "severity", json_object_get(response, "severity"),
                                   "channels", json_object_get(schedule->fields, "notify"), "response", response,
                                   "since", json_object_get(row, "since")));
    json_decref((json_t *)last);
}

/* true: somebody is at it, look later. */
static bool one_trouble(struct rb_service *s, const json_t *row, int64_t now, struct rb_err *err)
{
    const char *name = rb_json_str(row, "schedule", "");
    const struct rb_schedule *schedule = rb_schedules_find(s->schedules, name, NULL);
    const json_t *meta = schedule ? json_object_get(json_object_get(s->good, schedule->runbook), "meta") : NULL;
    int64_t since = rb_json_int(row, "since", 0);
    enum taken taken = BY_NOBODY;
    json_t *response = schedule ? response_of(s, schedule->runbook, rb_json_str(meta, "severity", "P3")) : NULL;
    double within = json_number_value(json_object_get(response, "within"));
    if (within > 0 && (double)since + within <= (double)now && !is_paused(s, schedule, now)) {
        taken = taken_up(s, schedule->runbook, since);
        const struct rb_trouble calm = {.last = rb_json_int(row, "last", 0),
                                        .times = (int)rb_json_int(row, "times", 0)};
        if (taken == BY_NOBODY) {
            write_letter(s, schedule, row, response);
        } else if (taken == DECIDED && rb_store_trouble_seen(s->store, name, &calm, err)) {
            rb_service_failed(s, err);
        }
    }
    json_decref(response);
    return taken == IS_AT_IT;
}

/* ---- a run that was left ---- */

int rb_service_opened(const struct rb_event *event, void *service)
{
    struct rb_service *s = service;
    int64_t now = rb_service_now(), began = event->utc_us / 1000000;
    json_t *body =
        event->body && now - began < BEGAN_SECONDS ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
    int64_t due = began + (int64_t)json_number_value(json_object_get(body, "within"));
    if (!strcmp(rb_json_str(body, "mode", ""), "exec") && due > began && now - due < OLD_SECONDS) {
        json_object_set_new(s->undecided, event->run, json_integer(due));
    }
    json_decref(body);
    return 0;
}

struct story {
    json_t *started; /* the body of run.started */
    bool decided, escalated;
};

static int learn(const struct rb_event *event, void *user)
{
    struct story *story = user;
    bool started = !strcmp(event->kind, "run.started"), answered = !strcmp(event->kind, "confirm.answered");
    story->escalated = story->escalated || !strcmp(event->kind, "escalated");
    if (event->body && (started || answered)) {
        json_t *body = rb_json_parse(event->body, strlen(event->body), NULL);
        story->decided = story->decided || (answered && !strcmp(rb_json_str(body, "answer", ""), "yes"));
        if (started && !story->started) {
            story->started = json_incref(body);
        }
        json_decref(body);
    }
    return 0;
}

static void one_left(struct rb_service *s, const char *run, const json_t *entry)
{
    struct rb_err err = {0};
    struct story story = {0};
    int rc = rb_journal_read(s->o.engine.journal, run, 0, learn, &story, &err);
    if (rc == 0 && !story.decided && !story.escalated) {
        const char *runbook = rb_json_str(story.started, "runbook", "?"),
                   *severity = rb_json_str(story.started, "severity", "P3");
        int64_t began_us = 0;
        json_t *response = response_of(s, runbook, severity);
        json_object_set(response, "within", json_object_get(story.started, "within"));
        (void)rb_clock_parse(rb_json_str(entry, "started", ""), &began_us); /* it is ours */
        rb_service_letter(s, json_pack("{s:s, s:s, s:s, s:O?, s:s, s:o, s:I}", "run", run, "result", "left", "runbook",
                                       runbook, "title", json_object_get(story.started, "title"), "severity", severity,
                                       "response", response, "since", (json_int_t)(began_us / 1000000)));
    }
    json_decref(story.started);
}

static void look_at_left(struct rb_service *s, int64_t now)
{
    const char *run;
    json_t *due;
    void *next;
    json_object_foreach_safe(s->undecided, next, run, due) {
        if (json_integer_value(due) > now) {
            continue;
        }
        json_t *entry = rb_journal_run(s->o.engine.journal, run, NULL);
        const char *result = rb_json_str(entry, "result", "");
        bool waits = !strcmp(result, "waiting"),
             by_schedule = json_object_get(json_object_get(entry, "actor"), "schedule");
        if (!strcmp(result, "running")) {
            json_object_set_new(s->undecided, run, json_integer(now + LATER_SECONDS));
        } else {
            if (waits || (!strcmp(result, "interrupted") && !by_schedule)) {
                one_left(s, run, entry);
            }
            json_object_del(s->undecided, run);
        }
        json_decref(entry);
    }
}

/* ---- both ---- */

void rb_service_escalate(struct rb_service *s)
{
    struct rb_err err = {0};
    int64_t now = rb_service_now();
    size_t i;
    json_t *row;
    bool later = false;
    if (s->stopping || s->retry_at || (now < s->escalate_at && s->escalate_at - now <= LATER_SECONDS)) {
        return;
    }
    json_t *rows = rb_store_troubles(s->store, &err);
    json_array_foreach(rows, i, row) {
        later = one_trouble(s, row, now, &err) || later;
    }
    json_decref(rows);
    look_at_left(s, now);
    s->escalate_at = now + (later ? LATER_SECONDS : LOOK_SECONDS);
}

static int not_escalated(struct rb_journal *j, void *user, struct rb_err *err)
{
    struct story story = {0};
    int rc = rb_journal_read(j, user, 0, learn, &story, err);
    json_decref(story.started);
    return rc ? rc : story.escalated ? RB_EBUSY : 0;
}

static int record_of_run(struct rb_service *s, const char *run, const json_t *body, struct rb_err *err)
{
    const struct rb_journal_if event = {
        .run = run, .kind = "escalated", .body = body, .check = not_escalated, .user = (void *)run};
    rb_journal_actor_set(s->o.engine.journal, s->actor);
    int rc = rb_journal_add_if(s->o.engine.journal, &event, err);
    return rc == RB_EBUSY ? 0 : rc ? rc : 1;
}

int rb_service_escalated(struct rb_service *s, const json_t *letter, struct rb_err *err)
{
    const char *schedule = rb_json_str(letter, "schedule", NULL);
    int64_t now = rb_service_now();
    json_t *body = json_copy(json_object_get(letter, "response"));
    json_object_set(body, "run", json_object_get(letter, "run"));
    json_object_set(body, "runbook", json_object_get(letter, "runbook"));
    json_object_set_new(body, "after", json_real((double)(now - rb_json_int(letter, "since", now))));
    int rc = schedule ? rb_store_escalate(s->store, schedule, now, err)
                      : record_of_run(s, rb_json_str(letter, "run", ""), body, err);
    if (rc == 1 && schedule) {
        json_object_set_new(body, "schedule", json_string(schedule));
        rb_service_record(s, "escalated", json_incref(body));
    }
    if (rc == 1) {
        rb_service_say(s, "escalated", json_copy(body));
    }
    json_decref(body);
    return rc;
}
