#include "http/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <nettle/base64.h>

#include "base/clock.h"
#include "net/url.h"

#define URL_MAX (64u << 10)
#define BODY_MAX (8u << 20) /* a frame of the runner holds no more */
#define REDIRECTS_MAX 20
#define TIMES_MAX 10
#define WAIT 1.0
#define BODY_ANSWER_MAX (4 << 20)

static int add_segment(struct rb_buf *url, const json_t *segment, struct rb_err *err)
{
    size_t before = url->len;
    int rc = before && url->data[before - 1] == '/' ? 0 : rb_buf_adds(url, "/");
    size_t start = url->len;
    rc = rc ? rc : rb_url_encode(url, segment);
    const char *text = rb_buf_str(url) + start;
    if (rc != 0 || !*text || !strcmp(text, ".") || !strcmp(text, "..")) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_path); /* servers would walk on it, or skip it */
    }
    return 0;
}

static int add_path(struct rb_buf *url, const json_t *path, struct rb_err *err)
{
    const json_t *one;
    size_t i;
    int rc = 0;
    if (!path || json_is_null(path)) {
        return 0;
    }
    if (!json_is_array(path) || strpbrk(rb_buf_str(url), "?#")) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_path);
    }
    json_array_foreach(path, i, one) {
        rc = rc == 0 ? add_segment(url, one, err) : rc;
    }
    return rc;
}

static int make_url(struct rb_http_request *r, struct rb_err *err)
{
    struct rb_buf url;
    const char *base = rb_json_str(r->args, "url", ""), *fragment = strchr(base, '#');
    const json_t *query = json_object_get(r->args, "query");
    rb_buf_init(&url, URL_MAX);
    int rc = rb_buf_add(&url, base, fragment ? (size_t)(fragment - base) : strlen(base));
    rc = rc == 0 ? add_path(&url, json_object_get(r->args, "path"), err)
                 : rb_err_set(err, RB_EUSAGE, RB_T_http_url_long);
    if (rc == 0 && json_object_size(query) > 0) {
        struct rb_buf pairs;
        rb_buf_init(&pairs, URL_MAX);
        if (rb_url_encode_map(&pairs, query) != 0 ||
            rb_buf_adds(&url, strchr(rb_buf_str(&url), '?') ? "&" : "?") != 0 ||
            rb_buf_adds(&url, rb_buf_str(&pairs)) != 0) {
            rc = rb_err_set(err, RB_EUSAGE, RB_T_http_values, "query");
        }
        rb_buf_deinit(&pairs);
    }
    r->url = rb_buf_take(&url);
    return rc;
}

static bool has_header(const json_t *headers, const char *wanted)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)headers, name, value) {
        if (!strcasecmp(name, wanted)) {
            return true;
        }
    }
    return false;
}

static void default_type(struct rb_http_request *r, const char *type)
{
    if (!has_header(r->headers, "content-type")) {
        json_object_set_new(r->headers, "content-type", json_string(type));
    }
}

static int take_json(struct rb_http_request *r, const json_t *value, struct rb_err *err)
{
    char *text = rb_json_canonical(value);
    int rc = text ? rb_buf_adds(&r->body, text) : RB_EUSAGE;
    free(text);
    default_type(r, "application/json");
    return rc == 0 ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_http_values, "json");
}

static int take_form(struct rb_http_request *r, const json_t *value, struct rb_err *err)
{
    default_type(r, "application/x-www-form-urlencoded");
    return rb_url_encode_map(&r->body, value) == 0 ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_http_values, "form");
}

static int take_bytes(struct rb_http_request *r, const json_t *value, struct rb_err *err)
{
    default_type(r, "application/octet-stream");
    return rb_json_bytes_get(value, &r->body) == 0 ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_http_values, "body");
}

static int make_body(struct rb_http_request *r, struct rb_err *err)
{
    static const struct {
        const char *name;
        int (*take)(struct rb_http_request *r, const json_t *value, struct rb_err *err);
    } kinds[] = {{"json", take_json}, {"form", take_form}, {"body", take_bytes}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof *kinds; i++) {
        const json_t *value = json_object_get(r->args, kinds[i].name);
        if (value && r->has_body) {
            rc = rb_err_set(err, RB_EUSAGE, RB_T_http_one_body);
        } else if (value) {
            r->has_body = true;
            rc = kinds[i].take(r, value, err);
        }
    }
    return rc;
}

static int set_authorization(struct rb_http_request *r, const char *kind, const char *value, struct rb_err *err)
{
    struct rb_buf line;
    if (has_header(r->headers, "authorization")) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_two_logins);
    }
    rb_buf_init(&line, URL_MAX);
    int rc = rb_buf_addf(&line, "%s %s", kind, value);
    if (rc == 0) {
        json_object_set_new(r->headers, "authorization", json_string(rb_buf_str(&line)));
    }
    rb_buf_deinit(&line);
    return rc == 0 ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_http_values, kind);
}

static int set_basic(struct rb_http_request *r, const json_t *basic, struct rb_err *err)
{
    const char *user = rb_json_str(basic, "user", NULL), *password = rb_json_str(basic, "password", "");
    char plain[512], encoded[BASE64_ENCODE_RAW_LENGTH(sizeof plain) + 1] = "";
    size_t user_len = user ? strlen(user) : 0, len = user_len + 1 + strlen(password);
    if (!user || strchr(user, ':') || len >= sizeof plain) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_basic);
    }
    memcpy(plain, user, user_len);
    plain[user_len] = ':';
    memcpy(plain + user_len + 1, password, strlen(password));
    base64_encode_raw(encoded, len, (const uint8_t *)plain);
    return set_authorization(r, "Basic", encoded, err);
}

static int make_headers(struct rb_http_request *r, struct rb_err *err)
{
    const json_t *given = json_object_get(r->args, "headers"), *basic = json_object_get(r->args, "basic");
    const char *bearer = rb_json_str(r->args, "bearer", NULL);
    r->headers = json_is_object(given) ? json_copy((json_t *)given) : json_object();
    int rc = bearer ? set_authorization(r, "Bearer", bearer, err) : 0;
    return rc == 0 && basic ? set_basic(r, basic, err) : rc;
}

static double wait_of(const json_t *retry)
{
    const json_t *wait = json_object_get(retry, "wait");
    double seconds = WAIT;
    if (json_is_number(wait)) {
        return json_number_value(wait);
    }
    return json_is_string(wait) && rb_duration_parse(json_string_value(wait), &seconds) != 0 ? -1 : seconds;
}

static int read_limits(struct rb_http_request *r, struct rb_err *err)
{
    const json_t *retry = json_object_get(r->args, "retry");
    json_int_t redirects = rb_json_int(r->args, "redirects", 0), times = rb_json_int(retry, "times", 1);
    json_int_t max = rb_json_int(r->args, "max_body", 1);
    bool write = strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0 && strcmp(r->method, "OPTIONS") != 0;
    bool idempotent = !strcmp(r->method, "PUT") || !strcmp(r->method, "DELETE");
    r->redirects = (int)redirects;
    r->times = (int)times;
    r->wait = wait_of(retry);
    r->repeatable = !write || idempotent || rb_json_bool(retry, "idempotent", false);
    if (redirects < 0 || redirects > REDIRECTS_MAX) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_range, "redirects", 0, REDIRECTS_MAX);
    }
    if (times < 1 || times > TIMES_MAX || (retry && !json_object_get(retry, "times"))) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_range, "retry.times", 1, TIMES_MAX);
    }
    if (r->wait < 0 || r->wait > 3600) {
        return rb_err_set(err, RB_EUSAGE, RB_T_http_range, "retry.wait", 0, 3600);
    }
    return max >= 1 && max <= BODY_ANSWER_MAX
               ? 0
               : rb_err_set(err, RB_EUSAGE, RB_T_http_range, "max_body", 1, BODY_ANSWER_MAX);
}

int rb_http_request_init(struct rb_http_request *out, const char *method, const json_t *args, struct rb_err *err)
{
    *out = (struct rb_http_request){.method = method, .args = json_incref((json_t *)args)};
    rb_buf_init(&out->body, BODY_MAX);
    int rc = make_url(out, err);
    rc = rc == 0 ? make_headers(out, err) : rc;
    rc = rc == 0 ? make_body(out, err) : rc;
    rc = rc == 0 ? read_limits(out, err) : rc;
    if (rc != 0) {
        rb_http_request_deinit(out);
    }
    return rc;
}

void rb_http_request_deinit(struct rb_http_request *r)
{
    free(r->url);
    rb_buf_deinit(&r->body);
    json_decref(r->headers);
    json_decref(r->args);
    *r = (struct rb_http_request){0};
}

bool rb_http_request_ok(const struct rb_http_request *r, long status)
{
    const json_t *ok = json_object_get(r->args, "ok"), *one;
    size_t i;
    if (json_is_integer(ok)) {
        return json_integer_value(ok) == status;
    }
    json_array_foreach(ok, i, one) {
        if (json_integer_value(one) == status) {
            return true;
        }
    }
    return json_array_size(ok) == 0 && status >= 200 && status < 300;
}

/* An own header may be a key as well: only what is known to be none stays. */
void rb_http_request_forget(struct rb_http_request *r)
{
    static const char *const harmless[] = {"accept", "accept-language", "user-agent"};
    json_t *kept = json_object(), *value;
    const char *name;
    json_object_foreach(r->headers, name, value) {
        for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
            if (!strcasecmp(name, harmless[i])) {
                json_object_set(kept, name, value);
            }
        }
    }
    json_decref(r->headers);
    r->headers = kept;
}
