#include "base/crash.h"

#ifdef RUNBOOK_CRASH_POINTS
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    long points, operations;
    void (*lose)(void);
} crash;

static long number_of(const char *variable)
{
    const char *text = getenv(variable);
    return text ? strtol(text, NULL, 10) : 0;
}

static void log_point(const char *name)
{
    const char *path = getenv("RUNBOOK_CRASH_LOG");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        (void)dprintf(fd, "%s\n", name);
        (void)close(fd);
    }
}

/* The newest process of that name that descends from us: "runbook-spawn", "runbook-runner", … */
static pid_t find(const char *name)
{
    pid_t found = 0;
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        char path[64], text[256], want[32];
        (void)snprintf(path, sizeof path, "/proc/%.20s/stat", entry->d_name);
        (void)snprintf(want, sizeof want, "(runbook-%.6s", name);
        int fd = isdigit((unsigned char)entry->d_name[0]) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        const char *after = strrchr(text, ')');
        int parent = 0, ours = getpid();
        if (after && strstr(text, want) && sscanf(after + 1, " %*c %d", &parent) == 1) {
            char spawner[64];
            (void)snprintf(spawner, sizeof spawner, "/proc/%d/stat", parent);
            int above = open(spawner, O_RDONLY | O_CLOEXEC);
            char its[256];
            ssize_t m = above < 0 ? -1 : read(above, its, sizeof its - 1);
            its[m > 0 ? m : 0] = '\0';
            const char *end = strrchr(its, ')');
            int grandparent = 0;
            (void)!(end && sscanf(end + 1, " %*c %d", &grandparent));
            found = parent == ours || grandparent == ours ? (pid_t)strtol(entry->d_name, NULL, 10) : found;
            (void)(above >= 0 && close(above));
        }
        (void)(fd >= 0 && close(fd));
    }
    (void)(dir && closedir(dir));
    return found;
}

static void die(void)
{
    const char *who = getenv("RUNBOOK_CRASH_WHO");
    pid_t victim = who ? find(who) : getpid();
    if (crash.lose && getenv("RUNBOOK_CRASH_LOSE")) {
        crash.lose();
    }
    if (victim > 0) {
        (void)kill(victim, SIGKILL);
    }
}

void rb_crash_point(const char *name)
{
    log_point(name);
    if (++crash.points == number_of("RUNBOOK_CRASH_AT")) {
        die();
    }
}

void rb_crash_before(void (*lose)(void))
{
    crash.lose = lose;
}

bool rb_crash_io(void)
{
    const char *text = getenv("RUNBOOK_CRASH_IO");
    long at = number_of("RUNBOOK_CRASH_IO");
    crash.operations++;
    return at > 0 && (crash.operations == at || (crash.operations > at && strchr(text, '+')));
}
#else
typedef int rb_crash_nothing; /* a translation unit must not be empty */
#endif
