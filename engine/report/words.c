/* Entries in words, in the language set. What comes from the record is put in as it is: the prints escape everything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/private.h"

#define TX(name) rb_text(RB_T_report_##name)

const char *rb_report_word(const char *prefix, const char *word)
{
    char name[96];
    snprintf(name, sizeof name, "%s_%s", prefix, word);
    for (char *dash; (dash = strchr(name, '-')) != NULL;) {
        *dash = '_';
    }
    for (int id = RB_T_none + 1; id < RB_T_COUNT; id++) {
        if (!strcmp(rb_text_name(id), name)) {
            return rb_text(id);
        }
    }
    return word;
}

const char *report_result(const char *result)
{
    const char *own = rb_report_word("report_r", result);
    return own != result ? own : rb_report_word("cli_r", result);
}

void report_duration(const json_t *ms, char *out, size_t size)
{
    char text[RB_TIME_MAX] = "-";
    if (json_is_integer(ms)) {
        rb_duration_format((double)json_integer_value(ms) / 1000, text);
    }
    snprintf(out, size, "%s", text);
}

/* A value in one line, as a person reads it: texts as they are, lists joined, 2.2 and not 2.2000000000000002. */
static void value(const json_t *v, struct rb_buf *out)
{
    size_t i;
    json_t *one;
    if (json_is_string(v) || json_object_get(v, "en") || json_object_get(v, "zh")) {
        rb_buf_adds(out, rb_text_json(v));
        return;
    }
    json_array_foreach(v, i, one) {
        rb_buf_adds(out, i > 0 ? ", " : "");
        value(one, out);
    }
    if (!json_is_array(v)) {
        char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
        rb_buf_adds(out, text ? text : "?");
        free(text);
    }
}

void report_fields(const json_t *object, struct rb_buf *out)
{
    char *text = object ? rb_json_canonical(object) : NULL; /* sorted */
    json_t *sorted = text ? rb_json_parse(text, strlen(text), NULL) : NULL, *v;
    const char *key, *between = "";
    json_object_foreach(sorted, key, v) {
        rb_buf_addf(out, "%s%s=", between, key);
        value(v, out);
        between = "\n";
    }
    json_decref(sorted);
    free(text);
}

/* "mend /srv/x" */
static void name_of(const json_t *e, struct rb_buf *out)
{
    const char *id = rb_json_str(e, "fix", rb_json_str(e, "id", "")), *key = rb_json_str(e, "key", "");
    rb_buf_addf(out, "%s%s%s", id, key[0] ? " " : "", key);
}

static void say_named(const json_t *e, const char *format, const char *result, struct rb_buf *out)
{
    struct rb_buf name;
    rb_buf_init(&name, 1u << 20);
    name_of(e, &name);
    rb_buf_addf(out, format, rb_buf_str(&name), result);
    rb_buf_deinit(&name);
}

static void diagnosis(const json_t *e, struct rb_buf *out)
{
    int n = (int)json_array_size(json_object_get(e, "standing"));
    if (n > 0) {
        rb_buf_addf(out, TX(diagnosis_stands), n);
    } else {
        rb_buf_adds(out, TX(diagnosis_clear));
    }
}

static void plan(const json_t *e, struct rb_buf *out)
{
    say_named(e, TX(plan), rb_report_word("cli_risk", rb_json_str(e, "risk", "low")), out);
}

static void answer(const json_t *e, struct rb_buf *out)
{
    const char *how = rb_json_str(e, "how", NULL);
    say_named(e, TX(answer), rb_report_word("report_a", rb_json_str(e, "answer", "yes")), out);
    if (how) {
        rb_buf_addf(out, TX(how), rb_report_word("report_h", how));
    }
}

static void written(const json_t *e, struct rb_buf *out)
{
    const char *verb = rb_json_str(e, "verb", "");
    rb_buf_addf(out, "%s  %s", verb, rb_json_str(e, "text", ""));
}

static void block(const json_t *e, struct rb_buf *out)
{
    const char *phase = rb_json_str(e, "phase", "run");
    rb_buf_addf(out, "%s ", rb_report_word("cli_ph", phase));
    say_named(e, TX(ended), report_result(rb_json_str(e, "result", "?")), out);
}

static void over(const json_t *e, struct rb_buf *out)
{
    say_named(e, TX(ended), report_result(rb_json_str(e, "result", "?")), out);
}

static void look(const json_t *e, struct rb_buf *out)
{
    say_named(e, TX(look), report_result(rb_json_str(e, "result", "?")), out);
}

static void found(const json_t *e, struct rb_buf *out)
{
    say_named(e, TX(found), rb_text_json(json_object_get(e, "title")), out);
}

static void start(const json_t *e, struct rb_buf *out)
{
    rb_buf_addf(out, TX(start), rb_json_str(e, "mode", "exec"));
}

static void resumed(const json_t *e, struct rb_buf *out)
{
    (void)e;
    rb_buf_adds(out, TX(resumed));
}

static void stop(const json_t *e, struct rb_buf *out)
{
    (void)e;
    rb_buf_adds(out, TX(stop));
}

static void resolved(const json_t *e, struct rb_buf *out)
{
    rb_buf_addf(out, rb_json_bool(e, "done", false) ? TX(resolved_done) : TX(resolved_not_done),
                rb_json_str(e, "verb", ""), rb_json_str(e, "text", ""));
}

static void choice(const json_t *e, struct rb_buf *out)
{
    (void)e;
    rb_buf_adds(out, TX(choice));
}

static void note(const json_t *e, struct rb_buf *out)
{
    value(json_object_get(e, "text"), out);
}

static void end(const json_t *e, struct rb_buf *out)
{
    rb_buf_addf(out, TX(end), report_result(rb_json_str(e, "result", "?")), (int)rb_json_int(e, "exit", 0));
}

static void event(const json_t *e, struct rb_buf *out)
{
    const char *kind = rb_json_str(e, "kind", "?"), *id = rb_json_str(e, "id", rb_json_str(e, "fix", ""));
    rb_buf_addf(out, "%s%s%s", kind, id[0] ? " " : "", id);
}

void report_sentence(const json_t *entry, struct rb_buf *out)
{
    static const struct {
        const char *t;
        void (*say)(const json_t *e, struct rb_buf *out);
    } ways[] = {
        {"start", start},   {"resumed", resumed},     {"stop", stop}, {"look", look},
        {"found", found},   {"diagnosis", diagnosis}, {"plan", plan}, {"answer", answer},
        {"write", written}, {"block", block},         {"over", over}, {"resolved", resolved},
        {"choice", choice}, {"note", note},           {"end", end},   {"event", event},
    };
    const char *t = rb_json_str(entry, "t", "event");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (!strcmp(ways[i].t, t)) {
            ways[i].say(entry, out);
        }
    }
}

/* ---- what belongs below it ---- */

static void line(struct rb_buf *out, const char *text)
{
    if (text && text[0]) {
        rb_buf_addf(out, "%s%s", out->len ? "\n" : "", text);
    }
}

static void error_line(const json_t *e, struct rb_buf *out)
{
    const json_t *error = json_object_get(e, "error");
    if (json_object_get(error, "message")) {
        line(out, rb_json_str(error, "message", ""));
    } else if (error && !json_is_null(error)) {
        rb_buf_adds(out, out->len ? "\n" : "");
        value(error, out);
    }
}

static void writes(const json_t *e, struct rb_buf *out)
{
    size_t i;
    json_t *write;
    json_array_foreach(json_object_get(e, "writes"), i, write) {
        rb_buf_adds(out, out->len ? "\n" : "");
        written(write, out);
    }
}

void report_detail(const json_t *entry, struct rb_buf *out)
{
    const char *t = rb_json_str(entry, "t", "");
    if (!strcmp(t, "plan")) {
        line(out, rb_text_json(json_object_get(entry, "title")));
        writes(entry, out);
    } else if (!rb_json_str(entry, "verb", NULL) && strcmp(t, "note") != 0) { /* else it is in the sentence */
        line(out, rb_text_json(json_object_get(entry, "text")));
    }
    if (json_object_size(json_object_get(entry, "evidence")) > 0) {
        rb_buf_adds(out, out->len ? "\n" : "");
        report_fields(json_object_get(entry, "evidence"), out);
    }
    error_line(entry, out);
    line(out, rb_text_json(json_object_get(entry, "why")));
    line(out, rb_json_str(entry, "reason", NULL));
}
