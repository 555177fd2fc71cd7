/* Frames between our own processes. */
#include "base/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

#include "base/json.h"

#define HEADER 4
#define READ_AHEAD 65536

static int add_piece(const char *piece, size_t size, void *user)
{
    return rb_buf_add(user, piece, size) ? -1 : 0;
}

static void put_length(char *at, uint32_t length)
{
    for (int i = 0; i < HEADER; i++) {
        at[i] = (char)(length >> (8 * i) & 0xff);
    }
}

static uint32_t get_length(const char *at)
{
    uint32_t length = 0;
    for (int i = 0; i < HEADER; i++) {
        length |= (uint32_t)(unsigned char)at[i] << (8 * i);
    }
    return length;
}

int rb_frame_encode(struct rb_buf *out, const json_t *value, struct rb_err *err)
{
    size_t start = out->len;
    size_t size = 0;
    int rc = rb_buf_add(out, "\0\0\0", HEADER);
    if (!rc) {
        rc = json_dump_callback(value, add_piece, out, JSON_COMPACT) ? RB_ETOO_LARGE : 0;
        size = out->len - start - HEADER;
    }
    if (!rc && size <= RB_FRAME_MAX) {
        put_length(out->data + start, (uint32_t)size);
        return 0;
    }
    if (out->data) {
        out->data[out->len = start] = '\0';
    }
    return rb_err_set(err, RB_ETOO_LARGE, RB_T_base_frame_large, RB_FRAME_MAX >> 20);
}

int rb_frame_decode(struct rb_buf *in, json_t **value, struct rb_err *err)
{
    *value = NULL;
    if (in->len < HEADER) {
        return 0;
    }
    uint32_t size = get_length(in->data);
    if (size < 2 || size > RB_FRAME_MAX) {
        return rb_err_set(err, RB_EPROTOCOL, RB_T_base_frame_length, (unsigned)size);
    }
    if (in->len - HEADER < size) {
        return 0;
    }
    struct rb_err why = {0};
    json_t *got = rb_json_parse(in->data + HEADER, size, &why);
    if (!json_is_object(got)) {
        json_decref(got);
        return rb_err_set(err, RB_EPROTOCOL, RB_T_base_frame_bad, why.text);
    }
    rb_buf_consume(in, HEADER + size);
    *value = got;
    return 1;
}

/* A descriptor somebody else made non-blocking still blocks here. */
static int wait_for(int fd, short events, struct rb_err *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    if (poll(&p, 1, -1) < 0 && errno != EINTR) {
        return rb_err_errno(err, errno, "poll");
    }
    return 0;
}

static int write_all(int fd, const char *data, size_t len, struct rb_err *err)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            int rc = wait_for(fd, POLLOUT, err);
            if (rc) {
                return rc;
            }
        } else if (n < 0 && errno != EINTR) {
            return rb_err_errno(err, errno, "write");
        }
    }
    return 0;
}

int rb_frame_write(int fd, const json_t *value, struct rb_err *err)
{
    struct rb_buf out;
    rb_buf_init(&out, RB_FRAME_MAX + HEADER);
    int rc = rb_frame_encode(&out, value, err);
    if (!rc) {
        rc = rb_frame_flush(fd, &out, err);
    }
    rb_buf_deinit(&out);
    return rc;
}

int rb_frame_flush(int fd, struct rb_buf *out, struct rb_err *err)
{
    int rc = write_all(fd, out->data, out->len, err);
    rb_buf_consume(out, out->len);
    return rc;
}

static int read_some(int fd, struct rb_buf *scratch, struct rb_err *err)
{
    char part[READ_AHEAD];
    size_t room = scratch->max - scratch->len;
    room = room < sizeof part ? room : sizeof part;
    if (!room) {
        return rb_err_set(err, RB_EPROTOCOL, RB_T_base_frame_large, RB_FRAME_MAX >> 20);
    }
    int rc = wait_for(fd, POLLIN, err); /* in read, it would be woken when the other side takes what we sent, too */
    if (rc) {
        return rc;
    }
    ssize_t n = read(fd, part, room);
    if (n > 0) {
        return rb_buf_add(scratch, part, (size_t)n);
    }
    if (n == 0) {
        return rb_err_set(err, RB_ERESET, RB_T_base_frame_closed);
    }
    return errno == EAGAIN || errno == EINTR ? 0 : rb_err_errno(err, errno, "read");
}

int rb_frame_read(int fd, struct rb_buf *scratch, json_t **value, struct rb_err *err)
{
    for (;;) {
        int rc = rb_frame_decode(scratch, value, err);
        if (rc) {
            return rc < 0 ? rc : 0;
        }
        rc = read_some(fd, scratch, err);
        if (rc) {
            return rc;
        }
    }
}
