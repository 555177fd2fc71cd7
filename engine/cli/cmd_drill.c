/* runbook drill: break something in a lab on purpose and expect the runbook to notice and repair it.
 * runbook test: the same with answers that are given, without a system. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/commands.h"
#include "journal/journal.h"
#include "run/run.h"

struct kind {
    enum rb_run_mode mode;
    const char *one, *many, *schema;
    enum rb_text_id none, no_such, what;
};

static const struct kind drills = {RB_MODE_DRILL,      "drill",           "drills",           "runbook.drill/1",
                                   RB_T_cli_no_drills, RB_T_cli_no_drill, RB_T_cli_drill_what};
static const struct kind tests = {RB_MODE_TEST,      "test",           "tests",           "runbook.test/1",
                                  RB_T_cli_no_tests, RB_T_cli_no_test, RB_T_cli_test_what};

struct drill {
    struct rb_cli *c;
    const struct kind *kind;
    struct rb_run *run;
    json_t *result; /* of the drill that runs, NULL while it does */
    json_t *rows, *out, *cases;
    int failed, skipped, count;
    int stop_signal; /* Ctrl-C: the running one is cleaned up, no other begins */
    double timeout;
    uv_signal_t signals[2];
    int open;
};

static void on_event(void *user, const char *kind, const json_t *body)
{
    struct drill *d = user;
    if (d->c->verbose && d->c->format == RB_FORMAT_TEXT) {
        rb_put(d->c, RB_ERR, RB_DIM, "    %s  %s\n", rb_word(d->c, kind), rb_word_json(d->c, body, 200));
    }
}

static void on_ask(void *user, struct rb_run *run, const char *kind, const json_t *question)
{
    (void)user;
    (void)kind;
    (void)question;
    json_t *nothing = json_object(); /* a drill consents by its own fields, or not at all */
    rb_run_answer(run, nothing);
    json_decref(nothing);
}

static void on_ended(void *user, const json_t *result)
{
    struct drill *d = user;
    d->result = json_deep_copy(result);
    d->run = NULL;
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct drill *d = handle->data;
    d->stop_signal = signal;
    if (d->run != NULL) {
        rb_run_stop(d->run, signal);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct drill *d = handle->data;
    d->open--;
}

static const char *ms_word(struct rb_cli *c, const json_t *ms)
{
    return json_is_number(ms) ? rb_word_ms(c, (json_int_t)json_number_value(ms)) : "-";
}

static json_t *or_null(const json_t *value)
{
    return value != NULL ? json_incref((json_t *)value) : json_null();
}

/* Skipped (something it needs is missing) is neither red nor green, but never silent. */
static const char *verdict(const json_t *result, const json_t *drill)
{
    const char *own = rb_json_str(drill, "result", "");
    if (strcmp(own, "skipped") == 0 || strcmp(rb_json_str(result, "result", ""), "skipped") == 0) {
        return "skipped";
    }
    return rb_json_int(result, "exit", 1) == 0 && (own[0] == '\0' || strcmp(own, "passed") == 0) ? "passed" : "failed";
}

static const char *why_of(struct rb_cli *c, const json_t *result, const json_t *drill)
{
    const json_t *why = json_object_get(drill, "why");
    if (why == NULL || json_is_null(why)) {
        why = json_object_get(result, "error");
    }
    if (why == NULL || json_is_null(why)) {
        return "";
    }
    const char *message = rb_json_str(why, "message", NULL);
    const char *text = message != NULL ? message : rb_text_json(why);
    return text[0] != '\0' ? rb_word(c, text) : rb_word_json(c, why, 500);
}

static void put_verdict(struct drill *d, const char *name, const char *result, const char *why, int64_t ms)
{
    struct rb_cli *c = d->c;
    if (c->format != RB_FORMAT_TEXT || (c->quiet && strcmp(result, "failed") != 0)) {
        return;
    }
    rb_status(c, NULL);
    rb_put_mark(c, RB_ERR, strcmp(result, "passed") == 0 ? RB_GOOD : strcmp(result, "failed") == 0 ? RB_BAD : RB_WARN);
    rb_put(c, RB_ERR, RB_PLAIN, "%s  %s\n", name, rb_word_ms(c, ms));
    if (why[0] != '\0') {
        rb_put(c, RB_ERR, RB_PLAIN, "    %s\n", why);
    }
    const char *run = rb_json_str(d->result, "run", NULL);
    if (strcmp(result, "failed") == 0 && d->kind == &drills && run != NULL) {
        rb_put(c, RB_ERR, RB_DIM, "    runbook show %s\n", rb_word(c, run));
    }
}

static void note_result(struct drill *d, const char *id, const char *drill, int64_t ms)
{
    struct rb_cli *c = d->c;
    const json_t *own = json_object_get(d->result, "drill");
    const json_t *found = json_object_get(own, "found_ms"), *repaired = json_object_get(own, "repaired_ms");
    const char *result = verdict(d->result, own), *why = why_of(c, d->result, own);
    char name[512];
    snprintf(name, sizeof name, "%s/%s", id, drill);
    d->failed += strcmp(result, "failed") == 0;
    d->skipped += strcmp(result, "skipped") == 0;
    d->count++;
    put_verdict(d, rb_word(c, name), result, why, ms);
    if (d->kind == &tests) {
        rb_row(d->rows, id, drill, rb_result_word(c, result), NULL);
    } else {
        rb_row(d->rows, id, drill, ms_word(c, found), ms_word(c, repaired), rb_result_word(c, result), NULL);
    }
    json_t *one = json_pack("{s:s, s:s, s:o, s:o, s:s, s:I, s:s, s:o}", "runbook", id, d->kind->one, drill, "found_ms",
                            or_null(found), "repaired_ms", or_null(repaired), "result", result, "ms", (json_int_t)ms,
                            "why", why, "run", or_null(json_object_get(d->result, "run")));
    if (c->format == RB_FORMAT_JSONL) {
        rb_put_jsonl(c, one);
    }
    json_array_append_new(d->out, one);
    json_array_append_new(d->cases, json_pack("{s:s, s:b, s:b, s:s, s:I}", "name", rb_word(c, name), "ok",
                                              strcmp(result, "passed") == 0, "skipped", strcmp(result, "skipped") == 0,
                                              "text", why, "ms", (json_int_t)ms));
}

/* A test's own parameters; a drill's lab sets them. New reference. */
static json_t *params_of(const json_t *block)
{
    json_t *with = json_object_get(block, "with");
    return json_is_object(with) ? json_deep_copy(with) : json_object();
}

static int run_drill(struct drill *d, const json_t *file, const char *id, const json_t *block, struct rb_err *err)
{
    static const struct rb_run_view view = {.event = on_event, .ask = on_ask, .ended = on_ended};
    struct rb_cli *c = d->c;
    const char *name = rb_json_str(block, "id", "");
    json_t *params = params_of(block), *repeat = rb_cli_repeat(c);
    struct rb_engine engine = rb_cli_engine(c);
    engine.journal = d->kind == &drills ? c->journal : NULL;
    struct rb_run_options o = {.file = file,
                               .params = params,
                               .mode = d->kind->mode,
                               .drill = name,
                               .no_input = true,
                               .timeout = d->timeout,
                               .repeat = repeat};
    char text[512];
    snprintf(text, sizeof text, "  %s/%s", id, name);
    rb_status(c, rb_word(c, text));
    int64_t started = rb_clock_mono_ns();
    int rc = rb_run_start(&d->run, &engine, &o, &view, d, err);
    while (rc == 0 && d->result == NULL) {
        uv_run(&c->loop, UV_RUN_ONCE);
    }
    if (rc == 0) {
        note_result(d, id, name, (rb_clock_mono_ns() - started) / 1000000);
    }
    json_decref(d->result);
    d->result = NULL;
    json_decref(params);
    json_decref(repeat);
    return rc;
}

/* "a,b" holds the word. */
static bool listed(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (; *list != '\0'; list += *list == ',') {
        size_t n = strcspn(list, ",");
        if (n == len && strncmp(list, word, n) == 0) {
            return true;
        }
        list += n;
    }
    return false;
}

/* The first of the drill's needs that --without names; NULL when it may run. */
static const char *left_out_for(const struct drill *d, const json_t *block)
{
    const char *without = rb_options_get(&d->c->options, RB_O_WITHOUT);
    size_t i;
    json_t *need;
    json_array_foreach(json_object_get(block, "needs"), i, need) {
        const char *word = json_string_value(need);
        if (without != NULL && word != NULL && listed(without, word)) {
            return word;
        }
    }
    return NULL;
}

/* The verdict on one that did not run. */
static void not_run(struct drill *d, const char *id, const char *name, const char *result, const char *why)
{
    d->result = json_pack("{s:s, s:{s:s, s:s}}", "result", result, "drill", "result", result, "why", why);
    note_result(d, id, name, 0);
    json_decref(d->result);
    d->result = NULL;
}

static void leave_out(struct drill *d, const char *id, const json_t *block, const char *need)
{
    char why[256];
    snprintf(why, sizeof why, TX(drill_left_out), need);
    not_run(d, id, rb_json_str(block, "id", ""), "skipped", why);
}

/* All drills of a runbook, or the one that is named. */
static int run_entry(struct drill *d, const json_t *entry, const char *only, struct rb_err *err)
{
    struct rb_cli *c = d->c;
    const char *id = rb_json_str(entry, "id", "");
    const json_t *blocks = rb_entry_meta(entry, d->kind->many);
    size_t i;
    json_t *block;
    int before = d->count, rc = 0;
    if (json_array_size(blocks) == 0 && only == NULL) {
        return 0;
    }
    json_t *file = rb_catalog_find_file(c->catalog, &c->loop, c->spawner, id, err);
    if (file == NULL) {
        return err->code;
    }
    json_array_foreach((json_t *)blocks, i, block) {
        const char *name = rb_json_str(block, "id", "");
        const char *need = left_out_for(d, block);
        if (rc != 0 || d->stop_signal != 0 || (only != NULL && strcmp(only, name) != 0)) {
            continue;
        }
        if (need != NULL) {
            leave_out(d, id, block, need);
        } else {
            rc = run_drill(d, file, id, block, err);
        }
    }
    json_decref(file);
    if (rc == 0 && only != NULL && d->count == before && d->stop_signal == 0) {
        rc = rb_err_set(err, RB_EUSAGE, d->kind->no_such, id, only);
    }
    return rc;
}

/* A file that does not load has no drills; why it does not is what one must be told. */
static int loads(const json_t *entry, struct rb_err *err)
{
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(entry, "problems"), i, p) {
        if (strcmp(rb_json_str(p, "level", "error"), "error") == 0) {
            char place[512];
            snprintf(place, sizeof place, "%s:%d", rb_json_str(p, "file", "?"), (int)rb_json_int(p, "line", 1));
            return rb_err_set(err, RB_ELOAD, RB_T_catalog_bad_file, place, rb_json_str(p, "text", ""));
        }
    }
    bool broken = strcmp(rb_json_str(entry, "status", ""), "broken") == 0;
    return !broken ? 0
                   : rb_err_set(err, RB_ELOAD, RB_T_catalog_bad_file, rb_json_str(entry, "file", "?"),
                                rb_text(RB_T_cli_lint_broken));
}

/* "ID", "alias", or either with "/DRILL" behind it. */
static int run_name(struct drill *d, const json_t *loaded, const char *name, struct rb_err *err)
{
    const char *slash = strrchr(name, '/');
    struct rb_err ignored = {0};
    const json_t *entry = rb_entry_find(loaded, name, err);
    if (entry != NULL) {
        bool any = json_array_size(rb_entry_meta(entry, d->kind->many)) > 0;
        return loads(entry, err) != 0 ? err->code
               : any                  ? run_entry(d, entry, NULL, err)
                                      : rb_err_set(err, RB_EUSAGE, d->kind->none, name);
    }
    if (slash != NULL && slash != name) {
        json_t *id = json_stringn(name, (size_t)(slash - name));
        entry = id != NULL ? rb_entry_find(loaded, json_string_value(id), &ignored) : NULL;
        json_decref(id);
    }
    if (entry == NULL) {
        return err->code;
    }
    err->code = 0; /* of the name as a whole */
    return loads(entry, err) != 0 ? err->code : run_entry(d, entry, slash + 1, err);
}

static int run_all(struct drill *d, const json_t *loaded, struct rb_err *err)
{
    size_t i;
    json_t *entry;
    int rc = 0;
    json_array_foreach((json_t *)loaded, i, entry) {
        const char *status = rb_json_str(entry, "status", "");
        struct rb_err why = {0};
        if (rc != 0 || d->stop_signal != 0 || (strcmp(status, "ok") != 0 && strcmp(status, "broken") != 0)) {
            continue;
        }
        if (loads(entry, &why) != 0) {
            not_run(d, rb_json_str(entry, "id", "?"), "*", "failed", why.text);
        } else {
            rc = run_entry(d, entry, NULL, err);
        }
    }
    return rc;
}

/* A drill breaks things. Its faults stay in its own folder, processes and network, but a machine must have been
 * declared to be one where that may be tried. */
static bool in_lab(const struct rb_cli *c)
{
    const char *lab = getenv("RUNBOOK_LAB");
    return rb_options_has(&c->options, RB_O_FORCE) || (lab != NULL && lab[0] != '\0' && strcmp(lab, "0") != 0) ||
           access("/etc/runbook/lab", F_OK) == 0;
}

static int prepare(struct drill *d, const json_t **loaded, struct rb_err *err)
{
    struct rb_cli *c = d->c;
    const char *text = rb_options_get(&c->options, RB_O_TIMEOUT);
    if (d->kind == &drills && !in_lab(c)) {
        rb_err_set(err, RB_EUSAGE, RB_T_cli_drill_no_lab);
        rb_err_hint(err, RB_T_cli_drill_no_lab_hint);
        return RB_EUSAGE;
    }
    if (text != NULL && (rb_duration_parse(text, &d->timeout) != 0 || d->timeout <= 0)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_bad_value, "timeout", text);
    }
    if ((c->nargs == 0) != rb_options_has(&c->options, RB_O_ALL)) {
        return rb_err_set(err, RB_EUSAGE, d->kind->what);
    }
    int rc = rb_cli_catalog_load(c, loaded, err);
    if (rc != 0 || d->kind != &drills) {
        return rc;
    }
    if (rb_cli_journal(c, true, err) != 0) {
        err->code = rc = RB_EJOURNAL;
    }
    if (rc == 0) {
        json_t *actor = rb_journal_actor_find();
        json_object_set_new(actor, "as", json_string("drill"));
        rb_journal_actor_set(c->journal, actor);
        json_decref(actor);
    }
    return rc;
}

static void put_summary(struct drill *d)
{
    struct rb_cli *c = d->c;
    json_t *headings = json_array();
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:O}", "schema", d->kind->schema, d->kind->many, d->out));
    } else if (c->format == RB_FORMAT_TAP || c->format == RB_FORMAT_JUNIT) {
        rb_put_cases(c, d->kind->one, d->cases);
    } else if (c->format != RB_FORMAT_JSONL) {
        if (d->kind == &tests) {
            rb_row(headings, TX(col_runbook), TX(col_test), TX(col_result), NULL);
        } else {
            rb_row(headings, TX(col_runbook), TX(col_drill), TX(col_found), TX(col_repaired), TX(col_result), NULL);
        }
        rb_put_listing(c, headings, d->rows, 0);
        rb_put(c, RB_OUT, d->failed > 0 ? RB_BAD : RB_PLAIN, TX(drill_count), d->count - d->failed - d->skipped,
               d->failed, d->skipped);
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
    json_decref(headings);
}

static void watch_signals(struct drill *d)
{
    static const int signals[2] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&d->c->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, signals[i]);
        d->open++;
    }
}

static void unwatch_signals(struct drill *d)
{
    for (int i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&d->signals[i], on_closed);
    }
    while (d->open > 0) {
        uv_run(&d->c->loop, UV_RUN_ONCE);
    }
}

static int run_command(struct rb_cli *c, const struct kind *kind)
{
    struct rb_err err = {0};
    const json_t *loaded = NULL;
    struct drill d = {.c = c, .kind = kind};
    int rc = prepare(&d, &loaded, &err);
    if (rc != 0) {
        return rb_cli_fail(c, &err);
    }
    d.rows = json_array();
    d.out = json_array();
    d.cases = json_array();
    watch_signals(&d);
    rc = c->nargs == 0 ? run_all(&d, loaded, &err) : 0;
    for (int i = 0; i < c->nargs && rc == 0 && d.stop_signal == 0; i++) {
        rc = run_name(&d, loaded, c->args[i], &err);
    }
    unwatch_signals(&d);
    if (d.count > 0 || rc == 0) {
        put_summary(&d);
    }
    if (rb_options_has(&c->options, RB_O_JUNIT) && rc == 0) {
        rc = rb_junit_write(c, rb_options_get(&c->options, RB_O_JUNIT), kind->one, d.cases, &err);
    }
    json_decref(d.rows);
    json_decref(d.out);
    json_decref(d.cases);
    if (rc != 0) {
        return rb_cli_fail(c, &err);
    }
    return d.stop_signal != 0 ? 128 + d.stop_signal : d.failed > 0 ? 1 : 0;
}

int rb_cmd_drill(struct rb_cli *c)
{
    return run_command(c, &drills);
}

int rb_cmd_test(struct rb_cli *c)
{
    const char *run = rb_options_get(&c->options, RB_O_FROM_RUN);
    return run != NULL ? rb_test_from_run(c, run) : run_command(c, &tests);
}
