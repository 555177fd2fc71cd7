/* One run: a runner process, the gate, the journal, and the people around it.
 * Everything is asynchronous on the engine's loop; several runs may share it. */
#ifndef RB_RUN_RUN_H
#define RB_RUN_RUN_H

#include <stdbool.h>

#include <jansson.h>
#include <uv.h>

#include "base/err.h"
#include "base/text.h"

struct rb_journal;
struct rb_spawner;
struct rb_run;

struct rb_engine {
    uv_loop_t *loop;
    struct rb_spawner *spawner;
    struct rb_journal *journal;
    struct rb_turn *turn; /* one for all runs of the process */
    const char *second;   /* the folder of the second journal, whose locks count too; NULL = none */
};

enum rb_run_mode { RB_MODE_EXEC, RB_MODE_DIAGNOSE, RB_MODE_DRY_RUN, RB_MODE_DRILL, RB_MODE_TEST, RB_MODE_UNDO };

struct rb_run_options {
    const json_t *file;   /* of rb_catalog_find_file */
    const json_t *params; /* {name: text or JSON}, as given */
    enum rb_run_mode mode;
    const char *drill; /* RB_MODE_DRILL, RB_MODE_TEST: its name. A test is a run without a journal: it has no effects */
    bool yes;          /* low and medium risk */
    bool no_input;     /* nobody can be asked */
    bool wait;         /* where a person is needed the run is parked, not ended */
    const json_t *confirm; /* [KEY…] typed beforehand, for high risk */
    const json_t *fixes;   /* ["stop-process", "stop-process=4711"] chosen beforehand */
    const json_t *answers; /* {NAME: VALUE} */
    const char *reason;
    const char *allow;      /* the risk up to which nobody is asked, "low" or "medium"; NULL = none */
    const char *id;         /* of rb_id_new('r'), when it must be known beforehand; NULL = a new one */
    const json_t *actor;    /* who acts, when it is not who started this process */
    const char *profile;    /* of the system's; NULL = the one named like it */
    bool undo;              /* rb_exec_watch: the run that is named is undone, not resumed */
    const char *undoes;     /* RB_MODE_UNDO: the run */
    const json_t *plan;     /* of rb_plan_find: exactly this is applied, or nothing */
    double timeout;         /* seconds for the whole run, 0 = 1 h; guided: 1 day */
    const char *unrecorded; /* why there is no journal: the run only looks, says so, and ends with 10 */
    const char *instead;    /* why the second journal has the record; NULL = it has not */
    bool guided;            /* a person paces it: asked before it begins, before each check, and for low risk too */
    bool replay;            /* rb_run_resume: show what the record holds, do and record nothing */
    const json_t *config;   /* of rb_config_load; NULL = none (a drill has its own) */
    const json_t *repeat;   /* argv of the program and the global flags, to print commands that go on */
};

/* All calls come on the loop. Bodies are the journal's event bodies (engine/README.md, "events"). */
struct rb_run_view {
    /* An event, after it is on disk; what only says that something begins comes at once. */
    void (*event)(void *user, const char *kind, const json_t *body);
    /* Live output of a command, raw bytes. */
    void (*output)(void *user, int stream, const char *data, size_t len);
    void (*progress)(void *user, const json_t *body); /* {done, total, unit, text} */
    /* A person is needed; answer by rb_run_answer, later or at once. kind: "choose", "confirm", "ask", and
     * "begin", "pace" of a guided run. */
    void (*ask)(void *user, struct rb_run *run, const char *kind, const json_t *question);
    /* The run is over: result is the runbook.run/1 object, borrowed. The run is freed after this returns. */
    void (*ended)(void *user, const json_t *result);
};

/* Starts a run; errors before anything is journaled: RB_EUSAGE, RB_ELOAD, RB_EBUSY, RB_EJOURNAL. */
int rb_run_start(struct rb_run **out, const struct rb_engine *engine, const struct rb_run_options *options,
                 const struct rb_run_view *view, void *user, struct rb_err *err);
/* Goes on with an interrupted run: with its own bytes, parameters and mode; of options only consent, answers and
 * what is asked count. RB_EBUSY when it still runs, RB_EEXISTS when it ended, RB_EUSAGE for a drill. */
int rb_run_resume(struct rb_run **out, const struct rb_engine *engine, const char *id,
                  const struct rb_run_options *options, const struct rb_run_view *view, void *user, struct rb_err *err);
/* Takes back what the run did, as a run of its own with the same bytes and parameters. Refused before it begins:
 * RB_EUSAGE when there is nothing, RB_EBUSY when it is not over, RB_EUNKNOWN, RB_EEXISTS when it was undone,
 * RB_EREFUSED when a later run stands on it. */
int rb_run_undo(struct rb_run **out, const struct rb_engine *engine, const char *id,
                const struct rb_run_options *options, const struct rb_run_view *view, void *user, struct rb_err *err);
/* What a person found out about writes nobody knew about. */
struct rb_word {
    int64_t call; /* its number, 0 = all of them */
    bool done;
    const char *reason;
};
/* The intents it was said of; NULL and RB_EUSAGE when none of the run waits for that, RB_EBUSY when it runs. */
json_t *rb_run_resolve(struct rb_journal *journal, const char *run, const struct rb_word *word, struct rb_err *err);
/* Ends an interrupted run for good. RB_EUNKNOWN while a write of it is open. */
int rb_run_abort(struct rb_journal *journal, const char *run, const char *reason, struct rb_err *err);
/* choose: {"fix", "key"} or {} (not now). confirm: {"typed": text} or {} (no). ask: {"answers": {…}} or {}. */
void rb_run_answer(struct rb_run *run, const json_t *answer);
/* More answers of a guided run. choose, confirm: {"reason": why not}, {"back": true}. begin: {"params": {…}} to change
 * some, {"go": true}. pace: {"action": "run", "skip" (with "reason"), "back", "again"}. */
/* The person goes: a run that waits for an answer ends here, unfinished, and can be resumed. */
void rb_run_leave(struct rb_run *run);
/* What the person says, as a note of the record. */
void rb_run_remark(struct rb_run *run, const char *text);
/* Its blocks (rb_language_meta) and its files (of rb_catalog_find_file); borrowed. NULL before they are known. */
const json_t *rb_run_meta(const struct rb_run *run);
const json_t *rb_run_file(const struct rb_run *run);
/* Ctrl-C: the running call is cancelled, nothing new starts, the run ends 130 or 143. Twice: at once. */
void rb_run_stop(struct rb_run *run, int signal);

/* The plan whose id begins so; RB_ENOT_FOUND, RB_EUSAGE when there are several. New reference. */
json_t *rb_plan_find(struct rb_journal *journal, const char *id, struct rb_err *err);

/* What a schedule of this runbook may do without a person, by the rules of the installation: "low" or "medium". */
const char *rb_policy_unattended(const json_t *config, const char *runbook);
/* Is the policy about this runbook? */
bool rb_policy_names(const json_t *policy, const char *runbook);

/* What the configuration says of a severity: severity "mall/P1" counts more than severity "P1". NULL: nothing. */
const json_t *rb_severity_of(const json_t *config, const char *runbook, const char *severity);
/* {"severity", "within": seconds, "contacts": [{name, title, phone?, email?, channel?}], "escalate": the runbook's own
 * words or null}. New reference. */
json_t *rb_response_of(const json_t *config, const char *runbook, const char *severity, const json_t *escalate);

/* The exit code of design.md 5 for a result. */
int rb_run_exit_code(const char *result);
/* The runbook.run/1 object of a past run, read from the journal. New reference. */
json_t *rb_run_report(struct rb_journal *journal, const char *run, struct rb_err *err);

#endif
