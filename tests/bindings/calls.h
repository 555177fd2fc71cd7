/* The engine's side of start verbs, for programs that test no such verb. */
#ifndef RB_TESTS_BINDINGS_CALLS_H
#define RB_TESTS_BINDINGS_CALLS_H

#include "binding.h"

void *rb_call_data(const struct rb_call *call)
{
    (void)call;
    return NULL;
}
void rb_call_data_set(struct rb_call *call, void *data)
{
    (void)call, (void)data;
}
uv_loop_t *rb_call_loop(const struct rb_call *call)
{
    (void)call;
    return NULL;
}
void **rb_call_state(const struct rb_call *call)
{
    (void)call;
    return NULL;
}
struct rb_spawner *rb_call_spawner(const struct rb_call *call)
{
    (void)call;
    return NULL;
}
bool rb_call_read_only(const struct rb_call *call)
{
    (void)call;
    return true;
}
bool rb_call_timed_out(const struct rb_call *call)
{
    (void)call;
    return false;
}
void rb_call_output(struct rb_call *call, int stream, const char *data, size_t len)
{
    (void)call, (void)stream, (void)data, (void)len;
}
void rb_call_leave(struct rb_call *call, struct rb_child *child)
{
    (void)call, (void)child;
}
void rb_call_remark(struct rb_call *call, const char *kind, const char *text)
{
    (void)call, (void)kind, (void)text;
}
void rb_call_announce(struct rb_call *call, json_t *facts, rb_announced_fn *go_on)
{
    (void)call, (void)go_on;
    json_decref(facts);
}

void rb_call_done(struct rb_call *call, json_t *value)
{
    (void)call;
    json_decref(value);
}
void rb_call_undone(struct rb_call *call)
{
    (void)call;
}
void rb_call_fail(struct rb_call *call, const struct rb_err *err)
{
    (void)call, (void)err;
}

#endif
