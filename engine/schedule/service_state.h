/* Private to the service: what it is, and which file does what with it.
 *
 *   service.c         life: signals, the clock, one round of the loop
 *   service_load.c    runbooks and configuration, at the start and when files change
 *   service_runs.c    a firing becomes a run; how it ended; the circuit breaker
 *   service_parked.c  runs that waited for other people
 *   service_tell.c    what people are told, and how often
 *   service_escalate.c  whom to turn to when nobody decided in time
 *   service_keep.c    once a day: retention */
#ifndef RB_SCHEDULE_SERVICE_STATE_H
#define RB_SCHEDULE_SERVICE_STATE_H

#include "base/hash.h"
#include "journal/journal.h"
#include "schedule/planner.h"
#include "schedule/service.h"

#define RB_JOURNAL_SCHEDULE "schedule" /* events that belong to no run */

struct rb_catalog;
struct rb_service;
struct rb_continued; /* service_parked.c */

/* A firing on its way; freed when it ended. */
struct rb_firing_run {
    struct rb_firing_run *next;
    struct rb_service *service;
    struct rb_run *run; /* NULL: waits for a place */
    char *schedule;
    char id[RB_ID_MAX];
    int64_t at;
    bool only_look; /* the circuit breaker is open */
};

struct rb_service {
    struct rb_service_options o;
    struct rb_store *store;
    struct rb_schedules *schedules;
    struct rb_planner *planner;
    json_t *good;   /* {runbook: its last good entry}, of those with schedules … */
    json_t *files;  /* … and their files, as rb_run_start takes them */
    json_t *config; /* of rb_config_load; the last that loaded */
    json_t *broken; /* {runbook: true}: said already */
    json_t *actor;
    struct rb_firing_run *waiting, *running;
    int running_count;
    struct rb_continued *continued; /* runs that waited for people and go on */
    json_t *parked, *gone;          /* {run: when to look at it}; {run: event} of one look */
    struct {
        int64_t resumed, ended, parked, answered, started;
    } seen;              /* events so far */
    json_t *letters;     /* what goes out with the next message: [{schedule or run, result, …}] */
    json_t *undecided;   /* {run: when somebody must have decided}: runs that did not end */
    int64_t escalate_at; /* not to be looked for before */
    int telling;         /* messages on their way */

    int timer_fd; /* CLOCK_REALTIME: fires on time, after a suspend, and when the clock is set */
    uv_poll_t timer;
    uv_timer_t debounce, letter_timer, watchdog, drain, parked_timer;
    uv_signal_t signals[3];
    uv_fs_event_t **watches;
    size_t watch_count;
    int open; /* handles not closed yet */
    int64_t next_keep;
    int64_t retry_at; /* after the store or the journal failed; 0 = they work */
    bool reload, clock_set, stopping, hurried;
    bool look;     /* for runs that may go on: some time has passed, or there is a place */
    bool recorded; /* events of our own wait for a commit; those of runs have theirs */
};

int64_t rb_service_now(void);
/* fact: taken; "at" is added. */
void rb_service_say(struct rb_service *s, const char *kind, json_t *fact);
/* Into the journal, with the next commit. body: taken. */
void rb_service_record(struct rb_service *s, const char *kind, json_t *body);
/* The store or the journal failed: said once, tried again soon. */
void rb_service_failed(struct rb_service *s, const struct rb_err *err);

/* A planner for the schedules that are now: it goes with those it was made of. */
int rb_service_plan(struct rb_service *s, struct rb_err *err);

/* service_load.c */
int rb_service_load(struct rb_service *s, struct rb_err *err);
void rb_service_unload(struct rb_service *s);
void rb_service_unwatch(struct rb_service *s);

/* service_runs.c */
void rb_service_due(void *user, const struct rb_schedule *schedule, int64_t at);
void rb_service_start_waiting(struct rb_service *s);
void rb_service_forget_waiting(struct rb_service *s);

/* service_parked.c */
void rb_service_parked_start(struct rb_service *s);
void rb_service_parked(struct rb_service *s);
void rb_service_parked_stop(struct rb_service *s);

/* service_tell.c */
void rb_service_tell(struct rb_service *s, const struct rb_schedule *schedule, const char *result,
                     const json_t *report);
/* A run that was parked went on, and ended. */
void rb_service_tell_decided(struct rb_service *s, const char *run, const json_t *report);
void rb_service_letters(struct rb_service *s);
/* one: {schedule or run, result, …}, taken; goes out with the next message, once. */
void rb_service_letter(struct rb_service *s, json_t *one);

/* service_escalate.c */
/* What began and did not end: event is a run.started. */
int rb_service_opened(const struct rb_event *event, void *service);
void rb_service_escalate(struct rb_service *s);
/* A letter of an escalation goes out now: 1 when it is ours to send; it is recorded. */
int rb_service_escalated(struct rb_service *s, const json_t *letter, struct rb_err *err);

/* service_keep.c */
void rb_service_keep(struct rb_service *s);

#endif
