/* A process of somebody else that is stopped, for certain. */
#ifndef RB_TESTS_BINDINGS_STOPPED_H
#define RB_TESTS_BINDINGS_STOPPED_H

#include "harness.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>

static inline bool thread_runs(pid_t pid, const char *thread)
{
    char path[PATH_MAX], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, thread);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f) {
        fclose(f);
    }
    const char *after = strrchr(text, ')');
    return after && after[2] != 'T';
}

/* SIGSTOP, and until each thread has come to rest: one on another processor may still give an answer. */
static inline void stop_process(pid_t pid)
{
    char path[64];
    bool runs = true;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    while (runs) {
        runs = false;
        snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
        DIR *threads = opendir(path);
        assert_non_null(threads);
        for (struct dirent *one; (one = readdir(threads));) {
            runs = runs || (one->d_name[0] != '.' && thread_runs(pid, one->d_name));
        }
        closedir(threads);
        (void)poll(NULL, 0, 5);
    }
}

#endif
