/* runbook resume, resolve, abort, stop: runs that began elsewhere or earlier. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/exec.h"
#include "journal/journal.h"

#define STOP_SECONDS 30 /* a command that is asked to stop has 5 */

/* The run the line names, and its entry of the list. RB_EUSAGE without a name. New reference. */
static json_t *find_run(struct rb_cli *c, const char *prefix, bool write, char run[RB_ID_MAX], struct rb_err *err)
{
    int rc = write ? rb_exec_journal(c, err) : rb_cli_journal(c, false, err);
    if (rc == 0 && c->journal == NULL) {
        rc = rb_err_set(err, RB_ENOT_FOUND, RB_T_cli_no_run, prefix);
    }
    rc = rc != 0 ? rc : rb_journal_find_run(c->journal, prefix, run, err);
    rc = rc != 0 || !write ? rc : rb_cli_journal_of(c, run, err);
    return rc != 0 ? NULL : rb_journal_run(c->journal, run, err);
}

static json_t *named_run(struct rb_cli *c, bool write, char run[RB_ID_MAX], struct rb_err *err)
{
    if (c->nargs < 1) {
        rb_err_set(err, RB_EUSAGE, RB_T_cli_resume_what);
        return NULL;
    }
    return find_run(c, c->args[0], write, run, err);
}

/* ---- resume ---- */

/* A run that ended is left alone; its object and exit code are given again. */
static int show_end(struct rb_cli *c, const char *run, const json_t *entry)
{
    struct rb_err err = {0};
    json_t *report = rb_run_report(c->journal, run, &err);
    if (report == NULL) {
        return rb_cli_fail(c, &err);
    }
    const char *result = rb_json_str(entry, "result", "failed");
    if (c->format == RB_FORMAT_JSON || c->format == RB_FORMAT_JSONL) {
        rb_put_json(c, json_incref(report));
    } else {
        rb_put(c, RB_OUT, RB_PLAIN, TX(resume_ended), run, rb_result_word(c, result));
        rb_put(c, RB_OUT, RB_PLAIN, "\n");
    }
    json_decref(report);
    return (int)rb_json_int(entry, "exit", rb_run_exit_code(result));
}

int rb_exec_resume(struct rb_cli *c, const char *prefix, struct rb_run_options *o)
{
    struct rb_err err = {0};
    char run[RB_ID_MAX];
    json_t *entry = rb_cli_loop(c, &err) == 0 ? find_run(c, prefix, true, run, &err) : NULL;
    int code = entry == NULL                                    ? rb_cli_fail(c, &err)
               : !json_is_null(json_object_get(entry, "ended")) ? show_end(c, run, entry)
                                                                : rb_exec_watch(c, o, run, &err);
    json_decref(entry);
    return code;
}

int rb_cmd_resume(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_run_options o = {0};
    json_t *answers = json_object(), *repeat = rb_cli_repeat(c);
    int rc = rb_exec_consent(c, &o, answers, &err);
    rc = rc == 0 && c->nargs < 1 ? rb_err_set(&err, RB_EUSAGE, RB_T_cli_resume_what) : rc;
    o.repeat = repeat;
    int code = rc != 0 ? rb_cli_fail(c, &err) : rb_exec_resume(c, c->args[0], &o);
    json_decref(answers);
    json_decref(repeat);
    return code;
}

/* ---- undo ---- */

int rb_cmd_undo(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_run_options o = {.undo = true};
    char run[RB_ID_MAX];
    json_t *answers = json_object(), *repeat = rb_cli_repeat(c), *entry = NULL;
    int rc = c->nargs == 1 ? rb_exec_consent(c, &o, answers, &err) : rb_err_set(&err, RB_EUSAGE, RB_T_trust_undo_what);
    rc = rc != 0 ? rc : rb_cli_loop(c, &err);
    entry = rc == 0 ? named_run(c, true, run, &err) : NULL;
    o.repeat = repeat;
    int code = entry == NULL ? rb_cli_fail(c, &err) : rb_exec_watch(c, &o, run, &err);
    bool refused = err.code == RB_EEXISTS || err.code == RB_EREFUSED;
    json_decref(answers);
    json_decref(repeat);
    json_decref(entry);
    return refused ? 4 : code;
}

/* ---- resolve, abort ---- */

static json_t *next_resume(struct rb_cli *c, const char *run)
{
    json_t *argv = rb_cli_repeat(c);
    json_array_append_new(argv, json_string("resume"));
    json_array_append_new(argv, json_string(run));
    return argv;
}

static void put_resolved(struct rb_cli *c, const char *run, const json_t *told, bool done)
{
    json_t *argv = next_resume(c, run), *intent;
    size_t i;
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:s, s:b, s:O, s:[{s:O}]}", "schema", "runbook.resolve/1", "run", run, "done",
                                 done, "calls", told, "next", "argv", argv));
    } else {
        json_array_foreach((json_t *)told, i, intent) {
            rb_put(c, RB_OUT, RB_PLAIN, "%s  %s\n", done ? TX(resolved_done) : TX(resolved_not_done),
                   rb_effect_line(c, intent));
        }
        rb_put(c, RB_ERR, RB_PLAIN, "%s  %s\n", TX(next), rb_word_argv(c, argv));
    }
    json_decref(argv);
}

static int word_of(struct rb_cli *c, struct rb_word *word, struct rb_err *err)
{
    bool done = rb_options_has(&c->options, RB_O_DONE), not_done = rb_options_has(&c->options, RB_O_NOT_DONE);
    word->done = done;
    word->reason = rb_options_get(&c->options, RB_O_REASON);
    word->call = c->nargs > 1 ? strtoll(c->args[1], NULL, 10) : 0;
    if (done == not_done || word->reason == NULL || (c->nargs > 1 && word->call < 1)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_cli_resolve_what);
    }
    return 0;
}

int rb_cmd_resolve(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_word word = {0};
    char run[RB_ID_MAX];
    json_t *entry = word_of(c, &word, &err) == 0 ? named_run(c, true, run, &err) : NULL;
    json_t *told = entry != NULL ? rb_run_resolve(c->journal, run, &word, &err) : NULL;
    int code = 0;
    if (told == NULL) {
        code = rb_cli_fail(c, &err);
    } else {
        put_resolved(c, run, told, word.done);
    }
    json_decref(told);
    json_decref(entry);
    return code;
}

int rb_cmd_abort(struct rb_cli *c)
{
    struct rb_err err = {0};
    char run[RB_ID_MAX];
    json_t *entry = named_run(c, true, run, &err);
    int rc = entry == NULL ? -1 : rb_run_abort(c->journal, run, rb_options_get(&c->options, RB_O_REASON), &err);
    json_decref(entry);
    if (rc != 0) {
        return rb_cli_fail(c, &err);
    }
    rb_put(c, RB_OUT, RB_PLAIN, TX(resume_ended), run, rb_result_word(c, "aborted"));
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
    return 0;
}

/* ---- stop ---- */

/* Who wanted it is part of the record. Where nothing can be written the run is stopped all the same. */
static void record_request(const struct rb_cli *c, const char *run)
{
    struct rb_err ignored = {0};
    struct rb_journal *at = c->journal, *writer = NULL;
    while (at != NULL && !rb_journal_has(at, run)) {
        at = rb_journal_beside(at);
    }
    if (at != NULL && rb_journal_open(&writer, rb_journal_path(at), &ignored) == 0) {
        json_t *actor = rb_journal_actor_find(), *body = json_object();
        rb_journal_actor_set(writer, actor);
        if (rb_journal_add(writer, run, "run.stop", body, &ignored) == 0) {
            (void)rb_journal_commit(writer, &ignored);
        }
        rb_journal_close(writer);
        json_decref(actor);
        json_decref(body);
    }
}

/* The very process: it is taken hold of first, and looked at then. RB_ENOT_RUNNING when it is gone. */
static int signal_owner(struct rb_cli *c, const char *run, int pid, struct rb_err *err)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    json_t *again = fd >= 0 ? rb_journal_run(c->journal, run, err) : NULL;
    bool same = strcmp(rb_json_str(again, "result", ""), "running") == 0 && rb_json_int(again, "pid", 0) == pid;
    int rc = 0;
    if (!same) {
        rc = rb_err_set(err, RB_ENOT_RUNNING, RB_T_cli_stop_gone, run);
    } else {
        record_request(c, run);
        bool sent = syscall(SYS_pidfd_send_signal, fd, SIGINT, NULL, 0) == 0;
        rc = sent ? 0 : rb_err_errno(err, errno, "pid %d", pid);
    }
    if (fd >= 0) {
        close(fd);
    }
    json_decref(again);
    return rc;
}

/* Until it has an end, or its process is gone. The last entry; new reference. */
static json_t *wait_for_end(struct rb_cli *c, const char *run, struct rb_err *err)
{
    int64_t give_up = rb_clock_mono_ns() + STOP_SECONDS * INT64_C(1000000000);
    json_t *entry = rb_journal_run(c->journal, run, err);
    while (entry != NULL && strcmp(rb_json_str(entry, "result", ""), "running") == 0 && rb_clock_mono_ns() < give_up) {
        struct timespec pause = {.tv_nsec = 50000000};
        (void)nanosleep(&pause, NULL);
        json_decref(entry);
        entry = rb_journal_run(c->journal, run, err);
    }
    return entry;
}

static int put_stopped(struct rb_cli *c, const char *run, const json_t *entry)
{
    const char *result = rb_json_str(entry, "result", "?");
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:s, s:s, s:O*}", "schema", "runbook.stop/1", "run", run, "result", result,
                                 "exit", json_object_get(entry, "exit")));
    } else {
        rb_put(c, RB_OUT, RB_PLAIN, "%s  %s\n", run, rb_result_word(c, result));
    }
    return strcmp(result, "running") == 0 ? 8 : 0;
}

int rb_cmd_stop(struct rb_cli *c)
{
    struct rb_err err = {0};
    char run[RB_ID_MAX];
    json_t *entry = named_run(c, false, run, &err), *after = NULL;
    int rc = entry == NULL ? -1 : 0;
    if (rc == 0 && strcmp(rb_json_str(entry, "result", ""), "running") == 0) {
        rc = signal_owner(c, run, (int)rb_json_int(entry, "pid", 0), &err);
    } else if (rc == 0) {
        rc = rb_err_set(&err, RB_EUSAGE, RB_T_cli_stop_gone, run);
    }
    after = rc == 0 ? wait_for_end(c, run, &err) : NULL;
    int code = after != NULL ? put_stopped(c, run, after) : rb_cli_fail(c, &err);
    json_decref(entry);
    json_decref(after);
    return code;
}
