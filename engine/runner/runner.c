/* The life of a runner: sandbox, Lua, start frame, end. */
#include "runner/runner.h"

#include <locale.h>
#include <string.h>

#include "base/frame.h"
#include "base/json.h"
#include "base/text.h"
#include "runner/embedded.h"
#include "runner/internal.h"

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

static void apply_language(const json_t *start)
{
    enum rb_lang lang;
    if (rb_text_lang_parse(rb_json_str(start, "lang", "en"), &lang) == 0) {
        rb_text_lang_set(lang);
    }
}

/* The last words of a runner whose library failed: the exit code alone explains nothing. */
static void tell_crash(struct rb_runner *runner, const struct rb_err *err)
{
    json_t *call = json_pack("{s:i, s:s, s:s, s:{s:o}}", "seq", 0, "task", "0", "verb", "run.crash", "args", "message",
                             rb_json_bytes(err->text, strlen(err->text)));
    if (call) {
        (void)rb_frame_write(runner->fd, call, NULL); /* we end anyway */
        json_decref(call);
    }
}

static int run_boot(struct rb_runner *runner, const char *boot, const json_t *start, struct rb_err *err)
{
    const char *code = boot;
    size_t size = boot ? strlen(boot) : 0;
    for (const struct rb_embedded *file = rb_embedded; !code && file->name; file++) {
        if (strcmp(file->name, "boot") == 0) {
            code = file->code;
            size = file->code_size;
        }
    }
    return code ? rb_state_run(runner->L, "boot", code, size, start, err) : RB_EINTERNAL;
}

/* The host may start a runner before it knows for what: all that does not depend on it is done before the frame
 * that says it is waited for. */
static int live(struct rb_runner *runner, const char *boot)
{
    struct rb_err err = {0};
    json_t *start = NULL;
    runner->L = rb_state_new(runner);
    int rc = rb_state_load(runner->L, &err);
    if (rc == 0 && !(start = read_start(runner))) {
        rc = RB_EPROTOCOL; /* nobody is there to be told */
    } else if (rc == 0) {
        apply_language(start);
        rc = run_boot(runner, boot, start, &err);
    }
    if (rc != 0 && err.code != 0) {
        tell_crash(runner, &err);
    }
    json_decref(start);
    lua_close(runner->L);
    return rc == 0 ? 0 : RB_EXIT_PROTOCOL;
}

int rb_runner_serve(int fd, size_t memory, const char *boot)
{
    struct rb_runner runner = {.fd = fd, .memory = memory};
    rb_buf_init(&runner.in, RB_FRAME_MAX + 4);
    rb_buf_init(&runner.out, 2 * (size_t)RB_FRAME_MAX);
    rb_alloc_init(memory);
    (void)setlocale(LC_ALL, "C"); /* string order and number format do not depend on where we run */
    json_object_seed(0);          /* reads a file, which it cannot later */
    int code = rb_sandbox_enter(fd, memory) == 0 ? live(&runner, boot) : RB_EXIT_PROTOCOL;
    rb_buf_deinit(&runner.in);
    rb_buf_deinit(&runner.out);
    return code;
}

int rb_runner_main(int fd)
{
    return rb_runner_serve(fd, RB_RUNNER_MEMORY, NULL);
}
