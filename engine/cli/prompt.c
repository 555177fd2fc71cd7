#include "cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static void finish(struct rb_prompt *p, const char *line)
{
    uv_poll_stop(&p->poll);
    p->active = false;
    p->answered(line, p->user);
}

/* Takes the first whole line out of what was read; the rest is the answer to the next question. */
static bool take_line(struct rb_prompt *p)
{
    char line[RB_PROMPT_MAX];
    char *end = memchr(p->line, '\n', p->len);
    if (end == NULL && p->len < sizeof p->line - 1) {
        return false;
    }
    size_t len = end != NULL ? (size_t)(end - p->line) : p->len;
    size_t used = end != NULL ? len + 1 : len;
    memcpy(line, p->line, len);
    line[len] = '\0';
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ')) {
        line[--len] = '\0';
    }
    memmove(p->line, p->line + used, p->len - used);
    p->len -= used;
    finish(p, line);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct rb_prompt *p = poll->data;
    (void)events; /* only readable is asked for */
    ssize_t n = status < 0 ? 0 : read(STDIN_FILENO, p->line + p->len, sizeof p->line - 1 - p->len);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (n <= 0) {
        finish(p, NULL);
        return;
    }
    p->len += (size_t)n;
    (void)take_line(p);
}

int rb_prompt_open(struct rb_prompt *p, uv_loop_t *loop)
{
    memset(p, 0, sizeof *p);
    int rc = uv_poll_init(loop, &p->poll, STDIN_FILENO);
    p->poll.data = p;
    p->open = rc == 0;
    /* libuv made it non-blocking; the same open file is the shell's and our stdout's. */
    int flags = rc == 0 ? fcntl(STDIN_FILENO, F_GETFL) : -1;
    if (flags >= 0) {
        (void)fcntl(STDIN_FILENO, F_SETFL, flags & ~O_NONBLOCK); /* worst case: as libuv left it */
    }
    return rc;
}

void rb_prompt_read(struct rb_prompt *p, void (*answered)(const char *line, void *user), void *user)
{
    p->answered = answered;
    p->user = user;
    p->active = true;
    if (!take_line(p)) {
        uv_poll_start(&p->poll, UV_READABLE, on_readable);
    }
}

bool rb_prompt_waiting(const struct rb_prompt *p)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    return p->len > 0 || poll(&fd, 1, 0) > 0;
}

void rb_prompt_flush(struct rb_prompt *p)
{
    p->len = 0;
    (void)tcflush(STDIN_FILENO, TCIFLUSH); /* no terminal: nobody typed */
}

void rb_prompt_cancel(struct rb_prompt *p)
{
    if (p->active) {
        p->active = false;
        uv_poll_stop(&p->poll);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct rb_prompt *p = handle->data;
    p->open = false;
}

void rb_prompt_close(struct rb_prompt *p)
{
    if (p->open && !uv_is_closing((uv_handle_t *)&p->poll)) {
        p->active = false;
        uv_close((uv_handle_t *)&p->poll, on_closed);
    }
}
