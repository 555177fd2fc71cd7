/* What the files of the runner share. Only engine/runner and its tests include this.
 * Functions named l_* are called by Lua, lx_* are helpers that may raise; all others never raise. */
#ifndef RB_RUNNER_INTERNAL_H
#define RB_RUNNER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>

#include "base/buf.h"
#include "base/err.h"
#include "runner/runner.h"

#define RB_EXIT_PROTOCOL 70

struct rb_runner {
    lua_State *L;
    int fd;
    size_t memory;
    struct rb_buf in;  /* bytes of the next frame */
    struct rb_buf out; /* frames not yet sent */
    struct {
        int64_t at_ns; /* 0 = none */
        double seconds;
        bool of_cpu;
        char what[128];
    } deadline;
};

/* Sends what waits to be sent; ends the process when nobody is there. */
void rb_channel_flush(struct rb_runner *runner);

/* The runner a Lua state belongs to; coroutines inherit it. */
struct rb_runner *rb_runner_of(lua_State *L);
/* The whole life: sandbox, library, start frame, boot. memory: the cap. boot: Lua text to run in place of
 * stdlib/boot.lua (tests), or NULL. Returns the exit code. */
int rb_runner_serve(int fd, size_t memory, const char *boot);

/* alloc.c: everything Lua and jansson take is counted; above the cap the process ends
 * with RB_EXIT_MEMORY. Neither ever sees NULL: Lua 5.4.4 corrupts its heap on it. */
void rb_alloc_init(size_t cap);
void *rb_alloc_lua(void *unused, void *ptr, size_t osize, size_t nsize);

/* sandbox.c: gives up everything but fd and memory. 0, or -1 with the rights in an unknown
 * state: end the process then. */
int rb_sandbox_enter(int fd, size_t memory);

/* state.c: a Lua state with the safe libraries, `require`, and the module `rt`. */
lua_State *rb_state_new(struct rb_runner *runner);
/* Loads the part of the standard library that every run needs, before there is one. */
int rb_state_load(lua_State *L, struct rb_err *err);
/* Runs a text as a chunk of the standard library with start as its argument; RB_E* and err. */
int rb_state_run(lua_State *L, const char *name, const char *text, size_t len, const json_t *start, struct rb_err *err);

/* Functions of `rt`, one table a file. */
extern const luaL_Reg rb_rt_json[], rb_rt_channel[], rb_rt_deadline[], rb_rt_place[], rb_rt_source[], rb_rt_text[],
    rb_rt_pattern[], rb_rt_blocks[], rb_rt_secret[];

/* json_lua.c, lua_to_json.c */
void lx_json_init(lua_State *L); /* makes the null value and the mark of arrays; pushes null */
/* New reference, or NULL and a message that names the place inside the value. */
json_t *rb_json_from_lua(lua_State *L, int index, char *why, size_t size);
/* The same for a call of a verb: secrets go along by name, as {"$secret": name}. */
json_t *rb_json_from_lua_call(lua_State *L, int index, char *why, size_t size);
void lx_json_push(lua_State *L, const json_t *value);
bool rb_json_is_array(lua_State *L, int index);
bool rb_json_is_null(lua_State *L, int index);
/* The frozen table behind a proxy (metatable field __target) replaces the value at index; true
 * when it did. */
bool rb_json_unwrap(lua_State *L, int index);

/* pattern_lua.c */
void lx_pattern_init(lua_State *L); /* the patterns compiled so far; pushes nothing */
/* secret_lua.c: the name of the token at index, or NULL. */
const char *rb_secret_get(lua_State *L, int index);

/* deadline.c */
void rb_deadline_hook(lua_State *L);
/* place.c: "file:line" of the nth (from 0) frame of a runbook, counted from the innermost. */
bool rb_place_find(lua_State *L, int nth, char *out, size_t size);

/* source.c */
struct rb_source_problem {
    int line, column; /* column 0 = unknown */
    char message[512];
};
/* What no runbook may contain, whatever Lua thinks of it. True when refused. */
bool rb_source_refused(const char *text, size_t len, struct rb_source_problem *problem);
/* After a syntax error: the first full-width mark outside of strings and comments. */
bool rb_source_punctuation(const char *text, size_t len, struct rb_source_problem *problem);

#endif
