/* What a database server sends: any kind from any bytes is a value that can be written down again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "database/value.c" /* of a module: linked into no library */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    json_t *value = rb_value_json(data[0] % (RB_VALUE_BITS + 1), (const char *)data + 1, size - 1);
    RB_REQUIRE(value);
    char *written = rb_json_canonical(value);
    RB_REQUIRE(written);
    free(written);
    json_decref(value);
    return 0;
}
