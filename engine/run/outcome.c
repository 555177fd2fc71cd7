/* The end of a call: live output, outcome on disk, reply. */
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/call.h"
#include "run/settle.h"

#define RECORDED_VALUE_MAX 65536 /* longer values are kept beside the events, which show their beginning */
#define RECORDED_HEAD 4096
#define SPOOLED_VALUE_MAX (16u << 20)
#define LIVE_MAX (16u << 20) /* of one chunk, cleaned */

static bool may_be_long(const json_t *value)
{
    return json_is_array(value) || json_is_object(value) ||
           json_string_length(value) > RECORDED_VALUE_MAX / 6; /* a byte may become \u0000 */
}

/* A long value is kept whole beside the events: a run that goes on needs all of it. */
static json_t *recorded_value(struct rb_run *run, const json_t *value)
{
    char *text = may_be_long(value) ? rb_json_canonical(value) : NULL, hex[RB_HEX_SIZE];
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

static void record_outcome(struct rb_call *call, const json_t *value, const struct rb_err *err)
{
    char name[128];
    if (call->verb->effect == RB_EFFECT_WRITE &&
        call->phase != RB_PHASE_INJECT) { /* what a drill breaks is to be seen */
        call->run->last_write_us = rb_clock_utc_us();
    }
    rb_call_name(call, name, sizeof name, false);
    static const char *const effects[] = {"read", "probe", "write"};
    json_t *body =
        json_pack("{s:I, s:s, s:s, s:s, s:b, s:I, s:s}", "call", (json_int_t)call->number, "verb", name, "text",
                  call->text, "effect", effects[call->verb->effect], "ok", !err, "ms",
                  (json_int_t)((rb_clock_mono_ns() - call->started_ns) / 1000000), "phase", rb_phase_name(call->phase));
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
    char what[RB_CALL_NAME_MAX];
    bool cut_off = call->timed_out || call->cancelled || err->code == RB_ERESET;
    if (call->begun && call->verb->effect == RB_EFFECT_WRITE && cut_off && !call->undone) {
        struct rb_err before = *err;
        rb_call_name(call, what, sizeof what, true);
        rb_err_set(err, RB_EUNKNOWN, RB_T_run_unknown, what, before.text);
    }
    call->run->unknown = call->run->unknown || err->code == RB_EUNKNOWN;
}

void rb_call_answer(struct rb_call *call, json_t *value, const struct rb_err *err)
{
    struct rb_run *run = call->run;
    json_t *details = json_incref(call->details);
    json_int_t seq = call->seq;
    char name[128];
    rb_call_name(call, name, sizeof name, false);
    rb_call_free(call);
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

/* What a write brought is not told unless it is on disk; the run ends with 10 when the journal stays unwritable. */
static void answer_ended(void *user, const struct rb_err *error)
{
    struct rb_call *call = user;
    struct rb_run *run = call->run;
    bool told = call->value && (!error || call->verb->effect != RB_EFFECT_WRITE);
    struct rb_err err = {0};
    if (!told) {
        err = call->failure ? *call->failure : *error;
    }
    RB_CRASH_POINT("outcome on disk");
    rb_call_answer(call, told ? json_incref(call->value) : NULL, &err);
    RB_CRASH_POINT("answered");
    rb_run_settle(run);
}

static void answer_soon(struct rb_call *call)
{
    if (call->deadline) {
        uv_timer_stop(call->deadline);
    }
    rb_turn_wait(call->run, answer_ended, call);
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
    char what[RB_CALL_NAME_MAX];
    *err = *given;
    end_output(call);
    rb_secrets_clean_err(call->run->secrets, err);
    if (call->timed_out && err->code != RB_ETIMEOUT) {
        rb_call_name(call, what, sizeof what, true);
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
        rb_call_answer(call, NULL, &err);
    } else {
        rb_call_answer(call, value_of(run, json_object_get(outcome, "value"), &err), &err);
    }
    rb_run_settle(run);
}
