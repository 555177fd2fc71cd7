#include "cli/reference.h"

#include "cli/meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const char *in_language(const char *en, const char *zh)
{
    const char *text = rb_text_lang() == RB_LANG_ZH ? zh : en;
    return text != NULL ? text : "";
}

const char *rb_effect_name(enum rb_effect effect)
{
    return effect == RB_EFFECT_WRITE ? "write" : effect == RB_EFFECT_PROBE ? "probe" : "read";
}

static void block_markdown(struct rb_cli *c, const struct rb_block *block)
{
    rb_put(c, RB_OUT, RB_PLAIN, "## %s\n\n%s\n\n| %s | %s | %s |\n| --- | --- | --- |\n", block->name,
           in_language(block->en, block->zh), TX(ref_field), TX(ref_type), TX(ref_meaning));
    for (const struct rb_field *f = block->fields; f != NULL && f->name != NULL; f++) {
        const char *bold = (f->flags & RB_FIELD_REQUIRED) != 0 ? "**" : "";
        rb_put(c, RB_OUT, RB_PLAIN, "| %s`%s`%s | ", bold, f->name, bold);
        for (const char *t = f->type; *t != '\0'; t++) { /* "enum:a|b" would end the cell */
            rb_put(c, RB_OUT, RB_PLAIN, *t == '|' ? "\\|" : "%c", *t);
        }
        rb_put(c, RB_OUT, RB_PLAIN, " | %s |\n", in_language(f->en, f->zh));
    }
    if (block->example != NULL) {
        rb_put(c, RB_OUT, RB_PLAIN, "\n```lua\n%s\n```\n", block->example);
    }
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
}

void rb_reference_block(struct rb_cli *c, const struct rb_block *block, bool markdown)
{
    if (markdown) {
        block_markdown(c, block);
        return;
    }
    json_t *rows = json_array();
    rb_put(c, RB_OUT, RB_BOLD, "%s", block->name);
    rb_put(c, RB_OUT, RB_PLAIN, "%s\n%s\n\n", block->named ? " \"id\" { ... }" : " { ... }",
           in_language(block->en, block->zh));
    for (const struct rb_field *f = block->fields; f != NULL && f->name != NULL; f++) {
        rb_row(rows, f->name, f->type, (f->flags & RB_FIELD_REQUIRED) != 0 ? TX(show_required) : "",
               in_language(f->en, f->zh), NULL);
    }
    rb_put_table(c, RB_OUT, rows, 2);
    if (block->example != NULL) {
        rb_put(c, RB_OUT, RB_PLAIN, "\n%s\n", block->example);
    }
    json_decref(rows);
}

static bool has_options(const struct rb_verb *v)
{
    for (const struct rb_arg *a = v->args; a != NULL && a->name != NULL; a++) {
        if ((a->flags & (RB_ARG_POSITIONAL | RB_ARG_REST)) == 0) {
            return true;
        }
    }
    return false;
}

/* shell.read(argv, { ... }) or sql(connection, { ... }):rows(query, params...); malloc'ed. */
static char *signature(const struct rb_binding *b, const struct rb_verb *v)
{
    const struct rb_arg *a = v->args;
    bool bound = a != NULL && a->name != NULL && strcmp(a->name, "connection") == 0;
    const char *gap = "", *options = has_options(v) ? "{ ... }" : "";
    struct rb_buf out;
    rb_buf_init(&out, 1 << 12);
    if (bound) {
        rb_buf_addf(&out, "%s(connection%s%s):%s(", b->name, *options ? ", " : "", options, v->name);
        options = "";
        a++;
    } else {
        rb_buf_addf(&out, "%s.%s(", b->name, v->name);
    }
    for (; a != NULL && a->name != NULL; a++) {
        if ((a->flags & (RB_ARG_POSITIONAL | RB_ARG_REST)) != 0) {
            rb_buf_addf(&out, "%s%s%s", gap, a->name, (a->flags & RB_ARG_REST) != 0 ? "..." : "");
            gap = ", ";
        }
    }
    rb_buf_addf(&out, "%s%s)", *options ? gap : "", options);
    return rb_buf_take(&out);
}

/* shell.read(argv, { ... })  ->  what   [read] */
static void put_signature(struct rb_cli *c, const struct rb_binding *b, const struct rb_verb *v)
{
    char *text = signature(b, v);
    rb_put(c, RB_OUT, RB_BOLD, "%s", text);
    rb_put(c, RB_OUT, RB_PLAIN, "  ->  %s   [%s]\n", v->returns != NULL ? v->returns : "nil",
           rb_effect_name(v->effect));
    free(text);
}

static void put_verb(struct rb_cli *c, const struct rb_binding *b, const struct rb_verb *v)
{
    json_t *rows = json_array();
    put_signature(c, b, v);
    rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", in_language(v->en, v->zh));
    for (const struct rb_arg *a = v->args; a != NULL && a->name != NULL; a++) {
        rb_row(rows, a->name, a->type, (a->flags & RB_ARG_REQUIRED) != 0 ? TX(show_required) : "",
               in_language(a->en, a->zh), NULL);
    }
    rb_put_table(c, RB_OUT, rows, 4);
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
    json_decref(rows);
}

bool rb_reference_verbs(struct rb_cli *c, const char *name)
{
    bool any = false;
    for (size_t i = 0; rb_bindings[i] != NULL; i++) {
        const struct rb_binding *b = rb_bindings[i];
        bool whole = strcmp(b->name, name) == 0;
        if (whole) {
            rb_put(c, RB_OUT, RB_PLAIN, "%s\n\n", in_language(b->en, b->zh));
        }
        for (const struct rb_verb *v = b->verbs; v->name != NULL; v++) {
            char full[128];
            snprintf(full, sizeof full, "%s.%s", b->name, v->name);
            if (whole || strcmp(full, name) == 0) {
                put_verb(c, b, v);
                any = true;
            }
        }
    }
    return any;
}

/* ---- Markdown for docs/ ---- */

static void verb_markdown(struct rb_cli *c, const struct rb_binding *b, const struct rb_verb *v)
{
    char *written = signature(b, v);
    rb_put(c, RB_OUT, RB_PLAIN, "### %s.%s\n\n`%s`\n\n%s\n\n- %s: %s\n- %s: `%s`\n\n", b->name, v->name, written,
           in_language(v->en, v->zh), TX(ref_effect), rb_effect_name(v->effect), TX(ref_returns),
           v->returns != NULL ? v->returns : "nil");
    free(written);
    if (v->args == NULL || v->args->name == NULL) {
        return;
    }
    rb_put(c, RB_OUT, RB_PLAIN, "| %s | %s | %s |\n| --- | --- | --- |\n", TX(ref_argument), TX(ref_type),
           TX(ref_meaning));
    for (const struct rb_arg *a = v->args; a->name != NULL; a++) {
        const char *bold = (a->flags & RB_ARG_REQUIRED) != 0 ? "**" : "";
        rb_put(c, RB_OUT, RB_PLAIN, "| %s`%s`%s%s | %s | %s |\n", bold, a->name, bold,
               (a->flags & (RB_ARG_POSITIONAL | RB_ARG_REST)) != 0 ? "" : " =", a->type, in_language(a->en, a->zh));
    }
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
}

static void commands_markdown(struct rb_cli *c)
{
    for (const struct rb_command *k = rb_commands; k->name != NULL; k++) {
        if (k->hidden) {
            continue;
        }
        rb_put(c, RB_OUT, RB_PLAIN, "## runbook %s\n\n%s\n\n```\nrunbook %s%s%s\n```\n\n", k->name, rb_text(k->summary),
               k->name, k->usage[0] != '\0' ? " " : "", k->usage);
        if (k->help != RB_T_none) {
            rb_put(c, RB_OUT, RB_PLAIN, "```\n%s\n```\n\n", rb_text(k->help));
        }
        for (int i = 0; i < RB_O_COUNT; i++) {
            const struct rb_option *o = &rb_option_table[i];
            if (o->commands != NULL && rb_option_fits(o, k->name)) {
                rb_put(c, RB_OUT, RB_PLAIN, "- `--%s%s%s` %s\n", o->name, o->arg != NULL ? " " : "",
                       o->arg != NULL ? o->arg : "", rb_text(o->help));
            }
        }
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
    rb_put(c, RB_OUT, RB_PLAIN, "## %s\n\n", TX(help_global));
    for (int i = 0; i < RB_O_COUNT; i++) {
        const struct rb_option *o = &rb_option_table[i];
        if (o->commands == NULL) {
            rb_put(c, RB_OUT, RB_PLAIN, "- `--%s%s%s` %s\n", o->name, o->arg != NULL ? " " : "",
                   o->arg != NULL ? o->arg : "", rb_text(o->help));
        }
    }
}

int rb_cmd_docs(struct rb_cli *c)
{
    struct rb_err err = {0};
    const char *what = c->nargs == 1 ? c->args[0] : "";
    if (strcmp(what, "blocks") == 0) {
        for (const struct rb_block *b = rb_blocks; b->name != NULL; b++) {
            rb_reference_block(c, b, true);
        }
    } else if (strcmp(what, "verbs") == 0) {
        for (size_t i = 0; rb_bindings[i] != NULL; i++) {
            rb_put(c, RB_OUT, RB_PLAIN, "## %s\n\n%s\n\n", rb_bindings[i]->name,
                   in_language(rb_bindings[i]->en, rb_bindings[i]->zh));
            for (const struct rb_verb *v = rb_bindings[i]->verbs; v->name != NULL; v++) {
                verb_markdown(c, rb_bindings[i], v);
            }
        }
    } else if (strcmp(what, "commands") == 0) {
        commands_markdown(c);
    } else if (strcmp(what, "names") == 0) {
        rb_put_json(c, rb_meta_names());
    } else {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_no_topic, what);
        return rb_cli_fail(c, &err);
    }
    return 0;
}
