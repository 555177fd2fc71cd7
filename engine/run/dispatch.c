/* One call: look up, arguments, gate, intent on disk, start, outcome on disk, reply. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "run/arguments.h"
#include "run/settle.h"
#include "run/state.h"

#define TEXT_MAX 400             /* of a call in lists and plans */
#define RECORDED_VALUE_MAX 65536 /* longer values are kept beside the events, which show their beginning */
#define RECORDED_HEAD 4096
#define SPOOLED_VALUE_MAX (16u << 20)
#define DEFAULT_TIMEOUT 30.0
#define LIVE_MAX (16u << 20) /* of one chunk, cleaned */

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
    rb_utf8_pad(&out, rb_buf_str(&clean), 0, TEXT_MAX);
    rb_buf_deinit(&clean);
    free(own);
    json_decref(shown);
    return out.data ? rb_buf_take(&out) : rb_xstrdup("");
}

static void end_deadline(struct rb_call *call)
{
    if (call->deadline) {
        uv_timer_stop(call->deadline);
        uv_close((uv_handle_t *)call->deadline, (uv_close_cb)free);
        call->deadline = NULL;
    }
}

void rb_call_rewind(struct rb_call *call)
{
    end_deadline(call);
    json_decref(call->filled);
    call->filled = NULL;
    call->begun = call->cancelled = call->timed_out = call->undone = false;
}

static void call_free(struct rb_call *call)
{
    struct rb_run *run = call->run;
    struct rb_call **p = &run->calls;
    while (*p && *p != call) {
        p = &(*p)->next;
    }
    if (*p) {
        *p = call->next;
    }
    end_deadline(call);
    json_decref(call->args);
    json_decref(call->filled);
    json_decref(call->remarks);
    json_decref(call->details);
    run->call_in_flight--;
    free(call->at);
    free(call->text);
    free(call->frame);
    free(call->failure);
    json_decref(call->value);
    free(call);
}

/* A long value is kept whole beside the events: a run that goes on needs all of it. */
static json_t *recorded_value(struct rb_run *run, const json_t *value)
{
    char *text = rb_json_canonical(value), hex[RB_HEX_SIZE];
    struct rb_err err = {0};
    json_t *body;
    if (!text || strlen(text) <= RECORDED_VALUE_MAX) {
        body = json_incref((json_t *)value);
    } else {
        size_t cut = RECORDED_HEAD;
        while (cut && ((unsigned char)text[cut] & 0xC0) == 0x80) {
            cut--;
        }
        body = json_pack("{s:I, s:o}", "bytes", (json_int_t)strlen(text), "head", json_stringn(text, cut));
        if (run->engine.journal && rb_journal_blob_add(run->engine.journal, text, strlen(text), hex, &err) == 0) {
            json_object_set_new(body, "$blob", json_string(hex));
        }
    }
    free(text);
    return body;
}

/* New reference; NULL when it was too long to be kept, or is broken. */
static json_t *value_of(struct rb_run *run, const json_t *recorded, struct rb_err *err)
{
    const char *hex = json_is_object(recorded) ? rb_json_str(recorded, "$blob", NULL) : NULL;
    struct rb_buf text;
    if (!hex) {
        return recorded ? json_incref((json_t *)recorded) : json_null();
    }
    rb_buf_init(&text, SPOOLED_VALUE_MAX);
    int rc = rb_journal_blob(run->archive, hex, &text, err);
    json_t *value = rc == 0 ? rb_json_parse(rb_buf_str(&text), text.len, err) : NULL;
    rb_buf_deinit(&text);
    return value;
}

/* "sql.backup", or with its text behind it. */
static void name_of(const struct rb_call *call, char *out, size_t size, bool with_text)
{
    bool more = with_text && call->text[0];
    snprintf(out, size, "%s.%s%s%s", call->binding->name, call->verb->name, more ? " " : "", more ? call->text : "");
}

static void record_outcome(struct rb_call *call, const json_t *value, const struct rb_err *err)
{
    char name[128];
    if (call->verb->effect == RB_EFFECT_WRITE && call->phase != RB_PHASE_INJECT) { /* what a drill breaks is to be seen */
        call->run->last_write_us = rb_clock_utc_us();
    }
    name_of(call, name, sizeof name, false);
    static const char *const effects[] = {"read", "probe", "write"};
    json_t *body = json_pack("{s:I, s:s, s:s, s:s, s:b, s:I, s:s}", "call", (json_int_t)call->number, "verb", name,
                             "text", call->text, "effect", effects[call->verb->effect], "ok", !err, "ms",
                             (json_int_t)((rb_clock_mono_ns() - call->started_ns) / 1000000), "phase",
                             rb_phase_name(call->phase));
    json_object_set_new(body, "frame", json_string(call->frame));
    if (call->verb->effect != RB_EFFECT_WRITE) {
        json_object_set(body, "args", call->args); /* a write's are in its intent */
    }
    if (err) {
        json_t *error = json_pack("{s:s, s:s}", "code", rb_err_name(err->code), "message", err->text);
        if (err->hint[0]) {
            json_object_set_new(error, "hint", rb_json_bytes(err->hint, strlen(err->hint)));
        }
        if (call->details) {
            json_object_set_new(error, "data", recorded_value(call->run, call->details));
        }
        json_object_set_new(body, "error", error);
    } else {
        json_object_set_new(body, "value", recorded_value(call->run, value));
    }
    if (json_array_size(call->remarks)) {
        json_object_set(body, "remarks", call->remarks);
    }
    rb_record(call->run, "call.outcome", body);
}

/* A write that was cut off may have happened. */
static void settle_unknown(const struct rb_call *call, struct rb_err *err)
{
    char what[TEXT_MAX * 4 + 128];
    bool cut_off = call->timed_out || call->cancelled || err->code == RB_ERESET;
    if (call->begun && call->verb->effect == RB_EFFECT_WRITE && cut_off && !call->undone) {
        struct rb_err before = *err;
        name_of(call, what, sizeof what, true);
        rb_err_set(err, RB_EUNKNOWN, RB_T_run_unknown, what, before.text);
    }
    call->run->unknown = call->run->unknown || err->code == RB_EUNKNOWN;
}

/* The call goes before its reply: a reply that cannot be sent ends the run, and that ends all calls. Takes value. */
static void answer(struct rb_call *call, json_t *value, const struct rb_err *err)
{
    struct rb_run *run = call->run;
    json_t *details = json_incref(call->details);
    json_int_t seq = call->seq;
    char name[128];
    name_of(call, name, sizeof name, false);
    call_free(call);
    if (value) {
        rb_run_reply(run, seq, value);
    } else {
        bool fatal = err->code == RB_EUNKNOWN || err->code == RB_EFORBIDDEN || err->code == RB_ECANCELLED ||
                     err->code == RB_EJOURNAL;
        json_t *error = rb_run_error(run, err, name, fatal);
        if (details) {
            json_object_set(error, "data", details);
        }
        rb_run_reply_failure(run, seq, error);
    }
    json_decref(details);
}

/* What a write brought is not told unless it is on disk. */
static void answer_ended(struct rb_call *call, int journal, const struct rb_err *why)
{
    struct rb_err err = call->failure ? *call->failure : *why;
    bool told = call->value && (journal == 0 || call->verb->effect != RB_EFFECT_WRITE);
    json_t *value = told ? json_incref(call->value) : NULL;
    RB_CRASH_POINT("outcome on disk");
    answer(call, value, &err);
    RB_CRASH_POINT("answered");
}

/* What ended in one turn of the loop is recorded by one commit, then answered. */
static void answer_all(uv_timer_t *timer)
{
    struct rb_run *run = timer->data;
    struct rb_err err = {0};
    struct rb_call *ended = run->ended, *next;
    run->ended = NULL;
    run->ended_last = &run->ended;
    int rc = rb_record_flush(run, &err); /* the run ends with 10 when the journal stays unwritable */
    for (; ended; ended = next) {
        next = ended->next_ended;
        answer_ended(ended, rc, &err);
    }
    rb_run_settle(run);
}

static bool has_ended(const struct rb_call *call)
{
    return call->value || call->failure;
}

static void answer_soon(struct rb_call *call)
{
    struct rb_run *run = call->run;
    if (call->deadline) {
        uv_timer_stop(call->deadline);
    }
    *run->ended_last = call;
    run->ended_last = &call->next_ended;
    uv_timer_start(run->answer_timer, answer_all, 0, 0);
}

static void show_output(struct rb_call *call, int stream, const char *data, size_t len)
{
    if (len) {
        call->run->view->output(call->run->user, stream, data, len);
    }
}

void rb_call_output(struct rb_call *call, int stream, const char *data, size_t len)
{
    struct rb_redact_stream **clean = &call->live[stream == 2];
    if (!call->run->view->output || call->verb->effect != RB_EFFECT_WRITE) {
        return;
    }
    *clean = *clean ? *clean : rb_secrets_stream(call->run->secrets);
    if (!*clean) {
        show_output(call, stream, data, len);
        return;
    }
    struct rb_buf out;
    rb_buf_init(&out, LIVE_MAX);
    (void)rb_redact_feed(*clean, data, len, &out); /* past the maximum less is shown; the value has it */
    show_output(call, stream, rb_buf_str(&out), out.len);
    rb_buf_deinit(&out);
}

/* What was held back because it could have become a secret. */
static void end_output(struct rb_call *call)
{
    for (int i = 0; i < 2; i++) {
        struct rb_buf out;
        if (!call->live[i]) {
            continue;
        }
        rb_buf_init(&out, LIVE_MAX);
        (void)rb_redact_end(call->live[i], true, &out);
        show_output(call, i + 1, rb_buf_str(&out), out.len);
        rb_buf_deinit(&out);
        rb_redact_close(call->live[i]);
        call->live[i] = NULL;
    }
}

void rb_call_done(struct rb_call *call, json_t *value)
{
    if (call->looking) {
        rb_settle_looked(call, value);
        json_decref(value);
        return;
    }
    RB_CRASH_POINT("outcome");
    end_output(call);
    value = rb_secrets_clean(call->run->secrets, value); /* before the record cuts it */
    record_outcome(call, value, NULL);
    call->value = value;
    answer_soon(call);
}

void rb_call_undone(struct rb_call *call)
{
    call->undone = true;
}

void rb_call_details(struct rb_call *call, json_t *data)
{
    json_decref(call->details);
    call->details = rb_secrets_clean(call->run->secrets, data);
}

void rb_call_fail(struct rb_call *call, const struct rb_err *given)
{
    if (call->looking) {
        rb_settle_looked(call, NULL);
        return;
    }
    struct rb_err *err = rb_xcalloc(1, sizeof *err);
    char what[TEXT_MAX * 4 + 128];
    *err = *given;
    end_output(call);
    rb_secrets_clean_err(call->run->secrets, err);
    if (call->timed_out && err->code != RB_ETIMEOUT) {
        name_of(call, what, sizeof what, true);
        rb_err_set(err, RB_ETIMEOUT, RB_T_run_call_timeout, what,
                   (double)((rb_clock_mono_ns() - call->started_ns) / 100000000) / 10);
    }
    settle_unknown(call, err);
    record_outcome(call, NULL, err);
    call->failure = err;
    answer_soon(call);
}

void rb_call_recorded(struct rb_call *call, const json_t *outcome)
{
    struct rb_run *run = call->run;
    struct rb_err err = {0};
    const json_t *error = json_object_get(outcome, "error");
    if (error) {
        err.code = rb_err_code(rb_json_str(error, "code", ""));
        snprintf(err.text, sizeof err.text, "%s", rb_json_str(error, "message", ""));
        snprintf(err.hint, sizeof err.hint, "%s", rb_json_str(error, "hint", ""));
        run->unknown = run->unknown || err.code == RB_EUNKNOWN;
        if (json_object_get(error, "data")) {
            struct rb_err lost = {0}; /* without its data it is still the same error */
            rb_call_details(call, value_of(run, json_object_get(error, "data"), &lost));
        }
        answer(call, NULL, &err);
    } else {
        answer(call, value_of(run, json_object_get(outcome, "value"), &err), &err);
    }
    rb_run_settle(run);
}

/* It was not begun, so nothing can have happened; in the record it stays as it is. */
static void drop(struct rb_call *call)
{
    struct rb_run *run = call->run;
    struct rb_err err = {0};
    rb_err_set(&err, RB_ECANCELLED, RB_T_run_cancelled, call->text);
    answer(call, NULL, &err);
    rb_run_settle(run);
}

void rb_dispatch_cancel(struct rb_run *run, struct rb_call *call)
{
    if (call->cancelled || has_ended(call)) {
        return;
    }
    call->cancelled = true;
    if (call->held || call->asking) {
        drop(call);
    } else if (call->begun && call->module) {
        call->module->cancel(call);
    } else if (!call->begun || call->verb->work) {
        struct rb_err err = {0};
        char what[TEXT_MAX * 4 + 128];
        name_of(call, what, sizeof what, true);
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
        if (!call->begun || has_ended(call)) {
            continue;
        }
        if (call->cancelled && call->module) {
            call->module->cancel(call);
        } else if (call->cancelled && call->verb->cancel) {
            call->verb->cancel(call);
        }
    }
}

static void deadline_passed(uv_timer_t *timer)
{
    struct rb_call *call = timer->data;
    call->timed_out = true;
    rb_dispatch_cancel(call->run, call);
}

double rb_seconds_clamp(double seconds)
{
    return seconds > RB_SECONDS_MAX ? RB_SECONDS_MAX : seconds > 0 ? seconds : 0;
}

static void set_deadline(struct rb_call *call)
{
    const json_t *own = json_object_get(call->args, "timeout");
    double standard = call->verb->timeout > 0 ? call->verb->timeout : DEFAULT_TIMEOUT;
    call->timeout = rb_seconds_clamp(own ? json_number_value(own) : standard);
    call->deadline = rb_xcalloc(1, sizeof *call->deadline);
    uv_timer_init(call->run->engine.loop, call->deadline);
    call->deadline->data = call;
    uv_timer_start(call->deadline, deadline_passed, (uint64_t)(call->timeout * 1000), 0);
}

static struct rb_call *call_new(struct rb_run *run, json_t *frame, const struct rb_binding *binding,
                                const struct rb_verb *verb, json_t *args, char *text)
{
    struct rb_call *call = rb_xcalloc(1, sizeof *call);
    *call = (struct rb_call){.run = run, .next = run->calls, .binding = binding, .verb = verb};
    call->seq = rb_json_int(frame, "seq", 0);
    call->args = json_incref(args);
    call->remarks = json_array();
    call->at = rb_xstrdup(rb_json_str(frame, "at", ""));
    call->text = text;
    call->frame = rb_xstrdup(run->frame);
    call->number = rb_replay_number(run);
    call->number = call->number ? call->number : ++run->call_count;
    call->phase = run->now.phase;
    call->started_ns = rb_clock_mono_ns();
    run->calls = call;
    run->call_in_flight++;
    return call;
}

/* Before a write starts its intent is on disk; a probe's is recorded too, with its outcome. */
static int record_intent(struct rb_call *call, const char *name, struct rb_err *err)
{
    if (call->verb->effect != RB_EFFECT_WRITE || call->looking) {
        return 0;
    }
    struct rb_run *run = call->run;
    json_t *body = json_pack("{s:I, s:s, s:s, s:O, s:s, s:s, s:s, s:s, s:s}", "call", (json_int_t)call->number, "verb",
                             name, "text", call->text, "args", call->args, "phase", rb_phase_name(call->phase), "id",
                             run->now.id, "key", run->now.key, "at", call->at, "frame", call->frame);
    if (call->again) {
        json_object_set_new(body, "again", json_true());
    }
    if (call->verb->announces) { /* it does nothing before it announced that, in the same commit */
        json_object_set_new(body, "announces", json_true());
        return rb_record(run, "call.intent", body);
    }
    rb_record(run, "call.intent", body);
    RB_CRASH_POINT("intent");
    int rc = rb_record_flush(run, err);
    RB_CRASH_POINT("intent on disk");
    run->wrote = run->wrote || rc == 0;
    run->refused_unrecorded = run->refused_unrecorded || rc < 0;
    return rc;
}

/* A module that is missing is told before anything is recorded as begun. */
static int find_module(struct rb_call *call, const char *name, struct rb_err *err)
{
    const char *module = call->verb->module ? call->verb->module(call->filled) : NULL;
    if (!module) {
        return 0;
    }
    call->module = rb_modules_verb(call->run->modules, module, name, &call->state, err);
    return call->module ? 0 : err->code;
}

static int begin(struct rb_call *call, struct rb_err *err)
{
    set_deadline(call);
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

/* Everything is there: its intent is recorded, and it begins. */
static int start_filled(struct rb_call *call, struct rb_err *err)
{
    char name[128];
    name_of(call, name, sizeof name, false);
    json_t *filled = rb_secrets_put(call->run->secrets, call->filled);
    json_decref(call->filled);
    call->filled = filled;
    int rc = find_module(call, name, err);
    rc = rc ? rc : record_intent(call, name, err);
    rc = rc ? rc : begin(call, err);
    RB_CRASH_POINT("begun");
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
        call->try_again = call->waits_for_secret && !has_ended(call);
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

struct rb_call *rb_call_asking(const struct rb_run *run)
{
    struct rb_call *oldest = NULL;
    for (struct rb_call *call = run->calls; call; call = call->next) {
        if (call->asking && (!oldest || call->number < oldest->number)) {
            oldest = call;
        }
    }
    return oldest;
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
        take(call_new(run, frame, binding, verb, args, text));
        text = NULL;
    }
    free(text);
    json_decref(args);
}

void *rb_call_data(const struct rb_call *call)
{
    return call->data;
}

void rb_call_data_set(struct rb_call *call, void *data)
{
    call->data = data;
}

uv_loop_t *rb_call_loop(const struct rb_call *call)
{
    return call->run->engine.loop;
}

void **rb_call_state(const struct rb_call *call)
{
    return call->state;
}

struct rb_spawner *rb_call_spawner(const struct rb_call *call)
{
    return call->run->engine.spawner;
}

bool rb_call_read_only(const struct rb_call *call)
{
    return rb_phase_reads_only(call->phase) || call->verb->effect == RB_EFFECT_READ;
}

bool rb_call_timed_out(const struct rb_call *call)
{
    return call->timed_out;
}

void rb_call_remark(struct rb_call *call, const char *kind, const char *text)
{
    if (json_array_size(call->remarks) < 64) {
        json_t *remark = rb_json_bytes(text, strlen(text));
        json_array_append_new(call->remarks, json_pack("{s:s, s:o}", "kind", kind, "text", remark));
    }
}
