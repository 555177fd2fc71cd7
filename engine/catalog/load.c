/* One runner declares all files, one after the other. A file that hangs it or eats its
 * memory is marked, and a new runner goes on behind it. */
#include "catalog/load.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/frame.h"
#include "base/json.h"
#include "process/child.h"
#include "process/spawner.h"
#include "runner/language_lint.h"
#include "runner/runner.h"

/* Of processor time: the runner gives up after 2 s and knows the line, unless a C call hangs it. */
#define FILE_MS 3000
#define SET_BYTES (RB_FRAME_MAX - 65536)
#define BATCH_BYTES (2u << 20) /* of several sets: all their texts stay in the runner's memory */

struct load {
    uv_loop_t *loop;
    struct rb_spawner *sp;
    const json_t *sets, *verbs;
    json_t *declared;  /* the answer; its length is the number of the set under way */
    size_t begin, end; /* the sets the runner has */
    uv_timer_t timer;
    bool timer_open;
    struct rb_child *child;
    struct rb_child_effort effort; /* of the file under way */
    bool late, refused;            /* it took too long; it did not say what we expect */
    struct rb_err failed;
};

/* ---- marking ---- */

static void mark(struct load *load, const char *message)
{
    json_t *files = json_array_get(load->sets, json_array_size(load->declared)), *file;
    const char *path = "?";
    size_t i;
    json_array_foreach(files, i, file) {
        const char *role = rb_json_str(file, "role", "");
        path = !strcmp(role, "runbook") || !strcmp(role, "config") ? rb_json_str(file, "path", "?") : path;
    }
    json_array_append_new(load->declared, json_pack("{s:[], s:{s:s, s:i, s:s}}", "blocks", "error", "file", path,
                                                    "line", 1, "message", message));
}

static void mark_death(struct load *load, int status)
{
    char text[256];
    if (status == RB_EXIT_MEMORY && json_array_size(load->declared) > load->begin) {
        return; /* the files before it had their share: it is tried again, alone at the start of a runner */
    }
    if (load->late) {
        mark(load, rb_text(RB_T_catalog_load_slow));
    } else if (status == RB_EXIT_MEMORY) {
        mark(load, rb_text(RB_T_catalog_load_memory));
    } else {
        snprintf(text, sizeof text, rb_text(RB_T_catalog_load_died), status);
        mark(load, text);
    }
}

/* ---- events of the child ---- */

static void on_time(uv_timer_t *timer)
{
    struct load *load = timer->data;
    load->late = rb_child_effort_over(load->child, &load->effort, FILE_MS / 1e3) > 0;
    if (load->late) {
        rb_child_kill(load->child, 0);
    } else {
        uv_timer_start(timer, on_time, FILE_MS, 0);
    }
}

static void next_file(struct load *load)
{
    load->effort = rb_child_effort_begin(load->child);
    uv_timer_start(&load->timer, on_time, FILE_MS, 0);
}

static void answer(struct rb_child *child, json_t *reply)
{
    if (!reply || rb_child_send(child, reply, NULL)) {
        rb_child_kill(child, 0);
    }
    json_decref(reply);
}

/* A file that calls a verb where it should only declare: it hears so, with its own line. */
static void refuse(struct rb_child *child, const json_t *call)
{
    char text[256];
    const char *verb = rb_json_str(call, "verb", "?");
    snprintf(text, sizeof text, rb_text(RB_T_catalog_load_verb), rb_cut(verb, 60), verb);
    answer(child, json_pack("{s:O, s:{s:s, s:s, s:s, s:b}}", "seq", json_object_get(call, "seq"), "error", "code",
                            rb_err_name(RB_EFORBIDDEN), "message", text, "verb", verb, "fatal", 1));
}

static void take(struct load *load, struct rb_child *child, const json_t *call)
{
    const json_t *args = json_object_get(call, "args");
    size_t n = json_array_size(load->declared) - load->begin;
    if (strcmp(rb_json_str(call, "verb", "run.declare"), "run.declare")) {
        refuse(child, call);
        return;
    }
    if (rb_json_int(args, "n", -1) != (json_int_t)n || load->begin + n >= load->end) {
        load->refused = true;
        rb_child_kill(child, 0);
        return;
    }
    json_array_append_new(load->declared, json_deep_copy(args));
    next_file(load);
    answer(child, json_pack("{s:O, s:{}}", "seq", json_object_get(call, "seq"), "ok"));
}

static void on_frame(struct rb_child *child, json_t *value, void *user)
{
    struct load *load = user;
    if (!load->late && !load->refused) {
        take(load, child, value);
    }
}

static void on_end(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user)
{
    struct load *load = user;
    (void)child;
    (void)orphaned;
    uv_timer_stop(&load->timer);
    load->child = NULL;
    if (err && err->code) {
        load->failed = *err;
    } else if (json_array_size(load->declared) < load->end) {
        mark_death(load, status);
    }
}

/* ---- batches ---- */

static size_t frame_size(const json_t *value)
{
    return json_dumpb(value, NULL, 0, JSON_COMPACT);
}

/* As many sets as one frame holds; at least one, which a frame always holds unless somebody tries. */
static json_t *next_batch(struct load *load)
{
    json_t *batch = json_array();
    size_t bytes = 0;
    load->begin = load->end = json_array_size(load->declared);
    while (load->end < json_array_size(load->sets)) {
        json_t *files = json_array_get(load->sets, load->end);
        bytes += frame_size(files) + 1;
        if (bytes > (json_array_size(batch) ? BATCH_BYTES : SET_BYTES)) {
            break;
        }
        json_array_append(batch, files);
        load->end++;
    }
    return batch;
}

static void run_batch(struct load *load, json_t *batch)
{
    static const struct rb_child_events events = {.frame = on_frame, .exit = on_end};
    const struct rb_child_spec spec = {.entry = "runner", .access = RB_CHILD_READ};
    json_t *start = json_pack("{s:{s:s, s:s, s:O, s:o}}", "start", "mode", "list", "lang",
                              rb_text_lang() == RB_LANG_ZH ? "zh" : "en", "runbooks", batch, "verbs",
                              load->verbs ? json_incref((json_t *)load->verbs) : json_string(""));
    load->late = load->refused = false;
    load->child = rb_child_start(load->sp, &spec, &events, load, &load->failed);
    if (load->child) {
        next_file(load);
        if (rb_child_send(load->child, start, &load->failed)) {
            rb_child_kill(load->child, 0);
        }
    }
    while (load->child) {
        uv_run(load->loop, UV_RUN_ONCE);
    }
    json_decref(start);
}

static void on_closed(uv_handle_t *handle)
{
    struct load *load = handle->data;
    load->timer_open = false;
}

static void close_timer(struct load *load)
{
    uv_close((uv_handle_t *)&load->timer, on_closed);
    while (load->timer_open) {
        uv_run(load->loop, UV_RUN_ONCE);
    }
}

json_t *rb_load_declare(uv_loop_t *loop, struct rb_spawner *sp, const struct rb_load_what *what, struct rb_err *err)
{
    struct load load = {
        .loop = loop, .sp = sp, .sets = what->sets, .verbs = what->verbs, .declared = json_array(), .timer_open = true};
    uv_timer_init(loop, &load.timer);
    load.timer.data = &load;
    while (json_array_size(load.declared) < json_array_size(what->sets) && !load.failed.code) {
        json_t *batch = next_batch(&load);
        if (json_array_size(batch)) {
            run_batch(&load, batch);
        } else {
            mark(&load, rb_text(RB_T_catalog_load_large));
        }
        json_decref(batch);
    }
    close_timer(&load);
    if (load.failed.code) {
        if (err) {
            *err = load.failed;
        }
        json_decref(load.declared);
        return NULL;
    }
    return load.declared;
}

/* ---- judging it ---- */

json_t *rb_load_sources(const json_t *files)
{
    json_t *sources = json_object(), *file;
    size_t i;
    json_array_foreach((json_t *)files, i, file) {
        json_object_set(sources, rb_json_str(file, "path", "?"), json_object_get(file, "text"));
    }
    return sources;
}

bool rb_load_has_error(const json_t *problems)
{
    size_t i;
    json_t *problem;
    json_array_foreach((json_t *)problems, i, problem) {
        if (strcmp(rb_json_str(problem, "level", "error"), "error") == 0) {
            return true;
        }
    }
    return false;
}
