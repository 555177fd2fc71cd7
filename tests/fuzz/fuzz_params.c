/* A parameter converts to a value or to an error with words, never to both or neither.
 * Input: JSON of the declaration, a 0 byte, then the value as text; or a JSON list [meta, given]. */
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "runner/language.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void convert(const json_t *param, const uint8_t *text, size_t size)
{
    struct rb_err err = {0};
    json_t *given = json_stringn((const char *)text, size);
    if (!given) {
        return; /* not UTF-8: cannot be an argument */
    }
    json_t *value = rb_param_convert("name", param, given, &err);
    RB_REQUIRE(value ? !err.code : err.code && err.text[0]);
    json_decref(value);
    json_decref(given);
}

static void resolve(const json_t *both)
{
    struct rb_err err = {0};
    json_t *value = rb_params_resolve(json_array_get(both, 0), json_array_get(both, 1), &err);
    RB_REQUIRE(value || (err.code && err.text[0]));
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t length = zero ? (size_t)(zero - data) : size;
    json_t *declared = rb_json_parse((const char *)data, length, NULL);
    if (json_is_array(declared)) {
        resolve(declared);
    } else if (declared) {
        convert(declared, zero ? zero + 1 : data, zero ? size - length - 1 : size);
    }
    json_decref(declared);
    return 0;
}
