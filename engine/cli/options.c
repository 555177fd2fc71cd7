#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define FLAG(id, letter, name, commands, repeat, help) \
    [id] = {id, letter, name, NULL, NULL, commands, repeat, RB_T_cli_o_##help}
#define VALUE(id, letter, name, arg, values, commands, repeat, help) \
    [id] = {id, letter, name, arg, values, commands, repeat, RB_T_cli_o_##help}
#define SCHEDULE(id, name, arg, help) [id] = {id, 0, name, arg, NULL, "schedule", false, RB_T_schedule_o_##help}
#define FLAG_TRUST(id, name, commands, help) [id] = {id, 0, name, NULL, NULL, commands, false, RB_T_trust_o_##help}
#define TRUST(id, name, arg, commands, help) [id] = {id, 0, name, arg, NULL, commands, false, RB_T_trust_o_##help}
#define SERVE(id, name, arg, help) [id] = {id, 0, name, arg, NULL, "serve", false, RB_T_schedule_o_##help}

const struct rb_option rb_option_table[] = {
    VALUE(RB_O_DIR, 'C', "directory", "DIR", NULL, NULL, true, dir),
    VALUE(RB_O_RUNBOOKS, 0, "runbooks", "DIR", NULL, NULL, true, runbooks),
    VALUE(RB_O_OUTPUT, 'o', "output", "FORMAT", "text json jsonl md junit tap html mermaid", NULL, true, output),
    FLAG(RB_O_JSON, 0, "json", NULL, true, json),
    VALUE(RB_O_LANG, 0, "lang", "LANG", "zh en", NULL, true, lang),
    VALUE(RB_O_COLOR, 0, "color", "WHEN", "auto always never", NULL, true, color),
    FLAG(RB_O_NO_COLOR, 0, "no-color", NULL, true, no_color),
    FLAG(RB_O_ASCII, 0, "ascii", NULL, true, ascii),
    FLAG(RB_O_QUIET, 'q', "quiet", NULL, true, quiet),
    FLAG(RB_O_VERBOSE, 'v', "verbose", NULL, true, verbose),
    FLAG(RB_O_DEBUG, 0, "debug", NULL, true, debug),
    FLAG(RB_O_NO_INPUT, 0, "no-input", NULL, true, no_input),
    FLAG(RB_O_HELP, 'h', "help", NULL, false, help),
    FLAG(RB_O_VERSION, 0, "version", NULL, false, version),
    VALUE(RB_O_PARAM, 'p', "param", "NAME=VALUE", NULL, "exec", false, param),
    VALUE(RB_O_PARAM_FILE, 0, "param-file", "FILE", NULL, "exec", false, param_file),
    FLAG(RB_O_DRY_RUN, 'n', "dry-run", "exec", false, dry_run),
    FLAG_TRUST(RB_O_WAIT, "wait", "exec resume undo", wait),
    TRUST(RB_O_PLAN, "plan", "PLAN", "exec", plan),
    FLAG(RB_O_DIAGNOSE, 0, "diagnose", "exec", false, diagnose),
    VALUE(RB_O_FIX, 0, "fix", "FIX[=KEY]", NULL, "exec resume", false, fix),
    FLAG(RB_O_YES, 'y', "yes", "exec resume schedule undo", false, yes),
    VALUE(RB_O_CONFIRM, 0, "confirm", "KEY", NULL, "exec resume schedule undo approve", false, confirm),
    VALUE(RB_O_ANSWER, 0, "answer", "NAME=VALUE", NULL, "exec resume", false, answer),
    VALUE(RB_O_REASON, 0, "reason", "TEXT", NULL, "exec guide resume resolve abort schedule undo approve reject", false,
          reason),
    VALUE(RB_O_PROFILE, 0, "profile", "NAME", NULL, "exec guide", true, profile),
    VALUE(RB_O_TIMEOUT, 0, "timeout", "DURATION", NULL, "exec guide resume drill test", false, timeout),
    FLAG(RB_O_EXIT_ZERO, 0, "exit-zero", "exec resume", false, exit_zero),
    VALUE(RB_O_LIMIT, 0, "limit", "N", NULL, "history audit", false, limit),
    VALUE(RB_O_STATUS, 0, "status", "A,B", NULL, "history", false, status),
    VALUE(RB_O_LAST, 0, "last", "DURATION", NULL, "history audit", false, last),
    FLAG(RB_O_FOLLOW, 'f', "follow", "logs", false, follow),
    VALUE(RB_O_RUN, 0, "run", "RUN", NULL, "audit", false, run),
    VALUE(RB_O_JOURNAL, 0, "journal", "FILE", NULL, "audit history logs report show list doctor serve", false, journal),
    VALUE(RB_O_EMIT_META, 0, "emit-meta", "DIR", NULL, "lint", false, emit_meta),
    FLAG(RB_O_ALL, 0, "all", "drill test list schedule approvals", false, all),
    FLAG(RB_O_FORCE, 0, "force", "drill", false, force),
    VALUE(RB_O_WITHOUT, 0, "without", "A,B", NULL, "drill", false, without),
    VALUE(RB_O_JUNIT, 0, "junit", "FILE", NULL, "drill test", false, junit),
    SCHEDULE(RB_O_FROM, "from", "TIME", from),
    SCHEDULE(RB_O_TZ, "tz", "ZONE", tz),
    VALUE(RB_O_TO, 0, "to", "TIME | FILE", NULL, "schedule report", false, to),
    SCHEDULE(RB_O_UNTIL, "until", "TIME", until),
    SCHEDULE(RB_O_NUMBER, "count", "N", count),
    FLAG(RB_O_DONE, 0, "done", "resolve", false, done),
    VALUE(RB_O_REPLAY, 0, "replay", "RUN", NULL, "exec", false, replay),
    VALUE(RB_O_FROM_RUN, 0, "from-run", "RUN", NULL, "test", false, from_run),
    [RB_O_RESUME] = {RB_O_RESUME, 0, "resume", "RUN", NULL, "guide", false, RB_T_guide_o_resume},
    [RB_O_GRAPH] = {RB_O_GRAPH, 0, "graph", NULL, NULL, "show", false, RB_T_guide_o_graph},
    [RB_O_TREND] = {RB_O_TREND, 0, "trend", NULL, NULL, "history", false, RB_T_guide_o_trend},
    FLAG(RB_O_NOT_DONE, 0, "not-done", "resolve", false, not_done),
    VALUE(RB_O_SEALS, 0, "seals", "FILE", NULL, "audit", false, seals),
    VALUE(RB_O_KEY, 0, "key", "HEX", NULL, "audit", false, key),
    SERVE(RB_O_RUNS, "runs", "N", runs),
    SERVE(RB_O_KEEP, "keep", "DURATION", keep),
    [RB_O_PRINT] = {RB_O_PRINT, 0, "print", NULL, NULL, "notify", false, RB_T_notify_o_print},
    [RB_O_MESSAGE] = {RB_O_MESSAGE, 0, "message", "TEXT", NULL, "notify", false, RB_T_notify_o_message},
    SERVE(RB_O_DRAIN, "drain", "DURATION", drain),
};

const struct rb_option *rb_option_find(const char *name, size_t len)
{
    for (int i = 0; i < RB_O_COUNT; i++) {
        const char *have = rb_option_table[i].name;
        if (strlen(have) == len && memcmp(have, name, len) == 0) {
            return &rb_option_table[i];
        }
    }
    return NULL;
}

const struct rb_option *rb_option_letter(char letter)
{
    for (int i = 0; letter != 0 && i < RB_O_COUNT; i++) {
        if (rb_option_table[i].letter == letter) {
            return &rb_option_table[i];
        }
    }
    return NULL;
}

bool rb_option_listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; len > 0 && (at = strstr(at, word)) != NULL; at += len) {
        bool starts = at == list || at[-1] == ' ';
        if (starts && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

bool rb_option_fits(const struct rb_option *option, const char *command)
{
    return option->commands == NULL || rb_option_listed(option->commands, command);
}

static int unknown_long(const char *given, struct rb_err *err)
{
    const char *names[RB_O_COUNT];
    for (int i = 0; i < RB_O_COUNT; i++) {
        names[i] = rb_option_table[i].name;
    }
    const char *near = rb_utf8_nearest(given, names, RB_O_COUNT);
    rb_err_set(err, RB_EUSAGE, RB_T_cli_unknown_option, given);
    if (near != NULL) {
        rb_err_hint(err, RB_T_cli_mean_option, near);
    } else {
        rb_err_hint(err, RB_T_cli_see_help);
    }
    return RB_EUSAGE;
}

static int give(struct rb_options *o, const struct rb_option *option, const char *value, struct rb_err *err)
{
    if (option->values != NULL && !rb_option_listed(option->values, value)) {
        rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_value, option->name, value);
        rb_err_hint(err, RB_T_cli_one_of, option->values);
        return RB_EUSAGE;
    }
    if (o->values[option->id] == NULL) {
        o->values[option->id] = json_array();
    }
    json_t *text = json_string(value);
    if (text == NULL) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_not_utf8, option->name);
    }
    json_array_append_new(o->values[option->id], text);
    return 0;
}

/* "--name", "--name=value", "--name value"; *at is moved past what was used. */
static int parse_long(struct rb_options *o, int argc, char *const *argv, int *at, struct rb_err *err)
{
    const char *given = argv[*at] + 2;
    size_t len = strcspn(given, "=");
    const struct rb_option *option = rb_option_find(given, len);
    if (option == NULL) {
        char name[64] = "";
        memcpy(name, given, len < sizeof name ? len : sizeof name - 1);
        return unknown_long(name, err);
    }
    const char *value = given[len] == '=' ? given + len + 1 : NULL;
    if (option->arg == NULL) {
        return value == NULL ? give(o, option, "", err)
                             : rb_err_set(err, RB_EUSAGE, RB_T_cli_takes_no_value, option->name);
    }
    if (value == NULL && *at + 1 < argc) {
        value = argv[++*at];
    }
    if (value == NULL) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_needs_value, option->name, option->arg);
    }
    return give(o, option, value, err);
}

/* "-n", "-nv", "-oFORMAT", "-o FORMAT". */
static int parse_short(struct rb_options *o, int argc, char *const *argv, int *at, struct rb_err *err)
{
    for (const char *s = argv[*at] + 1; *s != '\0'; s++) {
        const struct rb_option *option = rb_option_letter(*s);
        if (option == NULL) {
            char name[2] = {*s, '\0'};
            rb_err_set(err, RB_EUSAGE, RB_T_cli_unknown_letter, (unsigned char)*s < 0x80 ? name : "?");
            rb_err_hint(err, RB_T_cli_see_help);
            return RB_EUSAGE;
        }
        if (option->arg == NULL) {
            int rc = give(o, option, "", err);
            if (rc != 0) {
                return rc;
            }
            continue;
        }
        if (s[1] != '\0') {
            return give(o, option, s + 1, err);
        }
        if (*at + 1 >= argc) {
            return rb_err_set(err, RB_EUSAGE, RB_T_cli_needs_value, option->name, option->arg);
        }
        return give(o, option, argv[++*at], err);
    }
    return 0;
}

int rb_options_parse(struct rb_options *o, int argc, char *const *argv, struct rb_err *err)
{
    memset(o, 0, sizeof *o);
    o->words = rb_xcalloc((size_t)argc + 1, sizeof *o->words);
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        int rc = 0;
        if (only_words || a[0] != '-' || a[1] == '\0') {
            o->words[o->nwords++] = argv[i];
        } else if (strcmp(a, "--") == 0) {
            only_words = true;
        } else if (a[1] == '-') {
            rc = parse_long(o, argc, argv, &i, err);
        } else {
            rc = parse_short(o, argc, argv, &i, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int rb_options_check(const struct rb_options *o, const char *command, struct rb_err *err)
{
    for (int i = 0; i < RB_O_COUNT; i++) {
        const struct rb_option *option = &rb_option_table[i];
        if (o->values[i] != NULL && !rb_option_fits(option, command)) {
            rb_err_set(err, RB_EUSAGE, RB_T_cli_option_elsewhere, command, option->name, option->commands);
            rb_err_hint(err, RB_T_cli_see_help_command, command);
            return RB_EUSAGE;
        }
    }
    const char *output = rb_options_get(o, RB_O_OUTPUT);
    if (output != NULL && strcmp(output, "html") == 0 && strcmp(command, "report") != 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_option_elsewhere, command, "output html", "report");
    }
    return 0;
}

void rb_options_deinit(struct rb_options *o)
{
    for (int i = 0; i < RB_O_COUNT; i++) {
        json_decref(o->values[i]);
        o->values[i] = NULL;
    }
    free(o->words);
    o->words = NULL;
    o->nwords = 0;
}

const char *rb_options_get(const struct rb_options *o, enum rb_option_id id)
{
    const json_t *list = o->values[id];
    return list == NULL ? NULL : json_string_value(json_array_get(list, json_array_size(list) - 1));
}

bool rb_options_has(const struct rb_options *o, enum rb_option_id id)
{
    return o->values[id] != NULL;
}
