/* The terminal of whoever started the run: for a machine where no channel is configured. */
#include "notify/channel.h"

#include "notify/text.h"

static void add_end(struct rb_buf *text, const struct rb_notify_message *m)
{
    const json_t *link;
    size_t i;
    json_array_foreach(m->links, i, link) {
        (void)rb_buf_addf(text, "  %s: %s\n", rb_json_str(link, "label", ""), rb_json_str(link, "url", ""));
    }
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    size_t i, more;
    json_t *facts = rb_notify_facts(job, 50, &more), *fact;
    (void)err;
    (void)rb_notify_headline(&out->body, job->message);
    (void)rb_buf_adds(&out->body, "\n");
    json_array_foreach(facts, i, fact) {
        (void)rb_buf_addf(&out->body, "  %s: %s\n", json_string_value(json_array_get(fact, 0)),
                          json_string_value(json_array_get(fact, 1)));
    }
    if (*job->message->text) {
        (void)rb_notify_put(&out->body, job->message->text, NULL, job->fit.text);
        (void)rb_buf_adds(&out->body, "\n");
    }
    add_end(&out->body, job->message);
    json_decref(facts);
    return 0;
}

const struct rb_notify_kind rb_notify_console = {.name = "console", .render = render, .limit = 65536, .burst = 1000};
