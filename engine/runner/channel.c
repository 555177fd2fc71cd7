/* The runner's one way out: whole frames, one after the other. */
#include <string.h>
#include <unistd.h>

#include "base/frame.h"
#include "runner/internal.h"

#define OUT_MAX (256u << 10) /* of calls that wait for the others */

/* Without the host nothing of a run can go on, and no one is there to be told. */
static _Noreturn void end_broken(void)
{
    _exit(RB_EXIT_PROTOCOL);
}

/* What goes to a binding; a note, a finding or a result is read by people and kept. */
static bool is_verb_call(lua_State *L)
{
    const char *verb = lua_getfield(L, 1, "verb") == LUA_TSTRING ? lua_tostring(L, -1) : "";
    bool ours = strncmp(verb, "run.", 4) == 0 || strncmp(verb, "time.", 5) == 0;
    lua_pop(L, 1);
    return !ours;
}

void rb_channel_flush(struct rb_runner *runner)
{
    if (runner->out.len > 0 && rb_frame_flush(runner->fd, &runner->out, NULL) != 0) {
        end_broken();
    }
}

/* Calls of parallel tasks leave together, when all of them wait; what people are told leaves at once. */
static int l_send(lua_State *L)
{
    char why[512];
    struct rb_runner *runner = rb_runner_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    bool call = is_verb_call(L);
    json_t *frame = call ? rb_json_from_lua_call(L, 1, why, sizeof why) : rb_json_from_lua(L, 1, why, sizeof why);
    if (!frame) {
        lua_pushstring(L, why);
        return lua_error(L);
    }
    struct rb_err err = {0};
    if (runner->out.len > OUT_MAX) {
        rb_channel_flush(runner);
    }
    int rc = rb_frame_encode(&runner->out, frame, &err);
    json_decref(frame);
    if (rc != 0) {
        lua_pushstring(L, err.text);
        return lua_error(L);
    }
    if (!call) {
        rb_channel_flush(runner);
    }
    return 0;
}

static int l_recv(lua_State *L)
{
    struct rb_runner *runner = rb_runner_of(L);
    json_t *frame = NULL;
    if (rb_frame_decode(&runner->in, &frame, NULL) == 0) {
        rb_channel_flush(runner); /* before it waits */
    }
    if (!frame && rb_frame_read(runner->fd, &runner->in, &frame, NULL) != 0) {
        end_broken();
    }
    lx_json_push(L, frame);
    json_decref(frame);
    return 1;
}

/* For a frame that is well-formed but means nothing here. */
static int l_broken(lua_State *L)
{
    (void)L;
    end_broken();
}

const luaL_Reg rb_rt_channel[] = {{"send", l_send}, {"recv", l_recv}, {"broken", l_broken}, {NULL, NULL}};
