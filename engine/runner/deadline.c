/* The courtesy deadline: an error with the line that was running. The law is the host's
 * SIGKILL, because no hook fires inside a C function. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "runner/internal.h"

#define EVERY 10000     /* instructions; 0.1 ms */
#define DEPTH_MAX 20000 /* calls inside calls */
#define EVERY_LATE 1    /* once over, until a runbook's frame is on top; a larger step can miss it for ever */

static void lx_raise_timeout(lua_State *L, const struct rb_runner *runner)
{
    char at[512], message[512];
    (void)snprintf(message, sizeof message, rb_text(RB_T_runner_timeout), runner->deadline.what,
                   runner->deadline.seconds);
    lua_createtable(L, 0, 4);
    lua_pushliteral(L, "timeout");
    lua_setfield(L, -2, "kind");
    lua_pushliteral(L, "timeout");
    lua_setfield(L, -2, "code");
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    if (rb_place_find(L, 0, at, sizeof at)) {
        lua_pushstring(L, at);
        lua_setfield(L, -2, "at");
    }
    lua_error(L);
}

/* Endless recursion takes 40 MB before Lua's own limit says so; the memory cap would end the
 * runner first, without a line. */
static void lx_check_depth(lua_State *L)
{
    lua_Debug frame;
    if (lua_getstack(L, DEPTH_MAX, &frame)) {
        char message[256];
        (void)snprintf(message, sizeof message, rb_text(RB_T_runner_recursion), DEPTH_MAX);
        lua_pushstring(L, message);
        lua_error(L);
    }
}

static int64_t now_ns(const struct rb_runner *runner)
{
    return runner->deadline.of_cpu ? rb_clock_cpu_ns(0) : rb_clock_mono_ns();
}

/* Raised only while a runbook's own function is on top: the scheduler below must not be
 * torn in the middle. It is raised again and again until the deadline is taken away. */
static void l_hook(lua_State *L, lua_Debug *ar)
{
    struct rb_runner *runner = rb_runner_of(L);
    rb_channel_flush(runner); /* a task that computes does not keep the calls of others */
    bool over = runner->deadline.at_ns != 0 && now_ns(runner) >= runner->deadline.at_ns;
    int every = over ? EVERY_LATE : EVERY;
    if (lua_gethookcount(L) != every) {
        lua_sethook(L, l_hook, LUA_MASKCOUNT, every);
    }
    if (!lua_getinfo(L, "S", ar) || ar->source[0] != '@') {
        return;
    }
    if (over) {
        lx_raise_timeout(L, runner);
    }
    lx_check_depth(L);
}

void rb_deadline_hook(lua_State *L)
{
    lua_sethook(L, l_hook, LUA_MASKCOUNT, EVERY);
}

/* rt.deadline(seconds | nil, what [, of_cpu]); of_cpu: what counts is the time this process had a processor. */
static int l_deadline(lua_State *L)
{
    struct rb_runner *runner = rb_runner_of(L);
    runner->deadline.at_ns = 0;
    if (lua_isnoneornil(L, 1)) {
        return 0;
    }
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds > 0 && seconds < 1e8, 1, "seconds");
    runner->deadline.seconds = seconds;
    (void)snprintf(runner->deadline.what, sizeof runner->deadline.what, "%s", luaL_optstring(L, 2, "?"));
    runner->deadline.of_cpu = lua_toboolean(L, 3);
    runner->deadline.at_ns = now_ns(runner) + (int64_t)(seconds * 1e9);
    return 0;
}

static int l_mono(lua_State *L)
{
    lua_pushnumber(L, (double)rb_clock_mono_ns() / 1e9);
    return 1;
}

static int l_seconds(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TNUMBER) {
        double given = lua_tonumber(L, 1);
        luaL_argcheck(L, given >= 0 && isfinite(given), 1, rb_text(RB_T_runner_bad_duration));
        lua_settop(L, 1);
        return 1;
    }
    double seconds;
    if (rb_duration_parse(luaL_checkstring(L, 1), &seconds) != 0) {
        return luaL_argerror(L, 1, rb_text(RB_T_runner_bad_duration));
    }
    lua_pushnumber(L, seconds);
    return 1;
}

static int l_bytes(lua_State *L)
{
    int64_t bytes = lua_isinteger(L, 1) ? lua_tointeger(L, 1) : 0;
    if (!lua_isinteger(L, 1) && rb_size_parse(luaL_checkstring(L, 1), &bytes) != 0) {
        return luaL_argerror(L, 1, rb_text(RB_T_runner_bad_size));
    }
    lua_pushinteger(L, bytes);
    return 1;
}

const luaL_Reg rb_rt_deadline[] = {
    {"deadline", l_deadline}, {"mono", l_mono}, {"seconds", l_seconds}, {"bytes", l_bytes}, {NULL, NULL},
};
