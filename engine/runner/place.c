/* Where in a runbook we are, and what an error says of itself. */
#include <stdio.h>
#include <string.h>

#include "runner/internal.h"

/* Chunk names of runbooks start with @; those of the library with =[stdlib]. */
static bool place_of(lua_State *L, lua_Debug *frame, char *out, size_t size)
{
    if (!lua_getinfo(L, "Sl", frame) || frame->source[0] != '@' || frame->currentline <= 0) {
        return false;
    }
    (void)snprintf(out, size, "%s:%d", frame->source + 1, frame->currentline);
    return true;
}

bool rb_place_find(lua_State *L, int nth, char *out, size_t size)
{
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        if (place_of(L, &frame, out, size) && nth-- == 0) {
            return true;
        }
    }
    return false;
}

static int l_where(lua_State *L)
{
    char at[512];
    if (!rb_place_find(L, (int)luaL_optinteger(L, 1, 0), at, sizeof at)) {
        return 0;
    }
    lua_pushstring(L, at);
    return 1;
}

static int l_fn_line(lua_State *L)
{
    lua_Debug frame;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_getinfo(L, ">S", &frame);
    lua_pushinteger(L, frame.linedefined);
    return 1;
}

/* "file:line" where a function of a runbook begins: the place of last resort when a tail call
 * has taken the function itself off the stack. */
static int l_fn_place(lua_State *L)
{
    lua_Debug frame;
    lua_settop(L, 1);
    if (!lua_isfunction(L, 1)) {
        return 0;
    }
    lua_getinfo(L, ">S", &frame);
    if (frame.source[0] != '@') {
        return 0;
    }
    lua_pushfstring(L, "%s:%d", frame.source + 1, frame.linedefined > 0 ? frame.linedefined : 1);
    return 1;
}

/* Lua puts "short name:line: " before a message; finds the frame that did, its place, and what follows. */
static const char *split_message(lua_State *L, const char *message, char *at, size_t size)
{
    char prefix[LUA_IDSIZE + 16];
    lua_Debug frame;
    for (int level = 1; lua_getstack(L, level, &frame); level++) {
        if (!lua_getinfo(L, "Sl", &frame) || frame.currentline <= 0) {
            continue;
        }
        int n = snprintf(prefix, sizeof prefix, "%s:%d: ", frame.short_src, frame.currentline);
        if (strncmp(message, prefix, (size_t)n) == 0) {
            if (!place_of(L, &frame, at, size)) {
                (void)rb_place_find(L, 0, at, size);
            }
            return message + n;
        }
    }
    (void)rb_place_find(L, 0, at, size);
    return message;
}

/* Message handler of task.protect: a table stays what it is, a Lua error becomes
 * {kind = "lua", message, at, trace}. */
static int l_handler(lua_State *L)
{
    if (lua_istable(L, 1)) {
        return 1;
    }
    char at[512] = "";
    luaL_checkstack(L, 12, NULL);
    const char *message = luaL_tolstring(L, 1, NULL); /* error text */
    const char *rest = split_message(L, message, at, sizeof at);
    lua_createtable(L, 0, 4); /* error text table */
    lua_pushliteral(L, "lua");
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, rest);
    lua_setfield(L, -2, "message");
    if (at[0]) {
        lua_pushstring(L, at);
        lua_setfield(L, -2, "at");
    }
    luaL_traceback(L, L, message, 1);
    lua_setfield(L, -2, "trace");
    return 1;
}

const luaL_Reg rb_rt_place[] = {
    {"where", l_where}, {"fn_line", l_fn_line}, {"fn_place", l_fn_place}, {"handler", l_handler}, {NULL, NULL},
};
