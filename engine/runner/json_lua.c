/* Lua values and JSON. Integers stay exact, arrays stay arrays (also empty ones: they carry a
 * mark), null is a value of its own, strings that are not UTF-8 travel as {"$b64"}. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/frame.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "runner/internal.h"

#define DEPTH_MAX 60 /* the frame around a value is nested too, and a frame may be 64 deep */
#define NODES_MAX 250000 /* 30 MB as a tree */

static const char null_key, array_key; /* places in the registry */

struct encoder {
    lua_State *L;
    const void *path[DEPTH_MAX];
    int depth;
    size_t nodes, bytes;
    char what[256];  /* the problem */
    char trail[160]; /* where in the value, built while unwinding */
};

static json_t *encode(struct encoder *e, int index);

static json_t *refuse(struct encoder *e, const char *what)
{
    (void)snprintf(e->what, sizeof e->what, "%s", what);
    return NULL;
}

static void trail_add(struct encoder *e, const char *step)
{
    size_t added = strlen(step), kept = strlen(e->trail);
    if (added + kept >= sizeof e->trail) { /* the outer end is cut, the inner one says most */
        return;
    }
    memmove(e->trail + added, e->trail, kept + 1);
    memcpy(e->trail, step, added);
}

static bool is_array(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index)) {
        return false;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static bool is_null(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
    bool same = lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    return same;
}

/* Proxies of frozen tables are empty; what they show is in their metatable, which scripts cannot reach. */
bool rb_json_unwrap(lua_State *L, int index)
{
    bool found = false;
    index = lua_absindex(L, index);
    while (lua_type(L, index) == LUA_TTABLE && lua_getmetatable(L, index)) {
        lua_pushliteral(L, "__target");
        bool proxy = lua_rawget(L, -2) == LUA_TTABLE;
        if (proxy) {
            lua_replace(L, index);
            found = true;
            lua_pop(L, 1);
        } else {
            lua_pop(L, 2);
            break;
        }
    }
    return found;
}

struct shape {
    size_t integers, strings, others;
    lua_Integer max;
};

static struct shape shape_of(lua_State *L, int index)
{
    struct shape shape = {0};
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            shape.strings++;
        } else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1) {
            lua_Integer key = lua_tointeger(L, -2);
            shape.integers++;
            shape.max = key > shape.max ? key : shape.max;
        } else {
            shape.others++;
        }
    }
    return shape;
}

static json_t *encode_array(struct encoder *e, int index, lua_Integer count)
{
    json_t *array = json_array();
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(e->L, index, i);
        json_t *item = encode(e, lua_gettop(e->L));
        lua_pop(e->L, 1);
        if (!item) {
            char step[32];
            (void)snprintf(step, sizeof step, "[%lld]", (long long)i);
            trail_add(e, step);
            json_decref(array);
            return NULL;
        }
        (void)json_array_append_new(array, item); /* fails for want of memory only, which ends the process */
    }
    return array;
}

static bool encode_member(struct encoder *e, json_t *object)
{
    size_t len;
    const char *key = lua_tolstring(e->L, -2, &len);
    if (strlen(key) != len || !rb_utf8_valid(key, len)) {
        (void)refuse(e, rb_text(RB_T_runner_data_key_bytes));
        return false;
    }
    e->bytes += len;
    json_t *item = encode(e, lua_gettop(e->L));
    if (!item) {
        char step[80];
        (void)snprintf(step, sizeof step, ".%.70s", key);
        trail_add(e, step);
        return false;
    }
    return json_object_setn_new_nocheck(object, key, len, item) == 0;
}

static json_t *encode_object(struct encoder *e, int index)
{
    json_t *object = json_object();
    for (lua_pushnil(e->L); lua_next(e->L, index); lua_pop(e->L, 1)) {
        if (!encode_member(e, object)) {
            lua_pop(e->L, 2);
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *encode_shaped(struct encoder *e, int index)
{
    struct shape shape = shape_of(e->L, index);
    bool marked = is_array(e->L, index);
    if (shape.others > 0) {
        return refuse(e, rb_text(RB_T_runner_data_key));
    }
    if (shape.strings > 0 && (shape.integers > 0 || marked)) {
        return refuse(e, rb_text(RB_T_runner_data_mixed));
    }
    /* A marked list may have holes (SQL parameters), but not be a bomb made of one far index. */
    size_t most = marked ? shape.integers * 2 + 64 : shape.integers;
    if ((size_t)shape.max > most) {
        return refuse(e, rb_text(RB_T_runner_data_holes));
    }
    if (marked || shape.integers > 0) {
        return encode_array(e, index, shape.max);
    }
    return encode_object(e, index);
}

static json_t *encode_table(struct encoder *e, int index)
{
    const void *self = lua_topointer(e->L, index);
    for (int i = 0; i < e->depth; i++) {
        if (e->path[i] == self) {
            return refuse(e, rb_text(RB_T_runner_data_cycle));
        }
    }
    if (e->depth == DEPTH_MAX) {
        return refuse(e, rb_text(RB_T_runner_data_deep));
    }
    e->path[e->depth++] = self;
    json_t *value = encode_shaped(e, index);
    e->depth--;
    return value;
}

static json_t *encode_number(struct encoder *e, int index)
{
    if (lua_isinteger(e->L, index)) {
        return json_integer(lua_tointeger(e->L, index));
    }
    double number = lua_tonumber(e->L, index);
    return isfinite(number) ? json_real(number) : refuse(e, rb_text(RB_T_runner_data_nan));
}

static json_t *encode_other(struct encoder *e, int index)
{
    char what[128];
    if (is_null(e->L, index)) {
        return json_null();
    }
    (void)snprintf(what, sizeof what, rb_text(RB_T_runner_data_type), luaL_typename(e->L, index));
    return refuse(e, what);
}

static json_t *encode(struct encoder *e, int index)
{
    size_t len;
    if (!lua_checkstack(e->L, 8) || ++e->nodes > NODES_MAX || e->bytes > RB_FRAME_MAX) {
        return refuse(e, rb_text(RB_T_runner_data_large));
    }
    (void)rb_json_unwrap(e->L, index);
    switch (lua_type(e->L, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(e->L, index));
    case LUA_TNUMBER:
        return encode_number(e, index);
    case LUA_TSTRING: {
        const char *text = lua_tolstring(e->L, index, &len);
        e->bytes += len;
        return e->bytes > RB_FRAME_MAX ? refuse(e, rb_text(RB_T_runner_data_large)) : rb_json_bytes(text, len);
    }
    case LUA_TTABLE:
        return encode_table(e, index);
    default:
        return encode_other(e, index);
    }
}

json_t *rb_json_from_lua(lua_State *L, int index, char *why, size_t size)
{
    struct encoder e = {.L = L};
    int top = lua_gettop(L);
    lua_pushvalue(L, index); /* unwrapping replaces it */
    json_t *value = encode(&e, top + 1);
    lua_settop(L, top);
    if (!value) {
        (void)snprintf(why, size, "%s%s%s", e.what, e.trail[0] ? ": " : "", e.trail[0] == '.' ? e.trail + 1 : e.trail);
    }
    return value;
}

/* ---- JSON to Lua ---- */

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
    json_object_foreach((json_t *)(uintptr_t)object, key, item)
    {
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
        return is_array(L, 1) ? (lua_settop(L, 1), 1) : luaL_argerror(L, 1, rb_text(RB_T_runner_array_plain));
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_setmetatable(L, 1);
    return 1;
}

static int l_is_array(lua_State *L)
{
    lua_pushboolean(L, lua_istable(L, 1) && is_array(L, 1));
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
