#include "process/refusal_sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/wire.h"

#define SEND_MAX 65536
#define STAND_IN 6 /* priority of a socket that stands in for a datagram one */
#define DNS_PORT 53

static int dup_socket(const struct rb_question *q, int fd, int *domain)
{
    int sock = rb_question_dup(q, fd);
    socklen_t len = sizeof(*domain);
    if (sock >= 0 && getsockopt(sock, SOL_SOCKET, SO_DOMAIN, domain, &len) != 0) {
        (void)close(sock);
        sock = -1;
    }
    return sock;
}

/* The keeper binds its own copy of the socket to its own copy of the address: netlink, and
 * with net a client's port. A UNIX socket would leave a file. */
static bool may_bind(const struct rb_question *q, int domain, const struct sockaddr_storage *to)
{
    unsigned port = ntohs(((const struct sockaddr_in *)to)->sin_port); /* in6 has it in the same place */
    if (to->ss_family != domain) {
        return false;
    }
    return domain == AF_NETLINK ||
           (q->refusals->net && (domain == AF_INET || domain == AF_INET6) && (port == 0 || port >= 1024));
}

void rb_sockets_bind(struct rb_question *q)
{
    struct sockaddr_storage to = {0};
    size_t len = q->notif->data.args[2] > sizeof(to) ? 0 : (size_t)q->notif->data.args[2];
    int domain = 0, sock = dup_socket(q, rb_question_int(q, 0), &domain);
    rb_question_refuse(q, EACCES);
    rb_question_describe(q, " %d", domain);
    bool copied = len > 0 && rb_question_copy(q, 1, &to, len) == len && rb_question_stands(q);
    if (sock >= 0 && copied && may_bind(q, domain, &to)) {
        q->quiet = true;
        rb_question_refuse(q, bind(sock, (const struct sockaddr *)&to, (socklen_t)len) == 0 ? 0 : errno);
    }
    if (sock >= 0) {
        (void)close(sock);
    }
}

/* fuser and ifconfig make a datagram socket only to ask about interfaces: they get a TCP socket
 * that is never connected, and so can send nothing. */
void rb_sockets_socket(struct rb_question *q)
{
    int domain = rb_question_int(q, 0), type = rb_question_int(q, 1), protocol = rb_question_int(q, 2);
    bool harmless = (domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_DGRAM &&
                    (protocol == 0 || protocol == IPPROTO_UDP);
    int fd = harmless ? socket(domain, SOCK_STREAM | SOCK_CLOEXEC | (type & SOCK_NONBLOCK), 0) : -1;
    const int mark = STAND_IN;
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &mark, sizeof(mark)); /* for the record's sake only */
        q->quiet = true;
        rb_question_inject(q, fd, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
    } else {
        rb_question_refuse_listed(q);
    }
}

static void describe_address(struct rb_question *q, const struct sockaddr_storage *to)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)to;
    const char *path = ((const struct sockaddr_un *)to)->sun_path;
    if (to->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        rb_question_describe(q, " %s:%u", text, ntohs(in->sin_port));
    } else if (to->ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        rb_question_describe(q, " [%s]:%u", text, ntohs(in6->sin6_port));
    } else if (to->ss_family == AF_UNIX) {
        rb_question_describe(q, " %s%s", path[0] ? path : "@", path[0] ? "" : path + 1);
    } else {
        rb_question_describe(q, " %u", to->ss_family);
    }
}

/* One zero byte stays at the end. */
static void copy_address(const struct rb_question *q, unsigned arg, struct sockaddr_storage *to)
{
    uint64_t said = q->notif->data.args[arg + 1];
    size_t len = said >= sizeof(*to) ? sizeof(*to) - 1 : (size_t)said;
    memset(to, 0, sizeof(*to));
    (void)rb_question_copy(q, arg, to, len);
}

/* Looking up a name asks the name service cache, and connects a datagram socket to each address
 * found without sending, to sort them. A name server is named: that is why a look-up failed. */
static bool is_lookup(const struct rb_question *q, const struct sockaddr_storage *to)
{
    const char *path = ((const struct sockaddr_un *)to)->sun_path;
    int domain, mark = 0, sock = dup_socket(q, rb_question_int(q, 0), &domain);
    socklen_t len = sizeof(mark);
    if (sock >= 0) {
        (void)getsockopt(sock, SOL_SOCKET, SO_PRIORITY, &mark, &len);
        (void)close(sock);
    }
    bool to_server = ntohs(((const struct sockaddr_in *)to)->sin_port) == DNS_PORT; /* in6: the same place */
    return to->ss_family == AF_UNIX ? strcmp(path, "/var/run/nscd/socket") == 0
                                    : to->ss_family == AF_UNSPEC || (mark == STAND_IN && !to_server);
}

static const char *granted_path(const struct rb_question *q, const struct sockaddr_un *to)
{
    char *const *path = to->sun_family == AF_UNIX ? q->refusals->sockets : NULL;
    while (path && *path && strcmp(*path, to->sun_path) != 0) {
        path++;
    }
    return path ? *path : NULL;
}

/* The keeper connects its own copy of the socket to the path of its table; it never waits for a full queue. */
static void connect_granted(struct rb_question *q, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int domain = 0, sock = dup_socket(q, rb_question_int(q, 0), &domain);
    if (sock < 0 || domain != AF_UNIX || !rb_question_stands(q)) {
        rb_wire_close(&sock, 1);
        return;
    }
    int flags = fcntl(sock, F_GETFL);
    (void)strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
    (void)fcntl(sock, F_SETFL, flags | O_NONBLOCK);
    int rc = connect(sock, (const struct sockaddr *)&to, sizeof(to));
    rb_question_refuse(q, rc == 0 ? 0 : errno);
    (void)fcntl(sock, F_SETFL, flags);
    q->quiet = true;
    if (rc == 0) {
        q->refusals->granted(q->refusals->user, path);
    }
    rb_wire_close(&sock, 1);
}

/* Refused, but for the table of shape.h; else the address is only for the record. */
void rb_sockets_connect(struct rb_question *q)
{
    struct sockaddr_storage to;
    copy_address(q, 1, &to);
    rb_question_refuse(q, EACCES);
    describe_address(q, &to);
    q->quiet = is_lookup(q, &to);
    const char *path = granted_path(q, (const struct sockaddr_un *)&to);
    if (path) {
        connect_granted(q, path);
    }
}

/* To the kernel's own netlink (name look-ups ask it for addresses) the keeper sends its copy
 * over its copy of the socket; what the socket may do was fixed when the child opened it. */
void rb_sockets_sendto(struct rb_question *q)
{
    char data[SEND_MAX];
    struct sockaddr_storage to;
    size_t len = (size_t)q->notif->data.args[2];
    int domain = 0, sock = dup_socket(q, rb_question_int(q, 0), &domain);
    copy_address(q, 4, &to);
    rb_question_refuse(q, EACCES);
    describe_address(q, &to);
    bool copied = len <= sizeof(data) && rb_question_copy(q, 1, data, len) == len && rb_question_stands(q);
    if (sock >= 0 && domain == AF_NETLINK && to.ss_family == AF_NETLINK && copied) {
        int flags = rb_question_int(q, 3) | MSG_DONTWAIT | MSG_NOSIGNAL;
        ssize_t n = sendto(sock, data, len, flags, (struct sockaddr *)&to, sizeof(struct sockaddr_nl));
        q->quiet = true;
        rb_question_refuse(q, n < 0 ? errno : 0);
        q->answer.val = n < 0 ? 0 : n;
    }
    if (sock >= 0) {
        (void)close(sock);
    }
}
