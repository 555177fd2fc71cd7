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
    json_t *declared = json_object_get(run->meta, "params");
    json_object_foreach(run->given, name, value) {
        struct rb_buf word;
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
}

static void add_consent(json_t *argv, const json_t *offer)
{
    const char *risk = rb_json_str(offer, "risk", "low");
    if (!strcmp(risk, "high")) {
        add(argv, "--confirm");
        add(argv, rb_json_str(offer, "typed", ""));
    } else {
        add(argv, "--yes");
    }
}

static json_t *argv_for(const struct rb_run *run, const json_t *offer)
{
    char fix[512];
    json_t *argv = json_copy(run->repeat);
    add(argv, "exec");
    add(argv, rb_json_str(run->file, "id", ""));
    add_params(run, argv);
    if (!strcmp(rb_json_str(offer, "block", "fix"), "fix")) {
        const char *key = rb_json_str(offer, "typed", "");
        bool whole = !rb_json_str(offer, "key", "")[0];
        snprintf(fix, sizeof fix, whole ? "%s" : "%s=%s", rb_json_str(offer, "fix", ""), key);
        add(argv, "--fix");
        add(argv, fix);
    }
    add_consent(argv, offer);
    return argv;
}

json_t *rb_next_commands(const struct rb_run *run, const json_t *left)
{
    json_t *next = json_array(), *offer;
    size_t i;
    json_array_foreach(left, i, offer) {
        bool by_machine = !json_object_get(offer, "by_hand") && !json_object_get(offer, "grey");
        if (by_machine && !rb_json_bool(offer, "asked", false) && strcmp(rb_json_str(offer, "risk", ""), "critical")) {
            json_array_append_new(next, json_pack("{s:o, s:O}", "argv", argv_for(run, offer), "why",
                                                  json_object_get(offer, "title")));
        }
    }
    return next;
}
