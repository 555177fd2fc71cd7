/* All problems of one runbook's files, in the order of the files. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"
#include "runner/language_lint.h"

#define BLOCKS_MAX 2000

struct place {
    size_t file, line;
    const char *text;
    json_t *problem;
};

/* On one line by their words: the fields of a Lua table come in no order, and the first problem is the one that is
 * told. */
static int by_place(const void *left, const void *right)
{
    const struct place *a = left, *b = right;
    if (a->file != b->file) {
        return a->file < b->file ? -1 : 1;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return strcmp(a->text, b->text);
}

/* Files in the order of the sources, else in that of their first problem. */
static size_t file_number(json_t *numbers, const char *file)
{
    json_t *known = json_object_get(numbers, file);
    if (!known) {
        known = json_integer((json_int_t)json_object_size(numbers));
        json_object_set_new(numbers, file, known);
    }
    return (size_t)json_integer_value(known);
}

static json_t *sorted(json_t *problems, const json_t *sources)
{
    size_t count = json_array_size(problems), i;
    struct place *places = calloc(count + 1, sizeof *places);
    json_t *numbers = json_object(), *list = json_array(), *item;
    const char *path;
    json_object_foreach((json_t *)sources, path, item) {
        (void)file_number(numbers, path); /* only to give it its number */
    }
    for (i = 0; places && i < count; i++) {
        item = json_array_get(problems, i);
        places[i] = (struct place){file_number(numbers, rb_json_str(item, "file", "?")),
                                   (size_t)rb_json_int(item, "line", 0), rb_json_str(item, "text", ""), item};
    }
    if (places) {
        qsort(places, count, sizeof *places, by_place);
    }
    for (i = 0; places && i < count; i++) {
        json_array_append(list, places[i].problem);
    }
    free(places);
    json_decref(numbers);
    return list;
}

static void unknown_kind(struct rb_lint *lint, const struct rb_declared *block)
{
    rb_lint_error(lint, block, NULL, RB_T_catalog_unknown_block, rb_cut(block->kind, 40), block->kind);
}

static void check_blocks(struct rb_lint *lint)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)lint->blocks, i, entry) {
        struct rb_declared block;
        if (!rb_declared_get(entry, &block)) {
            continue;
        }
        if (rb_block_find(block.kind)) {
            rb_lint_fields(lint, &block);
        } else {
            unknown_kind(lint, &block);
        }
    }
}

static void check_runbook(struct rb_lint *lint)
{
    check_blocks(lint);
    rb_lint_cross(lint);
    rb_lint_params(lint);
}

static json_t *check(const json_t *declared, const json_t *sources, void (*judge)(struct rb_lint *lint))
{
    struct rb_lint lint = {.sources = sources, .problems = json_array()};
    const json_t *error = json_object_get(declared, "error");
    lint.blocks = json_is_array(declared) ? declared : json_object_get(declared, "blocks");
    if (json_is_object(error)) { /* the file did not get far enough to judge anything else */
        rb_lint_file(&lint, rb_json_str(error, "file", "?"), (int)rb_json_int(error, "line", 1),
                     rb_json_str(error, "message", ""));
    } else if (json_array_size(lint.blocks) > BLOCKS_MAX) {
        rb_lint_file(&lint, "?", 1, rb_text(RB_T_catalog_too_many_blocks));
    } else {
        judge(&lint);
    }
    json_t *list = sorted(lint.problems, sources);
    json_decref(lint.problems);
    return list;
}

json_t *rb_language_check(const json_t *declared, const json_t *sources)
{
    return check(declared, sources, check_runbook);
}

json_t *rb_config_check(const json_t *declared, const json_t *sources)
{
    return check(declared, sources, rb_lint_config);
}
