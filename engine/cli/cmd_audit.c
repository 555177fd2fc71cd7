/* runbook audit: who did and decided what; audit verify: is the chain whole? */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/audit_kinds.h"
#include "cli/commands.h"
#include "journal/journal.h"
#include "report/report.h"

#define LIMIT_STANDARD 200

const char *rb_actor_word(struct rb_cli *c, const json_t *actor)
{
    char text[256], uid[32];
    if (json_is_string(actor)) {
        return rb_word(c, json_string_value(actor));
    }
    snprintf(uid, sizeof uid, "uid %lld", (long long)rb_json_int(actor, "uid", -1));
    const char *login = rb_json_str(actor, "login", rb_json_str(actor, "kind", uid));
    const char *sudo = rb_json_str(actor, "sudo", NULL);
    if (rb_json_str(actor, "schedule", NULL) != NULL || rb_json_bool(actor, "service", false)) {
        return rb_text(RB_T_schedule_actor);
    }
    snprintf(text, sizeof text, sudo != NULL ? "%s (sudo %s)" : "%s", login, sudo);
    return rb_word(c, text);
}

struct audit {
    struct rb_cli *c;
    json_t *rows; /* the newest limit ones */
    json_t *events;
    size_t limit;
    int64_t since;
};

static const char *what(struct rb_cli *c, const struct rb_audit_kind *kind, const json_t *body)
{
    struct rb_buf text;
    rb_buf_init(&text, 1u << 20);
    kind->say(c, body, &text);
    const char *kept = rb_word(c, rb_buf_str(&text));
    rb_buf_deinit(&text);
    return kept;
}

static void keep(struct audit *a, json_t *list, json_t *value)
{
    json_array_append_new(list, value);
    if (json_array_size(list) > a->limit) {
        json_array_remove(list, 0);
    }
}

static int take_event(const struct rb_event *e, void *user)
{
    struct audit *a = user;
    struct rb_cli *c = a->c;
    size_t mark = rb_word_mark(c);
    json_t *body = e->body != NULL ? rb_json_parse(e->body, strlen(e->body), NULL) : NULL;
    const struct rb_audit_kind *kind = rb_audit_kind(e->kind);
    if (e->utc_us >= a->since && (c->verbose || kind->of_interest(body))) {
        json_t *actor = rb_json_parse(e->actor, strlen(e->actor), NULL);
        char id[32], at[RB_TIME_MAX];
        snprintf(id, sizeof id, "%lld", (long long)e->id);
        rb_clock_format(e->utc_us, 1, at);
        json_t *row = json_array();
        rb_row(row, id, rb_word_time(c, e->utc_us), e->run, rb_actor_word(c, actor), e->kind, what(c, kind, body),
               NULL);
        keep(a, a->rows, json_incref(json_array_get(row, 0)));
        keep(a, a->events,
             json_pack("{s:I, s:s, s:s, s:I, s:s, s:O?, s:O?, s:s}", "id", (json_int_t)e->id, "at", at, "run", e->run,
                       "seq", (json_int_t)e->seq, "t", e->kind, "actor", actor, "body", body, "hash", e->hash));
        json_decref(row);
        json_decref(actor);
    }
    json_decref(body);
    rb_word_release(c, mark);
    return 0;
}

static void put_audit(struct rb_cli *c, const struct audit *a)
{
    json_t *headings = json_array();
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:O}", "schema", "runbook.audit/1", "events", a->events));
    } else if (c->format == RB_FORMAT_JSONL) {
        size_t i;
        json_t *event;
        json_array_foreach(a->events, i, event) {
            rb_put_jsonl(c, event);
        }
    } else if (json_array_size(a->rows) == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", TX(audit_nothing));
    } else {
        rb_row(headings, TX(col_number), TX(col_when), TX(col_run), TX(col_who), TX(col_event), TX(col_what), NULL);
        rb_put_listing(c, headings, a->rows, 0);
    }
    json_decref(headings);
}

static int audit_list(struct rb_cli *c)
{
    struct rb_err err = {0};
    char run[RB_ID_MAX];
    const char *prefix = rb_options_get(&c->options, RB_O_RUN), *limit = rb_options_get(&c->options, RB_O_LIMIT);
    const char *last = rb_options_get(&c->options, RB_O_LAST);
    struct audit a = {.c = c, .limit = limit != NULL ? (size_t)strtoul(limit, NULL, 10) : LIMIT_STANDARD};
    double seconds = 0;
    if (a.limit == 0 || (last != NULL && rb_duration_parse(last, &seconds) != 0)) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_bad_value, a.limit == 0 ? "limit" : "last", a.limit == 0 ? limit : last);
        return rb_cli_fail(c, &err);
    }
    a.since = last != NULL ? rb_clock_utc_us() - (int64_t)(seconds * 1e6) : 0;
    if (c->journal != NULL && prefix != NULL && rb_journal_find_run(c->journal, prefix, run, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    a.rows = json_array();
    a.events = json_array();
    int rc = 0;
    struct rb_journal *j = c->journal;
    for (; rc == 0 && j != NULL; j = prefix != NULL ? NULL : rb_journal_beside(j)) {
        rc = rb_journal_read(j, prefix != NULL ? run : NULL, 0, take_event, &a, &err);
    }
    if (rc == 0) {
        put_audit(c, &a);
    }
    json_decref(a.rows);
    json_decref(a.events);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}

static json_t *verify_json(const struct rb_verify *v)
{
    char last[RB_HEX_SIZE + 8];
    snprintf(last, sizeof last, "sha256:%s", v->last);
    if (v->ok) {
        return json_pack("{s:s, s:b, s:I, s:s, s:I, s:I, s:I, s:s}", "schema", "runbook.verify/1", "ok", 1, "events",
                         (json_int_t)v->events, "last", last, "seals", (json_int_t)v->seals, "sealed",
                         (json_int_t)v->sealed, "early", (json_int_t)v->early, "key", v->key);
    }
    return json_pack("{s:s, s:b, s:I, s:{s:s, s:I, s:I}, s:s}", "schema", "runbook.verify/1", "ok", 0, "events",
                     (json_int_t)v->events, "event", "run", v->run, "seq", (json_int_t)v->seq, "id", (json_int_t)v->id,
                     "why", v->why);
}

static void put_sealed(struct rb_cli *c, const struct rb_verify *v)
{
    if (v->seals > 0) {
        rb_put(c, RB_OUT, RB_PLAIN, TX(verify_sealed), (long long)v->sealed, (long long)v->seals, v->key);
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    } else if (v->events > 0) {
        rb_put(c, RB_OUT, RB_WARN, "%s\n", TX(verify_unsealed));
    }
    if (v->seals > 0 && v->early > 0) {
        rb_put(c, RB_OUT, RB_WARN, TX(verify_early), (long long)v->early);
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
}

static void put_verified(struct rb_cli *c, const struct rb_verify *v)
{
    if (v->ok) {
        rb_put_mark(c, RB_OUT, RB_GOOD);
        rb_put(c, RB_OUT, RB_PLAIN, rb_text_n(RB_T_cli_verify_ok, v->events), (long long)v->events);
        rb_put(c, RB_OUT, RB_PLAIN, v->last[0] != '\0' ? " sha256:%s\n" : " -%s\n", v->last);
        put_sealed(c, v);
    } else {
        rb_put_mark(c, RB_OUT, RB_BAD);
        if (v->run[0] != '\0') {
            rb_put(c, RB_OUT, RB_PLAIN, TX(verify_broken), rb_word(c, v->run), (long long)v->seq, (long long)v->id,
                   rb_word(c, v->why));
        } else {
            rb_put(c, RB_OUT, RB_PLAIN, TX(verify_cut), (long long)v->events, rb_word(c, v->why));
        }
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
}

/* Nothing has run yet, or somebody removed the whole record. */
static int verify_gone(const struct rb_verify_with *with, struct rb_verify *v, struct rb_err *err)
{
    char path[PATH_MAX];
    int rc = rb_journal_default_path(path, sizeof path, err);
    return rc != 0 ? rc : rb_journal_verify_gone(path, with, v, err);
}

/* A second journal has a chain, seals and a key of its own; what was noted elsewhere is about the first. */
static int audit_verify(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_verify v = {.ok = true}, beside = {.ok = true};
    struct rb_journal *second = c->journal != NULL ? rb_journal_beside(c->journal) : NULL;
    const struct rb_verify_with with = {.seals = rb_options_get(&c->options, RB_O_SEALS),
                                        .key = rb_options_get(&c->options, RB_O_KEY)};
    int rc = c->journal != NULL ? rb_journal_verify(c->journal, &with, &v, &err) : verify_gone(&with, &v, &err);
    rc = rc == 0 && second != NULL ? rb_journal_verify(second, NULL, &beside, &err) : rc;
    if (rc != 0) {
        return rb_cli_fail(c, &err);
    }
    if (c->format != RB_FORMAT_TEXT) {
        json_t *out = verify_json(&v);
        if (second != NULL) {
            json_object_set_new(out, "ok", json_boolean(v.ok && beside.ok));
            json_object_set_new(out, "second", verify_json(&beside));
        }
        rb_put_json(c, out);
    } else {
        put_verified(c, &v);
        if (second != NULL) {
            rb_put(c, RB_OUT, RB_BOLD, "%s\n", rb_word(c, rb_journal_path(second)));
            put_verified(c, &beside);
        }
    }
    return v.ok && beside.ok ? 0 : 1;
}

/* One line an event, with every byte that its hash protects: actor and body are texts, not objects. */
static int export_event(const struct rb_event *e, void *user)
{
    json_t *line =
        json_pack("{s:I, s:s, s:I, s:I, s:I, s:s, s:s, s:s?, s:s, s:s}", "id", (json_int_t)e->id, "run", e->run, "seq",
                  (json_int_t)e->seq, "utc", (json_int_t)e->utc_us, "mono", (json_int_t)e->mono_ns, "kind", e->kind,
                  "actor", e->actor, "body", e->body, "digest", e->digest, "hash", e->hash);
    rb_put_jsonl(user, line);
    json_decref(line);
    return 0;
}

static int audit_export(struct rb_cli *c)
{
    struct rb_err err = {0};
    int rc = c->journal != NULL ? rb_journal_read(c->journal, NULL, 0, export_event, c, &err) : 0;
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}

int rb_cmd_audit(struct rb_cli *c)
{
    static const struct {
        const char *name;
        int (*run)(struct rb_cli *c);
    } actions[] = {{NULL, audit_list}, {"verify", audit_verify}, {"export", audit_export}};
    struct rb_err err = {0};
    size_t i = 0;
    while (c->nargs > 0 && (++i < sizeof actions / sizeof *actions) && strcmp(actions[i].name, c->args[0]) != 0) {
    }
    if (i == sizeof actions / sizeof *actions || c->nargs > 1) {
        rb_err_set(&err, RB_EUSAGE, RB_T_cli_audit_what, c->args[c->nargs - 1]);
        return rb_cli_fail(c, &err);
    }
    if (rb_cli_journal(c, false, &err) != 0) {
        return rb_cli_fail(c, &err);
    }
    return actions[i].run(c);
}
