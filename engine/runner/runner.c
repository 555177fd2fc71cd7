/* The life of a runner: start frame, sandbox, Lua, end. */
#include "runner/runner.h"

#include <locale.h>
#include <string.h>

#include "base/frame.h"
#include "base/json.h"
#include "base/text.h"
#include "runner/embedded.h"
#include "runner/internal.h"

#define MEMORY_DEFAULT ((json_int_t)64 << 20)
#define MEMORY_MIN ((json_int_t)8 << 20)
#define MEMORY_MAX ((json_int_t)512 << 20)

/* The start object of the first frame; new reference or NULL. */
static json_t *read_start(struct rb_runner *runner)
{
    json_t *frame = NULL;
    if (rb_frame_read(runner->fd, &runner->in, &frame, NULL) != 0) {
        return NULL;
    }
    json_t *start = json_object_get(frame, "start");
    json_incref(start);
    json_decref(frame);
    if (!json_is_object(start)) {
        json_decref(start);
        return NULL;
    }
    return start;
}

static void apply_start(struct rb_runner *runner, const json_t *start)
{
    enum rb_lang lang;
    if (rb_text_lang_parse(rb_json_str(start, "lang", "en"), &lang) == 0) {
        rb_text_lang_set(lang);
    }
    json_int_t memory = rb_json_int(start, "memory", MEMORY_DEFAULT);
    if (memory < MEMORY_MIN) {
        memory = MEMORY_MIN;
    }
    runner->memory = (size_t)(memory > MEMORY_MAX ? MEMORY_MAX : memory);
    rb_alloc_cap(runner->memory);
}

/* The last words of a runner whose library failed: the exit code alone explains nothing. */
static void tell_crash(struct rb_runner *runner, const struct rb_err *err)
{
    json_t *call = json_pack("{s:i, s:s, s:s, s:{s:o}}", "seq", 0, "task", "0", "verb", "run.crash", "args",
                             "message", rb_json_bytes(err->text, strlen(err->text)));
    if (call) {
        (void)rb_frame_write(runner->fd, call, NULL); /* we end anyway */
        json_decref(call);
    }
}

static int run_boot(struct rb_runner *runner, const char *boot, const json_t *start)
{
    const char *code = boot;
    size_t size = boot ? strlen(boot) : 0;
    for (const struct rb_embedded *file = rb_embedded; !code && file->name; file++) {
        if (strcmp(file->name, "boot") == 0) {
            code = file->code;
            size = file->code_size;
        }
    }
    struct rb_err err = {0};
    if (!code || rb_state_run(runner->L, "boot", code, size, start, &err) != 0) {
        tell_crash(runner, &err);
        return RB_EXIT_PROTOCOL;
    }
    return 0;
}

int rb_runner_serve(int fd, const char *boot)
{
    struct rb_runner runner = {.fd = fd};
    rb_buf_init(&runner.in, RB_FRAME_MAX + 4);
    rb_buf_init(&runner.out, 2 * (size_t)RB_FRAME_MAX);
    rb_alloc_init((size_t)MEMORY_MAX);
    (void)setlocale(LC_ALL, "C"); /* string order and number format do not depend on where we run */
    int code = RB_EXIT_PROTOCOL;
    json_t *start = read_start(&runner);
    if (!start) {
        goto done;
    }
    apply_start(&runner, start);
    if (rb_sandbox_enter(fd, runner.memory) != 0) {
        goto done;
    }
    runner.L = rb_state_new(&runner);
    code = run_boot(&runner, boot, start);
    lua_close(runner.L);
done:
    json_decref(start);
    rb_buf_deinit(&runner.in);
    rb_buf_deinit(&runner.out);
    return code;
}

int rb_runner_main(int fd)
{
    return rb_runner_serve(fd, NULL);
}
