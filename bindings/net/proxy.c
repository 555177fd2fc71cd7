#include "net/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <curl/curl.h>

#include "resolve.h"

/* HTTP_PROXY is not read where a web server could have set it from a header (CGI). */
static const char *setting(const char *lower, const char *upper)
{
    const char *value = getenv(lower);
    if (!value && !(getenv("REQUEST_METHOD") && !strcmp(upper, "HTTP_PROXY"))) {
        value = getenv(upper);
    }
    return value && value[0] ? value : NULL;
}

static bool in_network(const struct rb_address *address, const char *entry, size_t len)
{
    char text[RB_ADDRESS_MAX], *bits, *end = NULL;
    struct rb_address network;
    if (len >= sizeof text) {
        return false;
    }
    memcpy(text, entry, len);
    text[len] = '\0';
    if ((bits = strchr(text, '/'))) {
        *bits++ = '\0';
    }
    if (!rb_address_parse(text, &network) || network.at.any.sa_family != address->at.any.sa_family) {
        return false;
    }
    bool v4 = network.at.any.sa_family == AF_INET;
    const unsigned char *a = v4 ? (const void *)&address->at.v4.sin_addr : (const void *)&address->at.v6.sin6_addr;
    const unsigned char *b = v4 ? (const void *)&network.at.v4.sin_addr : (const void *)&network.at.v6.sin6_addr;
    size_t want = bits ? strtoul(bits, &end, 10) : (v4 ? 32 : 128);
    if ((end && *end) || want > (v4 ? 32 : 128)) {
        return false;
    }
    return !memcmp(a, b, want / 8) && (want % 8 == 0 || (a[want / 8] ^ b[want / 8]) >> (8 - want % 8) == 0);
}

/* "example.com" and ".example.com" name the host and all below it. */
static bool is_below(const char *host, const char *entry, size_t len)
{
    size_t host_len = strlen(host);
    while (len && *entry == '.') {
        entry++;
        len--;
    }
    if (!len || host_len < len || strncasecmp(host + host_len - len, entry, len) != 0) {
        return false;
    }
    return host_len == len || host[host_len - len - 1] == '.';
}

static bool is_exempt(const char *host, const char *list)
{
    struct rb_address address;
    bool literal = rb_address_parse(host, &address);
    for (const char *at = list; at && *at;) {
        size_t len = strcspn(at, ", ");
        if ((len == 1 && *at == '*') || (literal ? in_network(&address, at, len) : is_below(host, at, len))) {
            return true;
        }
        at += len;
        at += strspn(at, ", ");
    }
    return false;
}

static bool is_here(const char *host)
{
    struct rb_address address;
    if (!rb_address_parse(host, &address)) {
        return !strcasecmp(host, "localhost") || is_below(host, "localhost", 9);
    }
    return address.at.any.sa_family == AF_INET ? (ntohl(address.at.v4.sin_addr.s_addr) >> 24) == 127
                                               : IN6_IS_ADDR_LOOPBACK(&address.at.v6.sin6_addr);
}

const char *rb_proxy_for(const struct rb_url *url)
{
    const char *proxy = !strcmp(url->scheme, "https")  ? setting("https_proxy", "HTTPS_PROXY")
                        : !strcmp(url->scheme, "http") ? setting("http_proxy", "HTTP_PROXY")
                                                       : NULL;
    if (!proxy && !strncmp(url->scheme, "http", 4)) {
        proxy = setting("all_proxy", "ALL_PROXY");
    }
    if (!proxy || is_here(url->host) || is_exempt(url->host, setting("no_proxy", "NO_PROXY"))) {
        return NULL;
    }
    return proxy;
}

int rb_proxy_parse(const char *proxy, char **host, char **port, struct rb_err *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *h = NULL, *p = NULL;
    RB_REQUIRE(url);
    bool good = curl_url_set(url, CURLUPART_URL, proxy, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_HOST, &h, 0) == CURLUE_OK &&
                (!strcmp(scheme, "http") || !strcmp(scheme, "https") || !strcmp(scheme, "socks5h"));
    if (good && curl_url_get(url, CURLUPART_PORT, &p, 0) != CURLUE_OK) {
        p = NULL;
    }
    if (good) {
        *host = rb_xstrdup(h);
        *port = rb_xstrdup(p ? p : !strcmp(scheme, "https") ? "443" : "1080"); /* libcurl's own defaults */
    }
    curl_free(scheme);
    curl_free(h);
    curl_free(p);
    curl_url_cleanup(url);
    return good ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_http_proxy_bad);
}
