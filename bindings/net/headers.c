#include "net/headers.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HEADER_MAX (64u << 10)

static bool is_name(const char *name, size_t len)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < len; i++) {
        if (!name[i] || !strchr(token, name[i])) {
            return false;
        }
    }
    return len > 0;
}

static bool is_value(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static int add_line(struct curl_slist **out, const char *name, const json_t *value, struct rb_err *err)
{
    struct rb_buf line;
    int rc;
    rb_buf_init(&line, HEADER_MAX);
    rc = rb_buf_addf(&line, "%s: ", name);
    size_t start = line.len;
    rc = rc                       ? rc
         : json_is_integer(value) ? rb_buf_addf(&line, "%lld", (long long)json_integer_value(value))
                                  : rb_json_bytes_get(value, &line);
    if (rc != 0 || !is_value(rb_buf_str(&line) + start, line.len - start)) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_http_header_value, name);
    } else if (line.len == start) {
        line.data[start - 2] = ';'; /* libcurl's way to send an empty one */
        line.data[start - 1] = '\0';
    }
    if (rc == 0) {
        *out = curl_slist_append(*out, rb_buf_str(&line));
        RB_REQUIRE(*out);
    }
    rb_buf_deinit(&line);
    return rc;
}

static int check_name(const char *name, struct rb_err *err)
{
    static const char *const framing[] = {
        "content-length", "transfer-encoding", "connection", "expect", "te", "trailer", "upgrade"};
    if (!is_name(name, strlen(name))) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_header_name, name);
    }
    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++) {
        if (!strcasecmp(name, framing[i])) {
            return rb_err_set(err, RB_EUSAGE, RB_T_http_header_framing, name);
        }
    }
    return 0;
}

int rb_headers_out(struct curl_slist **out, const json_t *headers, struct rb_err *err)
{
    const char *name;
    json_t *value, *one;
    size_t i;
    int rc = 0;
    json_object_foreach((json_t *)headers, name, value) {
        rc = check_name(name, err);
        if (rc == 0 && !json_is_array(value)) {
            rc = add_line(out, name, value, err);
        }
        json_array_foreach(value, i, one) {
            rc = rc == 0 ? add_line(out, name, one, err) : rc;
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

void rb_headers_in(json_t *headers, const char *line, size_t len)
{
    char name[256];
    const char *colon = memchr(line, ':', len);
    size_t n = colon ? (size_t)(colon - line) : 0;
    if (n == 0 || n >= sizeof name || !is_name(line, n)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        name[i] = (char)tolower((unsigned char)line[i]);
    }
    name[n] = '\0';
    const char *value = colon + 1, *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && strchr(" \t\r\n", end[-1])) { /* NUL too */
        end--;
    }
    json_t *text = rb_json_bytes(value, (size_t)(end - value)), *before = json_object_get(headers, name);
    if (!before) {
        json_object_set_new(headers, name, text);
    } else if (json_is_array(before)) {
        json_array_append_new(before, text);
    } else {
        json_object_set_new(headers, name, json_pack("[O, o]", before, text));
    }
}

const char *rb_headers_value(const json_t *headers, const char *name)
{
    const json_t *value = json_object_get(headers, name);
    value = json_is_array(value) ? json_array_get(value, 0) : value;
    return json_is_string(value) ? json_string_value(value) : "";
}
