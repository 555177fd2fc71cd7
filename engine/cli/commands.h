/* The commands, one file each, and what they share with one another. */
#ifndef RB_CLI_COMMANDS_H
#define RB_CLI_COMMANDS_H

#include "cli/cli.h"

int rb_cmd_list(struct rb_cli *c);
int rb_cmd_find(struct rb_cli *c);
int rb_cmd_show(struct rb_cli *c);
int rb_cmd_exec(struct rb_cli *c);
int rb_cmd_guide(struct rb_cli *c);
int rb_cmd_resume(struct rb_cli *c);
int rb_cmd_undo(struct rb_cli *c);
int rb_cmd_resolve(struct rb_cli *c);
int rb_cmd_abort(struct rb_cli *c);
int rb_cmd_stop(struct rb_cli *c);
/* cmd_approve.c: one request, by its id. */
int rb_show_approval(struct rb_cli *c, const char *id);
int rb_cmd_approvals(struct rb_cli *c);
int rb_cmd_approve(struct rb_cli *c);
int rb_cmd_reject(struct rb_cli *c);
int rb_cmd_history(struct rb_cli *c);
int rb_cmd_logs(struct rb_cli *c);
int rb_cmd_report(struct rb_cli *c);
int rb_cmd_audit(struct rb_cli *c);
int rb_cmd_drill(struct rb_cli *c);
int rb_cmd_serve(struct rb_cli *c);
int rb_cmd_schedule(struct rb_cli *c);
int rb_cmd_test(struct rb_cli *c);
int rb_cmd_lint(struct rb_cli *c);
int rb_cmd_new(struct rb_cli *c);
int rb_cmd_notify(struct rb_cli *c);
int rb_cmd_doctor(struct rb_cli *c);
int rb_cmd_help(struct rb_cli *c);
int rb_cmd_completion(struct rb_cli *c);
int rb_cmd_complete(struct rb_cli *c);
int rb_cmd_docs(struct rb_cli *c);
int rb_cmd_version(struct rb_cli *c);

/* help.c */
int rb_help_short(struct rb_cli *c);
int rb_help_all(struct rb_cli *c);
int rb_help_command(struct rb_cli *c, const struct rb_command *k);

/* cmd_show.c: one loaded entry, as people read it. */
void rb_show_entry(struct rb_cli *c, const json_t *entry);
/* The entry of loaded that name means (id, alias, last part), or NULL with RB_ENOT_FOUND and the likely one. */
const json_t *rb_entry_find(const json_t *loaded, const char *name, struct rb_err *err);
/* entry.meta's field, or NULL. */
const json_t *rb_entry_meta(const json_t *entry, const char *key);

/* trend.c: one line a runbook, from runs, newest first. */
void rb_put_trend(struct rb_cli *c, const json_t *runs);

/* graph.c: its decision tree, as text, Mermaid or JSON. */
int rb_show_graph(struct rb_cli *c, const json_t *entry);

/* cmd_find.c: what matched, the strongest first. */
void rb_put_why(struct rb_cli *c, enum rb_sink sink, const json_t *entry, const json_t *hit, size_t most);

/* cmd_list.c: newest run and drill of each runbook: {id: {"run": {…}, "drill": {…}}}. New reference, never NULL. */
json_t *rb_last_runs(struct rb_cli *c);
/* One element of "runbooks" in machine output. New reference. */
json_t *rb_entry_json(const json_t *entry, const json_t *last);

/* report.c: a runbook.run/1 object for people. */
void rb_report_text(struct rb_cli *c, const json_t *run);
void rb_report_md(struct rb_cli *c, const json_t *run);
/* Word of a result in the language set ("fixed" -> "已修复"), cleaned. */
const char *rb_result_word(struct rb_cli *c, const char *result);
enum rb_style rb_result_style(const char *result);
/* Good, bad, or neither. */
enum rb_style rb_result_mark(const char *result);
const char *rb_error_word(struct rb_cli *c, const json_t *error);
/* What a check or block that ended has to say: its error, and where in the runbook when that is wrong; else its text.
 */
const char *rb_said_word(struct rb_cli *c, const json_t *body);
/* One "label  value" line for each field of the evidence. */
void rb_put_evidence(struct rb_cli *c, const json_t *evidence, int indent);
/* "pid=4711 table=shop.orders". */
const char *rb_evidence_line(struct rb_cli *c, const json_t *evidence);
/* "sql.exec  UPDATE …"; a text that names its verb already is enough. */
const char *rb_effect_line(struct rb_cli *c, const json_t *effect);
/* Of the state of a fix or step in a plan: "no change". */
const char *rb_plan_word(const char *state);
const char *rb_risk_word(struct rb_cli *c, const char *risk);

/* test_from_run.c: prints the test that a run makes. Returns the exit code. */
int rb_test_from_run(struct rb_cli *c, const char *run);

/* cases.c: TAP 14 or JUnit of [{name, ok, skipped?, text?, ms?}]. */
void rb_put_cases(struct rb_cli *c, const char *suite, const json_t *cases);
/* The same as JUnit into a file. */
int rb_junit_write(struct rb_cli *c, const char *path, const char *suite, const json_t *cases, struct rb_err *err);

/* Who acted, from the actor of an event: "wangwu", "root (sudo wangwu)". */
const char *rb_actor_word(struct rb_cli *c, const json_t *actor);

#endif
