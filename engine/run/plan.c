/* What a plan is: what was found, and what would be written, by which bytes, with which parameters, on which target.
 * Its id is made of exactly that. A dry run makes one; consent and approvals are for one; exec --plan applies one. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

#define PLAN_HOURS 24 /* an older one is looked at again by a person */

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

static json_t *files_of(const struct rb_run *run)
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

static void finding_name(const json_t *finding, char *out, size_t size)
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
        finding_name(one, name, sizeof name);
        json_array_append_new(list, json_pack("{s:O, s:O, s:O*}", "id", json_object_get(one, "id"), "key",
                                              json_object_get(one, "key"), "evidence",
                                              json_object_get(run->evidence, name)));
    }
    return list;
}

json_t *rb_plan_of(const struct rb_run *run, const json_t *items)
{
    char id[RB_ID_MAX], hex[RB_HEX_SIZE];
    json_t *plan = json_pack("{s:O, s:o, s:O, s:s, s:o, s:O}", "runbook", json_object_get(run->file, "id"), "files",
                             files_of(run), "params", run->params, "target", run->target ? run->target : "", "findings",
                             findings_of(run), "items", items);
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

/* ---- exec --plan ---- */

struct search {
    const char *id; /* its beginning */
    json_t *plan;
    int64_t at; /* of the event */
    bool used, many;
};

static int look(const struct rb_event *event, void *user)
{
    struct search *search = user;
    json_t *body = event->body ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
    const char *id = rb_json_str(body, "plan", "");
    if (!strncmp(id, search->id, strlen(search->id))) {
        search->many = search->many || (search->plan && strcmp(id, rb_json_str(search->plan, "plan", "")) != 0);
        json_decref(search->plan);
        json_object_set_new(body, "made_us", json_integer(event->utc_us));
        search->plan = json_incref(body);
        search->at = event->id;
    }
    json_decref(body);
    return 0;
}

json_t *rb_plan_find(struct rb_journal *journal, const char *id, struct rb_err *err)
{
    struct search search = {.id = id};
    int rc = 0;
    for (struct rb_journal *j = journal; rc == 0 && j; j = rb_journal_beside(j)) {
        rc = rb_journal_read_kind(j, "plan.made", NULL, 0, look, &search, err);
    }
    if (rc == 0 && (!search.plan || strncmp(id, "p-", 2) != 0)) {
        rc = rb_err_set(err, RB_ENOT_FOUND, RB_T_trust_plan_none, id);
    } else if (rc == 0 && search.many) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_trust_plan_many, id);
    }
    if (rc < 0) {
        json_decref(search.plan);
        return NULL;
    }
    json_object_set_new(search.plan, "made_id", json_integer(search.at));
    return search.plan;
}

static int uses(const struct rb_event *event, void *user)
{
    struct search *search = user;
    json_t *body = event->body ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
    search->used = search->used || !strcmp(rb_json_str(body, "plan", ""), search->id);
    json_decref(body);
    return 0;
}

/* In the transaction that records its use: two who apply one plan cannot both find it unused. */
static int check_unused(struct rb_journal *journal, void *user, struct rb_err *err)
{
    const struct rb_run *run = user;
    struct search search = {.id = rb_json_str(run->only, "plan", "")};
    int rc = rb_journal_read_kind(journal, "plan.used", NULL, rb_json_int(run->only, "made_id", 0), uses, &search, err);
    return rc < 0 ? rc : search.used ? rb_err_set(err, RB_EEXISTS, RB_T_trust_plan_used, search.id) : 0;
}

static int differs(const struct rb_run *run, enum rb_text_id what, const char *name, struct rb_err *err)
{
    char text[512];
    snprintf(text, sizeof text, rb_text(what), name);
    return rb_err_set(err, RB_EREFUSED, RB_T_trust_plan_differs, rb_json_str(run->only, "plan", "?"), text);
}

/* The first name whose values differ, or NULL. */
static const char *first_difference(const json_t *one, const json_t *other)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)one, name, value) {
        if (!json_equal(value, json_object_get(other, name))) {
            return name;
        }
    }
    json_object_foreach((json_t *)other, name, value) {
        if (!json_object_get(one, name)) {
            return name;
        }
    }
    return NULL;
}

static int check(const struct rb_run *run, struct rb_err *err)
{
    int64_t age = rb_clock_utc_us() - rb_json_int(run->only, "made_us", 0);
    json_t *files = files_of(run);
    const char *file = first_difference(json_object_get(run->only, "files"), files);
    const char *param = first_difference(json_object_get(run->only, "params"), run->params);
    int rc = 0;
    if (strcmp(rb_json_str(run->only, "runbook", ""), rb_json_str(run->file, "id", ""))) {
        rc = differs(run, RB_T_trust_differs_runbook, rb_json_str(run->file, "id", ""), err);
    } else if (file) {
        rc = differs(run, RB_T_trust_differs_file, file, err);
    } else if (param) {
        rc = differs(run, RB_T_trust_differs_param, param, err);
    } else if (strcmp(rb_json_str(run->only, "target", ""), run->target)) {
        rc = differs(run, RB_T_trust_differs_target, run->target, err);
    } else if (age < 0 || age > PLAN_HOURS * INT64_C(3600000000)) {
        rc = rb_err_set(err, RB_EREFUSED, RB_T_trust_plan_old, rb_json_str(run->only, "plan", "?"), PLAN_HOURS);
    }
    json_decref(files);
    return rc;
}

static const json_t *find_finding(const json_t *list, const json_t *wanted)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        if (json_equal(json_object_get(one, "id"), json_object_get(wanted, "id")) &&
            json_equal(json_object_get(one, "key"), json_object_get(wanted, "key"))) {
            return one;
        }
    }
    return NULL;
}

/* The first of list that is not among the others; its name, or false. */
static bool missing(const json_t *list, const json_t *among, char *name, size_t size)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        if (!find_finding(among, one)) {
            finding_name(one, name, size);
            return true;
        }
    }
    return false;
}

static void refuse(struct rb_run *run, const struct rb_err *err)
{
    rb_run_fail_err(run, "rejected", 4, err);
    json_object_set_new(run->failure, "next", rb_next_dry_run(run));
}

static int use(struct rb_run *run, struct rb_err *err)
{
    json_t *body = json_pack("{s:O, s:O*, s:O*}", "plan", json_object_get(run->only, "plan"), "made",
                             json_object_get(run->only, "run"), "digest", json_object_get(run->only, "digest"));
    const struct rb_journal_if event = {run->id, "plan.used", body, check_unused, run};
    int rc = rb_journal_add_if(run->engine.journal, &event, err);
    if (rc == 0) {
        rb_report_apply(run->report, event.kind, body, rb_clock_utc_us());
    }
    json_decref(body);
    return rc;
}

void rb_plan_begin(struct rb_run *run)
{
    struct rb_err err = {0};
    if (!run->only || run->archive) { /* a run that goes on has begun with it */
        return;
    }
    int rc = check(run, &err);
    rc = rc ? rc : use(run, &err);
    if (rc == RB_EJOURNAL) {
        rb_run_fail(run, "failed", RB_EXIT_JOURNAL, err.text);
    } else if (rc) {
        refuse(run, &err);
    }
}

/* When nothing stands any more there is nothing to refuse: the run ends healthy. */
void rb_plan_standing(struct rb_run *run)
{
    char name[1024];
    struct rb_err err = {0};
    const json_t *then = json_object_get(run->only, "findings");
    if (!run->only || !json_array_size(run->standing)) {
        return;
    }
    if (missing(then, run->standing, name, sizeof name)) {
        differs(run, RB_T_trust_differs_gone, name, &err);
        refuse(run, &err);
    } else if (missing(run->standing, then, name, sizeof name)) {
        differs(run, RB_T_trust_differs_new, name, &err);
        refuse(run, &err);
    }
}

/* What was rehearsed to its end, or as far as it could be. */
static bool is_sure(const json_t *item)
{
    bool sure = json_array_size(json_object_get(item, "writes")) || !strcmp(rb_json_str(item, "state", ""), "no_change");
    return sure && rb_json_bool(item, "rehearsed", false);
}

static const json_t *item_for(const json_t *plan, const json_t *shown)
{
    static const char *const same[] = {"block", "fix", "key", NULL};
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(plan, "items"), i, item) {
        bool equal = is_sure(item);
        for (size_t k = 0; same[k]; k++) {
            equal = equal && !strcmp(rb_json_str(item, same[k], ""), rb_json_str(shown, same[k], ""));
        }
        if (equal) {
            return item;
        }
    }
    return NULL;
}

bool rb_plan_holds(const struct rb_run *run, const json_t *shown)
{
    return item_for(run->only, shown) != NULL;
}

static const char *text_at(const json_t *writes, size_t i)
{
    return rb_json_str(json_array_get(writes, i), "text", "-");
}

int rb_plan_agrees(struct rb_run *run, const json_t *shown)
{
    const json_t *item = item_for(run->only, shown), *now = run->plan.writes;
    const json_t *then = json_object_get(item, "writes");
    struct rb_err err = {0};
    size_t i = 0;
    if (!item) {
        return 0;
    }
    while (i < json_array_size(then) && json_equal(json_array_get(then, i), json_array_get(now, i))) {
        i++;
    }
    bool same_end = i == json_array_size(now) && rb_json_bool(item, "open", false) == run->plan.open;
    bool same_risk = !strcmp(rb_json_str(item, "risk", ""), rb_json_str(shown, "risk", ""));
    if (i == json_array_size(then) && same_end && same_risk) {
        return 1;
    }
    char text[900];
    snprintf(text, sizeof text, rb_text(RB_T_trust_differs_write), rb_json_str(shown, "fix", ""), text_at(then, i),
             text_at(now, i));
    rb_err_set(&err, RB_EREFUSED, RB_T_trust_plan_differs, rb_json_str(run->only, "plan", "?"), text);
    refuse(run, &err);
    return -1;
}
