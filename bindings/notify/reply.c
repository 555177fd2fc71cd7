/* What an answer means: done, try again, or never. */
#include "notify/channel.h"

#include <string.h>

#include "base/utf8.h"

#define WORDS_MAX 300
#define BODY_MAX 65536 /* answers of these services are short */

void rb_notify_refuse(struct rb_notify_verdict *out, enum rb_notify_fate fate, int code, const char *words)
{
    struct rb_buf clean, cut;
    rb_buf_init(&clean, 1 << 19);
    rb_buf_init(&cut, 1 << 13);
    (void)rb_utf8_clean(&clean, words, strnlen(words, BODY_MAX), false);
    (void)rb_utf8_pad(&cut, rb_buf_str(&clean), 0, WORDS_MAX);
    out->fate = fate;
    rb_err_foreign(&out->why, code, "%s", rb_buf_str(&cut));
    rb_buf_deinit(&clean);
    rb_buf_deinit(&cut);
}

void rb_notify_by_code(const struct rb_notify_code *codes, json_int_t number, const char *words,
                       struct rb_notify_verdict *out)
{
    char text[WORDS_MAX + 32];
    (void)snprintf(text, sizeof text, "%lld %.*s", (long long)number, WORDS_MAX, words);
    while (codes->number && codes->number != number) {
        codes++;
    }
    rb_notify_refuse(out, codes->number ? codes->fate : RB_NOTIFY_FINAL, codes->number ? codes->code : RB_ESTATUS,
                     text);
    if (codes->hint != RB_T_none) {
        rb_err_hint(&out->why, codes->hint);
    }
}

/* Trust and names do not get better within a minute; the rest of the network may. */
static void no_answer(const struct rb_err *err, struct rb_notify_verdict *out)
{
    static const int final[] = {RB_ETLS, RB_EUSAGE, RB_EAUTH, RB_EDENIED, RB_EMISSING, RB_ETOO_LARGE, RB_ECANCELLED};
    out->fate = RB_NOTIFY_AGAIN;
    out->why = *err;
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        if (err->code == final[i]) {
            out->fate = RB_NOTIFY_FINAL;
        }
    }
}

static int code_of_status(long status)
{
    return status == 401 || status == 403   ? RB_EAUTH
           : status == 404 || status == 410 ? RB_ENOT_FOUND
           : status == 413                  ? RB_ETOO_LARGE
           : status == 429                  ? RB_EBUSY
                                            : RB_ESTATUS;
}

static void by_status(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out)
{
    bool again = reply->status == 429 || reply->status >= 500;
    const char *words = rb_json_str(body, "description", reply->len ? reply->body : ""); /* Telegram's words */
    char text[BODY_MAX / 16];
    (void)snprintf(text, sizeof text, "HTTP %ld%s%.*s", reply->status, *words ? " " : "", (int)sizeof text - 32, words);
    rb_notify_refuse(out, again ? RB_NOTIFY_AGAIN : RB_NOTIFY_FINAL, code_of_status(reply->status), text);
    out->wait = again ? reply->retry_after : 0;
    json_int_t wait = rb_json_int(json_object_get(body, "parameters"), "retry_after", 0);
    if (again && wait > 0) {
        out->wait = (double)wait;
    }
}

void rb_notify_judge(const struct rb_notify_kind *kind, const struct rb_notify_reply *reply,
                     struct rb_notify_verdict *out)
{
    memset(out, 0, sizeof *out);
    if (reply->err) {
        no_answer(reply->err, out);
        if (kind->fault) {
            kind->fault(reply, out);
        }
        return;
    }
    json_t *body = reply->len && reply->len < BODY_MAX ? rb_json_parse(reply->body, reply->len, NULL) : NULL;
    if (reply->status < 200 || reply->status > 299) {
        by_status(reply, body, out);
    } else if (kind->judge) {
        kind->judge(reply, body, out);
    }
    json_decref(body);
}
