/* runbook help: a command, a topic, a runbook, a block or a verb. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "binding.h"
#include "cli/commands.h"
#include "cli/reference.h"
#include "runner/language.h"

static int help_exit_codes(struct rb_cli *c)
{
    static const struct {
        const char *code;
        enum rb_text_id text;
    } codes[] = {
        {"0", RB_T_cli_x_0},     {"1", RB_T_cli_x_1},     {"2", RB_T_cli_x_2},   {"3", RB_T_cli_x_3},
        {"4", RB_T_cli_x_4},     {"5", RB_T_cli_x_5},     {"6", RB_T_cli_x_6},   {"7", RB_T_cli_x_7},
        {"8", RB_T_cli_x_8},     {"9", RB_T_cli_x_9},     {"10", RB_T_cli_x_10}, {"124", RB_T_cli_x_124},
        {"130", RB_T_cli_x_130}, {"143", RB_T_cli_x_143},
    };
    json_t *rows = json_array();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        rb_row(rows, codes[i].code, rb_text(codes[i].text), NULL);
    }
    rb_put_table(c, RB_OUT, rows, 0);
    rb_put(c, RB_OUT, RB_PLAIN, "%s\n", TX(x_several));
    json_decref(rows);
    return 0;
}

static int help_environment(struct rb_cli *c)
{
    static const struct {
        const char *name;
        enum rb_text_id text;
    } names[] = {
        {"RUNBOOK_PATH", RB_T_cli_e_path},        {"RUNBOOK_STATE", RB_T_cli_e_state},
        {"RUNBOOK_RECORD", RB_T_cli_e_record},    {"RUNBOOK_SEALS", RB_T_cli_e_seals},
        {"RUNBOOK_LANG", RB_T_cli_e_lang},        {"LC_ALL LC_MESSAGES LANG", RB_T_cli_e_locale},
        {"NO_COLOR", RB_T_cli_e_no_color},        {"CLICOLOR_FORCE FORCE_COLOR", RB_T_cli_e_force},
        {"TERM=dumb", RB_T_cli_e_dumb},           {"XDG_CONFIG_HOME", RB_T_cli_e_config},
        {"XDG_STATE_HOME", RB_T_cli_e_xdg_state}, {"XDG_CACHE_HOME", RB_T_cli_e_cache},
    };
    json_t *rows = json_array();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rb_row(rows, names[i].name, rb_text(names[i].text), NULL);
    }
    rb_put_table(c, RB_OUT, rows, 0);
    json_decref(rows);
    return 0;
}

static int help_blocks(struct rb_cli *c)
{
    json_t *rows = json_array();
    for (const struct rb_block *b = rb_blocks; b->name != NULL; b++) {
        rb_row(rows, b->name, rb_text_lang() == RB_LANG_ZH ? b->zh : b->en, NULL);
    }
    rb_put_table(c, RB_OUT, rows, 0);
    rb_put(c, RB_OUT, RB_PLAIN, "%s\n", TX(help_block_more));
    json_decref(rows);
    return 0;
}

/* A list shows what there is; the whole of one is one word away. */
static const char *first_sentence(struct rb_cli *c, const char *text)
{
    const char *end = strstr(text, ". "), *wide = strstr(text, "。");
    end = wide != NULL && (end == NULL || wide < end) ? wide : end;
    char cut[1024];
    snprintf(cut, sizeof cut, "%.*s", end != NULL ? (int)(end - text) : (int)strlen(text), text);
    return rb_word(c, cut);
}

static int help_verbs(struct rb_cli *c)
{
    json_t *rows = json_array();
    for (size_t i = 0; rb_bindings[i] != NULL; i++) {
        for (const struct rb_verb *v = rb_bindings[i]->verbs; v->name != NULL; v++) {
            char name[128];
            snprintf(name, sizeof name, "%s.%s", rb_bindings[i]->name, v->name);
            rb_row(rows, name, rb_effect_name(v->effect),
                   first_sentence(c, rb_text_lang() == RB_LANG_ZH ? v->zh : v->en), NULL);
        }
    }
    rb_put_table(c, RB_OUT, rows, 0);
    rb_put(c, RB_OUT, RB_PLAIN, "%s\n", TX(help_verb_more));
    json_decref(rows);
    return 0;
}

static const struct {
    const char *name;
    int (*show)(struct rb_cli *c);
} topics[] = {
    {"exit-codes", help_exit_codes},
    {"blocks", help_blocks},
    {"verbs", help_verbs},
    {"environment", help_environment},
};

static int help_runbook(struct rb_cli *c, const char *name, bool *found)
{
    struct rb_err err = {0};
    const json_t *loaded = NULL;
    *found = false;
    if (rb_cli_catalog_list(c, &loaded, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    const json_t *entry = rb_entry_find(loaded, name, &err);
    if (entry == NULL) {
        return 2;
    }
    *found = true;
    rb_show_entry(c, entry);
    json_t *argv = rb_cli_repeat(c);
    json_array_append_new(argv, json_string("exec"));
    json_array_append(argv, json_object_get(entry, "id"));
    json_array_append_new(argv, json_string("--diagnose"));
    rb_put(c, RB_OUT, RB_PLAIN, "\n%s  ", TX(next));
    rb_put(c, RB_OUT, RB_COMMAND, "%s\n", rb_word_argv(c, argv));
    json_decref(argv);
    return 0;
}

static int unknown_topic(struct rb_cli *c, const char *name)
{
    const char *names[128];
    size_t n = 0;
    struct rb_err err = {0};
    for (const struct rb_command *k = rb_commands; k->name != NULL && n < 64; k++) {
        if (!k->hidden) {
            names[n++] = k->name;
        }
    }
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        names[n++] = topics[i].name;
    }
    for (const struct rb_block *b = rb_blocks; b->name != NULL && n < 128; b++) {
        names[n++] = b->name;
    }
    const char *near = rb_utf8_nearest(name, names, n);
    rb_err_set(&err, RB_EUSAGE, RB_T_cli_no_topic, name);
    if (near != NULL) {
        rb_err_hint(&err, RB_T_cli_mean_help, near);
    }
    return rb_cli_fail(c, &err);
}

int rb_cmd_help(struct rb_cli *c)
{
    bool found = false;
    if (c->nargs == 0) {
        return rb_help_all(c);
    }
    const char *name = c->args[0];
    if (rb_command_find(name) != NULL) {
        return rb_help_command(c, rb_command_find(name));
    }
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        if (strcmp(topics[i].name, name) == 0) {
            return topics[i].show(c);
        }
    }
    if (rb_block_find(name) != NULL) {
        rb_reference_block(c, rb_block_find(name), false);
        return 0;
    }
    if (rb_reference_verbs(c, name)) {
        return 0;
    }
    int code = help_runbook(c, name, &found);
    return found || code != 2 ? code : unknown_topic(c, name);
}
