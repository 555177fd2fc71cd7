/* The story as a document: titles, facts and tables in the language set. How it looks is the prints' business. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "report/private.h"

#define TX(name) rb_text(RB_T_report_##name)

static const char *tone_of(const char *result)
{
    static const struct {
        const char *result, *tone;
    } tones[] = {
        {"healthy", "good"},   {"fixed", "good"},      {"done", "good"},    {"ok", "good"},     {"said_done", "good"},
        {"cleared", "good"},   {"yes", "good"},        {"failed", "bad"},   {"unknown", "bad"}, {"interrupted", "bad"},
        {"refused", "bad"},    {"timed_out", "bad"},   {"rejected", "bad"}, {"denied", "bad"},  {"not_verified", "bad"},
        {"by_verify", "good"}, {"by_receipt", "good"},
    };
    for (size_t i = 0; i < sizeof tones / sizeof *tones; i++) {
        if (!strcmp(tones[i].result, result)) {
            return tones[i].tone;
        }
    }
    return result[0] ? "warn" : "";
}

/* Jansson refuses what is not UTF-8; the record has none, and a cut text must not cost the report. */
static json_t *text(const char *s)
{
    json_t *value = json_string(s);
    return value ? value : json_string("?");
}

static json_t *taken(struct rb_buf *b)
{
    json_t *value = text(rb_buf_str(b));
    rb_buf_deinit(b);
    return value;
}

static json_t *cell(json_t *words, const char *tone, bool code)
{
    return json_pack("{s:o, s:s, s:b}", "text", words, "tone", tone, "code", code);
}

static void fact(json_t *facts, const char *label, json_t *value)
{
    json_array_append_new(facts, json_pack("[s, o]", label, value));
}

static void fact_text(json_t *facts, const char *label, const char *value)
{
    if (value && value[0]) {
        fact(facts, label, text(value));
    }
}

static void fact_time(json_t *facts, const char *label, const json_t *ms)
{
    char out[64];
    report_duration(ms, out, sizeof out);
    fact(facts, label, text(out));
}

static json_t *people(const json_t *story)
{
    struct rb_buf b;
    size_t i;
    json_t *one;
    rb_buf_init(&b, 1u << 16);
    json_array_foreach(json_object_get(story, "people"), i, one) {
        rb_buf_addf(&b, "%s%s", i ? ", " : "", json_string_value(one));
    }
    return taken(&b);
}

static json_t *params(const json_t *story)
{
    struct rb_buf b;
    rb_buf_init(&b, 1u << 20);
    report_fields(json_object_get(story, "params"), &b);
    return taken(&b);
}

/* Whoever looks for this run in the usual journal must know why it is not there. */
static void second_journal(json_t *facts, const json_t *story)
{
    struct rb_buf b;
    const char *why = rb_json_str(story, "instead", NULL);
    if (why) {
        rb_buf_init(&b, 1u << 20);
        rb_buf_addf(&b, TX(second_is), rb_json_str(story, "journal", "?"), why);
        fact(facts, TX(second), taken(&b));
    }
}

/* A reader must not take for the present what was taken back since. */
static void later(json_t *facts, const json_t *story)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(story, "later"), i, one) {
        struct rb_buf b;
        rb_buf_init(&b, 1u << 12);
        bool undo = !strcmp(rb_json_str(one, "how", ""), "undo");
        rb_buf_addf(&b, undo ? TX(later_undo) : TX(later_plan), rb_json_str(one, "run", "?"),
                    rb_json_str(one, "at", "?"), report_result(rb_json_str(one, "result", "?")));
        fact(facts, TX(later), taken(&b));
    }
}

static json_t *facts_of(const json_t *story)
{
    json_t *facts = json_array();
    const json_t *last = json_object_get(json_object_get(story, "record"), "last");
    char record[256];
    fact_text(facts, TX(run), rb_json_str(story, "run", "?"));
    later(facts, story);
    fact_text(facts, TX(severity), rb_json_str(story, "severity", ""));
    fact_text(facts, TX(target), rb_json_str(story, "target", ""));
    fact(facts, TX(people), people(story));
    fact_text(facts, TX(reason), rb_json_str(story, "reason", ""));
    fact_text(facts, TX(started), rb_json_str(story, "started", ""));
    fact_text(facts, TX(ended_at), rb_json_str(story, "ended", "-"));
    fact_time(facts, TX(took), json_object_get(story, "ms"));
    fact_time(facts, TX(to_diagnose), json_object_get(story, "diagnosed_ms"));
    fact_time(facts, TX(to_repair), json_object_get(story, "repaired_ms"));
    fact_time(facts, TX(waited), json_object_get(story, "waited_ms"));
    if (json_object_size(json_object_get(story, "params")) > 0) {
        fact(facts, TX(params), params(story));
    }
    snprintf(record, sizeof record, TX(record_is), (int)rb_json_int(json_object_get(story, "record"), "events", 0),
             (long long)rb_json_int(last, "id", 0), rb_json_str(last, "hash", "?"));
    fact_text(facts, TX(record), record);
    second_journal(facts, story);
    return facts;
}

/* ---- sections ---- */

static json_t *section(json_t *doc, const char *title)
{
    json_t *s = json_pack("{s:s}", "title", title);
    json_array_append_new(json_object_get(doc, "sections"), s);
    return s;
}

/* The columns of a table; its rows are added by the caller. Without rows it says so. */
static json_t *table(json_t *doc, const char *title, const char *const *columns)
{
    json_t *s = section(doc, title), *names = json_array();
    for (; *columns; columns++) {
        json_array_append_new(names, json_string(*columns));
    }
    json_object_set_new(s, "columns", names);
    json_object_set_new(s, "rows", json_array());
    json_object_set_new(s, "text", json_string(TX(nothing)));
    return json_object_get(s, "rows");
}

static json_t *offset(const json_t *entry)
{
    char out[64], signed_[66];
    report_duration(json_object_get(entry, "ms"), out, sizeof out);
    snprintf(signed_, sizeof signed_, "+%s", out);
    return text(signed_);
}

static json_t *took(const json_t *entry)
{
    char out[64] = "";
    if (json_object_get(entry, "took")) {
        report_duration(json_object_get(entry, "took"), out, sizeof out);
    }
    return text(out);
}

/* Sentence and what belongs below it. */
static json_t *told(const json_t *entry, bool code)
{
    struct rb_buf sentence, below;
    rb_buf_init(&sentence, 1u << 20);
    rb_buf_init(&below, 1u << 20);
    report_sentence(entry, &sentence);
    report_detail(entry, &below);
    json_t *c = cell(taken(&sentence), "", code);
    json_object_set_new(c, "below", taken(&below));
    return c;
}

static json_t *result_cell(const char *result)
{
    return cell(text(result[0] ? report_result(result) : ""), tone_of(result), false);
}

static void findings(const json_t *story, json_t *doc)
{
    const char *columns[] = {TX(finding), TX(evidence), TX(state), NULL};
    json_t *rows = table(doc, TX(findings), columns), *one;
    size_t i;
    json_array_foreach(json_object_get(story, "findings"), i, one) {
        struct rb_buf what, evidence;
        const char *state = rb_json_str(one, "state", "standing"), *key = rb_json_str(one, "key", "");
        rb_buf_init(&what, 1u << 20);
        rb_buf_init(&evidence, 1u << 20);
        rb_buf_addf(&what, "%s%s%s (%s)", rb_json_str(one, "id", "?"), key[0] ? " " : "", key,
                    rb_json_str(one, "severity", "-"));
        report_fields(json_object_get(one, "evidence"), &evidence);
        json_t *c = cell(taken(&what), "", false);
        json_object_set_new(c, "below", text(rb_text_json(json_object_get(one, "title"))));
        json_array_append_new(rows, json_pack("[o, o, o]", c, cell(taken(&evidence), "", true), result_cell(state)));
    }
}

static void entries(const json_t *list, json_t *rows, bool code)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)list, i, one) {
        const char *result = rb_json_str(one, "result", rb_json_str(one, "answer", ""));
        json_array_append_new(rows, json_pack("[o, O, o, o, o]", offset(one), json_object_get(one, "who"),
                                              told(one, code), result_cell(result), took(one)));
    }
}

static void listed(const json_t *story, json_t *doc, const char *name, const char *title, bool code)
{
    const char *columns[] = {TX(when), TX(who), TX(what), TX(result), TX(took), NULL};
    entries(json_object_get(story, name), table(doc, title, columns), code);
}

static void not_done(const json_t *story, json_t *doc)
{
    const char *columns[] = {TX(what), TX(why), NULL};
    json_t *rows = table(doc, TX(not_done), columns), *one;
    size_t i;
    json_array_foreach(json_object_get(story, "not_done"), i, one) {
        struct rb_buf what;
        const char *id = rb_json_str(one, "fix", rb_json_str(one, "id", "")), *key = rb_json_str(one, "key", "");
        rb_buf_init(&what, 1u << 20);
        rb_buf_addf(&what, "%s%s%s  %s", id, key[0] ? " " : "", key, rb_text_json(json_object_get(one, "title")));
        json_t *c = cell(taken(&what), "", false);
        const char *verb = rb_json_str(one, "verb", NULL);
        struct rb_buf below;
        rb_buf_init(&below, 1u << 20);
        rb_buf_addf(&below, "%s%s%s", verb ? verb : "", verb ? "  " : "", rb_text_json(json_object_get(one, "text")));
        json_object_set_new(c, "below", taken(&below));
        json_array_append_new(rows, json_pack("[o, s]", c, rb_report_word("report_n", rb_json_str(one, "why", ""))));
    }
}

static void reads(const json_t *story, json_t *doc)
{
    const char *columns[] = {TX(when), TX(what), TX(result), TX(took), NULL};
    json_t *rows = table(doc, TX(reads), columns), *one;
    size_t i, shown = json_array_size(json_object_get(story, "reads"));
    json_array_foreach(json_object_get(story, "reads"), i, one) {
        struct rb_buf what, below;
        size_t k;
        json_t *remark;
        rb_buf_init(&what, 1u << 20);
        rb_buf_init(&below, 1u << 20);
        rb_buf_addf(&what, "%s  %s", rb_json_str(one, "verb", ""), rb_json_str(one, "text", ""));
        rb_buf_adds(&below, rb_json_str(json_object_get(one, "error"), "message", ""));
        json_array_foreach(json_object_get(one, "remarks"), k, remark) {
            rb_buf_addf(&below, "%s%s: %s", below.len ? "\n" : "", rb_json_str(remark, "kind", ""),
                        rb_json_str(remark, "text", ""));
        }
        json_t *c = cell(taken(&what), "", true);
        json_object_set_new(c, "below", taken(&below));
        json_array_append_new(rows, json_pack("[o, o, o, o]", offset(one), c,
                                              result_cell(rb_json_bool(one, "ok", true) ? "ok" : "failed"), took(one)));
    }
    int more = (int)rb_json_int(story, "read_count", 0) - (int)shown;
    if (more > 0) {
        char words[128];
        snprintf(words, sizeof words, TX(more), more);
        json_array_append_new(rows, json_pack("[s, s, s, s]", "", words, "", ""));
    }
}

json_t *report_document(const json_t *story)
{
    struct rb_buf title;
    const char *result = rb_json_str(story, "result", "?");
    rb_buf_init(&title, 1u << 16);
    rb_buf_addf(&title, "%s  %s", rb_json_str(story, "runbook", "?"), rb_text_json(json_object_get(story, "title")));
    json_t *doc = json_pack("{s:o, s:s, s:s, s:o, s:[]}", "title", taken(&title), "result", report_result(result),
                            "tone", tone_of(result), "facts", facts_of(story), "sections");
    const json_t *error = json_object_get(story, "error");
    if (error && !json_is_null(error)) {
        json_object_set_new(
            doc, "error",
            text(rb_text_json(json_object_get(error, "message") ? json_object_get(error, "message") : error)));
    }
    json_object_set_new(section(doc, TX(timeline)), "drawing", json_true());
    if (json_array_size(json_object_get(story, "unknown")) > 0) {
        listed(story, doc, "unknown", TX(unknown), true);
    }
    findings(story, doc);
    listed(story, doc, "decisions", TX(decisions), false);
    listed(story, doc, "effects", TX(effects), true);
    not_done(story, doc);
    listed(story, doc, "timeline", TX(course), false);
    reads(story, doc);
    return doc;
}
