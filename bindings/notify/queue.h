/* How often a bot may speak, in one run: a bucket of turns each. */
#ifndef RB_BINDINGS_NOTIFY_QUEUE_H
#define RB_BINDINGS_NOTIFY_QUEUE_H

#include "net/net.h"
#include "notify/channel.h"

struct rb_delivery;

struct rb_bot {
    struct rb_bot *next;
    struct rb_delivery *waiting; /* for its turn; others may join it */
    int64_t busy_until_ns;       /* when all turns that were given are used up */
    char key[65];
};

/* Of the channel's address and keys. */
struct rb_bot *rb_bot_of(struct rb_net *net, const json_t *channel);
/* Nanoseconds until the next turn; 0: now. */
int64_t rb_bot_wait_ns(const struct rb_bot *bot, const struct rb_notify_kind *kind);
/* Takes it. */
void rb_bot_take(struct rb_bot *bot, const struct rb_notify_kind *kind);

#endif
