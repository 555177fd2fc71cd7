/* The texts of engine/base/texts for Lua: rt.text("no_param", name) is RB_T_runner_no_param. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "base/utf8.h"
#include "runner/internal.h"

#define NEAR_MAX 512

static enum rb_text_id text_id(const char *name)
{
    char full[96];
    (void)snprintf(full, sizeof full, "runner_%s", name);
    for (int id = 1; id < RB_T_COUNT; id++) {
        if (strcmp(rb_text_name((enum rb_text_id)id), full) == 0) {
            return (enum rb_text_id)id;
        }
    }
    return RB_T_none;
}

/* Fills a printf format with Lua values. Only its %s %d %g kinds are used; the value
 * decides nothing, so a wrong one cannot read memory. */
static void lx_format(lua_State *L, const char *format, int arg)
{
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (const char *p = format; *p; p++) {
        if (*p != '%' || p[1] == '%') {
            luaL_addchar(&out, *p);
            p += *p == '%';
            continue;
        }
        p += 1 + strspn(p + 1, "0123456789.-+ #lzhj");
        luaL_tolstring(L, arg++, NULL);
        luaL_addvalue(&out);
    }
    luaL_pushresult(&out);
}

static int l_text(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    enum rb_text_id id = text_id(name);
    luaL_argcheck(L, id != RB_T_none, 1, name);
    lua_settop(L, 8); /* missing arguments print as nil */
    lx_format(L, rb_text(id), 2);
    return 1;
}

static int l_text_in(lua_State *L)
{
    enum rb_lang lang;
    const char *name = luaL_checkstring(L, 2);
    enum rb_text_id id = text_id(name);
    luaL_argcheck(L, rb_text_lang_parse(luaL_checkstring(L, 1), &lang) == 0, 1, "zh, en");
    luaL_argcheck(L, id != RB_T_none, 2, name);
    lua_settop(L, 9);
    lx_format(L, rb_text_in(id, lang), 3);
    return 1;
}

/* rt.nearest(word, list of words) -> the one that was meant, or nil */
static int l_nearest(lua_State *L)
{
    const char *words[NEAR_MAX];
    const char *word = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t count = 0;
    lua_Unsigned size = lua_rawlen(L, 2);
    for (lua_Unsigned i = 1; i <= size && count < NEAR_MAX; i++) {
        if (lua_rawgeti(L, 2, (lua_Integer)i) == LUA_TSTRING) {
            words[count++] = lua_tostring(L, -1); /* the list keeps it alive */
        }
        lua_pop(L, 1);
    }
    lua_pushstring(L, rb_utf8_nearest(word, words, count));
    return 1;
}

const luaL_Reg rb_rt_text[] = {
    {"text", l_text},
    {"text_in", l_text_in},
    {"nearest", l_nearest},
    {NULL, NULL},
};
