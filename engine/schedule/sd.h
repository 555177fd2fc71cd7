/* What systemd wants to hear of a service; nothing when it did not start us. */
#ifndef RB_SCHEDULE_SD_H
#define RB_SCHEDULE_SD_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "STATUS=…": to $NOTIFY_SOCKET, if there is one. */
void rb_sd_notify(const char *state);
/* How often WATCHDOG=1 is expected, in milliseconds; 0 = never. */
uint64_t rb_sd_watchdog_ms(void);

#endif
