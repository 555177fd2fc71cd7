/* What is kept of runbooks: any bytes are a whole file of ours or nothing, and bytes behind a right hash have the
 * shape that lists read, or are nothing; what is printed is read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "catalog/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_shape(json_t *sets)
{
    const char *key;
    json_t *one;
    json_object_foreach(sets, key, one) {
        RB_REQUIRE(json_is_array(json_object_get(one, "problems")) && json_is_object(json_object_get(one, "meta")));
    }
    char *text = rb_cache_print(sets, "x");
    json_t *again = text ? rb_cache_parse(text, strlen(text), "x") : NULL;
    RB_REQUIRE(again && json_equal(sets, again));
    json_decref(again);
    free(text);
}

static json_t *behind_its_hash(const uint8_t *data, size_t size)
{
    char sha[RB_HEX_SIZE];
    struct rb_buf text;
    rb_buf_init(&text, size + 256);
    rb_hash_hex(data, size, sha);
    rb_buf_addf(&text, "runbook-catalogue/1 %s\n", sha);
    rb_buf_add(&text, data, size);
    json_t *sets = rb_cache_parse(rb_buf_str(&text), text.len, "x");
    rb_buf_deinit(&text);
    return sets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *plain = rb_cache_parse((const char *)data, size, "x"), *sets = behind_its_hash(data, size);
    if (sets) {
        require_shape(sets);
    }
    json_decref(plain);
    json_decref(sets);
    return 0;
}
