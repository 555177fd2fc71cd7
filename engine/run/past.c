#include "run/past.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static bool is(const json_t *event, const char *kind)
{
    return !strcmp(rb_json_str(event, "kind", ""), kind);
}

static json_t *body_of(const json_t *event)
{
    return json_object_get(event, "body");
}

static bool is_unknown(const json_t *outcome)
{
    return !strcmp(rb_json_str(json_object_get(outcome, "error"), "code", ""), "unknown");
}

static json_int_t seq_of(const json_t *event)
{
    return rb_json_int(event, "seq", 0);
}

/* Where the block ends in which event `after` happened. */
static int64_t block_end(const json_t *events, int64_t after)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event) {
        if (seq_of(event) > after && is(event, "block.ended")) {
            return seq_of(event);
        }
    }
    return INT64_MAX;
}

/* Of a task beside the main one. */
static bool in_parallel(const json_t *event)
{
    const char *frame = rb_json_str(body_of(event), "frame", "");
    return memchr(frame, '.', strcspn(frame, "#")) != NULL;
}

void rb_past_forget(struct rb_past *past, const struct rb_cut *cut)
{
    json_t *kept = json_array(), *event;
    int64_t end = block_end(past->events, cut->after);
    size_t i;
    json_array_foreach(past->events, i, event) {
        /* what went on beside an unknown write is as true as what came before it */
        bool beside = cut->beside && in_parallel(event) && seq_of(event) < end && !is_unknown(body_of(event));
        if (seq_of(event) <= cut->after || beside || is(event, "call.resolved")) {
            json_array_append(kept, event);
        }
    }
    json_decref(past->events);
    past->events = kept;
}

static int keep(const struct rb_event *event, void *user)
{
    struct rb_past *past = user;
    json_t *body = event->body ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
    body = body ? body : json_object(); /* pruned: without an answer it happens anew, or is unknown */
    if (!strcmp(event->kind, "run.resumed")) {
        const struct rb_cut cut = {rb_json_int(body, "after", 0), rb_json_bool(body, "beside", false)};
        rb_past_forget(past, &cut);
    }
    json_array_append_new(past->events, json_pack("{s:I, s:I, s:s, s:o}", "seq", (json_int_t)event->seq, "utc",
                                                  (json_int_t)event->utc_us, "kind", event->kind, "body", body));
    past->last_us = event->utc_us;
    return 0;
}

static void call_key(const json_t *body, char out[32])
{
    snprintf(out, 32, "%lld", rb_json_int(body, "call", 0));
}

static void understand_one(struct rb_past *past, const json_t *event)
{
    char call[32];
    json_t *body = body_of(event);
    call_key(body, call);
    if (is(event, "run.started")) {
        past->started = past->owner = body;
        past->started_us = rb_json_int(event, "utc", 0);
    } else if (is(event, "run.resumed")) {
        past->owner = body;
        past->ended = NULL;
    } else if (is(event, "run.parked")) {
        past->owner = NULL; /* nobody has it; its process may live on with other runs */
    } else if (is(event, "run.resolved")) {
        past->owner = past->ended = NULL;
    } else if (is(event, "run.ended")) {
        past->ended = body;
    } else if (is(event, "call.resolved")) {
        json_object_set(past->settled, call, json_object_get(body, "done"));
    } else if (is(event, "call.intent") || is(event, "call.outcome")) {
        json_object_del(past->settled, call); /* the word of a person was used */
    }
}

static void remove_call(json_t *open, json_int_t call)
{
    for (size_t i = json_array_size(open); i > 0; i--) {
        if (rb_json_int(json_array_get(open, i - 1), "call", 0) == call) {
            json_array_remove(open, i - 1);
        }
    }
}

/* A write that announces did nothing before it had. */
static void drop_not_begun(struct rb_past *past, const json_t *began)
{
    char call[32];
    for (size_t i = json_array_size(past->open); i > 0; i--) {
        const json_t *intent = json_array_get(past->open, i - 1);
        call_key(intent, call);
        if (rb_json_bool(intent, "announces", false) && !json_object_get(began, call)) {
            json_array_remove(past->open, i - 1);
        }
    }
}

/* An unknown outcome leaves a write open, until the verify of its block settled it. */
static void find_open(struct rb_past *past)
{
    char call[32];
    json_t *began = json_object();
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        json_t *body = body_of(event);
        bool ended = is(event, "fix.ended") || is(event, "step.ended");
        if (is(event, "call.intent")) {
            remove_call(past->open, rb_json_int(body, "call", 0));
            json_array_append(past->open, body);
        } else if (is(event, "call.began")) {
            call_key(body, call);
            json_object_set_new(began, call, json_true());
        } else if (is(event, "call.outcome") && !is_unknown(body)) {
            remove_call(past->open, rb_json_int(body, "call", 0));
        } else if (ended && !strcmp(rb_json_str(body, "result", ""), "done")) {
            json_array_clear(past->open);
        }
    }
    drop_not_begun(past, began);
    json_decref(began);
}

static void drop_settled(struct rb_past *past)
{
    const char *call;
    json_t *done;
    json_object_foreach(past->settled, call, done) {
        remove_call(past->open, strtoll(call, NULL, 10));
    }
}

int rb_past_read(struct rb_past *past, struct rb_journal *journal, const char *run, struct rb_err *err)
{
    *past = (struct rb_past){.events = json_array(), .open = json_array(), .settled = json_object()};
    snprintf(past->run, sizeof past->run, "%s", run);
    int rc = rb_journal_read(journal, run, 0, keep, past, err);
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        understand_one(past, event);
    }
    if (rc == 0 && !past->started) {
        rc = rb_err_set(err, RB_ENOT_FOUND, RB_T_journal_run_none, run);
    }
    if (rc < 0) {
        rb_past_free(past);
        return rc;
    }
    find_open(past);
    drop_settled(past);
    return 0;
}

void rb_past_free(struct rb_past *past)
{
    json_decref(past->events);
    json_decref(past->open);
    json_decref(past->settled);
    *past = (struct rb_past){0};
}

bool rb_past_unknown(const struct rb_past *past)
{
    const char *result = past->ended ? rb_json_str(past->ended, "result", "") : "unknown";
    return json_array_size(past->open) > 0 && !strcmp(result, "unknown");
}

bool rb_past_running(const struct rb_past *past)
{
    return !past->ended && past->owner && rb_journal_alive(past->owner);
}

void rb_past_step(const struct rb_past *past, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = json_array_size(past->events); i > 0; i--) {
        const json_t *event = json_array_get(past->events, i - 1), *body = body_of(event);
        if (is(event, "block.started") || is(event, "check.started")) {
            snprintf(out, size, "%s %s", rb_json_str(body, "block", ""), rb_json_str(body, "id", ""));
            return;
        }
    }
}

/* A consent that no write used yet is asked for again: what it was given for was looked at before the crash. */
static int64_t unused_consent(const struct rb_past *past)
{
    int64_t seq = 0;
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        const char *phase = rb_json_str(body_of(event), "phase", "");
        bool wrote = is(event, "call.intent") || is(event, "fix.ended") || is(event, "step.ended");
        bool over =
            is(event, "block.ended") && (!strcmp(phase, "fix") || !strcmp(phase, "step") || !strcmp(phase, "undo"));
        if (is(event, "confirm.answered") && !strcmp(rb_json_str(body_of(event), "answer", ""), "yes")) {
            seq = rb_json_int(event, "seq", 0);
        } else if (wrote || over) {
            seq = 0;
        }
    }
    return seq;
}

/* What a person settled goes on from the call itself, not from what followed its unknown outcome. */
static int64_t first_settled(const struct rb_past *past)
{
    char call[32];
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        const json_t *body = body_of(event);
        call_key(body, call);
        if (is(event, "call.outcome") && is_unknown(body) && json_object_get(past->settled, call)) {
            return rb_json_int(event, "seq", 0);
        }
    }
    return 0;
}

/* Writes that came after the block of the unknown one (its undo) make the record untrue for going on. */
static bool went_on(const struct rb_past *past, int64_t settled)
{
    int64_t end = block_end(past->events, settled);
    size_t i;
    json_t *event;
    json_array_foreach(past->events, i, event) {
        if (is(event, "call.intent") && seq_of(event) > end) {
            return true;
        }
    }
    return false;
}

int rb_past_cut(const struct rb_past *past, struct rb_cut *cut, struct rb_err *err)
{
    int64_t settled = first_settled(past), consent = unused_consent(past);
    const json_t *last = json_array_get(past->events, json_array_size(past->events) - 1);
    cut->after = settled ? settled - 1 : consent ? consent - 1 : seq_of(last);
    cut->beside = settled > 0;
    if (settled && went_on(past, settled)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_run_resume_went_on, past->run);
    }
    return 0;
}
