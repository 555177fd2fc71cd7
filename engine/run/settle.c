/* A write whose host died. What its binding announced before its point of no return says how far it came: nothing
 * announced, nothing done; a receipt, left in the same transaction, is looked for; a process is named. What is still
 * not known then, only a person says. */
#include "run/settle.h"

#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/replay.h"
#include "run/state.h"

void rb_call_announce(struct rb_call *call, json_t *facts, rb_announced_fn *go_on)
{
    json_int_t pid = rb_json_int(facts, "pid", 0);
    if (pid > 0) {
        json_t *process = rb_journal_process_of((pid_t)pid);
        json_object_update(facts, process);
        json_decref(process);
    }
    json_object_set_new(facts, "call", json_integer((json_int_t)call->number));
    json_object_set_new(facts, "frame", json_string(call->frame));
    rb_call_before(call, "call.began", facts, go_on);
}

static void fail_unknown(struct rb_call *call, const json_t *began)
{
    struct rb_err err = {0};
    int pid = (int)rb_json_int(began, "pid", 0);
    if (pid == 0) {
        rb_err_set(&err, RB_EUNKNOWN, RB_T_run_host_died, call->text);
    } else if (rb_journal_alive(began)) {
        rb_err_set(&err, RB_EUNKNOWN, RB_T_run_host_died_runs, call->text, pid);
    } else {
        rb_err_set(&err, RB_EUNKNOWN, RB_T_run_host_died_ended, call->text, pid);
    }
    rb_call_fail(call, &err);
}

static void make_again(struct rb_call *call)
{
    call->again = true;
    rb_call_go(call);
}

void rb_settle_open(struct rb_call *call, const json_t *intent, const json_t *began, const json_t *said,
                    bool idempotent)
{
    bool never_began = rb_json_bool(intent, "announces", false) && !began;
    if (json_is_true(said)) {
        rb_call_remark(call, "resolved", rb_text(RB_T_run_resolved_said));
        rb_call_done(call, json_null());
    } else if (said || idempotent || never_began) {
        make_again(call);
    } else if (json_object_get(began, "receipt")) {
        call->decisive = rb_json_bool(began, "decisive", false);
        rb_call_look_back(call);
    } else {
        fail_unknown(call, began);
    }
}

void rb_settle_looked(struct rb_call *call, const json_t *found)
{
    call->looking = false;
    if (json_is_true(found)) {
        rb_call_remark(call, "receipt", rb_text(RB_T_run_receipt_found));
        rb_call_done(call, json_null());
    } else if (found && call->decisive) {
        rb_call_rewind(call);
        make_again(call);
    } else {
        fail_unknown(call, NULL);
    }
}
