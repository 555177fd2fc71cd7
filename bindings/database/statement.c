#include "database/statement.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define TEXT_MAX (4 << 20)

enum kind { END, WORD, QUOTED, STRING, PLACE, NUMBERED, MARK, BAD };

struct token {
    enum kind kind;
    const char *at;
    size_t len;
};

struct lexer {
    const struct rb_dialect *dialect;
    const char *at;
    bool odd;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Behind the quote that ends what began at p; NULL without one. */
static const char *quoted_end(const char *p, bool backslash)
{
    char quote = *p++;
    for (; *p; p++) {
        if (backslash && *p == '\\' && p[1]) {
            p++;
        } else if (*p == quote) {
            if (p[1] != quote) {
                return p + 1;
            }
            p++;
        }
    }
    return NULL;
}

/* PostgreSQL's comments nest, MariaDB's do not. */
static const char *comment_end(const char *p, bool nests)
{
    int depth = 0;
    while (*p) {
        if (nests && p[0] == '/' && p[1] == '*') {
            depth++;
            p += 2;
        } else if (p[0] == '*' && p[1] == '/') {
            p += 2;
            if (!nests || --depth == 0) {
                return p;
            }
        } else {
            p++;
        }
    }
    return NULL;
}

/* $tag$ … $tag$; p itself when it is none, NULL without an end. */
static const char *dollar_end(const char *p)
{
    const char *tag = p + 1;
    while (isalnum((unsigned char)*tag) || *tag == '_' || (unsigned char)*tag >= 0x80) {
        tag++;
    }
    if (*tag != '$' || isdigit((unsigned char)p[1])) {
        return p;
    }
    size_t len = (size_t)(tag + 1 - p);
    for (const char *end = tag + 1; (end = strchr(end, '$')); end++) {
        if (strncmp(end, p, len) == 0) {
            return end + len;
        }
    }
    return NULL;
}

static bool line_comment(const struct lexer *l)
{
    bool mysql = l->dialect->mysql;
    if (l->at[0] == '-' && l->at[1] == '-') {
        return !mysql || (unsigned char)l->at[2] <= ' ';
    }
    return mysql && *l->at == '#';
}

/* Spaces and comments. False: a comment without an end. */
static bool skip(struct lexer *l)
{
    for (;;) {
        if (*l->at && strchr(" \t\r\n\f\v", *l->at)) {
            l->at++;
        } else if (line_comment(l)) {
            l->at += strcspn(l->at, "\r\n");
        } else if (l->at[0] == '/' && l->at[1] == '*') {
            l->odd |= l->dialect->mysql && (l->at[2] == '!' || (l->at[2] == 'M' && l->at[3] == '!'));
            const char *end = comment_end(l->dialect->mysql ? l->at + 2 : l->at, !l->dialect->mysql);
            if (!end) {
                return false;
            }
            l->at = end;
        } else {
            return true;
        }
    }
}

static struct token token_to(struct lexer *l, enum kind kind, const char *end)
{
    struct token t = {end ? kind : BAD, l->at, end ? (size_t)(end - l->at) : strlen(l->at)};
    l->at += t.len;
    return t;
}

static struct token word(struct lexer *l)
{
    const char *end = l->at;
    while (is_word(*end)) {
        end++;
    }
    if (!l->dialect->mysql && end == l->at + 1 && *end == '\'' && (*l->at == 'e' || *l->at == 'E')) {
        return token_to(l, STRING, quoted_end(end, true));
    }
    l->odd |= !l->dialect->mysql && end == l->at + 1 && *end == '&' && (*l->at == 'u' || *l->at == 'U') &&
              (end[1] == '"' || end[1] == '\'');
    return token_to(l, WORD, end);
}

static struct token next(struct lexer *l)
{
    bool mysql = l->dialect->mysql;
    if (!skip(l)) {
        return token_to(l, BAD, NULL);
    }
    char c = *l->at;
    if (!c) {
        return (struct token){END, l->at, 0};
    }
    if (c == '\'' || (mysql && c == '"')) {
        return token_to(l, STRING, quoted_end(l->at, mysql));
    }
    if (c == '"' || (mysql && c == '`')) {
        return token_to(l, QUOTED, quoted_end(l->at, false));
    }
    if (c == '$' && !mysql && isdigit((unsigned char)l->at[1])) {
        return token_to(l, NUMBERED, l->at + 1 + strspn(l->at + 1, "0123456789"));
    }
    if (c == '$' && !mysql) {
        const char *end = dollar_end(l->at);
        return token_to(l, end == l->at ? MARK : STRING, end == l->at ? end + 1 : end);
    }
    if (is_word(c)) {
        return word(l);
    }
    return token_to(l, c == '?' ? PLACE : MARK, l->at + 1);
}

static void capitals(const struct token *t, char out[RB_STATEMENT_WORD])
{
    size_t len = t->len < RB_STATEMENT_WORD ? t->len : 0; /* no word we know is longer */
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)toupper((unsigned char)t->at[i]);
    }
    out[len] = '\0';
}

bool rb_statement_word_in(const char *word, const char *const *words)
{
    for (; words && *words; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* The name as the server looks for it: folded when plain, without its quotes otherwise. */
static json_t *name_of(const struct rb_dialect *dialect, const struct token *t)
{
    struct rb_buf name;
    rb_buf_init(&name, TEXT_MAX);
    bool quoted = t->kind == QUOTED;
    for (size_t i = quoted; i < t->len - quoted; i++) {
        char c = t->at[i];
        i += quoted && c == t->at[0];
        c = !quoted && !dialect->mysql ? (char)tolower((unsigned char)c) : c;
        rb_buf_add(&name, &c, 1);
    }
    json_t *out = rb_json_bytes(rb_buf_str(&name), name.len);
    rb_buf_deinit(&name);
    return out;
}

static bool known(const json_t *list, const json_t *name)
{
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one) {
        if (json_equal(one, name)) {
            return true;
        }
    }
    return false;
}

/* MariaDB calls a stored function, never one of its own, when the name is quoted, qualified, or (for some of
 * its own) stands apart from the parenthesis: these are noted in a form that no list of functions has. */
static void note_call(struct rb_statement *s, const struct rb_dialect *dialect, const struct token *t, bool qualified,
                      bool apart)
{
    char word[RB_STATEMENT_WORD];
    capitals(t, word);
    if (t->kind == WORD && !qualified && rb_statement_word_in(word, dialect->keywords)) {
        return;
    }
    json_t *name = name_of(dialect, t);
    if (dialect->mysql && (t->kind == QUOTED || qualified || apart)) {
        json_t *marked =
            json_sprintf("%s%s (", qualified ? "." : "", json_is_string(name) ? json_string_value(name) : "");
        json_decref(name);
        name = marked;
    }
    if (known(s->calls, name)) {
        json_decref(name);
    } else {
        json_array_append_new(s->calls, name);
    }
}

static void note_word(struct rb_statement *s, const struct rb_dialect *dialect, const struct token *t, bool qualified)
{
    char word[RB_STATEMENT_WORD];
    capitals(t, word);
    if (!s->first[0]) {
        memcpy(s->first, word, sizeof word);
    } else if (!s->second[0]) {
        memcpy(s->second, word, sizeof word);
    }
    if (!qualified && rb_statement_word_in(word, dialect->never_reading)) {
        memcpy(s->never, word, sizeof word);
    }
}

/* Spaces keep what stands beside a place from becoming part of it: "a?", "?5". */
static int note_place(struct rb_statement *s, const struct rb_dialect *dialect, const struct token *t, bool numbered)
{
    if (t->kind == NUMBERED) {
        long n = t->len < 7 ? strtol(t->at + 1, NULL, 10) : 65536;
        s->places = n > s->places ? (int)n : s->places;
    } else if (!numbered) {
        s->places++;
        return dialect->mysql ? rb_buf_adds(&s->text, "?") : rb_buf_addf(&s->text, " $%d ", s->places);
    }
    return rb_buf_add(&s->text, t->at, t->len);
}

/* Does it write its values $1? Then ? is one of PostgreSQL's operators. */
static bool has_numbers(const struct rb_dialect *dialect, const char *text)
{
    struct lexer l = {.dialect = dialect, .at = text};
    struct token t;
    do {
        t = next(&l);
    } while (t.kind != END && t.kind != BAD && t.kind != NUMBERED);
    return t.kind == NUMBERED;
}

static int read_tokens(const struct rb_dialect *dialect, const char *text, struct rb_statement *s, struct rb_err *err)
{
    struct lexer l = {.dialect = dialect, .at = text};
    bool numbered = has_numbers(dialect, text), ended = false, dot = false;
    struct token t = {END, text, 0}, before;
    const char *copied = text;

    for (;;) {
        before = t;
        t = next(&l);
        if (t.kind == BAD) {
            return rb_err_set(err, RB_EUSAGE, RB_T_servers_sql_unended);
        }
        if (t.kind == END) {
            break;
        }
        s->several |= ended;
        if (t.kind == MARK && *t.at == '(' && (before.kind == WORD || before.kind == QUOTED)) {
            note_call(s, dialect, &before, dot, before.at + before.len != t.at);
        }
        dot = (t.kind == WORD || t.kind == QUOTED) && before.kind == MARK && *before.at == '.';
        if (t.kind == WORD) {
            note_word(s, dialect, &t, dot);
        } else if (t.kind == PLACE || t.kind == NUMBERED) {
            rb_buf_add(&s->text, copied, (size_t)(t.at - copied));
            note_place(s, dialect, &t, numbered);
            copied = l.at;
        }
        ended |= t.kind == MARK && *t.at == ';';
        s->odd |= l.odd;
    }
    s->odd |= l.odd;
    return rb_buf_adds(&s->text, copied);
}

int rb_statement_read(const struct rb_dialect *dialect, const char *text, struct rb_statement *out, struct rb_err *err)
{
    *out = (struct rb_statement){.calls = json_array()};
    rb_buf_init(&out->text, TEXT_MAX);
    int rc = read_tokens(dialect, text, out, err);
    if (rc == RB_ETOO_LARGE) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_sql_long, TEXT_MAX >> 20);
    }
    if (rc == 0 && !out->first[0]) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_one_statement);
    }
    return rc;
}

void rb_statement_free(struct rb_statement *s)
{
    rb_buf_deinit(&s->text);
    json_decref(s->calls);
    *s = (struct rb_statement){0};
}

int rb_statement_may_read(const struct rb_dialect *dialect, const struct rb_statement *s, struct rb_err *err)
{
    if (s->several) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_one_statement);
    }
    if (!rb_statement_word_in(s->first, dialect->reading)) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_servers_sql_not_reading, s->first);
    }
    if (s->never[0]) {
        return rb_err_set(err, RB_EFORBIDDEN, RB_T_servers_sql_not_reading, s->never);
    }
    return s->odd ? rb_err_set(err, RB_EFORBIDDEN, RB_T_servers_sql_odd) : 0;
}

int rb_statement_may_write(const struct rb_dialect *dialect, const struct rb_statement *s, bool in_tx,
                           struct rb_err *err)
{
    bool begins = strcmp(s->first, "START") == 0 && strcmp(s->second, "TRANSACTION") == 0;
    if (begins || rb_statement_word_in(s->first, dialect->transaction)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_sql_transaction, s->first);
    }
    /* A routine's body is full of semicolons; that there is one statement is the protocol's business then. */
    if (s->several && strcmp(s->first, "CREATE") != 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_one_statement);
    }
    if (in_tx && dialect->in_tx && !rb_statement_word_in(s->first, dialect->in_tx)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_sql_alone, s->first);
    }
    return 0;
}
