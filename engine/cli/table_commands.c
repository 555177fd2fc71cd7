/* The one list of commands: dispatch, help and completion read it. */
#include "cli/commands.h"

#define COMMAND(name, alias, usage, run, text) \
    { \
        name, alias, false, RB_T_cli_c_##text, usage, RB_T_cli_h_##text, run \
    }
#define TRUST(name, usage, run) \
    { \
#name, NULL, false, RB_T_trust_c_##name, usage, RB_T_trust_h_##name, run \
    }
#define HIDDEN(name, run) \
    { \
        name, NULL, true, RB_T_none, "", RB_T_none, run \
    }

const struct rb_command rb_commands[] = {
    COMMAND("list", "ls", "[WORD...]", rb_cmd_list, list),
    COMMAND("find", NULL, "TEXT...", rb_cmd_find, find),
    COMMAND("show", NULL, "RUNBOOK | RUN | PLAN | APPROVAL", rb_cmd_show, show),
    COMMAND("exec", NULL, "RUNBOOK [name=value ...]", rb_cmd_exec, exec),
    {"guide", NULL, false, RB_T_guide_c_guide, "[RUNBOOK [name=value ...] | TEXT]", RB_T_guide_h_guide, rb_cmd_guide},
    COMMAND("resume", NULL, "RUN", rb_cmd_resume, resume),
    TRUST(undo, "RUN", rb_cmd_undo),
    COMMAND("stop", NULL, "RUN", rb_cmd_stop, stop),
    COMMAND("resolve", NULL, "RUN [CALL] --done | --not-done --reason TEXT", rb_cmd_resolve, resolve),
    COMMAND("abort", NULL, "RUN", rb_cmd_abort, abort),
    TRUST(approvals, "", rb_cmd_approvals),
    TRUST(approve, "ID --reason TEXT", rb_cmd_approve),
    TRUST(reject, "ID --reason TEXT", rb_cmd_reject),
    COMMAND("history", NULL, "[RUNBOOK]", rb_cmd_history, history),
    COMMAND("logs", NULL, "RUN", rb_cmd_logs, logs),
    COMMAND("report", NULL, "RUN", rb_cmd_report, report),
    COMMAND("audit", NULL, "[verify | export]", rb_cmd_audit, audit),
    COMMAND("drill", NULL, "RUNBOOK[/DRILL] ... | --all", rb_cmd_drill, drill),
    COMMAND("test", NULL, "RUNBOOK[/TEST] ... | --all | --from-run RUN", rb_cmd_test, test),
    {"schedule", NULL, false, RB_T_schedule_c_schedule,
     "list | next EXPR | explain | pause | resume | run | reset | export systemd", RB_T_schedule_h_schedule,
     rb_cmd_schedule},
    {"serve", NULL, false, RB_T_schedule_c_serve, "", RB_T_schedule_h_serve, rb_cmd_serve},
    COMMAND("new", NULL, "SYSTEM/NAME", rb_cmd_new, new),
    COMMAND("lint", NULL, "[FILE | DIR | RUNBOOK ...]", rb_cmd_lint, lint),
    {"notify", NULL, false, RB_T_notify_c_notify, "test CHANNEL", RB_T_notify_h_notify, rb_cmd_notify},
    COMMAND("doctor", NULL, "", rb_cmd_doctor, doctor),
    COMMAND("help", NULL, "[COMMAND | TOPIC | RUNBOOK | BLOCK | VERB]", rb_cmd_help, help),
    COMMAND("completion", NULL, "bash | zsh | fish", rb_cmd_completion, completion),
    COMMAND("version", NULL, "", rb_cmd_version, version),
    HIDDEN("__complete", rb_cmd_complete),
    HIDDEN("__docs", rb_cmd_docs),
    {NULL, NULL, false, RB_T_none, NULL, RB_T_none, NULL},
};
