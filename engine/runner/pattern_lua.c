/* rt.find: patterns (base/pattern.h) for text.lua. In the runner, where a fault of the library harms nobody.
 */
#include <string.h>

#include "base/pattern.h"
#include "runner/internal.h"

#define COMPILED_MAX 100 /* patterns kept; a runbook has a handful */

static const char compiled_key;

static int l_free(lua_State *L)
{
    struct rb_pattern **p = lua_touserdata(L, 1);
    rb_pattern_free(*p);
    *p = NULL;
    return 0;
}

void lx_pattern_init(lua_State *L)
{
    lua_newtable(L); /* pattern -> compiled; [1] = metatable, [2] = how many */
    lua_newtable(L);
    lua_pushcfunction(L, l_free);
    lua_setfield(L, -2, "__gc");
    lua_rawseti(L, -2, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &compiled_key);
}

/* Leaves the compiled pattern on the stack: it lives as long as that. NULL and a message in its place. */
static struct rb_pattern *lx_compiled(lua_State *L, int index)
{
    size_t len;
    struct rb_err err = {0};
    const char *text = luaL_checklstring(L, index, &len);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &compiled_key); /* cache */
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TUSERDATA) {
        return *(struct rb_pattern **)lua_touserdata(L, -1);
    }
    lua_pop(L, 1);
    struct rb_pattern **p = lua_newuserdatauv(L, sizeof(struct rb_pattern *), 0); /* cache p */
    *p = NULL;
    lua_rawgeti(L, -2, 1);
    lua_setmetatable(L, -2);
    if (rb_pattern_new(p, text, len, false, &err) != 0) {
        lua_pushstring(L, err.text);
        return NULL;
    }
    lua_rawgeti(L, -2, 2);
    lua_Integer count = lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    if (count > COMPILED_MAX) {
        lx_pattern_init(L); /* a runbook that makes patterns without end compiles them again */
        return *p;
    }
    lua_pushinteger(L, count);
    lua_rawseti(L, -3, 2);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
    return *p;
}

static void lx_captures(lua_State *L, const struct rb_pattern *p, const char *s, const struct rb_span *spans)
{
    lua_newtable(L);
    for (unsigned i = 0; i <= rb_pattern_captures(p); i++) {
        const char *name = rb_pattern_name(p, i);
        if (spans[i].from == SIZE_MAX) {
            continue;
        }
        lua_pushlstring(L, s + spans[i].from, spans[i].to - spans[i].from);
        if (name) {
            lua_pushvalue(L, -1);
            lua_setfield(L, -3, name);
        }
        lua_rawseti(L, -2, (lua_Integer)i);
    }
}

/* rt.find(s, pattern, from) -> first, last, { [0] = whole, captures }; nil when there is none; false, code,
 * message. */
static int l_find(lua_State *L)
{
    size_t len;
    struct rb_err err = {0};
    struct rb_span spans[RB_PATTERN_GROUPS];
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    struct rb_pattern *p = lx_compiled(L, 2);
    int rc = p ? rb_pattern_find(p, s, len, from > 0 ? (size_t)from - 1 : 0, spans, &err) : RB_EUSAGE;
    if (rc == 0) {
        lua_pushnil(L);
        return 1;
    }
    if (rc < 0) {
        lua_pushboolean(L, 0);
        lua_pushstring(L, rb_err_name(rc));
        if (p) {
            lua_pushstring(L, err.text);
        } else {
            lua_pushvalue(L, -3);
        }
        return 3;
    }
    lua_pushinteger(L, (lua_Integer)spans[0].from + 1);
    lua_pushinteger(L, (lua_Integer)spans[0].to);
    lx_captures(L, p, s, spans);
    return 3;
}

const luaL_Reg rb_rt_pattern[] = {
    {"find", l_find},
    {NULL, NULL},
};
