/* Adding to a story: people, entries of the timeline, decisions, bars. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/teller.h"

#define ENTRIES_MAX 2000
#define BARS_MAX 4000

json_int_t story_since_start(const struct teller *t)
{
    return (t->now_us - t->first_us) / 1000;
}

json_t *story_list_of(const struct teller *t, const char *name)
{
    return json_object_get(t->story, name);
}

/* "alice (sudo root) from 10.0.0.7 on web1" from an actor as it was recorded. */
static json_t *who(const char *actor)
{
    char text[512], uid[32];
    json_t *a = rb_json_parse(actor, strlen(actor), NULL);
    snprintf(uid, sizeof uid, "uid %lld", (long long)rb_json_int(a, "uid", -1));
    const char *login = rb_json_str(a, "login", rb_json_str(a, "kind", uid)), *sudo = rb_json_str(a, "sudo", NULL);
    const char *host = rb_json_str(a, "host", NULL);
    if (rb_json_str(a, "schedule", NULL) || rb_json_bool(a, "service", false)) {
        login = rb_text(RB_T_schedule_actor);
    }
    snprintf(text, sizeof text, "%s%s%s%s%s%s", login, sudo ? " (sudo " : "", sudo ? sudo : "", sudo ? ")" : "",
             host ? " @ " : "", host ? host : "");
    json_t *word = rb_json_bytes(text, strlen(text)); /* cut in the middle of a character it is no text any more */
    if (!json_is_string(word)) {
        json_decref(word);
        word = json_string(uid);
    }
    json_decref(a);
    return word;
}

void story_meet(const struct teller *t, const json_t *person)
{
    size_t i;
    json_t *known;
    json_array_foreach(story_list_of(t, "people"), i, known) {
        if (json_equal(known, person)) {
            return;
        }
    }
    json_array_append(story_list_of(t, "people"), (json_t *)person);
}

void story_take(json_t *to, const json_t *from)
{
    static const char *const keys[] = {
        "id",   "key",  "title",  "result", "text",     "error", "verb", "call",    "phase",    "block",    "fix",
        "for",  "risk", "how",    "answer", "reason",   "why",   "done", "exit",    "severity", "evidence", "writes",
        "open", "name", "params", "mode",   "standing", "at",    "undo", "no_undo", "approval", NULL};
    for (const char *const *key = keys; *key; key++) {
        json_t *value = json_object_get(from, *key);
        if (value && !json_object_get(to, *key)) {
            json_object_set(to, *key, value);
        }
    }
}

json_t *story_say(struct teller *t, const struct rb_event *e, const char *what, const json_t *body)
{
    char at[RB_TIME_MAX];
    rb_clock_format(e->utc_us, 1, at);
    json_t *entry = json_pack("{s:s, s:I, s:s, s:s, s:o}", "at", at, "ms", story_since_start(t), "t", what, "kind",
                              e->kind, "who", who(e->actor));
    json_t *where = json_object_get(body, "at"); /* ours is the time */
    if (where) {
        json_object_set(entry, "where", where);
    }
    if (json_object_get(body, "ms") && strcmp(e->kind, "run.ended") != 0) { /* that of the whole stands above */
        json_object_set(entry, "took", json_object_get(body, "ms"));
    }
    story_take(entry, body);
    if (json_array_size(story_list_of(t, "timeline")) < ENTRIES_MAX) {
        json_array_append(story_list_of(t, "timeline"), entry);
    } else {
        json_object_set_new(t->story, "more", json_integer(rb_json_int(t->story, "more", 0) + 1));
    }
    json_object_set_new(t->story, "_said", entry);
    return entry;
}

void story_decide(struct teller *t, json_t *entry)
{
    json_array_append(story_list_of(t, "decisions"), entry);
    story_meet(t, json_object_get(entry, "who"));
}

void story_bar_begin(struct teller *t, const char *kind, const char *row)
{
    json_object_set_new(t->open, row,
                        json_pack("{s:s, s:s, s:I}", "row", row, "kind", kind, "from", story_since_start(t)));
}

void story_bar_end(struct teller *t, const char *row, const json_t *result)
{
    json_t *bar = json_object_get(t->open, row);
    if (bar && json_array_size(story_list_of(t, "bars")) < BARS_MAX) {
        json_object_set_new(bar, "to", json_integer(story_since_start(t)));
        json_object_set(bar, "result", (json_t *)result);
        json_array_append(story_list_of(t, "bars"), bar);
    }
    json_object_del(t->open, row);
}

const char *story_row_of(const json_t *body, char *row, size_t size)
{
    const char *id = rb_json_str(body, "id", rb_json_str(body, "fix", "?")), *key = rb_json_str(body, "key", "");
    snprintf(row, size, "%.120s%s%.80s", id, key[0] ? " " : "", key);
    return row;
}
