/* A zone file of any bytes is refused or answers for every instant, in spans that hold together. The first
 * byte says how: an instant and the file, or a cron expression as text. */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "when/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void zone(const uint8_t *data, size_t size, int64_t at)
{
    struct rb_zone *z = NULL;
    struct rb_span span;
    struct rb_cron cron;
    enum rb_local how;
    if (rb_zone_parse(&z, data, size, NULL) != 0) {
        return;
    }
    rb_zone_span(z, at, &span);
    RB_REQUIRE(span.start <= at && at < span.end);
    RB_REQUIRE(rb_zone_first(z, at, &how) > at - 200000);
    RB_REQUIRE(rb_cron_parse(&cron, "30 2 * * *", NULL) == 0);
    RB_REQUIRE(rb_cron_next(&cron, z, at, &how) > at);
    rb_zone_free(z);
}

static void cron(const uint8_t *data, size_t size)
{
    struct rb_err err = {0};
    struct rb_cron c;
    char text[256];
    size_t len = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, len);
    text[len] = 0;
    int rc = rb_cron_parse(&c, text, &err);
    RB_REQUIRE(rc ? err.text[0] != 0 : c.minutes && c.hours && c.days && c.months && c.weekdays);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t minutes;
    if (size >= 5 && data[0] == 'z') {
        memcpy(&minutes, data + 1, 4);
        zone(data + 5, size - 5, (int64_t)minutes * 4);
    } else if (size && data[0] == 'c') {
        cron(data + 1, size - 1);
    }
    return 0;
}
