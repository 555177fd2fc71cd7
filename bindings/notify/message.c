#include "notify/message.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "notify/text.h"

#define TITLE_MAX 200 /* characters */
#define NAME_MAX_CHARS 200
#define VALUE_MAX_CHARS 2000
#define TEXT_MAX 20000
#define FACTS_MAX 50
#define LINKS_MAX 5
#define MENTIONS_MAX 20
#define URL_MAX 2000

/* The text of a value in one language, as bytes: a string, { zh, en }, bytes that are no UTF-8, a number. */
static void raw_text(struct rb_buf *out, const json_t *value, const char *lang)
{
    if (json_is_object(value) && !json_object_get(value, "$b64")) {
        const json_t *wanted = json_object_get(value, lang);
        const json_t *other = json_object_get(value, strcmp(lang, "zh") == 0 ? "en" : "zh");
        value = json_is_string(wanted) ? wanted : other;
    }
    if (value && rb_json_bytes_get(value, out) != 0 && !json_is_null(value)) {
        char *shown = rb_json_canonical(value);
        (void)rb_buf_adds(out, shown ? shown : "");
        free(shown);
    }
}

/* Cleaned, in one line or several, at most max characters. */
static json_t *clean_text(const json_t *value, const char *lang, bool lines, size_t max)
{
    struct rb_buf raw, clean, cut;
    size_t kept = 0;
    rb_buf_init(&raw, 8 << 20);
    rb_buf_init(&clean, 64 << 20);
    rb_buf_init(&cut, 8 << 20);
    raw_text(&raw, value, lang);
    for (size_t i = 0; i < raw.len; i++) {
        bool end = raw.data[i] == '\n' || raw.data[i] == '\r' || raw.data[i] == '\t';
        if (raw.data[i] == '\r' && raw.data[i + 1] == '\n') {
            continue;
        }
        raw.data[kept++] = (char)(end && !lines ? ' ' : raw.data[i] == '\r' ? '\n' : raw.data[i]);
    }
    if (raw.len) {
        (void)rb_utf8_clean(&clean, raw.data, kept, true);
    }
    (void)rb_notify_put(&cut, rb_buf_str(&clean), NULL, max);
    json_t *text = json_string(rb_buf_str(&cut));
    rb_buf_deinit(&raw);
    rb_buf_deinit(&clean);
    rb_buf_deinit(&cut);
    return text ? text : json_string("");
}

static json_t *word(const json_t *given, const char *key, const char *lang)
{
    return clean_text(json_object_get(given, key), lang, false, NAME_MAX_CHARS);
}

static int take_facts(json_t *out, const json_t *given, const char *lang, struct rb_err *err)
{
    const json_t *fact;
    size_t i;
    if (given && !json_is_array(given)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_notify_facts);
    }
    json_array_foreach(given, i, fact) {
        if (json_array_size(fact) != 2) {
            return rb_err_set(err, RB_EUSAGE, RB_T_notify_facts);
        }
        if (i < FACTS_MAX) {
            json_t *label = clean_text(json_array_get(fact, 0), lang, false, NAME_MAX_CHARS);
            json_t *value = clean_text(json_array_get(fact, 1), lang, true, VALUE_MAX_CHARS);
            json_array_append_new(out, json_pack("[o, o]", label, value));
        }
    }
    return 0;
}

/* Only what a person may follow: no javascript:, no spaces, no control characters. */
static bool is_link(const char *url)
{
    bool http = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
    for (const char *s = url; *s; s++) {
        if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr("\"<>()[]\\`{}|^", *s)) {
            return false;
        }
    }
    return http && strlen(url) <= URL_MAX;
}

static int take_links(json_t *out, const json_t *given, const char *lang, struct rb_err *err)
{
    const json_t *link;
    size_t i;
    json_array_foreach(given, i, link) {
        const char *url = rb_json_str(link, "url", "");
        if (!is_link(url)) {
            return rb_err_set(err, RB_EUSAGE, RB_T_notify_link);
        }
        if (i < LINKS_MAX) {
            json_t *label = clean_text(json_object_get(link, "label"), lang, false, 60);
            if (!*json_string_value(label)) {
                json_string_set(label, rb_text_in(RB_T_notify_open, strcmp(lang, "zh") ? RB_LANG_EN : RB_LANG_ZH));
            }
            json_array_append_new(out, json_pack("{s:o, s:s}", "label", label, "url", url));
        }
    }
    return 0;
}

/* Ids go into markup as they are, so only characters that mean nothing anywhere. */
static bool is_id(const char *id)
{
    size_t len = strlen(id);
    for (const char *s = id; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("_-.+", *s)) {
            return false;
        }
    }
    return len > 0 && len <= 64;
}

static int take_ids(json_t *out, const json_t *given, struct rb_err *err)
{
    const json_t *id;
    size_t i;
    json_array_foreach(given, i, id) {
        if (!json_is_string(id) || !is_id(json_string_value(id))) {
            return rb_err_set(err, RB_EUSAGE, RB_T_notify_mention);
        }
        if (i < MENTIONS_MAX) {
            json_array_append(out, (json_t *)id);
        }
    }
    return 0;
}

static void borrow(struct rb_notify_message *m)
{
    const json_t *runbook = json_object_get(m->json, "runbook"), *mention = json_object_get(m->json, "mention");
    m->event = rb_json_str(m->json, "event", "");
    m->level = rb_json_str(m->json, "level", "");
    m->lang = rb_json_str(m->json, "lang", "en");
    m->title = rb_json_str(m->json, "title", "");
    m->runbook = rb_json_str(runbook, "id", "");
    m->runbook_title = rb_json_str(runbook, "title", "");
    m->run = rb_json_str(m->json, "run", "");
    m->target = rb_json_str(m->json, "target", "");
    m->facts = json_object_get(m->json, "facts");
    m->text = rb_json_str(m->json, "text", "");
    m->links = json_object_get(m->json, "links");
    m->users = json_object_get(mention, "users");
    m->mobiles = json_object_get(mention, "mobiles");
    m->all = rb_json_bool(mention, "all", false);
    m->dedup = rb_json_str(m->json, "dedup", "");
    m->at = rb_json_str(m->json, "at", "");
    m->thread = rb_json_str(m->json, "thread", "");
}

static json_t *take_at(const json_t *given, int64_t now_us)
{
    int64_t us;
    char text[RB_TIME_MAX];
    const char *at = rb_json_str(given, "at", "");
    rb_clock_format(rb_clock_parse(at, &us) == 0 ? us : now_us, 0, text);
    return json_string(text);
}

/* The level is part of every headline: P0 … P4, or nothing. */
static json_t *take_level(const json_t *given, struct rb_err *err)
{
    const char *level = rb_json_str(given, "level", "");
    bool known = level[0] == 'P' && level[1] >= '0' && level[1] <= '4' && !level[2];
    if (*level && !known) {
        rb_err_set(err, RB_EUSAGE, RB_T_notify_level);
        return NULL;
    }
    return json_string(level);
}

static int take_lists(json_t *out, const json_t *given, const char *lang, struct rb_err *err)
{
    const json_t *mention = json_object_get(given, "mention"), *all = json_object_get(mention, "all");
    json_t *ids = json_object_get(out, "mention");
    int rc = take_facts(json_object_get(out, "facts"), json_object_get(given, "facts"), lang, err);
    rc = rc ? rc : take_links(json_object_get(out, "links"), json_object_get(given, "links"), lang, err);
    rc = rc ? rc : take_ids(json_object_get(ids, "mobiles"), json_object_get(mention, "mobiles"), err);
    rc = rc ? rc : take_ids(json_object_get(ids, "users"), json_object_get(mention, "users"), err);
    json_object_set_new(ids, "all", json_boolean(json_is_true(all)));
    return rc;
}

static const char *const known[] = {"event", "level", "lang",  "title", "runbook", "run",   "target",
                                    "facts", "text",  "links", "at",    "mention", "dedup", "thread"};

static int check_names(const json_t *given, struct rb_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)given, key, value) {
        size_t i = 0, count = sizeof known / sizeof *known;
        while (i < count && strcmp(known[i], key) != 0) {
            i++;
        }
        if (i == count) {
            const char *near = rb_utf8_nearest(key, known, count);
            return rb_err_set(err, RB_EUSAGE, RB_T_notify_field, key, near ? near : "title");
        }
    }
    return 0;
}

static int fill(struct rb_notify_message *m, const json_t *given, const char *lang, int64_t now_us, struct rb_err *err)
{
    const json_t *runbook = json_object_get(given, "runbook");
    json_t *level = take_level(given, err);
    if (!level) {
        return RB_EUSAGE;
    }
    m->json = json_pack("{s:o, s:o, s:s, s:o, s:{s:o, s:o}, s:o, s:o, s:[], s:o, s:[], s:{s:[], s:[]}, s:o, s:o, s:o}",
                        "event", word(given, "event", lang), "level", level, "lang", lang, "title",
                        clean_text(json_object_get(given, "title"), lang, false, TITLE_MAX), "runbook", "id",
                        word(runbook, "id", lang), "title", word(runbook, "title", lang), "run",
                        word(given, "run", lang), "target", word(given, "target", lang), "facts", "text",
                        clean_text(json_object_get(given, "text"), lang, true, TEXT_MAX), "links", "mention", "mobiles",
                        "users", "dedup", word(given, "dedup", lang), "at", take_at(given, now_us), "thread",
                        word(given, "thread", lang));
    if (!m->json) {
        return rb_err_set(err, RB_EUSAGE, RB_T_notify_message);
    }
    return take_lists(m->json, given, lang, err);
}

/* A text without a title: its first line is the title. */
static void title_of_text(struct rb_notify_message *m)
{
    const char *text = rb_json_str(m->json, "text", ""), *end = strchr(text, '\n');
    if (*rb_json_str(m->json, "title", "")) {
        return;
    }
    json_t *first = json_stringn(text, end ? (size_t)(end - text) : strlen(text));
    json_t *rest = json_string(end ? end + 1 : "");
    json_object_set_new(m->json, "title", clean_text(first, "en", false, TITLE_MAX));
    if (end || strlen(rb_json_str(m->json, "title", "")) == json_string_length(first)) {
        json_object_set(m->json, "text", rest);
    }
    json_decref(first);
    json_decref(rest);
}

/* Who the channel always names, where the message names nobody: "all", telephone numbers, ids. */
static int mention_of_channel(json_t *mention, const json_t *words, struct rb_err *err)
{
    json_t *word, *one = json_array();
    size_t i;
    int rc = 0;
    json_array_foreach((json_t *)words, i, word) {
        const char *text = json_string_value(word) ? json_string_value(word) : "";
        size_t digits = strspn(text, "+0123456789");
        json_array_clear(one);
        json_array_append(one, word);
        if (strcmp(text, "all") == 0) {
            json_object_set_new(mention, "all", json_true());
        } else {
            bool phone = digits >= 8 && !text[digits];
            rc = rc ? rc : take_ids(json_object_get(mention, phone ? "mobiles" : "users"), one, err);
        }
    }
    json_decref(one);
    return rc;
}

int rb_notify_message_init(struct rb_notify_message *m, const json_t *given, const json_t *channel, int64_t now_us,
                           struct rb_err *err)
{
    const char *lang = rb_json_str(channel, "lang", NULL);
    json_t *wrapped = json_is_object(given) && !json_object_get(given, "$b64") ? json_incref((json_t *)given)
                                                                               : json_pack("{s:O}", "text", given);
    const char *own = rb_json_str(wrapped, "lang", rb_text_lang() == RB_LANG_ZH ? "zh" : "en");
    memset(m, 0, sizeof *m);
    lang = lang && *lang ? lang : own;
    lang = strcmp(lang, "zh") == 0 ? "zh" : "en";
    int rc = check_names(wrapped, err);
    rc = rc ? rc : fill(m, wrapped, lang, now_us, err);
    if (rc == 0 && !json_object_get(wrapped, "mention")) {
        rc = mention_of_channel(json_object_get(m->json, "mention"), json_object_get(channel, "mention"), err);
    }
    json_decref(wrapped);
    if (rc == 0) {
        title_of_text(m);
        borrow(m);
        if (!*m->title) {
            rc = rb_err_set(err, RB_EUSAGE, RB_T_notify_empty);
        }
    }
    if (rc != 0) {
        rb_notify_message_deinit(m);
    }
    return rc;
}

void rb_notify_message_deinit(struct rb_notify_message *m)
{
    json_decref(m->json);
    memset(m, 0, sizeof *m);
}

int rb_notify_headline(struct rb_buf *out, const struct rb_notify_message *m)
{
    return *m->level ? rb_buf_addf(out, "[%s] %s", m->level, m->title) : rb_buf_adds(out, m->title);
}

static void note_mentions(json_t *into, const json_t *ids)
{
    json_t *id;
    size_t i, k;
    json_array_foreach((json_t *)ids, i, id) {
        json_t *other;
        bool there = false;
        json_array_foreach(into, k, other) {
            there = there || json_equal(other, id);
        }
        if (!there && json_array_size(into) < MENTIONS_MAX) {
            json_array_append(into, id);
        }
    }
}

/* The most serious level leads, every message has its line, and nobody who was to be called is forgotten. */
int rb_notify_message_merge(struct rb_notify_message *out, const struct rb_notify_message *const *many, size_t count)
{
    enum rb_lang lang = strcmp(many[0]->lang, "zh") == 0 ? RB_LANG_ZH : RB_LANG_EN;
    const char *level = "";
    struct rb_buf title, text;
    json_t *mobiles = json_array(), *users = json_array();
    bool all = false;
    rb_buf_init(&title, 1 << 12);
    rb_buf_init(&text, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        const char *own = many[i]->level;
        level = *own && (!*level || strcmp(own, level) < 0) ? own : level;
        (void)rb_buf_adds(&text, "- ");
        (void)rb_notify_headline(&text, many[i]);
        (void)rb_buf_addf(&text, "%s%s%s\n", *many[i]->run ? " (" : "", many[i]->run, *many[i]->run ? ")" : "");
        note_mentions(mobiles, many[i]->mobiles);
        note_mentions(users, many[i]->users);
        all = all || many[i]->all;
    }
    (void)rb_buf_addf(&title, rb_text_n_in(RB_T_notify_digest, (long long)count, lang), (int)count);
    json_t *given = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:o, s:o, s:b}}", "event", "digest", "level", level, "lang",
                              many[0]->lang, "title", rb_buf_str(&title), "text", rb_buf_str(&text), "mention",
                              "mobiles", mobiles, "users", users, "all", all);
    int rc = rb_notify_message_init(out, given, NULL, rb_clock_utc_us(), NULL);
    json_decref(given);
    rb_buf_deinit(&title);
    rb_buf_deinit(&text);
    return rc;
}
