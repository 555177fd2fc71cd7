/* Time: UTC for people, monotonic for deadlines. */
#ifndef RB_BASE_CLOCK_H
#define RB_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RB_TIME_MAX 32

int64_t rb_clock_utc_us(void);
int64_t rb_clock_mono_ns(void);
/* Processor time a process has had, this one for 0; 0 when there is none. */
int64_t rb_clock_cpu_ns(pid_t pid);
/* "2026-03-08T05:30:00.123Z"; with ms = 0 without the fraction. */
void rb_clock_format(int64_t utc_us, int ms, char out[RB_TIME_MAX]);
/* -1 when text is not of that form. */
int rb_clock_parse(const char *text, int64_t *utc_us);

/* "250ms" "5s" "2m" "3h" "7d" or a plain number of seconds. 0 or RB_EUSAGE. */
int rb_duration_parse(const char *text, double *seconds);
/* "10.2s", "4m 05s": out holds at least RB_TIME_MAX. */
void rb_duration_format(double seconds, char out[RB_TIME_MAX]);
/* "64MB" (10^6) "64MiB" (2^20) "512" bytes. 0 or RB_EUSAGE. */
int rb_size_parse(const char *text, int64_t *bytes);
void rb_size_format(int64_t bytes, char out[RB_TIME_MAX]);

#endif
