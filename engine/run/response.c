/* How soon somebody has to decide, and whom to turn to when nobody did. The time runs from the begin of a run that a
 * person watches until that person agrees to a repair, or the run ends. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

/* What operations manuals agree on, where the configuration says nothing. */
static double standard(const char *severity)
{
    static const double seconds[] = {5 * 60, 15 * 60, 3600, 86400, 5 * 86400};
    return severity[0] == 'P' && severity[1] >= '0' && severity[1] <= '4' ? seconds[severity[1] - '0'] : 0;
}

const json_t *rb_severity_of(const json_t *config, const char *runbook, const char *severity)
{
    char name[256];
    const json_t *blocks = json_object_get(config, "severity");
    snprintf(name, sizeof name, "%.*s/%s", (int)strcspn(runbook, "/"), runbook, severity);
    const json_t *own = json_object_get(blocks, name);
    return own ? own : json_object_get(blocks, severity);
}

static void add_contact(json_t *contacts, const json_t *config, const char *name)
{
    json_t *contact = json_object_get(json_object_get(config, "contact"), name);
    if (contact) {
        json_t *one = json_copy(contact);
        json_object_set_new(one, "name", json_string(name));
        json_array_append_new(contacts, one);
    }
}

json_t *rb_response_of(const json_t *config, const char *runbook, const char *severity, const json_t *escalate)
{
    const json_t *block = rb_severity_of(config, runbook, severity);
    const json_t *within = json_object_get(block, "within");
    json_t *contacts = json_array(), *name;
    size_t i;
    if (json_is_string(escalate)) { /* the runbook's own: the name of a contact, or words */
        add_contact(contacts, config, json_string_value(escalate));
    }
    json_array_foreach(json_object_get(block, "escalate"), i, name) {
        add_contact(contacts, config, json_string_value(name));
    }
    return json_pack("{s:s, s:f, s:o, s:O?}", "severity", severity, "within",
                     json_is_number(within) ? json_number_value(within) : standard(severity), "contacts", contacts,
                     "escalate", escalate);
}

static void over(uv_timer_t *timer)
{
    struct rb_run *run = timer->data;
    json_t *body = json_copy(run->response);
    json_object_set_new(body, "run", json_string(run->id));
    json_object_set(body, "runbook", json_object_get(run->file, "id"));
    json_object_set_new(body, "after", json_real(rb_run_clock(run)));
    run->frame[0] = '\0'; /* nothing of the runner caused it */
    rb_record(run, "escalated", body);
    rb_record_soon(run);
}

void rb_response_begin(struct rb_run *run)
{
    double within = json_number_value(json_object_get(run->response, "within")), gone = rb_run_clock(run);
    bool said = json_is_object(json_object_get(run->report, "escalated"));
    if (run->mode == RB_MODE_EXEC && !run->no_input && within > 0 && !said) {
        uv_timer_start(run->response_timer, over, (uint64_t)((within > gone ? within - gone : 0) * 1000), 0);
    }
}

void rb_response_end(struct rb_run *run)
{
    uv_timer_stop(run->response_timer);
}
