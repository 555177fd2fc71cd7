/* How a run ends: of itself, failed, stopped, parked or left. Nothing new starts; what is in flight ends; the end is
 * recorded and sealed; then whoever watches is told. */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/state.h"

int rb_run_exit_code(const char *result)
{
    static const struct {
        const char *result;
        int code;
    } codes[] = {
        {"healthy", 0}, {"fixed", 0},  {"done", 0},     {"found", 3},     {"failed", 1},      {"unknown", 9},
        {"waiting", 4}, {"denied", 5}, {"rejected", 4}, {"aborted", 130}, {"timed_out", 124}, {"busy", 8},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!strcmp(codes[i].result, result)) {
            return codes[i].code;
        }
    }
    return 1;
}

static bool never_reached(const char *code)
{
    static const char *const codes[] = {"refused", "timeout", "dns", "tls", "reset", "unreachable"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!strcmp(code, codes[i])) {
            return true;
        }
    }
    return false;
}

/* 7 when nothing was found and every failed check failed by not reaching its target. */
static int exit_of_finish(const json_t *finish, const char *result)
{
    size_t i, unreachable = 0;
    json_t *code, *codes = json_object_get(finish, "failed_checks");
    json_array_foreach(codes, i, code) {
        unreachable += json_is_string(code) && never_reached(json_string_value(code));
    }
    if (!strcmp(result, "failed") && !rb_json_int(finish, "standing", 0) && unreachable &&
        unreachable == json_array_size(codes)) {
        return 7;
    }
    return rb_run_exit_code(result);
}

/* A write that nobody settled outweighs how the rest went. A drill expects its result, also this one. */
static void put_unknown(const struct rb_run *run, json_t *body)
{
    if (run->unknown && run->mode != RB_MODE_DRILL) {
        json_object_set_new(body, "result", json_string("unknown"));
        json_object_set_new(body, "exit", json_integer(rb_run_exit_code("unknown")));
    }
}

/* What only a person can do of what comes next, in the words of the runbook; NULL when there is nothing. */
static json_t *by_hand(const json_t *left)
{
    json_t *list = NULL, *offer;
    size_t i;
    json_array_foreach(left, i, offer) {
        json_t *own = json_object_get(offer, "by_hand"), *text = own ? own : json_object_get(offer, "todo");
        if (text) {
            list = list ? list : json_array();
            json_array_append_new(list, json_pack("{s:O*, s:O*, s:O*, s:O}", "id", json_object_get(offer, "fix"), "key",
                                                  json_object_get(offer, "key"), "title",
                                                  json_object_get(offer, "title"), "text", text));
        }
    }
    return list;
}

static json_t *ended_body(const struct rb_run *run)
{
    json_t *body = json_object();
    if (run->failure) {
        json_object_set_new(body, "next", json_array());
        json_object_update(body, run->failure);
        put_unknown(run, body);
        return body;
    }
    const char *result = rb_json_str(run->finish, "result", "failed");
    json_object_set_new(body, "result", json_string(result));
    if (run->misnamed) {
        json_object_set_new(body, "error", rb_json_bytes(run->misnamed, strlen(run->misnamed)));
    }
    json_object_set_new(body, "exit", json_integer(exit_of_finish(run->finish, result)));
    put_unknown(run, body);
    json_object_set_new(body, "next", rb_next_commands(run, json_object_get(run->finish, "left")));
    json_t *hands = by_hand(json_object_get(run->finish, "left"));
    if (hands) {
        json_object_set_new(body, "by_hand", hands);
    }
    static const char *const kept[] = {"advice", "wrote", "drill"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(run->finish, kept[i]);
        if (value) {
            json_object_set(body, kept[i], value);
        }
    }
    return body;
}

/* For lists of runs: which fixes were done, without reading every event. */
static json_t *fixes_done(const struct rb_run *run)
{
    size_t i;
    json_t *fix, *done = json_array();
    json_array_foreach(json_object_get(run->report, "fixes"), i, fix) {
        if (!strcmp(rb_json_str(fix, "result", ""), "done")) {
            json_array_append(done, json_object_get(fix, "id"));
        }
    }
    return done;
}

static void mark_unrecorded(json_t *body, const char *why)
{
    json_object_set_new(body, "recorded", json_false());
    json_object_set_new(body, "error", rb_json_bytes(why, strlen(why)));
    json_object_set_new(body, "exit", json_integer(RB_EXIT_JOURNAL));
    json_object_set_new(body, "next", json_array());
}

/* Is a write begun, and its outcome on no disk? To the record it is one that nobody knows of. */
static bool outcome_lost(const struct rb_run *run)
{
    for (size_t i = 0; i < json_array_size(run->pending); i += 2) {
        if (!strcmp(json_string_value(json_array_get(run->pending, i)), "call.outcome") &&
            !strcmp(rb_json_str(json_array_get(run->pending, i + 1), "effect", ""), "write")) {
            return true;
        }
    }
    return false;
}

/* The end itself is on no disk. What was looked at is shown all the same, and marked. */
static void end_unrecorded(struct rb_run *run, json_t *body, const char *why)
{
    bool unknown =
        run->unknown || outcome_lost(run); /* before what the journal's own error says: something may have happened */
    mark_unrecorded(body, why);
    if (run->parked) { /* nothing says that it waits */
        json_object_set_new(body, "result", json_string("failed"));
    }
    if (!run->wrote) {
        rb_record_show(run);
    } else if (unknown) {
        json_object_set_new(body, "result", json_string("unknown"));
        json_object_set_new(body, "exit", json_integer(rb_run_exit_code("unknown")));
    }
    rb_report_apply(run->report, "run.ended", body, rb_clock_utc_us());
}

static json_t *end_of(const struct rb_run *run)
{
    json_t *body = ended_body(run);
    json_object_set_new(body, "ms", json_integer((rb_clock_mono_ns() - run->started_ns) / 1000000));
    json_object_set_new(body, "fixed", fixes_done(run));
    json_object_set_new(body, "run", json_string(run->id));
    if (run->unrecorded) {
        mark_unrecorded(body, run->unrecorded);
    } else if (run->refused_unrecorded && !run->unknown) {
        json_object_set_new(body, "exit", json_integer(RB_EXIT_JOURNAL));
    }
    return body;
}

/* All is over and told. */
static void close_run(struct rb_run *run)
{
    RB_CRASH_POINT("ended");
    rb_run_release(run);
    rb_locks_release(run, run->parked || !strcmp(rb_json_str(run->report, "result", ""), "unknown"));
    run->view->ended(run->user, run->report);
    rb_run_free(run);
}

static void end_recorded(void *user, const struct rb_err *error)
{
    struct rb_run *run = user;
    if (error) {
        end_unrecorded(run, run->end, error->text);
    } else if (run->parked) {
        rb_report_apply(run->report, "run.ended", run->end, rb_clock_utc_us());
    }
    close_run(run);
}

/* A run that is parked has an end in this process only; what was recorded of it must be on disk all the same. */
static void finalize(struct rb_run *run)
{
    RB_CRASH_POINT("end");
    run->end = end_of(run);
    run->frame[0] = '\0';
    if (!run->begun) {
        rb_report_apply(run->report, "run.ended", run->end, rb_clock_utc_us());
        close_run(run);
    } else if (run->parked) {
        rb_turn_wait(run, end_recorded, run);
    } else {
        rb_record(run, "run.ended", json_incref(run->end));
        rb_turn_wait_sealed(run, end_recorded, run);
    }
}

void rb_run_settle(struct rb_run *run)
{
    if (run->ending && !run->calls && !run->waiting && !uv_is_active((uv_handle_t *)run->block_deadline)) {
        finalize(run);
    }
}

static void settle_now(uv_timer_t *timer)
{
    struct rb_run *run = timer->data;
    rb_run_settle(run);
}

/* From here on nothing new starts; the end comes when nothing is in flight. */
void rb_run_end(struct rb_run *run)
{
    run->ending = true; /* replies go nowhere from here on */
    rb_run_drop_runner(run);
    uv_timer_stop(run->run_deadline);
    rb_response_end(run);
    /* Settled by the loop, never inside the caller's frame: the run must outlive it. */
    uv_timer_start(run->block_deadline, settle_now, 0, 0);
    rb_dispatch_cancel_all(run);
}

void rb_run_fail(struct rb_run *run, const char *result, int exit_code, const char *text)
{
    if (run->failure || run->ending) {
        return;
    }
    run->failure =
        json_pack("{s:s, s:i, s:o}", "result", result, "exit", exit_code, "error", rb_json_bytes(text, strlen(text)));
    rb_run_end(run);
}

void rb_run_fail_err(struct rb_run *run, const char *result, int exit_code, const struct rb_err *err)
{
    char text[sizeof err->text + sizeof err->hint + 4];
    snprintf(text, sizeof text, "%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint);
    rb_run_fail(run, result, exit_code, text);
}

void rb_run_park(struct rb_run *run, const char *result, int exit_code, const char *text)
{
    run->parked = run->parked || (!run->failure && !run->ending);
    rb_run_fail(run, result, exit_code, text);
}

void rb_run_leave(struct rb_run *run)
{
    char text[256];
    if (run->ending) {
        return;
    }
    if (!run->begun) {
        rb_run_fail(run, "aborted", 130, rb_text(RB_T_run_not_begun));
        return;
    }
    snprintf(text, sizeof text, rb_text(RB_T_run_left), run->id);
    rb_run_park(run, "waiting", 4, text);
    json_object_set_new(run->failure, "next", rb_next_guide(run));
}

void rb_run_stop(struct rb_run *run, int signal)
{
    char text[256];
    if (run->stop_signal) {
        rb_dispatch_hurry(run);
        return;
    }
    run->stop_signal = signal;
    if (!rb_replay_over(run->replay) || rb_call_asking(run)) { /* nothing happened yet in this life */
        snprintf(text, sizeof text, rb_text(RB_T_run_stopped_resuming), signal, run->id);
        rb_run_park(run, "aborted", 128 + signal, text);
        return;
    }
    snprintf(text, sizeof text, rb_text(run->wrote ? RB_T_run_stopped_wrote : RB_T_run_stopped), signal);
    rb_run_fail(run, "aborted", 128 + signal, text);
}
