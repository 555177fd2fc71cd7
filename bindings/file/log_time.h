/* When a line of a log was written. */
#ifndef RB_BINDINGS_FILE_LOG_TIME_H
#define RB_BINDINGS_FILE_LOG_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first time in the first 256 bytes of a line, as UTC seconds. Understood: 2026-03-08T05:30:00.123+08:00
 * and with a blank or slashes, 08/Mar/2026:05:30:00 +0000, Mar  8 05:30:00 (the year that makes it nearest to
 * now), and 10 or 13 digits of seconds or milliseconds. Without a zone it is this machine's. */
bool rb_log_time(const char *line, size_t len, int64_t now, int64_t *utc);

#endif
