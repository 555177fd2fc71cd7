/* runbook test --from-run RUN: a real run, frozen into a test. What it asked and was told is all there is in it:
 * secrets are names and were removed from answers before they were recorded. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "journal/journal.h"

#define ANSWER_MAX (16u << 20)

struct frozen {
    struct rb_cli *c;
    json_t *started, *calls; /* {"shell.read": [{args, value | error}]} */
    json_t *expect;          /* of the first diagnosis; NULL until it came */
};

static json_t *whole(struct frozen *f, json_t *value)
{
    const char *hex = json_is_object(value) ? rb_json_str(value, "$blob", NULL) : NULL;
    struct rb_buf text;
    if (hex == NULL) {
        return json_incref(value);
    }
    rb_buf_init(&text, ANSWER_MAX);
    int rc = rb_journal_blob(f->c->journal, hex, &text, NULL);
    json_t *found = rc == 0 ? rb_json_parse(rb_buf_str(&text), text.len, NULL) : NULL;
    rb_buf_deinit(&text);
    return found != NULL ? found : json_incref(value);
}

static void add_call(struct frozen *f, const json_t *outcome)
{
    const char *verb = rb_json_str(outcome, "verb", "?");
    json_t *list = json_object_get(f->calls, verb), *value = json_object_get(outcome, "value");
    json_t *one = json_pack("{s:O*}", "args", json_object_get(outcome, "args"));
    if (value != NULL) {
        json_object_set_new(one, "value", whole(f, value));
    } else {
        json_object_set(one, "error", json_object_get(outcome, "error"));
    }
    if (list == NULL) {
        list = json_array();
        json_object_set_new(f->calls, verb, list);
    }
    json_array_append_new(list, one);
}

static json_t *ids_of(const json_t *diagnosis)
{
    json_t *seen = json_object(), *ids = json_array(), *one;
    size_t i;
    json_array_foreach(json_object_get(diagnosis, "standing"), i, one) {
        const char *id = rb_json_str(one, "id", "");
        if (json_object_get(seen, id) == NULL) {
            json_object_set_new(seen, id, json_true());
            json_array_append_new(ids, json_string(id));
        }
    }
    json_decref(seen);
    return ids;
}

static int keep(const struct rb_event *event, void *user)
{
    struct frozen *f = user;
    json_t *body = event->body != NULL ? rb_json_parse(event->body, strlen(event->body), NULL) : NULL;
    if (body == NULL || f->expect != NULL) {
        json_decref(body);
        return 0;
    }
    if (strcmp(event->kind, "run.started") == 0) {
        f->started = json_incref(body);
    } else if (strcmp(event->kind, "call.outcome") == 0) {
        add_call(f, body);
    } else if (strcmp(event->kind, "diagnosis") == 0) {
        f->expect = ids_of(body);
    }
    json_decref(body);
    return 0;
}

/* JSON inside a long bracket of Lua that it does not close. */
static void put_json(struct rb_cli *c, const char *before, const json_t *value, const char *after)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY), equals[32] = "";
    char closing[40];
    do {
        equals[strlen(equals) + 1] = '\0';
        equals[strlen(equals)] = '=';
        snprintf(closing, sizeof closing, "]%s]", equals);
    } while (strstr(text, closing) != NULL && strlen(equals) < sizeof equals - 2);
    rb_put(c, RB_OUT, RB_PLAIN, "%sjson.decode [%s[", before, equals);
    rb_put_raw(c, text);
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s\n", closing, after);
    free(text);
}

static void put_test(struct frozen *f, const char *run)
{
    struct rb_cli *c = f->c;
    const char *verb, *gap = "";
    json_t *calls, *id;
    size_t i;
    rb_put(c, RB_OUT, RB_PLAIN, "test \"%s\" {\n", run);
    put_json(c, "  with = ", json_object_get(f->started, "params"), ",");
    rb_put(c, RB_OUT, RB_PLAIN, "  given = {\n");
    json_object_foreach(f->calls, verb, calls) {
        rb_put(c, RB_OUT, RB_PLAIN, "    [\"%s\"] = recorded(", rb_word(c, verb));
        put_json(c, "", calls, "),");
    }
    rb_put(c, RB_OUT, RB_PLAIN, "  },\n  expect = {");
    json_array_foreach(f->expect, i, id) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s \"%s\"", gap, rb_word(c, json_string_value(id)));
        gap = ",";
    }
    rb_put(c, RB_OUT, RB_PLAIN, " },\n}\n");
}

int rb_test_from_run(struct rb_cli *c, const char *prefix)
{
    struct rb_err err = {0};
    char run[RB_ID_MAX];
    struct frozen f = {.c = c, .calls = json_object()};
    int rc = rb_cli_journal(c, false, &err);
    if (rc == 0 && c->journal == NULL) {
        rc = rb_err_set(&err, RB_ENOT_FOUND, RB_T_cli_no_run, prefix);
    }
    rc = rc != 0 ? rc : rb_journal_find_run(c->journal, prefix, run, &err);
    rc = rc != 0 ? rc : rb_journal_read(c->journal, run, 0, keep, &f, &err);
    if (rc == 0 && f.expect == NULL) {
        rc = rb_err_set(&err, RB_EUSAGE, RB_T_cli_test_no_diagnosis, run);
    }
    if (rc == 0) {
        put_test(&f, run);
    }
    json_decref(f.started);
    json_decref(f.calls);
    json_decref(f.expect);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}
