/* A link over TLS: the bytes of link.c pass through here, on the way out and on the way in. */
#include "redis/link_private.h"

#include <string.h>

#include "base/json.h"
#include "redis/command.h"

#define ROOM_MAX (8u << 20)

bool rb_redis_link_wants_tls(const struct rb_redis_link *link)
{
    const char *mode = rb_json_str(json_object_get(link->connection, "tls"), "mode", "off");
    return !rb_json_str(link->connection, "socket", "")[0] && strcmp(mode, "off") != 0;
}

static int flush(struct rb_redis_link *link)
{
    struct rb_buf wire;
    rb_buf_init(&wire, ROOM_MAX);
    rb_tls_take(link->tls, &wire);
    int rc = wire.len > 0 ? rb_redis_link_write_raw(link, rb_buf_str(&wire), wire.len) : 0;
    rb_buf_deinit(&wire);
    return rc;
}

void rb_redis_link_secure(struct rb_redis_link *link)
{
    struct rb_err err = {0};
    link->phase = SECURING;
    link->tls = rb_tls_new(json_object_get(link->connection, "tls"), rb_json_str(link->connection, "host", "127.0.0.1"),
                           link->where, &err);
    if (!link->tls) {
        rb_redis_link_fail(link, &err);
    } else if (flush(link) != 0) {
        rb_redis_link_lose(link);
    }
}

void rb_redis_link_decrypt(struct rb_redis_link *link, const char *data, size_t len)
{
    struct rb_err err = {0};
    struct rb_buf plain;
    rb_buf_init(&plain, ROOM_MAX);
    int rc = rb_tls_feed(link->tls, data, len, &plain, &err);
    (void)flush(link); /* an alert, too: what is lost by a broken connection is told by reading */
    if (rc != 0) {
        rb_redis_link_fail(link, &err);
    } else if (link->phase == SECURING && rb_tls_is_ready(link->tls)) {
        rb_redis_link_greet(link, true);
    } else if (plain.len > 0) {
        rb_redis_link_take(link, rb_buf_str(&plain), plain.len);
    }
    rb_buf_deinit(&plain);
}

int rb_redis_link_encrypt(struct rb_redis_link *link, const struct rb_buf *bytes)
{
    struct rb_err err = {0};
    int rc = rb_tls_send(link->tls, rb_buf_str(bytes), bytes->len, &err);
    return rc == 0 ? flush(link) : rc;
}
