/* What blocks say of each other: every name must be there, no name twice, no finding
 * that leads nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"
#include "runner/language_lint.h"

/* ---- names ---- */

/* The ids of the given kinds ("fix", NULL): an array that the caller frees; ids are borrowed. */
const char **rb_lint_names(const struct rb_lint *lint, const char *const *kinds, size_t kind_count, size_t *count)
{
    const char **names = calloc(json_array_size(lint->blocks) + 2, sizeof *names);
    json_t *entry;
    size_t i;
    *count = 0;
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        struct rb_declared block;
        if (names && rb_declared_get(entry, &block) && rb_word_in(block.kind, kinds, kind_count)) {
            names[(*count)++] = block.id;
        }
    }
    return names;
}

static bool among(const char *word, const char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void check_name(struct rb_lint *lint, const struct rb_declared *block, const char *field, const char *kind,
                       const char *word, const char **names, size_t count)
{
    if (!names || among(word, names, count)) {
        return;
    }
    const char *near = rb_utf8_nearest(word, names, count);
    if (near) {
        rb_lint_error(lint, block, field, RB_T_catalog_no_such_near, field, kind, rb_cut(word, 60), word, near);
    } else {
        rb_lint_error(lint, block, field, RB_T_catalog_no_such, field, kind, rb_cut(word, 60), word);
    }
}

void rb_lint_name(struct rb_lint *lint, const struct rb_declared *block, const char *field, const char *shown,
                  const char *word)
{
    size_t count;
    const char **names = rb_lint_names(lint, &shown, 1, &count);
    check_name(lint, block, field, shown, word, names, count);
    free(names);
}

struct reference {
    const char *block, *field;
    const char *shown; /* the word for what is named */
    const char *kinds[3];
    size_t kind_count;
    const char *also; /* a word that is allowed beside the names */
};

static const struct reference references[] = {
    {"runbook", "when", "finding", {"finding"}, 1, NULL},
    {"finding", "explains", "finding", {"finding"}, 1, NULL},
    {"check", "when", "finding", {"finding"}, 1, NULL},
    {"fix", "when", "finding", {"finding"}, 1, "asked"},
    {"step", "when", "finding", {"finding"}, 1, NULL},
    {"drill", "expect", "finding", {"finding"}, 1, NULL},
    {"test", "expect", "finding", {"finding"}, 1, NULL},
    {"drill", "repair", "fix", {"fix"}, 1, NULL},
    {"schedule", "fixes", "fix", {"fix"}, 1, NULL},
    {"drill", "fails_at", "check/fix/step", {"check", "fix", "step"}, 3, NULL},
};

static void check_reference(struct rb_lint *lint, const struct rb_declared *block, const struct reference *ref)
{
    const json_t *value = json_object_get(block->fields, ref->field);
    size_t count;
    if (!value || (!json_is_string(value) && !json_is_array(value))) {
        return;
    }
    const char **names = rb_lint_names(lint, ref->kinds, ref->kind_count, &count), *word;
    if (names && ref->also) {
        names[count++] = ref->also;
    }
    for (size_t i = 0; (word = rb_words_at(value, i)); i++) {
        char name[RB_LABEL_MAX]; /* repair = "stop-process=4711" names the fix and one instance */
        snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
        check_name(lint, block, ref->field, ref->shown, strcmp(ref->field, "repair") ? word : name, names, count);
    }
    free(names);
}

static void check_answers(struct rb_lint *lint, const struct rb_declared *block)
{
    static const char *const kinds[] = {"step", "fix"};
    size_t count;
    const char *word, **names = rb_lint_names(lint, kinds, 2, &count);
    json_t *ignored;
    json_object_foreach(json_object_get(block->fields, "answers"), word, ignored) {
        check_name(lint, block, "answers", "step", word, names, count);
    }
    free(names);
}

static void check_references(struct rb_lint *lint, const struct rb_declared *block)
{
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        if (strcmp(references[i].block, block->kind) == 0) {
            check_reference(lint, block, &references[i]);
        }
    }
    if (strcmp(block->kind, "drill") == 0) {
        check_answers(lint, block);
    }
}

/* ---- twice ---- */

/* Checks, steps and fixes share r, so they share their names. */
static bool share_names(const struct rb_declared *a, const struct rb_declared *b)
{
    static const char *const shared[] = {"check", "fix", "step"};
    return strcmp(a->kind, b->kind) == 0 || (rb_word_in(a->kind, shared, 3) && rb_word_in(b->kind, shared, 3));
}

/* A parameter of the profile is named again by the runbook; profiles of two files are merged; of
 * a second runbook enough is said. */
static bool may_repeat(const struct rb_declared *a, const struct rb_declared *b)
{
    if (strcmp(a->kind, "runbook") == 0) {
        return true;
    }
    bool apart = strcmp(a->file, b->file) != 0;
    if (rb_lint_role(a->file) == RB_ROLE_CONFIG || rb_lint_role(b->file) == RB_ROLE_CONFIG) {
        return apart; /* the user's configuration over the system's, both over what is shipped */
    }
    bool shared = strcmp(a->kind, "profile") == 0 || strcmp(a->kind, "param") == 0;
    return apart && shared && rb_lint_role(a->file) == RB_ROLE_PROFILE;
}

void rb_lint_twice(struct rb_lint *lint, const struct rb_declared *block, size_t position)
{
    for (size_t i = 0; i < position; i++) {
        struct rb_declared before;
        if (!rb_declared_get(json_array_get(lint->blocks, i), &before) || !share_names(&before, block) ||
            strcmp(before.id, block->id) || !block->id[0] || may_repeat(&before, block)) {
            continue;
        }
        rb_lint_error(lint, block, NULL, RB_T_catalog_twice, before.kind, rb_cut(before.id, 60), before.id, before.file,
                      before.line);
        return;
    }
}

/* ---- the whole file ---- */

static const json_t *first_of(const struct rb_lint *lint, const char *kind, struct rb_declared *block)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        if (rb_declared_get(entry, block) && strcmp(block->kind, kind) == 0) {
            return entry;
        }
    }
    return NULL;
}

static void check_fix_or_step(struct rb_lint *lint)
{
    struct rb_declared fix, step;
    if (!first_of(lint, "fix", &fix) || !first_of(lint, "step", &step)) {
        return;
    }
    bool fix_first = strcmp(fix.file, step.file) == 0 && fix.line < step.line;
    const struct rb_declared *first = fix_first ? &fix : &step, *second = fix_first ? &step : &fix;
    rb_lint_error(lint, second, NULL, RB_T_catalog_fix_and_step, first->kind, first->id, first->line);
}

/* The path without ".lua" ends like the name, or the other way round when the folder given is a system's. */
static bool name_fits(const char *path, const char *name)
{
    size_t a = strlen(path), b = strlen(name);
    a -= a > 4 && strcmp(path + a - 4, ".lua") == 0 ? 4 : 0;
    size_t both = a < b ? a : b;
    const char *longer = a < b ? name : path;
    size_t start = (a < b ? b : a) - both;
    return strncmp(path + a - both, name + b - both, both) == 0 && (!start || longer[start - 1] == '/');
}

static void check_runbooks(struct rb_lint *lint)
{
    struct rb_declared head, other;
    size_t i;
    json_t *entry;
    if (!first_of(lint, "runbook", &head)) {
        const char *file = "?", *path;
        json_object_foreach((json_t *)lint->sources, path, entry) {
            file = rb_lint_role(path) == RB_ROLE_RUNBOOK ? path : file;
        }
        rb_lint_file(lint, file, 1, rb_text(RB_T_catalog_no_runbook));
        return;
    }
    if (head.id[0] && !name_fits(head.file, head.id)) {
        rb_lint_warning(lint, &head, NULL, RB_T_catalog_name_is_path, rb_cut(head.id, 100), head.id, head.file);
    }
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        if (rb_declared_get(entry, &other) && strcmp(other.kind, "runbook") == 0 && entry != head.json) {
            rb_lint_error(lint, &other, NULL, RB_T_catalog_second_runbook, head.line);
        }
    }
}

/* ---- findings ---- */

static const char *explained_by(const struct rb_lint *lint, const char *id)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        struct rb_declared block;
        if (rb_declared_get(entry, &block) && strcmp(block.kind, "finding") == 0 && strcmp(block.id, id) == 0) {
            return rb_json_str(block.fields, "explains", NULL);
        }
    }
    return NULL;
}

static void check_circle(struct rb_lint *lint, const struct rb_declared *finding)
{
    const char *at = explained_by(lint, finding->id);
    for (size_t n = 0; at && n < json_array_size(lint->blocks); n++) {
        if (strcmp(at, finding->id) == 0) {
            rb_lint_error(lint, finding, "explains", RB_T_catalog_explains_circle);
            return;
        }
        at = explained_by(lint, at);
    }
}

static bool mentions(const json_t *value, const char *id)
{
    const char *word;
    for (size_t i = 0; (word = rb_words_at(value, i)); i++) {
        if (strcmp(word, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Does this block do something about the finding, or name its cause? */
static bool answers(const struct rb_declared *block, const char *id, bool procedure)
{
    if (strcmp(block->kind, "finding") == 0) {
        return mentions(json_object_get(block->fields, "explains"), id);
    }
    if (strcmp(block->kind, "step") == 0) { /* steps without a condition are for whatever was found */
        return mentions(json_object_get(block->fields, "when"), id) || procedure;
    }
    bool leads = strcmp(block->kind, "fix") == 0 || strcmp(block->kind, "runbook") == 0;
    return leads && mentions(json_object_get(block->fields, "when"), id);
}

static void check_leads_somewhere(struct rb_lint *lint, const struct rb_declared *finding)
{
    struct rb_declared head;
    size_t i;
    json_t *entry;
    bool procedure = first_of(lint, "runbook", &head) && !json_object_get(head.fields, "when");
    if (json_object_get(finding->fields, "advice")) {
        return;
    }
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        struct rb_declared block;
        if (rb_declared_get(entry, &block) && answers(&block, finding->id, procedure)) {
            return;
        }
    }
    rb_lint_warning(lint, finding, NULL, RB_T_catalog_leads_nowhere);
}

void rb_lint_cross(struct rb_lint *lint)
{
    size_t i;
    json_t *entry;
    check_runbooks(lint);
    check_fix_or_step(lint);
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        struct rb_declared block;
        if (!rb_declared_get(entry, &block)) {
            continue;
        }
        check_references(lint, &block);
        rb_lint_twice(lint, &block, i);
        if (strcmp(block.kind, "finding") == 0) {
            check_circle(lint, &block);
            check_leads_somewhere(lint, &block);
        }
    }
}
