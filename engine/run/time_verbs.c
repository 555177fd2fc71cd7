/* time.*: the clocks of a run, and its waits. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

struct rb_wait {
    uv_timer_t timer;
    struct rb_run *run;
    struct rb_wait *next;
    json_int_t seq;
    char frame[RB_PLACE_MAX];
};

static void wait_free(struct rb_wait *wait)
{
    struct rb_wait **p = &wait->run->waits;
    while (*p != wait) {
        p = &(*p)->next;
    }
    *p = wait->next;
    uv_timer_stop(&wait->timer);
    uv_close((uv_handle_t *)&wait->timer, (uv_close_cb)free);
}

static void waited(uv_timer_t *timer)
{
    struct rb_wait *wait = timer->data;
    rb_run_input(wait->run, wait->frame, wait->seq, "time.wait", json_object());
    rb_record_soon(wait->run); /* nobody waits a second time for the same */
    wait_free(wait);
}

void rb_verb_wait(struct rb_run *run, json_int_t seq, const json_t *args)
{
    double seconds = rb_seconds_clamp(json_number_value(json_object_get(args, "seconds")));
    struct rb_wait *wait = rb_xcalloc(1, sizeof *wait);
    *wait = (struct rb_wait){.run = run, .next = run->waits, .seq = seq};
    run->waits = wait;
    snprintf(wait->frame, sizeof wait->frame, "%s", run->frame);
    uv_timer_init(run->engine.loop, &wait->timer);
    wait->timer.data = wait;
    uv_timer_start(&wait->timer, waited, (uint64_t)(seconds * 1000), 0);
}

void rb_waits_cancel(struct rb_run *run, const struct rb_err *err)
{
    while (run->waits) {
        rb_run_reply_error(run, run->waits->seq, err, "wait", false);
        wait_free(run->waits);
    }
}

void rb_waits_free(struct rb_run *run)
{
    while (run->waits) {
        wait_free(run->waits);
    }
}

void rb_verb_now(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    rb_run_input(run, run->frame, seq, "time.now", json_real((double)rb_clock_utc_us() / 1e6));
}

void rb_verb_mono(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    rb_run_input(run, run->frame, seq, "time.mono", json_real(rb_run_clock(run)));
}
