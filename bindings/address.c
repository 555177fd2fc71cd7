#include "address.h"

#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>

bool rb_address_parse(const char *text, struct rb_address *out)
{
    char bare[RB_ADDRESS_MAX];
    size_t len = strlen(text);
    memset(out, 0, sizeof *out);
    if (text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof bare) {
        return false;
    }
    memcpy(bare, text, len);
    bare[len] = '\0';
    memcpy(out->text, bare, len + 1);
    if (inet_pton(AF_INET, bare, &out->at.v4.sin_addr) == 1) {
        out->at.v4.sin_family = AF_INET;
        return true;
    }
    char *scope = strchr(bare, '%');
    if (scope) {
        *scope++ = '\0';
        out->at.v6.sin6_scope_id = if_nametoindex(scope);
    }
    out->at.v6.sin6_family = AF_INET6;
    return inet_pton(AF_INET6, bare, &out->at.v6.sin6_addr) == 1 && (!scope || out->at.v6.sin6_scope_id);
}

static bool is_inner_v4(uint32_t ip)
{
    return ip >> 24 == 0 || ip >> 24 == 127 || ip >> 16 == 0xa9fe; /* 169.254 */
}

bool rb_address_is_inner(const struct rb_address *address)
{
    const struct in6_addr *v6 = &address->at.v6.sin6_addr;
    uint32_t tail;
    if (address->at.any.sa_family == AF_INET) {
        return is_inner_v4(ntohl(address->at.v4.sin_addr.s_addr));
    }
    memcpy(&tail, &v6->s6_addr[12], sizeof tail);
    return IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_LINKLOCAL(v6) || IN6_IS_ADDR_UNSPECIFIED(v6) ||
           (IN6_IS_ADDR_V4MAPPED(v6) && is_inner_v4(ntohl(tail)));
}

size_t rb_address_size(const struct rb_address *address)
{
    return address->at.any.sa_family == AF_INET ? sizeof address->at.v4 : sizeof address->at.v6;
}

/* Connecting a datagram socket asks the kernel and sends nothing. */
bool rb_address_has_route(const struct rb_address *address)
{
    struct rb_address to = *address;
    to.at.v6.sin6_port = htons(53);
    int fd = socket(to.at.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool there = fd >= 0 && connect(fd, &to.at.any, (socklen_t)rb_address_size(&to)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return there;
}
