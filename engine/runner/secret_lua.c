/* A secret in Lua: a token that can be passed on and nothing else. It has no value here, only a name, and
 * even that cannot be looked at; every use that would show or compare it says so. */
#include <string.h>

#include "base/text.h"
#include "runner/internal.h"

static const char meta_key; /* place in the registry */

const char *rb_secret_get(lua_State *L, int index)
{
    const char *name = NULL;
    if (lua_type(L, index) == LUA_TUSERDATA && lua_getmetatable(L, index)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key);
        name = lua_rawequal(L, -1, -2) ? lua_touserdata(L, index) : NULL;
        lua_pop(L, 2);
    }
    return name;
}

static int l_refuse(lua_State *L)
{
    return luaL_error(L, "%s", rb_text(RB_T_runner_secret_seen));
}

static void lx_push_meta(lua_State *L)
{
    static const char *const events[] = {
        "__index", "__newindex", "__tostring", "__len",  "__concat", "__call", "__eq",   "__lt",
        "__le",    "__unm",      "__add",      "__sub",  "__mul",    "__div",  "__mod",  "__pow",
        "__idiv",  "__band",     "__bor",      "__bxor", "__shl",    "__shr",  "__bnot", "__pairs",
    };
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &meta_key) == LUA_TTABLE) {
        return;
    }
    lua_pop(L, 1);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        lua_pushcfunction(L, l_refuse);
        lua_setfield(L, -2, events[i]);
    }
    lua_pushliteral(L, "secret");
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &meta_key);
}

/* secret("orders-pw"): for the standard library, which alone makes tokens, from a run's parameters. */
static int l_secret(lua_State *L)
{
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    char *token = lua_newuserdatauv(L, len + 1, 0);
    memcpy(token, name, len + 1);
    lx_push_meta(L);
    lua_setmetatable(L, -2);
    return 1;
}

static int l_is_secret(lua_State *L)
{
    lua_pushboolean(L, rb_secret_get(L, 1) != NULL);
    return 1;
}

const luaL_Reg rb_rt_secret[] = {{"secret", l_secret}, {"is_secret", l_is_secret}, {NULL, NULL}};
