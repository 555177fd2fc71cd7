/* The service: due schedules as runs of this process, each in a runner of its own, until it is told to stop.
 */
#ifndef RB_SCHEDULE_SERVICE_H
#define RB_SCHEDULE_SERVICE_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"
#include "run/run.h"

struct rb_service_options {
    struct rb_engine engine;
    const char *folder;   /* of the store */
    const char *runbooks; /* --runbooks, or NULL */
    const json_t *repeat; /* argv of the program and the global flags */
    int runs;             /* at the same time; 0 = 8 */
    double keep;          /* seconds that bodies of the journal are kept; 0 = 400 days */
    double drain;         /* seconds running ones get to end in when it is stopped; 0 = 300 */
    /* What happens, one object a fact: {"t": "run.ended", "at": TIME, …} (docs/schedules.md). */
    void (*say)(void *user, const json_t *fact);
    void *user;
};

/* Serves until SIGTERM or SIGINT and then until the running ones have ended; the second signal stops those.
 * SIGHUP reads everything again. 0 when it was told to stop. */
int rb_service_run(const struct rb_service_options *options, struct rb_err *err);

#endif
