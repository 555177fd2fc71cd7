/* Events: into the journal first, then to the report and to whoever watches. */
#include <string.h>

#include "base/json.h"
#include "run/state.h"

#define SOON_MS 15 /* nobody notices; most ends share the commit of the next outcome */
#define MANY 500   /* events that wait for nobody: more of them would only fill the memory */

/* What only says that something begins is shown at once; an outcome only after it is on disk. */
static bool shown_at_once(const char *kind)
{
    static const char *const kinds[] = {"check.started", "block.started", "confirm.asked"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(kind, kinds[i])) {
            return true;
        }
    }
    return false;
}

static void show(struct rb_run *run, const char *kind, const json_t *body)
{
    rb_report_apply(run->report, kind, body, rb_clock_utc_us());
    if (run->view->event) {
        run->view->event(run->user, kind, body);
    }
}

int rb_record(struct rb_run *run, const char *kind, json_t *body)
{
    struct rb_err err = {0};
    int rc = 0;
    body = rb_secrets_clean(run->secrets, body);
    if (run->frame[0] && !json_object_get(body, "frame")) {
        json_object_set_new(body, "frame", json_string(run->frame));
    }
    bool known = rb_replay_has(run, kind, body);
    if (known && run->engine.journal) {
        json_decref(body);
        return 0;
    }
    if (run->engine.journal) {
        if (run->actor) {
            rb_journal_actor_set(run->engine.journal, run->actor);
        }
        rc = rb_journal_add(run->engine.journal, run->id, kind, body, &err);
    }
    if (rc < 0) {
        run->journal_failed = true;
    }
    if (shown_at_once(kind) && json_array_size(run->pending) == 0) {
        show(run, kind, body); /* never before what happened earlier */
    } else {
        json_array_append_new(run->pending, json_string(kind));
        json_array_append(run->pending, body);
    }
    if (json_array_size(run->pending) >= 2 * MANY) {
        rb_record_soon(run);
    }
    json_decref(body);
    return rc;
}

static void waited_enough(uv_timer_t *timer)
{
    struct rb_err err = {0};
    (void)rb_record_flush(timer->data, &err); /* kept queued; the next write and the end of the run meet the error */
}

void rb_record_soon(struct rb_run *run)
{
    if (!uv_is_active((uv_handle_t *)run->flush_timer)) {
        uv_timer_start(run->flush_timer, waited_enough, SOON_MS, 0);
    }
}

int rb_record_flush(struct rb_run *run, struct rb_err *err)
{
    int rc = run->engine.journal ? rb_journal_commit(run->engine.journal, err) : 0;
    if (rc < 0) {
        run->journal_failed = true;
        return rc;
    }
    rb_record_show(run);
    return 0;
}

void rb_record_show(struct rb_run *run)
{
    json_t *pending = run->pending;
    uv_timer_stop(run->flush_timer);
    if (json_array_size(pending) == 0) {
        return;
    }
    run->pending = json_array();
    for (size_t i = 0; i < json_array_size(pending); i += 2) {
        show(run, json_string_value(json_array_get(pending, i)), json_array_get(pending, i + 1));
    }
    json_decref(pending);
}

void rb_run_remark(struct rb_run *run, const char *text)
{
    char frame[RB_PLACE_MAX];
    memcpy(frame, run->frame, sizeof frame);
    run->frame[0] = '\0'; /* nothing of the runner caused it */
    rb_record(run, "note", json_pack("{s:o}", "text", rb_json_bytes(text, strlen(text))));
    rb_record_soon(run);
    memcpy(run->frame, frame, sizeof frame);
}
