/* The Lua state: which libraries exist, and how the standard library finds its modules. */
#include <string.h>

#include <lualib.h>

#include "runner/embedded.h"
#include "runner/internal.h"

static const char loaded_key;

/* lua-cjson's header names only the first, and that without including lua.h. */
int luaopen_cjson(lua_State *L);
int luaopen_cjson_safe(lua_State *L);

struct rb_runner *rb_runner_of(lua_State *L)
{
    return *(struct rb_runner **)lua_getextraspace(L);
}

static const struct rb_embedded *embedded(const char *name)
{
    for (const struct rb_embedded *file = rb_embedded; file->name; file++) {
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

/* Bytecode that was built with the program, or a test's text. The chunk name (in bytecode: the same) tells frames of
 * the library from a runbook's, which is only ever loaded as text. */
static int load_library(lua_State *L, const char *name, const char *code, size_t len)
{
    const char *chunk = lua_pushfstring(L, "=[stdlib] %s", name); /* name */
    int status = luaL_loadbufferx(L, code, len, chunk, "bt");     /* name chunk|error */
    lua_remove(L, -2);
    return status;
}

/* Modules in C; the standard library wraps them. */
static const luaL_Reg native[] = {
    {"cjson.core", luaopen_cjson},
    {"cjson.safe.core", luaopen_cjson_safe},
    {NULL, NULL},
};

/* Pushes the function that makes the module. */
static void lx_find_module(lua_State *L, const char *name)
{
    for (const luaL_Reg *n = native; n->name; n++) {
        if (strcmp(n->name, name) == 0) {
            lua_pushcfunction(L, n->func);
            return;
        }
    }
    const struct rb_embedded *file = embedded(name);
    if (!file) {
        luaL_error(L, "no module '%s'", name);
        return;
    }
    if (load_library(L, name, file->code, file->code_size) != LUA_OK) {
        lua_error(L);
    }
}

static int l_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &loaded_key); /* loaded */
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        return 1;
    }
    lua_pop(L, 1);
    lx_find_module(L, name); /* loaded function */
    lua_call(L, 0, 1);       /* loaded module */
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);
    return 1;
}

static int l_module_text(lua_State *L)
{
    const struct rb_embedded *file = embedded(luaL_checkstring(L, 1));
    if (!file) {
        return 0;
    }
    lua_pushlstring(L, file->text, file->size);
    return 1;
}

static int l_metatable(lua_State *L)
{
    luaL_checkany(L, 1);
    return lua_getmetatable(L, 1);
}

/* Until here nothing is garbage, and the library would be gone through again and again while it grows. */
static int l_ready(lua_State *L)
{
    lua_gc(L, LUA_GCRESTART);
    return 0;
}

static int l_target(lua_State *L)
{
    lua_settop(L, 1);
    return rb_json_unwrap(L, 1) ? 1 : 0;
}

/* metatable: as it is, whatever it says of itself. target: what is behind a frozen proxy.
 * ready: the library is loaded. */
static const luaL_Reg rt_state[] = {
    {"ready", l_ready}, {"module_text", l_module_text}, {"metatable", l_metatable}, {"target", l_target}, {NULL, NULL},
};

/* Only what the standard library itself needs; runbooks see a sealed choice of it (seal.lua). */
static void lx_open_libraries(lua_State *L)
{
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},
        {LUA_TABLIBNAME, luaopen_table},
        {LUA_STRLIBNAME, luaopen_string},
        {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8},
        {LUA_COLIBNAME, luaopen_coroutine},
        {NULL, NULL},
    };
    static const char *const gone[] = {"load", "loadfile", "dofile", "collectgarbage", "print", "warn"};
    for (const luaL_Reg *library = libraries; library->name; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        lua_pushnil(L);
        lua_setglobal(L, gone[i]);
    }
    lua_getglobal(L, LUA_STRLIBNAME);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 1);
    lua_pushnil(L); /* the table of loaded modules, by which a library could be had unsealed */
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
}

static void lx_make_rt(lua_State *L, const struct rb_runner *runner)
{
    lua_newtable(L); /* rt */
    luaL_setfuncs(L, rt_state, 0);
    luaL_setfuncs(L, rb_rt_json, 0);
    luaL_setfuncs(L, rb_rt_channel, 0);
    luaL_setfuncs(L, rb_rt_deadline, 0);
    luaL_setfuncs(L, rb_rt_place, 0);
    luaL_setfuncs(L, rb_rt_source, 0);
    luaL_setfuncs(L, rb_rt_text, 0);
    luaL_setfuncs(L, rb_rt_pattern, 0);
    luaL_setfuncs(L, rb_rt_blocks, 0);
    luaL_setfuncs(L, rb_rt_secret, 0);
    lx_pattern_init(L);
    lx_json_init(L); /* rt null */
    lua_setfield(L, -2, "null");
    lua_pushinteger(L, (lua_Integer)runner->memory);
    lua_setfield(L, -2, "memory");
}

static int l_setup(lua_State *L)
{
    lx_open_libraries(L);
    lua_newtable(L);                /* loaded */
    lx_make_rt(L, rb_runner_of(L)); /* loaded rt */
    lua_setfield(L, -2, "rt");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &loaded_key);
    lua_pushcfunction(L, l_require);
    lua_setglobal(L, "require");
    return 0;
}

lua_State *rb_state_new(struct rb_runner *runner)
{
    lua_State *L = lua_newstate(rb_alloc_lua, NULL);
    RB_REQUIRE(L); /* the allocator never refuses */
    *(struct rb_runner **)lua_getextraspace(L) = runner;
    runner->L = L;
    /* Garbage counts against the cap too, so the collector starts early, though not before rt.ready. */
    lua_gc(L, LUA_GCINC, 120, 400, 0);
    lua_gc(L, LUA_GCSTOP);
    rb_deadline_hook(L);
    lua_pushcfunction(L, l_setup);
    RB_REQUIRE(lua_pcall(L, 0, 0, 0) == LUA_OK);
    return L;
}

static int l_start(lua_State *L)
{
    lx_json_push(L, lua_touserdata(L, 1));
    return 1;
}

/* The library's own failure: with the way that led to it. */
static int l_trace(lua_State *L)
{
    luaL_checkstack(L, 10, NULL);
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

int rb_state_load(lua_State *L, struct rb_err *err)
{
    int top = lua_gettop(L);
    lua_pushcfunction(L, l_trace); /* trace */
    lua_pushcfunction(L, l_require);
    lua_pushliteral(L, "conductor");
    int status = lua_pcall(L, 1, 1, top + 1); /* trace conductor|error */
    int rc = status == LUA_OK ? 0 : rb_err_foreign(err, RB_EINTERNAL, "%s", lua_tostring(L, -1));
    lua_settop(L, top);
    return rc;
}

int rb_state_run(lua_State *L, const char *name, const char *code, size_t len, const json_t *start, struct rb_err *err)
{
    int top = lua_gettop(L);
    lua_pushcfunction(L, l_trace);                 /* trace */
    int status = load_library(L, name, code, len); /* trace chunk|error */
    if (status == LUA_OK) {
        lua_pushcfunction(L, l_start);
        lua_pushlightuserdata(L, (void *)(uintptr_t)start);
        status = lua_pcall(L, 1, 1, top + 1); /* trace chunk start|error */
    }
    if (status == LUA_OK) {
        status = lua_pcall(L, 1, 0, top + 1);
    }
    int rc = 0;
    if (status != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        rc = rb_err_foreign(err, RB_EINTERNAL, "%s", message ? message : "?");
    }
    lua_settop(L, top);
    return rc;
}
