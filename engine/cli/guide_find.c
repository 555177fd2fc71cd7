/* What does the person see? From a line, a code or a few words to one runbook. Nothing runs here. */
#include "cli/guide.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"

#define SHOWN_MAX 6
#define WHY_MAX 2
#define QUIET_MS 120 /* a pasted log is over when nothing more came for so long */

struct talk {
    struct rb_cli *c;
    struct rb_prompt *prompt;
    struct rb_buf text;
    uv_timer_t quiet;
    bool done, over, closed; /* over: nobody is there */
};

static void on_quiet(uv_timer_t *timer)
{
    struct talk *t = timer->data;
    rb_prompt_cancel(t->prompt);
    t->done = true;
}

static void on_line(const char *line, void *user)
{
    struct talk *t = user;
    if (line == NULL) {
        t->over = t->text.len == 0;
        t->done = true;
        return;
    }
    rb_buf_addf(&t->text, "%s%s", t->text.len > 0 ? " " : "", line);
    uv_timer_start(&t->quiet, on_quiet, QUIET_MS, 0);
    rb_prompt_read(t->prompt, on_line, t);
}

/* All lines of one paste, joined. NULL when nobody is there. */
static const char *hear(struct talk *t)
{
    rb_buf_clear(&t->text);
    t->done = false;
    fflush(stderr);
    rb_put_entered(t->c);
    rb_prompt_flush(t->prompt);
    rb_prompt_read(t->prompt, on_line, t);
    while (!t->done) {
        uv_run(&t->c->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&t->quiet);
    return t->over ? NULL : rb_buf_str(&t->text);
}

/* ---- candidates ---- */

static void put_candidate(struct rb_cli *c, const json_t *loaded, const json_t *hit, int n)
{
    struct rb_err ignored = {0};
    const json_t *entry = rb_entry_find(loaded, rb_json_str(hit, "id", ""), &ignored);
    const json_t *severity = rb_entry_meta(entry, "severity");
    rb_put(c, RB_ERR, RB_BOLD, "  %d  %s", n, rb_word(c, rb_json_str(hit, "id", "?")));
    rb_put(c, RB_ERR, RB_PLAIN, "  %s  %s\n", json_is_string(severity) ? json_string_value(severity) : "-",
           rb_word_text(c, rb_entry_meta(entry, "title")));
    rb_put_why(c, RB_ERR, entry, hit, WHY_MAX);
}

/* Every runbook that can be used, as hits without a reason. New reference. */
static json_t *all_of(const json_t *loaded)
{
    json_t *hits = json_array(), *entry;
    size_t i;
    json_array_foreach((json_t *)loaded, i, entry) {
        if (strcmp(rb_json_str(entry, "status", ""), "ok") == 0) {
            json_array_append_new(hits, json_pack("{s:O}", "id", json_object_get(entry, "id")));
        }
    }
    return hits;
}

static void put_candidates(struct rb_cli *c, const json_t *loaded, const json_t *hits, bool all)
{
    char more[128];
    size_t i, count = json_array_size(hits), shown = all ? count : SHOWN_MAX;
    json_t *hit;
    rb_put(c, RB_ERR, RB_BOLD, "\n%s\n", rb_text(all ? RB_T_guide_all : RB_T_guide_candidates));
    json_array_foreach((json_t *)hits, i, hit) {
        if (i < shown) {
            put_candidate(c, loaded, hit, (int)i + 1);
        }
    }
    if (count > shown) {
        snprintf(more, sizeof more, rb_text(RB_T_guide_more_found), (int)(count - shown));
        rb_put(c, RB_ERR, RB_DIM, "  %s\n", more);
    }
    rb_put(c, RB_ERR, RB_PLAIN, "%s\n", rb_text(RB_T_guide_choose_runbook));
    rb_put(c, RB_ERR, RB_BOLD, "> ");
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* One of the list, or NULL when line is none of their numbers. */
static const char *pick(const json_t *hits, const char *line)
{
    long n = line[0] == '\0' ? 1 : is_number(line) ? strtol(line, NULL, 10) : 0;
    return n > 0 ? rb_json_str(json_array_get(hits, (size_t)n - 1), "id", NULL) : NULL;
}

static bool leaves(const char *line)
{
    return line == NULL || strcmp(line, "q") == 0 || strcmp(line, "Q") == 0;
}

/* The id a person chose, or NULL and *line: what they said instead. */
static char *choose(struct talk *t, const json_t *loaded, const char **line)
{
    struct rb_cli *c = t->c;
    char *query = rb_xstrdup(*line), *chosen = NULL;
    bool all = query[0] == '\0' || strcmp(query, "?") == 0;
    json_t *hits = all ? all_of(loaded) : rb_catalog_search(loaded, query);
    size_t count = json_array_size(hits);
    if (count == 0) {
        rb_put(c, RB_ERR, RB_WARN, "%s\n", rb_text(RB_T_guide_nothing));
        rb_put(c, RB_ERR, RB_BOLD, "> ");
        *line = hear(t);
    } else {
        put_candidates(c, loaded, hits, all);
        *line = hear(t);
        while (!leaves(*line) && is_number(*line) && pick(hits, *line) == NULL) {
            rb_put(c, RB_ERR, RB_WARN, rb_text(RB_T_guide_pick), (int)count);
            rb_put(c, RB_ERR, RB_BOLD, "\n> ");
            *line = hear(t);
        }
        const char *id = leaves(*line) ? NULL : pick(hits, *line);
        chosen = id != NULL ? rb_xstrdup(id) : NULL;
    }
    json_decref(hits);
    free(query);
    return chosen;
}

static char *talk(struct talk *t, const json_t *loaded, const char *first)
{
    const char *line = first;
    char *chosen = NULL;
    if (first == NULL) {
        rb_put(t->c, RB_ERR, RB_BOLD, "%s\n", rb_text(RB_T_guide_what));
        rb_put(t->c, RB_ERR, RB_PLAIN, "%s\n", rb_text(RB_T_guide_what_keys));
        rb_put(t->c, RB_ERR, RB_BOLD, "> ");
        line = hear(t);
    }
    while (chosen == NULL && !leaves(line)) {
        size_t mark = rb_word_mark(t->c);
        chosen = choose(t, loaded, &line);
        rb_word_release(t->c, mark);
    }
    return chosen;
}

static void on_closed(uv_handle_t *handle)
{
    struct talk *t = handle->data;
    t->closed = true;
}

char *rb_guide_find(struct rb_cli *c, struct rb_prompt *prompt, const char *first)
{
    struct rb_err err = {0};
    const json_t *loaded = NULL;
    struct talk t = {.c = c, .prompt = prompt};
    if (rb_cli_catalog_list(c, &loaded, &err) != 0) {
        (void)rb_cli_fail(c, &err);
        return NULL;
    }
    rb_buf_init(&t.text, 1u << 16);
    uv_timer_init(&c->loop, &t.quiet);
    t.quiet.data = &t;
    char *id = talk(&t, loaded, first);
    uv_close((uv_handle_t *)&t.quiet, on_closed);
    while (!t.closed) {
        uv_run(&c->loop, UV_RUN_ONCE);
    }
    rb_buf_deinit(&t.text);
    return id;
}
