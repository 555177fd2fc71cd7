/* What was asked and what became of it, read from the journal. */
#include "run/approval.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

bool rb_actors_meet(const json_t *one, const json_t *other)
{
    static const char *const names[] = {"uid", "login_uid", "sudo_uid"};
    size_t count = sizeof names / sizeof *names;
    for (size_t i = 0; i < count * count; i++) {
        const json_t *a = json_object_get(one, names[i / count]), *b = json_object_get(other, names[i % count]);
        if (json_is_integer(a) && json_equal(a, b)) {
            return true;
        }
    }
    return !json_is_integer(json_object_get(one, "uid")); /* who cannot be told apart is the same */
}

static bool meets_any(const json_t *actor, const json_t *others)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)others, i, one) {
        if (rb_actors_meet(actor, one)) {
            return true;
        }
    }
    return false;
}

static json_t *body_of(const struct rb_event *event)
{
    return event->body ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
}

/* Asked for the same by people who are none of the requesters, each once. */
static void count_yes(json_t *approval, const json_t *actor)
{
    json_t *agreed = json_object_get(approval, "agreed");
    if (!meets_any(actor, json_object_get(approval, "requesters")) && !meets_any(actor, agreed)) {
        json_array_append(agreed, (json_t *)actor);
        json_object_set_new(approval, "left", json_integer(rb_json_int(approval, "left", 1) - 1));
    }
}

static int add_answer(const struct rb_event *event, void *by_id)
{
    json_t *body = body_of(event), *actor = rb_json_parse(event->actor, strlen(event->actor), NULL);
    json_t *approval = json_object_get(by_id, rb_json_str(body, "id", ""));
    if (approval) {
        bool yes = rb_json_bool(body, "yes", false);
        char at[RB_TIME_MAX];
        rb_clock_format(event->utc_us, 0, at);
        json_array_append_new(json_object_get(approval, "answers"),
                              json_pack("{s:b, s:O*, s:s, s:O*}", "yes", yes, "reason", json_object_get(body, "reason"),
                                        "at", at, "actor", actor));
        if (yes) {
            count_yes(approval, actor);
        } else {
            json_object_set_new(approval, "rejected", json_true());
        }
    }
    json_decref(actor);
    json_decref(body);
    return 0;
}

static int add_use(const struct rb_event *event, void *by_id)
{
    json_t *body = body_of(event), *approval = json_object_get(by_id, rb_json_str(body, "id", ""));
    if (approval) {
        json_object_set_new(approval, "used", json_true());
        json_object_set_new(approval, "used_event", json_integer(event->id));
    }
    json_decref(body);
    return 0;
}

static const char *state_of(const json_t *approval)
{
    if (json_object_get(approval, "used")) {
        return "used";
    }
    if (json_object_get(approval, "rejected")) {
        return "rejected";
    }
    if (rb_clock_utc_us() > rb_json_int(approval, "expires", 0)) { /* also of one that was granted and not taken */
        return "expired";
    }
    return rb_json_int(approval, "left", 1) <= 0 ? "granted" : "waiting";
}

static void begin(json_t *approval)
{
    json_int_t needed = rb_json_int(approval, "needed", 1);
    json_object_set_new(approval, "left", json_integer(needed > 0 ? needed : 1));
    json_object_set_new(approval, "answers", json_array());
    json_object_set_new(approval, "agreed", json_array());
    json_object_del(approval, "used");
    json_object_del(approval, "rejected");
}

/* What became of them: all that speaks of an approval comes after it. run NULL: they are of several. */
static int complete_all(struct rb_journal *journal, const char *run, const json_t *list, struct rb_err *err)
{
    json_t *by_id = json_object(), *one;
    int64_t first = rb_json_int(json_array_get(list, 0), "event", 0);
    size_t i;
    json_array_foreach((json_t *)list, i, one) {
        begin(one);
        json_object_set(by_id, rb_json_str(one, "id", ""), one);
    }
    int rc = rb_journal_read_kind(journal, "approval.answered", run, first, add_answer, by_id, err);
    rc = rc ? rc : rb_journal_read_kind(journal, "approval.used", run, first, add_use, by_id, err);
    json_array_foreach((json_t *)list, i, one) {
        json_object_set_new(one, "state", json_string(state_of(one)));
        json_object_del(one, "agreed");
    }
    json_decref(by_id);
    return rc;
}

int rb_approval_complete(struct rb_journal *journal, json_t *approval, struct rb_err *err)
{
    json_t *list = json_pack("[O]", approval);
    int rc = complete_all(journal, rb_json_str(approval, "run", ""), list, err);
    json_decref(list);
    return rc;
}

/* ---- finding ---- */

struct search {
    json_t *found; /* [approval…] as they were asked */
    const char *prefix, *digest;
    int64_t alive_us; /* only those that expire later; 0 = all */
};

static bool begins(const json_t *body, const char *key, const char *prefix)
{
    return strncmp(rb_json_str(body, key, ""), prefix, strlen(prefix)) == 0;
}

/* For a look from afar: says no only when no field of that name, whoever it belongs to, lies after us. */
static bool may_expire_after(const char *body, int64_t us)
{
    static const char field[] = "\"expires\":";
    const char *at = strstr(body, field);
    bool may = !at;
    for (; at && !may; at = strstr(at + 1, field)) {
        may = strtoll(at + strlen(field), NULL, 10) > us;
    }
    return may;
}

static int keep(const struct rb_event *event, void *user)
{
    struct search *search = user;
    const char *prefix = search->prefix;
    if (prefix && event->body && !strstr(event->body, prefix)) { /* most are of others: they need not be taken apart */
        return 0;
    }
    if (search->alive_us && event->body && !may_expire_after(event->body, search->alive_us)) { /* … or are over */
        return 0;
    }
    json_t *body = body_of(event);
    bool named = !prefix || begins(body, "id", prefix) || begins(body, "plan", prefix) || begins(body, "run", prefix);
    bool wanted = body && named && (!search->digest || !strcmp(rb_json_str(body, "digest", ""), search->digest));
    if (wanted) {
        json_object_set_new(body, "event", json_integer(event->id));
        json_object_set_new(body, "asked", json_integer(event->utc_us));
        json_array_append(search->found, body);
    }
    json_decref(body);
    return 0;
}

/* Those of one journal, as they were asked. New reference or NULL. */
static json_t *search_all(struct rb_journal *journal, const char *run, struct search *search, struct rb_err *err)
{
    search->found = json_array();
    if (rb_journal_read_kind(journal, "approval.asked", run, 0, keep, search, err)) {
        json_decref(search->found);
        return NULL;
    }
    return search->found;
}

/* Of the few that a search names each is looked up by its run; a list needs one walk through all that was answered. */
static int complete_found(struct rb_journal *journal, const struct search *search, const json_t *found,
                          struct rb_err *err)
{
    size_t i;
    json_t *one;
    int rc = search->prefix ? 0 : complete_all(journal, NULL, found, err);
    json_array_foreach((json_t *)found, i, one) {
        rc = rc || !search->prefix ? rc : rb_approval_complete(journal, one, err);
    }
    return rc;
}

/* Those of this journal and of the one beside it, with what became of them. New reference or NULL. */
static json_t *search_both(struct rb_journal *journal, struct search *search, struct rb_err *err)
{
    json_t *all = json_array();
    for (; journal; journal = rb_journal_beside(journal)) {
        json_t *found = search_all(journal, NULL, search, err);
        if (!found || complete_found(journal, search, found, err)) {
            json_decref(found);
            json_decref(all);
            return NULL;
        }
        json_array_extend(all, found);
        json_decref(found);
    }
    return all;
}

json_t *rb_approvals(struct rb_journal *journal, bool all, struct rb_err *err)
{
    struct search search = {.alive_us = all ? 0 : rb_clock_utc_us()};
    json_t *found = search_both(journal, &search, err), *list, *one;
    size_t i;
    if (!found) {
        return NULL;
    }
    list = json_array();
    json_array_foreach(found, i, one) {
        if (all || !strcmp(rb_json_str(one, "state", ""), "waiting")) {
            json_array_append(list, one);
        }
    }
    json_decref(found);
    return list;
}

json_t *rb_approval_of_run(struct rb_journal *journal, const char *run, const char *digest, struct rb_err *err)
{
    struct search search = {.digest = digest};
    json_t *found = search_all(journal, run, &search, err);
    json_t *newest = json_incref(json_array_get(found, json_array_size(found) - 1));
    json_decref(found);
    if (newest && rb_approval_complete(journal, newest, err)) {
        json_decref(newest);
        return NULL;
    }
    return newest;
}

/* One that waits before all others; else the newest. *many: of those. */
static json_t *best(const json_t *found, bool *many)
{
    json_t *one, *chosen = NULL;
    size_t i, waiting = 0;
    json_array_foreach((json_t *)found, i, one) {
        bool waits = !strcmp(rb_json_str(one, "state", ""), "waiting");
        waiting += waits;
        chosen = waits || !waiting ? one : chosen;
    }
    *many = waiting > 1;
    return json_incref(chosen);
}

json_t *rb_approval_find(struct rb_journal *journal, const char *id, struct rb_err *err)
{
    struct search search = {.prefix = id};
    bool many = false;
    json_t *found = strlen(id) > 2 && id[1] == '-' ? search_both(journal, &search, err) : json_array();
    if (!found) {
        return NULL;
    }
    json_t *chosen = best(found, &many);
    if (!json_array_size(found)) {
        rb_err_set(err, RB_ENOT_FOUND, RB_T_trust_approval_none, id);
        rb_err_hint(err, RB_T_trust_approval_none_hint);
    } else if (many) {
        rb_err_set(err, RB_EUSAGE, RB_T_trust_approval_many, id);
        json_decref(chosen);
        chosen = NULL;
    }
    json_decref(found);
    return chosen;
}
