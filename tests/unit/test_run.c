/* A whole run without a terminal: runbook texts against the real spawner, runner, workers and journal. */
#include <fcntl.h>
#include <poll.h>
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
#include "base/files.h"
#include "base/json.h"
#include "journal/journal.h"
#include "process/spawner.h"
#include "run/run.h"
#include "run/turn.h"
#include "run/worker.h"
#include "runner/runner.h"

static struct rb_spawner *spawner;
static struct rb_journal *journal;
static uv_loop_t loop;
static struct rb_turn *turn;
static char folder[] = "/tmp/runbook-test-run-XXXXXX";

/* While the file `slow` is there a runner gets no processor time for three seconds, as on a machine that is busy. */
static int slow_runner(int fd)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/slow", folder);
    if (access(path, F_OK) == 0) {
        (void)poll(NULL, 0, 3000);
    }
    return rb_runner_main(fd);
}

static const struct rb_entry entries[] = {{"runner", slow_runner}, {"worker", rb_worker_main}};

struct outcome {
    json_t *result;
    int events;
};

static void ended(void *user, const json_t *result)
{
    ((struct outcome *)user)->result = json_deep_copy(result);
}

static void event(void *user, const char *kind, const json_t *body)
{
    (void)kind;
    (void)body;
    ((struct outcome *)user)->events++;
}

static const struct rb_run_view view = {.ended = ended, .event = event};

static const char FACTORY[] =
    "return function(o)\n"
    "options(o, { look = \"function!\", word = \"string\" })\n"
    "finding \"bad\" { title = \"bad\" }\n"
    "check \"made\" { title = \"made by a factory\", run = function(p) if o.look(p) then found \"bad\" end end }\n"
    "end";

static json_t *file_of(const char *text)
{
    char sha[RB_HEX_SIZE];
    rb_hash_hex(text, strlen(text), sha);
    if (strstr(text, "generic.")) {
        return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}]}", "id", "test/one", "file",
                         "test/one.lua", "sha256", sha, "files", "role", "lib", "path", "lib/made.lua", "text", FACTORY,
                         "role", "runbook", "path", "test/one.lua", "text", text);
    }
    return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "id", "test/one", "file", "test/one.lua", "sha256", sha,
                     "files", "role", "runbook", "path", "test/one.lua", "text", text);
}

/* Runs a text to its end; the result belongs to the caller. */
static json_t *run_with(const char *text, struct rb_run_options options)
{
    struct rb_engine engine = {.loop = &loop, .spawner = spawner, .journal = journal, .turn = turn};
    struct rb_err err = {0};
    struct outcome outcome = {0};
    struct rb_run *run;
    json_t *file = file_of(text);
    options.file = file;
    options.no_input = true;
    assert_int_equal(rb_run_start(&run, &engine, &options, &view, &outcome, &err), 0);
    while (!outcome.result) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    json_decref(file);
    return outcome.result;
}

static json_t *run_text(const char *text)
{
    return run_with(text, (struct rb_run_options){0});
}

static const char *result_of(const json_t *result)
{
    return rb_json_str(result, "result", "?");
}

static const json_t *check_at(const json_t *result, size_t i)
{
    return json_array_get(json_object_get(result, "checks"), i);
}

/* Far above the deadlines of a second or two in these runs, for a busy machine; without a deadline none would end. */
#define SOON_NS INT64_C(20000000000)

#define HEAD "runbook \"test/one\" { title = \"t\", severity = \"P3\", target = \"test\" }\n"

static void a_quiet_check_is_healthy(void **state)
{
    (void)state;
    json_t *result = run_text(HEAD "check \"one\" { title = \"one\", run = function() ok \"fine\" end }");
    assert_string_equal(result_of(result), "healthy");
    assert_int_equal(rb_json_int(result, "exit", -1), 0);
    json_decref(result);
}

/* What the host was busy with before is nobody's deadline: the loop has not looked at its clock for three seconds. */
static void a_busy_host_takes_no_time_from_a_run(void **state)
{
    (void)state;
    uv_update_time(&loop);
    (void)poll(NULL, 0, 3000);
    json_t *result = run_text(HEAD "check \"one\" { title = \"one\", run = function() ok \"fine\" end }");
    assert_string_equal(result_of(result), "healthy");
    json_decref(result);
}

static void a_busy_machine_is_not_the_fault_of_the_file(void **state)
{
    (void)state;
    char path[300];
    (void)snprintf(path, sizeof path, "%s/slow", folder);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    json_t *result = run_text(HEAD "check \"one\" { title = \"one\", run = function() ok \"fine\" end }");
    (void)unlink(path);
    assert_string_equal(result_of(result), "healthy");
    json_decref(result);
}

static void a_found_finding_ends_with_3_and_the_command_that_goes_on(void **state)
{
    (void)state;
    json_t *result = run_text(
        HEAD "finding \"bad\" { title = { zh = \"坏 {n}\", en = \"bad {n}\" }, key = \"n\" }\n"
             "check \"one\" { title = \"one\", run = function() found(\"bad\", { n = 7 }) end }\n"
             "fix \"mend\" { when = \"bad\", title = \"mend\", risk = \"high\", no_undo = \"no\", run = function(p, f) "
             "shell.run { \"true\" } end }");
    assert_string_equal(result_of(result), "found");
    assert_int_equal(rb_json_int(result, "exit", -1), 3);
    json_t *found = json_array_get(json_object_get(check_at(result, 0), "findings"), 0);
    assert_int_equal(rb_json_int(json_object_get(found, "evidence"), "n", 0), 7);
    json_t *argv = json_object_get(json_array_get(json_object_get(result, "next"), 0), "argv");
    char *text = json_dumps(argv, JSON_COMPACT);
    assert_string_equal(text, "[\"exec\",\"test/one\",\"--fix\",\"mend=7\",\"--confirm\",\"7\"]");
    free(text);
    json_decref(result);
}

static void a_write_in_a_check_is_refused_and_nothing_happens(void **state)
{
    (void)state;
    char text[1024], path[256];
    snprintf(path, sizeof path, "%s/written", folder);
    snprintf(text, sizeof text,
             HEAD "check \"one\" { title = \"one\", run = function() file.write(\"%s\", \"x\") end }", path);
    json_t *result = run_text(text);
    assert_string_equal(result_of(result), "failed");
    assert_int_equal(rb_json_int(result, "exit", -1), 1);
    const char *error = rb_json_str(check_at(result, 0), "error", "");
    assert_non_null(strstr(error, "file.write"));
    assert_non_null(strstr(rb_json_str(check_at(result, 0), "at", ""), "test/one.lua:2"));
    assert_int_not_equal(access(path, F_OK), 0);
    json_decref(result);
}

static void try_does_not_catch_a_refused_write(void **state)
{
    (void)state;
    json_t *result = run_text(
        HEAD "check \"one\" { title = \"one\", run = function() try(shell.run, { \"true\" }) ok \"swallowed\" end }");
    assert_string_equal(result_of(result), "failed");
    json_decref(result);
}

static const char MENDS[] = HEAD
    "param \"file\" { type = \"path\", title = \"file\" }\n"
    "finding \"gone\" { title = \"gone\" }\n"
    "check \"there\" { title = \"there\", run = function(p) if not file.stat(p.file) then found(\"gone\") end end }\n"
    "fix \"make\" { when = \"gone\", title = \"make\", risk = \"medium\", no_undo = \"-\",\n"
    "  run = function(p) file.write(p.file, \"x\") end }";

static json_t *mend(const char *name, struct rb_run_options options)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *params = json_pack("{s:s}", "file", path);
    options.params = params;
    json_t *result = run_with(MENDS, options);
    json_decref(params);
    return result;
}

static void a_fix_with_consent_repairs_and_is_verified(void **state)
{
    (void)state;
    json_t *result = mend("mended", (struct rb_run_options){.yes = true});
    assert_string_equal(result_of(result), "fixed");
    json_t *fix = json_array_get(json_object_get(result, "fixes"), 0);
    assert_string_equal(rb_json_str(fix, "result", ""), "done");
    assert_int_equal(json_array_size(json_object_get(fix, "plan")), 1);
    assert_int_equal(json_array_size(json_object_get(fix, "effects")), 1);
    json_decref(result);
}

static void without_consent_nothing_is_written(void **state)
{
    (void)state;
    char path[256];
    json_t *result = mend("untouched", (struct rb_run_options){0});
    assert_string_equal(result_of(result), "found");
    snprintf(path, sizeof path, "%s/untouched", folder);
    assert_int_not_equal(access(path, F_OK), 0);
    json_decref(result);
}

static void a_dry_run_shows_the_plan_and_writes_nothing(void **state)
{
    (void)state;
    char path[256];
    json_t *result = mend("dry", (struct rb_run_options){.mode = RB_MODE_DRY_RUN});
    assert_string_equal(result_of(result), "found");
    json_t *fix = json_array_get(json_object_get(result, "fixes"), 0);
    assert_int_equal(json_array_size(json_object_get(fix, "plan")), 1);
    assert_int_equal(json_array_size(json_object_get(fix, "effects")), 0);
    snprintf(path, sizeof path, "%s/dry", folder);
    assert_int_not_equal(access(path, F_OK), 0);
    json_decref(result);
}

static void a_loop_ends_by_its_deadline_and_names_its_line(void **state)
{
    (void)state;
    int64_t started = rb_clock_mono_ns();
    json_t *result =
        run_text(HEAD "check \"one\" { title = \"one\", timeout = \"1s\", run = function() while true do end end }");
    assert_int_equal(rb_json_int(result, "exit", -1), 1);
    assert_true(rb_clock_mono_ns() - started < SOON_NS);
    assert_non_null(strstr(rb_json_str(check_at(result, 0), "at", ""), "test/one.lua:2"));
    json_decref(result);
}

static void a_catastrophic_pattern_is_killed_from_outside(void **state)
{
    (void)state;
    int64_t started = rb_clock_mono_ns();
    json_t *result = run_text(HEAD "check \"one\" { title = \"one\", timeout = \"1s\", run = function() "
                                   "return ((\"a\"):rep(3000)):find(\".-.-.-b\") end }");
    assert_int_equal(rb_json_int(result, "exit", -1), 1);
    assert_true(rb_clock_mono_ns() - started < SOON_NS);
    assert_non_null(strstr(rb_json_str(result, "error", ""), "one"));
    json_decref(result);
}

static void eating_memory_ends_the_runner_only(void **state)
{
    (void)state;
    json_t *result = run_text(HEAD "check \"one\" { title = \"one\", run = function() local t = {} "
                                   "while true do t[#t + 1] = (\"x\"):rep(1000) .. #t end end }");
    assert_int_equal(rb_json_int(result, "exit", -1), 1);
    assert_non_null(strstr(rb_json_str(result, "error", ""), "64 MB"));
    json_decref(result);
}

static void a_file_that_does_not_load_ends_with_6(void **state)
{
    (void)state;
    json_t *result = run_text(HEAD "check \"one\" { title = \"one\", rum = function() end }");
    assert_int_equal(rb_json_int(result, "exit", -1), 6);
    assert_non_null(strstr(rb_json_str(result, "error", ""), "run"));
    json_decref(result);
}

static void a_verb_out_of_time_is_an_error_the_check_reports(void **state)
{
    (void)state;
    json_t *result = run_text(HEAD "check \"one\" { title = \"one\", run = function() "
                                   "shell.read { \"sleep\", \"20\", timeout = \"300ms\" } end }");
    assert_int_equal(rb_json_int(result, "exit", -1), 1); /* a command of this machine is no target out of reach */
    assert_string_equal(rb_json_str(check_at(result, 0), "code", ""), "timeout");
    json_decref(result);
}

static void a_write_out_of_time_is_unknown(void **state)
{
    (void)state;
    json_t *result =
        run_with(HEAD "finding \"bad\" { title = \"bad\" }\n"
                      "check \"one\" { title = \"one\", run = function() found \"bad\" end }\n"
                      "fix \"slow\" { when = \"bad\", title = \"slow\", risk = \"medium\", no_undo = \"-\", "
                      "run = function() shell.run { \"sleep\", \"20\", timeout = \"300ms\" } end }",
                 (struct rb_run_options){.yes = true});
    assert_string_equal(result_of(result), "unknown");
    assert_int_equal(rb_json_int(result, "exit", -1), 9);
    struct rb_err err = {0};
    const struct rb_word word = {.done = false, .reason = "a test"};
    json_t *again = run_text(HEAD "check \"one\" { title = \"one\", run = function() end }");
    assert_string_equal(result_of(again), "busy"); /* it keeps its target until a person said what happened */
    json_t *told = rb_run_resolve(journal, rb_json_str(result, "run", ""), &word, &err);
    assert_int_equal(json_array_size(told), 1);
    json_decref(told);
    json_decref(again);
    json_decref(result);
}

static void parallel_keeps_order_and_joins(void **state)
{
    (void)state;
    json_t *result = run_text(
        HEAD
        "check \"one\" { title = \"one\", run = function()\n"
        "local out = parallel({ \"0.3\", \"0.1\", \"0.2\" }, function(s) return "
        "shell.read { sh = \"sleep $1; echo $1\", args = { s } }.out end)\n"
        "if table.concat(out) ~= \"0.3\\n0.1\\n0.2\\n\" then fail(\"order: \" .. table.concat(out, \",\")) end end }");
    assert_string_equal(result_of(result), "healthy");
    json_decref(result);
}

static void a_factory_makes_blocks_that_the_file_may_amend(void **state)
{
    (void)state;
    json_t *result = run_text(HEAD "generic.made { look = function() return true end }\n"
                                   "finding \"bad\" { severity = \"P0\", title = \"worse\" }");
    assert_string_equal(result_of(result), "found");
    json_t *found = json_array_get(json_object_get(check_at(result, 0), "findings"), 0);
    assert_string_equal(rb_json_str(found, "severity", ""), "P0");
    assert_string_equal(rb_json_str(found, "title", ""), "worse");
    json_decref(result);
}

static void a_factory_names_the_option_it_misses(void **state)
{
    (void)state;
    json_t *result = run_text(HEAD "generic.made { lok = function() end }");
    assert_int_equal(rb_json_int(result, "exit", -1), 6);
    assert_non_null(strstr(rb_json_str(result, "error", ""), "test/one.lua:2"));
    assert_non_null(strstr(rb_json_str(result, "error", ""), "look"));
    json_decref(result);
}

static void a_question_without_a_person_waits_and_says_how_to_answer(void **state)
{
    (void)state;
    json_t *result = run_with(
        HEAD "step \"pick\" { title = \"pick\", asks = { color = { type = \"string\", title = \"color\", choices = { "
             "\"red\", \"blue\" } } } }",
        (struct rb_run_options){.yes = true});
    assert_string_equal(result_of(result), "waiting");
    assert_int_equal(rb_json_int(result, "exit", -1), 4);
    json_t *argv = json_object_get(json_array_get(json_object_get(result, "next"), 0), "argv");
    char *text = json_dumps(argv, JSON_COMPACT);
    assert_string_equal(text, "[\"exec\",\"test/one\",\"--yes\",\"--answer\",\"pick.color=red\"]");
    free(text);
    json_decref(result);
}

/* What the rehearsal could not show must not be done: an error in it leaves nothing open. */
static void a_rehearsal_that_fails_allows_no_write(void **state)
{
    (void)state;
    char text[2048], path[256];
    snprintf(path, sizeof path, "%s/evil", folder);
    snprintf(text, sizeof text,
             HEAD "local times = 0\nfinding \"bad\" { title = \"bad\", key = \"n\" }\n"
                  "check \"one\" { title = \"one\", run = function() found(\"bad\", { n = 1 }) end }\n"
                  "fix \"mend\" { when = \"bad\", title = \"mend\", risk = \"high\", no_undo = \"-\", run = function() "
                  "times = times + 1 if times == 1 then error \"not yet\" end file.write(\"%s\", \"x\") end }",
             path);
    json_t *confirm = json_pack("[s]", "1");
    json_t *result = run_with(text, (struct rb_run_options){.confirm = confirm});
    assert_int_equal(rb_json_int(result, "exit", -1), 1);
    assert_int_not_equal(access(path, F_OK), 0);
    json_decref(confirm);
    json_decref(result);
}

/* A refused write is a bug of the runbook, however clean the last diagnosis. */
static void a_write_that_was_not_shown_fails_the_run(void **state)
{
    (void)state;
    char text[2048], path[256];
    snprintf(path, sizeof path, "%s/shown", folder);
    snprintf(text, sizeof text,
             HEAD
             "local times = 0\nfinding \"bad\" { title = \"bad\" }\n"
             "check \"one\" { title = \"one\", run = function() if not file.stat(\"%s\") then found \"bad\" end end }\n"
             "fix \"mend\" { when = \"bad\", title = \"mend\", risk = \"medium\", no_undo = \"-\", run = function() "
             "times = times + 1 file.write(\"%s\", \"x\") if times == 2 then file.write(\"%s-2\", \"x\") end end }",
             path, path, path);
    json_t *result = run_with(text, (struct rb_run_options){.yes = true});
    assert_string_equal(result_of(result), "failed");
    assert_int_equal(rb_json_int(result, "exit", -1), 1);
    strncat(path, "-2", sizeof path - strlen(path) - 1);
    assert_int_not_equal(access(path, F_OK), 0);
    json_decref(result);
}

static void loading_for_ever_ends_with_6(void **state)
{
    (void)state;
    int64_t started = rb_clock_mono_ns();
    json_t *result = run_text(HEAD "local _ = ((\"a\"):rep(3000)):find(\".-.-.-b\")");
    assert_int_equal(rb_json_int(result, "exit", -1), 6);
    assert_true(rb_clock_mono_ns() - started < SOON_NS);
    json_decref(result);
}

static void a_verb_while_loading_is_named(void **state)
{
    (void)state;
    json_t *result = run_text(HEAD "file.stat(\"/\")");
    assert_int_equal(rb_json_int(result, "exit", -1), 6);
    assert_non_null(strstr(rb_json_str(result, "error", ""), "file.stat"));
    json_decref(result);
}

static void a_finding_the_host_refused_does_not_stand(void **state)
{
    (void)state;
    json_t *result =
        run_text(HEAD "finding \"bad\" { title = \"bad\" }\n"
                      "check \"one\" { title = \"one\", run = function() local t = {} t.t = t found(\"bad\", t) end }");
    assert_string_equal(result_of(result), "failed");
    assert_int_equal(rb_json_int(result, "exit", -1), 1);
    json_decref(result);
}

static void a_parameter_without_a_value_is_nil(void **state)
{
    (void)state;
    json_t *result =
        run_text(HEAD "param \"note\" { type = \"string\", title = \"note\", required = false }\n"
                      "check \"one\" { title = \"one\", run = function(p) if p.note then fail \"set\" end end }");
    assert_string_equal(result_of(result), "healthy");
    json_decref(result);
}

/* Steps: done in order, a question answered beforehand, a failing one ends the procedure. */
static void steps_go_in_order_and_stop_at_the_first_failure(void **state)
{
    (void)state;
    json_t *answers = json_pack("{s:s}", "pick.color", "red");
    json_t *result = run_with(
        HEAD "step \"pick\" { title = \"pick\", asks = { color = { type = \"string\", title = \"color\" } } }\n"
             "step \"echo\" { title = \"echo\", risk = \"low\", run = function(p, r) return shell.run { \"echo\", "
             "r.pick.color }.out end }\n"
             "step \"break\" { title = \"break\", risk = \"low\", run = function() shell.run { \"false\" } end }\n"
             "step \"never\" { title = \"never\", risk = \"low\", run = function() shell.run { \"true\" } end }",
        (struct rb_run_options){.yes = true, .answers = answers});
    assert_string_equal(result_of(result), "failed");
    json_t *steps = json_object_get(result, "steps");
    assert_int_equal(json_array_size(steps), 3);
    assert_string_equal(rb_json_str(json_array_get(steps, 1), "value", ""), "red\n");
    assert_string_equal(rb_json_str(json_array_get(steps, 2), "result", ""), "failed");
    json_decref(answers);
    json_decref(result);
}

static int setup(void **state)
{
    (void)state;
    struct rb_err err = {0};
    char path[256];
    setenv("RUNBOOK_STATE", folder, 1);
    snprintf(path, sizeof path, "%s/journal.db", folder);
    uv_loop_init(&loop);
    turn = rb_turn_new(&loop);
    return rb_spawner_attach(spawner, &loop, &err) < 0 || rb_journal_open(&journal, path, &err) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    struct rb_verify verify;
    struct rb_err err = {0};
    int rc = rb_journal_verify(journal, NULL, &verify, &err);
    rb_journal_close(journal);
    rb_spawner_close(spawner);
    return rc == 0 && verify.ok && verify.events > 50 ? 0 : -1;
}

int main(void)
{
    struct rb_err err = {0};
    if (!mkdtemp(folder) || rb_spawner_fork(&spawner, entries, 2, &err) < 0) { /* the runners know the folder */
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_check_is_healthy),
        cmocka_unit_test(a_busy_machine_is_not_the_fault_of_the_file),
        cmocka_unit_test(a_busy_host_takes_no_time_from_a_run),
        cmocka_unit_test(a_found_finding_ends_with_3_and_the_command_that_goes_on),
        cmocka_unit_test(a_write_in_a_check_is_refused_and_nothing_happens),
        cmocka_unit_test(try_does_not_catch_a_refused_write),
        cmocka_unit_test(a_fix_with_consent_repairs_and_is_verified),
        cmocka_unit_test(without_consent_nothing_is_written),
        cmocka_unit_test(a_dry_run_shows_the_plan_and_writes_nothing),
        cmocka_unit_test(a_loop_ends_by_its_deadline_and_names_its_line),
        cmocka_unit_test(a_catastrophic_pattern_is_killed_from_outside),
        cmocka_unit_test(eating_memory_ends_the_runner_only),
        cmocka_unit_test(a_file_that_does_not_load_ends_with_6),
        cmocka_unit_test(a_verb_out_of_time_is_an_error_the_check_reports),
        cmocka_unit_test(a_write_out_of_time_is_unknown),
        cmocka_unit_test(parallel_keeps_order_and_joins),
        cmocka_unit_test(a_factory_makes_blocks_that_the_file_may_amend),
        cmocka_unit_test(a_factory_names_the_option_it_misses),
        cmocka_unit_test(a_question_without_a_person_waits_and_says_how_to_answer),
        cmocka_unit_test(a_rehearsal_that_fails_allows_no_write),
        cmocka_unit_test(a_write_that_was_not_shown_fails_the_run),
        cmocka_unit_test(loading_for_ever_ends_with_6),
        cmocka_unit_test(a_verb_while_loading_is_named),
        cmocka_unit_test(a_finding_the_host_refused_does_not_stand),
        cmocka_unit_test(a_parameter_without_a_value_is_nil),
        cmocka_unit_test(steps_go_in_order_and_stop_at_the_first_failure),
    };
    return cmocka_run_group_tests_name("run", tests, setup, teardown);
}
