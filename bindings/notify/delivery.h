/* A message on its way: its turn (delivery.c), the request, what the answer means, and the tries after it (attempt.c).
 * A delivery serves one call, or several whose messages came faster than the channel takes them. It ends before the
 * deadline of its calls: a message that may arrive twice is no write that is unknown. */
#ifndef RB_BINDINGS_NOTIFY_DELIVERY_H
#define RB_BINDINGS_NOTIFY_DELIVERY_H

#include <uv.h>

#include "base/hash.h"
#include "binding.h"
#include "net/transfer.h"
#include "notify/channel.h"
#include "notify/queue.h"

/* One call. */
struct rb_sender {
    struct rb_sender *next;
    struct rb_call *call;
    struct rb_delivery *delivery;
    struct rb_notify_message message;
    int64_t deadline_ns;
};

struct rb_delivery {
    uv_timer_t timer; /* its turn, the end of a try, the next try */
    const struct rb_notify_kind *kind;
    struct rb_bot *bot;
    json_t *channel;
    struct rb_sender *senders; /* at least one while it lives */
    struct rb_notify_message digest;
    struct rb_notify_request request;
    struct rb_transfer *transfer;
    struct curl_slist *to;
    size_t sent_bytes; /* of a mail */
    struct rb_err last;
    int tries, merged;
    char id[RB_ID_MAX + 4];
};

/* Joins what waits already, or waits itself, not longer than its deadline allows. The sender is the delivery's from
 * then on; on an error it stays the caller's. */
int rb_delivery_enqueue(struct rb_sender *s, const json_t *channel, const struct rb_notify_kind *kind,
                        struct rb_err *err);
/* Ends the calls whose deadline is before a point of time; INT64_MAX: all. The delivery may be gone afterwards: false.
 */
bool rb_delivery_fail_before(struct rb_delivery *d, int64_t ns, const struct rb_err *why);
/* All its calls are done, and it is gone. */
void rb_delivery_succeed(struct rb_delivery *d, const struct rb_notify_verdict *verdict);
void rb_delivery_wait(struct rb_delivery *d, int64_t ns, uv_timer_cb then);

/* attempt.c: the next try. The delivery may be gone afterwards. */
void rb_delivery_try(struct rb_delivery *d);

#endif
