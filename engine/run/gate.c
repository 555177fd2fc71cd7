/* The gate: the only door to a binding. What a phase may do is a table; what a person
 * agreed to is the plan. Everything not allowed is refused, with where and why. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

static const struct {
    const char *name;
    bool probe, write;
} phases[RB_PHASE_COUNT] = {
    [RB_PHASE_NONE] = {"none", false, false},   [RB_PHASE_CHECK] = {"check", false, false},
    [RB_PHASE_GUARD] = {"guard", false, false}, [RB_PHASE_VERIFY] = {"verify", true, false},
    [RB_PHASE_FIX] = {"fix", true, true},       [RB_PHASE_STEP] = {"step", true, true},
    [RB_PHASE_UNDO] = {"undo", true, true},     [RB_PHASE_INJECT] = {"inject", true, true},
};

enum rb_phase rb_phase_parse(const char *name)
{
    for (int i = 1; i < RB_PHASE_COUNT; i++) {
        if (!strcmp(name, phases[i].name)) {
            return i;
        }
    }
    return RB_PHASE_NONE;
}

const char *rb_phase_name(enum rb_phase phase)
{
    return phases[phase].name;
}

bool rb_phase_reads_only(enum rb_phase phase)
{
    return !phases[phase].probe && !phases[phase].write;
}

static int refuse(struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb, struct rb_err *err)
{
    rb_err_set(err, RB_EFORBIDDEN, verb->effect == RB_EFFECT_PROBE ? RB_T_run_gate_probe : RB_T_run_gate_write,
               binding->name, verb->name, rb_phase_name(run->now.phase), run->now.id);
    rb_err_hint(err, RB_T_run_gate_hint);
    return RB_EFORBIDDEN;
}

/* The same block as the one that was rehearsed? */
static bool plan_is_for(const struct rb_run *run)
{
    return run->plan.id && run->now.id && !strcmp(run->plan.id, run->now.id) && !strcmp(run->plan.key, run->now.key);
}

static int note(struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb, const json_t *args,
                const char *text)
{
    json_array_append_new(run->plan.writes, rb_plan_write(run, binding, verb, args, text));
    return RB_GATE_NOTE;
}

/* A live write must be the next one of the plan, or come after its open end. */
static int check_plan(struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb,
                      const json_t *args, const char *text, struct rb_err *err)
{
    struct rb_plan *plan = &run->plan;
    if (!plan_is_for(run) || !plan->consented) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_run_gate_no_consent, binding->name, verb->name, run->now.id);
    }
    json_t *shown = json_array_get(plan->writes, plan->done);
    if (!shown && plan->open) {
        return 0;
    }
    char name[128];
    snprintf(name, sizeof name, "%s.%s", binding->name, verb->name);
    if (!shown || strcmp(rb_json_str(shown, "verb", ""), name) || !json_equal(json_object_get(shown, "args"), args)) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_run_gate_not_shown, text);
    }
    plan->done++;
    return 0;
}

int rb_gate(struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb, const json_t *args,
            const char *text, struct rb_err *err)
{
    if (run->mode == RB_MODE_TEST && !(verb->effect == RB_EFFECT_WRITE && run->now.rehearse)) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_run_test_no_answer, binding->name, verb->name, text);
    }
    if (run->now.phase == RB_PHASE_NONE) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_run_gate_outside, binding->name, verb->name);
    }
    if (verb->effect == RB_EFFECT_READ) {
        return RB_GATE_DO;
    }
    if (verb->effect == RB_EFFECT_PROBE) {
        return phases[run->now.phase].probe ? RB_GATE_DO : refuse(run, binding, verb, err);
    }
    if (!phases[run->now.phase].write) {
        return refuse(run, binding, verb, err);
    }
    if (run->now.rehearse) {
        return note(run, binding, verb, args, text);
    }
    if (run->unrecorded) {
        return rb_err_set(err, RB_EJOURNAL, RB_T_run_gate_unrecorded, binding->name, verb->name, run->unrecorded);
    }
    if (run->now.phase == RB_PHASE_INJECT) {
        return run->mode == RB_MODE_DRILL ? RB_GATE_DO : refuse(run, binding, verb, err);
    }
    int rc = check_plan(run, binding, verb, args, text, err);
    return rc < 0 ? rc : RB_GATE_DO;
}
