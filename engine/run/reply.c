/* What the runner is told. */
#include <string.h>

#include "base/json.h"
#include "run/state.h"

static int send_frame(struct rb_run *run, json_t *frame, struct rb_err *err)
{
    int rc = run->runner ? rb_child_send(run->runner, frame, err) : 0;
    json_decref(frame);
    return rc;
}

static void send_or_fail(struct rb_run *run, json_t *frame)
{
    struct rb_err err = {0};
    if (send_frame(run, frame, &err) < 0) {
        rb_run_fail(run, "failed", 1, err.text);
    }
}

void rb_run_reply(struct rb_run *run, json_int_t seq, json_t *ok)
{
    struct rb_err err = {0};
    ok = rb_secrets_clean(run->secrets, ok);
    int rc = send_frame(run, json_pack("{s:I, s:o}", "seq", seq, "ok", ok), &err);
    if (rc == RB_ETOO_LARGE) { /* the block may ask for less */
        rb_run_reply_error(run, seq, &err, "reply", false);
    } else if (rc < 0) {
        rb_run_fail(run, "failed", 1, err.text);
    }
}

void rb_run_input(struct rb_run *run, const char *frame, json_int_t seq, const char *verb, json_t *ok)
{
    rb_record(run, "input", json_pack("{s:s, s:s, s:O}", "frame", frame, "verb", verb, "ok", ok));
    rb_run_reply(run, seq, ok);
}

void rb_run_reply_noted(struct rb_run *run, json_int_t seq)
{
    send_or_fail(run, json_pack("{s:I, s:b}", "seq", seq, "noted", 1));
}

json_t *rb_run_error(const struct rb_run *run, const struct rb_err *given, const char *verb, bool fatal)
{
    struct rb_err own = *given, *err = &own;
    rb_secrets_clean_err(run->secrets, err);
    json_t *error = json_pack("{s:s, s:o, s:s, s:b}", "code", rb_err_name(err->code), "message",
                              rb_json_bytes(err->text, strlen(err->text)), "verb", verb, "fatal", fatal);
    if (err->hint[0]) {
        json_object_set_new(error, "hint", rb_json_bytes(err->hint, strlen(err->hint)));
    }
    return error;
}

void rb_run_reply_failure(struct rb_run *run, json_int_t seq, json_t *error)
{
    send_or_fail(run, json_pack("{s:I, s:o}", "seq", seq, "error", error));
}

void rb_run_reply_error(struct rb_run *run, json_int_t seq, const struct rb_err *err, const char *verb, bool fatal)
{
    rb_run_reply_failure(run, seq, rb_run_error(run, err, verb, fatal));
}
