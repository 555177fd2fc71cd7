/* A child's descriptors on the loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/frame.h"
#include "process/host.h"

/* One write under way; frees itself. */
struct write {
    uv_write_t request;
    char data[];
};

static void on_closed(uv_handle_t *handle)
{
    struct rb_child *child = handle->data;
    if (--child->handles == 0) {
        rb_child_free(child);
    }
}

static void close_handle(void *handle)
{
    uv_handle_t *h = handle;
    if (h->data && !uv_is_closing(h)) {
        uv_close(h, on_closed);
    }
}

void rb_child_io_close(struct rb_child *child)
{
    close_handle(&child->ctl);
    close_handle(&child->in);
    close_handle(&child->streams[0]);
    close_handle(&child->streams[1]);
    close_handle(&child->drain);
    if (child->keeper_rests) {
        rb_spawner_rest(child->spawner, child->ctl_fd);
        child->ctl_fd = -1;
    }
    rb_wire_close(&child->ctl_fd, 1);
    rb_wire_close(&child->gate, 1);
    if (child->handles == 0) {
        rb_child_free(child);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct rb_child *child = handle->data;
    (void)suggested;
    *buf = uv_buf_init(child->spawner->chunk, RB_CHUNK_SIZE);
}

static void take_frames(struct rb_child *child, const char *data, size_t len)
{
    struct rb_err err = {0};
    json_t *value;
    int rc = rb_buf_add(&child->frames, data, len);
    if (rc != 0) {
        (void)rb_err_set(&err, rc, RB_T_process_send_full, child->name);
    }
    while (rc == 0 && child->state == RB_CHILD_RUNNING) {
        rc = rb_frame_decode(&child->frames, &value, &err);
        if (rc == 0) {
            return;
        }
        if (rc == 1) {
            if (child->events.frame) {
                child->events.frame(child, value, child->user);
            }
            json_decref(value);
            rc = 0;
        }
    }
    if (rc < 0) {
        rb_child_on_bad_frame(child, &err);
    }
}

/* A terminal ends with EIO. libuv takes a short read of one that was hung up for its end, too (uv__stream_io), but the
 * kernel hands over 4 KiB at a time, and more may follow. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct rb_child *child = stream->data;
    int which = stream == (uv_stream_t *)&child->streams[1];
    if (n == UV_EOF && child->rows > 0 && uv_read_start(stream, on_alloc, on_read) == 0) {
        return;
    }
    if (n < 0) {
        (void)uv_read_stop(stream);
        child->reading[which] = false;
        rb_child_on_stream_end(child);
    } else if (n > 0 && child->entry) {
        take_frames(child, buf->base, (size_t)n);
    } else if (n > 0 && child->events.output) {
        child->events.output(child, which + 1, buf->base, (size_t)n, child->user);
    }
}

static void on_ctl(uv_poll_t *poll, int status, int events)
{
    struct rb_child *child = poll->data;
    struct rb_wire msg;
    int rc = 1;
    (void)events;
    while (rc == 1 && child->state == RB_CHILD_RUNNING) {
        rc = status < 0 ? 0 : rb_wire_recv(child->ctl_fd, &msg, NULL, NULL, MSG_DONTWAIT);
        if (rc == 1) {
            rb_child_on_told(child, &msg);
        }
    }
    if (rc != 1 && rc != -EAGAIN) {
        (void)uv_poll_stop(poll);
        rb_child_on_keeper_gone(child);
    }
}

static void opened(struct rb_child *child, void *handle)
{
    ((uv_handle_t *)handle)->data = child;
    child->handles++;
}

/* The descriptor belongs to the pipe from here on. */
static int open_pipe(struct rb_child *child, uv_pipe_t *pipe, int *fd)
{
    int rc = uv_pipe_init(child->spawner->loop, pipe, 0);
    if (rc == 0) {
        opened(child, pipe);
        rc = uv_pipe_open(pipe, *fd);
        *fd = rc == 0 ? -1 : *fd;
    }
    return rc;
}

static int open_stream(struct rb_child *child, int which, int *fd)
{
    int rc = open_pipe(child, &child->streams[which], fd);
    rc = rc ? rc : uv_read_start((uv_stream_t *)&child->streams[which], on_alloc, on_read);
    child->reading[which] = rc == 0;
    return rc;
}

int rb_child_io_open(struct rb_child *child, struct rb_child_ends *ours)
{
    uv_loop_t *loop = child->spawner->loop;
    child->ctl_fd = ours->ctl;
    child->gate = ours->gate;
    int rc = uv_timer_init(loop, &child->drain);
    if (rc == 0) {
        opened(child, &child->drain);
        rc = uv_poll_init(loop, &child->ctl, child->ctl_fd);
    }
    if (rc == 0) {
        opened(child, &child->ctl);
        rc = uv_poll_start(&child->ctl, UV_READABLE | UV_DISCONNECT, on_ctl);
    }
    for (int i = 0; i < 2; i++) {
        rc = rc || ours->streams[i] < 0 ? rc : open_stream(child, i, &ours->streams[i]);
    }
    if (child->input) {
        rc = rc ? rc : open_pipe(child, &child->in, &ours->in);
    }
    rb_wire_close(&ours->in, 1);
    rb_wire_close(ours->streams, 2);
    return rc ? rc : rb_child_io_flush(child);
}

static void on_written(uv_write_t *request, int status)
{
    struct rb_child *child = request->handle->data;
    (void)status; /* nobody reads any more: the end of the child tells more */
    if (!child->entry) {
        close_handle(request->handle); /* the end of its input */
    }
    free(request->data);
}

/* A frame that the socket takes at once: a request and its callback would cost another turn of the loop. */
static void write_now(struct rb_child *child, uv_stream_t *to)
{
    uv_buf_t buf = uv_buf_init(child->waiting.data, (unsigned)child->waiting.len);
    int n = uv_try_write(to, &buf, 1);
    if (n > 0) {
        rb_buf_consume(&child->waiting, (size_t)n);
    }
}

int rb_child_io_flush(struct rb_child *child)
{
    uv_stream_t *to = (uv_stream_t *)(child->entry ? &child->streams[0] : &child->in);
    if (child->entry && child->waiting.len > 0) {
        write_now(child, to);
    }
    size_t len = child->waiting.len;
    if (len == 0) {
        rb_buf_deinit(&child->waiting);
        return 0;
    }
    struct write *w = malloc(sizeof(*w) + len);
    if (!w) {
        return UV_ENOMEM;
    }
    memcpy(w->data, child->waiting.data, len);
    rb_buf_deinit(&child->waiting);
    w->request.data = w;
    uv_buf_t buf = uv_buf_init(w->data, (unsigned)len);
    int rc = uv_write(&w->request, to, &buf, 1, on_written);
    if (rc != 0) {
        free(w);
    }
    return rc;
}
