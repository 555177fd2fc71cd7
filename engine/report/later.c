/* What other runs did with this one afterwards: they took it back, or applied its plan. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/private.h"

struct after {
    const char *run, *field, *how; /* field of the event that names the run */
    json_t *list;
    struct rb_journal *journal;
};

static int take(const struct rb_event *e, void *user)
{
    struct after *a = user;
    if (!e->body || !strstr(e->body, a->run)) { /* most are of others */
        return 0;
    }
    json_t *body = rb_json_parse(e->body, strlen(e->body), NULL);
    if (!strcmp(rb_json_str(body, a->field, ""), a->run) && strcmp(e->run, a->run) != 0) {
        char at[RB_TIME_MAX];
        rb_clock_format(e->utc_us, 0, at);
        json_t *entry = rb_journal_run(a->journal, e->run, NULL);
        json_array_append_new(a->list, json_pack("{s:s, s:s, s:s, s:s}", "run", e->run, "how", a->how, "at", at,
                                                 "result", rb_json_str(entry, "result", "?")));
        json_decref(entry);
    }
    json_decref(body);
    return 0;
}

int story_later(json_t *story, struct rb_journal *journal, struct rb_err *err)
{
    static const struct {
        const char *kind, *field, *how;
    } ways[] = {{"undo.started", "undoes", "undo"}, {"plan.used", "made", "plan"}};
    struct after a = {.run = rb_json_str(story, "run", ""), .list = json_array()};
    int rc = 0;
    for (a.journal = journal; a.journal && rc == 0; a.journal = rb_journal_beside(a.journal)) {
        for (size_t i = 0; i < sizeof ways / sizeof *ways && rc == 0; i++) {
            a.field = ways[i].field;
            a.how = ways[i].how;
            rc = rb_journal_read_kind(a.journal, ways[i].kind, NULL, 0, take, &a, err);
        }
    }
    json_object_set_new(story, "later", a.list);
    return rc;
}
