/* Any text as the address of a connection: refused or taken apart, and never with a password in the message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "runner/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_err err = {0};
    char *text = rb_xcalloc(size + 1, 1);
    memcpy(text, data, size);
    json_t *address = rb_connection_url_parse(text, &err);
    RB_REQUIRE(address || err.code == RB_EUSAGE);
    RB_REQUIRE(!address || rb_json_str(address, "driver", "")[0]);
    json_decref(address);
    free(text);
    return 0;
}
