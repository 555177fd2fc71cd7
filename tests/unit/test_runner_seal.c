/* What runbooks see: the sealed names, order, words, limits, and how files that do not load are told. */
#include "runner_host.h"

/* Runs text as a runbook; the host gets {ok, values} or {kind, message, at}. */
#define BOOT \
    "local start = ...\n" \
    "local rt, seal, task = require 'rt', require 'seal', require 'task'\n" \
    "local wanted = { db = 'a.sqlite', list = { 'x', 'y' }, size = 5 }\n" \
    "local p = seal.view(wanted, function(name) error(\"no parameter '\" .. name .. \"'\", 3) end)\n" \
    "local env = seal.environment { p = p, check = function() end, json = { encode = rt.json_encode, " \
    "decode = rt.json_decode },\n" \
    "  null = rt.null, lib = { inner = { value = 1 }, call = setmetatable({}, { __call = function(_, x) " \
    "return x end }) } }\n" \
    "task.main(function()\n" \
    "  local chunk, problem = seal.load(start.text, '@liqpass/x.lua', env)\n" \
    "  if not chunk then task.call('t.problem', problem) return end\n" \
    "  local got = table.pack(task.protect(chunk))\n" \
    "  if got[1] then task.call('t.ok', { values = rt.array { table.unpack(got, 2, got.n) } })\n" \
    "  else task.call('t.error', { kind = got[2].kind, message = got[2].message, at = got[2].at }) end\n" \
    "end)"

static json_t *run(const char *text, size_t len, const char *lang, const char *verb)
{
    struct host h;
    host_start(&h, BOOT, json_pack("{s:o, s:s}", "text", rb_json_bytes(text, len), "lang", lang));
    json_t *call = host_recv(&h);
    assert_non_null(call);
    json_t *args = json_incref(json_object_get(call, "args"));
    if (strcmp(rb_json_str(call, "verb", ""), verb) != 0) {
        char *shown = json_dumps(args, JSON_ENCODE_ANY);
        print_error("%.200s: %s %s\n", text, rb_json_str(call, "verb", ""), shown ? shown : "");
        free(shown);
    }
    assert_string_equal(rb_json_str(call, "verb", ""), verb);
    host_ok(&h, call, json_null());
    assert_int_equal(host_end(&h), 0);
    return args;
}

static void assert_part(const char *text, const char *message, const char *part)
{
    if (!strstr(message, part)) {
        print_error("%.200s\n  says %s\n  not  %s\n", text, message, part);
    }
    assert_non_null(strstr(message, part));
}

static const char *const works[][2] = {
    /* order: by type, then value; the same in every process */
    {"local t, out = { b = 1, a = 2, [10] = 3, [2] = 4, [1.5] = 5, [true] = 6, [false] = 7 }, {}\n"
     "for k in pairs(t) do out[#out + 1] = tostring(k) end return table.concat(out, ' ')",
     "[\"1.5 2 10 a b false true\"]"},
    {"local t, k, out = { z = 1, y = 2, [3] = 3 }, nil, {} repeat k = next(t, k) out[#out + 1] = k until "
     "k == nil\n"
     "return out, next({}) == nil",
     "[[3,\"y\",\"z\"],true]"},
    {"local t, seen = { 1, 2, 3 }, 0 for k in pairs(t) do t[k + 1] = nil seen = seen + 1 end return seen", "[2]"},
    {"local t = setmetatable({}, { __pairs = function() return function(_, k) if not k then return 1, 2 "
     "end end end })\n"
     "for k, v in pairs(t) do return k, v end",
     "[1,2]"},
    {"for k, v in pairs(p) do if k == 'db' then return v, #p.list, p.list[2] end end", "[\"a.sqlite\",2,\"y\"]"},
    {"local out = {} for i, v in ipairs(p.list) do out[i] = v end return out, table.concat(p.list, '-'), "
     "table.unpack(p.list)",
     "[[\"x\",\"y\"],\"x-y\",\"x\",\"y\"]"},
    {"return p.list == p.list, json.encode(p.list), p",
     "[true,\"[\\\"x\\\",\\\"y\\\"]\",{\"db\":\"a.sqlite\",\"list\":[\"x\",\"y\"],\"size\":5}]"},
    /* words without addresses */
    {"return tostring({}), tostring(print_nothing), tostring(function() end), tostring(null), "
     "tostring(1.0), tostring(nil)",
     NULL},
    {"return tostring({}), tostring(function() end), tostring(null), tostring(1.0), tostring(nil), "
     "type(null), type({})",
     "[\"table\",\"function\",\"null\",\"1.0\",\"nil\",\"null\",\"table\"]"},
    {"return ('%s %d %s %%p %5.1f'):format({}, 3, null, 2.5)", "[\"table 3 null %p   2.5\"]"},
    {"return tostring(setmetatable({}, { __tostring = function() return 'me' end })), "
     "string.format('%s', true)",
     "[\"me\",\"true\"]"},
    /* ordinary work */
    {"local C = {} C.__index = C function C.new(n) return setmetatable({ n = n }, C) end function "
     "C:twice() return self.n * 2 end\n"
     "return C.new(4):twice()",
     "[8]"},
    {"local t = {} table.insert(t, 2) table.insert(t, 1, 1) table.sort(t, function(a, b) return a > b "
     "end)\n"
     "return t, table.remove(t), #t, table.pack(1, 2).n, table.move({ 1, 2 }, 1, 2, 2)",
     "[[2],1,1,2,[1,1,2]]"},
    {"return ('x'):rep(3, ','), ('Abc'):upper(), ('a,b'):find(',', 1, true), #('数据库'), "
     "utf8.len('数据库')",
     "[\"x,x,x\",\"ABC\",2,9,3]"},
    {"return (''):rep(2 ^ 53), select('#', 1, 2), tonumber('0x10'), math.max(1, 2), 7 // 2, rawequal(1, "
     "1), rawlen({ 1 })",
     "[\"\",2,16,2,3,true,1]"},
    {"return lib.inner.value, lib.call(5), getmetatable(''), getmetatable(lib), getmetatable({}) == nil",
     "[1,5,false,false,true]"},
    {"local v = json.decode('{\"a\":[],\"b\":{},\"n\":9007199254740993,\"z\":null}') return "
     "json.encode(v), v.z == null",
     "[\"{\\\"a\\\":[],\\\"b\\\":{},\\\"n\\\":9007199254740993,\\\"z\\\":null}\",true]"},
    {"local v, why = json.decode('{\"a\":1,\"a\":2}') return v == nil, type(why)", "[true,\"string\"]"},
    {"local _ENV = { x = 1 } x = 2 return x", "[2]"},
    {"\xEF\xBB\xBFreturn 1", "[1]"},
    {"#!/usr/bin/env runbook\nreturn 2", "[2]"},
    {"return '，；：（）“”' --，", "[\"，；：（）“”\"]"},
};

static void test_what_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        if (!works[i][1]) { /* an unknown name, whatever is done with it */
            json_decref(run(works[i][0], strlen(works[i][0]), "en", "t.error"));
            continue;
        }
        json_t *args = run(works[i][0], strlen(works[i][0]), "en", "t.ok");
        json_t *wanted = json_loads(works[i][1], JSON_DECODE_ANY, NULL), *got = json_object_get(args, "values");
        char *shown = json_dumps(got, JSON_ENCODE_ANY);
        if (!wanted || !json_equal(got, wanted)) {
            print_error("%s\n  gives %s\n  not   %s\n", works[i][0], shown, works[i][1]);
        }
        assert_true(wanted && json_equal(got, wanted));
        free(shown);
        json_decref(wanted);
        json_decref(args);
    }
}

/* Each ends in an error with these words at line 2. */
static void test_what_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\nchekc()", "unknown name 'chekc', did you mean 'check'?"},
        {"\nlocal x = nonsense_name", "unknown name 'nonsense_name'"},
        {"\nhelper = 1", "global 'helper' is not allowed, write 'local helper = …'"},
        {"\nfunction helper() end", "global 'helper' is not allowed"},
        {"\nreturn p.dbb", "no parameter 'dbb'"},
        {"\np.db = 1", "'db' cannot be set: this table is read-only"},
        {"\np.list[1] = 1", "read-only"},
        {"\ntable.insert(p.list, 1)", "read-only"},
        {"\nstring.upper = nil", "read-only"},
        {"\nlib.inner.value = 2", "read-only"},
        {"\nreturn null.x", "attempt to index a null value"},
        {"\nlocal rows = {} return rows[1].age > 3", "attempt to index a nil value (field '"},
        {"\nreturn 1 < 'x'", "attempt to compare number with string"},
        {"\nerror('in words')", "in words"},
        {"\nerror({ kind = 'skip' })", "table"},
        {"\nassert(1 == 2, 'committed rows are lost')", "committed rows are lost"},
        {"\nassert(nil)", "assertion failed!"},
        {"\nfor k in pairs({ [{}] = 1 }) do end", "a table with a table as key has no fixed order"},
        {"\nnext({ [function() end] = 1 })", "a table with a function as key"},
        {"\npairs(nil)", "pairs needs a table, got nil"},
        {"\npairs(null)", "pairs needs a table, got null"},
        {"\nlocal s = ('x'):rep(1e9)", "exceed the limit"},
        {"\nlocal s = string.rep('x', math.maxinteger, ',')", "exceed the limit"},
        {"\ntable.move({}, 1, math.maxinteger - 1, 2)", "limit of 1000000 elements"},
        {"\ntable.move({}, math.mininteger, math.maxinteger, 2)", "limit of 1000000 elements"},
        {"\ntable.concat({}, '', 1, 2 ^ 53)", "limit of 1000000 elements"},
        {"\ntable.unpack({}, math.mininteger, math.maxinteger)", "limit of 1000000 elements"},
        {"\ntable.insert(setmetatable({}, { __len = function() return math.maxinteger - 1 end }), 1, 0)",
         "plain lists"},
        {"\ntable.sort(setmetatable({}, { __len = function() return 1e15 end }))", "plain lists"},
        {"\nsetmetatable({}, { __gc = function() end })", "a metatable cannot have __gc"},
        {"\nsetmetatable({}, { __mode = 'k' })", "a metatable cannot have __mode"},
        {"\nsetmetatable({}, { __close = 1 })", "a metatable cannot have __close"},
        {"\nsetmetatable({}, { __metatable = 1 })", "a metatable cannot have __metatable"},
        {"\nsetmetatable(string, {})", "metatable is locked"},
        {"\nsetmetatable(_ENV, {})", "metatable is locked"},
        {"\nlocal s = ('%p'):format({})", "%p is not available"},
        {"\nlocal x <close> = {}", "variable 'x' got a non-closable value"},
        {"\ntostring()", "tostring needs a value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *args = run(cases[i][0], strlen(cases[i][0]), "en", "t.error");
        assert_string_equal(rb_json_str(args, "kind", ""), "lua");
        assert_part(cases[i][0], rb_json_str(args, "message", ""), cases[i][1]);
        if (strcmp(rb_json_str(args, "at", ""), "liqpass/x.lua:2") != 0) {
            print_error("%s: at %s\n", cases[i][0], rb_json_str(args, "at", "nowhere"));
        }
        assert_string_equal(rb_json_str(args, "at", ""), "liqpass/x.lua:2");
        json_decref(args);
    }
}

/* A tail call takes the caller off the stack; the block's own beginning is named then. */
static void test_place_of_a_tail_call(void **state)
{
    (void)state;
    json_t *args = run("\nreturn ('x'):rep(1e9)", 22, "en", "t.error");
    assert_string_equal(rb_json_str(args, "at", ""), "liqpass/x.lua:1");
    json_decref(args);
}

static void test_absent_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "pcall", "xpcall", "load",        "loadstring",      "loadfile",    "dofile",    "require", "package",
        "debug", "io",     "os",          "collectgarbage",  "coroutine",   "print",     "rawget",  "rawset",
        "warn",  "_G",     "math.random", "math.randomseed", "string.dump", "('').dump",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[64];
        bool member = strchr(names[i], '.') != NULL;
        (void)snprintf(text, sizeof text, member ? "return %s == nil" : "return %s", names[i]);
        json_t *args = run(text, strlen(text), "en", member ? "t.ok" : "t.error");
        if (member) {
            assert_true(json_is_true(json_array_get(json_object_get(args, "values"), 0)));
        } else {
            assert_part(text, rb_json_str(args, "message", ""), "unknown name");
        }
        json_decref(args);
    }
}

/* ---- files that do not load ---- */

static void assert_problem(const char *text, size_t len, const char *lang, int line, const char *part)
{
    json_t *args = run(text, len, lang, "t.problem");
    assert_string_equal(rb_json_str(args, "file", ""), "liqpass/x.lua");
    assert_part(text, rb_json_str(args, "message", ""), part);
    assert_int_equal(rb_json_int(args, "line", -1), line);
    json_decref(args);
}

static void assert_text_problem(const char *text, const char *lang, int line, const char *part)
{
    assert_problem(text, strlen(text), lang, line, part);
}

static void test_full_width_punctuation(void **state)
{
    (void)state;
    static const struct {
        const char *text, *zh, *en;
        int line;
    } cases[] = {
        {"runbook {\n  id = \"db-locked\"，\n}", "第 19 列：这里是全角「，」，Lua 需要半角 ,",
         "column 19: this is the full-width ，", 2},
        {"x = {\n  id = “db”\n}", "第 8 列：这里是全角「“」，Lua 需要半角 \"", "full-width “", 2},
        {"x = {\n  id = \"db”,\n}", "全角「”」", "full-width ”", 2},
        {"local a = 1；", "第 12 列：这里是全角「；」，Lua 需要半角 ;", "full-width ；", 1},
        {"-- 注释，“”\nlocal t = f（1）", "第 12 列：这里是全角「（」", "full-width （", 2},
        {"local s = [[，]] local n ＝ 1", "全角「＝」", "full-width ＝", 1},
        {"local s = '，' x：y()", "全角「：」", "full-width ：", 1},
        {"check ｛ ｝", "全角「｛」", "full-width ｛", 1},
        {"local\xE3\x80\x80x = 1", "全角空格", "full-width space", 1},
        {"--[==[ ， ]]\n]==] y = 1、2", "全角「、」", "full-width 、", 2},
        {"s = \"a\\\"，\" .. ‘x’", "全角「‘」", "full-width ‘", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_text_problem(cases[i].text, "zh", cases[i].line, cases[i].zh);
        assert_text_problem(cases[i].text, "en", cases[i].line, cases[i].en);
    }
}

static void test_syntax_errors(void **state)
{
    (void)state;
    assert_text_problem("x = {\n  1,\n  2\ny = 3", "en", 4, "'}' expected (to close '{' at line 1) near 'y'");
    assert_text_problem("return '\x1b[31m' x", "en", 1, "<eof> expected near 'x'");
    assert_text_problem("goto nowhere", "en", 1, "no visible label 'nowhere'");
    assert_text_problem("local x\n<const> = 1 x = \x1b", "en", 2, "x");
}

static void test_texts_that_are_no_runbook(void **state)
{
    (void)state;
    static const char bytecode[] = LUA_SIGNATURE "\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08xV";
    assert_problem(bytecode, sizeof bytecode - 1, "en", 1, "compiled Lua is refused");
    assert_problem("x\n\0", 3, "en", 2, "compiled Lua is refused");
    assert_text_problem("local x = '\xCA\xFD\xBE\xDD'", "en", 1, "save the file as UTF-8");
    assert_text_problem("\n-- \xE2\x80\xAE reversed", "en", 2, "reverses the order of text");
    assert_text_problem("\n\n-- \xE2\x81\xA6 isolate", "zh", 3, "颠倒文字顺序");
    char *large = calloc(1, (1 << 20) + 2);
    memset(large, '\n', (1 << 20) + 1);
    assert_problem(large, (1 << 20) + 1, "en", 1, "larger than 1 MB");
    memset(large + 1, ' ', (64 << 10) + 1);
    assert_problem(large, (64 << 10) + 10, "en", 2, "longer than 64 KB");
    free(large);
}

/* Nesting of any kind ends in words, never in a crash of the parser. */
static void test_deep_nesting(void **state)
{
    (void)state;
    static const char *const kinds[][2] = {
        {"(", ""},  {"{", ""},      {"f(", ""},    {"function() return ", ""}, {"- ", "1"}, {"not ", "1"},
        {"a[", ""}, {"1 .. ", "1"}, {"2 ^ ", "1"}, {"if x then ", ""},         {"do ", ""},
    };
    static const int depths[] = {190, 250, 6000};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
            struct rb_buf text;
            rb_buf_init(&text, 1 << 20);
            bool statement = strcmp(kinds[k][0], "do ") == 0 || strncmp(kinds[k][0], "if", 2) == 0;
            (void)rb_buf_adds(&text, statement ? "local x " : "local x, f, a = ");
            for (int i = 0; i < depths[d]; i++) {
                (void)rb_buf_addf(&text, "%s", kinds[k][0]);
                (void)rb_buf_adds(&text, i % 100 == 99 ? "\n" : "");
            }
            (void)rb_buf_adds(&text, kinds[k][1]);
            struct host h;
            host_start(&h, BOOT, json_pack("{s:s}", "text", rb_buf_str(&text)));
            json_t *call = host_recv(&h);
            if (!call) {
                print_error("%s x %d: the runner died: %d\n", kinds[k][0], depths[d], host_end(&h));
            }
            assert_non_null(call); /* it answers: nothing crashed */
            if (depths[d] >= 250) {
                assert_string_equal(rb_json_str(call, "verb", ""), "t.problem");
                assert_part(kinds[k][0], rb_json_str(json_object_get(call, "args"), "message", ""),
                            "nested too deeply");
            }
            host_ok(&h, call, json_null());
            assert_int_equal(host_end(&h), 0);
            rb_buf_deinit(&text);
        }
    }
}

static void test_chinese_words(void **state)
{
    (void)state;
    json_t *args = run("chekc()", 7, "zh", "t.error");
    assert_string_equal(rb_json_str(args, "message", ""), "未知的名字“chekc”，是不是“check”？");
    json_decref(args);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_works),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_place_of_a_tail_call),
        cmocka_unit_test(test_absent_names),
        cmocka_unit_test(test_full_width_punctuation),
        cmocka_unit_test(test_syntax_errors),
        cmocka_unit_test(test_texts_that_are_no_runbook),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_chinese_words),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
