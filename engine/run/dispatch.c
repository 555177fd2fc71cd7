/* The way in of a call: look up, arguments, gate, intent on disk, start; and how it is cancelled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "run/arguments.h"
#include "run/call.h"

static const struct rb_verb *verb_in(const struct rb_binding *binding, const char *name)
{
    for (const struct rb_verb *v = binding->verbs; v->name; v++) {
        if (!strcmp(v->name, name)) {
            return v;
        }
    }
    return NULL;
}

static int look_up(const char *full, const struct rb_binding **binding, const struct rb_verb **verb, struct rb_err *err)
{
    const char *dot = strchr(full, '.');
    for (size_t i = 0; dot && rb_bindings[i]; i++) {
        if (strlen(rb_bindings[i]->name) == (size_t)(dot - full) &&
            !strncmp(rb_bindings[i]->name, full, (size_t)(dot - full))) {
            *binding = rb_bindings[i];
            *verb = verb_in(*binding, dot + 1);
            return *verb ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_run_no_verb, full);
        }
    }
    return rb_err_set(err, RB_EUSAGE, RB_T_run_no_verb, full);
}

/* What the call does, in one line: the verb's own words, else its arguments. */
static char *text_of(const struct rb_verb *verb, const json_t *args)
{
    struct rb_buf clean, out;
    json_t *shown = rb_secrets_put(NULL, args);
    char *own = verb->preview ? verb->preview(shown) : rb_arguments_text(verb, shown);
    rb_buf_init(&clean, 1 << 21);
    rb_buf_init(&out, 1 << 12);
    rb_utf8_clean(&clean, own ? own : "", own ? strlen(own) : 0, false);
    rb_utf8_pad(&out, rb_buf_str(&clean), 0, RB_CALL_TEXT_MAX);
    rb_buf_deinit(&clean);
    free(own);
    json_decref(shown);
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

/* It was not begun, so nothing can have happened; in the record it stays as it is. */
static void drop(struct rb_call *call)
{
    struct rb_run *run = call->run;
    struct rb_err err = {0};
    rb_err_set(&err, RB_ECANCELLED, RB_T_run_cancelled, call->text);
    rb_call_answer(call, NULL, &err);
    rb_run_settle(run);
}

void rb_dispatch_cancel(struct rb_run *run, struct rb_call *call)
{
    if (call->cancelled || rb_call_has_ended(call)) {
        return;
    }
    call->cancelled = true;
    if (call->held || call->asking) {
        drop(call);
    } else if (call->begun && call->module) {
        call->module->cancel(call);
    } else if (!call->begun || call->verb->work) {
        struct rb_err err = {0};
        char what[RB_CALL_NAME_MAX];
        rb_call_name(call, what, sizeof what, true);
        rb_err_set(&err, RB_ECANCELLED, RB_T_run_cancelled, what);
        rb_workers_cancel(run->workers, call);
        rb_call_fail(call, &err);
    } else {
        call->verb->cancel(call);
    }
}

void rb_dispatch_cancel_all(struct rb_run *run)
{
    for (struct rb_call *call = run->calls, *next; call; call = next) {
        next = call->next;
        rb_dispatch_cancel(run, call);
    }
}

void rb_dispatch_hurry(struct rb_run *run)
{
    for (struct rb_call *call = run->calls, *next; call; call = next) {
        next = call->next;
        if (!call->begun || rb_call_has_ended(call)) {
            continue;
        }
        if (call->cancelled && call->module) {
            call->module->cancel(call);
        } else if (call->cancelled && call->verb->cancel) {
            call->verb->cancel(call);
        }
    }
}

static void said_before(void *user, const struct rb_err *error)
{
    struct rb_call *call = user;
    struct rb_run *run = call->run;
    RB_CRASH_POINT("intent on disk");
    if (rb_call_has_ended(call)) {
        return; /* cancelled meanwhile: its outcome waits behind this */
    }
    run->wrote = run->wrote || !error;
    run->refused_unrecorded = run->refused_unrecorded || error;
    call->announced(call, error);
}

void rb_call_before(struct rb_call *call, const char *kind, json_t *body, rb_announced_fn *go_on)
{
    rb_record(call->run, kind, body);
    RB_CRASH_POINT("intent");
    call->announced = go_on;
    rb_turn_wait(call->run, said_before, call);
}

/* What was asked for, and where in the run; a probe's is recorded too, with its outcome. */
static json_t *intent_of(const struct rb_call *call)
{
    const struct rb_run *run = call->run;
    char name[128];
    rb_call_name(call, name, sizeof name, false);
    json_t *body = json_pack("{s:I, s:s, s:s, s:O, s:s, s:s, s:s, s:s, s:s}", "call", (json_int_t)call->number, "verb",
                             name, "text", call->text, "args", call->args, "phase", rb_phase_name(call->phase), "id",
                             run->now.id, "key", run->now.key, "at", call->at, "frame", call->frame);
    if (call->again) {
        json_object_set_new(body, "again", json_true());
    }
    if (call->verb->announces) {
        json_object_set_new(body, "announces", json_true());
    }
    return body;
}

/* A module that is missing is told before anything is recorded as begun. */
static int find_module(struct rb_call *call, struct rb_err *err)
{
    const char *module = call->verb->module ? call->verb->module(call->filled) : NULL;
    char name[128];
    if (!module) {
        return 0;
    }
    rb_call_name(call, name, sizeof name, false);
    call->module = rb_modules_verb(call->run->modules, module, name, &call->state, err);
    return call->module ? 0 : err->code;
}

static int begin(struct rb_call *call, struct rb_err *err)
{
    rb_call_deadline(call);
    call->begun = true;
    if (call->module) {
        return call->module->start(call, call->filled, err);
    }
    if (call->verb->work) {
        rb_workers_submit(call->run->workers, call);
        return 0;
    }
    return call->verb->start(call, call->filled, err);
}

static void begin_now(struct rb_call *call, const struct rb_err *error)
{
    struct rb_err err = {0};
    if (!error && begin(call, &err) < 0) {
        error = &err;
    }
    RB_CRASH_POINT("begun");
    if (error) {
        rb_call_fail(call, error);
    }
}

/* Before a write begins its intent is on disk. One that announces does nothing before that: both in one commit. */
static void record_and_begin(struct rb_call *call)
{
    if (call->verb->effect != RB_EFFECT_WRITE || call->looking) {
        begin_now(call, NULL);
    } else if (call->verb->announces) {
        rb_record(call->run, "call.intent", intent_of(call));
        begin_now(call, NULL);
    } else {
        rb_call_before(call, "call.intent", intent_of(call), begin_now);
    }
}

/* Everything is there. */
static int start_filled(struct rb_call *call, struct rb_err *err)
{
    json_t *filled = rb_secrets_put(call->run->secrets, call->filled);
    json_decref(call->filled);
    call->filled = filled;
    int rc = find_module(call, err);
    if (rc == 0) {
        record_and_begin(call);
    }
    return rc;
}

/* Secrets may have to be fetched first; until then the call waits. */
static void go_on(struct rb_call *call)
{
    struct rb_err err = {0};
    int rc = rb_secrets_find(call->run->secrets, call->filled, &err);
    call->waits_for_secret = rc == RB_SECRETS_WAIT;
    if (rc == 0) {
        rc = start_filled(call, &err);
    }
    if (rc < 0) {
        rb_call_fail(call, &err);
    }
}

static void put_receipt(const struct rb_call *call)
{
    char receipt[RB_ID_MAX + 32];
    snprintf(receipt, sizeof receipt, "%s.%lld", call->run->id, (long long)call->number);
    json_object_set_new(call->filled, "$receipt", json_string(receipt));
    if (call->looking) {
        json_object_set_new(call->filled, "$look", json_true());
    }
}

static void start(struct rb_call *call)
{
    struct rb_err err = {0};
    call->filled = rb_fill_arguments(call, &err);
    if (call->filled && call->verb->announces) {
        put_receipt(call);
    }
    if (call->filled) {
        go_on(call);
    } else {
        rb_call_fail(call, &err);
    }
}

/* A call that fails takes itself out of the list, so it is gone through anew each time. */
void rb_dispatch_secret_ended(struct rb_run *run)
{
    struct rb_call *call;
    for (call = run->calls; call; call = call->next) {
        call->try_again = call->waits_for_secret && !rb_call_has_ended(call);
    }
    do {
        for (call = run->calls; call && !call->try_again; call = call->next) {
        }
        if (call) {
            call->try_again = false;
            go_on(call);
        }
    } while (call);
}

void rb_call_go(struct rb_call *call)
{
    if (call->verb->effect == RB_EFFECT_WRITE && call->run->plan.renew && call->phase != RB_PHASE_INJECT) {
        rb_consent_renew(call->run, call);
    } else {
        start(call);
    }
}

void rb_call_look_back(struct rb_call *call)
{
    call->looking = true;
    start(call);
}

static void take(struct rb_call *call)
{
    if (!rb_replay_holds_call(call->run, call)) {
        rb_call_go(call);
    }
}

void rb_dispatch(struct rb_run *run, json_t *frame)
{
    struct rb_err err = {0};
    const char *name = rb_json_str(frame, "verb", "");
    json_int_t seq = rb_json_int(frame, "seq", 0);
    const struct rb_binding *binding = NULL;
    const struct rb_verb *verb = NULL;
    json_t *args = NULL;
    char *text = NULL;

    int rc = run->call_in_flight < RB_CALLS_MAX ? look_up(name, &binding, &verb, &err)
                                                : rb_err_set(&err, RB_EUSAGE, RB_T_run_too_many_calls, RB_CALLS_MAX);
    if (rc == 0) {
        args = rb_arguments_convert(verb, name, json_object_get(frame, "args"), &err);
        rc = args ? 0 : err.code;
    }
    if (rc == 0) {
        text = text_of(verb, args);
        rc = rb_gate(run, binding, verb, args, text, &err);
    }
    if (rc == RB_GATE_NOTE) {
        rb_run_reply_noted(run, seq);
    } else if (rc < 0) {
        rb_run_reply_error(run, seq, &err, name, rc == RB_EFORBIDDEN || rc == RB_EUSAGE);
    } else {
        take(rb_call_new(run, frame, binding, verb, args, text));
        text = NULL;
    }
    free(text);
    json_decref(args);
}
