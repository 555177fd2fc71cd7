#include "http/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/utf8.h"
#include "bind.h"
#include "net/headers.h"

#define FRAME_ROOM (7u << 20) /* of the 8 MiB of a frame */
#define WORDS_MAX 300         /* of a body in an error */

/* "application/json; charset=utf-8", "application/problem+json" */
static bool says_json(const json_t *headers)
{
    const char *type = rb_headers_value(headers, "content-type");
    size_t len = strcspn(type, "; \t");
    return (len == 16 && !strncasecmp(type, "application/json", 16)) ||
           (len > 5 && !strncasecmp(type + len - 5, "+json", 5));
}

static void add_json(json_t *out, const struct rb_answer *answer)
{
    struct rb_err ignored = {0}; /* what does not parse is in body all the same */
    json_t *parsed = says_json(answer->headers) && !answer->cut
                         ? rb_json_parse(rb_buf_str(&answer->body), answer->body.len, &ignored)
                         : NULL;
    if (parsed) {
        json_object_set_new(out, "json", parsed);
    }
}

/* How long the text gets as JSON; body and json both carry it. */
static size_t escaped(const struct rb_buf *body)
{
    size_t len = 0;
    for (size_t i = 0; i < body->len; i++) {
        unsigned char c = (unsigned char)body->data[i];
        len += c < ' ' ? 6 : c == '"' || c == '\\' ? 2 : 1;
    }
    return len;
}

/* In eighths of a millisecond, rounded up: what JSON writes in a few digits, and never 0 for something. */
static json_t *ms(double seconds)
{
    return json_real(ceil(seconds * 8000) / 8);
}

static json_t *timing(const struct rb_answer *a)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "dns", ms(a->dns), "connect", ms(a->connect), "tls", ms(a->tls),
                     "first_byte", ms(a->first_byte), "total", ms(a->total));
}

json_t *rb_http_value(const struct rb_answer *a, const json_t *hops, int tries, struct rb_err *err)
{
    if (2 * escaped(&a->body) > FRAME_ROOM) {
        rb_err_set(err, RB_ETOO_LARGE, RB_T_http_body_large, a->url, (long long)(FRAME_ROOM / 2));
        return NULL;
    }
    json_t *out = json_pack("{s:b, s:i, s:O, s:o, s:s, s:I, s:o, s:s, s:s}", "ok", a->status >= 200 && a->status < 300,
                            "status", (int)a->status, "headers", a->headers, "body",
                            rb_json_bytes(rb_buf_str(&a->body), a->body.len), "url", a->url, "ms",
                            (json_int_t)(a->total * 1000), "timing", timing(a), "remote", a->remote, "http", a->http);
    RB_REQUIRE(out);
    add_json(out, a);
    if (a->certificate) {
        json_object_set(out, "certificate", a->certificate);
    }
    if (a->proxy) {
        json_object_set_new(out, "proxy", json_string(a->proxy));
    }
    if (a->cut) {
        json_object_set_new(out, "truncated", json_true());
    }
    if (json_array_size(hops)) {
        json_object_set(out, "hops", (json_t *)hops);
    }
    if (tries > 1) {
        json_object_set_new(out, "tries", json_integer(tries));
    }
    return out;
}

int rb_http_status_error(const char *method, const struct rb_answer *a, struct rb_err *err)
{
    char words[WORDS_MAX + 1];
    struct rb_buf clean;
    (void)snprintf(words, sizeof words, "%s", rb_buf_str(&a->body));
    rb_buf_init(&clean, WORDS_MAX * 8);
    (void)rb_utf8_clean(&clean, words, rb_bind_whole_chars(words, strlen(words)), false);
    int rc = clean.len
                 ? rb_err_set(err, RB_ESTATUS, RB_T_http_status_says, method, a->url, a->status, rb_buf_str(&clean))
                 : rb_err_set(err, RB_ESTATUS, RB_T_http_status, method, a->url, a->status);
    rb_buf_deinit(&clean);
    return rc;
}
