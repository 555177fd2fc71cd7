#include "schedule/explain.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "when/moment.h"

static json_t *time_json(int64_t seconds)
{
    char text[RB_TIME_MAX];
    rb_clock_format(seconds * 1000000, 0, text);
    return json_string(text);
}

static json_t *time_of(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return json_is_integer(value) ? time_json(json_integer_value(value)) : json_null();
}

static json_t *firing_json(const struct rb_schedule *s, const struct rb_zone *zone, int64_t at)
{
    char local[RB_TIME_MAX];
    rb_moment_format(at, zone, local);
    return json_pack("{s:s, s:o, s:s}", "schedule", s->name, "at", time_json(at), "local", local);
}

static json_t *recorded(json_t *firing, const json_t *row)
{
    static const char *const copied[] = {"state", "reason", "run", "result"};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        json_object_set(firing, copied[i], json_object_get(row, copied[i]));
    }
    json_object_set_new(firing, "started", time_of(row, "started"));
    json_object_set_new(firing, "ended", time_of(row, "ended"));
    return firing;
}

static const char *rule(enum rb_local how)
{
    return how == RB_LOCAL_GAP ? "gap" : how == RB_LOCAL_TWICE ? "first" : NULL;
}

/* A firing without a row: it is to come, or nobody was there. */
static json_t *expected(json_t *firing, const struct rb_schedule *s, const struct rb_zone *zone,
                        const struct rb_mark *mark, int64_t at, int64_t now)
{
    const char *closed = rb_schedule_closed(s, zone, at);
    const char *reason = closed ? closed : at < mark->paused ? "paused" : NULL;
    const char *state = at <= mark->since ? "unknown" : at <= now ? "overdue" : reason ? "closed" : "planned";
    json_object_set_new(firing, "state", json_string(state));
    json_object_set_new(firing, "reason", reason && strcmp(state, "unknown") ? json_string(reason) : json_null());
    return firing;
}

static int mark_of(struct rb_store *store, const struct rb_schedule *s, int64_t now, struct rb_mark *mark,
                   struct rb_err *err)
{
    *mark = (struct rb_mark){.since = now, .checked = now};
    int rc = store ? rb_store_mark(store, s->name, s->spec, now, mark, err) : 0;
    return rc == RB_ENOT_FOUND ? 0 : rc;
}

int rb_schedule_explain(json_t *list, const struct rb_schedules *all, const struct rb_schedule *s,
                        struct rb_store *store, const int64_t span[2], int64_t now, struct rb_err *err)
{
    const struct rb_zone *zone = rb_schedule_zone(all, s, err);
    struct rb_mark mark;
    int rc = s->problem.code ? (*err = s->problem).code : zone ? mark_of(store, s, now, &mark, err) : err->code;
    if (rc) {
        return rc;
    }
    json_t *rows = store ? rb_store_firings(store, s->name, span[0], span[1], err) : json_array();
    size_t used = 0;
    enum rb_local how;
    int64_t at = span[0] - 1;
    while (rows && json_array_size(list) < RB_EXPLAIN_MAX) {
        const json_t *row = json_array_get(rows, used);
        int64_t recorded_at = row ? rb_json_int(row, "at", 0) : RB_NEVER;
        at = rb_schedule_next(s, zone, at, &how);
        if (recorded_at <= at && recorded_at < span[1]) { /* also what an earlier spec decided */
            at = recorded_at;
            used++;
            json_array_append_new(list, recorded(firing_json(s, zone, at), row));
        } else if (at < span[1]) {
            json_t *firing = expected(firing_json(s, zone, at), s, zone, &mark, at, now);
            json_object_set_new(firing, "rule", rule(how) ? json_string(rule(how)) : json_null());
            json_array_append_new(list, firing);
        } else {
            break;
        }
    }
    json_decref(rows);
    return rows ? 0 : RB_EIO;
}

/* ---- one line of the list ---- */

static json_t *last_json(struct rb_store *store, const struct rb_schedule *s, const struct rb_zone *zone)
{
    json_t *row = store ? rb_store_last(store, s->name) : NULL;
    json_t *last = row ? recorded(firing_json(s, zone, rb_json_int(row, "at", 0)), row) : json_null();
    json_object_del(last, "schedule");
    json_decref(row);
    return last;
}

static json_t *next_json(const struct rb_schedule *s, const struct rb_zone *zone, const struct rb_mark *mark,
                         int64_t now)
{
    enum rb_local how;
    int64_t at = now > mark->paused ? now : mark->paused - (mark->paused < RB_PAUSED_FOREVER);
    if (mark->paused == RB_PAUSED_FOREVER) {
        return json_null();
    }
    for (int i = 0; i < 10000; i++) { /* a window may close many in a row, but not for ever */
        at = rb_schedule_next(s, zone, at, &how);
        if (at == RB_NEVER) {
            break;
        }
        if (!rb_schedule_closed(s, zone, at)) {
            return time_json(at + rb_schedule_delay(s, at));
        }
    }
    return json_null();
}

static json_t *paused_json(struct rb_store *store, const struct rb_schedule *s, const struct rb_mark *mark, int64_t now)
{
    if (mark->paused <= now) {
        return json_null();
    }
    json_t *words = rb_store_words(store, s->name),
           *until = mark->paused == RB_PAUSED_FOREVER ? json_null() : time_json(mark->paused);
    json_t *paused = json_pack("{s:o, s:O?}", "until", until, "reason", json_object_get(words, "paused_reason"));
    json_decref(words);
    return paused;
}

json_t *rb_schedule_describe(const struct rb_schedules *all, const struct rb_schedule *s, struct rb_store *store,
                             int64_t now)
{
    static const char *const copied[] = {"cron", "tz", "mode", "allow", "fixes", "with", "notify"};
    struct rb_mark mark;
    const struct rb_zone *zone = s->problem.code ? NULL : rb_schedule_zone(all, s, NULL);
    json_t *out = json_pack("{s:s, s:s}", "name", s->name, "runbook", s->runbook);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        json_t *value = json_object_get(s->fields, copied[i]);
        json_object_set(out, copied[i], value ? value : json_null());
    }
    json_object_set_new(out, "every", s->every ? json_integer(s->every) : json_null());
    if (!zone || mark_of(store, s, now, &mark, NULL)) {
        json_object_set_new(out, "state", json_string("broken"));
        json_object_set_new(out, "problem", json_string(s->problem.text));
        json_object_set_new(out, "next", json_null());
        json_object_set_new(out, "last", json_null());
        return out;
    }
    json_object_set_new(out, "tz", json_string(rb_zone_name(zone)));
    json_object_set_new(out, "next", next_json(s, zone, &mark, now));
    json_object_set_new(out, "last", last_json(store, s, zone));
    json_object_set_new(out, "paused", paused_json(store, s, &mark, now));
    json_object_set_new(out, "state", json_string(mark.tripped ? "tripped" : mark.paused > now ? "paused" : "on"));
    return out;
}
