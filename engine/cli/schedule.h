/* What the words of `runbook schedule` share. */
#ifndef RB_CLI_SCHEDULE_H
#define RB_CLI_SCHEDULE_H

#include "cli/commands.h"
#include "schedule/schedule.h"
#include "schedule/store.h"

#define ST(name) rb_text(RB_T_schedule_##name)

struct rb_cli_schedules {
    struct rb_schedules *all;
    struct rb_store *store; /* NULL: nothing was scheduled here yet */
    int64_t now;
};

/* The schedules of all runbooks and what was decided so far. To be closed in any case. */
int rb_cli_schedules(struct rb_cli *c, struct rb_cli_schedules *s, bool write, struct rb_err *err);
void rb_cli_schedules_close(struct rb_cli_schedules *s);
/* The words after the first name schedules, or runbooks for all of theirs; none means all. */
int rb_cli_schedule_names(const struct rb_cli *c, const struct rb_cli_schedules *s, struct rb_err *err);
bool rb_cli_schedule_wanted(const struct rb_cli *c, const struct rb_schedule *s);
/* A state or reason of a firing in words. */
const char *rb_schedule_word(struct rb_cli *c, const char *word, enum rb_style *style);

/* schedule_change.c */
int rb_schedule_pause(struct rb_cli *c);
int rb_schedule_resume(struct rb_cli *c);
int rb_schedule_reset(struct rb_cli *c);
int rb_schedule_run(struct rb_cli *c);
/* schedule_systemd.c */
int rb_schedule_export(struct rb_cli *c);

#endif
