/* Parameters: a wrong value is refused in the parameter's own words; a right one has its type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "runner/language.h"

static json_t *data(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_error_t error;
    json_t *value = json_loads(copy, JSON_DECODE_ANY, &error);
    free(copy);
    if (!value) {
        fail_msg("test data: %s in %s", error.text, text);
    }
    return value;
}

static json_t *convert(const char *param, const char *given, struct rb_err *err)
{
    json_t *declared = data(param), *value = data(given);
    json_t *converted = rb_param_convert("wait", declared, value, err);
    json_decref(declared);
    json_decref(value);
    return converted;
}

static void takes(const char *param, const char *given, const char *wanted)
{
    struct rb_err err = {0};
    json_t *got = convert(param, given, &err), *want = data(wanted);
    if (!got || !json_equal(got, want)) {
        fail_msg("%s of %s: got %s %s", param, given, got ? json_dumps(got, JSON_ENCODE_ANY) : "nothing:", err.text);
    }
    json_decref(got);
    json_decref(want);
}

static void refuses(const char *param, const char *given, const char *words)
{
    struct rb_err err = {0};
    json_t *got = convert(param, given, &err);
    if (got) {
        fail_msg("%s took %s", param, given);
    }
    assert_int_equal(err.code, RB_EUSAGE);
    if (!strstr(err.text, words)) {
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    }
}

static void test_types_from_text(void **state)
{
    (void)state;
    takes("{'type':'string'}", "'a,b'", "'a,b'");
    takes("{'type':'int'}", "'-12'", "-12");
    takes("{'type':'number'}", "'0.5'", "0.5");
    takes("{'type':'bool'}", "'yes'", "true");
    takes("{'type':'bool'}", "'false'", "false");
    takes("{'type':'duration'}", "'2m'", "120");
    takes("{'type':'duration'}", "'250ms'", "0.25");
    takes("{'type':'size'}", "'64MB'", "64000000");
    takes("{'type':'size'}", "'1KiB'", "1024");
    takes("{'type':'time'}", "'1970-01-02T00:00:00Z'", "86400");
    takes("{'type':'time'}", "'1970-01-02'", "86400");
    takes("{'type':'path'}", "'/a b/c'", "'/a b/c'");
    takes("{'type':'host'}", "'[::1]'", "'[::1]'");
    takes("{'type':'url'}", "'http://127.0.0.1:3001/x?y=1'", "'http://127.0.0.1:3001/x?y=1'");
    takes("{'type':'json'}", "'[1,2]'", "[1,2]");
    takes("{'type':'list(int)'}", "'1, 2,3'", "[1,2,3]");
    takes("{'type':'list(string)'}", "''", "[]");
    takes("{'type':'list(path)'}", "['/a','/b']", "['/a','/b']");
    takes("{'type':'list(string)'}", "{}", "[]");
    takes("{'type':'enum','choices':['a',{'value':'b','text':'B'}]}", "'b'", "'b'");
    takes("{'type':'enum','choices':[1,2]}", "'2'", "2");
    takes("{'type':'int'}", "3", "3");
    takes("{'type':'int'}", "3.0", "3");
    takes("{'type':'duration'}", "2.5", "2.5");
    takes("{'type':'string','pattern':'[a-z]+'}", "'abc'", "'abc'");
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("{'type':'duration','title':{'zh':'等','en':'how long'}}", "'soon'",
            "wait (how long): expected a duration such as");
    refuses("{'type':'duration'}", "'soon'", "got \"soon\"");
    refuses("{'type':'int'}", "'12x'", "whole number");
    refuses("{'type':'int'}", "'99999999999999999999'", "whole number");
    refuses("{'type':'int'}", "1.5", "whole number");
    refuses("{'type':'number'}", "'0x10'", "a number");
    refuses("{'type':'number'}", "'1e999'", "a number");
    refuses("{'type':'bool'}", "'maybe'", "true or false");
    refuses("{'type':'path'}", "'-rf'", "not beginning with '-'");
    refuses("{'type':'path'}", "'a\\nb'", "control characters");
    refuses("{'type':'host'}", "'-oProxyCommand=x'", "host name");
    refuses("{'type':'host'}", "'a b'", "host name");
    refuses("{'type':'user'}", "'-x'", "user name");
    refuses("{'type':'url'}", "'localhost:80'", "URL");
    refuses("{'type':'size'}", "'many'", "size such as");
    refuses("{'type':'int','min':1,'max':9}", "'0'", "at least 1");
    refuses("{'type':'int','min':1,'max':9}", "'10'", "at most 9");
    refuses("{'type':'duration','min':'10s'}", "'5s'", "at least \"10s\"");
    refuses("{'type':'list(int)','max':2}", "'1,2,3'", "at most 2");
    refuses("{'type':'list(int)'}", "'1,x'", "whole number");
    refuses("{'type':'enum','choices':['a','b']}", "'c'", "expected \"a\", \"b\"");
    refuses("{'type':'string','pattern':'[a-z]+'}", "'abc1'", "matches [a-z]+");
    refuses("{'type':'string'}", "{'a':1}", "a table");
}

/* What was typed where a secret's name belongs may be the secret. */
static void test_a_secret_is_not_repeated(void **state)
{
    (void)state;
    struct rb_err err = {0};
    assert_null(convert("{'type':'secret'}", "'p4ss w0rd!'", &err));
    assert_null(strstr(err.text, "w0rd"));
    assert_non_null(strstr(err.text, "the name of a secret"));
}

#define META \
    "{'params':{'order':['db','wait','dirs'],'db':{'type':'path','title':'the database','required':true}," \
    "'wait':{'type':'duration','default':'2s','required':false},'dirs':{'type':'list(path)','default':['{" \
    "home}/a','{db}']}}," \
    "'shared':{'root':{'type':'path','default':'/srv'}},'profile':'t'," \
    "'profiles':{'t':{'like':'base','values':{'home':'{root}/t'}},'base':{'values':{'home':'/" \
    "x','db':'{home}/us.sqlite'}}}}"

static json_t *resolve(const char *meta, const char *given, struct rb_err *err)
{
    json_t *m = data(meta), *g = data(given);
    json_t *values = rb_params_resolve(m, g, err);
    json_decref(m);
    json_decref(g);
    return values;
}

static void test_given_then_profile_then_default(void **state)
{
    (void)state;
    struct rb_err err = {0};
    json_t *values = resolve(META, "{}", &err),
           *want = data("{'db':'/srv/t/us.sqlite','wait':2,'dirs':['/srv/t/a','/srv/t/us.sqlite']}");
    assert_true(json_equal(values, want));
    json_decref(values);
    json_decref(want);
    values = resolve(META, "{'db':'/tmp/{home}.db','wait':'1m'}", &err); /* what was given is no template */
    want = data("{'db':'/tmp/{home}.db','wait':60,'dirs':['/srv/t/a','/tmp/{home}.db']}");
    assert_true(json_equal(values, want));
    json_decref(values);
    json_decref(want);
}

static void test_a_lone_name_passes_the_value(void **state)
{
    (void)state;
    struct rb_err err = {0};
    json_t *values = resolve("{'params':{'order':['a','b'],'a':{'type':'list(int)','default':'{b}'},'b':{'"
                             "type':'list(int)','default':[1,2]}}}",
                             "{}", &err);
    json_t *want = data("{'a':[1,2],'b':[1,2]}");
    assert_true(json_equal(values, want));
    json_decref(values);
    json_decref(want);
}

static void test_unknown_names_and_circles(void **state)
{
    (void)state;
    struct rb_err err = {0};
    assert_null(resolve(META, "{'wiat':'1s'}", &err));
    assert_int_equal(err.code, RB_EUSAGE);
    assert_string_equal(err.text, "no parameter 'wiat', did you mean 'wait'?");
    assert_null(resolve("{'params':{'order':['a','b'],'a':{'type':'path','default':'{b}'},'b':{'type':'path',"
                        "'default':'/{a}'}}}",
                        "{}", &err));
    assert_non_null(strstr(err.text, "circle: a -> b -> a"));
    assert_null(resolve("{'params':{'order':['a'],'a':{'type':'path','default':'{hmoe}/"
                        "x'}},'profile':'t','profiles':{'t':{'values':{'home':'/x'}}}}",
                        "{}", &err));
    assert_non_null(strstr(err.text, "did you mean {home}?"));
    assert_null(resolve("{'params':{'order':['a'],'a':{'type':'path'}}}", "{'a':'-x'}", &err));
    assert_non_null(strstr(err.text, "a: expected a path"));
}

static void test_missing_ones_are_named_together(void **state)
{
    (void)state;
    struct rb_err err = {0};
    assert_null(resolve("{'params':{'order':['db','n'],'db':{'type':'path','title':{'zh':'库','en':'the "
                        "database'}},'n':{'type':'int'}}}",
                        "{}", &err));
    assert_int_equal(err.code, RB_EUSAGE);
    assert_non_null(strstr(err.text, "db (the database), n"));
    assert_non_null(strstr(err.text, "db=PATH n=10"));
}

static void test_what_may_be_absent_is_empty(void **state)
{
    (void)state;
    struct rb_err err = {0};
    json_t *values = resolve("{'params':{'order':['l','b','s'],'l':{'type':'list(int)','required':false},'b':"
                             "{'type':'bool','required':false},"
                             "'s':{'type':'string','required':false}}}",
                             "{}", &err);
    json_t *want = data("{'l':[],'b':false,'s':null}");
    assert_true(json_equal(values, want));
    json_decref(values);
    json_decref(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_from_text),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_secret_is_not_repeated),
        cmocka_unit_test(test_given_then_profile_then_default),
        cmocka_unit_test(test_a_lone_name_passes_the_value),
        cmocka_unit_test(test_unknown_names_and_circles),
        cmocka_unit_test(test_missing_ones_are_named_together),
        cmocka_unit_test(test_what_may_be_absent_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
