/* Private to engine/run: what a run is, and which file does what with it.
 *
 *   run.c          life: what a run is made of, its deadlines, its runner
 *   reply.c        what the runner is told
 *   end.c          how it ends: of itself, failed, stopped, parked, left
 *   dispatch.c     the way in of a call: look up, arguments, gate, intent, start; its cancelling
 *   outcome.c      the way out: live output, outcome on disk, reply
 *   call.c         what a call is while it is under way, and what its binding sees of it
 *   gate.c         may this verb be used here?
 *   worker.c       blocking verbs in worker processes
 *   module.c       bindings that are loaded when they are first used
 *   fill.c         connections and channels: from a name or an address to what a client needs
 *   secrets.c      secrets: found when first needed, put in just before a call begins
 *   engine_verbs.c run.*, time.*: what the conductor says and asks, one table
 *   declare.c      run.declare: the declaration judged, with the profile and parameters of this run
 *   begin.c        run.begin: locks, and the first event on disk
 *   time_verbs.c   time.*: clocks and waits
 *   plan.c         what was shown and would be done, under an id; dry runs, exec --plan
 *   policy.c       who must agree
 *   consent.c      choose, ask: flags, rules, people
 *   agree.c        confirm: may it be done
 *   others.c       what a run asks of other people, and what it does with their answer
 *   approval.c     consent of other people
 *   drill_verbs.c  drill.*: the lab of a drill
 *   record.c       events: journal first, then report and view
 *   turn.c         what must be on disk before something goes on: one commit a turn of the loop, of all runs
 *   response.c     how soon somebody must decide, and what happens then
 *   report.c       events -> the runbook.run/1 object
 *   next.c         the commands that go on
 *   lock.c         runs on one target, or with one named lock, exclude each other
 *   past.c         what the journal holds of a run
 *   undo.c         what of it can be taken back
 *   resume.c       taking up an interrupted run, and what a person says about it
 *   settle.c       what became of a write whose host died
 *   replay.c       a run that goes on: what was recorded is answered from there */
#ifndef RB_RUN_STATE_H
#define RB_RUN_STATE_H

#include "base/clock.h"
#include "base/hash.h"
#include "binding.h"
#include "journal/journal.h"
#include "process/child.h"
#include "run/approval.h"
#include "run/module.h"
#include "run/past.h"
#include "run/replay.h"
#include "run/run.h"
#include "run/secrets.h"
#include "run/turn.h"
#include "run/worker.h"

#define RB_CALLS_MAX 1024          /* in flight, of one run; waits too */
#define RB_PLACE_MAX 96            /* "1.2#17": a task's path and the number of the call in it */
#define RB_REMARKS_MAX 20000       /* findings, notes and the like of one run */
#define RB_EXIT_JOURNAL 10         /* the record cannot be written */
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
    char *id, *key; /* of the fix or step */
    json_t *writes; /* [{verb, text, args, to}] of rb_plan_write */
    bool open;      /* the rehearsal ended at an unknown result: more may follow */
    json_t *ended;  /* how the rehearsal ended: result, text, error */
    bool consented;
    bool renew;    /* consent was given before a crash: the next live write asks again */
    json_t *shown; /* with what consent was asked for */
    size_t done;   /* writes made so far */
};

struct rb_call {
    struct rb_run *run;
    struct rb_call *next;
    const struct rb_binding *binding;
    const struct rb_verb *verb;
    const struct rb_module_verb *module; /* what does it, when that is not the table's own work or start */
    void **state;                        /* of that module in this run */
    json_int_t seq;
    json_t *args;   /* as asked for, secrets by name: what is shown and recorded */
    json_t *filled; /* the same with connections and secrets put in: what the binding gets */
    json_t *remarks;
    json_t *details; /* what the other side said of an error */
    char *at, *text, *frame;
    void *data;
    uv_timer_t *deadline;
    double timeout;
    int64_t started_ns;
    int64_t number; /* in the run, the n of resume */
    enum rb_phase phase;
    struct rb_redact_stream *live[2]; /* stdout, stderr as they are shown */
    bool waits_for_secret, try_again;
    bool held;      /* waits for its turn in the record, or to go on live */
    bool asking;    /* waits for consent to be renewed */
    bool again;     /* its intent of an earlier life may have led to something */
    bool looking;   /* asks only whether its receipt is there */
    bool decisive;  /* where it is not, nothing was done */
    bool begun;     /* handed to the binding */
    bool cancelled; /* its deadline passed or the run stops: the outcome follows soon */
    bool timed_out;
    bool undone;                /* its binding knows that it changed nothing */
    rb_announced_fn *announced; /* goes on with it once what it says beforehand is on disk */
    json_t *value;              /* it ended, and waits for its record to be on disk: then one of these is told */
    struct rb_err *failure;
};

struct rb_lab;  /* drill_verbs.c */
struct rb_lock; /* lock.c */
struct rb_wait; /* engine_verbs.c */
struct rb_link; /* run.c */
struct rb_run *rb_run_new(const struct rb_engine *engine, const struct rb_run_options *options,
                          const struct rb_run_view *view, void *user);
/* Starts its runner; frees the run when that fails. */
int rb_run_launch(struct rb_run **out, struct rb_run *run, struct rb_err *err);

struct rb_run {
    struct rb_engine engine;
    const struct rb_run_view *view;
    void *user;
    char id[RB_ID_MAX];

    json_t *file, *given, *confirm, *fixes, *answers, *repeat;
    json_t *named;  /* which of the fixes named an offer so far; NULL before there were any */
    char *misnamed; /* why one of them cannot be done */
    char *drill, *reason, *profile, *unrecorded, *instead;
    enum rb_run_mode mode;
    bool yes, no_input, wait, guided;
    int allow;     /* rank of the risk that needs nobody; -1 = none */
    json_t *actor; /* NULL = who the journal knows */
    double timeout;

    json_t *meta, *params;
    char *target;
    char *undoes;     /* the run this one takes back, or NULL */
    bool may_undo;    /* a fix or step that can be undone did not reach what it should */
    json_t *standing; /* [{id, key}] of the last diagnosis … */
    json_t *evidence; /* … and {"id/key": what was seen}, newest */
    bool looked;
    json_t *planned; /* of a dry run: what each fix or step would do … */
    json_t *made;    /* … and the plan of it, when it would do anything */
    json_t *only;    /* the plan this run applies, or NULL */
    json_t *config;  /* {connection, channel, secret, …: {name: fields}} */
    struct rb_secrets *secrets;
    json_t *report;  /* the runbook.run/1 object, growing */
    json_t *pending; /* events queued in the journal, not shown yet: kind, body, kind, body, … */

    struct rb_child *runner;
    struct rb_child_effort loading; /* its first: the file */
    struct rb_link *link;           /* what the runner's events hold; outlives the run */
    struct rb_wait *waits;
    struct rb_workers *workers;
    struct rb_modules *modules;
    struct rb_call *calls;
    json_t *frames;             /* {task: calls it made so far} */
    char frame[RB_PLACE_MAX];   /* of the call that is served now; "" = none */
    struct rb_replay *replay;   /* an earlier life of this run, or NULL */
    struct rb_journal *archive; /* where that life is recorded */
    json_t *first_started;      /* its run.started */
    json_t *recorded;           /* the answer from it to what is served now, or NULL */
    struct rb_cut cut;          /* its events count up to here */
    double resumed_at;          /* on the run's clock */
    const char *lang;           /* of the runner: its words are part of the record */
    int64_t started_ns, clock_base_ns, call_count, last_write_us;
    int call_in_flight, remarks;
    int waiting;          /* in turn.c */
    json_int_t begin_seq; /* of run.begin, answered when the run is on disk again */
    struct rb_block_now now;
    struct rb_plan plan;
    struct rb_lab *lab;
    struct rb_lock *locks;
    json_t *interrupted; /* {run, step}: the one before us on this target, which did not end */

    json_t *response; /* of rb_response_of: how soon somebody must decide, and whom to turn to then */
    uv_timer_t *run_deadline, *block_deadline, *flush_timer, *response_timer;
    json_int_t question_seq; /* the call that waits for a person, 0 = none */
    char *question_kind, question_frame[RB_PLACE_MAX];
    json_t *question;

    bool begun;  /* run.started is on disk */
    bool parked; /* ends without an end: it can be taken up again */
    bool wrote, unknown, journal_failed, ending;
    bool refused_unrecorded; /* a write did not start because its intent could not be recorded */
    int stop_signal;
    json_t *finish;  /* what run.finish said */
    json_t *failure; /* {result, exit, error}: an end that the runner did not announce */
    json_t *end;     /* of the run, on its way to disk */
};

/* declare.c: run.declare, and a person's answer to "begin". */
void rb_verb_declare(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_declared_answer(struct rb_run *run, json_int_t seq, const json_t *answer);

/* response.c: from the begin of a run that a person watches … to their consent to a repair. */
void rb_response_begin(struct rb_run *run);
void rb_response_end(struct rb_run *run);

/* record.c */
int rb_record(struct rb_run *run, const char *kind, json_t *body); /* takes body; queued */
int rb_record_flush(struct rb_run *run, struct rb_err *err);       /* on disk, then shown */
void rb_record_show(struct rb_run *run);                           /* shown though it is on no disk: the run says so */
void rb_record_soon(struct rb_run *run);                           /* the same within some milliseconds */

/* run.c: the runner is nobody's from here on, and ends … */
void rb_run_drop_runner(struct rb_run *run);
/* … what the run holds but its memory … */
void rb_run_release(struct rb_run *run);
/* … and that. */
void rb_run_free(struct rb_run *run);

/* reply.c, end.c */
/* Checks whether a run that is ending has nothing in flight any more, and ends it. */
void rb_run_settle(struct rb_run *run);
void rb_run_reply(struct rb_run *run, json_int_t seq, json_t *ok); /* takes ok */
/* The error of a reply; new reference. */
json_t *rb_run_error(const struct rb_run *run, const struct rb_err *err, const char *verb, bool fatal);
/* Takes error. */
void rb_run_reply_failure(struct rb_run *run, json_int_t seq, json_t *error);
void rb_run_reply_error(struct rb_run *run, json_int_t seq, const struct rb_err *err, const char *verb, bool fatal);
void rb_run_reply_noted(struct rb_run *run, json_int_t seq);
/* The reply to what only this moment knows: recorded under the frame, so that a later life gets the same. */
void rb_run_input(struct rb_run *run, const char *frame, json_int_t seq, const char *verb, json_t *ok); /* takes ok */
/* Seconds since the run began, also across a crash. */
double rb_run_clock(const struct rb_run *run);
/* Ends this process's part of the run; the run itself stays interrupted. */
void rb_run_park(struct rb_run *run, const char *result, int exit_code, const char *text);
/* Ends the run without the runner's word. text is in the language set. */
void rb_run_fail(struct rb_run *run, const char *result, int exit_code, const char *text);
/* The same with what an error says and hints at. */
void rb_run_fail_err(struct rb_run *run, const char *result, int exit_code, const struct rb_err *err);
/* Nothing new starts; ends when nothing is in flight. */
void rb_run_end(struct rb_run *run);
void rb_run_block_deadline(struct rb_run *run, double seconds);

/* call.c, dispatch.c, outcome.c */
/* What the runner asks for as a time, within 0 and RB_SECONDS_MAX. */
double rb_seconds_clamp(double seconds);
void rb_dispatch(struct rb_run *run, json_t *frame);
/* Starts a call that passed the gate. */
void rb_call_go(struct rb_call *call);
/* The oldest that waits for consent to be renewed, or NULL. */
struct rb_call *rb_call_asking(const struct rb_run *run);
/* Asks the other side whether the receipt of an earlier life is there; rb_settle_looked gets the answer. */
void rb_call_look_back(struct rb_call *call);
/* Back to before it began. */
void rb_call_rewind(struct rb_call *call);
/* Records what a write says before it goes on; then go_on, unless it ended meanwhile. Takes body. */
void rb_call_before(struct rb_call *call, const char *kind, json_t *body, rb_announced_fn *go_on);
/* Its outcome from an earlier life. */
void rb_call_recorded(struct rb_call *call, const json_t *outcome);
void rb_dispatch_cancel(struct rb_run *run, struct rb_call *call);
void rb_dispatch_cancel_all(struct rb_run *run);
/* What was asked to stop and still takes its grace is asked again. */
void rb_dispatch_hurry(struct rb_run *run);

/* Goes on with the calls that waited for a secret: one more is there, or could not be had. */
void rb_dispatch_secret_ended(struct rb_run *run);

/* fill.c */
/* A name that is none of the blocks: what was meant, else where such a block is written. RB_EUSAGE. */
int rb_fill_unknown(const json_t *blocks, const char *name, enum rb_text_id text, enum rb_text_id hint,
                    struct rb_err *err);
/* What a runbook wrote as an argument of type "connection" or "channel", in full for the binding: a path stays a
 * path, everything else is an object (docs/configuration.md); its secrets are still {"$secret": name}.
 * read_only: the read account, where there is one. New reference or NULL with RB_EUSAGE. */
json_t *rb_fill_connection(const json_t *config, const char *binding, const char *given, bool read_only,
                           struct rb_err *err);
json_t *rb_fill_channel(const json_t *config, const char *given, struct rb_err *err);
/* All arguments of a verb. New reference or NULL. */
json_t *rb_fill_arguments(const struct rb_call *call, struct rb_err *err);
/* Names and addresses among the parameters, before anything runs. */
int rb_fill_check_params(const struct rb_run *run, const json_t *params, struct rb_err *err);

/* gate.c: RB_GATE_DO, RB_GATE_NOTE (rehearsal, dry run), or a negative RB_E*. */
enum { RB_GATE_DO = 0, RB_GATE_NOTE = 1 };
int rb_gate(struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb, const json_t *args,
            const char *text, struct rb_err *err);
enum rb_phase rb_phase_parse(const char *name);
const char *rb_phase_name(enum rb_phase phase);
bool rb_phase_reads_only(enum rb_phase phase);

/* begin.c */
void rb_verb_begin(struct rb_run *run, json_int_t seq, const json_t *args);

/* engine_verbs.c: 1 when the frame's verb was one of the engine's own. */
int rb_engine_verb(struct rb_run *run, const json_t *frame);
/* The same when its turn came; run->recorded is the answer, if there is one. */
void rb_engine_serve(struct rb_run *run, const json_t *frame);

/* time_verbs.c */
void rb_verb_now(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_verb_mono(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_verb_wait(struct rb_run *run, json_int_t seq, const json_t *args);
/* Ends all waits with an error: a deadline, or a stop. */
void rb_waits_cancel(struct rb_run *run, const struct rb_err *err);
void rb_waits_free(struct rb_run *run);

/* policy.c */
struct rb_demand {
    int others;          /* people beside the requester */
    bool alone;          /* critical, and nobody else is known: the plan's id and a reason are asked for */
    const char *reason;  /* the policy that asks for one, or NULL */
    const char *outside; /* the policy whose hours it is outside of, or NULL */
    double seconds;      /* how long a request waits */
    const json_t *roles; /* who may approve; NULL = approvers */
};
struct rb_demand rb_policy_demand(const struct rb_run *run, const json_t *shown);

/* consent.c */
int rb_risk_rank(const char *risk); /* low 0, medium 1, high 2, critical 3 */
/* Asks whoever sits there; the answer comes by rb_run_answer. */
void rb_consent_person(struct rb_run *run, json_int_t seq, const char *kind, const json_t *question);
/* Did a flag say it beforehand; did one choose it; may a schedule do it without a person? */
bool rb_consent_beforehand(const struct rb_run *run, const json_t *shown);
bool rb_consent_chosen(const struct rb_run *run, const json_t *offer);
bool rb_consent_drill_undoes(const struct rb_run *run);
bool rb_consent_allowed(const struct rb_run *run, const json_t *shown);
/* agree.c: gives the runner the answer; seq -1: consent of before a crash is renewed, or not. */
void rb_confirm_settle(struct rb_run *run, json_int_t seq, const json_t *shown, const char *answer, const char *how);
/* others.c: the requester agreed, and others must too. */
void rb_consent_others(struct rb_run *run, json_int_t seq, json_t *shown, const struct rb_demand *demand);
/* The run waits without a process. what: approval, confirm, ask; text names block and id. */
void rb_consent_park(struct rb_run *run, const char *what, const json_t *shown, enum rb_text_id text);
void rb_confirm_answered(struct rb_run *run, json_int_t seq, json_t *question, const json_t *answer);
void rb_consent_pace(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_consent_begin(struct rb_run *run, json_int_t seq, const json_t *question);
void rb_consent_offer(struct rb_run *run, json_int_t seq, const json_t *args);
/* At the end: which of the fixes chosen beforehand never came up. */
void rb_consent_unused(struct rb_run *run);
void rb_consent_confirm(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_consent_ask(struct rb_run *run, json_int_t seq, const json_t *args);
void rb_consent_answered(struct rb_run *run, const json_t *answer);
void rb_consent_go_on(struct rb_run *run, json_int_t seq, const json_t *args);
/* Consent given before a crash is asked for again; the call then starts, or fails. */
void rb_consent_renew(struct rb_run *run, struct rb_call *call);
/* The fix or step as it was declared, or NULL. */
const json_t *rb_block_declared(const struct rb_run *run, const char *id);
void rb_plan_clear(struct rb_plan *plan);

json_t *rb_plan_trusted(const struct rb_run *run, const json_t *given);

/* plan.c */
/* A noted write; new reference, like the next two. */
json_t *rb_plan_write(const struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb,
                      const json_t *args, const char *text);
json_t *rb_plan_item(const struct rb_run *run, const json_t *shown);
/* {plan: its id, digest, runbook, files, params, target, findings, items} */
json_t *rb_plan_of(const struct rb_run *run, const json_t *items);
/* Parts of it: {path: sha256 in hex}; "ID/KEY" of a finding. */
json_t *rb_plan_files(const struct rb_run *run);
void rb_plan_finding_name(const json_t *finding, char *out, size_t size);
void rb_plan_preview(struct rb_run *run, json_int_t seq, const json_t *given);
/* The end of a dry run. */
void rb_plan_made(struct rb_run *run);
/* plan_apply.c */
/* Ends the run when the plan to apply is not one of this runbook as it is now, on this target; or was applied before.
 */
void rb_plan_begin(struct rb_run *run);
/* After the first diagnosis: ends the run when something else stands than then. */
void rb_plan_standing(struct rb_run *run);
/* Has the plan to apply anything for this fix or step? */
bool rb_plan_holds(const struct rb_run *run, const json_t *shown);
/* 1 when it is what the plan says, 0 when the plan says nothing of it; -1: it differs, the run ends. */
int rb_plan_agrees(struct rb_run *run, const json_t *shown);

/* undo.c: [{block, id, key, for, standing, results}] of what is left to take back, newest first; self: the undo's own
 * run. New reference; NULL with the errors of rb_run_undo. */
json_t *rb_undo_items(struct rb_journal *journal, const char *run, const char *self, struct rb_err *err);

/* drill_verbs.c */
int rb_drill_verb(struct rb_run *run, const char *verb, json_int_t seq, const json_t *args);
void rb_lab_free(struct rb_lab *lab);

/* report.c */
json_t *rb_report_new(void);
void rb_report_apply(json_t *report, const char *kind, const json_t *body, int64_t utc_us);

/* next.c: [{argv, why}] for what is left to do. New reference. */
json_t *rb_next_commands(const struct rb_run *run, const json_t *left);
/* The one that shows what would be done now. New reference. */
json_t *rb_next_dry_run(const struct rb_run *run);
/* The command that takes the run up again and agrees to what is shown. New reference. */
json_t *rb_next_resume(const struct rb_run *run, const json_t *shown);
/* The list of commands for a guided run that was left. New reference. */
json_t *rb_next_guide(const struct rb_run *run);

/* lock.c: 0, or RB_EBUSY with who holds it, since when and at which step. what is the name for people. */
int rb_lock_take(struct rb_run *run, const char *name, const char *what, struct rb_err *err);
/* keep_name: the run may have left a write half done, or can be taken up again. */
void rb_locks_release(struct rb_run *run, bool keep_name);

#endif
