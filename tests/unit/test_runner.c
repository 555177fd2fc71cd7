/* The runner from the host's side: calls and replies, exact values, parallel tasks, broken frames,
 * the memory cap, the deadline, and the proof that nothing but one socket is left. */
#include "runner_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/files.h"

#define MAIN(body) "local rt, seal, task = require 'rt', require 'seal', require 'task'\n" body
#define IN_TASK(body) MAIN("task.main(function()\n" body "\nend)")

static void assert_json(const json_t *value, const char *expected)
{
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    if (!wanted || !json_equal(value, wanted)) {
        print_error("got %s\nnot %s\n", shown ? shown : "nothing", expected);
    }
    assert_true(wanted && json_equal(value, wanted));
    json_decref(wanted);
    free(shown);
}

static void test_call_and_reply(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK("local v = task.call('shell.read', { argv = { 'df' } }, 'a.lua:3')\n"
                       "task.call('x.y', { got = v.out })"),
               NULL);
    json_t *call = host_recv(&h);
    assert_json(call,
                "{\"seq\":1,\"task\":\"1\",\"verb\":\"shell.read\",\"args\":{\"argv\":[\"df\"]},\"at\":\"a.lua:3\"}");
    host_ok(&h, call, json_pack("{s:s}", "out", "ok"));
    call = host_recv(&h);
    assert_json(json_object_get(call, "args"), "{\"got\":\"ok\"}");
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

/* What goes in comes out: integers above 2^53, floats that look like integers, empty lists, null, bytes. */
static void test_values_are_exact(void **state)
{
    (void)state;
    static const char value[] =
        "{\"big\":9007199254740993,\"max\":9223372036854775807,\"min\":-9223372036854775808,\"float\":1.0,"
        "\"pi\":3.141592653589793,\"list\":[],\"map\":{},\"nested\":[[],{},[null,false]],\"null\":null,"
        "\"bytes\":{\"$b64\":\"/wCA\"},\"nul\":{\"$b64\":\"YQBi\"},\"text\":\"数据库\",\"empty\":\"\"}";
    struct host h;
    host_start(&h,
               IN_TASK("local v = task.call('a.b', {})\n"
                       "assert(v.null == rt.null and tostring(v.null) == 'null' and v.bytes == '\\xff\\0\\x80')\n"
                       "assert(math.type(v.big) == 'integer' and math.type(v.float) == 'float' and #v.list == 0)\n"
                       "task.call('c.d', v)"),
               NULL);
    host_ok(&h, host_recv(&h), json_loads(value, 0, NULL));
    json_t *call = host_recv(&h);
    assert_json(json_object_get(call, "args"), value);
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

static void test_null_reply_is_nil_and_noted_ends_rehearsal(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK("local none = task.call('a.b', {})\n"
                       "local noted = task.call('a.c', {})\n"
                       "local ok, err = task.protect(function() return noted.pid end)\n"
                       "task.call('a.d', { none = none == nil, token = noted == task.NOTED, kind = err.kind })"),
               NULL);
    host_ok(&h, host_recv(&h), json_null());
    json_t *call = host_recv(&h);
    host_send(&h, json_pack("{s:I, s:b}", "seq", host_seq(call), "noted", 1));
    json_decref(call);
    call = host_recv(&h);
    assert_json(json_object_get(call, "args"), "{\"none\":true,\"token\":true,\"kind\":\"rehearsed\"}");
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

static void test_error_reply(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK("local ok, e = task.protect(function() task.call('shell.read', {}, 'a.lua:9') end)\n"
                       "task.call('a.d', { kind = e.kind, code = e.code, message = e.message, verb = e.verb,\n"
                       "  fatal = e.fatal, at = e.at, text = tostring(e), locked = getmetatable(e) == false })"),
               NULL);
    json_t *call = host_recv(&h);
    host_send(&h, json_pack("{s:I, s:{s:s, s:s, s:s, s:b}}", "seq", host_seq(call), "error", "code", "exit", "message",
                            "df: 1", "verb", "shell.read", "fatal", 0));
    json_decref(call);
    call = host_recv(&h);
    assert_json(json_object_get(call, "args"),
                "{\"kind\":\"verb\",\"code\":\"exit\",\"message\":\"df: 1\",\"verb\":\"shell.read\",\"fatal\":false,"
                "\"at\":\"a.lua:9\",\"text\":\"df: 1\",\"locked\":true}");
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

/* Five items, two at a time; the host answers the younger one first. Results stay in the list's order. */
static void test_parallel_order_and_bound(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK("local out = task.parallel({ 10, 20, 30, 40, 50 }, function(item, i)\n"
                       "  return task.call('a.b', { item = item, i = i }) end, 2)\n"
                       "task.call('c.d', { out = out })"),
               NULL);
    json_t *held = host_recv(&h);
    assert_string_equal(rb_json_str(held, "task", ""), "1.1");
    for (int i = 2; i <= 5; i++) {
        char task[16];
        json_t *call = host_recv(&h);
        (void)snprintf(task, sizeof task, "1.%d", i);
        assert_string_equal(rb_json_str(call, "task", ""), task);
        assert_null(host_recv_within(&h, 30)); /* never a third one */
        host_ok(&h, call, json_integer(i * 100));
    }
    host_ok(&h, held, json_integer(100));
    json_t *call = host_recv(&h);
    assert_json(json_object_get(call, "args"), "{\"out\":[100,200,300,400,500]}");
    assert_string_equal(rb_json_str(call, "task", ""), "1");
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

static void answer_error(struct host *h, json_t *call, const char *message, bool fatal)
{
    host_send(h, json_pack("{s:I, s:{s:s, s:s, s:b}}", "seq", host_seq(call), "error", "code",
                           fatal ? "cancelled" : "timeout", "message", message, "fatal", (int)fatal));
    json_decref(call);
}

/* Two items fail, the later one first: all are waited for, and the error of the earlier item is raised. */
static void test_parallel_joins_then_raises_first(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK("local done = 0\n"
                       "local ok, err = task.protect(task.parallel, { 1, 2, 3, 4 }, function(item)\n"
                       "  task.call('a.b', { item = item }) done = done + 1 end)\n"
                       "task.call('c.d', { done = done, message = err.message })"),
               NULL);
    json_t *calls[4];
    for (int i = 0; i < 4; i++) {
        calls[i] = host_recv(&h);
    }
    answer_error(&h, calls[2], "third", false);
    assert_null(host_recv_within(&h, 50));
    answer_error(&h, calls[1], "second", false);
    host_ok(&h, calls[3], json_null());
    assert_null(host_recv_within(&h, 50));
    host_ok(&h, calls[0], json_null());
    json_t *call = host_recv(&h);
    assert_json(json_object_get(call, "args"), "{\"done\":2,\"message\":\"second\"}");
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

/* After a fatal error no further item starts; those that run are waited for. */
static void test_parallel_fatal_starts_no_more(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK("local ok, err = task.protect(task.parallel, { 1, 2, 3, 4 }, function(item)\n"
                       "  task.call('a.b', { item = item }) end, 2)\n"
                       "task.call('c.d', { message = err.message, fatal = err.fatal })"),
               NULL);
    json_t *first = host_recv(&h), *second = host_recv(&h);
    answer_error(&h, first, "denied", true);
    assert_null(host_recv_within(&h, 50));
    host_ok(&h, second, json_null());
    json_t *call = host_recv(&h);
    assert_json(json_object_get(call, "args"), "{\"message\":\"denied\",\"fatal\":true}");
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

static void test_nested_tasks_and_protect(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK("local out = task.parallel({ 'a', 'b' }, function(outer)\n"
                       "  local ok, inner = task.protect(function()\n"
                       "    return task.parallel({ 1, 2 }, function(n) return outer .. task.call('x.y', { n "
                       "= n }) end) end)\n"
                       "  return inner end)\n"
                       "task.call('c.d', { out = out, empty = task.parallel({}, error) })"),
               NULL);
    static const char *const ids[] = {"1.1.1", "1.1.2", "1.2.1", "1.2.2"};
    for (int i = 0; i < 4; i++) {
        json_t *call = host_recv(&h);
        assert_string_equal(rb_json_str(call, "task", ""), ids[i]);
        host_ok(&h, call, json_string(ids[i]));
    }
    json_t *call = host_recv(&h);
    assert_json(json_object_get(call, "args"),
                "{\"out\":[[\"a1.1.1\",\"a1.1.2\"],[\"b1.2.1\",\"b1.2.2\"]],\"empty\":[]}");
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

/* A value that is no data names its place and does not reach the host. */
static void test_no_data(void **state)
{
    (void)state;
    static const struct {
        const char *value, *part;
    } cases[] = {
        {"{ deep = { run = print_me } }", "deep.run"},
        {"{ [1] = 1, a = 2 }", "list and map"},
        {"{ list = { 1, nil, 3, nil, 5 } }", "holes"},
        {"{ rt.array { [100000] = 1 } }", "holes"},
        {"{ [true] = 1 }", "keys of data"},
        {"{ [1.5] = 1 }", "keys of data"},
        {"{ x = 0/0 }", "not finite"},
        {"{ x = 1/0 }", "not finite"},
        {"{ ['\\xff'] = 1 }", "UTF-8"},
        {"{ x = ('x'):rep(9 << 20) }", "8 MB"},
        {"(function() local t = {} t.self = { t } return t end)()", "self[1]: a table that"},
        {"(function() local t = {} for _ = 1, 80 do t = { t } end return t end)()", "60 levels"},
        {"(function() local t = { 1 } for _ = 1, 40 do t = { t, t } end return t end)()", "250000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char boot[1024];
        struct host h;
        (void)snprintf(boot, sizeof boot,
                       IN_TASK("local print_me = function() end\nlocal value = %s\n"
                               "local ok, err = task.protect(task.call, 'a.b', { value = value })\n"
                               "task.call('c.d', { message = err.message })"),
                       cases[i].value);
        host_start(&h, boot, NULL);
        json_t *call = host_recv(&h);
        assert_string_equal(rb_json_str(call, "verb", ""), "c.d");
        const char *message = rb_json_str(json_object_get(call, "args"), "message", "");
        char part[64];
        (void)snprintf(part, sizeof part, "%s", cases[i].part);
        char *place = strstr(part, ": ");
        if (place) { /* place and problem, each must be named */
            *place = '\0';
            assert_non_null(strstr(message, place + 2));
        }
        if (!strstr(message, part)) {
            print_error("%s: %s\n", cases[i].value, message);
        }
        assert_non_null(strstr(message, part));
        host_ok(&h, call, json_null());
        assert_int_equal(host_end(&h), 0);
    }
}

/* ---- what a runner does when the host is not the host ---- */

static int end_after_bytes(const char *bytes, size_t len, bool start)
{
    struct host h;
    host_fork(&h, RB_RUNNER_MEMORY, IN_TASK("task.call('a.b', {})"));
    if (start) {
        host_send(&h, json_pack("{s:{}}", "start"));
        json_decref(host_recv(&h));
    }
    assert_int_equal(write(h.fd, bytes, len), (ssize_t)len);
    if (len == 0) {
        (void)shutdown(h.fd, SHUT_WR);
    }
    return host_end(&h);
}

static void test_broken_frames_end_with_70(void **state)
{
    (void)state;
#define BYTES(text) \
    { \
        text, sizeof text - 1 \
    }
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        BYTES("\0\0\0\0"),                             /* empty frame */
        BYTES("\xff\xff\xff\x7f{}"),                   /* a length that cannot be */
        BYTES("\x05\0\0\0hello"),                      /* no JSON */
        BYTES("\x02\0\0\0[]"),                         /* no object */
        BYTES("\x0d\0\0\0{\"a\":1,\"a\":2}"),          /* a key twice */
        BYTES("\x07\0\0\0{\"a\":\xff}"),               /* no UTF-8 */
        BYTES("\x16\0\0\0{\"seq\":99,\"ok\":true}  "), /* an answer nobody asked for */
        BYTES("\x0b\0\0\0{\"ok\":true}"),              /* without its number */
        BYTES(""),                                     /* the end of the host */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(end_after_bytes(cases[i].bytes, cases[i].len, true), RB_EXIT_PROTOCOL);
    }
    assert_int_equal(end_after_bytes("\x02\0\0\0{}", 6, false), RB_EXIT_PROTOCOL);
    assert_int_equal(end_after_bytes("\x0b\0\0\0{\"start\":1}", 15, false), RB_EXIT_PROTOCOL);
}

/* The library's own failure is told before the runner ends. */
static void test_library_error_is_told(void **state)
{
    (void)state;
    struct host h;
    host_start(&h, "error('broken library')", NULL);
    json_t *call = host_recv(&h);
    assert_string_equal(rb_json_str(call, "verb", ""), "run.crash");
    assert_non_null(strstr(rb_json_str(json_object_get(call, "args"), "message", ""), "broken library"));
    json_decref(call);
    assert_int_equal(host_end(&h), RB_EXIT_PROTOCOL);
}

/* The shipped standard library, from the start frame to the declaration of a shipped runbook. */
static void test_boot_declares_a_runbook(void **state)
{
    (void)state;
    char path[1024];
    struct rb_buf text;
    struct rb_err err = {0};
    (void)snprintf(path, sizeof path, "%s/runbooks/liqpass/db-locked.lua", RUNBOOK_SOURCE);
    rb_buf_init(&text, 1 << 20);
    assert_int_equal(rb_files_read(path, 1 << 20, 0, &text, &err), 0);
    struct host h;
    host_start(&h, NULL,
               json_pack("{s:s, s:[[{s:s, s:s, s:s}], [{s:s, s:s, s:s}]], s:s}", "mode", "list", "runbooks", "role",
                         "runbook", "path", "liqpass/db-locked.lua", "text", text.data, "role", "runbook", "path",
                         "broken.lua", "text", "check {\n，", "verbs", ""));
    json_t *call = host_recv(&h), *args = json_object_get(call, "args");
    assert_string_equal(rb_json_str(call, "verb", ""), "run.declare");
    assert_json(json_object_get(args, "error"), "null");
    assert_true(json_array_size(json_object_get(args, "blocks")) > 10);
    host_ok(&h, call, json_object());
    call = host_recv(&h);
    args = json_object_get(json_object_get(call, "args"), "error");
    assert_string_equal(rb_json_str(args, "file", ""), "broken.lua");
    assert_int_equal(rb_json_int(args, "line", 0), 2);
    host_ok(&h, call, json_object());
    assert_int_equal(host_end(&h), 0);
    rb_buf_deinit(&text);
}

/* ---- memory ---- */

static int end_with_memory(const char *boot, json_int_t memory)
{
    struct host h;
    host_start(&h, boot, json_pack("{s:I}", "memory", memory));
    return host_end(&h);
}

static void test_memory_cap_is_88(void **state)
{
    (void)state;
    static const char hog[] = "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end";
    static const char doubling[] = "local s = 'x' while true do s = s .. s end";
    static const char caught[] = "while true do pcall(function() local s = 'x' while true do s = s .. s end end) end";
    assert_int_equal(end_with_memory(hog, 8 << 20), RB_EXIT_MEMORY);
    assert_int_equal(end_with_memory(hog, 64 << 20), RB_EXIT_MEMORY);
    assert_int_equal(end_with_memory(doubling, 16 << 20), RB_EXIT_MEMORY);
    assert_int_equal(end_with_memory(caught, 16 << 20), RB_EXIT_MEMORY);
}

/* The counted cap, not the kernel's limit far above it, decides. */
static void test_memory_cap_is_where_it_was_set(void **state)
{
    (void)state;
    static const char some[] = "local s = string.rep('x', 6 << 20) local a, b = s .. 'a', s .. 'b' return a, b";
    assert_int_equal(end_with_memory(some, 8 << 20), RB_EXIT_MEMORY);
    assert_int_equal(end_with_memory(some, 64 << 20), 0);
}

/* The program that corrupts the heap of Lua 5.4.4 when an allocator answers NULL at a cap. */
static void test_weak_table_recipe_ends_cleanly(void **state)
{
    (void)state;
    static const char recipe[] = "local hog={}\n"
                                 "pcall(function() while true do hog[#hog+1]=('x'):rep(1000)..#hog end end)\n"
                                 "pcall(function() while true do hog[#hog+1]=('y'):rep(20)..#hog end end)\n"
                                 "for round=1,2000 do pcall(function()\n"
                                 "  local mt=setmetatable({__newindex={}},{__mode='v'}) local t=setmetatable({},mt)\n"
                                 "  for i=1,64 do t[i]=i end end)\n"
                                 "  if round%50==0 then hog[#hog]=nil end end\n";
    for (json_int_t i = 0; i < 24; i++) {
        assert_int_equal(end_with_memory(recipe, (8 << 20) + i * 4099), RB_EXIT_MEMORY);
    }
}

/* A reply that is small as bytes and huge as values must not take the machine with it. */
static void test_reply_that_swells(void **state)
{
    (void)state;
    struct host h;
    host_start(&h, IN_TASK("task.call('a.b', {})"), json_pack("{s:i}", "memory", 16 << 20));
    json_t *call = host_recv(&h), *list = json_array();
    for (int i = 0; i < 2000000; i++) {
        (void)json_array_append_new(list, json_array());
    }
    host_ok(&h, call, list);
    assert_int_equal(host_end(&h), RB_EXIT_MEMORY);
}

/* ---- time ---- */

#define LOAD(text) \
    "local chunk = assert(seal.load([[" text \
    "]], '@x/slow.lua', seal.environment { call = task.call, try = task.protect }))\n"

static void test_deadline_names_the_line(void **state)
{
    (void)state;
    static const char *const loops[] = {
        IN_TASK(LOAD("local n = 0\nwhile true do\n n = n + 1 end") "rt.deadline(0.2, 'check lock')\n"
                                                                   "local ok, err = task.protect(chunk) "
                                                                   "rt.deadline(nil)\n"
                                                                   "task.call('c.d', { kind = err.kind, "
                                                                   "code = err.code, at = err.at, "
                                                                   "message = err.message })"),
        /* caught once by the library's own protect, raised again by the next loop */
        IN_TASK(LOAD("try(function() while true do end end)\nlocal n = 0\nwhile true do n = n + 1 "
                     "end") "rt.deadline(0.2, 'check lock') local ok, err = task.protect(chunk) "
                            "rt.deadline(nil)\n"
                            "task.call('c.d', { kind = err.kind, code = err.code, at = err.at, "
                            "message = err.message })"),
        /* a loop that spends its time in the library */
        IN_TASK(LOAD("local t = { 1, 2, 3, 4, 5, 6, 7, 8 }\nwhile true do\nfor k in pairs(t) do t[k] "
                     "= k end end") "rt.deadline(0.2, 'check lock') local ok, err = "
                                    "task.protect(chunk) rt.deadline(nil)\n"
                                    "task.call('c.d', { kind = err.kind, code = err.code, at = "
                                    "err.at, message = err.message })"),
    };
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        struct host h;
        host_start(&h, loops[i], NULL);
        json_t *call = host_recv(&h), *args = json_object_get(call, "args");
        char *shown = json_dumps(args, JSON_ENCODE_ANY);
        if (strcmp(rb_json_str(args, "kind", ""), "timeout") != 0) {
            print_error("loop %zu: %s\n", i, shown ? shown : "no call");
        }
        free(shown);
        assert_json(json_object_get(args, "kind"), "\"timeout\"");
        assert_json(json_object_get(args, "code"), "\"timeout\"");
        assert_json(json_object_get(args, "message"), "\"check lock took longer than 0.2 s\"");
        assert_int_equal(strncmp(rb_json_str(args, "at", ""), "x/slow.lua:", 11), 0);
        assert_in_range(atol(rb_json_str(args, "at", "") + 11), 2, 3);
        host_ok(&h, call, json_null());
        assert_int_equal(host_end(&h), 0);
    }
}

/* No hook fires inside a C function: only the host's SIGKILL ends it, which is why there is one. */
static void test_pattern_bomb_ends_by_kill_only(void **state)
{
    (void)state;
    struct host h;
    host_start(&h,
               IN_TASK(LOAD("call('a.b', {}) return (('a'):rep(3000)):find('.-.-.-b')") "rt.deadline(0.2, 'x') "
                                                                                        "task.protect(chunk) "
                                                                                        "rt.deadline(nil) "
                                                                                        "task.call('c.d', {})"),
               NULL);
    host_ok(&h, host_recv(&h), json_null());
    assert_null(host_recv_within(&h, 1000));
    assert_int_equal(kill(h.pid, SIGKILL), 0);
    assert_int_equal(host_end(&h), KILLED + SIGKILL);
}

static void test_calls_inside_callbacks_are_explained(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "table.sort({ 3, 1, 2 }, function(a, b) return call('a.b', {}) end)",
        "('abc'):gsub('.', function(c) return call('a.b', {}) end)",
        "return #setmetatable({}, { __index = function() end, __len = function() return 1 end }) and "
        "table.concat({}, ('x'):gsub('x', function() call('a.b', {}) end))",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        char boot[1024];
        struct host h;
        (void)snprintf(
            boot, sizeof boot,
            IN_TASK("local chunk = assert(seal.load([[%s]], '@x.lua', seal.environment { call = task.call }))\n"
                    "local ok, err = task.protect(chunk)\n"
                    "task.call('c.d', { kind = err.kind, at = err.at, message = err.message })"),
            scripts[i]);
        host_start(&h, boot, NULL);
        json_t *call = host_recv(&h), *args = json_object_get(call, "args");
        assert_string_equal(rb_json_str(call, "verb", ""), "c.d");
        assert_non_null(strstr(rb_json_str(args, "message", ""), "collect first"));
        assert_string_equal(rb_json_str(args, "at", ""), "x.lua:1");
        host_ok(&h, call, json_null());
        assert_int_equal(host_end(&h), 0);
    }
}

/* ---- rights ---- */

static int count_fds(pid_t pid, bool *socket_only)
{
    char path[64], target[64];
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = 0;
    *socket_only = true;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
        if (n > 0 && atol(e->d_name) != STDERR_FILENO) {
            target[n] = '\0';
            count++;
            *socket_only = *socket_only && strncmp(target, "socket:", 7) == 0;
        }
    }
    (void)closedir(dir);
    return count;
}

static void status_field(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64], line[256];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    out[0] = '\0';
    while (fgets(line, sizeof line, f)) {
        size_t len = strlen(name);
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            (void)snprintf(out, size, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
            out[strcspn(out, "\n")] = '\0';
        }
    }
    (void)fclose(f);
}

static void test_the_kernel_says_so(void **state)
{
    (void)state;
    static const char *const fields[][2] = {
        {"Seccomp", "2"},
        {"NoNewPrivs", "1"},
        {"CapEff", "0000000000000000"},
        {"CapPrm", "0000000000000000"},
        {"CapInh", "0000000000000000"},
        {"Threads", "1"},
    };
    int stray = open("/dev/null", O_RDONLY); /* not CLOEXEC: a runner must not keep what it inherits */
    struct host h;
    host_start(&h, IN_TASK("task.call('a.b', {})"), NULL);
    json_t *call = host_recv(&h);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char value[64];
        status_field(h.pid, fields[i][0], value, sizeof value);
        assert_string_equal(value, fields[i][1]);
    }
    bool socket_only;
    if (geteuid() == 0) { /* the runner is not dumpable: its /proc/PID/fd is root's */
        assert_int_equal(count_fds(h.pid, &socket_only), 1);
        assert_true(socket_only);
    }
    (void)close(stray);
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
}

static void try_open(int fd)
{
    (void)fd;
    (void)open("/etc/passwd", O_RDONLY);
}
static void try_create(int fd)
{
    (void)fd;
    (void)open("canary", O_WRONLY | O_CREAT, 0600);
}
static void try_socket(int fd)
{
    (void)fd;
    (void)socket(AF_INET, SOCK_STREAM, 0);
}
static void try_fork(int fd)
{
    (void)fd;
    (void)fork();
}
static void try_exec(int fd)
{
    (void)fd;
    (void)execl("/bin/true", "true", (char *)NULL);
}
static void try_kill(int fd)
{
    (void)fd;
    (void)kill(getppid(), 0);
}
static void try_signal_other(int fd)
{
    (void)fd;
    (void)syscall(SYS_tgkill, 1, 1, 0);
}
static void try_other_fd(int fd)
{
    (void)write(fd + 1, "x", 1);
}
static void try_read_other(int fd)
{
    char c;
    (void)read(fd + 1, &c, 1);
}
static void try_executable(int fd)
{
    (void)fd;
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void try_protect(int fd)
{
    (void)fd;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static void try_pass_fd(int fd)
{
    struct msghdr m = {0};
    (void)sendmsg(fd, &m, 0);
}
static void try_ptrace(int fd)
{
    (void)fd;
    (void)syscall(SYS_ptrace, 0, 0, 0, 0);
}
static void try_prctl(int fd)
{
    (void)fd;
    (void)syscall(SYS_prctl, 4, 1, 0, 0, 0);
}
static void try_memfd(int fd)
{
    (void)fd;
    (void)syscall(SYS_memfd_create, "x", 0);
}

/* What a broken Lua could try by its own hand. In the sanitized build the kernel answers EPERM in place of
 * death. */
static void test_forbidden_calls_die(void **state)
{
    (void)state;
    static void (*const tries[])(int) = {
        try_open,       try_create,     try_socket,  try_fork,    try_exec,   try_kill,  try_signal_other, try_other_fd,
        try_read_other, try_executable, try_protect, try_pass_fd, try_ptrace, try_prctl, try_memfd,
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        struct host h;
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        rb_buf_init(&h.in, 64);
        h.fd = pair[0];
        h.pid = fork();
        if (h.pid == 0) {
            if (rb_sandbox_enter(pair[1], 64 << 20) != 0) {
                _exit(99);
            }
            errno = 0;
            tries[i](pair[1]);
            _exit(errno == EPERM ? 1 : 0);
        }
        (void)close(pair[1]);
#ifdef RUNBOOK_SANITIZED
        int wanted = 1;
#else
        int wanted = KILLED + SIGSYS;
#endif
        int ended = host_end(&h);
        if (ended != wanted) {
            print_error("try %zu ended with %d\n", i, ended);
        }
        assert_int_equal(ended, wanted);
        assert_int_not_equal(access("canary", F_OK), 0);
    }
}

static void test_dies_with_its_parent(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct host h;
        host_start(&h, "while true do end", NULL);
        (void)write(pipes[1], &h.pid, sizeof h.pid);
        (void)pause();
        _exit(0);
    }
    pid_t runner = 0;
    assert_int_equal(read(pipes[0], &runner, sizeof runner), (ssize_t)sizeof runner);
    int pidfd = (int)syscall(SYS_pidfd_open, runner, 0);
    assert_true(pidfd >= 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 300), 0); /* it lives, past its start */
    (void)kill(parent, SIGKILL);
    (void)waitpid(parent, NULL, 0);
    assert_int_equal(poll(&p, 1, 60000), 1);
    (void)close(pidfd);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_and_reply),
        cmocka_unit_test(test_values_are_exact),
        cmocka_unit_test(test_null_reply_is_nil_and_noted_ends_rehearsal),
        cmocka_unit_test(test_error_reply),
        cmocka_unit_test(test_parallel_order_and_bound),
        cmocka_unit_test(test_parallel_joins_then_raises_first),
        cmocka_unit_test(test_parallel_fatal_starts_no_more),
        cmocka_unit_test(test_nested_tasks_and_protect),
        cmocka_unit_test(test_no_data),
        cmocka_unit_test(test_broken_frames_end_with_70),
        cmocka_unit_test(test_library_error_is_told),
        cmocka_unit_test(test_boot_declares_a_runbook),
        cmocka_unit_test(test_memory_cap_is_88),
        cmocka_unit_test(test_memory_cap_is_where_it_was_set),
        cmocka_unit_test(test_weak_table_recipe_ends_cleanly),
        cmocka_unit_test(test_reply_that_swells),
        cmocka_unit_test(test_deadline_names_the_line),
        cmocka_unit_test(test_pattern_bomb_ends_by_kill_only),
        cmocka_unit_test(test_calls_inside_callbacks_are_explained),
        cmocka_unit_test(test_the_kernel_says_so),
        cmocka_unit_test(test_forbidden_calls_die),
        cmocka_unit_test(test_dies_with_its_parent),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* writing to a runner that just ended */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
