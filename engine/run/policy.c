/* Who must agree to a fix or step: its own words, the rules of this installation, and nothing else. Every way in asks
 * here: a terminal, flags, a plan, a schedule, an approval. */
#include <fnmatch.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "run/state.h"
#include "when/hours.h"

#define WAIT_SECONDS 1800

bool rb_policy_names(const json_t *policy, const char *runbook)
{
    const json_t *patterns = json_object_get(policy, "runbooks");
    size_t i;
    json_t *pattern;
    json_array_foreach((json_t *)patterns, i, pattern) {
        if (json_is_string(pattern) && fnmatch(json_string_value(pattern), runbook, 0) == 0) {
            return true;
        }
    }
    return !json_array_size(patterns);
}

const char *rb_policy_unattended(const json_t *config, const char *runbook)
{
    const char *name;
    json_t *policy;
    json_object_foreach(json_object_get(config, "policy"), name, policy) {
        if (!strcmp(rb_json_str(policy, "unattended", "low"), "medium") && rb_policy_names(policy, runbook)) {
            return "medium";
        }
    }
    return "low";
}

/* A window that cannot be read now was one when the configuration was loaded: nobody is let through by that. */
static bool outside(const json_t *policy)
{
    bool inside = false;
    const json_t *window = json_object_get(policy, "window");
    (void)rb_hours_inside(window, rb_clock_utc_us() / 1000000, &inside, NULL);
    return window && !inside;
}

static void add_policy(struct rb_demand *demand, const char *name, const json_t *policy)
{
    json_t *expires = json_object_get(policy, "expires");
    json_int_t others = rb_json_int(policy, "approvals", 0);
    if (outside(policy)) {
        demand->outside = name;
        others = others > 0 ? others : 1;
    }
    demand->others = others > demand->others ? (int)others : demand->others;
    if (json_array_size(json_object_get(policy, "roles"))) {
        demand->roles = json_object_get(policy, "roles");
    }
    if (rb_json_bool(policy, "reason", false)) {
        demand->reason = name;
    }
    if (json_number_value(expires) > 0) {
        demand->seconds = json_number_value(expires);
    }
}

struct rb_demand rb_policy_demand(const struct rb_run *run, const json_t *shown)
{
    struct rb_demand demand = {.seconds = WAIT_SECONDS};
    const char *risk = rb_json_str(shown, "risk", "low"), *runbook = rb_json_str(run->file, "id", ""), *name;
    json_t *policy;
    demand.others = (int)rb_json_int(rb_block_declared(run, rb_json_str(shown, "fix", "")), "approvals", 0);
    json_object_foreach(json_object_get(run->config, "policy"), name, policy) {
        const char *about = rb_json_str(policy, "risk", NULL);
        if (rb_policy_names(policy, runbook) && (!about || !strcmp(about, risk))) {
            add_policy(&demand, name, policy);
        }
    }
    bool critical = !strcmp(risk, "critical");
    if (critical && demand.others == 0 && json_object_size(json_object_get(run->config, "user"))) {
        demand.others = 1;
    }
    demand.alone = critical && demand.others == 0;
    return demand;
}
