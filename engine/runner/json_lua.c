/* JSON to Lua values, and `rt`'s JSON functions. Arrays stay arrays (also empty ones: they carry a
 * mark), null is a value of its own. The way back: lua_to_json.c. */
#include "base/frame.h"
#include "base/json.h"
#include "base/text.h"
#include "runner/internal.h"

static const char null_key, array_key; /* places in the registry */

bool rb_json_is_array(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index)) {
        return false;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

bool rb_json_is_null(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
    bool same = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    return same;
}

static void lx_push_array(lua_State *L, const json_t *array)
{
    size_t count = json_array_size(array);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lx_json_push(L, json_array_get(array, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, -2);
}

/* {"$b64": "…"} is a string; false when it is a table like any other. */
static bool lx_push_bytes(lua_State *L, const json_t *object)
{
    struct rb_buf bytes;
    if (json_object_size(object) != 1 || !json_object_get(object, "$b64")) {
        return false;
    }
    rb_buf_init(&bytes, RB_FRAME_MAX);
    bool ok = rb_json_bytes_get(object, &bytes) == 0;
    if (ok) {
        lua_pushlstring(L, bytes.data ? bytes.data : "", bytes.len);
    }
    rb_buf_deinit(&bytes);
    return ok;
}

static void lx_push_object(lua_State *L, const json_t *object)
{
    const char *key;
    json_t *item;
    if (lx_push_bytes(L, object)) {
        return;
    }
    lua_createtable(L, 0, (int)json_object_size(object));
    json_object_foreach((json_t *)(uintptr_t)object, key, item) {
        lua_pushstring(L, key);
        lx_json_push(L, item);
        lua_rawset(L, -3);
    }
}

void lx_json_push(lua_State *L, const json_t *value)
{
    luaL_checkstack(L, 8, NULL);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        lx_push_object(L, value);
        break;
    case JSON_ARRAY:
        lx_push_array(L, value);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_NULL:
        lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
        break;
    default:
        lua_pushboolean(L, json_is_true(value));
    }
}

/* ---- for Lua ---- */

static int add_bytes(const char *data, size_t len, void *out)
{
    return rb_buf_add(out, data, len);
}

static int l_encode(lua_State *L)
{
    char why[512];
    struct rb_buf text;
    luaL_checkany(L, 1);
    json_t *value = rb_json_from_lua(L, 1, why, sizeof why);
    if (!value) {
        return luaL_error(L, "%s", why);
    }
    rb_buf_init(&text, RB_FRAME_MAX);
    int rc = json_dump_callback(value, add_bytes, &text, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    json_decref(value);
    if (rc == 0) {
        lua_pushlstring(L, rb_buf_str(&text), text.len);
    }
    rb_buf_deinit(&text);
    return rc == 0 ? 1 : luaL_error(L, "%s", rb_text(RB_T_runner_data_large));
}

/* The value, or nil and what is wrong. */
static int l_decode(lua_State *L)
{
    size_t len;
    struct rb_err err = {0};
    const char *text = luaL_checklstring(L, 1, &len);
    json_t *value = rb_json_parse(text, len, &err);
    if (!value) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    lx_json_push(L, value);
    json_decref(value);
    return 1;
}

/* Marks a table as an array and returns it. */
static int l_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1)) {
        return rb_json_is_array(L, 1) ? (lua_settop(L, 1), 1) : luaL_argerror(L, 1, rb_text(RB_T_runner_array_plain));
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, 1);
    return 1;
}

static int l_is_array(lua_State *L)
{
    lua_pushboolean(L, lua_istable(L, 1) && rb_json_is_array(L, 1));
    return 1;
}

static int l_null_text(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

static void lx_lock(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

void lx_json_init(lua_State *L)
{
    lua_newtable(L);
    lx_lock(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
    (void)lua_newuserdatauv(L, 0, 0); /* null */
    lua_newtable(L);
    lua_pushcfunction(L, l_null_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "null"); /* "attempt to index a null value" */
    lua_setfield(L, -2, "__name");
    lx_lock(L);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
}

const luaL_Reg rb_rt_json[] = {
    {"json_encode", l_encode}, {"json_decode", l_decode}, {"array", l_array}, {"is_array", l_is_array}, {NULL, NULL},
};
