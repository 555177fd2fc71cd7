/* The one inner message (docs/notify.md): whatever a runbook or the engine says, cleaned and bounded, before any
 * channel renders it. Foreign text in it stays text: control characters are made visible here, what means something to
 * a channel is escaped by its renderer. */
#ifndef RB_BINDINGS_NOTIFY_MESSAGE_H
#define RB_BINDINGS_NOTIFY_MESSAGE_H

#include <stdbool.h>

#include "base/json.h"

/* Borrowed from json. Missing texts are "". */
struct rb_notify_message {
    json_t *json; /* all of it, in the order in which a webhook gets it */
    const char *event, *level, *lang, *title, *text, *run, *target, *dedup, *at;
    const char *runbook, *runbook_title;
    const char *thread;            /* what the channel answered as id for the message this one belongs to */
    const json_t *facts;           /* [["label", "value"], …] */
    const json_t *links;           /* [{"label", "url"}, …] */
    const json_t *users, *mobiles; /* to mention: ids of the channel, telephone numbers */
    bool all;
};

/* given: a text, or an object as above; its texts may be { zh, en }. channel: its lang and mention, or NULL. now: for
 * `at`. RB_EUSAGE names what is wrong. */
int rb_notify_message_init(struct rb_notify_message *m, const json_t *given, const json_t *channel, int64_t now_us,
                           struct rb_err *err);
void rb_notify_message_deinit(struct rb_notify_message *m);
/* One message that stands for several that would come too fast. Ends in *out like init. */
int rb_notify_message_merge(struct rb_notify_message *out, const struct rb_notify_message *const *many, size_t count);

/* "[P1] title", or the title alone; appended. */
int rb_notify_headline(struct rb_buf *out, const struct rb_notify_message *m);

#endif
