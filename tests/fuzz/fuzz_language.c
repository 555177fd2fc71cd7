/* What a runner declares is foreign: the checks of the language, the meta and the parameters take anything. */
#include <stdint.h>

#include "base/json.h"
#include "runner/language.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_err err = {0};
    json_t *declared = rb_json_parse((const char *)data, size, &err);
    json_t *sources = json_object(), *given = json_object(), *problems, *meta, *values;

    problems = declared ? rb_language_check(declared, sources) : NULL;
    if (problems && json_array_size(problems) == 0) { /* only what passed the checks is used */
        meta = rb_language_meta("t/x", declared);
        values = rb_params_resolve(meta, given, &err);
        json_decref(values);
        json_decref(meta);
    }
    json_decref(problems);
    json_decref(given);
    json_decref(sources);
    json_decref(declared);
    return 0;
}
