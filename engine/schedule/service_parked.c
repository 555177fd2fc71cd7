/* Runs that wait for the consent of other people. Of each nothing is kept but its name and when its request expires;
 * the journal has the rest. One that was answered, or waited too long, goes on here as if its requester had taken it
 * up: with the rights of this process, so only when this process's user had begun it. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "journal/journal.h"
#include "run/approval.h"
#include "schedule/service_state.h"

#define LOOK_MS 1000
#define AGAIN_US (10 * INT64_C(1000000)) /* when something else holds its target */

struct rb_continued {
    struct rb_continued *next;
    struct rb_service *service;
    struct rb_run *run;
    char id[RB_ID_MAX];
};

/* ---- what the journal says ---- */

static bool ours(const struct rb_event *event)
{
    json_t *actor = rb_json_parse(event->actor, strlen(event->actor), NULL);
    bool is = rb_json_int(actor, "uid", -1) == (json_int_t)getuid();
    json_decref(actor);
    return is;
}

/* Taken up by somebody, or over. */
static int learn_gone(const struct rb_event *event, void *user)
{
    struct rb_service *s = user;
    int64_t *seen = !strcmp(event->kind, "run.ended") ? &s->seen.ended : &s->seen.resumed;
    *seen = event->id;
    if (event->id > rb_json_int(s->gone, event->run, 0)) {
        json_object_set_new(s->gone, event->run, json_integer(event->id));
    }
    json_object_del(s->parked, event->run);
    if (seen == &s->seen.ended) {
        json_object_del(s->undecided, event->run);
    }
    return 0;
}

static int learn_started(const struct rb_event *event, void *user)
{
    struct rb_service *s = user;
    s->seen.started = event->id;
    return event->id > rb_json_int(s->gone, event->run, 0) ? rb_service_opened(event, s) : 0;
}

static int learn_parked(const struct rb_event *event, void *user)
{
    struct rb_service *s = user;
    json_t *body = event->body ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
    s->seen.parked = event->id;
    if (!strcmp(rb_json_str(body, "for", ""), "approval") && event->id > rb_json_int(s->gone, event->run, 0) &&
        ours(event)) {
        json_object_set_new(s->parked, event->run, json_integer(rb_json_int(body, "expires", 0)));
    }
    json_decref(body);
    return 0;
}

static int learn_answered(const struct rb_event *event, void *user)
{
    struct rb_service *s = user;
    s->seen.answered = event->id;
    if (json_object_get(s->parked, event->run)) {
        json_object_set_new(s->parked, event->run, json_integer(0)); /* to be looked at now */
    }
    return 0;
}

static int look(struct rb_service *s, struct rb_err *err)
{
    const struct {
        const char *kind;
        int64_t *seen;
        rb_event_fn *learn;
    } kinds[] = {
        {"run.ended", &s->seen.ended, learn_gone},
        {"run.started", &s->seen.started, learn_started},
        {"run.resumed", &s->seen.resumed, learn_gone},
        {"run.parked", &s->seen.parked, learn_parked},
        {"approval.answered", &s->seen.answered, learn_answered},
    };
    int rc = 0;
    s->gone = json_object();
    for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof *kinds; i++) {
        rc = rb_journal_read_kind(s->o.engine.journal, kinds[i].kind, NULL, *kinds[i].seen, kinds[i].learn, s, err);
    }
    json_decref(s->gone);
    s->gone = NULL;
    return rc;
}

/* ---- going on ---- */

static void take_out(struct rb_service *s, struct rb_continued *c)
{
    struct rb_continued **at = &s->continued;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    s->running_count--;
    s->look = true;
}

static void on_ended(void *user, const json_t *report)
{
    struct rb_continued *c = user;
    struct rb_service *s = c->service;
    const char *result = rb_json_str(report, "result", "failed");
    take_out(s, c);
    if (!strcmp(result, "busy")) {
        json_object_set_new(s->parked, c->id, json_integer(rb_clock_utc_us() + AGAIN_US));
    }
    rb_service_say(s, "run.ended",
                   json_pack("{s:s, s:s, s:O?, s:O?}", "run", c->id, "result", result, "ms",
                             json_object_get(report, "ms"), "error", json_object_get(report, "error")));
    rb_service_tell_decided(s, c->id, report);
    free(c);
}

static void go_on(struct rb_service *s, const char *run)
{
    static const struct rb_run_view view = {.ended = on_ended};
    const struct rb_run_options o = {.config = s->config, .no_input = true, .repeat = s->o.repeat};
    struct rb_err err = {0};
    struct rb_continued *c = rb_xcalloc(1, sizeof *c);
    *c = (struct rb_continued){.next = s->continued, .service = s};
    snprintf(c->id, sizeof c->id, "%s", run);
    s->continued = c;
    s->running_count++;
    rb_service_say(s, "run.continued", json_pack("{s:s}", "run", c->id));
    if (rb_run_resume(&c->run, &s->o.engine, c->id, &o, &view, c, &err)) {
        json_t *report = json_pack("{s:s, s:s}", "result", "failed", "error", err.text);
        on_ended(c, report);
        json_decref(report);
    }
}

/* Is it decided? When several must agree, the next answer is waited for; NULL: the journal cannot be read now. */
static const char *state_of(struct rb_service *s, const char *run, int64_t *expires)
{
    static const char *const states[] = {"waiting", "granted", "rejected", "expired", "used"};
    struct rb_err err = {0};
    json_t *approval = rb_approval_of_run(s->o.engine.journal, run, NULL, &err);
    const char *found = approval ? "used" : NULL;
    for (size_t i = 0; approval && i < sizeof states / sizeof *states; i++) {
        found = !strcmp(rb_json_str(approval, "state", ""), states[i]) ? states[i] : found;
    }
    *expires = rb_json_int(approval, "expires", 0);
    json_decref(approval);
    return found;
}

static bool one_due(struct rb_service *s, int64_t now)
{
    const char *run;
    json_t *when;
    json_object_foreach(s->parked, run, when) {
        char id[RB_ID_MAX] = "";
        int64_t expires;
        if (json_integer_value(when) >= now) {
            continue;
        }
        snprintf(id, sizeof id, "%s", run);
        const char *state = state_of(s, id, &expires);
        if (!state || !strcmp(state, "waiting")) {
            json_object_set_new(s->parked, id, json_integer(state ? expires : now + AGAIN_US));
        } else {
            json_object_del(s->parked, id);
            go_on(s, id);
        }
        return true;
    }
    return false;
}

void rb_service_parked(struct rb_service *s)
{
    struct rb_err err = {0};
    if (!s->look || s->stopping || s->retry_at) {
        return;
    }
    s->look = false;
    if (look(s, &err)) {
        return; /* the next commit says what is wrong with the journal */
    }
    int64_t now = rb_clock_utc_us();
    while (s->running_count < s->o.runs && one_due(s, now)) {
    }
}

static void on_look(uv_timer_t *timer)
{
    struct rb_service *s = timer->data;
    s->look = true; /* in the round that follows */
}

void rb_service_parked_start(struct rb_service *s)
{
    s->parked = json_object();
    s->look = true;
    uv_timer_start(&s->parked_timer, on_look, LOOK_MS, LOOK_MS);
}

void rb_service_parked_stop(struct rb_service *s)
{
    struct rb_continued *next;
    for (struct rb_continued *c = s->continued; c; c = next) {
        next = c->next; /* it may be freed */
        rb_run_stop(c->run, SIGTERM);
    }
}
