/* Wiring, and the only file that may exit. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "process/spawner.h"
#include "run/worker.h"
#include "runner/runner.h"

/* A closed 0, 1 or 2 would become the journal or a socket, and be printed on. */
static int open_standard(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR); /* not CLOEXEC: it becomes one of 0-2, or is closed below */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0) {
        return -1;
    }
    return close(fd);
}

int main(int argc, char **argv)
{
    static const struct rb_entry entries[] = {{"runner", rb_runner_main}, {"worker", rb_worker_main}};
    struct rb_spawner *sp = NULL;
    struct rb_err err = {0};
    if (open_standard() != 0) {
        exit(1);
    }
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is an error code of write, not our death */
    if (rb_spawner_fork(&sp, entries, sizeof entries / sizeof *entries, &err) != 0) {
        fprintf(stderr, "runbook: %s\n", err.text);
        exit(1);
    }
    exit(rb_cli_main(argc, argv, sp));
}
