/* runbook guide: from what a person sees to a repaired system, or on with a run that was left. */
#include "cli/guide.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "journal/journal.h"

/* Words that name no runbook are what the person sees. */
static char *joined(const struct rb_cli *c)
{
    struct rb_buf b;
    rb_buf_init(&b, 1u << 16);
    for (int i = 0; i < c->nargs && strchr(c->args[i], '=') == NULL; i++) {
        rb_buf_addf(&b, "%s%s", i > 0 ? " " : "", c->args[i]);
    }
    return rb_buf_take(&b);
}

static char *ask_for_runbook(struct rb_cli *c, const char *first)
{
    struct rb_prompt prompt;
    char *id = NULL;
    if (rb_prompt_open(&prompt, &c->loop) == 0) {
        id = rb_guide_find(c, &prompt, first);
        rb_prompt_close(&prompt);
        while (prompt.open) {
            uv_run(&c->loop, UV_RUN_ONCE);
        }
    }
    if (id == NULL) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", rb_text(RB_T_guide_bye));
    }
    return id;
}

/* The file of the runbook the line or the person names; NULL: they left, or err says why. again: the line's words led
 * to the wrong one. New reference. */
static json_t *find_file(struct rb_cli *c, bool again, struct rb_err *err)
{
    json_t *file = NULL;
    if (rb_cli_catalog_to_show(c, err) != 0) {
        return NULL;
    }
    char *said = again ? rb_xstrdup("") : joined(c);
    if (said[0] != '\0' && strchr(said, ' ') == NULL) {
        struct rb_err ignored = {0};
        file = rb_catalog_find_file(c->catalog, &c->loop, c->spawner, said, &ignored);
    }
    c->listed = file == NULL;
    char *id = file == NULL ? ask_for_runbook(c, said[0] != '\0' ? said : NULL) : NULL;
    if (id != NULL) {
        file = rb_catalog_find_file(c->catalog, &c->loop, c->spawner, id, err);
    }
    free(id);
    free(said);
    return file;
}

/* name=value after the runbook. */
static int params_of(const struct rb_cli *c, json_t *params, struct rb_err *err)
{
    int rc = 0;
    for (int i = 0; i < c->nargs && rc == 0; i++) {
        if (strchr(c->args[i], '=') != NULL) {
            rc = rb_exec_add_pair(params, c->args[i], "name=value", err);
        }
    }
    return rc;
}

static int start(struct rb_cli *c, struct rb_run_options *o, struct rb_err *err)
{
    bool again = c->again;
    json_t *params = json_object(), *file = params_of(c, params, err) == 0 ? find_file(c, again, err) : NULL;
    int code = 0;
    c->again = false;
    if (file == NULL || rb_exec_journal(c, err) != 0) {
        code = err->code != 0 ? rb_cli_fail(c, err) : 130;
    } else {
        o->file = file;
        o->params = params;
        code = rb_exec_watch(c, o, NULL, err);
    }
    json_decref(file);
    json_decref(params);
    return code;
}

int rb_cmd_guide(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_run_options o = {.guided = true};
    const char *past = rb_options_get(&c->options, RB_O_RESUME);
    if (c->no_input || !c->tty[RB_OUT]) {
        rb_err_set(&err, RB_EUSAGE, RB_T_guide_terminal);
        rb_err_hint(&err, RB_T_guide_terminal_hint);
        return rb_cli_fail(c, &err);
    }
    json_t *answers = json_object(), *repeat = rb_cli_repeat(c);
    int rc = rb_exec_consent(c, &o, answers, &err);
    o.repeat = repeat;
    int code = rc != 0 ? rb_cli_fail(c, &err) : past != NULL ? rb_exec_resume(c, past, &o) : start(c, &o, &err);
    while (c->again) {
        code = start(c, &o, &err);
    }
    json_decref(answers);
    json_decref(repeat);
    return code;
}
