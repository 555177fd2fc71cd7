/* Whatever a runner declares, the checks and the meta of it never fail in any other way than by a list
 * of problems, and a runbook without problems has values for its parameters or an error that says why not.
 * Input: JSON of run.declare, optionally a 0 byte and the source text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "runner/language.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resolve(const json_t *meta)
{
    struct rb_err err = {0};
    json_t *given = json_object();
    json_t *values = rb_params_resolve(meta, given, &err);
    RB_REQUIRE(values || (err.code && err.text[0]));
    json_decref(values);
    json_decref(given);
}

static void judge(const json_t *declared, const char *source)
{
    json_t *sources = json_pack("{s:s?}", "t/x.lua", source);
    json_t *problems = rb_language_check(declared, sources), *problem;
    json_t *meta = rb_language_meta("t/x", declared);
    size_t i;
    json_array_foreach(problems, i, problem) {
        RB_REQUIRE(rb_json_str(problem, "text", NULL) && rb_json_str(problem, "file", NULL));
    }
    RB_REQUIRE(json_is_array(problems) && json_is_object(meta));
    resolve(meta);
    json_decref(meta);
    json_decref(problems);
    json_decref(sources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t length = zero ? (size_t)(zero - data) : size;
    json_t *declared = rb_json_parse((const char *)data, length, NULL);
    if (!declared) {
        return 0;
    }
    size_t rest = zero ? size - length - 1 : 0;
    char *source = malloc(rest + 1);
    if (source) {
        memcpy(source, data + size - rest, rest);
        source[rest] = 0;
        judge(declared, source);
    }
    free(source);
    json_decref(declared);
    return 0;
}
