/* Private to engine/run: what a run is, and which file does what with it.
 *
 *   run.c          life: start, frames of the runner, stop, end
 *   dispatch.c     one call: look up, arguments, gate, intent, start, outcome, reply
 *   gate.c         may this verb be used here?
 *   worker.c       blocking verbs in worker processes
 *   module.c       bindings that are loaded when they are first used
 *   engine_verbs.c run.*, time.*: what the conductor says and asks
 *   consent.c      choose, confirm, ask: flags, rules, people
 *   drill_verbs.c  drill.*: the lab of a drill
 *   record.c       events: journal first, then report and view
 *   report.c       events -> the runbook.run/1 object
 *   next.c         the commands that go on
 *   target_lock.c  two runs on one target exclude each other */
#ifndef RB_RUN_STATE_H
#define RB_RUN_STATE_H

#include "base/clock.h"
#include "base/hash.h"
#include "binding.h"
#include "journal/journal.h"
#include "run/module.h"
#include "run/run.h"
#include "run/worker.h"

#define RB_CALLS_MAX 1024         /* in flight, of one run; waits too */
#define RB_REMARKS_MAX 20000         /* findings, notes and the like of one run */
#define RB_SECONDS_MAX (7 * 86400) /* no wait of a run is longer */

enum rb_phase {
    RB_PHASE_NONE,
    RB_PHASE_CHECK,
    RB_PHASE_GUARD,
    RB_PHASE_VERIFY,
    RB_PHASE_FIX,
    RB_PHASE_STEP,
    RB_PHASE_UNDO,
    RB_PHASE_INJECT,
    RB_PHASE_COUNT
};

/* The block the runner is in, by its own announcement and our rules. */
struct rb_block_now {
    enum rb_phase phase;
    char *kind, *id, *key;
    bool rehearse;
    int64_t started_ns;
};

/* A write of a plan, as it was shown. */
struct rb_plan {
    char *id, *key;    /* of the fix or step */
    json_t *writes;    /* [{verb, text, args}] */
    bool open;         /* the rehearsal ended at an unknown result: more may follow */
    bool consented;
    size_t done;       /* writes made so far */
};

struct rb_call {
    struct rb_run *run;
    struct rb_call *next;
    const struct rb_binding *binding;
    const struct rb_verb *verb;
    const struct rb_module_verb *module; /* what does it, when that is not the table's own work or start */
    void **state;                        /* of that module in this run */
    json_int_t seq;
    json_t *args;
    json_t *remarks;
    char *at, *text;
    void *data;
    uv_timer_t *deadline;
    double timeout;
    int64_t started_ns;
    int64_t number;    /* in the run, the n of resume */
    enum rb_phase phase;
    bool cancelled;    /* its deadline passed or the run stops: the outcome follows soon */
    bool timed_out;
};

struct rb_lab;  /* drill_verbs.c */
struct rb_wait; /* engine_verbs.c */
struct rb_link; /* run.c */

struct rb_run {
    struct rb_engine engine;
    const struct rb_run_view *view;
    void *user;
    char id[RB_ID_MAX];

    json_t *file, *given, *confirm, *fixes, *answers, *repeat;
    char *drill, *reason;
    enum rb_run_mode mode;
    bool yes, no_input;
    double timeout;

    json_t *meta, *params;
    json_t *report;            /* the runbook.run/1 object, growing */
    json_t *pending;           /* events queued in the journal, not shown yet */

    struct rb_child *runner;
    struct rb_link *link;      /* what the runner's events hold; outlives the run */
    struct rb_wait *waits;
    struct rb_workers *workers;
    struct rb_modules *modules;
    struct rb_call *calls;
    int64_t started_ns, call_count;
    int call_in_flight, remarks;
    struct rb_block_now now;
    struct rb_plan plan;
    struct rb_lab *lab;
    int lock_fd;

    uv_timer_t *run_deadline, *block_deadline, *flush_timer;
    json_int_t question_seq;   /* the call that waits for a person, 0 = none */
    char *question_kind;
    json_t *question;

    bool begun;                /* run.started is on disk */
    bool wrote, unknown, journal_failed, ending;
    int stop_signal;
    json_t *finish;            /* what run.finish said */
    json_t *failure;           /* {result, exit, error}: an end that the runner did not announce */
};

/* record.c */
int rb_record(struct rb_run *run, const char *kind, json_t *body); /* takes body; queued */
int rb_record_flush(struct rb_run *run, struct rb_err *err);       /* on disk, then shown */
void rb_record_soon(struct rb_run *run);                           /* the same within some milliseconds */

/* run.c */
/* Checks whether a run that is ending has nothing in flight any more, and ends it. */
void rb_run_settle(struct rb_run *run);
void rb_run_reply(struct rb_run *run, json_int_t seq, json_t *ok); /* takes ok */
void rb_run_reply_error(struct rb_run *run, json_int_t seq, const struct rb_err *err, const char *verb, bool fatal);
void rb_run_reply_noted(struct rb_run *run, json_int_t seq);
/* Ends the run without the runner's word. text is in the language set. */
void rb_run_fail(struct rb_run *run, const char *result, int exit_code, const char *text);
/* Nothing new starts; ends when nothing is in flight. */
void rb_run_end(struct rb_run *run);
void rb_run_block_deadline(struct rb_run *run, double seconds);

/* dispatch.c */
/* What the runner asks for as a time, within 0 and RB_SECONDS_MAX. */
double rb_seconds_clamp(double seconds);
void rb_dispatch(struct rb_run *run, json_t *frame);
void rb_dispatch_cancel(struct rb_run *run, struct rb_call *call);
void rb_dispatch_cancel_all(struct rb_run *run);
/* What was asked to stop and still takes its grace is asked again. */
void rb_dispatch_hurry(struct rb_run *run);

/* gate.c: RB_GATE_DO, RB_GATE_NOTE (rehearsal, dry run), or a negative RB_E*. */
enum { RB_GATE_DO = 0, RB_GATE_NOTE = 1 };
int rb_gate(struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb, const json_t *args,
            const char *text, struct rb_err *err);
enum rb_phase rb_phase_parse(const char *name);
const char *rb_phase_name(enum rb_phase phase);
bool rb_phase_reads_only(enum rb_phase phase);

/* engine_verbs.c: 1 when verb was one of the engine's own. */
int rb_engine_verb(struct rb_run *run, const char *verb, json_int_t seq, const json_t *args);

/* Ends all waits with an error: a deadline, or a stop. */
void rb_waits_cancel(struct rb_run *run, const struct rb_err *err);
void rb_waits_free(struct rb_run *run);

/* consent.c */
void rb_consent_offer(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_consent_confirm(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_consent_ask(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_consent_answered(struct rb_run *run, const json_t *answer);
void rb_consent_go_on(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_plan_clear(struct rb_plan *plan);

/* drill_verbs.c */
int rb_drill_verb(struct rb_run *run, const char *verb, json_int_t seq, const json_t *args);
void rb_lab_free(struct rb_lab *lab);

/* report.c */
json_t *rb_report_new(void);
void rb_report_apply(json_t *report, const char *kind, const json_t *body, int64_t utc_us);

/* next.c: [{argv, why}] for what is left to do. New reference. */
json_t *rb_next_commands(const struct rb_run *run, const json_t *left);

/* target_lock.c: 0, or RB_EBUSY naming the holder. *fd is closed to unlock. */
int rb_target_lock(const char *target, const char *run, int *fd, struct rb_err *err);

#endif
