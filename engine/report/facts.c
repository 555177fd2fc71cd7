/* What follows from the whole story: what was not done and why, what nobody knows, and when it was repaired. */
#include <string.h>

#include "base/json.h"
#include "report/private.h"

static void not_done(json_t *story, const char *why, const json_t *from)
{
    static const char *const keys[] = {"id", "fix", "key", "title", "verb", "text", "evidence", "error", "who", NULL};
    json_t *one = json_pack("{s:s}", "why", why);
    for (const char *const *key = keys; *key; key++) {
        if (json_object_get(from, *key)) {
            json_object_set(one, *key, json_object_get(from, *key));
        }
    }
    json_array_append_new(json_object_get(story, "not_done"), one);
}

static bool same_block(const json_t *plan, const json_t *other)
{
    const char *fix = rb_json_str(plan, "fix", rb_json_str(plan, "id", ""));
    return !strcmp(fix, rb_json_str(other, "fix", rb_json_str(other, "id", ""))) &&
           !strcmp(rb_json_str(plan, "key", ""), rb_json_str(other, "key", ""));
}

static bool was_made(const json_t *story, const json_t *plan, const json_t *write)
{
    size_t i;
    json_t *effect;
    json_array_foreach(json_object_get(story, "effects"), i, effect) {
        if (same_block(plan, effect) && json_equal(json_object_get(effect, "text"), json_object_get(write, "text")) &&
            strcmp(rb_json_str(effect, "result", ""), "said_not_done") != 0) {
            return true;
        }
    }
    return false;
}

/* What was said last of this plan: "no", "person", a result, or that it was never carried out. */
static const char *end_of(const json_t *story, const json_t *plan)
{
    const char *end = !strcmp(rb_json_str(story, "mode", ""), "dry-run") ? "dry_run" : "not_reached";
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(story, "timeline"), i, entry) {
        const char *t = rb_json_str(entry, "t", "");
        if (!same_block(plan, entry)) {
            continue;
        }
        if (!strcmp(t, "answer")) {
            end = rb_json_str(entry, "answer", end);
        } else if (!strcmp(t, "over")) {
            end = rb_json_str(entry, "result", end);
        }
    }
    return end;
}

static void plans(json_t *story)
{
    size_t i, k;
    json_t *plan, *write;
    json_array_foreach(json_object_get(story, "plans"), i, plan) {
        const char *end = end_of(story, plan);
        json_array_foreach(json_object_get(plan, "writes"), k, write) {
            if (was_made(story, plan, write)) {
                continue;
            }
            json_t *one = json_copy(plan);
            json_object_update(one, write);
            not_done(story, !strcmp(end, "done") || !strcmp(end, "yes") ? "not_reached" : end, one);
            json_decref(one);
        }
    }
}

/* Findings that stand, and what is left to people. */
static void leftovers(json_t *story)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(story, "findings"), i, one) {
        if (strcmp(rb_json_str(one, "state", "standing"), "cleared") != 0) {
            not_done(story, "standing", one);
        }
    }
    json_array_foreach(json_object_get(story, "advice"), i, one) {
        not_done(story, "advice", one);
    }
}

/* A verify looked for it, and its block came to a good end. */
static bool settled_by_verify(const json_t *story, const json_t *effect)
{
    return !strcmp(end_of(story, effect), "done");
}

static void unknowns(json_t *story)
{
    size_t i;
    json_t *effect;
    json_array_foreach(json_object_get(story, "effects"), i, effect) {
        if (strcmp(rb_json_str(effect, "result", ""), "unknown") != 0) {
            continue;
        }
        if (settled_by_verify(story, effect)) {
            json_object_set_new(effect, "result", json_string("by_verify"));
        } else {
            json_array_append(json_object_get(story, "unknown"), effect);
        }
    }
}

void story_finish(json_t *story)
{
    const char *result = rb_json_str(story, "result", "");
    plans(story);
    leftovers(story);
    unknowns(story);
    bool well = !strcmp(result, "fixed") || !strcmp(result, "done");
    if (well && !json_object_get(story, "repaired_ms") && json_array_size(json_object_get(story, "effects")) > 0) {
        json_object_set(story, "repaired_ms", json_object_get(story, "ms"));
    }
    if (!well && strcmp(result, "healthy") != 0) {
        json_object_del(story, "repaired_ms");
    }
}
