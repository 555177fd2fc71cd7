/* The binding `shell`: commands. read runs one where the kernel refuses every write; run does what it says. */
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "bind.h"
#include "shell/command.h"
#include "shell/output.h"

#define READ_GRACE_MS 1000
#define RUN_GRACE_MS 5000 /* a command that changes things gets time to finish cleanly */

struct shell {
    struct rb_call *call;
    struct rb_child *child;
    struct rb_shell_output out, err;
    struct rb_buf input;
    json_t *accepted; /* exit codes; NULL = 0 only */
    char *text;
    int64_t since;
    bool write, stopped;
};

static void shell_free(struct shell *s)
{
    rb_shell_output_deinit(&s->out);
    rb_shell_output_deinit(&s->err);
    rb_buf_deinit(&s->input);
    json_decref(s->accepted);
    free(s->text);
    free(s);
}

static void on_output(struct rb_child *child, int stream, const char *data, size_t len, void *user)
{
    struct shell *s = user;

    (void)child;
    rb_shell_output_add(stream == 2 ? &s->err : &s->out, data, len);
    rb_call_output(s->call, stream, data, len);
}

static void on_refused(struct rb_child *child, const char *what, void *user)
{
    struct shell *s = user;

    (void)child;
    rb_call_remark(s->call, "refused", what);
}

static bool is_accepted(const struct shell *s, int code)
{
    const json_t *one;
    size_t i;

    if (json_is_integer(s->accepted)) {
        return json_integer_value(s->accepted) == code;
    }
    json_array_foreach(s->accepted, i, one)
    {
        if (json_is_integer(one) && json_integer_value(one) == code) {
            return true;
        }
    }
    return json_array_size(s->accepted) == 0 && code == 0;
}

static json_t *answer(const struct shell *s, int code, bool orphaned)
{
    json_t *value = json_pack("{s:b, s:i, s:o, s:o, s:I}", "ok", is_accepted(s, code), "code", code, "out",
                              rb_shell_output_json(&s->out), "err", rb_shell_output_json(&s->err), "ms",
                              (json_int_t)((rb_clock_mono_ns() - s->since) / 1000000));

    if (rb_shell_output_cut(&s->out) || rb_shell_output_cut(&s->err)) {
        json_object_set_new(value, "truncated", json_pack("{s:I, s:I}", "out", (json_int_t)s->out.total, "err",
                                                          (json_int_t)s->err.total));
    }
    if (orphaned) {
        json_object_set_new(value, "orphaned_output", json_true());
    }
    return value;
}

static void fail_exit(const struct shell *s, int code)
{
    struct rb_err err = {0};
    char last[400], words[200];

    (void)snprintf(words, sizeof words, "%s", s->text);
    words[rb_bind_whole_chars(words, strlen(words))] = '\0';
    rb_shell_output_last(&s->err, last, sizeof last);
    if (*last) {
        rb_err_set(&err, RB_EEXIT, RB_T_bindings_shell_exit_says, words, code, last);
    } else {
        rb_err_set(&err, RB_EEXIT, RB_T_bindings_shell_exit, words, code);
    }
    rb_call_fail(s->call, &err);
}

static void on_exit_event(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user)
{
    struct shell *s = user;
    struct rb_err stopped = {0};

    (void)child;
    rb_call_data_set(s->call, NULL); /* a cancel that comes now has nothing to stop */
    if (err && err->code != 0) {
        rb_call_fail(s->call, err);
    } else if (s->stopped) {
        rb_err_set(&stopped, RB_ECANCELLED, RB_T_bindings_shell_stopped, s->text);
        rb_call_fail(s->call, &stopped);
    } else if (s->write && !is_accepted(s, status)) {
        fail_exit(s, status);
    } else {
        rb_call_done(s->call, answer(s, status, orphaned));
    }
    shell_free(s);
}

static int read_input(struct shell *s, const json_t *args, struct rb_err *err)
{
    const json_t *input = json_object_get(args, "stdin");

    rb_buf_init(&s->input, 4 << 20);
    if (!input || json_is_null(input)) {
        return 0;
    }
    if (rb_json_bytes_get(input, &s->input) != 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_data);
    }
    return 0;
}

static int launch(struct shell *s, const json_t *args, bool net, struct rb_err *err)
{
    static const struct rb_child_events events = {
        .output = on_output, .refused = on_refused, .exit = on_exit_event};
    struct rb_child_spec spec = {.cwd = json_string_value(json_object_get(args, "cwd"))};
    struct rb_err why = {.code = RB_EINTERNAL};
    struct rb_shell_command command;
    int rc = rb_shell_command_init(&command, args, err);

    if (rc != 0) {
        return rc;
    }
    spec.argv = command.argv;
    spec.env = command.env;
    spec.stdin_data = rb_buf_str(&s->input);
    spec.stdin_len = s->input.len;
    spec.access = s->write ? RB_CHILD_WRITE : net ? RB_CHILD_READ_NET : RB_CHILD_READ;
    s->child = rb_child_start(rb_call_spawner(s->call), &spec, &events, s, &why);
    rb_shell_command_deinit(&command);
    if (s->child) {
        return 0;
    }
    if (err) {
        *err = why;
    }
    return why.code;
}

static int start(struct rb_call *call, const json_t *args, bool write, struct rb_err *err)
{
    bool net = !write && rb_json_bool(args, "net", false);
    struct shell *s = rb_xcalloc(1, sizeof *s);
    int rc;

    s->call = call;
    s->write = write;
    s->since = rb_clock_mono_ns();
    s->accepted = json_deep_copy(json_object_get(args, "ok"));
    s->text = rb_shell_command_text(args);
    if (json_object_get(args, "cwd") && !json_is_null(json_object_get(args, "cwd")) &&
        !rb_bind_path(args, "cwd", err)) {
        rc = RB_EUSAGE;
    } else {
        rc = read_input(s, args, err);
    }
    rc = rc == 0 ? launch(s, args, net, err) : rc;
    if (rc != 0) {
        shell_free(s);
        return rc;
    }
    rb_call_data_set(call, s);
    if (net) {
        rb_call_remark(call, "unenforced", "network unenforced");
    }
    return 0;
}

static int start_read(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, false, err);
}

static int start_run(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return start(call, args, true, err);
}

static void cancel(struct rb_call *call)
{
    struct shell *s = rb_call_data(call);

    if (s) { /* asked a second time, it has no time left */
        rb_child_kill(s->child, s->stopped ? 0 : s->write ? RUN_GRACE_MS : READ_GRACE_MS);
        s->stopped = true;
    }
}

#define COMMAND                                                                                                        \
    RB_BIND_OPTPOS("argv", "list(string)", "the command and its arguments, or sh and args in its place",              \
                   "命令和它的参数，也可以改用 sh 和 args"),                                                          \
        RB_BIND_OPT("sh", "string", "a script for sh; its parameters are $1 …, given in args",                        \
                    "sh 脚本；参数是 $1 …，由 args 给出"),                                                            \
        RB_BIND_OPT("args", "list(string)", "the values of $1 …", "$1 … 的值"),                                       \
        RB_BIND_OPT("cwd", "path", "its folder, default /", "工作目录，默认 /"),                                      \
        RB_BIND_OPT("env", "map", "added to the environment", "加到环境变量里"),                                      \
        RB_BIND_OPT("stdin", "bytes", "its input, default empty", "标准输入，默认为空"),                              \
        RB_BIND_OPT("ok", "any", "exit code or codes that are a success, default 0", "算成功的退出码，默认 0"),        \
        RB_BIND_TIMEOUT

static const struct rb_arg read_args[] = {
    COMMAND,
    RB_BIND_OPT("net", "bool", "may connect by TCP and UDP, recorded as unenforced; default false",
                "允许 TCP 和 UDP 连接，并记为 unenforced；默认 false"),
    RB_BIND_END};
static const struct rb_arg run_args[] = {COMMAND, RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "read", .effect = RB_EFFECT_READ, .args = read_args,
     .returns = "{ ok, code, out, err, ms, truncated?, orphaned_output? }",
     .en = "Runs a command that only looks: the kernel refuses every write. Any exit code is an answer. Of each stream "
           "the first and last 512 KiB are kept. Errors: missing denied not_found usage timeout.",
     .zh = "执行只看不改的命令：任何写操作都会被内核拒绝。任何退出码都是结果。每个输出流保留头尾各 512 KiB。"
           "错误：missing denied not_found usage timeout。",
     .start = start_read, .cancel = cancel, .preview = rb_shell_command_text},
    {.name = "run", .effect = RB_EFFECT_WRITE, .args = run_args,
     .returns = "{ ok, code, out, err, ms, truncated?, orphaned_output? }", .timeout = 300,
     .en = "Runs a command that changes something. An exit code that is not in ok raises exit, with the last words of "
           "its error output. Errors: exit missing denied not_found usage timeout.",
     .zh = "执行有改动的命令。退出码不在 ok 里就报 exit，并带上错误输出的最后几行。错误：exit missing denied not_found usage timeout。",
     .start = start_run, .cancel = cancel, .preview = rb_shell_command_text},
    {0}};

const struct rb_binding rb_binding_shell = {
    .name = "shell",
    .en = "Commands, given as lists of words.",
    .zh = "命令，按单词列表给出。",
    .verbs = verbs,
};
