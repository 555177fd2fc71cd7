/* What a web server says about itself, and what a runbook asks it for. The first byte says what the rest is: lines of a
 * head, lines of a certificate as libcurl gives them, a URL and a location, or a header to send. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/certificate.h"
#include "net/headers.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libcurl 7.88 loses its copy of a host name that is no international one, and nobody else can free it. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libcurl.so\n";
}

static void head(char *text)
{
    json_t *headers = json_object();
    for (char *line; (line = strsep(&text, "\n"));) {
        rb_headers_in(headers, line, strlen(line));
    }
    RB_REQUIRE(rb_headers_value(headers, "location"));
    free(json_dumps(headers, 0));
    json_decref(headers);
}

static void certificate(char *text)
{
    struct curl_slist *lines = NULL;
    for (char *line; (line = strsep(&text, "\n"));) {
        lines = curl_slist_append(lines, line);
    }
    json_t *out = rb_certificate_of(lines);
    RB_REQUIRE(json_is_array(json_object_get(out, "names")));
    json_decref(out);
    curl_slist_free_all(lines);
}

/* What was taken is taken again as the same; a location leads to the web, or nowhere. */
static void url(char *text)
{
    struct rb_url one, again, next;
    struct rb_err err = {0};
    char *location = text, *first = strsep(&location, "\n");
    if (rb_url_parse(&one, first, "http https", &err) == 0) {
        RB_REQUIRE(rb_url_parse(&again, one.text, "http https", &err) == 0 && !strcmp(one.origin, again.origin));
        RB_REQUIRE(!strpbrk(one.text, "\r\n\t") && !strchr(one.host, '@'));
        if (location && rb_url_follow(&next, &one, location, &err) == 0) {
            RB_REQUIRE(!strncmp(next.text, "http", 4) && !strpbrk(next.text, "\r\n"));
        }
        if (location) {
            rb_url_deinit(&next);
        }
        rb_url_deinit(&again);
    }
    rb_url_deinit(&one);
}

/* One header goes out as one line. */
static void header(char *text)
{
    struct curl_slist *lines = NULL;
    struct rb_err err = {0};
    char *value = text, *name = strsep(&value, "=");
    json_t *headers = json_object(), *data = rb_json_bytes(value ? value : "", value ? strlen(value) : 0);
    if (json_object_set_new(headers, name, data) == 0 && rb_headers_out(&lines, headers, &err) == 0) {
        RB_REQUIRE(!lines || (!lines->next && !strpbrk(lines->data, "\r\n")));
    }
    curl_slist_free_all(lines);
    json_decref(headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        char kind;
        void (*try)(char *text);
    } kinds[] = {{'h', head}, {'c', certificate}, {'u', url}, {'o', header}};
    char *text = rb_xcalloc(size + 1, 1);
    memcpy(text, data, size);
    for (size_t i = 0; size > 0 && i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].kind == text[0]) {
            kinds[i].try(text + 1);
        }
    }
    free(text);
    return 0;
}
