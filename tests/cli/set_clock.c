/* Preloaded into a service under test: its clock of the day is the machine's plus the seconds in the file
 * that $SET_CLOCK names, so that a test sets the clock of one process. As the kernel does, a timer that asked
 * for it is cancelled then. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int64_t none;
static volatile int64_t *offset = &none;
static int64_t armed;
static int timer = -1;
static bool cancelled;

__attribute__((constructor)) static void find(void)
{
    const char *path = getenv("SET_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd >= 0 ? mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    offset = at == MAP_FAILED ? &none : at;
    if (fd >= 0) {
        close(fd);
    }
}

static int arm(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    int (*real)(int, int, const struct itimerspec *, struct itimerspec *) = dlsym(RTLD_NEXT, "timerfd_settime");
    return real(fd, flags, when, old);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    real = real ? real : dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(clock, now);
    if (clock == CLOCK_REALTIME) {
        now->tv_sec += *offset;
        if (timer >= 0 && *offset != armed && !cancelled) {
            const struct itimerspec soon = {.it_value = {.tv_nsec = 1}};
            cancelled = arm(timer, 0, &soon, NULL) == 0;
        }
    }
    return rc;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    struct itimerspec real = *when;
    if (!(flags & TFD_TIMER_CANCEL_ON_SET)) {
        return arm(fd, flags, when, old);
    }
    timer = fd;
    armed = *offset;
    real.it_value.tv_sec -= armed;
    int rc = arm(fd, flags, &real, old);
    if (rc == 0 && cancelled) {
        cancelled = false;
        errno = ECANCELED;
        rc = -1;
    }
    return rc;
}

ssize_t read(int fd, void *to, size_t size)
{
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    ssize_t n = real(fd, to, size);
    if (fd == timer && cancelled) {
        cancelled = false;
        errno = ECANCELED;
        return -1;
    }
    return n;
}
