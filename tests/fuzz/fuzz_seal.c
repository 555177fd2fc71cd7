/* Any bytes as a line of the list of seals: refused, or exactly what would be written again. */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "journal/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seal seal;
    char again[SEAL_LINE_MAX];
    if (seal_parse((const char *)data, size, &seal) == 0) {
        size_t len = seal_format(&seal, again);
        RB_REQUIRE(len == size + 1 && memcmp(again, data, size) == 0);
    }
    return 0;
}
