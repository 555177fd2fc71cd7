/* The guide: the same run as exec, paced by a person. It shows one step at a time and takes one answer at a time;
 * order is the conductor's (stdlib/guide.lua), permission the gate's. */
#ifndef RB_CLI_GUIDE_H
#define RB_CLI_GUIDE_H

#include "cli/exec.h"

struct rb_guide;

/* guide.c: the callbacks of rb_run_view; user is the struct rb_exec. */
struct rb_guide *rb_guide_new(struct rb_exec *e);
void rb_guide_free(struct rb_guide *g);
/* Goes on with an earlier life of the run: its report so far. */
void rb_guide_take_up(struct rb_guide *g, const json_t *report);
void rb_guide_event(void *user, const char *kind, const json_t *body);
void rb_guide_ask(void *user, struct rb_run *run, const char *kind, const json_t *question);
/* A signal while a person is asked, or a lost terminal: the run is left, to be resumed. false: stop it as ever. */
bool rb_guide_signal(struct rb_guide *g, int signal);
void rb_guide_leave(struct rb_guide *g);
/* The runbook's blocks, also when its run is over; NULL when it never asked. */
const json_t *rb_guide_meta(const struct rb_guide *g);

/* guide_end.c: what was seen, done, and not done. parked: it is only left. */
void rb_guide_end(struct rb_exec *e);
void rb_guide_so_far(struct rb_exec *e, const json_t *report);

/* guide_screen.c: what stands above the keys. All of it is read from meta and the question. */
struct rb_screen {
    struct rb_exec *e;
    const json_t *meta, *file, *question;
    const json_t *params;      /* of the run */
    const json_t *passed_over; /* {check: reason} */
};
void rb_screen_begin(const struct rb_screen *s);
void rb_screen_step(const struct rb_screen *s);
void rb_screen_seen(const struct rb_screen *s);
void rb_screen_choices(const struct rb_screen *s);
void rb_screen_act(const struct rb_screen *s); /* why and manual of the fix or step in question */
void rb_screen_manual(const struct rb_screen *s);
void rb_screen_code(const struct rb_screen *s);
void rb_screen_evidence(const struct rb_screen *s);
/* A label, and a text that goes on below its own beginning. */
void rb_screen_field(struct rb_cli *c, const char *label, const char *text);
/* A text before what it speaks of is known: "…" for what will be filled in. */
const char *rb_screen_unfilled(struct rb_cli *c, const json_t *text);
/* The check, fix or step of that id, or NULL. */
const json_t *rb_screen_block(const json_t *meta, const char *id);

/* guide_find.c: from what a person sees to the id of a runbook. Needs the loop; NULL when they leave. malloc. */
char *rb_guide_find(struct rb_cli *c, struct rb_prompt *prompt, const char *first);

/* Numbered choices, nothing redrawn: RUNBOOK_ACCESSIBLE. */
bool rb_guide_accessible(void);

#endif
