/* runbook approvals, approve, reject: what waits for other people, and their word. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/exec.h"
#include "journal/journal.h"
#include "run/approval.h"

#define LINE_MAX_TYPED 256

/* ---- looking ---- */

static const char *when_word(struct rb_cli *c, json_int_t us)
{
    char text[RB_TIME_MAX], word[RB_TIME_MAX + 32];
    int64_t left = us - rb_clock_utc_us();
    rb_duration_format((double)(left > 0 ? left : 0) / 1e6, text);
    snprintf(word, sizeof word, TX_TRUST(expires_in), text);
    return left > 0 ? rb_word(c, word) : TX_TRUST(s_expired);
}

static const char *age_word(struct rb_cli *c, json_int_t us)
{
    char text[RB_TIME_MAX];
    rb_clock_format(us, 0, text);
    return rb_word_ago(c, text);
}

static const char *what_of(struct rb_cli *c, const json_t *a)
{
    char text[1024];
    const char *key = rb_json_str(a, "key", "");
    snprintf(text, sizeof text, "%s %s%s%s", rb_json_str(a, "runbook", "?"), rb_json_str(a, "fix", "?"),
             key[0] != '\0' ? "=" : "", key);
    return rb_word(c, text);
}

static const char *requester_of(struct rb_cli *c, const json_t *a)
{
    const json_t *list = json_object_get(a, "requesters");
    return rb_actor_word(c, json_array_get(list, json_array_size(list) - 1));
}

static const char *state_word(const char *state)
{
    return strcmp(state, "waiting") == 0    ? TX_TRUST(s_waiting)
           : strcmp(state, "granted") == 0  ? TX_TRUST(s_granted)
           : strcmp(state, "rejected") == 0 ? TX_TRUST(s_rejected)
           : strcmp(state, "used") == 0     ? TX_TRUST(s_used)
                                            : TX_TRUST(s_expired);
}

/* The object of machine output: times as times. New reference. */
static json_t *public_form(const json_t *a)
{
    char text[RB_TIME_MAX];
    json_t *copy = json_copy((json_t *)a);
    static const char *const times[] = {"asked", "expires"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        rb_clock_format(rb_json_int(a, times[i], 0), 0, text);
        json_object_set_new(copy, times[i], json_string(text));
    }
    json_object_del(copy, "event");
    json_object_del(copy, "used_event");
    return copy;
}

static void put_list(struct rb_cli *c, const json_t *list)
{
    json_t *rows = json_array(), *headings = json_array(), *a;
    size_t i;
    rb_row(headings, TX(col_id), TX_TRUST(col_risk), TX(col_what), TX_TRUST(col_asked_by), TX_TRUST(col_age),
           TX_TRUST(col_state), NULL);
    json_array_foreach((json_t *)list, i, a) {
        const char *state = rb_json_str(a, "state", "");
        char left[64];
        snprintf(left, sizeof left, TX_TRUST(left), (int)rb_json_int(a, "left", 1),
                 when_word(c, rb_json_int(a, "expires", 0)));
        rb_row(rows, rb_json_str(a, "id", "?"), rb_risk_word(c, rb_json_str(a, "risk", "")), what_of(c, a),
               requester_of(c, a), age_word(c, rb_json_int(a, "asked", 0)),
               strcmp(state, "waiting") == 0 ? left : state_word(state), NULL);
    }
    if (json_array_size(rows) == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", TX_TRUST(none_waits));
    } else {
        rb_put_listing(c, headings, rows, 2);
    }
    json_decref(rows);
    json_decref(headings);
}

int rb_cmd_approvals(struct rb_cli *c)
{
    struct rb_err err = {0};
    int rc = rb_cli_journal(c, false, &err);
    json_t *list = rc != 0              ? NULL
                   : c->journal == NULL ? json_array()
                                        : rb_approvals(c->journal, rb_options_has(&c->options, RB_O_ALL), &err),
           *a;
    if (list == NULL) {
        return rb_cli_fail(c, &err);
    }
    if (c->format == RB_FORMAT_JSON) {
        json_t *out = json_array();
        size_t i;
        json_array_foreach(list, i, a) {
            json_array_append_new(out, public_form(a));
        }
        rb_put_json(c, json_pack("{s:s, s:o}", "schema", "runbook.approvals/1", "approvals", out));
    } else {
        put_list(c, list);
    }
    json_decref(list);
    return 0;
}

/* Everything the word is for: who asks, why, what would be written, and how it could be taken back. */
static void put_request(struct rb_cli *c, enum rb_sink sink, const json_t *a)
{
    size_t i;
    json_t *write;
    const char *no_undo = rb_word_text(c, json_object_get(a, "no_undo")), *reason = rb_json_str(a, "reason", "");
    const char *outside = rb_json_str(a, "outside", NULL);
    rb_put(c, sink, RB_BOLD, "%s", rb_word(c, rb_json_str(a, "id", "?")));
    rb_put(c, sink, RB_PLAIN, "  %s  %s  %s %s\n", what_of(c, a), rb_word_text(c, json_object_get(a, "what")), TX(risk),
           rb_risk_word(c, rb_json_str(a, "risk", "")));
    rb_put(c, sink, RB_PLAIN, TX_TRUST(asked_line), rb_word(c, rb_json_str(a, "plan", "?")),
           rb_word(c, rb_json_str(a, "target", "")), requester_of(c, a), when_word(c, rb_json_int(a, "expires", 0)));
    rb_put(c, sink, RB_PLAIN, "%s%s%s\n", reason[0] != '\0' ? "  \"" : "", rb_word(c, reason),
           reason[0] != '\0' ? "\"" : "");
    if (outside != NULL) {
        rb_put(c, sink, RB_WARN, "  ");
        rb_put(c, sink, RB_WARN, TX_TRUST(outside), rb_word(c, outside));
        rb_put(c, sink, RB_PLAIN, "\n");
    }
    json_array_foreach(json_object_get(a, "writes"), i, write) {
        rb_put(c, sink, RB_PLAIN, "  %s\n", rb_effect_line(c, write));
    }
    if (rb_json_bool(a, "open", false)) {
        rb_put(c, sink, RB_WARN, "  %s\n", TX(plan_open));
    }
    if (no_undo[0] != '\0') {
        rb_put(c, sink, RB_WARN, "  %s  %s\n", TX(no_undo), no_undo);
    }
}

int rb_show_approval(struct rb_cli *c, const char *id)
{
    struct rb_err err = {0};
    int rc = rb_cli_journal(c, false, &err);
    rc = rc == 0 && c->journal == NULL ? rb_err_set(&err, RB_ENOT_FOUND, RB_T_trust_approval_none, id) : rc;
    json_t *a = rc == 0 ? rb_approval_find(c->journal, id, &err) : NULL;
    if (a == NULL) {
        return rb_cli_fail(c, &err);
    }
    if (c->format == RB_FORMAT_JSON) {
        json_t *out = public_form(a);
        json_object_set_new(out, "schema", json_string("runbook.approval/1"));
        rb_put_json(c, out);
    } else {
        put_request(c, RB_OUT, a);
    }
    json_decref(a);
    return 0;
}

/* ---- the word ---- */

/* In a terminal the id of the plan is typed: nobody agrees to what he did not look at. */
static bool typed_plan(struct rb_cli *c, const json_t *a)
{
    char line[LINE_MAX_TYPED] = "";
    const char *plan = rb_json_str(a, "plan", "?"), *given = rb_options_get(&c->options, RB_O_CONFIRM);
    bool asks = !c->no_input && isatty(STDIN_FILENO) == 1;
    if (given != NULL || !asks || strcmp(c->args[0], plan) == 0) {
        return given == NULL || strcmp(given, plan) == 0;
    }
    rb_put(c, RB_ERR, RB_DIM, "%s  --confirm %s\n", TX(twin), rb_word(c, plan));
    rb_put(c, RB_ERR, RB_BOLD, TX(confirm_typed), rb_word(c, plan));
    fflush(stderr);
    rb_put_entered(c);
    bool read = fgets(line, sizeof line, stdin) != NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return read && strcmp(line, plan) == 0;
}

static void put_answered(struct rb_cli *c, const json_t *a, bool yes)
{
    int left = (int)rb_json_int(a, "left", 0);
    json_t *argv = rb_cli_repeat(c);
    json_array_append_new(argv, json_string("resume"));
    json_array_append(argv, json_object_get(a, "run"));
    if (c->format == RB_FORMAT_JSON) {
        json_t *out = public_form(a);
        json_object_set_new(out, "schema", json_string("runbook.approval/1"));
        json_object_set_new(out, "next", json_pack("[{s:O}]", "argv", argv));
        rb_put_json(c, out);
    } else {
        rb_put_mark(c, RB_OUT, yes ? RB_GOOD : RB_BAD);
        rb_put(c, RB_OUT, RB_PLAIN, yes ? left > 0 ? TX_TRUST(agreed_left) : TX_TRUST(agreed) : TX_TRUST(said_no),
               rb_word(c, rb_json_str(a, "id", "?")), left);
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
        if (!yes || left <= 0) {
            rb_put(c, RB_ERR, RB_PLAIN, "%s  ", TX_TRUST(goes_on));
            rb_put(c, RB_ERR, RB_COMMAND, "%s\n", rb_word_argv(c, argv));
        }
    }
    json_decref(argv);
}

/* What is over is an end like the run's own: exit 4. */
static int refused(struct rb_cli *c, const struct rb_err *err)
{
    int code = rb_cli_fail(c, err);
    return err->code == RB_EEXISTS || err->code == RB_EREFUSED ? 4 : code;
}

static int answer(struct rb_cli *c, bool yes)
{
    struct rb_err err = {0};
    const json_t *config = NULL;
    struct rb_answer word = {.yes = yes, .reason = rb_options_get(&c->options, RB_O_REASON)};
    if (c->nargs == 0) {
        return rb_cmd_approvals(c);
    }
    int rc = c->nargs == 1 && word.reason != NULL
                 ? 0
                 : rb_err_set(&err, RB_EUSAGE, yes ? RB_T_trust_approve_what : RB_T_trust_reject_what);
    rc = rc != 0 ? rc : rb_cli_loop(c, &err);
    rc = rc != 0 ? rc : rb_cli_config(c, &config, &err);
    rc = rc != 0 ? rc : rb_exec_journal(c, &err);
    word.users = json_object_get(config, "user");
    json_t *a = rc == 0 ? rb_approval_find(c->journal, c->args[0], &err) : NULL, *after = NULL;
    if (a != NULL && rb_cli_journal_of(c, rb_json_str(a, "run", ""), &err) == 0) {
        put_request(c, RB_ERR, a);
        after = yes && !typed_plan(c, a)
                    ? (rb_err_set(&err, RB_EUSAGE, RB_T_trust_not_typed, rb_json_str(a, "plan", "?")), NULL)
                    : rb_approval_answer(c->journal, a, &word, &err);
    }
    int code = 0;
    if (after == NULL) {
        code = refused(c, &err);
    } else {
        put_answered(c, after, yes);
    }
    json_decref(after);
    json_decref(a);
    return code;
}

int rb_cmd_approve(struct rb_cli *c)
{
    return answer(c, true);
}

int rb_cmd_reject(struct rb_cli *c)
{
    return answer(c, false);
}
