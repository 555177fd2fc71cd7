/* Which runbook is meant by a word, a code, an alert or a pasted log line. Words for
 * Latin letters, pairs of characters for Chinese, so that no dictionary is needed. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "catalog/catalog.h"

#define QUERY_MAX 8192
#define TERMS_MAX 64
#define TEXT_MAX 8192

/* Weights: what is exact stands above everything that is only alike. */
enum weight {
    EXACT = 1000,
    CODE = 600,
    SYMPTOM = 300,
    TITLE = 120,
    SYMPTOM_WORDS = 80,
    TAG = 60,
    FINDING = 40,
    SOURCE = 30,
    BODY = 15
};

struct term {
    const char *text; /* within the folded query */
    size_t len;
};

struct query {
    char text[QUERY_MAX + 1]; /* folded: small letters, single spaces */
    struct term terms[TERMS_MAX];
    size_t count;
};

/* One runbook being judged. */
struct hit {
    const struct query *query;
    long score;
    json_t *why;
};

/* ---- text ---- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_wide(char c)
{
    return (unsigned char)c >= 0x80;
}

/* Small letters; runs of blanks are one space. */
static void fold(const char *text, char *out, size_t max)
{
    size_t n = 0;
    for (const char *p = text; *p && n < max; p++) {
        bool blank = *p == ' ' || *p == '\t' || *p == '\r' || *p == '\n';
        if (blank && (n == 0 || out[n - 1] == ' ')) {
            continue;
        }
        out[n++] = (char)(blank ? ' ' : *p >= 'A' && *p <= 'Z' ? *p + 'a' - 'A' : *p);
    }
    while (n && out[n - 1] == ' ') {
        n--;
    }
    out[n] = 0;
}

/* Bytes of the character at p; valid UTF-8, or the cut end of it. */
static size_t character(const char *p)
{
    size_t n = 1;
    while (n < 4 && ((unsigned char)p[n] & 0xC0) == 0x80) {
        n++;
    }
    return n;
}

/* Full-width punctuation separates, it is not searched for. */
static bool is_mark(const char *p)
{
    unsigned char a = (unsigned char)p[0], b = (unsigned char)p[1], c = b ? (unsigned char)p[2] : 0;
    bool cjk = a == 0xE3 && b == 0x80;                                          /* U+3000..303F */
    bool wide = a == 0xEF && b == 0xBC && (c < 0x90 || (c > 0x99 && c < 0xA1)); /* U+FF00..FF20 without digits */
    return cjk || wide || (a == 0xE2 && b == 0x80);                             /* quotes and dashes */
}

/* The text at the beginning of a word: "lock" is in "locked", not in "block". */
static bool has_term(const char *text, const struct term *term)
{
    for (const char *p = text; (p = memmem(p, strlen(p), term->text, term->len)); p++) {
        if (is_wide(*p) || p == text || !is_word(p[-1])) {
            return true;
        }
    }
    return false;
}

/* The word alone: a code in a log line. */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = text; len && (p = strstr(p, word)); p++) {
        if ((p == text || !is_word(p[-1])) && !is_word(p[len])) {
            return true;
        }
    }
    return false;
}

/* ---- the query ---- */

static void add_term(struct query *q, const char *text, size_t len)
{
    static const char *const empty[] = {"the", "is", "an",  "to", "of", "in", "on",
                                        "and", "or", "for", "at", "it", "be", "was"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        if (len == strlen(empty[i]) && memcmp(text, empty[i], len) == 0) {
            return;
        }
    }
    if (q->count < TERMS_MAX && (len > 1 || is_word(*text))) {
        q->terms[q->count++] = (struct term){text, len};
    }
}

static const char *take_word(struct query *q, const char *p)
{
    const char *end = p;
    while (is_word(*end) || ((*end == '-' || *end == '.') && is_word(end[1]) && end > p)) {
        end++;
    }
    add_term(q, p, (size_t)(end - p));
    return end;
}

/* A run of characters: each two neighbours; one alone is itself. */
static const char *take_wide(struct query *q, const char *p)
{
    const char *first = p;
    while (is_wide(*p) && !is_mark(p)) {
        const char *second = p + character(p);
        bool pair = is_wide(*second) && !is_mark(second);
        if (pair) {
            add_term(q, p, (size_t)(second - p) + character(second));
        } else if (p == first) {
            add_term(q, p, (size_t)(second - p));
        }
        p = second;
    }
    return p;
}

static void parse(struct query *q, const char *text)
{
    fold(text, q->text, QUERY_MAX);
    q->count = 0;
    for (const char *p = q->text; *p;) {
        if (is_word(*p)) {
            p = take_word(q, p);
        } else if (is_wide(*p) && !is_mark(p)) {
            p = take_wide(q, p);
        } else {
            p += is_wide(*p) ? character(p) : 1;
        }
    }
}

/* ---- judging ---- */

/* The strongest reason stands first: it is the one a person is shown. */
static void add(struct hit *hit, long score, const char *field, const char *text)
{
    size_t at = 0;
    while (at < json_array_size(hit->why) && rb_json_int(json_array_get(hit->why, at), "score", 0) >= score) {
        at++;
    }
    hit->score += score;
    json_array_insert_new(hit->why, at,
                          json_pack("{s:s, s:s, s:I}", "field", field, "text", text, "score", (json_int_t)score));
}

/* How much of the query stands in this text, of 1000. A single one of many words says nothing. */
static long share(const struct query *q, const char *folded)
{
    size_t found = 0;
    for (size_t i = 0; i < q->count; i++) {
        found += has_term(folded, &q->terms[i]);
    }
    bool enough = found * 3 >= q->count || found >= 3;
    return q->count && found && enough ? (long)(found * 1000 / q->count) : 0;
}

/* Calls one for a string, each language of a text, each item of a list. */
static void each_text(struct hit *hit, const json_t *value, void (*one)(struct hit *, const char *, void *), void *user)
{
    size_t i;
    const char *key;
    json_t *item;
    if (json_is_string(value)) {
        one(hit, json_string_value(value), user);
    }
    json_array_foreach((json_t *)value, i, item) {
        each_text(hit, item, one, user);
    }
    json_object_foreach((json_t *)value, key, item) {
        each_text(hit, json_is_string(item) ? item : NULL, one, user);
    }
}

struct field {
    const char *name;
    long weight;
    long best; /* only the best text of a field counts */
    const char *shown;
};

static void alike(struct hit *hit, const char *text, void *user)
{
    struct field *field = user;
    char folded[TEXT_MAX + 1];
    fold(text, folded, TEXT_MAX);
    long points = share(hit->query, folded) * field->weight / 1000;
    if (points > field->best) {
        field->best = points;
        field->shown = text;
    }
}

static void judge_words(struct hit *hit, const json_t *value, const char *name, long weight)
{
    struct field field = {name, weight, 0, NULL};
    each_text(hit, value, alike, &field);
    if (field.shown) {
        add(hit, field.best, name, field.shown);
    }
}

static void exact(struct hit *hit, const char *text, void *user)
{
    struct field *field = user;
    char folded[TEXT_MAX + 1];
    fold(text, folded, TEXT_MAX);
    bool equal = strcmp(folded, hit->query->text) == 0;
    if (!field->shown && (equal || (field->weight == CODE && has_word(hit->query->text, folded)))) {
        field->shown = text;
    }
}

static void judge_exact(struct hit *hit, const json_t *value, const char *name, long weight)
{
    struct field field = {name, weight, 0, NULL};
    each_text(hit, value, exact, &field);
    if (field.shown) {
        add(hit, weight, name, field.shown);
    }
}

/* A pasted line contains the symptom; or the symptom contains what was typed. */
static void symptom(struct hit *hit, const char *text, void *user)
{
    struct field *field = user;
    char folded[TEXT_MAX + 1];
    fold(text, folded, TEXT_MAX);
    size_t least = is_wide(*folded) ? 6 : 4;
    bool inside = strlen(folded) >= least && strstr(hit->query->text, folded);
    const struct term whole = {hit->query->text, strlen(hit->query->text)};
    bool around = has_term(folded, &whole);
    long points = inside || around ? SYMPTOM : share(hit->query, folded) * SYMPTOM_WORDS / 1000;
    if (points > field->best) {
        field->best = points;
        field->shown = text;
    }
}

static void judge_symptoms(struct hit *hit, const json_t *meta)
{
    struct field field = {"symptom", SYMPTOM, 0, NULL};
    each_text(hit, json_object_get(meta, "symptoms"), symptom, &field);
    if (field.shown) {
        add(hit, field.best, "symptom", field.shown);
    }
}

static void judge_id(struct hit *hit, const json_t *entry)
{
    char folded[TEXT_MAX + 1];
    const char *id = rb_json_str(entry, "id", ""), *slash = strrchr(id, '/');
    if (strcmp(hit->query->text, id) == 0 || strcmp(hit->query->text, slash ? slash + 1 : id) == 0) {
        add(hit, EXACT, "id", id);
        return;
    }
    fold(id, folded, TEXT_MAX);
    long points = share(hit->query, folded) * TAG / 1000;
    if (points) {
        add(hit, points, "id", id);
    }
}

/* The best title of the blocks of a kind. */
static void judge_blocks(struct hit *hit, const json_t *list, const char *name, long weight)
{
    struct field field = {name, weight, 0, NULL};
    static const char *const said[] = {"title", "advice", "by_hand", "why"};
    size_t i;
    json_t *block;
    json_array_foreach((json_t *)list, i, block) {
        for (size_t j = 0; j < sizeof said / sizeof *said; j++) {
            each_text(hit, json_object_get(block, said[j]), alike, &field);
        }
    }
    if (field.shown) {
        add(hit, field.best, name, field.shown);
    }
}

static void judge(struct hit *hit, const json_t *entry)
{
    static const char *const body[] = {"checks", "fixes", "steps", "prevents"};
    const json_t *meta = json_object_get(entry, "meta");
    judge_id(hit, entry);
    judge_exact(hit, json_object_get(meta, "alias"), "alias", EXACT);
    judge_exact(hit, json_object_get(meta, "codes"), "code", CODE);
    judge_exact(hit, json_object_get(meta, "alerts"), "alert", CODE);
    judge_words(hit, json_object_get(meta, "title"), "title", TITLE);
    judge_symptoms(hit, meta);
    judge_words(hit, json_object_get(meta, "tags"), "tag", TAG);
    judge_blocks(hit, json_object_get(meta, "findings"), "finding", FINDING);
    judge_words(hit, json_object_get(meta, "source"), "source", SOURCE);
    judge_words(hit, json_object_get(meta, "impact"), "body", BODY);
    for (size_t i = 0; i < sizeof body / sizeof *body; i++) {
        judge_blocks(hit, json_object_get(meta, body[i]), "body", BODY);
    }
}

/* ---- all ---- */

static int by_score(const void *left, const void *right)
{
    json_t *const *a = left, *const *b = right;
    json_int_t one = rb_json_int(*a, "score", 0), two = rb_json_int(*b, "score", 0);
    return one != two ? (one < two ? 1 : -1) : strcmp(rb_json_str(*a, "id", ""), rb_json_str(*b, "id", ""));
}

static json_t *sorted(const json_t *hits)
{
    size_t count = json_array_size(hits), i;
    json_t **order = rb_xcalloc(count + 1, sizeof *order), *list = json_array();
    for (i = 0; i < count; i++) {
        order[i] = json_array_get(hits, i);
    }
    qsort(order, count, sizeof *order, by_score);
    for (i = 0; i < count; i++) {
        json_array_append(list, order[i]);
    }
    free(order);
    return list;
}

json_t *rb_catalog_search(const json_t *loaded, const char *query)
{
    struct query *q = rb_xcalloc(1, sizeof *q);
    json_t *hits = json_array(), *entry, *list;
    size_t i;
    parse(q, query);
    json_array_foreach((json_t *)loaded, i, entry) {
        struct hit hit = {.query = q, .why = json_array()};
        if (q->text[0] && strcmp(rb_json_str(entry, "status", ""), "shadowed")) {
            judge(&hit, entry);
        }
        if (hit.score > 0) {
            json_array_append_new(hits, json_pack("{s:O, s:I, s:O}", "id", json_object_get(entry, "id"), "score",
                                                  (json_int_t)hit.score, "why", hit.why));
        }
        json_decref(hit.why);
    }
    list = sorted(hits);
    json_decref(hits);
    free(q);
    return list;
}
