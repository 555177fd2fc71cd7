/* exec --plan: a plan is found, its only use is recorded, and the run is refused as soon as it differs from it. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "run/state.h"

#define PLAN_HOURS 24 /* an older one is looked at again by a person */

struct search {
    const char *id; /* its beginning */
    json_t *plan;
    int64_t at; /* of the event */
    bool many;
    char used[RB_ID_MAX]; /* the run that did */
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
    if (!search->used[0] && !strcmp(rb_json_str(body, "plan", ""), search->id)) {
        (void)snprintf(search->used, sizeof search->used, "%s", event->run);
    }
    json_decref(body);
    return 0;
}

/* In the transaction that records its use: two who apply one plan cannot both find it unused. */
static int check_unused(struct rb_journal *journal, void *user, struct rb_err *err)
{
    const struct rb_run *run = user;
    struct search search = {.id = rb_json_str(run->only, "plan", "")};
    int rc = rb_journal_read_kind(journal, "plan.used", NULL, rb_json_int(run->only, "made_id", 0), uses, &search, err);
    return rc < 0 ? rc : search.used[0] ? rb_err_set(err, RB_EEXISTS, RB_T_trust_plan_used, search.id, search.used) : 0;
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
    json_t *files = rb_plan_files(run);
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

/* The first of list that is not among the others; its name, or false. */
static bool missing(const json_t *list, const json_t *among, char *name, size_t size)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        if (!rb_json_find_same(among, one)) {
            rb_plan_finding_name(one, name, size);
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
    bool sure =
        json_array_size(json_object_get(item, "writes")) || !strcmp(rb_json_str(item, "state", ""), "no_change");
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
