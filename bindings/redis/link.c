#include "redis/link_private.h"

#include <stdlib.h>
#include <string.h>

#include "redis/reply.h"

#define REPLY_MAX (4u << 20)

void rb_redis_link_closed(uv_handle_t *handle)
{
    struct rb_redis_link *link = handle->data;
    link->handles--;
    if (handle == &link->io.handle) {
        link->io_open = false;
    }
    if (link->phase == CLOSING && link->handles == 0) {
        rb_redis_link_free(link);
    }
}

static void close_io(struct rb_redis_link *link)
{
    if (link->io_open && !uv_is_closing(&link->io.handle)) {
        uv_close(&link->io.handle, rb_redis_link_closed);
    }
}

void rb_redis_drop(struct rb_redis_link *link)
{
    if (link->phase == CLOSING) {
        return;
    }
    link->phase = CLOSING;
    if (link->lookup) {
        rb_lookup_cancel(link->lookup);
        link->lookup = NULL;
    }
    close_io(link);
    uv_close((uv_handle_t *)&link->timer, rb_redis_link_closed);
}

/* The end of a link that somebody has: told now if a reply is waited for, else at the next send. */
void rb_redis_link_fail(struct rb_redis_link *link, const struct rb_err *err)
{
    bool somebody_waits = link->phase != IDLE && link->phase != CLOSING;
    if (link->phase == LENT && link->waiting == 0) {
        link->gone = *err;
        close_io(link);
        return;
    }
    rb_redis_drop(link);
    if (somebody_waits) {
        link->replied(link->user, NULL, err);
    }
}

/* Nothing of the call was sent while the link was still being made. */
void rb_redis_link_fail_uv(struct rb_redis_link *link, int status)
{
    static const struct {
        int status, code;
    } codes[] = {{UV_ECONNREFUSED, RB_EREFUSED}, {UV_ENOENT, RB_EREFUSED},           {UV_EACCES, RB_EDENIED},
                 {UV_EPERM, RB_EDENIED},         {UV_EHOSTUNREACH, RB_EUNREACHABLE}, {UV_ENETUNREACH, RB_EUNREACHABLE},
                 {UV_ETIMEDOUT, RB_EUNREACHABLE}};
    struct rb_err err = {0};
    bool sent = link->phase == LENT && link->waiting > 0;
    int code = sent ? RB_ERESET : RB_EUNREACHABLE;
    if (link->phase == GREETING && link->reused) {
        rb_redis_link_connect_again(link);
        return;
    }
    for (size_t i = 0; !sent && i < sizeof codes / sizeof *codes; i++) {
        code = codes[i].status == status ? codes[i].code : code;
    }
    if (status == UV_EOF) {
        rb_err_set(&err, code, RB_T_servers_redis_closed, link->where);
    } else {
        rb_err_foreign(&err, code, "%s: %s", link->where, uv_strerror(status));
    }
    rb_redis_link_fail(link, &err);
}

/* ---- replies ---- */

static void deliver(struct rb_redis_link *link)
{
    void *reply = NULL;
    struct rb_err err = {0};
    while (link->phase != CLOSING && link->waiting > 0 && redisReaderGetReply(link->reader, &reply) == REDIS_OK &&
           reply) {
        link->waiting--;
        link->unanswered = link->reader->len - link->reader->pos;
        if (link->phase == GREETING) {
            rb_redis_link_greeted(link, reply);
        } else {
            link->replied(link->user, reply, NULL);
        }
        reply = NULL;
    }
    if (link->phase == CLOSING) {
        return;
    }
    if (link->reader->err) {
        int code = link->phase == LENT ? RB_ERESET : RB_EUNREACHABLE;
        rb_err_set(&err, code, RB_T_servers_redis_protocol, link->where, link->reader->errstr);
        rb_redis_link_fail(link, &err);
    } else if (link->unanswered > REPLY_MAX) {
        rb_err_set(&err, RB_ETOO_LARGE, RB_T_servers_redis_large, link->where, REPLY_MAX >> 20);
        rb_redis_link_fail(link, &err);
    }
}

void rb_redis_link_take(struct rb_redis_link *link, const char *data, size_t len)
{
    if (link->phase == IDLE) {
        rb_redis_drop(link); /* it speaks unasked */
        return;
    }
    link->unanswered += len;
    (void)redisReaderFeed(link->reader, data, len);
    deliver(link);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct rb_redis_link *link = handle->data;
    (void)suggested;
    buf->base = link->pool->room;
    buf->len = sizeof link->pool->room;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct rb_redis_link *link = stream->data;
    if (n < 0) {
        rb_redis_link_fail_uv(link, (int)n);
    } else if (n > 0 && link->tls) {
        rb_redis_link_decrypt(link, buf->base, (size_t)n);
    } else if (n > 0) {
        rb_redis_link_take(link, buf->base, (size_t)n);
    }
}

void rb_redis_link_read(struct rb_redis_link *link)
{
    (void)uv_read_start(&link->io.stream, give_room, on_read);
}

/* ---- sending ---- */

struct sending {
    uv_write_t req;
    char bytes[];
};

static void on_sent(uv_write_t *req, int status)
{
    (void)status; /* what went wrong is read, too */
    free(req->data);
}

/* What the socket does not take at once waits. */
int rb_redis_link_write_raw(struct rb_redis_link *link, const char *bytes, size_t len)
{
    uv_buf_t now = uv_buf_init((char *)bytes, (unsigned)len);
    int sent = uv_try_write(&link->io.stream, &now, 1);
    if (sent > 0 && (size_t)sent == len) {
        return 0;
    }
    bytes += sent > 0 ? sent : 0;
    len -= sent > 0 ? (size_t)sent : 0;
    struct sending *s = rb_xcalloc(1, sizeof *s + len);
    memcpy(s->bytes, bytes, len);
    s->req.data = s;
    uv_buf_t buf = uv_buf_init(s->bytes, (unsigned)len);
    int rc = uv_write(&s->req, &link->io.stream, &buf, 1, on_sent);
    if (rc != 0) {
        free(s);
    }
    return rc;
}

int rb_redis_link_write(struct rb_redis_link *link, const struct rb_buf *bytes)
{
    return link->tls ? rb_redis_link_encrypt(link, bytes)
                     : rb_redis_link_write_raw(link, rb_buf_str(bytes), bytes->len);
}

static void tell_gone(uv_timer_t *timer)
{
    struct rb_redis_link *link = timer->data;
    link->waiting = 1;
    rb_redis_link_fail(link, &link->gone);
}

void rb_redis_link_lose(struct rb_redis_link *link)
{
    if (!link->gone.code) {
        rb_err_set(&link->gone, RB_EUNREACHABLE, RB_T_servers_redis_closed, link->where);
    }
    uv_timer_start(&link->timer, tell_gone, 0, 0);
}

void rb_redis_send(struct rb_redis_link *link, const struct rb_buf *bytes, size_t count, rb_redis_replied *replied)
{
    link->replied = replied;
    if (link->gone.code || rb_redis_link_write(link, bytes) != 0) {
        rb_redis_link_lose(link);
    } else {
        link->waiting = count;
    }
}
