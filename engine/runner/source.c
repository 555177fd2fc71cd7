/* The text of a runbook before Lua sees it, and the words for what Lua says of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "runner/internal.h"

#define TEXT_MAX ((size_t)1 << 20)
#define LINE_MAX_BYTES ((size_t)64 << 10)

/* ---- what is refused ---- */

static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (; text < at; text++) {
        line += *text == '\n';
    }
    return line;
}

static bool refused_at(struct rb_source_problem *problem, int line, const char *message)
{
    problem->line = line;
    problem->column = 0;
    (void)snprintf(problem->message, sizeof problem->message, "%s", message);
    return true;
}

/* Characters that make a reviewer see another program than Lua: U+202A to U+202E, U+2066 to U+2069. */
static bool is_bidi(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    if (len < 3 || u[0] != 0xE2) {
        return false;
    }
    return (u[1] == 0x80 && u[2] >= 0xAA && u[2] <= 0xAE) || (u[1] == 0x81 && u[2] >= 0xA6 && u[2] <= 0xA9);
}

static bool refused_line(const char *line, size_t len, int number, struct rb_source_problem *problem)
{
    if (len > LINE_MAX_BYTES) {
        return refused_at(problem, number, rb_text(RB_T_runner_source_line));
    }
    if (!rb_utf8_valid(line, len)) {
        return refused_at(problem, number, rb_text(RB_T_runner_source_utf8));
    }
    for (size_t i = 0; i < len; i++) {
        if (is_bidi(line + i, len - i)) {
            return refused_at(problem, number, rb_text(RB_T_runner_source_bidi));
        }
    }
    return false;
}

bool rb_source_refused(const char *text, size_t len, struct rb_source_problem *problem)
{
    if (len > TEXT_MAX) {
        return refused_at(problem, 1, rb_text(RB_T_runner_source_large));
    }
    const char *nul = memchr(text, '\0', len);
    if (nul || (len > 0 && text[0] == LUA_SIGNATURE[0])) {
        return refused_at(problem, nul ? line_of(text, nul) : 1, rb_text(RB_T_runner_source_binary));
    }
    const char *end = text + len;
    for (int number = 1; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        if (refused_line(text, (size_t)(stop - text), number, problem)) {
            return true;
        }
        text = stop + 1;
    }
    return false;
}

/* ---- full-width punctuation ---- */

struct wide {
    const char *mark, *plain;
};

static const struct wide wides[] = {
    {"，", ","}, {"、", ","}, {"；", ";"},  {"：", ":"}, {"（", "("}, {"）", ")"},
    {"“", "\""}, {"”", "\""}, {"＂", "\""}, {"‘", "'"},  {"’", "'"},  {"＝", "="},
    {"｛", "{"}, {"｝", "}"}, {"［", "["},  {"］", "]"}, {"　", " "},
};

struct scan {
    const char *at, *end, *line_start;
    int line;
};

static const struct wide *wide_at(const struct scan *s)
{
    for (size_t i = 0; i < sizeof wides / sizeof wides[0]; i++) {
        size_t len = strlen(wides[i].mark);
        if ((size_t)(s->end - s->at) >= len && memcmp(s->at, wides[i].mark, len) == 0) {
            return &wides[i];
        }
    }
    return NULL;
}

static void step(struct scan *s)
{
    if (*s->at++ == '\n') {
        s->line++;
        s->line_start = s->at;
    }
}

/* The level of a long bracket that opens here, or -1. */
static int long_bracket(const struct scan *s)
{
    const char *p = s->at;
    if (p == s->end || *p++ != '[') {
        return -1;
    }
    int level = 0;
    for (; p < s->end && *p == '='; p++) {
        level++;
    }
    return p < s->end && *p == '[' ? level : -1;
}

static bool closes(const struct scan *s, int level)
{
    const char *p = s->at;
    if (*p++ != ']') {
        return false;
    }
    for (; p < s->end && *p == '=' && level > 0; p++) {
        level--;
    }
    return level == 0 && p < s->end && *p == ']';
}

static void skip_long(struct scan *s, int level)
{
    while (s->at < s->end && !closes(s, level)) {
        step(s);
    }
    for (int i = 0; i < level + 2 && s->at < s->end; i++) {
        step(s);
    }
}

static void skip_comment(struct scan *s)
{
    s->at += 2;
    int level = long_bracket(s);
    if (level >= 0) {
        skip_long(s, level);
        return;
    }
    while (s->at < s->end && *s->at != '\n') {
        s->at++;
    }
}

/* A string that its line does not close was meant to be closed by a full-width quote of that line:
 * the scan then goes back to look inside it. */
static void skip_string(struct scan *s)
{
    char quote = *s->at++;
    const char *inside = s->at;
    for (; s->at < s->end && *s->at != '\n'; s->at++) {
        if (*s->at == '\\' && s->at + 1 < s->end) {
            s->at++;
            if (*s->at == '\n') {
                s->line++;
                s->line_start = s->at + 1;
            }
        } else if (*s->at == quote) {
            s->at++;
            return;
        }
    }
    s->at = inside;
}

static bool report(const struct scan *s, const struct wide *wide, struct rb_source_problem *problem)
{
    int column = 1;
    for (const char *p = s->line_start; p < s->at; p++) {
        column += ((unsigned char)*p & 0xC0) != 0x80;
    }
    problem->line = s->line;
    problem->column = column;
    enum rb_text_id text = wide->plain[0] == ' ' ? RB_T_runner_source_wide_space : RB_T_runner_source_wide;
    (void)snprintf(problem->message, sizeof problem->message, rb_text(text), column, wide->mark, wide->plain);
    return true;
}

bool rb_source_punctuation(const char *text, size_t len, struct rb_source_problem *problem)
{
    struct scan s = {text, text + len, text, 1};
    while (s.at < s.end) {
        const struct wide *wide;
        if (*s.at == '-' && s.at + 1 < s.end && s.at[1] == '-') {
            skip_comment(&s);
        } else if (*s.at == '"' || *s.at == '\'') {
            skip_string(&s);
        } else if (long_bracket(&s) >= 0) {
            skip_long(&s, long_bracket(&s));
        } else if ((wide = wide_at(&s)) != NULL) {
            return report(&s, wide, problem);
        } else {
            step(&s);
        }
    }
    return false;
}

/* ---- rt.load ---- */

/* "short name:line: message" of Lua's parser into its parts. */
static void split_syntax_error(const char *text, struct rb_source_problem *problem)
{
    const char *rest = text;
    for (const char *p = strchr(text, ':'); p; p = strchr(p + 1, ':')) {
        char *end;
        long line = strtol(p + 1, &end, 10);
        if (end > p + 1 && end[0] == ':' && end[1] == ' ') {
            problem->line = (int)line;
            rest = end + 2;
            break;
        }
    }
    if (strstr(rest, "C stack overflow") || strstr(rest, "C levels")) {
        rest = rb_text(RB_T_runner_source_deep);
    }
    (void)snprintf(problem->message, sizeof problem->message, "%s", rest);
}

static int lx_problem(lua_State *L, const struct rb_source_problem *problem)
{
    struct rb_buf clean; /* the parser quotes the text it stumbled over */
    rb_buf_init(&clean, 4096);
    (void)rb_utf8_clean(&clean, problem->message, strlen(problem->message), false);
    lua_pushnil(L);
    lua_pushinteger(L, problem->line);
    lua_pushstring(L, rb_buf_str(&clean));
    rb_buf_deinit(&clean);
    if (problem->column == 0) {
        return 3;
    }
    lua_pushinteger(L, problem->column);
    return 4;
}

/* A byte order mark and a "#!" line are no Lua, and no reason to refuse a file. */
static void skip_preamble(const char **text, size_t *len)
{
    size_t skip = 0;
    if (*len >= 3 && memcmp(*text, "\xEF\xBB\xBF", 3) == 0) {
        skip = 3;
    }
    if (*len > skip && (*text)[skip] == '#') {
        while (skip < *len && (*text)[skip] != '\n') {
            skip++;
        }
    }
    *text += skip;
    *len -= skip;
}

/* A limit of the parser is raised as a run-time error, which a message handler above (place.c) has
 * already made a table of. */
static const char *parser_words(lua_State *L)
{
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "message");
    }
    const char *words = lua_tostring(L, -1);
    return words ? words : "?";
}

/* rt.load(text, chunk name, environment) -> function | nil, line, message, column */
static int l_load(lua_State *L)
{
    size_t len;
    struct rb_source_problem problem = {0};
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    if (rb_source_refused(text, len, &problem)) {
        return lx_problem(L, &problem);
    }
    skip_preamble(&text, &len);
    if (luaL_loadbufferx(L, text, len, name, "t") != LUA_OK) {
        if (!rb_source_punctuation(text, len, &problem)) {
            split_syntax_error(parser_words(L), &problem);
        }
        return lx_problem(L, &problem);
    }
    lua_pushvalue(L, 3);
    lua_setupvalue(L, -2, 1);
    return 1;
}

const luaL_Reg rb_rt_source[] = {{"load", l_load}, {NULL, NULL}};
