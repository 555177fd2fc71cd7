#include "net/certificate.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"

/* "Subject:CN = example.com" among the lines of one certificate; NULL without. */
static const char *line_of(const struct curl_slist *lines, const char *name)
{
    size_t len = strlen(name);
    for (; lines; lines = lines->next) {
        if (!strncmp(lines->data, name, len) && lines->data[len] == ':') {
            return lines->data + len + 1;
        }
    }
    return NULL;
}

/* "Mar  8 05:30:00 2026 GMT" */
static bool parse_time(const char *text, int64_t *utc_us)
{
    struct tm tm = {0};
    const char *end = text ? strptime(text, "%b %d %H:%M:%S %Y", &tm) : NULL;
    if (!end) {
        return false;
    }
    *utc_us = (int64_t)timegm(&tm) * 1000000;
    return true;
}

static void set_time(json_t *out, const char *key, const char *text)
{
    char formatted[RB_TIME_MAX];
    int64_t utc_us;
    if (parse_time(text, &utc_us)) {
        rb_clock_format(utc_us, 0, formatted);
        json_object_set_new(out, key, json_string(formatted));
    }
}

/* "DNS:a.example, IP Address:127.0.0.1" */
static json_t *names_of(const char *text)
{
    json_t *names = json_array();
    while (text && *text) {
        size_t len = strcspn(text, ",");
        const char *value = memchr(text, ':', len);
        if (value) {
            json_array_append_new(names, rb_json_bytes(value + 1, len - (size_t)(value + 1 - text)));
        }
        text += len;
        text += strspn(text, ", ");
    }
    return names;
}

static json_t *bytes_of(const char *text)
{
    return text ? rb_json_bytes(text, strlen(text)) : json_string("");
}

json_t *rb_certificate_of(const struct curl_slist *lines)
{
    int64_t expires;
    json_t *out = json_pack("{s:o, s:o, s:o}", "subject", bytes_of(line_of(lines, "Subject")), "issuer",
                            bytes_of(line_of(lines, "Issuer")), "names",
                            names_of(line_of(lines, "X509v3 Subject Alternative Name")));
    set_time(out, "starts_at", line_of(lines, "Start date"));
    set_time(out, "expires_at", line_of(lines, "Expire date"));
    if (parse_time(line_of(lines, "Expire date"), &expires)) {
        int64_t left = expires - rb_clock_utc_us(), day = 86400000000;
        json_object_set_new(out, "days", json_integer((left - (left < 0 ? day - 1 : 0)) / day)); /* rounded down */
    }
    return out;
}

json_t *rb_certificate(CURL *easy)
{
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain || chain->num_of_certs < 1) {
        return NULL;
    }
    return rb_certificate_of(chain->certinfo[0]);
}
