/* What a run found: causes below what they explain, and what still stands after a repair. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/exec.h"

#define DEPTH_MAX 6

const char *rb_exec_name(struct rb_exec *e, const json_t *body)
{
    char text[512];
    const char *key = rb_json_str(body, "key", "");
    snprintf(text, sizeof text, "%s%s%s", rb_json_str(body, "id", "?"), key[0] != '\0' ? " " : "", key);
    return rb_word(e->c, text);
}

static const char *instance_key(struct rb_exec *e, const json_t *instance)
{
    char text[1024];
    snprintf(text, sizeof text, "%s/%s", rb_json_str(instance, "id", ""), rb_json_str(instance, "key", ""));
    return rb_word(e->c, text);
}

void rb_exec_finding(struct rb_exec *e, const json_t *f, int indent)
{
    struct rb_cli *c = e->c;
    const char *title = rb_word_text(c, json_object_get(f, "title"));
    const char *severity = rb_word(c, rb_json_str(f, "severity", ""));
    const char *advice = rb_word_text(c, json_object_get(f, "advice"));
    rb_put(c, RB_OUT, RB_PLAIN, "%*s", indent, "");
    if (!e->interactive) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s %s  %s  %s  %s\n", TX(finding), rb_exec_name(e, f), severity, title,
               rb_evidence_line(c, json_object_get(f, "evidence")));
        if (advice[0] != '\0') {
            rb_put(c, RB_OUT, RB_PLAIN, "%*s%s %s  %s\n", indent, "", TX(advice), rb_exec_name(e, f), advice);
        }
        return;
    }
    rb_put_mark(c, RB_OUT, RB_WARN);
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_exec_name(e, f));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s\n", title, severity);
    if (!e->brief) {
        rb_put_evidence(c, json_object_get(f, "evidence"), indent + 4);
    }
    if (advice[0] != '\0') {
        rb_put(c, RB_OUT, RB_PLAIN, "%*s%s\n", indent + 4, "", TX(advice));
        rb_put_block(c, RB_OUT, indent + 6, json_object_get(f, "advice"));
    }
}

/* parent NULL: those that explain nothing that stands. Causes come below what they explain. */
static void put_tree(struct rb_exec *e, const json_t *standing, const char *parent, int depth)
{
    size_t i;
    json_t *s;
    const char *last = "";
    json_array_foreach((json_t *)standing, i, s) {
        const json_t *f = json_object_get(e->found, instance_key(e, s));
        const char *explains = rb_json_str(f, "explains", "");
        bool root = explains[0] == '\0' || !rb_json_find(standing, "id", explains);
        bool here = parent == NULL ? root : !root && strcmp(explains, parent) == 0;
        if (f == NULL || !here || depth > DEPTH_MAX) {
            continue;
        }
        rb_exec_finding(e, f, (e->interactive ? 4 : 0) + 2 * depth);
        const char *id = rb_json_str(s, "id", "");
        const json_t *after = json_array_get(standing, i + 1);
        last = id;
        /* Several instances of one finding share their causes: shown once, below the last of them. */
        if (strcmp(rb_json_str(after, "id", ""), last) != 0) {
            put_tree(e, standing, id, depth + 1);
        }
    }
}

void rb_exec_tree(struct rb_exec *e, const json_t *standing)
{
    put_tree(e, standing, NULL, 0);
}

static void put_still(struct rb_exec *e, const json_t *standing)
{
    struct rb_cli *c = e->c;
    size_t i;
    json_t *s;
    if (json_array_size(standing) == 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s", e->interactive ? "  " : "");
        if (e->interactive) {
            rb_put_mark(c, RB_OUT, RB_GOOD);
        }
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", TX(nothing_stands));
        return;
    }
    json_array_foreach((json_t *)standing, i, s) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s", e->interactive ? "  " : "");
        if (e->interactive) {
            rb_put_mark(c, RB_OUT, RB_WARN);
        }
        rb_put(c, RB_OUT, RB_PLAIN, "%s %s\n", TX(still_stands), rb_exec_name(e, s));
    }
}

void rb_exec_found(struct rb_exec *e, const json_t *body)
{
    json_object_set(e->found, instance_key(e, body), (json_t *)body);
}

void rb_exec_learn(struct rb_exec *e, const json_t *report)
{
    size_t i, k;
    json_t *check, *one;
    json_array_foreach(json_object_get(report, "checks"), i, check) {
        json_array_foreach(json_object_get(check, "findings"), k, one) {
            rb_exec_found(e, one);
        }
    }
}

void rb_exec_diagnosis(struct rb_exec *e, const json_t *body)
{
    const json_t *standing = json_object_get(body, "standing");
    bool same = e->standing_shown != NULL && json_equal(e->standing_shown, standing);
    rb_status(e->c, NULL);
    if (e->round == 0) {
        rb_exec_tree(e, standing);
    } else if (!same) {
        put_still(e, standing);
    }
    e->round++;
    json_decref(e->standing_shown);
    e->standing_shown = json_deep_copy(standing);
}
