/* Once a day: what is older than is wanted loses its body, in the journal, or its row, in the store. */
#include "base/clock.h"
#include "journal/journal.h"
#include "schedule/service_state.h"

#define KEEP_SECONDS (400 * 86400.0)

void rb_service_keep(struct rb_service *s)
{
    struct rb_err err = {0};
    double keep = s->o.keep > 0 ? s->o.keep : KEEP_SECONDS;
    int64_t before = rb_service_now() - (int64_t)keep, events = 0;
    rb_journal_actor_set(s->o.engine.journal, s->actor);
    int rc = rb_store_prune(s->store, before, &err);
    rc = rc ? rc : rb_journal_prune(s->o.engine.journal, before * 1000000, &events, &err);
    if (rc) {
        rb_service_failed(s, &err);
    } else if (events) {
        rb_service_say(s, "journal.pruned", json_pack("{s:I}", "events", (json_int_t)events));
    }
}
