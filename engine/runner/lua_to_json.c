/* Lua values to JSON: what a call carries. Integers stay exact, marked tables become arrays, strings
 * that are not UTF-8 become {"$b64"}; what cannot be data is refused with its place in the value. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/frame.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "runner/internal.h"

#define DEPTH_MAX 60     /* the frame around a value is nested too, and a frame may be 64 deep */
#define NODES_MAX 250000 /* 30 MB as a tree */

struct encoder {
    lua_State *L;
    const void *path[DEPTH_MAX];
    int depth;
    size_t nodes, bytes;
    bool secrets;    /* may go along by name */
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
    if (strcmp(key, "$secret") == 0) { /* or what came from outside could stand for one of ours */
        (void)refuse(e, rb_text(RB_T_runner_data_secret_key));
        return false;
    }
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
    bool marked = rb_json_is_array(e->L, index);
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
    const char *secret = rb_secret_get(e->L, index);
    if (rb_json_is_null(e->L, index)) {
        return json_null();
    }
    if (secret) {
        return e->secrets ? json_pack("{s:s}", "$secret", secret) : refuse(e, rb_text(RB_T_runner_secret_data));
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
        if (e->bytes > RB_FRAME_MAX) {
            return refuse(e, rb_text(RB_T_runner_data_large));
        }
        return rb_json_bytes(text, len);
    }
    case LUA_TTABLE:
        return encode_table(e, index);
    default:
        return encode_other(e, index);
    }
}

static json_t *from_lua(lua_State *L, int index, bool secrets, char *why, size_t size)
{
    struct encoder e = {.L = L, .secrets = secrets};
    int top = lua_gettop(L);
    lua_pushvalue(L, index); /* unwrapping replaces it */
    json_t *value = encode(&e, top + 1);
    lua_settop(L, top);
    if (!value) {
        const char *trail = e.trail[0] == '.' ? e.trail + 1 : e.trail;
        (void)snprintf(why, size, "%s%s%s", trail, trail[0] ? ": " : "", e.what);
    }
    return value;
}

json_t *rb_json_from_lua(lua_State *L, int index, char *why, size_t size)
{
    return from_lua(L, index, false, why, size);
}

json_t *rb_json_from_lua_call(lua_State *L, int index, char *why, size_t size)
{
    return from_lua(L, index, true, why, size);
}
