/* Load errors: every kind of mistake is named with its line and the likely word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "runner/language.h"

#define FILE_ "t/x.lua"
#define HEAD "{'block':'runbook','id':'t/x','file':'t/x.lua','line':1,'fields':{'title':'T','severity':'P1'}}"
#define FINDING "{'block':'finding','id':'idle','file':'t/x.lua','line':3,'fields':{'title':'idle','advice':'wait'}}"
#define FN "{'$fn':9}"

/* Blocks with ' for ". */
static json_t *blocks(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_error_t error;
    json_t *value = json_loads(copy, 0, &error);
    if (!value) {
        fail_msg("test data: %s at %d", error.text, error.position);
    }
    free(copy);
    return value;
}

static json_t *check(const char *text, const char *source)
{
    json_t *declared = blocks(text), *sources = json_pack("{s:s}", FILE_, source ? source : "");
    json_t *problems = rb_language_check(declared, sources);
    json_decref(declared);
    json_decref(sources);
    return problems;
}

/* Exactly one problem: its line, level, and words in its text. */
static void mistake_at(const char *text, const char *source, int line, const char *level, const char *words)
{
    json_t *problems = check(text, source);
    if (json_array_size(problems) != 1) {
        char *all = json_dumps(problems, JSON_INDENT(1));
        fail_msg("wanted one problem \"%s\", got %s", words, all);
    }
    json_t *problem = json_array_get(problems, 0);
    assert_string_equal(rb_json_str(problem, "file", ""), FILE_);
    assert_string_equal(rb_json_str(problem, "level", ""), level);
    if (!strstr(rb_json_str(problem, "text", ""), words)) {
        fail_msg("\"%s\" does not say \"%s\"", rb_json_str(problem, "text", ""), words);
    }
    assert_int_equal(rb_json_int(problem, "line", 0), line);
    json_decref(problems);
}

static void mistake(const char *block, const char *level, const char *words)
{
    char text[4096];
    snprintf(text, sizeof text, "[" HEAD "," FINDING ",%s]", block);
    mistake_at(text, NULL, 20, level, words);
}

#define BLOCK(kind, id, fields) "{'block':'" kind "','id':'" id "','file':'t/x.lua','line':20,'fields':" fields "}"
#define FIX(fields) BLOCK("fix", "stop", "{'when':'idle','run':" FN ",'title':'t'," fields "}")

static void test_a_good_file_has_no_problems(void **state)
{
    (void)state;
    json_t *problems = check(
        "[" HEAD "," FINDING "," FIX("'risk':'high','no_undo':{'zh':'不能','en':'never'},'within':'5s'") "," BLOCK(
            "check", "look",
            "{'title':{'zh':'看','en':'look'},'run':" FN
            ",'when':'idle','timeout':5}") "," BLOCK("drill", "d",
                                                     "{'inject':" FN ",'expect':['idle'],'repair':'stop=4711'"
                                                     "}") "," BLOCK("param", "wait",
                                                                    "{'type':'duration','"
                                                                    "default':'2s','min':'1s'"
                                                                    "}") "]",
        NULL);
    assert_int_equal(json_array_size(problems), 0);
    json_decref(problems);
}

static void test_unknown_field_at_its_own_line(void **state)
{
    (void)state;
    const char *source = "runbook \"t/x\" { title = \"T\",\n  severity = \"P1\" }\nfinding \"idle\" { title "
                         "= \"idle\", advice = \"a\" }\n"
                         "fix \"stop\" {\n"
                         "  when = \"idle\", -- rsik = \"high\" is not here\n"
                         "  title = [[ rsik = ]],\n"
                         "  run = function(p, f)\n    local rsik = 1\n    rsik = 2\n    if x then rsik = { "
                         "rsik = 3 } end\n  end,\n"
                         "  confirm = \"rsik = \\\" {\",\n"
                         "  rsik = \"low\", risk = \"low\",\n}\n";
    mistake_at("[" HEAD "," FINDING
               ",{'block':'fix','id':'stop','file':'t/x.lua','line':4,'fields':{'when':'idle','title':'t','run':" FN
               ",'confirm':'c','rsik':'low','risk':'low'}}]",
               source, 13, "error", "fix \"stop\": unknown field 'rsik', did you mean 'risk'?");
    /* the second of two blocks that begin on one line */
    mistake_at("[" HEAD "," FINDING
               ",{'block':'check','id':'a','file':'t/x.lua','line':1,'fields':{'title':'t','run':" FN "}},"
               "{'block':'check','id':'b','file':'t/x.lua','line':1,'fields':{'title':'t','run':" FN ",'wehn':1}}]",
               "check \"a\" { title = 1, wehn = 2, } check \"b\" {\n\n  wehn = 1 }\n", 3, "error",
               "'wehn', did you mean 'when'?");
    mistake(BLOCK("check", "c", "{'title':'t','run':" FN ",'zzzzzz':1}"), "error",
            "check \"c\": unknown field 'zzzzzz'");
    mistake(BLOCK("check", "c", "{'title':'t','run':" FN ",'1':" FN "}"), "error", "every value needs a field's name");
}

static void test_severity_and_risk_words(void **state)
{
    (void)state;
    mistake_at("[{'block':'runbook','id':'t/x','file':'t/"
               "x.lua','line':1,'fields':{'title':'T','severity':'critical'}}]",
               "runbook \"t/x\" {\n title = \"T\",\n severity = \"critical\" }", 3, "error",
               "runbook: severity must be P0..P4, got \"critical\"");
    mistake(FIX("'risk':'hgih'"), "error", "risk must be low, medium, high or critical, got \"hgih\"");
    mistake(BLOCK("finding", "f2", "{'title':'t','advice':'a','severity':'P5'}"), "error", "P0..P4");
}

static void test_required_fields(void **state)
{
    (void)state;
    mistake_at("[{'block':'runbook','id':'t/x','file':'t/x.lua','line':1,'fields':{'severity':'P1'}}]", NULL, 1,
               "error", "runbook: title is missing");
    mistake(BLOCK("check", "c", "{'title':'t'}"), "error", "check \"c\": run is missing");
    mistake(BLOCK("fix", "f", "{'run':" FN ",'when':'idle','risk':'low'}"), "error", "title is missing; with run");
    mistake(BLOCK("fix", "f", "{'run':" FN ",'when':'idle','title':'t'}"), "error", "risk is missing; with run");
    mistake(BLOCK("fix", "f", "{'by_hand':'do it'}"), "error", "when is missing");
    mistake(BLOCK("fix", "f", "{'when':'idle','title':'t'}"), "error", "one of run, by_hand and call");
    mistake(BLOCK("step", "s", "{'title':'t'}"), "error", "one of run, by_hand, call and asks");
    mistake(BLOCK("step", "s", "{'by_hand':'t'}"), "error", "title is missing");
    mistake(BLOCK("prevent", "p", "{'title':'t'}"), "error", "one of run and by_hand");
    mistake(BLOCK("drill", "d", "{'inject':" FN "}"), "error", "expect is missing");
    mistake(BLOCK("drill", "d", "{'expect':[]}"), "error", "inject is missing");
}

static void test_wrong_types(void **state)
{
    (void)state;
    mistake(BLOCK("check", "c", "{'title':'t','run':'ls'}"), "error", "run must be function(…) … end, got \"ls\"");
    mistake(BLOCK("check", "c", "{'title':'t','run':" FN ",'timeout':'soon'}"), "error",
            "timeout must be a duration such as");
    mistake(BLOCK("check", "c", "{'title':7,'run':" FN "}"), "error", "title must be a text or { zh");
    mistake(BLOCK("finding", "f", "{'title':'t','advice':'a','blocks':'yes'}"), "error",
            "blocks must be true or false");
    mistake(BLOCK("drill", "d", "{'inject':" FN ",'expect':[],'result':'fine'}"), "error", "one of healthy, found");
    mistake(BLOCK("check", "c", "{'title':{'zh':'看'},'run':" FN "}"), "error", "title has no en text");
    mistake(BLOCK("check", "c", "{'title':{'en':'look'},'run':" FN "}"), "error", "title has no zh text");
    mistake_at("[{'block':'runbook','id':'t/x','file':'t/"
               "x.lua','line':1,'fields':{'title':'T','severity':'P1','reviewed':'June'}}]",
               NULL, 1, "error", "a date such as");
}

static void test_names(void **state)
{
    (void)state;
    mistake(BLOCK("check", "Look_here", "{'title':'t','run':" FN "}"), "error", "small letters, digits and '-'");
    mistake(BLOCK("param", "back-up", "{'type':'path'}"), "error", "small letters, digits and '_'");
    mistake("{'block':'check','id':null,'file':'t/x.lua','line':20,'fields':{'title':'t','run':" FN "}}", "error",
            "needs a name");
    mistake(BLOCK("finding", "asked", "{'title':'t','advice':'a'}"), "error", "meaning of its own");
    mistake(BLOCK("runbook", "t/x", "{'title':'t','severity':'P1'}"), "error", "one runbook; the first is at line 1");
}

static void test_references(void **state)
{
    (void)state;
    mistake(BLOCK("fix", "f", "{'when':'idel','run':" FN ",'title':'t','risk':'low'}"), "error",
            "fix \"f\": when: no finding \"idel\", did you mean \"idle\"?");
    mistake(BLOCK("fix", "f", "{'when':['idle','zzzzz'],'run':" FN ",'title':'t','risk':'low'}"), "error",
            "no finding \"zzzzz\"");
    mistake(BLOCK("check", "c", "{'title':'t','run':" FN ",'when':'idl'}"), "error", "did you mean \"idle\"?");
    mistake(BLOCK("finding", "f", "{'title':'t','advice':'a','explains':'ilde'}"), "error", "did you mean \"idle\"?");
    mistake(BLOCK("finding", "f", "{'title':'t','advice':'a','explains':'f'}"), "error", "leads back to itself");
    mistake(BLOCK("drill", "d", "{'inject':" FN ",'expect':['idel']}"), "error", "expect: no finding \"idel\"");
    mistake(BLOCK("drill", "d", "{'inject':" FN ",'expect':['idle'],'repair':'stpo'}"), "error",
            "repair: no fix \"stpo\"");
    mistake(BLOCK("drill", "d", "{'inject':" FN ",'expect':['idle'],'fails_at':'lokk'}"), "error",
            "fails_at: no check/fix/step");
    mistake(BLOCK("step", "s", "{'by_hand':'b','title':'t','when':'idel'}"), "error", "did you mean \"idle\"?");
}

static void test_twice(void **state)
{
    (void)state;
    mistake(BLOCK("finding", "idle", "{'title':'t','advice':'a'}"), "error", "taken by finding \"idle\" at t/x.lua:3");
    char text[2048];
    snprintf(text, sizeof text, "[" HEAD "," FINDING ",%s,%s]",
             "{'block':'check','id':'stop','file':'t/x.lua','line':5,'fields':{'title':'t','run':" FN "}}",
             FIX("'risk':'low'"));
    mistake_at(text, NULL, 20, "error", "taken by check \"stop\" at t/x.lua:5");
    snprintf(text, sizeof text, "[" HEAD "," FINDING ",%s,%s]",
             "{'block':'fix','id':'a','file':'t/x.lua','line':5,'fields':{'when':'idle','by_hand':'b'}}",
             BLOCK("step", "b", "{'title':'t','by_hand':'b'}"));
    mistake_at(text, NULL, 20, "error", "fixes or steps, never both; the fix \"a\" is at line 5");
}

static void test_risk_rules(void **state)
{
    (void)state;
    mistake(FIX("'risk':'medium'"), "error", "risk is medium, so say how to undo it");
    mistake(FIX("'risk':'high','undo':" FN ",'no_undo':'x'"), "error", "contradict");
    mistake(BLOCK("step", "s", "{'run':" FN ",'title':'t','risk':'high','undo':" FN "}"), "error", "a step needs key");
    mistake(BLOCK("fix", "f", "{'when':'asked','run':" FN ",'title':'t','risk':'high','undo':" FN "}"), "error",
            "no evidence");
    mistake(FIX("'risk':'low','with':{'a':1}"), "error", "with belongs to call");
    mistake(BLOCK("fix", "f", "{'when':'idle','call':'t/y','run':" FN ",'risk':'low','title':'t'}"), "error",
            "call stands alone");
}

static void test_warnings(void **state)
{
    (void)state;
    mistake(BLOCK("finding", "lost", "{'title':'t'}"), "warning", "leads nowhere");
    mistake(BLOCK("schedule", "s", "{'cron':'@daily','tz':'Asia/Shangai'}"), "warning", "will not fire here");
    mistake(BLOCK("fix", "f", "{'when':'idle','call':'t/y','with':{'a':1}}"), "warning", "not available yet");
    mistake_at("[{'block':'runbook','id':'t/x','file':'t/"
               "x.lua','line':1,'fields':{'title':'T','severity':'P1','reviewed':'2001-01-01'}}]",
               "runbook \"t/x\" {\nreviewed = 1 }", 2, "warning", "last reviewed");
    mistake_at("[{'block':'runbook','id':'u/y','file':'t/x.lua','line':1,'fields':{'title':'T','severity':'P1'}}]",
               NULL, 1, "warning", "not the file's path");
}

static void test_schedules(void **state)
{
    (void)state;
    json_t *problems = check("[" HEAD "," BLOCK("schedule", "s", "{'cron':'61 *','every':'1m'}") "]", NULL);
    assert_int_equal(json_array_size(problems), 2); /* both ways, bad cron */
    json_decref(problems);
    problems = check(
        "[" HEAD "," BLOCK("schedule", "s", "{'cron':'20 3 * * mon-fri','tz':'Asia/Shanghai','mode':'fix'}") "]", NULL);
    assert_int_equal(json_array_size(problems), 0);
    json_decref(problems);
    mistake(BLOCK("schedule", "s", "{'cron':'0 25 * * *'}"), "error", "field 2 (hour)");
    mistake(BLOCK("schedule", "s", "{'cron':'0 0 30 2 *'}"), "error", "never comes");
}

static void test_parameters_of_a_file(void **state)
{
    (void)state;
    mistake(BLOCK("param", "a", "{}"), "error", "has no type, and no profile of its system declares it");
    mistake(BLOCK("param", "a", "{'type':'strng'}"), "error", "unknown type 'strng', did you mean 'string'?");
    mistake(BLOCK("param", "a", "{'type':'duration','default':'soon'}"), "error", "expected a duration");
    mistake(BLOCK("param", "a", "{'type':'enum'}"), "error", "needs choices");
    mistake(BLOCK("param", "a", "{'type':'string','min':3}"), "error", "min has no meaning for type string");
    mistake(BLOCK("param", "a", "{'type':'string','pattern':'('}"), "error", "no regular expression");
    mistake(BLOCK("param", "a", "{'type':'string','pattern':'((a{200}){200}){200}'}"), "error", "too large");
    mistake(BLOCK("param", "dir", "{'type':'path','default':'{dri}/x'}"), "error", "{dri}");
    mistake(BLOCK("param", "dir", "{'type':'path','default':'{dir}/x'}"), "error", "circle: dir -> dir");
}

static void test_a_file_that_does_not_load(void **state)
{
    (void)state;
    mistake_at("{'n':0,'blocks':[],'error':{'file':'t/x.lua','line':7,'message':'unexpected symbol'}}", NULL, 7,
               "error", "unexpected symbol");
    mistake_at("[]", NULL, 1, "error", "no runbook block");
}

static void test_roles_and_order(void **state)
{
    (void)state;
    json_t *declared =
        blocks("[{'block':'fix','id':'f','file':'t/x.drills.lua','line':2,'fields':{'when':'asked','by_hand':'b'}},"
               "{'block':'check','id':'c','file':'profiles/t.lua','line':9,'fields':{'title':'t','run':" FN "}},"
               "{'block':'runbook','id':'t/x','file':'t/"
               "x.lua','line':5,'fields':{'titel':'T','title':'T','severity':'P1'}}]");
    json_t *sources = json_pack("{s:s, s:s, s:s}", "profiles/t.lua", "", FILE_, "", "t/x.drills.lua", "");
    json_t *problems = rb_language_check(declared, sources);
    assert_int_equal(json_array_size(problems), 3);
    assert_string_equal(rb_json_str(json_array_get(problems, 0), "file", ""), "profiles/t.lua");
    assert_string_equal(rb_json_str(json_array_get(problems, 1), "file", ""), FILE_);
    assert_string_equal(rb_json_str(json_array_get(problems, 2), "file", ""), "t/x.drills.lua");
    json_decref(problems);
    json_decref(sources);
    json_decref(declared);
}

static void test_the_table_is_complete(void **state)
{
    (void)state;
    size_t blocks_seen = 0;
    for (const struct rb_block *block = rb_blocks; block->name; block++) {
        assert_true(block->en && block->zh && block->example && block->places);
        assert_ptr_equal(rb_block_find(block->name), block);
        for (const struct rb_field *field = block->fields; field->name; field++) {
            assert_true(field->type && field->en[0] && field->zh[0]);
            assert_ptr_equal(rb_field_find(block, field->name), field);
        }
        blocks_seen++;
    }
    assert_int_equal(blocks_seen, 19);
    assert_null(rb_block_find("chekc"));
}

static void test_meta_has_one_shape(void **state)
{
    (void)state;
    json_t *declared = blocks(
        "[{'block':'runbook','id':'t/x','file':'t/"
        "x.lua','line':1,'fields':{'title':'T','severity':'P1','alias':'x','checks':5}}," FINDING
        "," FIX("'risk':'low','within':'5s'") "," BLOCK(
            "check", "c",
            "{'title':'t','run':" FN
            ",'when':'idle'}") "," BLOCK("param", "b", "{'type':'int','default':1}") "," BLOCK("param", "a",
                                                                                               "{'type':'path'}") "]");
    json_t *meta = rb_language_meta("t/x", declared);
    json_t *fix = json_array_get(json_object_get(meta, "fixes"), 0),
           *one = json_array_get(json_object_get(meta, "checks"), 0);
    assert_string_equal(rb_json_str(meta, "id", ""), "t/x");
    assert_string_equal(rb_json_str(meta, "status", ""), "live");
    assert_string_equal(json_string_value(json_array_get(json_object_get(meta, "alias"), 0)), "x");
    assert_int_equal(json_array_size(json_object_get(meta, "steps")), 0);
    assert_string_equal(rb_json_str(json_array_get(json_object_get(meta, "findings"), 0), "severity", ""), "P1");
    assert_true(json_is_array(json_object_get(json_array_get(json_object_get(meta, "findings"), 0), "key")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(fix, "when"), 0)), "idle");
    assert_int_equal(json_number_value(json_object_get(fix, "within")), 5);
    assert_int_equal(json_number_value(json_object_get(fix, "timeout")), 600);
    assert_int_equal(json_number_value(json_object_get(one, "timeout")), 60);
    assert_string_equal(json_string_value(json_array_get(json_object_get(one, "when"), 0)), "idle");
    assert_int_equal(rb_json_int(json_object_get(one, "run"), "$fn", 0), 9);
    json_t *params = json_object_get(meta, "params"), *order = json_object_get(params, "order");
    assert_string_equal(json_string_value(json_array_get(order, 0)), "b");
    assert_string_equal(json_string_value(json_array_get(order, 1)), "a");
    assert_true(rb_json_bool(json_object_get(params, "a"), "required", false));
    assert_false(rb_json_bool(json_object_get(params, "b"), "required", true));
    json_decref(meta);
    json_decref(declared);
}

static void test_both_languages(void **state)
{
    (void)state;
    rb_text_lang_set(RB_LANG_ZH);
    json_t *problems = check("[" HEAD "," FINDING "," FIX("'rsik':1,'risk':'low'") "]", NULL);
    rb_text_lang_set(RB_LANG_EN);
    assert_non_null(strstr(rb_json_str(json_array_get(problems, 0), "text", ""), "没有字段“rsik”，是不是“risk”？"));
    json_decref(problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_file_has_no_problems),
        cmocka_unit_test(test_unknown_field_at_its_own_line),
        cmocka_unit_test(test_severity_and_risk_words),
        cmocka_unit_test(test_required_fields),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_risk_rules),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_parameters_of_a_file),
        cmocka_unit_test(test_a_file_that_does_not_load),
        cmocka_unit_test(test_roles_and_order),
        cmocka_unit_test(test_the_table_is_complete),
        cmocka_unit_test(test_meta_has_one_shape),
        cmocka_unit_test(test_both_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
