/* Help for the whole and for one command, from the same tables that parse. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

int rb_help_short(struct rb_cli *c)
{
    static const char *const common[] = {"list", "find", "show", "exec", "history"};
    json_t *rows = json_array();
    rb_put(c, RB_OUT, RB_PLAIN, "%s\n\n", TX(help_what));
    rb_put(c, RB_OUT, RB_PLAIN, "  runbook find \"database is locked\"\n  runbook exec db-locked\n\n");
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        rb_row(rows, common[i], rb_text(rb_command_find(common[i])->summary), NULL);
    }
    rb_put_table(c, RB_OUT, rows, 2);
    rb_put(c, RB_OUT, RB_PLAIN, "\n%s\n", TX(help_more));
    json_decref(rows);
    return 0;
}

static void put_options(struct rb_cli *c, const char *command)
{
    json_t *rows = json_array();
    for (int i = 0; i < RB_O_COUNT; i++) {
        const struct rb_option *o = &rb_option_table[i];
        char name[128], help[1024], letter[8] = "   ";
        bool own = o->commands != NULL;
        if (command == NULL ? own : !own || !rb_option_fits(o, command)) {
            continue;
        }
        if (o->letter != 0) {
            snprintf(letter, sizeof letter, "-%c,", o->letter);
        }
        snprintf(name, sizeof name, "%s --%s%s%s", letter, o->name, o->arg != NULL ? " " : "",
                 o->arg != NULL ? o->arg : "");
        snprintf(help, sizeof help, o->values != NULL ? "%s (%s)" : "%s", rb_text(o->help), o->values);
        rb_row(rows, name, help, NULL);
    }
    if (json_array_size(rows) > 0) {
        rb_put(c, RB_OUT, RB_BOLD, "\n%s\n", command == NULL ? TX(help_global) : TX(help_options));
        rb_put_table(c, RB_OUT, rows, 2);
    }
    json_decref(rows);
}

static void put_commands(struct rb_cli *c)
{
    json_t *rows = json_array();
    for (const struct rb_command *k = rb_commands; k->name != NULL; k++) {
        char name[64];
        snprintf(name, sizeof name, k->alias != NULL ? "%s, %s" : "%s", k->name, k->alias);
        if (!k->hidden) {
            rb_row(rows, name, rb_text(k->summary), NULL);
        }
    }
    rb_put(c, RB_OUT, RB_BOLD, "\n%s\n", TX(help_commands));
    rb_put_table(c, RB_OUT, rows, 2);
    json_decref(rows);
}

int rb_help_all(struct rb_cli *c)
{
    rb_put(c, RB_OUT, RB_PLAIN, "%s\n\n", TX(help_what));
    rb_put(c, RB_OUT, RB_PLAIN,
           "  runbook find \"database is locked\"\n  runbook exec db-locked --diagnose\n"
           "  runbook exec db-locked --dry-run\n  runbook history\n");
    put_commands(c);
    put_options(c, NULL);
    rb_put(c, RB_OUT, RB_PLAIN, "\n%s\n", TX(help_topics));
    return 0;
}

int rb_help_command(struct rb_cli *c, const struct rb_command *k)
{
    if (k->hidden) {
        return rb_help_all(c);
    }
    rb_put(c, RB_OUT, RB_BOLD, "runbook %s", k->name);
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s\n%s\n", k->usage[0] != '\0' ? " " : "", k->usage, rb_text(k->summary));
    if (k->help != RB_T_none) {
        rb_put(c, RB_OUT, RB_PLAIN, "\n%s\n", rb_text(k->help));
    }
    put_options(c, k->name);
    rb_put(c, RB_OUT, RB_PLAIN, "\n%s\n", TX(help_see_global));
    return 0;
}
