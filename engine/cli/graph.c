/* runbook show ID --graph: what is looked at, what may be found, and what follows from it. The tree is read from
 * the file and its declaration; nothing runs. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "catalog/reach.h"
#include "cli/guide.h"

#define NODE_MAX 200
#define DEPTH_MAX 12

/* {"nodes": [{id, kind, name, title, severity?, risk?, advice?, blocks?}], "edges": [{from, to, if?}]}; an id is
 * "kind:name", the root "runbook". */
static json_t *add_node(json_t *graph, const char *kind, const json_t *block)
{
    json_t *node =
        json_pack("{s:o, s:s, s:O?, s:O?}", "id", json_sprintf("%s:%s", kind, rb_json_str(block, "id", "?")), "kind",
                  kind, "name", json_object_get(block, "id"), "title", json_object_get(block, "title"));
    static const char *const kept[] = {"severity", "risk", "advice", "blocks", "by_hand"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(block, kept[i]);
        if (value != NULL && !json_is_null(value)) {
            json_object_set(node, kept[i], value);
        }
    }
    json_array_append_new(json_object_get(graph, "nodes"), node);
    return node;
}

static void add_edge(json_t *graph, const char *from, const char *from_name, const char *to, const char *to_name,
                     const char *why)
{
    char ids[2][NODE_MAX];
    snprintf(ids[0], NODE_MAX, "%s%s%s", from, from_name[0] != '\0' ? ":" : "", from_name);
    snprintf(ids[1], NODE_MAX, "%s:%s", to, to_name);
    json_array_append_new(json_object_get(graph, "edges"),
                          json_pack("{s:s, s:s, s:s*}", "from", ids[0], "to", ids[1], "if", why));
}

/* A cause that the same check finds with what it explains hangs below that. */
static void add_found(json_t *graph, const json_t *meta, const char *check, const json_t *ids)
{
    size_t i;
    json_t *id;
    json_array_foreach((json_t *)ids, i, id) {
        const char *name = json_string_value(id);
        const char *explains = rb_json_str(rb_json_find(json_object_get(meta, "findings"), "id", name), "explains", "");
        if (rb_json_lists(ids, explains)) {
            add_edge(graph, "finding", explains, "finding", name, "cause");
        } else {
            add_edge(graph, "check", check, "finding", name, NULL);
        }
    }
}

static void add_checks(json_t *graph, const json_t *meta, const json_t *file, json_t *reached)
{
    size_t i, k;
    json_t *check, *id;
    json_array_foreach(json_object_get(meta, "checks"), i, check) {
        const char *name = rb_json_str(check, "id", "?");
        const json_t *when = json_object_get(check, "when");
        const char *first = json_is_array(when) ? json_string_value(json_array_get(when, 0)) : json_string_value(when);
        json_t *reach =
            rb_reach(rb_reach_text(file, check), (int)rb_json_int(check, "line", 1), json_object_get(meta, "findings"));
        add_node(graph, "check", check);
        add_edge(graph, first != NULL ? "finding" : "runbook", first != NULL ? first : "", "check", name, NULL);
        add_found(graph, meta, name, json_object_get(reach, "findings"));
        json_array_foreach(json_object_get(reach, "findings"), k, id) {
            json_object_set_new(reached, json_string_value(id), json_true());
        }
        json_decref(reach);
    }
}

static void add_findings(json_t *graph, const json_t *meta, const json_t *reached)
{
    size_t i;
    json_t *finding;
    json_array_foreach(json_object_get(meta, "findings"), i, finding) {
        const char *name = rb_json_str(finding, "id", "?");
        const char *explains = rb_json_str(finding, "explains", "");
        add_node(graph, "finding", finding);
        if (json_object_get(reached, name) == NULL && explains[0] != '\0') {
            add_edge(graph, "finding", explains, "finding", name, "cause");
        } else if (json_object_get(reached, name) == NULL) {
            add_edge(graph, "runbook", "", "finding", name, "running");
        }
    }
}

static void add_fixes(json_t *graph, const json_t *meta)
{
    size_t i, k;
    json_t *fix, *finding;
    json_array_foreach(json_object_get(meta, "fixes"), i, fix) {
        add_node(graph, "fix", fix);
        json_array_foreach(json_object_get(meta, "findings"), k, finding) {
            const char *name = rb_json_str(finding, "id", "");
            if (rb_json_lists(json_object_get(fix, "when"), name)) {
                add_edge(graph, "finding", name, "fix", rb_json_str(fix, "id", "?"), NULL);
            }
        }
    }
}

/* One after the other; the first follows from the findings that call for the procedure. */
static void add_steps(json_t *graph, const json_t *meta)
{
    const char *last = NULL;
    size_t i, k;
    json_t *step, *id;
    json_array_foreach(json_object_get(meta, "steps"), i, step) {
        const char *name = rb_json_str(step, "id", "?");
        const json_t *when = json_object_get(step, "when");
        add_node(graph, "step", step);
        json_array_foreach(json_object_get(meta, "when"), k, id) {
            if (last == NULL) {
                add_edge(graph, "finding", json_string_value(id), "step", name, NULL);
            }
        }
        if (last == NULL && json_array_size(json_object_get(meta, "when")) == 0) {
            add_edge(graph, "runbook", "", "step", name, NULL);
        } else if (last != NULL) {
            const json_t *first = json_is_array(when) ? json_array_get(when, 0) : when;
            add_edge(graph, "step", last, "step", name, json_string_value(first));
        }
        last = name;
    }
}

static json_t *graph_of(const json_t *entry, const json_t *file)
{
    const json_t *meta = json_object_get(entry, "meta");
    json_t *graph = json_pack("{s:s, s:O?, s:[], s:[]}", "schema", "runbook.graph/1", "runbook",
                              json_object_get(entry, "id"), "nodes", "edges");
    json_t *reached = json_object();
    add_checks(graph, meta, file, reached);
    add_findings(graph, meta, reached);
    add_fixes(graph, meta);
    add_steps(graph, meta);
    json_decref(reached);
    return graph;
}

/* ---- text ---- */

struct tree {
    struct rb_cli *c;
    const json_t *graph;
    json_t *shown; /* {id: true} */
};

static const char *kind_word(const char *kind)
{
    return rb_text(strcmp(kind, "check") == 0     ? RB_T_guide_graph_check
                   : strcmp(kind, "finding") == 0 ? RB_T_guide_graph_finding
                   : strcmp(kind, "fix") == 0     ? RB_T_guide_graph_fix
                                                  : RB_T_guide_graph_step);
}

/* Its severity or risk, and what else is said of it in a word. */
static const char *facts_of(struct rb_cli *c, const json_t *node)
{
    char text[256] = "";
    const char *severity = rb_json_str(node, "severity", NULL), *risk = rb_json_str(node, "risk", NULL);
    if (severity != NULL) {
        snprintf(text, sizeof text, "  %s", severity);
    } else if (risk != NULL) {
        snprintf(text, sizeof text, "  %s %s", TX(risk), rb_risk_word(c, risk));
    } else if (json_object_get(node, "by_hand") != NULL) {
        snprintf(text, sizeof text, "  %s", rb_text(RB_T_guide_graph_hand));
    }
    return rb_word(c, text);
}

static void put_under(struct rb_cli *c, const char *prefix, const char *label, const char *text)
{
    if (text[0] != '\0') {
        rb_put(c, RB_OUT, RB_DIM, "%s%s  ", prefix, label);
        c->line[RB_OUT].indent = c->line[RB_OUT].at;
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", text);
    }
}

static void put_children(struct tree *t, const char *id, const char *prefix, int depth);

static void put_node(struct tree *t, const json_t *edge, const char *prefix, bool last, int depth)
{
    struct rb_cli *c = t->c;
    char below[NODE_MAX];
    const char *id = rb_json_str(edge, "to", ""), *why = rb_json_str(edge, "if", "");
    const json_t *node = rb_json_find(json_object_get(t->graph, "nodes"), "id", id);
    bool seen = json_object_get(t->shown, id) != NULL, cause = strcmp(why, "cause") == 0;
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s ", prefix, last ? "`-" : "|-");
    if (why[0] != '\0' && !cause && strcmp(why, "running") != 0) {
        rb_put(c, RB_OUT, RB_DIM, "%s %s: ", rb_text(RB_T_guide_graph_if), rb_word(c, why));
    }
    rb_put(c, RB_OUT, RB_DIM, "%s ",
           cause ? rb_text(RB_T_guide_graph_cause) : kind_word(rb_json_str(node, "kind", "")));
    c->line[RB_OUT].indent = c->line[RB_OUT].at;
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_word(c, rb_json_str(node, "name", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "%s  %s%s%s\n", facts_of(c, node),
           rb_screen_unfilled(c, json_object_get(node, "title")), seen ? "  " : "",
           seen ? rb_text(RB_T_guide_graph_above) : "");
    if (seen || depth >= DEPTH_MAX) {
        return;
    }
    json_object_set_new(t->shown, id, json_true());
    snprintf(below, sizeof below, "%s%s  ", prefix, last ? " " : "|");
    if (rb_json_bool(node, "blocks", false)) {
        put_under(c, below, "!", rb_text(RB_T_guide_graph_blocks));
    }
    put_under(c, below, rb_text(RB_T_guide_graph_advice), rb_screen_unfilled(c, json_object_get(node, "advice")));
    /* steps follow one another: a staircase would say something else */
    bool step = strncmp(id, "step:", 5) == 0;
    put_children(t, id, step ? prefix : below, step ? depth : depth + 1);
}

static size_t count_children(const json_t *graph, const char *id)
{
    size_t i, n = 0;
    json_t *edge;
    json_array_foreach(json_object_get(graph, "edges"), i, edge) {
        n += strcmp(rb_json_str(edge, "from", ""), id) == 0;
    }
    return n;
}

static void put_children(struct tree *t, const char *id, const char *prefix, int depth)
{
    size_t i, left = count_children(t->graph, id);
    json_t *edge;
    json_array_foreach(json_object_get(t->graph, "edges"), i, edge) {
        if (strcmp(rb_json_str(edge, "from", ""), id) == 0) {
            bool goes_on = strncmp(rb_json_str(edge, "to", ""), "step:", 5) == 0 &&
                           count_children(t->graph, rb_json_str(edge, "to", "")) > 0;
            put_node(t, edge, prefix, --left == 0 && !goes_on, depth);
        }
    }
}

static void put_text(struct rb_cli *c, const json_t *entry, const json_t *graph)
{
    struct tree t = {.c = c, .graph = graph, .shown = json_object()};
    const json_t *severity = rb_entry_meta(entry, "severity");
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_word(c, rb_json_str(entry, "id", "?")));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s  %s\n", json_is_string(severity) ? json_string_value(severity) : "-",
           rb_word_text(c, rb_entry_meta(entry, "title")));
    put_children(&t, "runbook", "", 0);
    if (json_array_size(rb_entry_meta(entry, "findings")) > 0) {
        rb_put(c, RB_OUT, RB_DIM, "(%s)\n", rb_text(RB_T_guide_graph_healthy));
    }
    json_decref(t.shown);
}

/* ---- Mermaid ---- */

/* Between double quotes: what Mermaid or HTML would take for its own is written by number. */
static const char *mermaid_text(struct rb_cli *c, const char *text)
{
    struct rb_buf b;
    rb_buf_init(&b, 1u << 16);
    for (const char *at = text; *at != '\0'; at++) {
        if (strchr("\"<>#&`|", *at) != NULL) {
            rb_buf_addf(&b, "#%d;", *at);
        } else {
            rb_buf_add(&b, at, 1);
        }
    }
    const char *kept = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return kept;
}

/* "finding:wal-big" -> "finding_wal_big", a name Mermaid knows. */
static const char *mermaid_id(struct rb_cli *c, const char *id)
{
    char name[NODE_MAX];
    size_t n = 0;
    for (; id[n] != '\0' && n < sizeof name - 1; n++) {
        name[n] = id[n] == ':' || id[n] == '-' ? '_' : id[n];
    }
    name[n] = '\0';
    return rb_word(c, name);
}

static void put_mermaid_node(struct rb_cli *c, const json_t *node)
{
    static const char *const shapes[][3] = {
        {"check", "[\"", "\"]"}, {"finding", "{{\"", "\"}}"}, {"fix", "[[\"", "\"]]"}, {"step", "[[\"", "\"]]"}};
    const char *kind = rb_json_str(node, "kind", "");
    size_t shape = 0;
    while (shape < 3 && strcmp(shapes[shape][0], kind) != 0) {
        shape++;
    }
    const char *facts = facts_of(c, node);
    rb_put(c, RB_OUT, RB_PLAIN, "    %s%s%s%s<br/>%s%s\n", mermaid_id(c, rb_json_str(node, "id", "?")),
           shapes[shape][1], mermaid_text(c, rb_json_str(node, "name", "?")), mermaid_text(c, facts),
           mermaid_text(c, rb_screen_unfilled(c, json_object_get(node, "title"))), shapes[shape][2]);
}

static void put_mermaid(struct rb_cli *c, const json_t *entry, const json_t *graph)
{
    size_t i;
    json_t *node, *edge;
    rb_put(c, RB_OUT, RB_PLAIN, "flowchart TD\n    runbook([\"%s<br/>%s\"])\n",
           mermaid_text(c, rb_json_str(entry, "id", "?")),
           mermaid_text(c, rb_word_text(c, rb_entry_meta(entry, "title"))));
    json_array_foreach(json_object_get(graph, "nodes"), i, node) {
        put_mermaid_node(c, node);
    }
    json_array_foreach(json_object_get(graph, "edges"), i, edge) {
        const char *why = rb_json_str(edge, "if", NULL);
        const char *word = why == NULL                   ? NULL
                           : strcmp(why, "cause") == 0   ? rb_text(RB_T_guide_graph_cause)
                           : strcmp(why, "running") == 0 ? rb_text(RB_T_guide_graph_elsewhere)
                                                         : why;
        rb_put(c, RB_OUT, RB_PLAIN, "    %s -->", mermaid_id(c, rb_json_str(edge, "from", "?")));
        if (word != NULL) {
            rb_put(c, RB_OUT, RB_PLAIN, "|\"%s\"|", mermaid_text(c, word));
        }
        rb_put(c, RB_OUT, RB_PLAIN, " %s\n", mermaid_id(c, rb_json_str(edge, "to", "?")));
    }
}

int rb_show_graph(struct rb_cli *c, const json_t *entry)
{
    struct rb_err err = {0};
    json_t *file = rb_catalog_find_file(c->catalog, &c->loop, c->spawner, rb_json_str(entry, "id", ""), &err);
    if (file == NULL) {
        return rb_cli_fail(c, &err);
    }
    json_t *graph = graph_of(entry, file);
    if (c->format == RB_FORMAT_MERMAID) {
        put_mermaid(c, entry, graph);
    } else if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_incref(graph));
    } else {
        put_text(c, entry, graph);
    }
    json_decref(graph);
    json_decref(file);
    return 0;
}
