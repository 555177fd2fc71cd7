/* Telling people is a run of its own: recorded, with the secrets of the channel filled in where every call's are. */
#ifndef RB_SCHEDULE_TELL_H
#define RB_SCHEDULE_TELL_H

#include "run/run.h"

struct rb_tell {
    const char *channel;
    const json_t *message; /* as notify takes it */
    const json_t *config, *actor, *repeat;
};

int rb_tell(const struct rb_engine *engine, const struct rb_tell *tell, const struct rb_run_view *view, void *user,
            struct rb_err *err);

#endif
