/* Consent of other people: asked for by a run, answered from another login, used once. All of it is events; what an
 * approval is now is read from them, and every change is decided in the transaction that records it. */
#ifndef RB_RUN_APPROVAL_H
#define RB_RUN_APPROVAL_H

#include "journal/journal.h"

/* As JSON: what was asked (id, run, runbook, title, block, fix, key, risk, plan, digest, needed, writes, open, reason?,
 * requesters, expires), and {asked, state: waiting granted rejected expired used, left: how many must still agree,
 * answers: [{yes, reason, at, actor}]}. */

/* body: what is asked; its id is made here. The requesters are those who started the run and who runs it now. */
int rb_approval_ask(struct rb_journal *journal, const char *run, json_t *body, char id[RB_ID_MAX], struct rb_err *err);
/* The newest of a run for exactly this plan; NULL without an error when it was never asked. New reference. */
json_t *rb_approval_of_run(struct rb_journal *journal, const char *run, const char *digest, struct rb_err *err);
/* By the beginning of its own id, of its plan's or of its run's; the newest that waits is preferred. New reference. */
json_t *rb_approval_find(struct rb_journal *journal, const char *id, struct rb_err *err);
/* Reads again what became of it: answers, state and what is left. */
int rb_approval_complete(struct rb_journal *journal, json_t *approval, struct rb_err *err);
/* Those that wait, or all; oldest first. New reference. */
json_t *rb_approvals(struct rb_journal *journal, bool all, struct rb_err *err);
/* Says yes or no in the name of this process's user. RB_EDENIED: not the requester's to say; RB_EEXISTS: decided
 * already; RB_EREFUSED: expired. A no counts until the approval is used; also the requester's own. The approval as it
 * is then; new reference. */
struct rb_answer {
    bool yes;
    const char *reason;
    const json_t *users; /* the user blocks of the configuration */
};
json_t *rb_approval_answer(struct rb_journal *journal, const json_t *approval, const struct rb_answer *answer,
                           struct rb_err *err);
/* The run takes its consent. RB_EREFUSED unless it is granted, and unused. */
int rb_approval_use(struct rb_journal *journal, const json_t *approval, struct rb_err *err);
/* Could these two actors be one person? By uid, login uid and sudo's uid; names prove nothing. */
bool rb_actors_meet(const json_t *one, const json_t *other);

#endif
