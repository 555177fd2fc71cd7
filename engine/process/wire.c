#include "process/wire.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(RB_WIRE_FDS * sizeof(int))];
};

int rb_wire_send(int fd, const struct rb_wire *msg, const int *fds, size_t count, int flags)
{
    union control control = {0};
    size_t text = strnlen(msg->text, RB_WIRE_TEXT - 1) + 1;
    struct iovec body = {.iov_base = (void *)msg, .iov_len = offsetof(struct rb_wire, text) + text};
    struct msghdr head = {.msg_iov = &body, .msg_iovlen = 1};
    if (count > 0) {
        head.msg_control = control.bytes;
        head.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&head);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    ssize_t n;
    do {
        n = sendmsg(fd, &head, MSG_NOSIGNAL | flags);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static size_t take_fds(struct msghdr *head, int out[RB_WIRE_FDS])
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c; c = CMSG_NXTHDR(head, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (n > RB_WIRE_FDS - count) {
            n = RB_WIRE_FDS - count; /* cannot be: the buffer holds no more */
        }
        memcpy(out + count, CMSG_DATA(c), n * sizeof(int));
        count += n;
    }
    return count;
}

int rb_wire_recv(int fd, struct rb_wire *msg, int *fds, size_t *count, int flags)
{
    union control control = {0};
    struct iovec body = {.iov_base = msg, .iov_len = sizeof(*msg)};
    struct msghdr head = {.msg_iov = &body, .msg_iovlen = 1};
    head.msg_control = control.bytes;
    head.msg_controllen = sizeof(control.bytes);
    memset(msg, 0, sizeof(*msg));
    ssize_t n;
    do {
        n = recvmsg(fd, &head, MSG_CMSG_CLOEXEC | flags);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n == 0 || errno == ECONNRESET ? 0 : -errno;
    }
    int got[RB_WIRE_FDS];
    size_t have = take_fds(&head, got);
    msg->text[RB_WIRE_TEXT - 1] = '\0';
    if (fds) {
        memcpy(fds, got, have * sizeof(int));
        *count = have;
    } else {
        rb_wire_close(got, have);
    }
    return 1;
}

int rb_wire_start(int fd, const int fds[RB_WIRE_FDS], bool unkept)
{
    struct rb_wire msg = {.kind = RB_WIRE_START, .stage = unkept};
    int given[RB_WIRE_FDS];
    size_t count = 0;
    for (int i = 0; i < RB_WIRE_FDS; i++) {
        if (fds[i] >= 0) {
            msg.value |= 1 << i;
            given[count++] = fds[i];
        }
    }
    return rb_wire_send(fd, &msg, given, count, MSG_DONTWAIT);
}

bool rb_wire_started(const struct rb_wire *start, const int *came, size_t count, int fds[RB_WIRE_FDS])
{
    size_t next = 0;
    for (int i = 0; i < RB_WIRE_FDS; i++) {
        bool given = (start->value & (1 << i)) && next < count;
        fds[i] = given ? came[next++] : -1;
    }
    bool rests = count == 1 && fds[RB_FD_CTL] >= 0;
    return next == count && (rests || fds[RB_FD_SPEC] >= 0);
}

void rb_wire_close(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]); /* nothing was written that could be lost */
        }
        fds[i] = -1;
    }
}

static void close_span(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) {
        return;
    }
    /* before 5.9 */
    unsigned top = (unsigned)sysconf(_SC_OPEN_MAX);
    for (unsigned fd = first; fd <= last && fd < top; fd++) {
        (void)close((int)fd);
    }
}

void rb_wire_close_others(const int *keep, size_t count)
{
    unsigned from = 3;
    for (;;) {
        unsigned next = UINT_MAX;
        for (size_t i = 0; i < count; i++) {
            if (keep[i] >= (int)from && (unsigned)keep[i] < next) {
                next = (unsigned)keep[i];
            }
        }
        if (next == UINT_MAX) {
            close_span(from, UINT_MAX);
            return;
        }
        if (next > from) {
            close_span(from, next - 1);
        }
        from = next + 1;
    }
}
