/* What was read and written, and how it is known. */
#include <string.h>

#include "base/json.h"
#include "report/teller.h"

#define READS_MAX 500

static json_t *effect_of(const struct teller *t, const json_t *body)
{
    json_t *list = story_list_of(t, "effects"), *call = json_object_get(body, "call");
    for (size_t i = json_array_size(list); call && i > 0; i--) {
        json_t *effect = json_array_get(list, i - 1);
        if (json_equal(json_object_get(effect, "call"), call)) {
            return effect;
        }
    }
    return NULL;
}

void story_call_intent(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = effect_of(t, body);
    if (!entry) {
        entry = story_say(t, e, "write", body);
        json_array_append(story_list_of(t, "effects"), entry);
    } else {
        json_object_set_new(entry, "again", json_true());
    }
    bool announces = rb_json_bool(body, "announces", false);
    json_object_set_new(entry, "result",
                        json_string(announces ? "not_begun" : "unknown")); /* until there is an outcome */
}

void story_call_began(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *effect = effect_of(t, body);
    (void)e;
    if (effect) {
        json_object_set_new(effect, "result", json_string("unknown"));
    }
}

static void read_ended(struct teller *t, const json_t *body)
{
    json_t *read = json_pack("{s:I}", "ms", story_since_start(t));
    story_take(read, body);
    json_object_set(read, "took", json_object_get(body, "ms"));
    if (json_array_size(json_object_get(body, "remarks")) > 0) {
        json_object_set(read, "remarks", json_object_get(body, "remarks"));
    }
    json_object_set(read, "ok", json_object_get(body, "ok"));
    json_t *list = story_list_of(t, "reads");
    json_object_set_new(t->story, "read_count", json_integer(rb_json_int(t->story, "read_count", 0) + 1));
    if (json_array_size(list) < READS_MAX) {
        json_array_append(list, read);
    }
    json_decref(read);
}

/* Seen to be done, or known from elsewhere? */
static const char *how_known(const json_t *effect, const json_t *outcome)
{
    const json_t *remark = json_array_get(json_object_get(outcome, "remarks"), 0);
    const char *kind = rb_json_str(remark, "kind", "");
    return !strcmp(kind, "receipt")                                                               ? "by_receipt"
           : !strcmp(kind, "resolved") && !strcmp(rb_json_str(effect, "result", ""), "said_done") ? "said_done"
                                                                                                  : "done";
}

void story_call_outcome(struct teller *t, const struct rb_event *e, const json_t *body)
{
    (void)e;
    const char *code = rb_json_str(json_object_get(body, "error"), "code", "");
    json_t *effect = effect_of(t, body);
    if (!effect) {
        read_ended(t, body);
        return;
    }
    bool ok = rb_json_bool(body, "ok", false);
    const char *result = ok ? how_known(effect, body) : !strcmp(code, "unknown") ? "unknown" : "failed";
    json_object_set_new(effect, "result", json_string(result));
    json_object_set(effect, "took", json_object_get(body, "ms"));
    if (!ok) {
        json_object_set(effect, "error", json_object_get(body, "error"));
    }
    int64_t took = rb_json_int(body, "ms", 0);
    char row[256];
    json_t *bar = json_pack("{s:s, s:s, s:I, s:I, s:O}", "row", story_row_of(effect, row, sizeof row), "kind", "write",
                            "from", story_since_start(t) - (json_int_t)took, "to", story_since_start(t), "result",
                            json_object_get(effect, "result"));
    json_array_append_new(story_list_of(t, "bars"), bar);
}

void story_call_resolved(struct teller *t, const struct rb_event *e, const json_t *body)
{
    json_t *entry = story_say(t, e, "resolved", body), *effect = effect_of(t, body);
    story_decide(t, entry);
    if (effect) {
        bool done = rb_json_bool(body, "done", false);
        json_object_set_new(effect, "result", json_string(done ? "said_done" : "said_not_done"));
        json_object_set(effect, "reason", json_object_get(body, "reason"));
        json_object_set(entry, "text", json_object_get(effect, "text"));
        json_object_set(entry, "verb", json_object_get(effect, "verb"));
    }
}
