#include "ws/handshake.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/hash.h"
#include "net/headers.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

void rb_ws_key(char out[32])
{
    unsigned char random[16];
    RB_REQUIRE(getrandom(random, sizeof random, 0) == (ssize_t)sizeof random);
    char *text = rb_base64(random, sizeof random);
    (void)snprintf(out, 32, "%s", text);
    free(text);
}

void rb_ws_accept(const char *key, char out[32])
{
    char text[96];
    unsigned char digest[20];
    (void)snprintf(text, sizeof text, "%.32s" GUID, key);
    rb_sha1(text, strlen(text), digest);
    char *encoded = rb_base64(digest, sizeof digest);
    (void)snprintf(out, 32, "%s", encoded);
    free(encoded);
}

static bool is_token(const char *text)
{
    for (const char *s = text; *s; s++) {
        if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s)) {
            return false;
        }
    }
    return *text;
}

static int add_protocols(struct rb_buf *out, const json_t *protocols, struct rb_err *err)
{
    const json_t *one;
    size_t i;
    json_array_foreach(protocols, i, one) {
        if (!json_is_string(one) || !is_token(json_string_value(one))) {
            return rb_err_set(err, RB_EUSAGE, RB_T_ws_protocol);
        }
        (void)rb_buf_addf(out, "%s%s", i ? ", " : "Sec-WebSocket-Protocol: ", json_string_value(one));
    }
    return json_array_size(protocols) ? rb_buf_adds(out, "\r\n") : 0;
}

int rb_ws_request(struct rb_buf *out, const char *host, const char *target, const char *key, const json_t *args,
                  struct rb_err *err)
{
    struct curl_slist *lines = NULL;
    int rc = rb_headers_out(&lines, json_object_get(args, "headers"), err);
    (void)rb_buf_addf(out, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", target,
                      host);
    (void)rb_buf_addf(out, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", key);
    rc = rc ? rc : add_protocols(out, json_object_get(args, "protocols"), err);
    for (struct curl_slist *line = lines; line && rc == 0; line = line->next) {
        size_t len = strlen(line->data);
        bool empty = len && line->data[len - 1] == ';'; /* how libcurl is told of a header without a value */
        rc = rb_buf_addf(out, "%.*s%s\r\n", (int)(empty ? len - 1 : len), line->data, empty ? ":" : "");
    }
    curl_slist_free_all(lines);
    return rc ? rc : rb_buf_adds(out, "\r\n");
}

int rb_ws_opening(struct rb_ws_opening *out, const char *head, size_t len, struct rb_err *err)
{
    const char *end = head + len;
    memset(out, 0, sizeof *out);
    if (len < 12 || strncmp(head, "HTTP/1.", 7) != 0 || head[8] != ' ') {
        return rb_err_set(err, RB_ERESET, RB_T_ws_not_http);
    }
    out->status = strtol(head + 9, NULL, 10);
    out->headers = json_object();
    for (const char *line = head; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = stop ? (size_t)(stop - line) : (size_t)(end - line);
        if (line == head) {
            (void)snprintf(out->reason, sizeof out->reason, "%.*s", (int)(n > 9 ? (n - 9 < 60 ? n - 9 : 60) : 0),
                           head + 9);
            out->reason[strcspn(out->reason, "\r")] = '\0';
        } else {
            rb_headers_in(out->headers, line, n);
        }
        line += n + 1;
    }
    out->protocol = rb_headers_value(out->headers, "sec-websocket-protocol");
    return 0;
}

static bool was_asked(const json_t *protocols, const char *protocol)
{
    const json_t *one;
    size_t i;
    json_array_foreach(protocols, i, one) {
        if (strcmp(json_string_value(one), protocol) == 0) {
            return true;
        }
    }
    return !*protocol;
}

int rb_ws_agreed(const struct rb_ws_opening *opening, const char *key, const json_t *protocols, struct rb_err *err)
{
    char accept[32];
    rb_ws_accept(key, accept);
    if (opening->status != 101) {
        rb_err_set(err, RB_ESTATUS, RB_T_ws_status, (int)opening->status);
        rb_err_hint(err, RB_T_ws_status_hint);
        return RB_ESTATUS;
    }
    bool upgraded = strcasecmp(rb_headers_value(opening->headers, "upgrade"), "websocket") == 0;
    if (!upgraded || strcmp(rb_headers_value(opening->headers, "sec-websocket-accept"), accept) != 0) {
        return rb_err_set(err, RB_ERESET, RB_T_ws_accept);
    }
    if (*rb_headers_value(opening->headers, "sec-websocket-extensions") || !was_asked(protocols, opening->protocol)) {
        return rb_err_set(err, RB_ERESET, RB_T_ws_not_asked);
    }
    return 0;
}

void rb_ws_opening_deinit(struct rb_ws_opening *opening)
{
    json_decref(opening->headers);
    memset(opening, 0, sizeof *opening);
}
