/* The engine's side of start verbs, small: runs one call on a loop to its end, also one of a module, and sees that it
 * keeps the rules of binding.h. A test program that starts processes sets `spawner`; async_close at its end proves
 * that no handle was left on the loop. */
#ifndef RB_TESTS_BINDINGS_ASYNC_H
#define RB_TESTS_BINDINGS_ASYNC_H

#include "harness.h"

#include <dlfcn.h>

#include "process/spawner.h"

struct rb_call {
    uv_loop_t *loop;
    struct rb_spawner *spawner;
    void *data, **state;
    json_t *value, *remarks, *details;
    struct rb_err err;
    size_t live[3];
    struct rb_child *left; /* what goes on after it */
    bool read_only, timed_out, undone;
    int ended;
    rb_announced_fn *announced; /* waits for a turn of the loop, as for a disk */
    uv_timer_t *writing;
};

static uv_loop_t loop;
static struct rb_spawner *spawner;

/* Modules as run/module.c loads them, one slot of state each for the whole test program. */
static struct {
    const struct rb_module *module;
    char name[32];
    void *state;
} modules[8];

void *rb_call_data(const struct rb_call *call)
{
    return call->data;
}
void rb_call_data_set(struct rb_call *call, void *data)
{
    call->data = data;
}
uv_loop_t *rb_call_loop(const struct rb_call *call)
{
    return call->loop;
}
struct rb_spawner *rb_call_spawner(const struct rb_call *call)
{
    return call->spawner;
}
void **rb_call_state(const struct rb_call *call)
{
    return call->state;
}
bool rb_call_read_only(const struct rb_call *call)
{
    return call->read_only;
}
bool rb_call_timed_out(const struct rb_call *call)
{
    return call->timed_out;
}
void rb_call_output(struct rb_call *call, int stream, const char *data, size_t len)
{
    assert_true(stream == 1 || stream == 2);
    assert_non_null(data);
    call->live[stream] += len;
}
void rb_call_leave(struct rb_call *call, struct rb_child *child)
{
    call->left = child;
    rb_child_let_go(child);
}
void rb_call_remark(struct rb_call *call, const char *kind, const char *text)
{
    json_array_append_new(call->remarks, json_pack("{s:s, s:s}", "kind", kind, "text", text));
}
static json_t *announced; /* of the last write that did */
static bool unrecordable;

static void end_writing(struct rb_call *call)
{
    if (call->writing) {
        uv_close((uv_handle_t *)call->writing, (uv_close_cb)free);
        call->writing = NULL;
    }
}

static void written(uv_timer_t *timer)
{
    struct rb_call *call = timer->data;
    struct rb_err err = {0};
    if (unrecordable) {
        rb_err_set(&err, RB_EJOURNAL, RB_T_run_not_announced);
    }
    end_writing(call);
    call->announced(call, err.code ? &err : NULL);
}

void rb_call_announce(struct rb_call *call, json_t *facts, rb_announced_fn *go_on)
{
    assert_null(call->writing);
    json_decref(announced);
    announced = facts;
    call->announced = go_on;
    call->writing = calloc(1, sizeof *call->writing);
    uv_timer_init(call->loop, call->writing);
    call->writing->data = call;
    uv_timer_start(call->writing, written, 0, 0);
}

void rb_call_done(struct rb_call *call, json_t *value)
{
    end_writing(call);
    assert_non_null(value);
    call->value = value;
    call->ended++;
}
void rb_call_undone(struct rb_call *call)
{
    call->undone = true;
}
void rb_call_details(struct rb_call *call, json_t *data)
{
    json_decref(call->details);
    call->details = data;
}
void rb_call_fail(struct rb_call *call, const struct rb_err *err)
{
    end_writing(call);
    assert_int_not_equal(err->code, 0);
    call->err = *err;
    call->ended++;
}

static inline const struct rb_module_verb *module_verb(const char *name, const char *verb, void ***state)
{
    size_t i = 0;
    while (modules[i].module && strcmp(modules[i].name, name) != 0) {
        i++;
    }
    if (!modules[i].module) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/%s.so", RUNBOOK_MODULES, name);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library) {
            fail_msg("%s", dlerror());
        }
        modules[i].module = dlsym(library, "rb_module");
        assert_non_null(modules[i].module);
        assert_string_equal(modules[i].module->abi, RB_MODULE_ABI);
        (void)snprintf(modules[i].name, sizeof modules[i].name, "%s", name);
    }
    *state = &modules[i].state;
    for (const struct rb_module_verb *v = modules[i].module->verbs; v->name; v++) {
        if (strcmp(v->name, verb) == 0) {
            return v;
        }
    }
    fail_msg("no verb %s in %s", verb, name);
    return NULL;
}

struct started {
    struct rb_call call;
    int (*start)(struct rb_call *call, const json_t *args, struct rb_err *err);
    void (*cancel)(struct rb_call *call);
    json_t *args;
};

/* Begins a call that may only read; several may be under way. Takes args. An error at once is an end. */
static inline void begin(struct started *s, const char *verb, json_t *args, bool read_only)
{
    const struct rb_verb *v = verb_of(verb);
    assert_non_null(args);
    *s = (struct started){.args = args, .start = v->start, .cancel = v->cancel};
    s->call = (struct rb_call){.loop = &loop, .spawner = spawner, .remarks = json_array(), .read_only = read_only};
    const char *module = v->module ? v->module(args) : NULL;
    if (module) {
        const struct rb_module_verb *m = module_verb(module, verb, &s->call.state);
        s->start = m->start;
        s->cancel = m->cancel;
    }
    if (s->start(&s->call, args, &s->call.err) != 0) {
        assert_int_not_equal(s->call.err.code, 0);
        assert_int_equal(s->call.ended, 0);
        s->call.ended = 1;
    } else {
        assert_int_equal(s->call.ended, 0); /* never inside start */
    }
}

static inline void wake_up(uv_timer_t *timer)
{
    (void)timer;
}

/* Turns the loop until the call ended; fails after 60 s. */
static inline void finish(struct started *s)
{
    int64_t until = rb_clock_mono_ns() + 60000000000;
    uv_timer_t tick;
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, wake_up, 100, 100);
    while (!s->call.ended && rb_clock_mono_ns() < until) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    json_decref(s->args);
    s->args = NULL;
    assert_int_equal(s->call.ended, 1);
}

static inline void cancel_now(uv_timer_t *timer)
{
    struct started *s = timer->data;
    if (!s->call.ended) {
        s->call.timed_out = true;
        s->cancel(&s->call);
    }
}

/* One call to its end; cancelled after cancel_ms when that is not 0. Takes args. */
static inline struct rb_call run_call(const char *verb, json_t *args, bool read_only, int cancel_ms)
{
    struct started s;
    uv_timer_t timer;
    begin(&s, verb, args, read_only);
    uv_timer_init(&loop, &timer);
    timer.data = &s;
    if (cancel_ms > 0) {
        uv_timer_start(&timer, cancel_now, (uint64_t)cancel_ms, 0);
    }
    finish(&s);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return s.call;
}

static inline void drop(struct rb_call *call)
{
    json_decref(call->value);
    json_decref(call->remarks);
    json_decref(call->details);
    call->value = call->remarks = call->details = NULL;
}

/* Modules give their state back, and then nothing may be left on the loop. 0, or 1 for main. */
static inline int async_close(void)
{
    for (size_t i = 0; modules[i].module; i++) {
        if (modules[i].state) {
            modules[i].module->close(modules[i].state);
        }
    }
    int64_t until = rb_clock_mono_ns() + 30000000000;
    while (uv_loop_alive(&loop) && rb_clock_mono_ns() < until) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    if (uv_loop_close(&loop) != 0) {
        uv_print_all_handles(&loop, stderr);
        return 1;
    }
    return 0;
}

#endif
