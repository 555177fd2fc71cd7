#include "schedule/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "journal/journal.h"
#include "schedule/sd.h"
#include "schedule/service_state.h"

#define RETRY_SECONDS 10
#define DAY 86400
#define DRAIN_SECONDS 300

int64_t rb_service_now(void)
{
    return rb_clock_utc_us() / 1000000;
}

void rb_service_say(struct rb_service *s, const char *kind, json_t *fact)
{
    char at[RB_TIME_MAX];
    rb_clock_format(rb_clock_utc_us(), 1, at);
    json_object_set_new(fact, "t", json_string(kind));
    json_object_set_new(fact, "time", json_string(at));
    s->o.say(s->o.user, fact);
    json_decref(fact);
}

void rb_service_record(struct rb_service *s, const char *kind, json_t *body)
{
    rb_journal_actor_set(s->o.engine.journal, s->actor);
    (void)rb_journal_add(s->o.engine.journal, RB_JOURNAL_SCHEDULE, kind, body, NULL); /* a full queue stops runs, too */
    json_decref(body);
    s->recorded = true;
}

void rb_service_failed(struct rb_service *s, const struct rb_err *err)
{
    if (!s->retry_at) {
        rb_service_say(s, "store.failed", json_pack("{s:s, s:s}", "error", err->text, "hint", err->hint));
    }
    s->retry_at = rb_service_now() + RETRY_SECONDS;
}

static void works_again(struct rb_service *s)
{
    if (s->retry_at) {
        s->retry_at = 0;
        rb_service_say(s, "store.works", json_object());
    }
}

/* ---- the clock ---- */

static void arm(struct rb_service *s, int64_t next)
{
    int64_t now = rb_service_now(), limit = now + DAY;
    next = s->retry_at && s->retry_at < next ? s->retry_at : next;
    next = s->next_keep < next ? s->next_keep : next;
    const struct itimerspec when = {.it_value = {.tv_sec = next < limit ? next : limit}};
    int rc = timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);
    RB_REQUIRE(rc == 0 || errno == ECANCELED);
    s->clock_set = s->clock_set || rc != 0; /* during this round: only this call hears of it */
}

static void on_timer(uv_poll_t *poll, int status, int events)
{
    struct rb_service *s = poll->data;
    uint64_t count;
    (void)status;
    (void)events;
    if (read(s->timer_fd, &count, sizeof count) < 0 && errno == ECANCELED) {
        s->clock_set = true;
    }
}

static void on_clock_set(struct rb_service *s)
{
    struct rb_err err = {0};
    s->clock_set = false;
    s->next_keep = rb_service_now() + DAY;
    rb_service_say(s, "clock.set", json_object());
    if (rb_planner_look(s->planner, rb_service_now(), &err)) {
        rb_service_failed(s, &err);
    }
}

/* ---- one round ---- */

static void passed(void *user, const struct rb_schedule *schedule, const struct rb_firing *f, int64_t count)
{
    struct rb_service *s = user;
    char at[RB_TIME_MAX];
    char kind[64];
    rb_clock_format(f->at * 1000000, 0, at);
    snprintf(kind, sizeof kind, "schedule.%s", f->state);
    json_t *body = json_pack("{s:s, s:s, s:s, s:I}", "schedule", f->schedule, "at", at, "reason", f->reason, "count",
                             (json_int_t)count);
    rb_service_record(s, kind, json_incref(body));
    rb_service_say(s, kind, body);
    if (!strcmp(f->state, "missed")) {
        rb_service_tell(s, schedule, "missed", NULL);
    }
}

static const struct rb_planner_events planner_events = {rb_service_due, passed};

static void commit_events(struct rb_service *s)
{
    struct rb_err err = {0};
    if (!s->recorded) {
        return;
    }
    if (rb_journal_commit(s->o.engine.journal, &err)) {
        rb_service_failed(s, &err);
    } else {
        s->recorded = false;
    }
}

static void round_of_loop(struct rb_service *s)
{
    struct rb_err err = {0};
    int64_t next = RB_NEVER, now = rb_service_now();
    if (s->clock_set) {
        on_clock_set(s);
    }
    if (s->reload && !s->stopping) {
        s->reload = false;
        if (rb_service_load(s, &err)) {
            rb_service_say(s, "load.failed", json_pack("{s:s}", "error", err.text));
        }
    }
    if (!s->stopping && (!s->retry_at || s->retry_at <= now)) {
        if (rb_planner_tick(s->planner, now, &next, &err)) {
            rb_service_failed(s, &err);
        } else {
            works_again(s);
        }
    }
    if (s->next_keep <= now && !s->stopping) {
        s->next_keep = now + DAY;
        rb_service_keep(s);
    }
    rb_service_start_waiting(s);
    rb_service_parked(s);
    rb_service_escalate(s);
    commit_events(s);
    arm(s, s->stopping ? RB_NEVER : next);
}

/* ---- signals ---- */

static void stop_running(struct rb_service *s)
{
    struct rb_firing_run *next;
    for (struct rb_firing_run *f = s->running; f; f = next) {
        next = f->next; /* it may be freed */
        rb_run_stop(f->run, SIGTERM);
    }
    rb_service_parked_stop(s);
}

static void on_drain_end(uv_timer_t *timer)
{
    stop_running(timer->data);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct rb_service *s = handle->data;
    if (signum == SIGHUP) {
        s->reload = true;
        return;
    }
    if (s->stopping) {
        stop_running(s);
        return;
    }
    s->stopping = true;
    rb_sd_notify("STOPPING=1");
    rb_service_say(s, "service.draining", json_pack("{s:i}", "running", s->running_count));
    rb_service_forget_waiting(s);
    double seconds = s->o.drain > 0 ? s->o.drain : DRAIN_SECONDS;
    uv_timer_start(&s->drain, on_drain_end, (uint64_t)(seconds * 1000), 0);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    rb_sd_notify("WATCHDOG=1");
}

/* ---- life ---- */

static void opened(struct rb_service *s, void *handle)
{
    ((uv_handle_t *)handle)->data = s;
    s->open++;
}

static void on_closed(uv_handle_t *handle)
{
    struct rb_service *s = handle->data;
    s->open--;
}

static int open_handles(struct rb_service *s, struct rb_err *err)
{
    static const int signums[] = {SIGTERM, SIGINT, SIGHUP};
    uv_loop_t *loop = s->o.engine.loop;
    uv_timer_t *const timers[] = {&s->debounce, &s->letter_timer, &s->watchdog, &s->drain, &s->parked_timer};
    s->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (s->timer_fd < 0) {
        return rb_err_errno(err, errno, "timerfd");
    }
    RB_REQUIRE(uv_poll_init(loop, &s->timer, s->timer_fd) == 0);
    opened(s, &s->timer);
    uv_poll_start(&s->timer, UV_READABLE, on_timer);
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        uv_timer_init(loop, timers[i]);
        opened(s, timers[i]);
    }
    for (size_t i = 0; i < sizeof signums / sizeof *signums; i++) {
        uv_signal_init(loop, &s->signals[i]);
        opened(s, &s->signals[i]);
        uv_signal_start(&s->signals[i], on_signal, signums[i]);
    }
    if (rb_sd_watchdog_ms()) {
        uv_timer_start(&s->watchdog, on_watchdog, 0, rb_sd_watchdog_ms());
    }
    return 0;
}

static void close_handles(struct rb_service *s)
{
    uv_timer_t *const timers[] = {&s->debounce, &s->letter_timer, &s->watchdog, &s->drain, &s->parked_timer};
    if (s->timer_fd < 0) {
        return;
    }
    uv_close((uv_handle_t *)&s->timer, on_closed);
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++) {
        uv_close((uv_handle_t *)timers[i], on_closed);
    }
    for (size_t i = 0; i < sizeof s->signals / sizeof *s->signals; i++) {
        uv_close((uv_handle_t *)&s->signals[i], on_closed);
    }
    rb_service_unwatch(s);
    while (s->open) {
        uv_run(s->o.engine.loop, UV_RUN_ONCE);
    }
    close(s->timer_fd);
}

static bool began(void *user, const char *run)
{
    struct rb_service *s = user;
    char id[RB_ID_MAX];
    return rb_journal_find_run(s->o.engine.journal, run, id, NULL) == 0;
}

int rb_service_plan(struct rb_service *s, struct rb_err *err)
{
    rb_planner_free(s->planner);
    s->planner = rb_planner_new(s->schedules, s->store, &planner_events, s);
    int rc = rb_planner_look(s->planner, rb_service_now(), err);
    return rc ? rc : rb_planner_recover(s->planner, began, rb_service_now(), err);
}

static void begin(struct rb_service *s)
{
    rb_service_record(s, "service.started", json_pack("{s:i}", "schedules", (int)s->schedules->count));
    rb_service_say(s, "service.started",
                   json_pack("{s:i, s:i}", "schedules", (int)s->schedules->count, "runs", s->o.runs));
    rb_sd_notify("READY=1");
}

static void serve(struct rb_service *s)
{
    begin(s);
    s->next_keep = rb_service_now() + 60;
    rb_service_parked_start(s);
    for (round_of_loop(s); !s->stopping || s->running || s->continued || s->telling; round_of_loop(s)) {
        uv_run(s->o.engine.loop, UV_RUN_ONCE);
    }
    rb_service_letters(s); /* what was still to be said; a stop does not swallow it */
    while (s->telling) {
        uv_run(s->o.engine.loop, UV_RUN_ONCE);
    }
    rb_service_record(s, "service.stopped", json_object());
    rb_service_say(s, "service.stopped", json_object());
}

static json_t *actor_of_service(void)
{
    json_t *actor = rb_journal_actor_find();
    json_object_set_new(actor, "service", json_true());
    return actor;
}

int rb_service_run(const struct rb_service_options *options, struct rb_err *err)
{
    struct rb_service *s = rb_xcalloc(1, sizeof *s);
    s->o = *options;
    s->o.runs = s->o.runs > 0 ? s->o.runs : 8;
    s->timer_fd = -1;
    s->good = json_object();
    s->files = json_object();
    s->broken = json_object();
    s->undecided = json_object();
    s->letters = json_array();
    s->actor = actor_of_service();
    int rc = rb_store_open(&s->store, options->folder, true, err);
    rc = rc ? rc : open_handles(s, err);
    rc = rc ? rc : rb_service_load(s, err);
    if (!rc) {
        serve(s);
        commit_events(s);
    }
    close_handles(s);
    rb_planner_free(s->planner);
    rb_service_unload(s);
    rb_store_close(s->store);
    json_decref(s->actor);
    json_decref(s->undecided);
    json_decref(s->letters);
    json_decref(s->parked);
    free(s);
    return rc;
}
