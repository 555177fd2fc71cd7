/* The front: one line parsed, one command run, everything closed again. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/utf8.h"
#include "catalog/catalog.h"
#include "catalog/config.h"
#include "cli/commands.h"
#include "cli/look.h"
#include "journal/journal.h"
#include "process/spawner.h"
#include "run/arguments.h"
#include "run/run.h"
#include "run/turn.h"

int rb_cli_loop(struct rb_cli *c, struct rb_err *err)
{
    if (c->loop_open) {
        return 0;
    }
    if (uv_loop_init(&c->loop) != 0) {
        return rb_err_set(err, RB_EINTERNAL, RB_T_cli_no_loop);
    }
    c->loop_open = true;
    c->turn = rb_turn_new(&c->loop);
    return c->spawner != NULL ? rb_spawner_attach(c->spawner, &c->loop, err) : 0;
}

struct rb_engine rb_cli_engine(struct rb_cli *c)
{
    return (struct rb_engine){
        .loop = &c->loop, .spawner = c->spawner, .journal = c->journal, .turn = c->turn, .second = c->record};
}

int rb_cli_catalog_at(struct rb_catalog **out, const char *folder, struct rb_err *err)
{
    int rc = rb_catalog_open(out, folder, err);
    if (rc == 0) {
        rb_catalog_verbs_take(*out, rb_arguments_verbs());
    }
    return rc;
}

int rb_cli_catalog(struct rb_cli *c, struct rb_err *err)
{
    if (c->catalog != NULL) {
        return 0;
    }
    int rc = rb_cli_loop(c, err);
    return rc != 0 ? rc : rb_cli_catalog_at(&c->catalog, rb_options_get(&c->options, RB_O_RUNBOOKS), err);
}

int rb_cli_catalog_to_show(struct rb_cli *c, struct rb_err *err)
{
    char folder[PATH_MAX];
    int rc = rb_cli_catalog(c, err);
    if (rc == 0 && rb_files_cache_dir(folder, NULL) == 0) { /* without one everything is declared each time */
        rb_catalog_cache_in(c->catalog, folder);
    }
    return rc;
}

static int loaded_or_why(const json_t *loaded, const struct rb_err *err)
{
    return loaded != NULL ? 0 : err->code != 0 ? err->code : RB_EINTERNAL;
}

int rb_cli_catalog_load(struct rb_cli *c, const json_t **loaded, struct rb_err *err)
{
    int rc = rb_cli_catalog(c, err);
    if (rc == 0) {
        err->code = 0;
        *loaded = rb_catalog_load(c->catalog, &c->loop, c->spawner, err);
        rc = loaded_or_why(*loaded, err);
    }
    return rc;
}

int rb_cli_catalog_list(struct rb_cli *c, const json_t **listed, struct rb_err *err)
{
    int rc = rb_cli_catalog_to_show(c, err);
    if (rc == 0) {
        err->code = 0;
        *listed = rb_catalog_list(c->catalog, &c->loop, c->spawner, err);
        rc = loaded_or_why(*listed, err);
    }
    return rc;
}

int rb_cli_config(struct rb_cli *c, const json_t **config, struct rb_err *err)
{
    int rc = c->config != NULL ? 0 : rb_cli_loop(c, err);
    if (rc == 0 && c->config == NULL) {
        c->config = rb_config_load(&c->loop, c->spawner, err);
        rc = c->config != NULL ? 0 : err->code;
    }
    rc = rc != 0 ? rc : rb_config_usable(c->config, err);
    *config = rc == 0 ? json_object_get(c->config, "config") : NULL;
    return rc;
}

int rb_cli_exit(int code)
{
    switch (code) {
    case 0:
        return 0;
    case RB_EUSAGE:
    case RB_ENOT_FOUND:
        return 2;
    case RB_EDENIED:
    case RB_EFORBIDDEN:
        return 5;
    case RB_ELOAD:
        return 6;
    case RB_EUNREACHABLE:
        return 7;
    case RB_EBUSY:
        return 8;
    case RB_EUNKNOWN:
        return 9;
    case RB_EJOURNAL:
        return 10;
    case RB_ETIMEOUT:
        return 124;
    case RB_ECANCELLED:
        return 130;
    default:
        return 1;
    }
}

int rb_cli_fail(struct rb_cli *c, const struct rb_err *err)
{
    rb_status(c, NULL);
    rb_put(c, RB_ERR, RB_BAD, "runbook:");
    rb_put(c, RB_ERR, RB_PLAIN, " %s\n", err->text);
    if (err->hint[0] != '\0') {
        rb_put(c, RB_ERR, RB_PLAIN, "  %s\n", err->hint);
    }
    if (c->debug) {
        rb_put(c, RB_ERR, RB_DIM, "  [%s]\n", rb_err_name(err->code));
    }
    return rb_cli_exit(err->code);
}

/* A value in the commands we print must mean the same from any folder. */
static void add_repeated(json_t *argv, const struct rb_option *option, const char *value)
{
    char name[64], absolute[PATH_MAX];
    snprintf(name, sizeof name, "--%s", option->name);
    json_array_append_new(argv, json_string(name));
    if (option->arg == NULL) {
        return;
    }
    if (option->id == RB_O_DIR && getcwd(absolute, sizeof absolute) != NULL) {
        value = absolute;
    } else if (option->id == RB_O_RUNBOOKS && realpath(value, absolute) != NULL) {
        value = absolute;
    }
    json_array_append_new(argv, json_string(value));
}

json_t *rb_cli_repeat(const struct rb_cli *c)
{
    json_t *argv = json_pack("[s]", c->program);
    for (int i = 0; i < RB_O_COUNT; i++) {
        const struct rb_option *option = &rb_option_table[i];
        const char *value = rb_options_get(&c->options, option->id);
        if (option->repeat && value != NULL) {
            add_repeated(argv, option, value);
        }
    }
    return argv;
}

const struct rb_command *rb_command_find(const char *name)
{
    for (const struct rb_command *k = rb_commands; k->name != NULL; k++) {
        if (strcmp(k->name, name) == 0 || (k->alias != NULL && strcmp(k->alias, name) == 0)) {
            return k;
        }
    }
    return NULL;
}

/* Never a guess that runs: a runbook's name is answered with the command that would run it. */
static int unknown_command(struct rb_cli *c, const char *name)
{
    const char *names[64];
    size_t n = 0;
    struct rb_err err = {0}, ignored = {0};
    rb_err_set(&err, RB_EUSAGE, RB_T_cli_unknown_command, name);
    for (const struct rb_command *k = rb_commands; k->name != NULL && n < 64; k++) {
        if (!k->hidden) {
            names[n++] = k->name;
        }
    }
    json_t *file = rb_cli_catalog_to_show(c, &ignored) == 0
                       ? rb_catalog_find_file(c->catalog, &c->loop, c->spawner, name, &ignored)
                       : NULL;
    const char *near = rb_utf8_nearest(name, names, n);
    if (file != NULL) {
        rb_err_hint(&err, RB_T_cli_mean_exec, name);
    } else if (near != NULL) {
        rb_err_hint(&err, RB_T_cli_mean_command, near);
    } else {
        rb_err_hint(&err, RB_T_cli_see_help);
    }
    json_decref(file);
    return rb_cli_fail(c, &err);
}

/* "-h at the end of any line wins": also over a line that does not parse. */
static bool ends_with_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            return false;
        }
    }
    return argc > 1 && (strcmp(argv[argc - 1], "-h") == 0 || strcmp(argv[argc - 1], "--help") == 0);
}

static int help_for_line(struct rb_cli *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && rb_command_find(argv[i]) != NULL) {
            return rb_help_command(c, rb_command_find(argv[i]));
        }
    }
    return rb_help_all(c);
}

static int dispatch(struct rb_cli *c)
{
    struct rb_options *o = &c->options;
    struct rb_err err = {0};
    if (rb_options_has(o, RB_O_VERSION)) {
        return rb_cmd_version(c);
    }
    if (o->nwords == 0) {
        return rb_options_has(o, RB_O_HELP) ? rb_help_all(c) : rb_help_short(c);
    }
    const struct rb_command *k = rb_command_find(o->words[0]);
    if (k == NULL) {
        return unknown_command(c, o->words[0]);
    }
    if (rb_options_has(o, RB_O_HELP)) {
        return rb_help_command(c, k);
    }
    if (rb_options_check(o, k->name, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    bool cases = c->format == RB_FORMAT_JUNIT || c->format == RB_FORMAT_TAP;
    if (cases && !rb_option_listed("lint drill", k->name)) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_no_cases, rb_options_get(o, RB_O_OUTPUT), k->name);
        return rb_cli_fail(c, &err);
    }
    if (c->format == RB_FORMAT_MERMAID && !rb_options_has(o, RB_O_GRAPH)) {
        rb_err_set(&err, RB_EUSAGE, RB_T_guide_graph_mermaid);
        return rb_cli_fail(c, &err);
    }
    c->args = o->words + 1;
    c->nargs = o->nwords - 1;
    return k->run(c);
}

static void close_all(struct rb_cli *c)
{
    rb_journal_close(c->journal);
    rb_catalog_close(c->catalog);
    if (c->spawner != NULL) {
        rb_spawner_close(c->spawner);
    }
    if (c->loop_open) {
        rb_turn_free(c->turn);
        uv_run(&c->loop, UV_RUN_NOWAIT); /* close callbacks of what the last command closed */
        (void)uv_loop_close(&c->loop);   /* the process ends: a handle left open harms nobody */
    }
    rb_options_deinit(&c->options);
    json_decref(c->config);
    json_decref(c->pool);
}

/* The name that reaches this binary again: the bare word when PATH leads here. */
static const char *program_name(const char *argv0, char self[PATH_MAX])
{
    char found[PATH_MAX], candidate[PATH_MAX];
    const char *path = getenv("PATH");
    ssize_t len = readlink("/proc/self/exe", self, PATH_MAX - 1);
    if (len <= 0) {
        return argv0;
    }
    self[len] = '\0';
    for (const char *at = path; at != NULL && *at != '\0';) {
        size_t part = strcspn(at, ":");
        snprintf(candidate, sizeof candidate, "%.*s/runbook", (int)part, at);
        if (access(candidate, X_OK) == 0) {
            return realpath(candidate, found) != NULL && strcmp(found, self) == 0 ? "runbook" : self;
        }
        at += part + (at[part] == ':');
    }
    return self;
}

static int run_line(struct rb_cli *c, int argc, char **argv)
{
    struct rb_err err = {0};
    int rc = rb_options_parse(&c->options, argc, argv, &err);
    rb_look_apply(c);
    if (ends_with_help(argc, argv)) {
        return help_for_line(c, argc, argv);
    }
    if (rc != 0) {
        return rb_cli_fail(c, &err);
    }
    const char *dir = rb_options_get(&c->options, RB_O_DIR);
    if (dir != NULL && chdir(dir) != 0) {
        rb_err_errno(&err, errno, "-C %s", dir);
        err.code = RB_EUSAGE;
        return rb_cli_fail(c, &err);
    }
    return dispatch(c);
}

int rb_cli_main(int argc, char **argv, struct rb_spawner *sp)
{
    char self[PATH_MAX];
    struct rb_cli c = {.spawner = sp, .pool = json_array()};
    c.tty[RB_OUT] = isatty(STDOUT_FILENO) == 1;
    c.tty[RB_ERR] = isatty(STDERR_FILENO) == 1;
    c.program = program_name(argc > 0 ? argv[0] : "runbook", self);
    rb_look_language(argc, argv);
    int code = run_line(&c, argc, argv);
    if (rb_term_finish(&c) != 0) {
        struct rb_err err = {0};
        rb_err_errno(&err, c.lost, "%s", TX(results_lost));
        int worse = rb_cli_fail(&c, &err);
        code = code == 0 ? worse : code;
    }
    close_all(&c);
    return code;
}
