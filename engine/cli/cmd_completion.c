/* runbook completion: a small script for each shell, which asks `runbook __complete` for the words. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "journal/journal.h"
#include "run/approval.h"

#define RUNS_OFFERED 30

static const char bash_script[] =
    "# bash completion for runbook: eval \"$(runbook completion bash)\"\n"
    "_runbook() {\n"
    "    local line word=\"${COMP_WORDS[COMP_CWORD]}\"\n"
    "    local IFS=$'\\n'\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r line _; do\n"
    "        [[ \"$line\" == \"$word\"* ]] && COMPREPLY+=(\"$line\")\n"
    "    done < <(runbook __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "    [[ ${#COMPREPLY[@]} -eq 1 && \"${COMPREPLY[0]}\" == *= ]] && compopt -o nospace\n"
    "    return 0\n"
    "}\n"
    "complete -o default -F _runbook runbook\n";

static const char zsh_script[] =
    "#compdef runbook\n"
    "# zsh completion for runbook: runbook completion zsh > a folder of $fpath, as _runbook\n"
    "_runbook() {\n"
    "    local line word text\n"
    "    local -a words_found\n"
    "    while IFS=$'\\t' read -r word text; do\n"
    "        words_found+=(\"${word//:/\\\\:}:$text\")\n"
    "    done < <(runbook __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    _describe -V runbook words_found || _files\n"
    "}\n"
    "if [[ \"$funcstack[1]\" == _runbook ]]; then _runbook \"$@\"; else compdef _runbook runbook; fi\n";

static const char fish_script[] =
    "# fish completion for runbook: runbook completion fish > ~/.config/fish/completions/runbook.fish\n"
    "function __runbook_words\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    runbook __complete -- $words[2..-1] 2>/dev/null\n"
    "end\n"
    "complete -c runbook -f -a '(__runbook_words)'\n";

int rb_cmd_completion(struct rb_cli *c)
{
    struct rb_err err = {0};
    const char *shell = c->nargs == 1 ? c->args[0] : "";
    const char *script = strcmp(shell, "bash") == 0   ? bash_script
                         : strcmp(shell, "zsh") == 0  ? zsh_script
                         : strcmp(shell, "fish") == 0 ? fish_script
                                                      : NULL;
    if (script == NULL) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_completion_what);
        return rb_cli_fail(c, &err);
    }
    rb_put_raw(c, script);
    return 0;
}

/* ---- __complete: word TAB description, one a line ---- */

static void offer(struct rb_cli *c, const char *prefix, const char *word, const char *text)
{
    if (strncmp(word, prefix, strlen(prefix)) == 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s\t%s\n", rb_word(c, word), rb_word(c, text));
    }
}

static void offer_list(struct rb_cli *c, const char *prefix, const char *before, const char *list)
{
    char word[256];
    for (const char *at = list; *at != '\0';) {
        size_t len = strcspn(at, " ");
        snprintf(word, sizeof word, "%s%.*s", before, (int)len, at);
        offer(c, prefix, word, "");
        at += len + (at[len] == ' ');
    }
}

static void offer_commands(struct rb_cli *c, const char *prefix)
{
    for (const struct rb_command *k = rb_commands; k->name != NULL; k++) {
        if (!k->hidden) {
            offer(c, prefix, k->name, rb_text(k->summary));
        }
    }
}

static void offer_options(struct rb_cli *c, const char *prefix, const char *command)
{
    for (int i = 0; i < RB_O_COUNT; i++) {
        char name[64];
        if (command == NULL ? rb_option_table[i].commands == NULL : rb_option_fits(&rb_option_table[i], command)) {
            snprintf(name, sizeof name, "--%s", rb_option_table[i].name);
            offer(c, prefix, name, rb_text(rb_option_table[i].help));
        }
    }
}

static const json_t *loaded_or_null(struct rb_cli *c)
{
    struct rb_err ignored = {0};
    const json_t *loaded = NULL;
    return rb_cli_catalog_list(c, &loaded, &ignored) == 0 ? loaded : NULL;
}

static void offer_runbooks(struct rb_cli *c, const char *prefix, bool drills)
{
    size_t i, k;
    json_t *entry, *item;
    json_array_foreach((json_t *)loaded_or_null(c), i, entry) {
        const char *id = rb_json_str(entry, "id", ""), *title = rb_word_text(c, rb_entry_meta(entry, "title"));
        if (strcmp(rb_json_str(entry, "status", ""), "shadowed") == 0) {
            continue;
        }
        offer(c, prefix, id, title);
        json_array_foreach(rb_entry_meta(entry, "alias"), k, item) {
            offer(c, prefix, json_is_string(item) ? json_string_value(item) : "", title);
        }
        json_array_foreach(rb_entry_meta(entry, "drills"), k, item) {
            char name[512];
            snprintf(name, sizeof name, "%s/%s", id, rb_json_str(item, "id", ""));
            if (drills) {
                offer(c, prefix, name, rb_word_text(c, json_object_get(item, "title")));
            }
        }
    }
}

static void offer_approvals(struct rb_cli *c, const char *prefix)
{
    struct rb_err ignored = {0};
    size_t i;
    json_t *one;
    bool there = rb_cli_journal(c, false, &ignored) == 0 && c->journal != NULL;
    json_t *waiting = there ? rb_approvals(c->journal, false, &ignored) : NULL;
    json_array_foreach(waiting, i, one) {
        offer(c, prefix, rb_json_str(one, "id", ""), rb_word_text(c, json_object_get(one, "what")));
    }
    json_decref(waiting);
}

static void offer_runs(struct rb_cli *c, const char *prefix)
{
    struct rb_err ignored = {0};
    size_t i;
    json_t *run;
    if (rb_cli_journal(c, false, &ignored) != 0 || c->journal == NULL) {
        return;
    }
    json_t *runs = rb_journal_runs(c->journal, NULL, RUNS_OFFERED, &ignored);
    json_array_foreach(runs, i, run) {
        char text[512];
        snprintf(text, sizeof text, "%s %s", rb_json_str(run, "runbook", ""),
                 rb_result_word(c, rb_json_str(run, "result", "")));
        offer(c, prefix, rb_json_str(run, "run", ""), text);
    }
    json_decref(runs);
}

/* name= for each parameter; name=value for those with choices, once the name is there. */
static void offer_params(struct rb_cli *c, const char *prefix, const char *runbook)
{
    struct rb_err ignored = {0};
    const json_t *loaded = loaded_or_null(c);
    const json_t *entry = loaded != NULL ? rb_entry_find(loaded, runbook, &ignored) : NULL;
    const json_t *params = rb_entry_meta(entry, "params");
    size_t i, k;
    json_t *name, *choice;
    json_array_foreach(json_object_get(params, "order"), i, name) {
        char word[512];
        const char *text = json_is_string(name) ? json_string_value(name) : "";
        const json_t *param = json_object_get(params, text), *choices = json_object_get(param, "choices");
        snprintf(word, sizeof word, "%s=", text);
        if (!json_is_array(choices) || strncmp(prefix, word, strlen(word)) != 0) {
            offer(c, prefix, word, rb_word_text(c, json_object_get(param, "title")));
            continue;
        }
        json_array_foreach(choices, k, choice) {
            snprintf(word, sizeof word, "%s=%s", text, rb_word_json(c, choice, 200));
            offer(c, prefix, word, "");
        }
    }
}

/* The command among the words before the last, and its first argument. */
static const char *command_in(const struct rb_cli *c, const char **first)
{
    const char *command = NULL;
    *first = NULL;
    for (int i = 0; i + 1 < c->nargs; i++) {
        const char *a = c->args[i];
        const struct rb_option *o = a[0] == '-' && a[1] == '-'    ? rb_option_find(a + 2, strlen(a + 2))
                                    : a[0] == '-' && a[2] == '\0' ? rb_option_letter(a[1])
                                                                  : NULL;
        if (o != NULL && o->arg != NULL) {
            i++;
        } else if (a[0] != '-' && command == NULL) {
            command = rb_command_find(a) != NULL ? rb_command_find(a)->name : a;
        } else if (a[0] != '-' && *first == NULL) {
            *first = a;
        }
    }
    return command;
}

static void offer_values(struct rb_cli *c, const char *prefix, const struct rb_option *o)
{
    if (o->values != NULL) {
        offer_list(c, prefix, "", o->values);
    } else if (o->id == RB_O_RUN) {
        offer_runs(c, prefix);
    }
}

static void offer_arguments(struct rb_cli *c, const char *prefix, const char *command, const char *first)
{
    if (strcmp(command, "exec") == 0 && first != NULL) {
        offer_params(c, prefix, first);
    } else if (rb_option_listed("logs report resume stop resolve abort undo", command)) {
        offer_runs(c, prefix);
    } else if (rb_option_listed("approve reject", command)) {
        offer_approvals(c, prefix);
    } else if (strcmp(command, "show") == 0) {
        offer_runbooks(c, prefix, false);
        offer_runs(c, prefix);
    } else if (rb_option_listed("exec lint history", command)) {
        offer_runbooks(c, prefix, false);
    } else if (strcmp(command, "drill") == 0) {
        offer_runbooks(c, prefix, true);
    } else if (strcmp(command, "audit") == 0) {
        offer_list(c, prefix, "", "verify export");
    } else if (strcmp(command, "completion") == 0) {
        offer_list(c, prefix, "", "bash zsh fish");
    } else if (strcmp(command, "help") == 0) {
        offer_commands(c, prefix);
        offer_list(c, prefix, "", "exit-codes blocks verbs environment");
        offer_runbooks(c, prefix, false);
    }
}

/* The option that this word is: "--since", "-C". */
static const struct rb_option *option_of(const char *word)
{
    size_t dashes = strspn(word, "-"), len = strlen(word);
    return dashes == 2 ? rb_option_find(word + 2, len - 2) : dashes == 1 && len == 2 ? rb_option_letter(word[1]) : NULL;
}

int rb_cmd_complete(struct rb_cli *c)
{
    const char *first, *prefix = c->nargs > 0 ? c->args[c->nargs - 1] : "";
    const char *command = command_in(c, &first), *before = c->nargs > 1 ? c->args[c->nargs - 2] : "";
    const struct rb_option *o = option_of(before);
    if (o != NULL && o->arg != NULL) {
        offer_values(c, prefix, o);
    } else if (prefix[0] == '-') {
        offer_options(c, prefix, command);
    } else if (command == NULL) {
        offer_commands(c, prefix);
    } else {
        offer_arguments(c, prefix, command, first);
    }
    return 0;
}
