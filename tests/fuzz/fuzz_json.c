/* JSON from anywhere: what is accepted has one canonical form, and that form is accepted again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_err err = {0};
    json_t *value = rb_json_parse((const char *)data, size, &err), *again;
    char *first, *second;

    if (!value) {
        return 0;
    }
    first = rb_json_canonical(value);
    again = rb_json_parse(first, strlen(first), &err);
    second = again ? rb_json_canonical(again) : NULL;
    if (!second || strcmp(first, second) != 0) {
        abort();
    }
    free(first);
    free(second);
    json_decref(again);
    json_decref(value);
    return 0;
}
