/* Asking, answering and using: each is one event, decided in the transaction that records it. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/json.h"
#include "run/approval.h"

/* ---- asking ---- */

int rb_approval_ask(struct rb_journal *journal, const char *run, json_t *body, char id[RB_ID_MAX], struct rb_err *err)
{
    rb_id_new('a', id);
    json_object_set_new(body, "id", json_string(id));
    json_object_set_new(body, "run", json_string(run));
    int rc = rb_journal_add(journal, run, "approval.asked", body, err);
    RB_CRASH_POINT("approval asked");
    rc = rc ? rc : rb_journal_commit(journal, err);
    RB_CRASH_POINT("approval asked on disk");
    return rc;
}

/* ---- answering ---- */

struct word {
    json_t *approval; /* read again in the transaction */
    const json_t *actor, *users;
    bool yes;
};

/* A login is a number, or a name that the system turns into one. */
static bool is_login(const char *login, const json_t *actor)
{
    char buffer[4096], *end = NULL;
    struct passwd pw, *found = NULL;
    unsigned long uid = strtoul(login, &end, 10);
    if (!login[0] || *end) {
        if (getpwnam_r(login, &pw, buffer, sizeof buffer, &found) != 0 || !found) {
            return false;
        }
        uid = found->pw_uid;
    }
    json_t *number = json_integer((json_int_t)uid);
    bool is =
        json_equal(number, json_object_get(actor, "uid")) || json_equal(number, json_object_get(actor, "login_uid"));
    json_decref(number);
    return is;
}

/* The user block of whoever acts, or NULL. */
static const json_t *user_of(const json_t *users, const json_t *actor)
{
    const char *name;
    json_t *user, *login;
    size_t i;
    json_object_foreach((json_t *)users, name, user) {
        json_array_foreach(json_object_get(user, "login"), i, login) {
            if (json_is_string(login) && is_login(json_string_value(login), actor)) {
                return user;
            }
        }
    }
    return NULL;
}

/* Two accounts of one person are one person. */
static bool is_requester(const struct word *word)
{
    const json_t *requesters = json_object_get(word->approval, "requesters"), *user = user_of(word->users, word->actor);
    size_t i;
    json_t *one;
    json_array_foreach(requesters, i, one) {
        if (rb_actors_meet(word->actor, one) || (user && user == user_of(word->users, one))) {
            return true;
        }
    }
    return false;
}

static bool may_approve(const struct word *word)
{
    const json_t *roles = json_object_get(word->approval, "roles");
    const json_t *own = json_object_get(user_of(word->users, word->actor), "roles");
    size_t i, k;
    json_t *role, *mine;
    json_array_foreach(roles, i, role) {
        json_array_foreach(own, k, mine) {
            if (json_equal(role, mine)) {
                return true;
            }
        }
    }
    return !json_array_size(roles);
}

static const char *last_word(const json_t *approval, char uid[32])
{
    const json_t *answers = json_object_get(approval, "answers");
    const json_t *actor = json_object_get(json_array_get(answers, json_array_size(answers) - 1), "actor");
    snprintf(uid, 32, "uid %lld", rb_json_int(actor, "uid", -1));
    return rb_json_str(actor, "login", uid);
}

static bool has_agreed(const json_t *approval, const json_t *actor)
{
    size_t i;
    json_t *answer;
    json_array_foreach(json_object_get(approval, "answers"), i, answer) {
        if (rb_json_bool(answer, "yes", false) && rb_actors_meet(actor, json_object_get(answer, "actor"))) {
            return true;
        }
    }
    return false;
}

static int check_answer(struct rb_journal *journal, void *user, struct rb_err *err)
{
    struct word *word = user;
    json_t *approval = word->approval;
    const char *id = rb_json_str(approval, "id", "?");
    char uid[32];
    if (rb_approval_complete(journal, approval, err)) {
        return RB_EJOURNAL;
    }
    const char *state = rb_json_str(approval, "state", "");
    if (word->yes && is_requester(word)) {
        rb_err_set(err, RB_EDENIED, RB_T_trust_self, id);
        rb_err_hint(err, RB_T_trust_self_hint);
        return RB_EDENIED;
    }
    if (word->yes && !may_approve(word)) {
        return rb_err_set(err, RB_EDENIED, RB_T_trust_no_role, id);
    }
    if (!strcmp(state, "used")) {
        return rb_err_set(err, RB_EEXISTS, RB_T_trust_used, id);
    }
    if (!strcmp(state, "rejected")) {
        return rb_err_set(err, RB_EEXISTS, RB_T_trust_rejected, id, last_word(approval, uid));
    }
    if (!strcmp(state, "expired")) {
        return rb_err_set(err, RB_EREFUSED, RB_T_trust_expired, id);
    }
    if (word->yes && !strcmp(state, "granted")) {
        return rb_err_set(err, RB_EEXISTS, RB_T_trust_granted, id, last_word(approval, uid));
    }
    if (word->yes && has_agreed(approval, word->actor)) {
        return rb_err_set(err, RB_EEXISTS, RB_T_trust_twice, id);
    }
    return 0;
}

json_t *rb_approval_answer(struct rb_journal *journal, const json_t *approval, const struct rb_answer *answer,
                           struct rb_err *err)
{
    bool yes = answer->yes;
    const char *reason = answer->reason;
    json_t *actor = rb_journal_actor_find();
    struct word word = {.approval = json_deep_copy(approval), .actor = actor, .users = answer->users, .yes = yes};
    json_t *body = json_pack("{s:O*, s:O*, s:O*, s:b, s:s*}", "id", json_object_get(approval, "id"), "plan",
                             json_object_get(approval, "plan"), "digest", json_object_get(approval, "digest"), "yes",
                             yes, "reason", reason);
    rb_journal_actor_set(journal, actor);
    RB_CRASH_POINT("approval");
    int rc = rb_journal_add_if(journal,
                               &(struct rb_journal_if){.run = rb_json_str(approval, "run", ""),
                                                       .kind = "approval.answered",
                                                       .body = body,
                                                       .check = check_answer,
                                                       .user = &word},
                               err);
    RB_CRASH_POINT("approved");
    rc = rc ? rc : rb_approval_complete(journal, word.approval, err);
    if (rc == 0) {
        (void)rb_journal_seal(journal, NULL); /* the next seal covers it too */
    }
    json_decref(body);
    json_decref(actor);
    if (rc) {
        json_decref(word.approval);
        return NULL;
    }
    return word.approval;
}

/* ---- use ---- */

static int check_use(struct rb_journal *journal, void *user, struct rb_err *err)
{
    json_t *approval = user;
    if (rb_approval_complete(journal, approval, err)) {
        return RB_EJOURNAL;
    }
    const char *state = rb_json_str(approval, "state", "");
    return strcmp(state, "granted")
               ? rb_err_set(err, RB_EREFUSED, RB_T_trust_not_usable, rb_json_str(approval, "id", "?"), state)
               : 0;
}

int rb_approval_use(struct rb_journal *journal, const json_t *approval, struct rb_err *err)
{
    json_t *again = json_deep_copy(approval);
    json_t *body = json_pack("{s:O*, s:O*, s:O*}", "id", json_object_get(approval, "id"), "plan",
                             json_object_get(approval, "plan"), "digest", json_object_get(approval, "digest"));
    RB_CRASH_POINT("approval use");
    int rc = rb_journal_add_if(journal,
                               &(struct rb_journal_if){.run = rb_json_str(approval, "run", ""),
                                                       .kind = "approval.used",
                                                       .body = body,
                                                       .check = check_use,
                                                       .user = again},
                               err);
    RB_CRASH_POINT("approval used");
    json_decref(body);
    json_decref(again);
    return rc;
}
