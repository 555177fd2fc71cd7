/* Private to resolve.c (names and who asks for them) and resolve_loop.c (c-ares on the loop). */
#ifndef RB_BINDINGS_RESOLVE_PRIVATE_H
#define RB_BINDINGS_RESOLVE_PRIVATE_H

#include <ares.h>

#include "resolve.h"

struct rb_resolver {
    uv_loop_t *loop;
    ares_channel channel;
    uv_timer_t timer; /* of c-ares: repeats and next servers */
    struct rb_watch *watches;
    struct rb_query *queries;
    struct rb_lookup *answered; /* lookups that wait for their turn */
    int handles;
    bool closing;
};

/* The resolver goes with its last handle. */
void rb_resolver_timer_open(struct rb_resolver *r, uv_timer_t *timer, void *data);
void rb_resolver_handle_gone(struct rb_resolver *r);

int rb_resolver_channel_open(struct rb_resolver *r, const char *servers, struct rb_err *err);
/* Ends all questions: their callbacks are called. */
void rb_resolver_channel_close(struct rb_resolver *r);
/* After anything that may have changed when c-ares wants to be woken next. */
void rb_resolver_rearm(struct rb_resolver *r);

#endif
