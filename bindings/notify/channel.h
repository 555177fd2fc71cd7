/* What a channel is: how a message looks there, how much fits, and what its answers mean. One file a kind, one table.
 */
#ifndef RB_BINDINGS_NOTIFY_CHANNEL_H
#define RB_BINDINGS_NOTIFY_CHANNEL_H

#include "notify/message.h"

/* How much of a message is kept. Tried from generous to tight until the request fits. */
struct rb_notify_fit {
    size_t text, value, facts; /* characters of the text, of each fact's value; number of facts */
};

struct rb_notify_job {
    const struct rb_notify_message *message;
    const json_t *channel; /* {"name", "kind", …}, secrets filled in */
    int64_t now_us;        /* when it is signed */
    const char *id;        /* the same in every try */
    struct rb_notify_fit fit;
};

struct rb_notify_request {
    struct rb_buf url, shown; /* shown: the same without its secrets */
    json_t *headers;          /* {name = value} */
    json_t *payload;          /* becomes the body */
    struct rb_buf body;
    char from[256]; /* of a mail: the address alone */
    json_t *to;
};

enum rb_notify_fate { RB_NOTIFY_OK, RB_NOTIFY_AGAIN, RB_NOTIFY_FINAL };

struct rb_notify_reply {
    const struct rb_err *err; /* no answer came; NULL when one did */
    long status;
    const char *body;
    size_t len;
    double retry_after; /* seconds it asked for in a header; 0 = none */
};

struct rb_notify_verdict {
    enum rb_notify_fate fate;
    double wait;       /* seconds that the other side asks for; 0 = ours to choose */
    char id[64];       /* what a later message may name as its thread */
    struct rb_err why; /* when it is not OK */
};

struct rb_notify_kind {
    const char *name;
    /* Fills url, shown, headers and payload (or, for a mail, body). Pure. */
    int (*render)(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err);
    /* After the body stands: signatures over it. May be NULL. */
    int (*sign)(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err);
    /* What the limit counts; NULL: the bytes of the body. */
    size_t (*measure)(const struct rb_notify_request *request);
    size_t limit;
    /* Of a 2xx answer; NULL: that alone is success. Others are judged in reply.c, with the help of refused. */
    void (*judge)(const struct rb_notify_reply *reply, const json_t *body, struct rb_notify_verdict *out);
    /* A transfer that failed, after the server gave a number: is it for good? May be NULL. */
    void (*fault)(const struct rb_notify_reply *reply, struct rb_notify_verdict *out);
    const char *secrets[3]; /* members of the payload that are never shown */
    double every;           /* seconds between two messages in the long run */
    int burst;              /* so many may come at once */
    bool merge;             /* what waits becomes one message */
};

extern const struct rb_notify_kind rb_notify_slack, rb_notify_telegram, rb_notify_wecom, rb_notify_dingtalk,
    rb_notify_feishu, rb_notify_pagerduty, rb_notify_webhook, rb_notify_smtp, rb_notify_console;

/* Of the channel; NULL with RB_EUSAGE naming the kinds there are. */
const struct rb_notify_kind *rb_notify_kind(const json_t *channel, struct rb_err *err);

/* The whole request, cut so that it fits. job->fit is set here. */
int rb_notify_render(const struct rb_notify_kind *kind, struct rb_notify_job *job, struct rb_notify_request *out,
                     struct rb_err *err);
void rb_notify_request_deinit(struct rb_notify_request *request);
/* {url, headers, body} or {from, to, mail} with every secret masked. New reference. */
json_t *rb_notify_shown(const struct rb_notify_kind *kind, const struct rb_notify_request *request);

void rb_notify_judge(const struct rb_notify_kind *kind, const struct rb_notify_reply *reply,
                     struct rb_notify_verdict *out);

/* ---- for renderers ---- */

/* A setting of the channel that it cannot do without, or NULL with RB_EUSAGE. */
const char *rb_notify_setting(const struct rb_notify_job *job, const char *name, struct rb_err *err);
/* url and shown: prefix + secret + rest, the secret masked in shown. */
void rb_notify_url(struct rb_notify_request *out, const char *prefix, const char *secret, const char *rest);
/* url as configured; everything behind `keep` slashes of its path and its query is masked in shown. */
void rb_notify_url_whole(struct rb_notify_request *out, const char *url, int keep);
/* The facts that fit, values cut: [["label", "value"], …]. New reference; *more is how many were left out. */
json_t *rb_notify_facts(const struct rb_notify_job *job, size_t most, size_t *more);
/* The message's time on this machine's clock, "2025-10-09 16:53". */
void rb_notify_local_time(const struct rb_notify_message *m, char out[32]);
/* "db-locked · r-7k2m9q", or ""; joined by gap. */
void rb_notify_origin(struct rb_buf *out, const struct rb_notify_message *m, const char *gap);
/* Is it bad news, good news, or neither? */
enum rb_notify_tone { RB_NOTIFY_BAD, RB_NOTIFY_GOOD, RB_NOTIFY_WAITING, RB_NOTIFY_PLAIN };
enum rb_notify_tone rb_notify_tone(const struct rb_notify_message *m);
bool rb_notify_zh(const struct rb_notify_message *m);
/* A string of the payload; new reference. */
json_t *rb_notify_string(struct rb_buf *text);

/* ---- for judges ---- */

/* Fails for good, or for now, with the platform's own words. */
void rb_notify_refuse(struct rb_notify_verdict *out, enum rb_notify_fate fate, int code, const char *words);

/* What a platform's own number means. A list ends with {0}. */
struct rb_notify_code {
    json_int_t number;
    enum rb_notify_fate fate;
    int code;
    enum rb_text_id hint; /* RB_T_none */
};
void rb_notify_by_code(const struct rb_notify_code *codes, json_int_t number, const char *words,
                       struct rb_notify_verdict *out);

#endif
