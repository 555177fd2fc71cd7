#include "file/env_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const char *text;
    size_t at, end; /* of the text */
    int line;
};

static bool is_name_char(char c, bool first)
{
    return isalpha((unsigned char)c) || c == '_' || (!first && (isdigit((unsigned char)c) || c == '.' || c == '-'));
}

bool rb_env_text_name(const char *name, size_t len)
{
    if (len == 0 || len > 255) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_name_char(name[i], i == 0) || name[i] == '.' || name[i] == '-') {
            return false; /* read, but not written: no shell knows such a name */
        }
    }
    return true;
}

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (c->text[c->at] == ' ' || c->text[c->at] == '\t')) {
        c->at++;
    }
}

static bool at_line_end(const struct cursor *c)
{
    return c->at >= c->end || c->text[c->at] == '\n' ||
           (c->text[c->at] == '\r' && c->at + 1 < c->end && c->text[c->at + 1] == '\n');
}

static void next_line(struct cursor *c)
{
    const char *newline = c->at < c->end ? memchr(c->text + c->at, '\n', c->end - c->at) : NULL;

    c->at = newline ? (size_t)(newline - c->text) + 1 : c->end;
    c->line++;
}

static size_t skip_name(struct cursor *c)
{
    size_t start = c->at;

    while (c->at < c->end && is_name_char(c->text[c->at], c->at == start)) {
        c->at++;
    }
    return c->at - start;
}

/* "export" and a blank before a name. */
static bool skip_export(struct cursor *c)
{
    struct cursor ahead = *c;

    if (c->end - c->at > 7 && memcmp(c->text + c->at, "export", 6) == 0 &&
        (c->text[c->at + 6] == ' ' || c->text[c->at + 6] == '\t')) {
        ahead.at += 6;
        skip_blanks(&ahead);
        if (ahead.at < ahead.end && is_name_char(ahead.text[ahead.at], true)) {
            *c = ahead;
            return true;
        }
    }
    return false;
}

/* In quotes a value may go over several lines. False when the quote never ends. */
static bool quoted(struct cursor *c, struct rb_env_entry *e)
{
    size_t at = c->at + 1;
    int lines = 0;

    e->quote = c->text[c->at];
    e->from = c->at;
    while (at < c->end && c->text[at] != e->quote) {
        lines += c->text[at] == '\n';
        at += e->quote == '"' && c->text[at] == '\\' && at + 1 < c->end ? 2 : 1;
    }
    if (at >= c->end) {
        return false;
    }
    c->at = e->to = at + 1;
    c->line += lines;
    skip_blanks(c);
    return at_line_end(c) || c->text[c->at] == '#';
}

/* To the end of the line, or to a # behind a blank. */
static void bare(struct cursor *c, struct rb_env_entry *e)
{
    e->from = e->to = c->at;
    while (!at_line_end(c)) {
        char now = c->text[c->at];
        if (now == '#' && (c->at == e->from || c->text[c->at - 1] == ' ' || c->text[c->at - 1] == '\t')) {
            return;
        }
        c->at++;
        if (now != ' ' && now != '\t') {
            e->to = c->at;
        }
    }
}

/* One line. True and an entry; false when it is blank or a comment, or bad. */
static bool assignment(struct cursor *c, struct rb_env_entry *e, bool *bad)
{
    size_t start;

    *bad = false;
    skip_blanks(c);
    if (at_line_end(c) || c->text[c->at] == '#') {
        return false;
    }
    *e = (struct rb_env_entry){.line = c->line};
    e->exported = skip_export(c);
    start = c->at;
    e->name = c->text + start;
    e->name_len = skip_name(c);
    skip_blanks(c);
    *bad = e->name_len == 0 || c->at >= c->end || c->text[c->at] != '=';
    if (*bad) {
        return false;
    }
    c->at++;
    skip_blanks(c);
    if (c->at < c->end && (c->text[c->at] == '"' || c->text[c->at] == '\'')) {
        struct cursor before = *c;
        *bad = !quoted(c, e);
        if (*bad) {
            *c = before;
        }
        return !*bad;
    }
    bare(c, e);
    return true;
}

/* As many entries as there may be. */
static size_t count_lines(const char *text, size_t len)
{
    size_t lines = 1;

    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
    }
    return lines;
}

int rb_env_text_parse(const char *text, size_t len, struct rb_env_text *out, struct rb_err *err)
{
    struct cursor c = {text, 0, len, 1};
    size_t lines = count_lines(text, len);

    *out = (struct rb_env_text){0};
    if (lines > RB_ENV_LINES) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_bindings_env_large, RB_ENV_LINES);
    }
    out->entries = rb_xcalloc(lines, sizeof *out->entries);
    out->bad = rb_xcalloc(lines, sizeof *out->bad);
    while (c.at < c.end) {
        bool bad;
        int line = c.line;
        if (assignment(&c, &out->entries[out->count], &bad)) {
            out->count++;
        } else if (bad) {
            out->bad[out->bad_count++] = line;
        }
        next_line(&c);
    }
    return 0;
}

void rb_env_text_free(struct rb_env_text *t)
{
    free(t->entries);
    free(t->bad);
    *t = (struct rb_env_text){0};
}

static int unescape(const char *s, size_t len, struct rb_buf *out)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < len; i++) {
        const char *escapes = "nrt", *means = "\n\r\t";
        if (s[i] != '\\' || i + 1 == len) {
            rc = rb_buf_add(out, s + i, 1);
            continue;
        }
        const char *known = memchr(escapes, s[++i], 3);
        if (known) {
            rc = rb_buf_add(out, means + (known - escapes), 1);
        } else {
            bool drop = strchr("\\\"$`", s[i]) && s[i];
            rc = rb_buf_add(out, s + i - !drop, 1 + (size_t)!drop);
        }
    }
    return rc;
}

int rb_env_text_value(const char *text, const struct rb_env_entry *entry, struct rb_buf *out)
{
    size_t trim = entry->quote ? 1 : 0, len = entry->to - entry->from - 2 * trim;

    return entry->quote == '"' ? unescape(text + entry->from + 1, len, out)
                               : rb_buf_add(out, text + entry->from + trim, len);
}

static bool is_plain(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)value[i]) && !strchr("_./:@%+,=-", value[i])) {
            return false;
        }
    }
    return true;
}

static int double_quoted(const char *value, size_t len, struct rb_buf *out)
{
    int rc = rb_buf_adds(out, "\"");

    for (size_t i = 0; rc == 0 && i < len; i++) {
        const char *written = value[i] == '\n' ? "\\n" : value[i] == '\r' ? "\\r" : value[i] == '\t' ? "\\t" : NULL;
        if (written) {
            rc = rb_buf_adds(out, written);
        } else {
            rc = strchr("\\\"$`", value[i]) ? rb_buf_adds(out, "\\") : 0;
            rc = rc ? rc : rb_buf_add(out, value + i, 1);
        }
    }
    return rc ? rc : rb_buf_adds(out, "\"");
}

int rb_env_text_quote(const char *value, size_t len, char quote, struct rb_buf *out)
{
    bool single = !memchr(value, '\'', len) && !memchr(value, '\n', len) && !memchr(value, '\r', len);

    if (quote == 0 && is_plain(value, len)) {
        return rb_buf_add(out, value, len);
    }
    if (single && quote != '"') {
        int rc = rb_buf_adds(out, "'");
        rc = rc ? rc : rb_buf_add(out, value, len);
        return rc ? rc : rb_buf_adds(out, "'");
    }
    return double_quoted(value, len, out);
}
