#include "net/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

static char *part(CURLU *url, CURLUPart which, unsigned flags)
{
    char *text = NULL, *copy;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK) {
        return NULL;
    }
    copy = rb_xstrdup(text);
    curl_free(text);
    return copy;
}

static bool is_listed(const char *word, const char *list)
{
    size_t len = word ? strlen(word) : 0;
    for (const char *at = list; len && (at = strstr(at, word)); at += len) {
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || !at[len])) {
            return true;
        }
    }
    return false;
}

static void lower(char *text)
{
    for (; *text; text++) {
        *text = (char)tolower((unsigned char)*text);
    }
}

/* [::1] -> ::1 */
static char *bare_host(char *host)
{
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    lower(host);
    return host;
}

static int take_apart(struct rb_url *out, CURLU *url, const char *schemes, struct rb_err *err)
{
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    out->text = part(url, CURLUPART_URL, CURLU_PUNYCODE);
    out->scheme = part(url, CURLUPART_SCHEME, 0);
    out->host = part(url, CURLUPART_HOST, CURLU_PUNYCODE);
    out->port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (!is_listed(out->scheme, schemes)) {
        int rc = rb_err_set(err, RB_EUSAGE, RB_T_http_url_scheme, out->scheme ? out->scheme : "", schemes);
        rb_url_deinit(out);
        return rc;
    }
    if (!out->text || !out->host || !out->host[0] || !out->port) {
        rb_url_deinit(out);
        return rb_err_set(err, RB_EUSAGE, RB_T_http_url_host);
    }
    bool v6 = strchr(bare_host(out->host), ':');
    size_t size = strlen(out->scheme) + strlen(out->host) + strlen(out->port) + 8;
    out->origin = rb_xcalloc(1, size);
    (void)snprintf(out->origin, size, "%s://%s%s%s:%s", out->scheme, v6 ? "[" : "", out->host, v6 ? "]" : "",
                   out->port);
    return 0;
}

static int set_and_take(struct rb_url *out, CURLU *url, const char *text, const char *schemes, struct rb_err *err)
{
    CURLUcode code =
        curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER | CURLU_URLENCODE | CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_USER_NOT_ALLOWED) {
        rb_err_set(err, RB_EUSAGE, RB_T_http_url_user);
        rb_err_hint(err, RB_T_http_url_user_hint);
        return RB_EUSAGE;
    }
    if (code != CURLUE_OK) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_url_bad, curl_url_strerror(code));
    }
    return take_apart(out, url, schemes, err);
}

int rb_url_parse(struct rb_url *out, const char *text, const char *schemes, struct rb_err *err)
{
    CURLU *url = curl_url();
    RB_REQUIRE(url);
    *out = (struct rb_url){0};
    int rc = strstr(text, "://") ? set_and_take(out, url, text, schemes, err)
                                 : rb_err_set(err, RB_EUSAGE, RB_T_http_url_host);
    curl_url_cleanup(url);
    return rc;
}

int rb_url_follow(struct rb_url *out, const struct rb_url *from, const char *location, struct rb_err *err)
{
    CURLU *url = curl_url();
    RB_REQUIRE(url);
    *out = (struct rb_url){0};
    curl_url_set(url, CURLUPART_URL, from->text, 0);
    int rc = set_and_take(out, url, location, "http https", err);
    curl_url_cleanup(url);
    return rc;
}

void rb_url_deinit(struct rb_url *url)
{
    free(url->text);
    free(url->scheme);
    free(url->host);
    free(url->port);
    free(url->origin);
    *url = (struct rb_url){0};
}

static int encode_bytes(struct rb_buf *out, const char *data, size_t len)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        rc = c && strchr(plain, c) ? rb_buf_add(out, &data[i], 1) : rb_buf_addf(out, "%%%02X", c);
    }
    return rc;
}

int rb_url_encode(struct rb_buf *out, const json_t *value)
{
    struct rb_buf bytes;
    int rc;
    if (json_is_integer(value)) {
        return rb_buf_addf(out, "%lld", (long long)json_integer_value(value));
    }
    if (json_is_boolean(value)) {
        return rb_buf_adds(out, json_is_true(value) ? "true" : "false");
    }
    if (json_is_real(value)) {
        char *number = rb_json_canonical(value);
        rc = encode_bytes(out, number, strlen(number));
        free(number);
        return rc;
    }
    rb_buf_init(&bytes, out->max);
    rc = rb_json_bytes_get(value, &bytes);
    rc = rc == 0 ? encode_bytes(out, rb_buf_str(&bytes), bytes.len) : rc;
    rb_buf_deinit(&bytes);
    return rc;
}

static int encode_pair(struct rb_buf *out, const char *name, const json_t *value)
{
    int rc = out->len ? rb_buf_adds(out, "&") : 0;
    rc = rc == 0 ? encode_bytes(out, name, strlen(name)) : rc;
    rc = rc == 0 ? rb_buf_adds(out, "=") : rc;
    return rc == 0 ? rb_url_encode(out, value) : rc;
}

int rb_url_encode_map(struct rb_buf *out, const json_t *map)
{
    const char *name;
    json_t *value, *one;
    size_t i;
    int rc = 0;
    json_object_foreach((json_t *)map, name, value) {
        if (!json_is_array(value)) {
            rc = encode_pair(out, name, value);
        }
        json_array_foreach(value, i, one) {
            rc = rc == 0 ? encode_pair(out, name, one) : rc;
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}
