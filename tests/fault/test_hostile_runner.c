/* A runner that was taken over: it speaks frames, but says whatever it likes. The host must end the run
 * cleanly (under ASan and UBSan), and no write may happen that nobody agreed to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/frame.h"
#include "base/json.h"
#include "journal/journal.h"
#include "process/spawner.h"
#include "run/run.h"
#include "run/turn.h"
#include "run/worker.h"

#define ROUNDS 600
#define FRAMES 60

static struct rb_spawner *spawner;
static struct rb_journal *journal;
static uv_loop_t loop;
static struct rb_turn *turn;
static char folder[] = "/tmp/runbook-hostile-XXXXXX";
static char canary[256];

/* The declaration that every round begins with, so that the run gets far. */
static const char DECLARE[] =
    "{\"seq\":1,\"task\":\"1\",\"verb\":\"run.declare\",\"args\":{\"n\":0,\"error\":null,\"blocks\":["
    "{\"block\":\"runbook\",\"id\":\"test/one\",\"file\":\"test/one.lua\",\"line\":1,\"fields\":"
    "{\"title\":\"t\",\"severity\":\"P3\",\"target\":\"x\"}},"
    "{\"block\":\"finding\",\"id\":\"bad\",\"file\":\"test/one.lua\",\"line\":2,\"fields\":{\"title\":\"bad\"}},"
    "{\"block\":\"check\",\"id\":\"look\",\"file\":\"test/one.lua\",\"line\":3,\"fields\":"
    "{\"title\":\"look\",\"run\":{\"$fn\":3}}},"
    "{\"block\":\"fix\",\"id\":\"mend\",\"file\":\"test/one.lua\",\"line\":4,\"fields\":{\"title\":\"mend\",\"when\":\"bad\","
    "\"risk\":\"high\",\"no_undo\":\"-\",\"run\":{\"$fn\":4}}}]}}";

static const char *const verbs[] = {
    "run.begin", "run.enter", "run.leave",   "run.found",  "run.diagnosis", "run.offer",    "run.confirm",
    "run.ask",   "run.fixed", "run.say",     "run.attach", "run.previous",  "run.go_on",    "run.stepped",
    "time.wait", "time.now",  "run.declare", "drill.dir",  "drill.spawn",   "drill.set",    "file.write",
    "file.stat", "shell.run", "sql.exec",    "nothing",    "system.stop",   "run.progress", "run.finish",
};

static unsigned int state_of_random;

static unsigned int pick(unsigned int below)
{
    state_of_random = state_of_random * 1664525u + 1013904223u;
    return (state_of_random >> 8) % below;
}

static json_t *any_value(int depth)
{
    static const char *const words[] = {"",       "mend", "bad", "fix", "check", "verify",
                                        "inject", "high", "low", "yes", "undo",  "\x1b]0;x\a"};
    switch (pick(depth > 2 ? 6 : 8)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(pick(2));
    case 2:
        return json_integer((json_int_t)pick(3) - 1);
    case 3:
        return json_real(1e300);
    case 6:
        return json_pack("[o]", any_value(depth + 1));
    case 7:
        return json_pack("{s:o, s:o}", words[pick(12)], any_value(depth + 1), "id", any_value(depth + 1));
    default:
        return json_string(words[pick(12)]);
    }
}

static json_t *any_args(void)
{
    static const char *const keys[] = {"phase",  "block",  "id",    "key",      "timeout",      "rehearse",
                                       "result", "offers", "fix",   "risk",     "typed",        "title",
                                       "argv",   "path",   "data",  "values",   "asks",         "seconds",
                                       "target", "pid",    "value", "standing", "failed_checks"};
    if (pick(12) == 0) {
        return any_value(0);
    }
    json_t *args = json_object();
    for (unsigned int i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (pick(3)) {
            json_object_set_new(args, keys[i], any_value(0));
        }
    }
    static const char *const phases[] = {"fix", "check", "verify", "step", "undo", "inject"};
    if (pick(2)) {
        json_object_set_new(args, "phase", json_string(phases[pick(6)]));
        json_object_set_new(args, "block", json_string("fix"));
        json_object_set_new(args, "id", json_string("mend"));
    }
    return args;
}

/* A write, exactly as an honest runner would ask for it. */
static json_t *write_call(int seq)
{
    return json_pack("{s:i, s:s, s:{s:s, s:s}}", "seq", seq, "verb", "file.write", "args", "path", canary, "data", "x");
}

static int hostile_runner(int fd)
{
    struct rb_err err;
    struct rb_buf scratch;
    json_t *start, *frame = json_loads(DECLARE, 0, NULL);
    rb_buf_init(&scratch, RB_FRAME_MAX + 64);
    if (rb_frame_read(fd, &scratch, &start, &err) < 0 || rb_frame_write(fd, frame, &err) < 0) {
        return 1;
    }
    state_of_random = (unsigned int)getpid() * 2654435761u;
    frame = json_pack("{s:i, s:s, s:{}}", "seq", 2, "verb", "run.begin", "args");
    rb_frame_write(fd, frame, &err);
    for (int seq = 3; seq < FRAMES; seq++) {
        frame = pick(4) ? json_pack("{s:i, s:s, s:o}", "seq", seq, "verb", verbs[pick(28)], "args", any_args())
                        : write_call(seq);
        if (rb_frame_write(fd, frame, &err) < 0) {
            break;
        }
    }
    return (int)pick(3);
}

static const struct rb_entry entries[] = {{"runner", hostile_runner}, {"worker", rb_worker_main}};

static void ended(void *user, const json_t *result)
{
    *(json_t **)user = json_deep_copy(result);
}

static json_t *one_run(enum rb_run_mode mode)
{
    static const struct rb_run_view view = {.ended = ended};
    struct rb_engine engine = {.loop = &loop, .spawner = spawner, .journal = journal, .turn = turn};
    struct rb_err err = {0};
    struct rb_run *run;
    json_t *result = NULL;
    json_t *file = json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "id", "test/one", "file", "f", "sha256", "0",
                             "files", "role", "runbook", "path", "test/one.lua", "text", "");
    struct rb_run_options options = {.file = file, .yes = true, .no_input = true, .timeout = 5, .mode = mode};
    assert_int_equal(rb_run_start(&run, &engine, &options, &view, &result, &err), 0);
    while (!result) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    json_decref(file);
    return result;
}

static void no_frame_harms_the_host_or_writes(void **state)
{
    (void)state;
    int64_t started = rb_clock_mono_ns();
    for (int i = 0; i < ROUNDS && rb_clock_mono_ns() - started < 60000000000LL; i++) {
        json_t *result = one_run(i % 2 ? RB_MODE_EXEC : RB_MODE_DRY_RUN);
        assert_non_null(json_object_get(result, "exit"));
        json_decref(result);
        assert_int_not_equal(access(canary, F_OK), 0); /* nobody agreed to it: the fix is of high risk */
    }
}

static void the_journal_is_whole_afterwards(void **state)
{
    (void)state;
    struct rb_verify verify;
    struct rb_err err = {0};
    assert_int_equal(rb_journal_verify(journal, NULL, &verify, &err), 0);
    assert_true(verify.ok);
    assert_true(verify.events >= ROUNDS);
}

static int setup(void **state)
{
    (void)state;
    struct rb_err err = {0};
    char path[300];
    if (!mkdtemp(folder)) {
        return -1;
    }
    setenv("RUNBOOK_STATE", folder, 1);
    snprintf(path, sizeof path, "%s/journal.db", folder);
    uv_loop_init(&loop);
    turn = rb_turn_new(&loop);
    return rb_spawner_attach(spawner, &loop, &err) < 0 || rb_journal_open(&journal, path, &err) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    rb_journal_close(journal);
    rb_spawner_close(spawner);
    return 0;
}

int main(void)
{
    struct rb_err err = {0};
    snprintf(canary, sizeof canary, "/tmp/runbook-hostile-canary-%d", (int)getpid());
    if (rb_spawner_fork(&spawner, entries, 2, &err) < 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_frame_harms_the_host_or_writes),
        cmocka_unit_test(the_journal_is_whole_afterwards),
    };
    return cmocka_run_group_tests_name("hostile runner", tests, setup, teardown);
}
