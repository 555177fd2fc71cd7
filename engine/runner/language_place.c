/* Finds the line of a field: the runner knows where a block begins, not where its
 * fields stand. A small reader of Lua's tokens, enough to skip strings, comments
 * and functions. */
#include <string.h>

#include "runner/language_lint.h"

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER };

struct scanner {
    const char *at;
    int line;
    enum token_kind kind;
    const char *text; /* of a name, or inside the quotes of a string; the character of any other */
    size_t len;
    int token_line;
};

static bool name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool name_part(char c)
{
    return name_start(c) || (c >= '0' && c <= '9');
}

static void step_to(struct scanner *s, const char *to)
{
    for (; s->at < to; s->at++) {
        s->line += *s->at == '\n';
    }
}

/* "[[" or "[==[" at p: the number of '=' signs, else -1. */
static int long_open(const char *p)
{
    int level = 0;
    if (*p != '[') {
        return -1;
    }
    for (p++; *p == '='; p++) {
        level++;
    }
    return *p == '[' ? level : -1;
}

static void skip_long(struct scanner *s, int level)
{
    const char *p = s->at + level + 2;
    for (; *p; p++) {
        if (*p != ']') {
            continue;
        }
        int found = 0;
        while (p[1 + found] == '=') {
            found++;
        }
        if (found == level && p[1 + found] == ']') {
            step_to(s, p + level + 2);
            return;
        }
    }
    step_to(s, p);
}

static void skip_blank(struct scanner *s)
{
    for (;;) {
        if (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n') {
            step_to(s, s->at + 1);
        } else if (s->at[0] == '-' && s->at[1] == '-' && long_open(s->at + 2) >= 0) {
            s->at += 2;
            skip_long(s, long_open(s->at));
        } else if (s->at[0] == '-' && s->at[1] == '-') {
            s->at += strcspn(s->at, "\n");
        } else {
            return;
        }
    }
}

static void take_quoted(struct scanner *s)
{
    char quote = *s->at;
    const char *p = s->at + 1;
    s->text = p;
    while (*p && *p != quote && *p != '\n') {
        p += p[0] == '\\' && p[1] ? 2 : 1;
    }
    s->len = (size_t)(p - s->text);
    step_to(s, *p == quote ? p + 1 : p);
}

static void next(struct scanner *s)
{
    skip_blank(s);
    s->token_line = s->line;
    s->text = s->at;
    s->len = 1;
    if (!*s->at) {
        s->kind = TOKEN_END;
    } else if (name_part(*s->at)) { /* a number reads like a name; none is a field */
        s->kind = TOKEN_NAME;
        while (name_part(*s->at)) {
            s->at++;
        }
        s->len = (size_t)(s->at - s->text);
    } else if (*s->at == '"' || *s->at == '\'') {
        s->kind = TOKEN_STRING;
        take_quoted(s);
    } else if (long_open(s->at) >= 0) {
        s->kind = TOKEN_STRING;
        skip_long(s, long_open(s->at));
        s->len = 0;
    } else {
        s->kind = TOKEN_OTHER;
        s->at++;
    }
}

static bool is(const struct scanner *s, const char *word)
{
    return s->kind != TOKEN_END && s->len == strlen(word) && memcmp(s->text, word, s->len) == 0;
}

static bool is_one_of(const struct scanner *s, const char *const *words)
{
    for (; *words; words++) {
        if (s->kind == TOKEN_NAME && is(s, *words)) {
            return true;
        }
    }
    return false;
}

/* To just behind `kind "id"` on this line, so that the second of two blocks on one line is found too. */
static struct scanner behind_head(struct scanner start, const char *kind, const char *id)
{
    struct scanner s = start;
    for (next(&s); s.kind != TOKEN_END && s.token_line == start.line; next(&s)) {
        if (s.kind == TOKEN_NAME && is(&s, kind)) {
            struct scanner after = s;
            next(&after);
            if (after.kind == TOKEN_STRING && is(&after, id)) {
                return after;
            }
        }
    }
    return start;
}

/* `name =` but not `name ==`. */
static bool assigned(struct scanner s)
{
    next(&s);
    return s.kind == TOKEN_OTHER && *s.text == '=' && *s.at != '=';
}

/* The fields of a block stand one brace deep and outside of functions. */
static int field_line(struct scanner s, const char *field)
{
    static const char *const openers[] = {"function", "if", "do", "repeat", NULL};
    static const char *const closers[] = {"end", "until", NULL};
    int braces = 0, bodies = 0;
    for (next(&s); s.kind != TOKEN_END; next(&s)) {
        if (s.kind == TOKEN_OTHER && *s.text == '{') {
            braces++;
        } else if (s.kind == TOKEN_OTHER && *s.text == '}') {
            if (--braces <= 0) {
                return 0;
            }
        } else if (braces == 1 && bodies == 0 && s.kind == TOKEN_NAME && is(&s, field) && assigned(s)) {
            return s.token_line;
        }
        bodies += is_one_of(&s, openers) - is_one_of(&s, closers);
    }
    return 0;
}

int rb_source_field_line(const char *source, int line, const char *kind, const char *id, const char *field)
{
    struct scanner s = {.at = source, .line = 1, .kind = TOKEN_END};
    while (s.line < line && *s.at) {
        step_to(&s, s.at + 1);
    }
    int found = s.line == line ? field_line(behind_head(s, kind, id), field) : 0;
    return found ? found : line;
}
