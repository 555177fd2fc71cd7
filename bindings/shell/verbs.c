/* The binding `shell`: commands. read runs one where the kernel refuses every write; run does what it says. */
#include "list.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "bind.h"
#include "shell/command.h"
#include "shell/output.h"
#include "shell/start.h"

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
    bool write, stopped, ran;
    struct rb_err unsaid; /* it could not be announced, so it never ran */
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

static void on_granted(struct rb_child *child, const char *path, void *user)
{
    struct shell *s = user;

    (void)child;
    rb_call_remark(s->call, "granted", path);
}

static bool is_accepted(const struct shell *s, int code)
{
    const json_t *one;
    size_t i;

    if (json_is_integer(s->accepted)) {
        return json_integer_value(s->accepted) == code;
    }
    json_array_foreach(s->accepted, i, one) {
        if (json_is_integer(one) && json_integer_value(one) == code) {
            return true;
        }
    }
    return json_array_size(s->accepted) == 0 && code == 0;
}

static json_t *answer(const struct shell *s, int code, int sig, bool orphaned)
{
    json_t *value = json_pack("{s:b, s:i, s:o, s:o, s:I}", "ok", is_accepted(s, code), "code", code, "out",
                              rb_shell_output_json(&s->out), "err", rb_shell_output_json(&s->err), "ms",
                              (json_int_t)((rb_clock_mono_ns() - s->since) / 1000000));

    if (rb_shell_output_cut(&s->out) || rb_shell_output_cut(&s->err)) {
        json_object_set_new(value, "truncated",
                            json_pack("{s:I, s:I}", "out", (json_int_t)s->out.total, "err", (json_int_t)s->err.total));
    }
    if (orphaned) {
        json_object_set_new(value, "orphaned_output", json_true());
    }
    if (sig > 0) {
        const char *name = sigabbrev_np(sig);
        json_object_set_new(value, "signal", name ? json_string(name) : json_integer(sig));
    }
    return value;
}

static void fail_exit(const struct shell *s, int code, int sig)
{
    struct rb_err err = {0};
    char last[400], words[200];

    (void)snprintf(words, sizeof words, "%s", s->text);
    words[rb_bind_whole_chars(words, strlen(words))] = '\0';
    rb_shell_output_last(&s->err, last, sizeof last);
    if (sig > 0) {
        rb_err_set(&err, RB_EEXIT, *last ? RB_T_bindings_shell_signal_says : RB_T_bindings_shell_signal, words, sig,
                   sigabbrev_np(sig), last);
    } else {
        rb_err_set(&err, RB_EEXIT, *last ? RB_T_bindings_shell_exit_says : RB_T_bindings_shell_exit, words, code, last);
    }
    rb_call_fail(s->call, &err);
}

static void on_exit_event(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user)
{
    struct shell *s = user;
    struct rb_err stopped = {0};

    int sig = rb_child_signal(child);
    rb_call_data_set(s->call, NULL); /* a cancel that comes now has nothing to stop */
    if (s->write && !s->ran) {
        rb_call_undone(s->call);
    }
    if (err && err->code != 0) {
        rb_call_fail(s->call, err);
    } else if (s->unsaid.code != 0) {
        rb_call_fail(s->call, &s->unsaid);
    } else if (s->stopped) {
        rb_err_set(&stopped, RB_ECANCELLED, RB_T_bindings_shell_stopped, s->text);
        rb_call_fail(s->call, &stopped);
    } else if (s->write && !is_accepted(s, status)) {
        fail_exit(s, status, sig);
    } else {
        rb_call_done(s->call, answer(s, status, sig, orphaned));
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

static void on_announced(struct rb_call *call, const struct rb_err *error)
{
    struct shell *s = rb_call_data(call);
    if (!s || s->stopped) {
        return; /* its end is on the way */
    }
    if (error) {
        s->unsaid = *error;
        rb_child_kill(s->child, 0);
    } else {
        s->ran = true;
        rb_child_release(s->child);
    }
}

/* Held until it is on disk that it runs, and as which process. */
static void on_started(struct rb_child *child, void *user)
{
    struct shell *s = user;
    if (s->write && !s->stopped) {
        rb_call_announce(s->call, json_pack("{s:i}", "pid", (int)rb_child_pid(child)), on_announced);
    }
}

static int launch(struct shell *s, const json_t *args, bool net, struct rb_err *err)
{
    static const struct rb_child_events events = {.started = on_started,
                                                  .output = on_output,
                                                  .refused = on_refused,
                                                  .granted = on_granted,
                                                  .exit = on_exit_event};
    struct rb_err why = {.code = RB_EINTERNAL};
    struct rb_shell_command command;
    int rc = rb_shell_command_init(&command, args, err);

    if (rc != 0) {
        return rc;
    }
    command.spec.stdin_data = rb_buf_str(&s->input);
    command.spec.stdin_len = s->input.len;
    command.spec.access = s->write ? RB_CHILD_WRITE : net ? RB_CHILD_READ_NET : RB_CHILD_READ;
    command.spec.hold = s->write;
    s->child = rb_child_start(rb_call_spawner(s->call), &command.spec, &events, s, &why);
    rb_shell_command_deinit(&command);
    if (s->child) {
        return 0;
    }
    if (err) {
        *err = why;
    }
    return why.code;
}

static int begin(struct rb_call *call, const json_t *args, bool write, struct rb_err *err)
{
    bool net = !write && rb_json_bool(args, "net", false);
    struct shell *s = rb_xcalloc(1, sizeof *s);
    int rc;

    s->call = call;
    s->write = write;
    s->since = rb_clock_mono_ns();
    s->accepted = json_deep_copy(json_object_get(args, "ok"));
    s->text = rb_shell_command_text(args);
    rc = read_input(s, args, err);
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
    return begin(call, args, false, err);
}

static int start_run(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    return begin(call, args, true, err);
}

static void cancel(struct rb_call *call)
{
    struct shell *s = rb_call_data(call);

    if (s) { /* asked a second time, it has no time left */
        rb_child_kill(s->child, s->stopped ? 0 : s->write ? RUN_GRACE_MS : READ_GRACE_MS);
        s->stopped = true;
    }
}

#define COMMAND \
    RB_BIND_OPTPOS("argv", "list(string)", "the command and its arguments, or sh and args in its place", \
                   "命令和它的参数，也可以改用 sh 和 args"), \
        RB_BIND_OPT("sh", "string", "a script for sh; its parameters are $1 …, given in args", \
                    "sh 脚本；参数是 $1 …，由 args 给出"), \
        RB_BIND_OPT("args", "list(string)", "the values of $1 …", "$1 … 的值"), \
        RB_BIND_OPT("cwd", "path", "its folder, default /", "工作目录，默认 /"), \
        RB_BIND_OPT("env", "map", \
                    "environment: names to values; true passes the host's own value on, false leaves it out. " \
                    "Inherited without it: PATH HOME USER LOGNAME SHELL TZ LANG LANGUAGE LC_* TMPDIR TERM " \
                    "XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS, nothing else", \
                    "环境变量：名字到值；true 沿用本程序的值，false 表示不要。不写也会继承的只有 PATH HOME USER " \
                    "LOGNAME SHELL TZ LANG LANGUAGE LC_* TMPDIR TERM XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS"), \
        RB_BIND_OPT("umask", "string", "octal, default as it is", "八进制，默认不变"), \
        RB_BIND_OPT("limits", "map", "of the kernel: cpu (seconds) memory files processes file_size", \
                    "内核限额：cpu（秒）memory files processes file_size"), \
        RB_BIND_TIMEOUT

#define PIPED \
    COMMAND, RB_BIND_OPT("stdin", "bytes", "its input, default empty", "标准输入，默认为空"), \
        RB_BIND_OPT("ok", "any", "exit code or codes that are a success, default 0", "算成功的退出码，默认 0"), \
        RB_BIND_OPT("pty", "bool", \
                    "on a terminal of its own, for a command that insists on one: both streams in out; lines of " \
                    "stdin up to 4095 bytes; default false", \
                    "给它一个终端，用于非要终端不可的命令：两个输出流都在 out 里；stdin 每行最多 4095 字节；" \
                    "默认 false"), \
        RB_BIND_OPT("rows", "int", "of that terminal, default 24", "终端行数，默认 24"), \
        RB_BIND_OPT("cols", "int", "of that terminal, default 80", "终端列数，默认 80")

static const struct rb_arg read_args[] = {
    PIPED,
    RB_BIND_OPT("net", "bool", "may connect by TCP and UDP, recorded as unenforced; default false",
                "允许 TCP 和 UDP 连接，并记为 unenforced；默认 false"),
    RB_BIND_END};
static const struct rb_arg run_args[] = {PIPED, RB_BIND_END};
static const struct rb_arg start_args[] = {
    COMMAND,
    RB_BIND_OPT("log", "path", "its output is added to this file; without it the output is lost",
                "输出追加到这个文件；不给就丢弃"),
    RB_BIND_OPT("ready", "string", "started once this text is in log, within timeout",
                "log 里出现这段文字才算启动，不超过 timeout"),
    RB_BIND_OPT("settle", "duration", "without ready: started once it has lived this long, default 1s",
                "不给 ready 时：活过这么久就算启动，默认 1s"),
    RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "read",
     .effect = RB_EFFECT_READ,
     .args = read_args,
     .returns = "{ ok, code, out, err, ms, signal?, truncated?, orphaned_output? }",
     .en = "Runs a command that only looks: the kernel refuses every write. Any exit code is an answer. Of each stream "
           "the first and last 512 KiB are kept. Errors: missing denied not_found usage timeout.",
     .zh = "执行只看不改的命令：任何写操作都会被内核拒绝。任何退出码都是结果。每个输出流保留头尾各 512 KiB。"
           "错误：missing denied not_found usage timeout。",
     .start = start_read,
     .cancel = cancel,
     .preview = rb_shell_command_text},
    {.name = "run",
     .effect = RB_EFFECT_WRITE,
     .args = run_args,
     .announces = true,
     .returns = "{ ok, code, out, err, ms, signal?, truncated?, orphaned_output? }",
     .timeout = 300,
     .en = "Runs a command that changes something. An exit code that is not in ok raises exit, with the last words of "
           "its error output. Errors: exit missing denied not_found usage timeout.",
     .zh =
         "执行有改动的命令。退出码不在 ok 里就报 exit，并带上错误输出的最后几行。错误：exit missing denied not_found usage timeout。",
     .start = start_run,
     .cancel = cancel,
     .preview = rb_shell_command_text},
    {.name = "start",
     .effect = RB_EFFECT_WRITE,
     .args = start_args,
     .returns = "{ pid, started }",
     .timeout = 60,
     .en = "Starts a command that stays: a session of its own, input and output not ours. It outlives the run and this "
           "program; in a drill it ends with the drill. A command that puts itself into the background is for run. "
           "Errors: exit missing denied not_found usage; not ready in time is unknown, and it was ended.",
     .zh =
         "启动一个常驻命令：独立会话，输入输出不归本程序。run 和本程序结束后它继续运行；演练里随演练一起结束。"
         "会自己转入后台的命令请用 run。错误：exit missing denied not_found usage；没按时就绪算 unknown，并已被停掉。",
     .start = rb_shell_start,
     .cancel = rb_shell_start_cancel,
     .preview = rb_shell_command_text},
    {0}};

const struct rb_binding rb_binding_shell = {
    .name = "shell",
    .en = "Commands, given as lists of words.",
    .zh = "命令，按单词列表给出。",
    .verbs = verbs,
};
