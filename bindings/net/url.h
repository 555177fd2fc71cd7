/* URLs, as libcurl reads them, and what is put into them. */
#ifndef RB_BINDINGS_NET_URL_H
#define RB_BINDINGS_NET_URL_H

#include "base/buf.h"
#include "base/json.h"

struct rb_url {
    char *text;   /* whole, without a fragment; what is asked for */
    char *scheme; /* "https", lower case */
    char *host;   /* lower case, ASCII (IDN is converted), IPv6 without [] */
    char *port;   /* always there */
    char *origin; /* "https://host:443" */
};

/* Refuses control characters, user names and passwords, and schemes that are not in the list "http https". RB_EUSAGE.
 */
int rb_url_parse(struct rb_url *out, const char *text, const char *schemes, struct rb_err *err);
/* The same for a location that is relative to another URL. */
int rb_url_follow(struct rb_url *out, const struct rb_url *from, const char *location, struct rb_err *err);
void rb_url_deinit(struct rb_url *url);

/* Appends value, a string, bytes, number or boolean, with everything but letters, digits and -._~ as %XX. RB_EUSAGE. */
int rb_url_encode(struct rb_buf *out, const json_t *value);
/* a=1&b=2 of { a = 1, b = { 2, 3 } }, encoded. RB_EUSAGE. */
int rb_url_encode_map(struct rb_buf *out, const json_t *map);

#endif
