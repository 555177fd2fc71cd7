/* What a plan is: what was found, and what would be written, by which bytes, with which parameters, on which target.
 * Its id is made of exactly that. A dry run makes one; consent and approvals are for one. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

/* Who a call goes to, in short: the same name in another configuration is another target. */
static json_t *receiver(const struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb,
                        const json_t *args)
{
    char hex[RB_HEX_SIZE];
    struct rb_buf all;
    rb_buf_init(&all, 1 << 20);
    for (const struct rb_arg *arg = verb->args; arg->name; arg++) {
        const char *given = rb_json_str(args, arg->name, NULL);
        bool channel = !strcmp(arg->type, "channel");
        if (!given || (!channel && strcmp(arg->type, "connection"))) {
            continue;
        }
        json_t *full = channel ? rb_fill_channel(run->config, given, NULL)
                               : rb_fill_connection(run->config, binding->name, given, false, NULL);
        char *text = json_is_object(full) ? rb_json_canonical(full) : NULL;
        rb_buf_adds(&all, text ? text : "");
        free(text);
        json_decref(full);
    }
    rb_hash_hex(rb_buf_str(&all), all.len, hex);
    json_t *to = all.len ? json_stringn(hex, 16) : NULL;
    rb_buf_deinit(&all);
    return to;
}

json_t *rb_plan_write(const struct rb_run *run, const struct rb_binding *binding, const struct rb_verb *verb,
                      const json_t *args, const char *text)
{
    return json_pack("{s:o, s:s, s:O, s:o*}", "verb", json_sprintf("%s.%s", binding->name, verb->name), "text", text,
                     "args", args, "to", receiver(run, binding, verb, args));
}

/* ---- what it is made of ---- */

json_t *rb_plan_files(const struct rb_run *run)
{
    json_t *files = json_object(), *one;
    size_t i;
    json_array_foreach(json_object_get(run->file, "files"), i, one) {
        char hex[RB_HEX_SIZE];
        const char *text = rb_json_str(one, "text", "");
        rb_hash_hex(text, strlen(text), hex);
        json_object_set_new(files, rb_json_str(one, "path", "?"), json_string(hex));
    }
    return files;
}

void rb_plan_finding_name(const json_t *finding, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", rb_json_str(finding, "id", ""), rb_json_str(finding, "key", ""));
}

/* What stands, with its newest evidence. */
static json_t *findings_of(const struct rb_run *run)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach(run->standing, i, one) {
        char name[1024];
        rb_plan_finding_name(one, name, sizeof name);
        json_array_append_new(list,
                              json_pack("{s:O, s:O, s:O*}", "id", json_object_get(one, "id"), "key",
                                        json_object_get(one, "key"), "evidence", json_object_get(run->evidence, name)));
    }
    return list;
}

json_t *rb_plan_of(const struct rb_run *run, const json_t *items)
{
    char id[RB_ID_MAX], hex[RB_HEX_SIZE];
    json_t *plan = json_pack("{s:O, s:o, s:O, s:s, s:o, s:O}", "runbook", json_object_get(run->file, "id"), "files",
                             rb_plan_files(run), "params", run->params, "target", run->target ? run->target : "",
                             "findings", findings_of(run), "items", items);
    if (run->profile) {
        json_object_set_new(plan, "profile", json_string(run->profile));
    }
    char *text = rb_json_canonical(plan);
    rb_id_of('p', text, strlen(text), id);
    rb_hash_hex(text, strlen(text), hex);
    free(text);
    json_object_set_new(plan, "plan", json_string(id));
    json_object_set_new(plan, "digest", json_string(hex));
    return plan;
}

/* The block that is about to be carried out, as it is shown to people. */
json_t *rb_plan_item(const struct rb_run *run, const json_t *shown)
{
    static const char *const kept[] = {"block", "fix", "key", "for", "risk", "phase", NULL};
    json_t *left = json_object_get(shown, "writes"); /* of a plan that was begun before a crash */
    json_t *item = json_pack("{s:O, s:b}", "writes", left ? left : run->plan.writes, "open", run->plan.open);
    for (size_t i = 0; kept[i]; i++) {
        json_t *value = json_object_get(shown, kept[i]);
        if (value) {
            json_object_set(item, kept[i], value);
        }
    }
    return item;
}

/* ---- a dry run ---- */

static json_t *because(const struct rb_run *run, const json_t *shown, const json_t *standard)
{
    const json_t *own = json_object_get(shown, "because"), *ended = run->plan.ended;
    const json_t *error = json_object_get(ended, "error"), *text = json_object_get(ended, "text");
    const json_t *why = own ? own : error ? error : text ? text : standard;
    return why ? json_deep_copy(why) : NULL;
}

/* Only a rehearsal that went through says that nothing would be changed; and only when nothing before it changes
 * what it looked at. */
static const char *state_of(const struct rb_run *run, const json_t *shown)
{
    const char *given = rb_json_str(shown, "state", NULL), *result = rb_json_str(run->plan.ended, "result", "failed");
    bool through = !strcmp(result, "ok") || !strcmp(result, "found") || !strcmp(result, "rehearsed");
    if (given) {
        return given;
    }
    if (!through) {
        return "unknown";
    }
    if (json_array_size(run->plan.writes)) {
        return "will_change";
    }
    if (run->plan.open) {
        return "unknown";
    }
    return rb_json_bool(shown, "after", false) ? "unknown" : "no_change";
}

void rb_plan_preview(struct rb_run *run, json_int_t seq, const json_t *given)
{
    static const char *const kept[] = {"title", "typed", "why", "no_undo", "undo", "confirm", NULL};
    bool rehearsed = rb_json_bool(given, "rehearsed", false);
    json_t *shown = rehearsed ? rb_plan_trusted(run, given) : json_deep_copy(given);
    if (!shown || run->mode != RB_MODE_DRY_RUN || ++run->remarks > RB_REMARKS_MAX) {
        json_decref(shown);
        rb_run_fail(run, "failed", 1, rb_text(RB_T_run_bad_frame));
        return;
    }
    json_t *item = rb_plan_item(run, shown);
    if (!rehearsed) { /* what stands in the plan is of another block */
        json_object_set_new(item, "writes", json_array());
        json_object_set_new(item, "open", json_false());
    }
    const char *state = rehearsed ? state_of(run, shown) : rb_json_str(shown, "state", "unknown");
    json_object_set_new(item, "state", json_string(state));
    json_object_set_new(item, "rehearsed", json_boolean(rehearsed));
    json_array_append(run->planned, item);
    json_t *body = json_deep_copy(item);
    for (size_t i = 0; kept[i]; i++) {
        json_t *value = json_object_get(shown, kept[i]);
        if (value) {
            json_object_set(body, kept[i], value);
        }
    }
    json_t *why = strcmp(state, "will_change") ? because(run, shown, json_object_get(shown, "standard")) : NULL;
    if (why) {
        json_object_set_new(body, "because", why);
    }
    rb_record(run, "plan", body);
    rb_run_reply(run, seq, json_pack("{s:s}", "state", state));
    json_decref(item);
    json_decref(shown);
}

static bool has_writes(const json_t *items)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) {
        if (json_array_size(json_object_get(item, "writes"))) {
            return true;
        }
    }
    return false;
}

void rb_plan_made(struct rb_run *run)
{
    json_t *plan = rb_plan_of(run, run->planned);
    json_object_set(plan, "given", run->given);
    json_object_set(plan, "title", json_object_get(run->meta, "title"));
    json_object_set_new(plan, "run", json_string(run->id));
    run->made = has_writes(run->planned) ? json_incref(plan) : NULL;
    rb_record(run, "plan.made", plan);
}
