/* The time of a log line, and the line as a pattern. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"
#include "file/log_time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_span spans[RB_PATTERN_GROUPS];
    struct rb_pattern *pattern;
    int64_t utc = -1;
    char *line = malloc(size + 1);
    memcpy(line, data, size);
    line[size] = '\0';
    if (rb_log_time(line, size, 1775000000, &utc)) {
        RB_REQUIRE(utc >= 0);
    }
    size_t half = size / 2;
    for (int plain = 0; plain < 2; plain++) {
        if (rb_pattern_new(&pattern, line, half, plain, NULL) == 0) {
            int n = rb_pattern_find(pattern, line + half, size - half, 0, spans, NULL);
            RB_REQUIRE(n <= 0 || (spans[0].from <= spans[0].to && spans[0].to <= size - half));
            rb_pattern_free(pattern);
        }
    }
    free(line);
    return 0;
}
