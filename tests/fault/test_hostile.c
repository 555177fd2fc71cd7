/* Hostile runbooks (hostile/). The first line of each says how it must end:
 *   -- expect: error: TEXT    a Lua error with these words, and every canary alive
 *   -- expect: timeout        the courtesy deadline
 *   -- expect: ok             nothing, and every canary alive
 *   -- expect: does not load
 *   -- expect: exit 88        the memory cap
 *   -- expect: killed         only SIGKILL from outside ends it
 * Whatever it is: no file, no second descriptor, no frame but calls, the libraries unchanged. */
#include "../unit/runner_host.h"

#include <dirent.h>

#include "base/files.h"

#define COUNT 120         /* so that the corpus cannot shrink unseen */
#define MEMORY (64 << 20) /* the default */

static const char boot[] =
    "local start = ...\n"
    "local rt, seal, task = require 'rt', require 'seal', require 'task'\n"
    "local wanted = { db = 'a.sqlite', list = { 'b', 'a' } }\n"
    "local p = seal.view(wanted, function(name) error('no parameter ' .. name, 3) end)\n"
    "local function try(fn)\n"
    "  local ok, err = task.protect(fn)\n"
    "  if ok then return true end\n"
    "  if err.kind == 'verb' then return nil, err end\n"
    "  error(err, 0)\n"
    "end\n"
    "local extra = { p = p, null = rt.null, call = task.call, try = try, parallel = task.parallel, check = "
    "function() end,\n"
    "  json = { encode = rt.json_encode, decode = rt.json_decode }, lib = { inner = { value = 1 } } }\n"
    "local env = seal.environment(extra)\n"
    "local index, upper = rt.metatable('').__index, rt.metatable('').__index.upper\n"
    "local function canaries()\n"
    "  local other = seal.load([[local keys = {} for k in pairs({ b = 1, a = 2 }) do keys[#keys + 1] = k "
    "end\n"
    "    return keys[1] == 'a' and ('x'):upper() == 'X' and string.rep('x', 2) == 'xx' and math.floor(1.5) "
    "== 1\n"
    "      and p.db == 'a.sqlite' and p.list[1] == 'b' and lib.inner.value == 1 and utf8.char(65) == 'A'\n"
    "      and getmetatable('') == false and tostring(null) == 'null' ]], '@canary', env)\n"
    "  local ok, same = task.protect(other)\n"
    "  return ok and same and rt.metatable('').__index == index and index.upper == upper and index.dump == "
    "nil\n"
    "    and rt.metatable(env).__metatable == false and not rt.metatable({})\n"
    "end\n"
    "task.main(function()\n"
    "  local chunk, problem = seal.load(start.text, '@hostile.lua', env)\n"
    "  if not chunk then task.call('t.problem', problem) return end\n"
    "  rt.deadline(start.seconds, 'hostile')\n"
    "  local ok, err = task.protect(chunk)\n"
    "  rt.deadline(nil)\n"
    "  task.call('t.end', { ok = ok, kind = not ok and err.kind or nil, message = not ok and err.message or "
    "nil,\n"
    "    canaries = canaries() })\n"
    "end)\n";

struct verdict {
    char verb[32], kind[32], message[1024];
    bool canaries;
};

static bool is_call(const json_t *frame)
{
    return host_seq(frame) > 0 && json_is_object(json_object_get(frame, "args")) &&
           strncmp(rb_json_str(frame, "task", ""), "1", 1) == 0;
}

static int count_entries(const char *path)
{
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        count += e->d_name[0] != '.' && strcmp(e->d_name, "2") != 0; /* a sanitizer keeps stderr */
    }
    (void)closedir(dir);
    return count;
}

static void note(struct verdict *v, const json_t *frame)
{
    const json_t *args = json_object_get(frame, "args");
    (void)snprintf(v->verb, sizeof v->verb, "%s", rb_json_str(frame, "verb", ""));
    (void)snprintf(v->kind, sizeof v->kind, "%s", rb_json_str(args, "kind", ""));
    (void)snprintf(v->message, sizeof v->message, "%s", rb_json_str(args, "message", ""));
    v->canaries = rb_json_bool(args, "canaries", false);
}

/* Answers calls until the runner says its end, ends, or is silent for ms. Empty verb: it said nothing. */
static void converse(struct host *h, int ms, struct verdict *v)
{
    memset(v, 0, sizeof *v);
    for (;;) {
        json_t *frame = host_recv_within(h, ms);
        if (!frame) {
            return;
        }
        assert_true(is_call(frame));
        bool last = strcmp(rb_json_str(frame, "verb", ""), "t.call") != 0;
        if (last) {
            char path[64];
            note(v, frame);
            (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)h->pid);
            if (geteuid() == 0) {
                assert_int_equal(count_entries(path), 1);
            }
        }
        host_ok(h, frame, json_null());
        if (last) {
            return;
        }
    }
}

static bool said(const struct verdict *v, int code, const char *verb, const char *kind, const char *part)
{
    return code == 0 && strcmp(v->verb, verb) == 0 && strcmp(v->kind, kind) == 0 && strstr(v->message, part) &&
           (v->canaries || strcmp(verb, "t.problem") == 0);
}

static bool as_expected(const char *expect, const struct verdict *v, int code)
{
    if (strcmp(expect, "exit 88") == 0) {
        return code == RB_EXIT_MEMORY && !v->verb[0];
    }
    if (strcmp(expect, "killed") == 0) {
        return code == -1 && !v->verb[0];
    }
    if (strcmp(expect, "ok") == 0) {
        return said(v, code, "t.end", "", "");
    }
    if (strcmp(expect, "timeout") == 0) {
        return said(v, code, "t.end", "timeout", "hostile took longer");
    }
    if (strcmp(expect, "does not load") == 0) {
        return said(v, code, "t.problem", "", "");
    }
    return strncmp(expect, "error: ", 7) == 0 && said(v, code, "t.end", "lua", expect + 7);
}

static void corpus_path(char *out, size_t size, const char *name)
{
    (void)snprintf(out, size, "%s/tests/fault/hostile/%s", RUNBOOK_SOURCE, name);
}

static bool run_file(const char *name)
{
    static const char mark[] = "-- expect: ";
    char path[1024], expect[256];
    struct rb_buf text;
    struct rb_err err = {0};
    rb_buf_init(&text, 1 << 20);
    corpus_path(path, sizeof path, name);
    assert_int_equal(rb_files_read(path, 1 << 20, 0, &text, &err), 0);
    assert_int_equal(strncmp(text.data, mark, sizeof mark - 1), 0);
    (void)snprintf(expect, sizeof expect, "%.*s", (int)strcspn(text.data + sizeof mark - 1, "\n"),
                   text.data + sizeof mark - 1);

    struct host h;
    struct verdict v;
    bool killed = strcmp(expect, "killed") == 0, timeout = strcmp(expect, "timeout") == 0;
    double seconds = killed || timeout ? 0.3 : 60; /* a deadline must not win against a cap on a busy machine */
    host_start(&h, boot, json_pack("{s:s, s:i, s:f}", "text", text.data, "memory", MEMORY, "seconds", seconds));
    converse(&h, killed ? 1000 : HOST_WAIT_MS, &v);
    int code = host_end_within(&h, killed ? 0 : HOST_WAIT_MS);
    bool ok = as_expected(expect, &v, code);
    if (!ok) {
        print_error("%s\n  expected %s\n  code %d, %s %s %s%s\n", name, expect, code, v.verb, v.kind, v.message,
                    v.canaries ? "" : ", canaries dead or not asked");
    }
    rb_buf_deinit(&text);
    return ok;
}

static void test_corpus(void **state)
{
    (void)state;
    char path[1024], folder[] = "/tmp/runbook-hostile-XXXXXX";
    corpus_path(path, sizeof path, "");
    assert_non_null(mkdtemp(folder)); /* a file that a runbook manages to make would be here */
    assert_int_equal(chdir(folder), 0);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = 0, wrong = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            count++;
            wrong += !run_file(e->d_name);
            assert_int_equal(count_entries("."), 0);
        }
    }
    (void)closedir(dir);
    (void)rmdir(folder);
    assert_int_equal(wrong, 0);
    assert_int_equal(count, COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
