/* The commands that go on where this run stops. Running the first one must work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

static void add(json_t *argv, const char *word)
{
    json_array_append_new(argv, json_string(word));
}

/* As it was given, but paths as they were resolved, so that it works from any folder. */
static void add_params(const struct rb_run *run, json_t *argv)
{
    const char *name;
    json_t *value;
    bool from_file = false; /* a secret's value is given again the way it came */
    json_t *declared = json_object_get(run->meta, "params");
    json_object_foreach(run->given, name, value) {
        struct rb_buf word;
        if (json_is_string(value) && !strncmp(json_string_value(value), RB_SECRET_GIVEN, strlen(RB_SECRET_GIVEN))) {
            from_file = true;
            continue;
        }
        rb_buf_init(&word, 1 << 20);
        bool path = !strcmp(rb_json_str(json_object_get(declared, name), "type", ""), "path");
        const json_t *shown = path ? json_object_get(run->params, name) : value;
        rb_buf_addf(&word, "%s=", name);
        if (json_is_string(shown)) {
            rb_buf_adds(&word, json_string_value(shown));
        } else {
            char *text = json_dumps(shown, JSON_ENCODE_ANY | JSON_COMPACT);
            rb_buf_adds(&word, text);
            free(text);
        }
        add(argv, rb_buf_str(&word));
        rb_buf_deinit(&word);
    }
    if (from_file) {
        add(argv, "--param-file");
        add(argv, "-");
    }
}

static void add_flag(json_t *argv, const char *flag, const json_t *values)
{
    size_t i;
    json_t *value;
    json_array_foreach(values, i, value) {
        add(argv, flag);
        json_array_append(argv, value);
    }
}

static void add_answer(json_t *argv, const char *name, const json_t *value)
{
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    add(argv, "--answer");
    json_array_append_new(argv, json_sprintf("%s=%s", name, text ? text : json_string_value(value)));
    free(text);
}

/* A procedure begins anew, so what was agreed to and answered before goes along. */
static void add_earlier(const struct rb_run *run, json_t *argv)
{
    const char *name;
    json_t *value;
    if (run->yes) {
        add(argv, "--yes");
    }
    add_flag(argv, "--confirm", run->confirm);
    json_object_foreach(run->answers, name, value) {
        add_answer(argv, name, value);
    }
}

/* The first of the choices, as value or {value, text}; what only a person knows is left to fill in. */
static const json_t *suggested(const json_t *question)
{
    const json_t *first = json_array_get(json_object_get(question, "choices"), 0);
    const json_t *fallback = json_object_get(question, "default");
    const json_t *value = fallback ? fallback : json_is_object(first) ? json_object_get(first, "value") : first;
    return value;
}

static void add_questions(const struct rb_run *run, json_t *argv, const json_t *offer)
{
    char name[256];
    const char *field, *id = rb_json_str(offer, "fix", "");
    json_t *question, *asks = json_object_get(offer, "asks"), *fill_in = json_string("VALUE");
    if (!json_object_size(asks)) {
        json_t *done = json_string("done");
        add_answer(argv, id, done);
        json_decref(done);
    }
    json_object_foreach(asks, field, question) {
        snprintf(name, sizeof name, "%s.%s", id, field);
        const json_t *value = suggested(question);
        if (!json_object_get(run->answers, name)) {
            add_answer(argv, name, value ? value : fill_in);
        }
    }
    json_decref(fill_in);
}

static void add_consent(const struct rb_run *run, json_t *argv, const json_t *offer)
{
    if (!strcmp(rb_json_str(offer, "risk", "low"), "high")) {
        add(argv, "--confirm");
        add(argv, rb_json_str(offer, "typed", ""));
    } else if (!run->yes || !strcmp(rb_json_str(offer, "block", ""), "fix")) {
        add(argv, "--yes");
    }
    if (rb_policy_demand(run, offer).others) {
        add(argv, "--wait");
    }
}

static void add_fix(json_t *argv, const json_t *offer)
{
    char fix[512];
    bool whole = !rb_json_str(offer, "key", "")[0];
    snprintf(fix, sizeof fix, whole ? "%s" : "%s=%s", rb_json_str(offer, "fix", ""), rb_json_str(offer, "typed", ""));
    add(argv, "--fix");
    add(argv, fix);
}

static json_t *argv_undo(const struct rb_run *run, const char *undoes)
{
    json_t *argv = json_copy(run->repeat);
    add(argv, "undo");
    add(argv, undoes);
    return argv;
}

static json_t *argv_for(const struct rb_run *run, const json_t *offer)
{
    if (run->undoes) {
        json_t *undo = argv_undo(run, run->undoes);
        add_consent(run, undo, offer);
        return undo;
    }
    json_t *argv = json_copy(run->repeat);
    add(argv, "exec");
    add(argv, rb_json_str(run->file, "id", ""));
    add_params(run, argv);
    if (!strcmp(rb_json_str(offer, "block", "fix"), "fix")) {
        add_fix(argv, offer);
    } else {
        add_earlier(run, argv);
    }
    if (json_object_get(offer, "asks")) {
        add_questions(run, argv, offer);
    } else {
        add_consent(run, argv, offer);
    }
    return argv;
}

json_t *rb_next_resume(const struct rb_run *run, const json_t *shown)
{
    json_t *argv = json_copy(run->repeat);
    add(argv, "resume");
    add(argv, run->id);
    if (json_object_get(shown, "approval")) { /* what others say is all that is missing */
        return argv;
    }
    if (json_object_get(shown, "id")) { /* a question */
        json_t *question = json_copy((json_t *)shown);
        json_object_set(question, "fix", json_object_get(shown, "id"));
        add_questions(run, argv, question);
        json_decref(question);
        return argv;
    }
    if (!strcmp(rb_json_str(shown, "risk", "low"), "high")) {
        add(argv, "--confirm");
        add(argv, rb_json_str(shown, "typed", ""));
    } else {
        add(argv, "--yes");
    }
    return argv;
}

/* Where it waits, somebody has to be asked: the guide goes on. */
json_t *rb_next_guide(const struct rb_run *run)
{
    json_t *argv = json_copy(run->repeat);
    add(argv, "guide");
    add(argv, "--resume");
    add(argv, run->id);
    return json_pack("[{s:o, s:O*}]", "argv", argv, "why", json_object_get(run->meta, "title"));
}

/* What is grey or only by hand is not one command away. */
static bool one_command_away(const json_t *offer)
{
    return !json_object_get(offer, "by_hand") && !json_object_get(offer, "grey") &&
           !rb_json_bool(offer, "asked", false);
}

/* A dry run is followed by its plan. */
static json_t *apply(const struct rb_run *run)
{
    json_t *argv = json_copy(run->repeat);
    add(argv, "exec");
    add(argv, "--plan");
    add(argv, rb_json_str(run->made, "plan", ""));
    return json_pack("[{s:o, s:O*}]", "argv", argv, "why", json_object_get(run->meta, "title"));
}

/* A new look, from what was given. */
json_t *rb_next_dry_run(const struct rb_run *run)
{
    json_t *argv = json_copy(run->repeat);
    add(argv, "exec");
    add(argv, rb_json_str(run->file, "id", ""));
    add_params(run, argv);
    add(argv, "--dry-run");
    return json_pack("[{s:o, s:O*}]", "argv", argv, "why", json_object_get(run->meta, "title"));
}

json_t *rb_next_commands(const struct rb_run *run, const json_t *left)
{
    if (run->made) {
        return apply(run);
    }
    json_t *next = json_array(), *offer, *alone;
    size_t i;
    json_array_foreach(left, i, offer) {
        if (one_command_away(offer) && rb_policy_demand(run, offer).alone) { /* the id of its plan is its consent */
            json_array_extend(next, alone = rb_next_dry_run(run));
            json_decref(alone);
        } else if (one_command_away(offer)) {
            json_array_append_new(
                next, json_pack("{s:o, s:O*}", "argv", argv_for(run, offer), "why", json_object_get(offer, "title")));
        }
    }
    if (run->may_undo && !run->undoes) {
        json_array_append_new(next, json_pack("{s:o, s:O*}", "argv", argv_undo(run, run->id), "why",
                                              json_object_get(run->meta, "title")));
    }
    return next;
}
