/* One run in this terminal: what is shown while it goes, what is asked, how it ended. */
#ifndef RB_CLI_EXEC_H
#define RB_CLI_EXEC_H

#include "base/buf.h"
#include "cli/commands.h"
#include "cli/prompt.h"
#include "run/run.h"

struct rb_guide;

struct rb_exec {
    struct rb_cli *c;
    struct rb_run *run;
    struct rb_prompt prompt;
    json_t *result;         /* of ended; NULL while it runs */
    json_t *done;           /* writes that were made: ["verb text"…] */
    json_t *standing_shown; /* of the last tree, to stay quiet when nothing changed */
    json_t *found;          /* {"id/key": body}, newest evidence */
    json_t *title;          /* of the check that runs */
    char *plan_shown;       /* "fix/key" */
    struct rb_buf carry[2]; /* live output: a character whose rest has not come yet */
    int round;              /* of diagnosis, from 1 */
    int stops;              /* Ctrl-C so far */
    int64_t started_ns, progress_ns;
    const json_t *config;    /* borrowed */
    int telling;             /* messages on their way */
    bool brief;              /* findings by their words alone: the evidence is a key away */
    bool begun;              /* run.started was seen */
    bool interactive;        /* a person watches: the looks of a terminal */
    bool dry_run, line_open; /* line_open: live output ended without a newline */
    struct rb_guide *guide;  /* NULL when nobody paces the run */
    /* the question that waits */
    json_t *question, *answers;
    const char *ask_name;
    void *ask_iter;
};

/* cmd_exec.c: name=value into object; the runbook's file by its name; the flags that agree and answer; the journal for
 * writing, with who acts; and one run, started or (resume: its id) taken up again, until it ended. Returns the exit
 * code. */
int rb_exec_add_pair(json_t *object, const char *pair, const char *what, struct rb_err *err);
int rb_exec_prepare(struct rb_cli *c, const char *name, json_t **file, struct rb_err *err);
int rb_exec_consent(const struct rb_cli *c, struct rb_run_options *o, json_t *answers, struct rb_err *err);
int rb_exec_journal(struct rb_cli *c, struct rb_err *err);
int rb_exec_watch(struct rb_cli *c, struct rb_run_options *o, const char *resume, struct rb_err *err);
/* cmd_resume.c: on with the run that prefix names; one that ended is shown. */
int rb_exec_resume(struct rb_cli *c, const char *prefix, struct rb_run_options *o);

/* exec_view.c: the callbacks of rb_run_view for text; user is the struct rb_exec. */
void rb_exec_event(void *user, const char *kind, const json_t *body);
/* The plan of a fix or step, once. */
void rb_exec_plan(struct rb_exec *e, const json_t *plan, const json_t *writes);
/* exec_findings.c: what stands, causes below what they explain. */
void rb_exec_tree(struct rb_exec *e, const json_t *standing);
void rb_exec_finding(struct rb_exec *e, const json_t *finding, int indent);
/* Its events. */
void rb_exec_found(struct rb_exec *e, const json_t *body);
void rb_exec_diagnosis(struct rb_exec *e, const json_t *body);
/* Takes up what an earlier life of the run found. */
void rb_exec_learn(struct rb_exec *e, const json_t *report);
/* "ID KEY" of a finding, fix or step. */
const char *rb_exec_name(struct rb_exec *e, const json_t *body);
/* escalate.c: nobody decided in time. */
void rb_exec_escalated(struct rb_exec *e, const json_t *body);
/* exec_live.c */
void rb_exec_output(void *user, int stream, const char *data, size_t len);
void rb_exec_progress(void *user, const json_t *body);
/* exec_end.c: a result in one sentence; what went wrong with the run itself; the last lines. */
const char *rb_exec_sentence(const char *result);
void rb_exec_error(struct rb_cli *c, const json_t *result);
void rb_exec_end(struct rb_exec *e);
/* exec_ask.c */
void rb_exec_ask(void *user, struct rb_run *run, const char *kind, const json_t *question);
/* The question that waits is answered. Takes value. */
void rb_exec_answer(struct rb_exec *e, json_t *value);
/* Takes over a question; false when nobody is there, and it was answered so. */
bool rb_exec_question(struct rb_exec *e, struct rb_run *run, const json_t *question);
/* One offer of the list, numbered n unless it is grey; the nth that may be chosen, from 1. */
void rb_exec_offer(struct rb_exec *e, const json_t *offer, int n);
const json_t *rb_exec_nth(const json_t *offers, long n);
/* The fields of a by_hand or asks block, one after the other. */
void rb_exec_ask_fields(struct rb_exec *e);
/* What a person said is done, and is not seen to be so. */
void rb_exec_not_yet(struct rb_exec *e);

#endif
